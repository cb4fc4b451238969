//! Session-ID (RFC 7989): SIPp, which is the carrier, and a registered phone hear of each other in every message, and nobody
//! hears of it who does not know it.

use std::net::SocketAddr;
use std::time::Duration;

use tandem_peers::{Capture, Datagram, Node, Scenario, Sipp};
use tandem_phone::{Manner, Report};
use tandem_phone_net::LiveLine;
use tandem_store::StoredCall;

use crate::support::{CALLER_HZ, PATIENCE, node_with, only_record, runtime, softphone};

/// How SIPp's caller names itself.
const CALLER: &str = "ab30317f1a784dc48ff824d0d3715d86";
/// The demo's number that leads straight to erin.
const ERIN: &str = "+15550110";
const ERIN_HZ: u16 = 1_100;
const TALK: Duration = Duration::from_secs(1);

/// A call of SIPp's to erin, whose phone knows Session-ID, with both voices; SIPp hangs up.
fn call(node: &mut Node, scenario: &'static str) -> (Report, StoredCall) {
    let runtime = runtime();
    let manner = Manner { session_id: true, ..Manner::polite(ERIN_HZ, Duration::from_millis(200)) };
    let erin = softphone(&runtime, node, ("1005", "erin"), [127, 0, 0, 26], manner);
    let ports = node.ports();
    let audio = SocketAddr::new(ports.carrier.ip(), ports.carrier_rtp.0);
    let line = LiveLine::start(audio, CALLER_HZ).expect("the caller's audio address is free");
    let scenario =
        Scenario { media_ports: vec![audio.port()], pause: 2 * TALK, ..Scenario::once(scenario, ERIN) };
    let sipp = Sipp::start(&scenario, &ports).expect("SIPp starts");
    let rung = erin.incoming(PATIENCE).expect("erin is rung");
    erin.hears(rung, CALLER_HZ, TALK, PATIENCE).expect("erin hears the caller");
    sipp.finish().expect("every message says what it should");
    let report = erin.ended(rung, PATIENCE).expect("erin is hung up");
    let (received, heard) = line.heard();
    assert!(heard.time_of_tone(ERIN_HZ) > TALK, "the caller hears erin: {received:?}");
    let record = only_record(node);
    assert_eq!((record.end_side.as_str(), record.end_status), ("party", 200));
    assert!(record.legs.iter().all(|leg| leg.packets_received > 50), "{record:#?}");
    (report, record)
}

/// The messages to a host, of which some are requests and some are responses.
fn messages_to(passed: &[Datagram], at: SocketAddr) -> Vec<String> {
    let to_it = passed.iter().filter(|it| it.destination == at);
    let texts = to_it.filter_map(|it| String::from_utf8(it.bytes.clone()).ok());
    texts.filter(|text| text.contains("SIP/2.0")).collect()
}

/// Each is told of the other, by its own name, in every message; so says the record.
#[test]
fn each_end_of_a_call_hears_of_the_other() {
    let mut node = node_with(|_, config| config);
    let capture = Capture::start_at(node.ports().carrier.port()).expect("tshark captures on loopback");
    let (erin, record) = call(&mut node, "session-id");
    let named = erin.named.own.clone().expect("erin names herself");
    assert_eq!(erin.named.theirs.as_deref(), Some(CALLER));
    assert_eq!(erin.named.misnamed, Vec::<String>::new());
    let said: Vec<_> = record.legs.iter().map(|leg| leg.session_id.clone().unwrap_or_default()).collect();
    assert_eq!(said, [format!("{named};remote={CALLER}"), format!("{CALLER};remote={named}")]);
    let to_carrier = messages_to(&capture.finish().expect("read"), node.ports().carrier);
    assert!(to_carrier.len() > 3, "{to_carrier:#?}");
    let last = format!("Session-ID: {named};remote={CALLER}\r\n");
    let answers = to_carrier.iter().filter(|text| text.starts_with("SIP/2.0 200"));
    assert!(answers.clone().count() > 1 && answers.clone().all(|it| it.contains(&last)), "{to_carrier:#?}");
}

/// A carrier that says nothing of it hears nothing, and with `off` neither hears nor is heard, whatever it says.
#[test]
fn who_is_not_to_know_hears_no_session_id() {
    for (policy, scenario) in [("accept", "unnamed"), ("off", "unnamed"), ("off", "names-unheard")] {
        let keys = format!("session_id = \"{policy}\"");
        let mut node = node_with(|_, config| config.replacen("session_id = \"accept\"", &keys, 1));
        let capture = Capture::start_at(node.ports().carrier.port()).expect("tshark captures on loopback");
        let (erin, record) = call(&mut node, scenario);
        let named = erin.named.own.clone().expect("erin names herself");
        assert_eq!(record.legs[0].session_id, None, "{policy}: {record:#?}");
        assert_ne!(erin.named.theirs.as_deref(), Some(CALLER), "{policy}");
        let to_carrier = messages_to(&capture.finish().expect("read"), node.ports().carrier);
        assert!(to_carrier.len() > 3, "{to_carrier:#?}");
        assert!(
            to_carrier.iter().all(|text| !text.contains("Session-ID") && !text.contains(&named)),
            "{policy}: {to_carrier:#?}"
        );
    }
}
