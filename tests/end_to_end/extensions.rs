//! Extensions of SIP with SIPp at the other side: PRACK (RFC 3262), UPDATE (RFC 3311), session timers (RFC 4028) and
//! forking (RFC 3261 §13.2.2.4). Each scenario of `tests/sipp/extensions` checks what it is sent; here it is checked
//! that the parties hear each other, and what the record says.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tandem_peers::{Node, Scenario, Sipp};
use tandem_phone::{Manner, Phone};
use tandem_phone_net::LiveLine;
use tandem_store::StoredCall;

use crate::support::{
    CALLER_HZ, PATIENCE, caller, carrier_at, carrier_whose, node_with, only_record, runtime,
};

/// The demo's number that leads straight to a party at the carrier, and the party's.
const STRAIGHT: &str = "+15550111";
const PARTY: &str = "+15550199";
const PARTY_HZ: u16 = 900;

const GREETING: &str = "+15550106";

/// Says a digit's tone, so that the caller learns where the node's audio comes from, and then gives back what it hears.
const FLOW: &str = "\
start = \"greet\"

[variables]
digits = \"5\"

[activities.greet]
type = \"play-digits\"
variable = \"digits\"
exits = { done = \"echo\" }

[activities.echo]
type = \"echo\"
";

/// A node whose trunk has short session timers of that kind.
fn node(session_timers: &str) -> Node {
    node_with(|folder, config| {
        std::fs::write(folder.join("flows/greeting.toml"), FLOW).expect("the flow is written");
        let config = config
            .replacen("session_timers = \"accept\"", &format!("session_timers = \"{session_timers}\""), 1)
            .replacen("session_expires_s = 1800", "session_expires_s = 4", 1)
            .replacen("min_se_s = 90", "min_se_s = 2", 1);
        format!("{config}\n[[entry_point]]\nnumber = \"{GREETING}\"\nflow = \"greeting\"\n")
    })
}

/// SIPp calls the number that gives back what it hears, and hears itself; the call's record.
fn calls_in(name: &'static str) -> StoredCall {
    let mut node = node("accept");
    let ports = node.ports();
    let audio = SocketAddr::new(ports.carrier.ip(), ports.carrier_rtp.0);
    let line = LiveLine::start(audio, CALLER_HZ).expect("the caller's audio address is free");
    let pause = Duration::from_millis(1_500);
    let scenario = Scenario { pause, media_ports: vec![audio.port()], ..Scenario::once(name, GREETING) };
    let sipp = Sipp::start(&scenario, &ports).expect("SIPp starts");
    sipp.finish().unwrap_or_else(|error| panic!("{name}: {error}"));
    let (received, heard) = line.heard();
    assert!(heard.time_of_tone(CALLER_HZ) > Duration::from_millis(300), "{name}: {received:?}");
    assert!(heard.digit_string().contains('5'), "{name}: {received:?}");
    let record = only_record(&mut node);
    assert!(record.answered.is_some() && record.legs[0].packets_received > 25, "{record:#?}");
    record
}

/// A phone calls SIPp through the node, which sets up session timers as said; both hear each other, and the phone hangs
/// up after `talk`.
fn calls_out(name: &'static str, session_timers: &str, talk: Duration) -> StoredCall {
    let (mut node, runtime) = (node(session_timers), runtime());
    let ports = node.ports();
    let audio = SocketAddr::new(ports.carrier.ip(), ports.carrier_rtp.0);
    let line = LiveLine::start(audio, PARTY_HZ).expect("the party's audio address is free");
    let scenario = Scenario { media_ports: vec![audio.port()], ..Scenario::once(name, "unused") };
    let sipp = Sipp::start(&scenario, &ports).expect("SIPp starts");
    let beside = SocketAddr::new(ports.carrier.ip(), ports.carrier.port() + 1);
    let phone = carrier_at(&runtime, &node, beside);
    let call = phone.call("+15551234", STRAIGHT, caller()).expect("a call");
    phone.answered(call, PATIENCE).expect("the caller is answered");
    phone.hears(call, PARTY_HZ, talk, PATIENCE).expect("the caller hears the party");
    phone.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
    sipp.finish().unwrap_or_else(|error| panic!("{name}: {error}"));
    phone.ended(call, PATIENCE).expect("the call ends");
    let (received, heard) = line.heard();
    assert!(heard.time_of_tone(CALLER_HZ) > talk / 2, "{name}: {received:?}");
    let record = only_record(&mut node);
    assert_eq!((record.legs.len(), record.legs[1].party.as_str()), (2, PARTY));
    assert!(record.legs.iter().all(|leg| leg.answered.is_some() && leg.packets_received > 25), "{record:#?}");
    record
}

/// RFC 3262 §3 towards a caller that requires it, and RFC 3311 §5.2 before and after the answer.
#[test]
fn a_caller_that_requires_it_gets_reliable_ringing() {
    let (mut node, runtime) = (node("accept"), runtime());
    let party = Manner::polite(PARTY_HZ, Duration::from_millis(1_000));
    let carrier = carrier_whose(&runtime, &node, [(PARTY.to_owned(), party)]);
    let mut ports = node.ports();
    let audio = SocketAddr::new(ports.carrier.ip(), ports.carrier_rtp.1 - 1);
    let line = LiveLine::start(audio, CALLER_HZ).expect("the caller's audio address is free");
    ports.carrier.set_port(ports.carrier.port() + 1);
    let pause = Duration::from_millis(1_000);
    let scenario = Scenario {
        pause,
        media_ports: vec![audio.port()],
        ..Scenario::once("extensions/reliable-caller", STRAIGHT)
    };
    let sipp = Sipp::start(&scenario, &ports).expect("SIPp starts");
    let called = carrier.incoming(PATIENCE).expect("the party is rung");
    carrier
        .hears(called, CALLER_HZ, Duration::from_millis(500), PATIENCE)
        .expect("the party hears the caller");
    sipp.finish().expect("the caller's end saw what it required");
    carrier.ended(called, PATIENCE).expect("the call ends");
    let (received, heard) = line.heard();
    assert!(heard.time_of_tone(PARTY_HZ) > Duration::from_millis(500), "{received:?}");
    let record = only_record(&mut node);
    assert_eq!((record.legs.len(), record.end_side.as_str(), record.end_status), (2, "party", 200));
    assert!(record.legs.iter().all(|leg| leg.packets_received > 25), "{record:#?}");
}

/// RFC 3262 §4 and §5, RFC 3311 §5.2, of a callee; its answer is in the 183, and the 2xx has none.
#[test]
fn a_callee_s_reliable_responses_are_acknowledged() {
    let record = calls_out("extensions/reliable-callee", "accept", Duration::from_millis(1_500));
    assert_eq!(record.end_status, 200);
}

/// RFC 3261 §13.2.2.4: each callee's reliable responses are acknowledged in its own dialog.
#[test]
fn of_two_callees_that_answer_one_is_kept() {
    let record = calls_out("extensions/forking-callee", "accept", Duration::from_millis(1_000));
    assert_eq!(record.end_status, 200);
}

/// RFC 4028 §9: the session lasts longer than its interval, since the caller refreshes it.
#[test]
fn a_caller_refreshes_its_session() {
    let record = calls_in("extensions/refreshing-caller");
    assert_eq!((record.end_side.as_str(), record.end_status), ("party", 200));
}

/// RFC 4028 §10.
#[test]
fn a_caller_that_does_not_refresh_is_left() {
    let record = calls_in("extensions/lapsed-caller");
    assert_eq!((record.end_side.as_str(), record.end_cause.as_str()), ("switch", "session expired"));
}

/// RFC 4028 §7.4 and §10.
#[test]
fn a_caller_is_refreshed_until_it_has_lost_the_dialog() {
    let record = calls_in("extensions/refreshed-caller");
    assert_eq!((record.end_side.as_str(), record.end_cause.as_str()), ("switch", "dialog lost"));
}

/// RFC 4028 §7.4 with RFC 3264 §8 and RFC 3262 §4.
#[test]
fn a_caller_without_update_is_refreshed_by_reinvite() {
    let record = calls_in("extensions/reinvited-caller");
    assert_eq!((record.end_side.as_str(), record.end_status), ("party", 200));
}

/// RFC 4028 §9.
#[test]
fn a_caller_heeds_our_smallest_interval() {
    let record = calls_in("extensions/impatient-caller");
    assert_eq!((record.end_side.as_str(), record.end_status), ("party", 200));
}

/// RFC 4028 §7.1, §7.3 and §7.4.
#[test]
fn we_heed_a_callee_s_smallest_interval_and_refresh() {
    let record = calls_out("extensions/demanding-callee", "offer", Duration::from_secs(3));
    assert_eq!(record.end_status, 200);
}

#[test]
fn every_scenario_has_its_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sipp/extensions");
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("a file").path();
        let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name");
        let is_run = include_str!("extensions.rs").contains(&format!("\"extensions/{name}\""));
        assert!(is_run, "{name}");
    }
}
