//! A carrier's call goes through the menu to a registered softphone (baresip): each hears the other, and one record
//! tells all of it.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use crate::support::{CALLER_HZ, PATIENCE, caller, carrier, node, node_with, only_record, runtime};
use tandem_media_net::sys::SendRing;
use tandem_peers::{Baresip, Node, Ports, Softphone, share_of_tone};
use tandem_phone::Phone;

const ALICE_HZ: f64 = 700.0;

#[test]
fn a_caller_presses_one_and_talks_to_alice() {
    talks_to_alice("mmsg");
    if SendRing::open().is_ok() {
        return talks_to_alice("io_uring");
    }
    // Who insists on it is told so at once, and who does not talks all the same.
    let ports = Ports::free().expect("free ports");
    let insists = |_: &Path, config: String| config.replace("io = \"auto\"", "io = \"io_uring\"");
    let refused = Node::start(Path::new(env!("CARGO_BIN_EXE_tandem")), ports, insists);
    assert!(refused.is_err(), "it runs without what it was told to use");
    let node = node();
    let shown = node.metrics("tandem_media_io").expect("metrics");
    assert!(matches!(&shown[..], [(name, 1.0)] if name.contains("io=\"mmsg\"")), "{shown:?}");
}

/// With this `rtp.io`.
fn talks_to_alice(io: &str) {
    let mut node = node_with(|_, config| config.replace("io = \"auto\"", &format!("io = \"{io}\"")));
    let shown = node.metrics("tandem_media_io").expect("metrics");
    assert!(matches!(&shown[..], [(name, 1.0)] if name.contains(&format!("io=\"{io}\""))), "{shown:?}");
    let alice = Softphone {
        user: "1001",
        password: "alice-1001",
        address: Ipv4Addr::new(127, 0, 0, 21),
        tone_hz: ALICE_HZ,
        transport: "udp",
        media_encryption: None,
    };
    let mut alice = Baresip::start(&alice, node.ports().sip).expect("baresip registers");
    let runtime = runtime();
    let carrier = carrier(&runtime, &node);

    let mut manner = caller();
    manner.keys = vec![(Duration::from_millis(800), "1".to_owned())];
    let call = carrier.call("+15551234", "+15550100", manner).expect("a call");
    carrier.answered(call, PATIENCE).expect("the menu answers");
    alice.wait_for("Call established").expect("alice is called and answers");
    carrier.hears(call, ALICE_HZ as u16, Duration::from_secs(2), PATIENCE).expect("the caller hears alice");
    carrier.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
    let report = carrier.ended(call, PATIENCE).expect("the call ends");
    alice.wait_for("terminated").expect("alice is hung up");

    assert_eq!(report.received.lost, 0, "nothing is lost on loopback");
    let heard = alice.heard().expect("alice wrote down what she heard");
    assert!(share_of_tone(&heard, f64::from(CALLER_HZ)) > 0.8, "alice hears the caller's tone");

    let record = only_record(&mut node);
    assert_eq!((record.origin.as_str(), record.from.as_str()), ("carrier-a", "+15551234"));
    assert_eq!(record.dialled, "+15550100");
    assert_eq!(record.queue.as_deref(), Some("sales"));
    assert_eq!(record.agent.as_deref(), Some("alice"));
    assert_eq!((record.end_side.as_str(), record.end_status), ("party", 200));
    assert!(record.talk_ms >= 2_000, "they talked: {}", record.talk_ms);
    let [caller_leg, agent_leg] = &record.legs[..] else { panic!("two legs: {:#?}", record.legs) };
    assert_eq!((caller_leg.direction.as_str(), caller_leg.digits_received), ("inbound", 1));
    assert_eq!((agent_leg.direction.as_str(), agent_leg.party.as_str()), ("outbound", "1001"));
    for leg in [caller_leg, agent_leg] {
        assert_eq!(leg.codec.as_deref(), Some("PCMU"));
        assert!(leg.packets_received > 100 && leg.packets_sent > 100, "{leg:#?}");
        assert_eq!(leg.packets_lost, 0, "{leg:#?}");
        assert!(leg.mos.is_some_and(|mos| mos > 4.0), "{leg:#?}");
    }
}
