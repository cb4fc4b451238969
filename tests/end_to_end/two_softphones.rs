//! Two agents on baresip: who has been free for longer is rung first, and while one talks the next caller gets the
//! other.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::support::{PATIENCE, caller, carrier, node, records, runtime};
use tandem_peers::{Baresip, Softphone};
use tandem_phone::Phone;

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
    transport: "tcp",
    media_encryption: None,
};

#[test]
fn each_of_two_callers_gets_an_agent_of_his_own() {
    let mut node = node();
    let alice = Baresip::start(&ALICE, node.ports().sip).expect("alice registers over UDP");
    let bob = Baresip::start(&BOB, node.ports().sip).expect("bob registers over TCP");
    let runtime = runtime();
    let carrier = carrier(&runtime, &node);

    let talk = Duration::from_secs(1);
    let first = carrier.call("+15551111", "+15550101", caller()).expect("a call");
    carrier.hears(first, 700, talk, PATIENCE).expect("the first caller hears alice, free for longer");
    let second = carrier.call("+15552222", "+15550101", caller()).expect("a call");
    carrier.hears(second, 900, talk, PATIENCE).expect("the second caller hears bob");
    for call in [first, second] {
        carrier.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
        let report = carrier.ended(call, PATIENCE).expect("the call ends");
        let strangers = if call == first { 900 } else { 700 };
        assert_eq!(report.heard.time_of_tone(strangers), Duration::ZERO, "nobody hears the other call");
    }
    drop((alice, bob));

    let records = records(&mut node);
    let mut agents: Vec<_> = records.iter().map(|it| (it.from.as_str(), it.agent.as_deref())).collect();
    agents.sort_unstable();
    assert_eq!(agents, [("+15551111", Some("alice")), ("+15552222", Some("bob"))], "{records:#?}");
}
