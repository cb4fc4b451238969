//! Transfers with phones and carriers that are not ours: baresip transfers a caller, SIPp is the carrier that takes it or
//! is called instead; everybody is heard, and the record says who talked to whom.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tandem_peers::{Baresip, Node, Scenario, Sipp, Softphone, share_of_tone};
use tandem_phone::{Answer, Manner, Phone};
use tandem_phone_net::LiveLine;
use tandem_store::StoredCall;

use crate::support::{
    CALLER_HZ, PATIENCE, caller, carrier, carrier_whose, node, node_with, only_record, runtime,
};

const ALICE: Softphone = Softphone {
    user: "1001",
    password: "alice-1001",
    address: Ipv4Addr::new(127, 0, 0, 22),
    tone_hz: 700.0,
    transport: "udp",
    media_encryption: None,
};
const BOB: Softphone = Softphone {
    user: "1002",
    password: "bob-1002",
    address: Ipv4Addr::new(127, 0, 0, 23),
    tone_hz: 900.0,
    transport: "udp",
    media_encryption: None,
};

const SALES: &str = "+15550101";
const OUTSIDE: &str = "+15550177";
const OUTSIDE_HZ: u16 = 1_150;
const TALK: Duration = Duration::from_secs(1);

/// A node whose carrier is asked to transfer its own callers.
fn node_that_refers() -> Node {
    node_with(|_, config| config.replacen("# refer_out = false ", "refer_out = true ", 1))
}

fn outcomes(record: &StoredCall) -> Vec<&str> {
    let transfers = record.timeline.iter().filter(|fact| fact.kind == "transferred");
    transfers.filter_map(|fact| fact.detail.as_deref()).collect()
}

/// The baresip has heard the caller: most of what was audible is the caller's tone.
fn has_heard_the_caller(phone: &Baresip) {
    let heard = phone.heard().expect("it had a call");
    assert!(share_of_tone(&heard, CALLER_HZ.into()) > 0.5, "{} samples", heard.len());
}

/// RFC 5359 §2.4: the caller hears the first agent, then the second; each of them hears the caller.
#[test]
fn an_agent_transfers_a_caller_to_another_agent() {
    let (mut node, runtime) = (node(), runtime());
    let mut alice = Baresip::start(&ALICE, node.ports().sip).expect("alice registers");
    let bob = Baresip::start(&BOB, node.ports().sip).expect("bob registers");
    let carrier = carrier(&runtime, &node);
    let call = carrier.call("+15551111", SALES, caller()).expect("a call");
    carrier.hears(call, 700, TALK, PATIENCE).expect("the caller hears alice");
    alice.transfer(&format!("sip:1002@{}", node.ports().sip)).expect("alice transfers");
    carrier.hears(call, 900, TALK, PATIENCE).expect("the caller hears bob");
    carrier.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
    carrier.ended(call, PATIENCE).expect("the call ends");
    let record = only_record(&mut node);
    has_heard_the_caller(&alice);
    has_heard_the_caller(&bob);
    assert_eq!(record.agent.as_deref(), Some("bob"), "{record:#?}");
    assert_eq!(outcomes(&record), ["to 1002: answered"]);
    let parties: Vec<_> = record.legs.iter().map(|leg| leg.party.as_str()).collect();
    assert_eq!(parties, ["+15551111", "1001", "1002"]);
    assert!(record.legs.iter().all(|leg| leg.packets_received > 25 && leg.end_status == 200), "{record:#?}");
}

/// Busy: alice's phone is told, and keeps the caller or, as baresip does, hangs up. Nobody there when the caller hangs up
/// in the middle: the target is cancelled.
#[test]
fn a_transfer_that_comes_to_nothing() {
    for (answer, outcome) in [
        (Answer::Refuse { after: 2 * TALK, status: 486 }, "to +15550177: busy"),
        (Answer::RingForEver, "to +15550177: hung up"),
    ] {
        let (mut node, runtime) = (node(), runtime());
        let mut alice = Baresip::start(&ALICE, node.ports().sip).expect("alice registers");
        let is_busy = answer != Answer::RingForEver;
        let target = Manner { answer, ..Manner::polite(OUTSIDE_HZ, Duration::ZERO) };
        let carrier = carrier_whose(&runtime, &node, [(OUTSIDE.to_owned(), target)]);
        let call = carrier.call("+15551111", SALES, caller()).expect("a call");
        carrier.hears(call, 700, TALK, PATIENCE).expect("the caller hears alice");
        alice.transfer(&format!("sip:{OUTSIDE}@{}", node.ports().sip)).expect("alice transfers");
        carrier.hears(call, 440, TALK / 2, PATIENCE).expect("the caller hears that it rings");
        if is_busy {
            alice.wait_for("transfer fail").expect("alice is told that it failed");
        } else {
            carrier.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
        }
        carrier.ended(call, PATIENCE).expect("the call ends");
        let record = only_record(&mut node);
        assert_eq!(outcomes(&record), [outcome], "{record:#?}");
        let ended_by = if is_busy { ["control", "party"] } else { ["party", "control"] };
        assert_eq!([&record.legs[0].end_side, &record.legs[1].end_side], ended_by, "{record:#?}");
        assert_eq!(record.legs[2].end_status, if is_busy { 486 } else { 487 }, "{record:#?}");
    }
}

/// RFC 3515 §4.1: the carrier is asked, says that it has called the target, and is hung up; so is alice.
#[test]
fn a_carrier_takes_its_caller_back() {
    let mut node = node_that_refers();
    let ports = node.ports();
    let mut alice = Baresip::start(&ALICE, ports.sip).expect("alice registers");
    let audio = SocketAddr::new(ports.carrier.ip(), ports.carrier_rtp.0);
    let line = LiveLine::start(audio, CALLER_HZ).expect("the caller's audio address is free");
    let scenario = Scenario { media_ports: vec![audio.port()], ..Scenario::once("transfers/taken", SALES) };
    let sipp = Sipp::start(&scenario, &ports).expect("SIPp starts");
    alice.wait_for("established").expect("alice answers");
    alice.transfer(&format!("sip:{OUTSIDE}@{}", ports.sip)).expect("alice transfers");
    sipp.finish().expect("asked, told and hung up");
    let (_, heard) = line.heard();
    assert!(heard.time_of_tone(440) > Duration::from_millis(200), "the caller hears that it rings");
    let record = only_record(&mut node);
    assert_eq!(outcomes(&record), [format!("to {OUTSIDE}: answered")], "{record:#?}");
    assert_eq!((record.end_cause.as_str(), record.legs.len()), ("transferred", 2), "{record:#?}");
}

/// A carrier that knows no REFER is not in the way of a transfer: the node calls the target.
#[test]
fn a_carrier_without_refer_is_called_instead() {
    let (mut node, runtime) = (node_that_refers(), runtime());
    let mut alice = Baresip::start(&ALICE, node.ports().sip).expect("alice registers");
    let target = Manner::polite(OUTSIDE_HZ, Duration::from_millis(200));
    let carrier = carrier_whose(&runtime, &node, [(OUTSIDE.to_owned(), target)]);
    let call = carrier.call("+15551111", SALES, caller()).expect("a call");
    carrier.hears(call, 700, TALK, PATIENCE).expect("the caller hears alice");
    alice.transfer(&format!("sip:{OUTSIDE}@{}", node.ports().sip)).expect("alice transfers");
    let called = carrier.incoming(PATIENCE).expect("the target is called");
    carrier.hears(call, OUTSIDE_HZ, TALK, PATIENCE).expect("the caller hears the target");
    carrier.hears(called, CALLER_HZ, TALK, PATIENCE).expect("the target hears the caller");
    carrier.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
    carrier.ended(called, PATIENCE).expect("the target is hung up");
    let record = only_record(&mut node);
    assert_eq!(outcomes(&record), [format!("to {OUTSIDE}: answered")], "{record:#?}");
    assert_eq!(record.legs.len(), 3, "{record:#?}");
}

/// RFC 3891 §3: the caller goes on in another call, which hears what the first one heard, in one stream; the first one gets
/// BYE, and it is one call with one record.
#[test]
fn a_caller_goes_on_in_another_call() {
    let mut node = node();
    let ports = node.ports();
    let audio = SocketAddr::new(ports.carrier.ip(), ports.carrier_rtp.0);
    let line = LiveLine::start(audio, CALLER_HZ).expect("the caller's audio address is free");
    let scenario = Scenario {
        media_ports: vec![audio.port()],
        pause: Duration::from_secs(1),
        ..Scenario::once("transfers/replaces", "+15550102")
    };
    let sipp = Sipp::start(&scenario, &ports).expect("SIPp starts");
    sipp.finish().expect("the second call takes the place of the first");
    let (received, _) = line.heard();
    assert!(received.packets > 80, "in both calls: {received:?}");
    assert_eq!((received.ssrc_changes, received.sequence_leaps, received.timestamp_leaps), (0, 0, 0));
    let record = only_record(&mut node);
    let [leg] = &record.legs[..] else { panic!("one leg: {record:#?}") };
    assert!(leg.sip_call_id.starts_with("second"), "{record:#?}");
    assert!(leg.packets_received > 80, "heard in both calls: {record:#?}");
    assert!(record.timeline.iter().any(|fact| fact.kind == "leg-replaced"), "{record:#?}");
    assert_eq!((record.end_side.as_str(), record.end_status), ("party", 200));
}
