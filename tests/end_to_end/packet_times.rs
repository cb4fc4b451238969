//! Parties who want packets of different lengths (RFC 8866 §6.4), and hear each other.

use std::net::Ipv4Addr;
use std::time::Duration;

use tandem_peers::{Baresip, Softphone, share_of_tone};
use tandem_phone::{Manner, Phone};

use crate::support::{CALLER_HZ, PATIENCE, caller, carrier, node_with, only_record, runtime};

const AGENT_HZ: u16 = 700;
const TALK: Duration = Duration::from_secs(3);

/// A carrier that takes 20 ms at most, and a phone that is asked for 40, and takes nothing else.
#[test]
fn each_gets_packets_of_the_length_that_it_takes() {
    let mut node = node_with(|_, config| {
        let (usual, wanted) = ("20\nrepacketise = \"limit\"\n", "40\nrepacketise = \"always\"\n");
        config.replacen(&format!("\nptime_ms = {usual}"), &format!("\nptime_ms = {wanted}"), 1)
    });
    let alice = Softphone {
        user: "1001",
        password: "alice-1001",
        address: Ipv4Addr::new(127, 0, 0, 28),
        tone_hz: AGENT_HZ.into(),
        transport: "udp",
        media_encryption: None,
    };
    let mut alice = Baresip::start(&alice, node.ports().sip).expect("baresip registers");
    let runtime = runtime();
    let carrier = carrier(&runtime, &node);
    let most = Duration::from_millis(20);
    let call =
        carrier.call("+15551234", "+15550101", Manner { max_ptime: Some(most), ..caller() }).expect("a call");
    alice.wait_for("Call established").expect("alice is called and answers");
    carrier.hears(call, AGENT_HZ, TALK, PATIENCE).expect("the caller hears alice");
    carrier.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
    let report = carrier.ended(call, PATIENCE).expect("the call ends");
    alice.wait_for("terminated").expect("alice is hung up");

    let received = &report.received;
    assert_eq!((received.longest, received.shortest), (most, Some(most)), "{received:?}");
    assert_eq!(received.lost, 0, "{received:?}");
    let share = share_of_tone(&alice.heard().expect("alice wrote down what she heard"), f64::from(CALLER_HZ));
    assert!(share > 0.8, "alice hears the caller's tone in {share} of the time");
    let record = only_record(&mut node);
    let [_, agent] = &record.legs[..] else { panic!("{record:#?}") };
    let [sent, received] = [agent.packets_sent, agent.packets_received].map(|packets| packets as f64);
    let a_second = 1_000.0 / record.talk_ms as f64;
    // 25 a second each way.
    assert!((20.0..32.0).contains(&(sent * a_second)), "{record:#?}");
    assert!((20.0..32.0).contains(&(received * a_second)), "she sends such herself: {record:#?}");
}
