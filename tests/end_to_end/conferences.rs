//! Three in a call, and supervisors who listen, coach and join in: everybody has a tone of its own, and hears those of
//! the others, never its own and never a third party's.

use std::time::Duration;

use tandem_peers::Node;
use tandem_phone::{CallKey, Heard, Manner, Phone};
use tandem_phone_net::LivePhone;
use tandem_store::StoredCall;
use tokio::runtime::Runtime;

use crate::support::{self, CALLER_HZ, PATIENCE, caller, carrier, node, records, runtime};

const SALES: &str = "+15550101";
const ALICE_HZ: u16 = 700;
const BOB_HZ: u16 = 900;
const SUPERVISOR_HZ: u16 = 1_150;
const TALK: Duration = Duration::from_secs(1);

/// The softphone of one of the demo's users.
fn softphone(runtime: &Runtime, node: &Node, user: &str, name: &str, ip: u8, hz: u16) -> LivePhone {
    let manner = Manner::polite(hz, Duration::from_millis(200));
    support::softphone(runtime, node, (user, name), [127, 0, 0, ip], manner)
}

/// What a party has heard so far.
fn heard(phone: &LivePhone, call: CallKey) -> Heard {
    let heard = phone.ask(move |phone, _| phone.heard(call).cloned()).expect("it answers");
    heard.expect("it is in the call")
}

/// From now on a party hears these tones, all the time, and none of the others.
fn hears_only(phone: &LivePhone, call: CallKey, tones: &[u16]) {
    let all = [CALLER_HZ, ALICE_HZ, BOB_HZ, SUPERVISOR_HZ];
    let before = heard(phone, call).windows.len();
    // What was on its way, and a tone that begins or ends in a window.
    let settled = before + 6;
    let enough = settled + 10;
    phone.listens(call, enough, PATIENCE).expect("it hears something");
    for window in &heard(phone, call).windows[settled..enough] {
        let among: Vec<u16> = all.into_iter().filter(|hz| window.tones.contains(hz)).collect();
        assert_eq!(among, tones, "at {:?}", window.at);
    }
}

fn hang_up(phone: &LivePhone, call: CallKey) {
    phone.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("it hangs up");
    phone.ended(call, PATIENCE).expect("the call ends");
}

/// Who joined and left the conference of a call, in order.
fn story(record: &StoredCall) -> Vec<String> {
    let facts = record.timeline.iter().filter(|fact| fact.kind.starts_with("conference"));
    facts.map(|fact| format!("{} {}", fact.subject, fact.detail.as_deref().unwrap_or("leaves"))).collect()
}

#[test]
fn a_consultation_becomes_a_three_way_call() {
    let (mut node, runtime) = (node(), runtime());
    let carrier = carrier(&runtime, &node);
    let alice = softphone(&runtime, &node, "1001", "alice", 22, ALICE_HZ);
    let bob = softphone(&runtime, &node, "1002", "bob", 23, BOB_HZ);
    let call = carrier.call("+15551111", SALES, caller()).expect("a call");
    let first = alice.incoming(PATIENCE).expect("alice is rung");
    carrier.hears(call, ALICE_HZ, TALK, PATIENCE).expect("the caller hears alice");
    alice.hears(first, CALLER_HZ, TALK, PATIENCE).expect("alice hears the caller");

    let keys = vec![(2 * TALK, "*3".to_owned())];
    let manner = Manner { keys, ..Manner::polite(ALICE_HZ, Duration::ZERO) };
    let second = alice.call("1001", "1002", manner).expect("alice calls bob");
    let consulted = bob.incoming(PATIENCE).expect("bob is rung");
    bob.hears(consulted, ALICE_HZ, TALK / 2, PATIENCE).expect("bob hears alice");
    alice.ended(first, PATIENCE).expect("her first leg is hung up");
    hears_only(&carrier, call, &[ALICE_HZ, BOB_HZ]);
    hears_only(&alice, second, &[CALLER_HZ, BOB_HZ]);
    hears_only(&bob, consulted, &[CALLER_HZ, ALICE_HZ]);

    // Alice leaves the two alone.
    hang_up(&alice, second);
    hears_only(&carrier, call, &[BOB_HZ]);
    hears_only(&bob, consulted, &[CALLER_HZ]);
    hang_up(&carrier, call);
    let told = bob.ended(consulted, PATIENCE).expect("bob is hung up").received;
    assert!(told.events.is_empty(), "the code was not for bob: {:?}", told.events);

    let records = records(&mut node);
    let [consultation, conference] = &records[..] else { panic!("two calls: {records:#?}") };
    assert_eq!((consultation.dialled.as_str(), consultation.legs.len()), ("1002", 0));
    assert_eq!((conference.dialled.as_str(), conference.legs.len()), (SALES, 4));
    let expected =
        ["+15551111 party", "1001 party", "1002 party", "1001 leaves", "+15551111 leaves", "1002 leaves"];
    assert_eq!(story(conference), expected, "{conference:#?}");
    assert!(conference.legs.iter().all(|leg| leg.packets_received > 50 && leg.end_status == 200));
}

#[test]
fn a_supervisor_listens_coaches_and_joins_in() {
    let (mut node, runtime) = (node(), runtime());
    let carrier = carrier(&runtime, &node);
    let alice = softphone(&runtime, &node, "1001", "alice", 22, ALICE_HZ);
    let judy = softphone(&runtime, &node, "1010", "judy", 23, SUPERVISOR_HZ);
    let call = carrier.call("+15551111", SALES, caller()).expect("a call");
    let agent = alice.incoming(PATIENCE).expect("alice is rung");
    carrier.hears(call, ALICE_HZ, TALK, PATIENCE).expect("the caller hears alice");

    let manner = Manner::polite(SUPERVISOR_HZ, Duration::ZERO);
    let ear = judy.call("1010", "*51alice", manner).expect("judy listens");
    judy.answered(ear, PATIENCE).expect("she may");
    judy.hears(ear, CALLER_HZ, TALK / 2, PATIENCE).expect("she hears the caller");
    for (key, caller_hears, alice_hears) in [
        (None, &[ALICE_HZ][..], &[CALLER_HZ][..]),
        (Some("5"), &[ALICE_HZ], &[CALLER_HZ, SUPERVISOR_HZ]),
        (Some("6"), &[ALICE_HZ, SUPERVISOR_HZ], &[CALLER_HZ, SUPERVISOR_HZ]),
        (Some("4"), &[ALICE_HZ], &[CALLER_HZ]),
    ] {
        if let Some(key) = key {
            judy.act(move |phone, now| Phone::press(phone, now, ear, key)).expect("she presses a key");
            // The key is on its way for 100 ms and more.
            judy.listens(ear, heard(&judy, ear).windows.len() + 5, PATIENCE).expect("the key was sent");
        }
        hears_only(&carrier, call, caller_hears);
        hears_only(&alice, agent, alice_hears);
        hears_only(&judy, ear, &[CALLER_HZ, ALICE_HZ]);
    }
    hang_up(&judy, ear);
    hears_only(&carrier, call, &[ALICE_HZ]);
    hears_only(&alice, agent, &[CALLER_HZ]);
    hang_up(&carrier, call);
    alice.ended(agent, PATIENCE).expect("alice is hung up");

    let records = records(&mut node);
    let conference = records.iter().find(|record| record.dialled == SALES).expect("a record");
    let expected = [
        "+15551111 party",
        "1001 party",
        "1010 monitor",
        "1010 coach",
        "1010 party",
        "1010 monitor",
        "1010 leaves",
        "+15551111 leaves",
        "1001 leaves",
    ];
    assert_eq!(story(conference), expected, "{conference:#?}");
}
