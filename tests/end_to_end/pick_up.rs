//! Colleagues of one `[[pickup_group]]` take each other's calls while they ring, with INVITE, Replaces and `early-only`
//! (RFC 3891, RFC 5359 §2.16); others may not.

use std::time::Duration;

use tandem_peers::Node;
use tandem_phone::{Answer, CallKey, Manner, Phone};
use tandem_phone_net::LivePhone;
use tandem_store::StoredCall;
use tokio::runtime::Runtime;

use crate::support::{
    CALLER_HZ, PATIENCE, caller, carrier, node_with, only_record, records, runtime, softphone,
};

/// The demo's number of the queue of alice, bob and carol, and one that leads straight to alice.
const QUEUE: &str = "+15550101";
const STRAIGHT: &str = "+15550113";
const BOB_HZ: u16 = 900;
const TALK: Duration = Duration::from_secs(1);

/// A caller, whose call rings at alice's phone.
struct Scene {
    node: Node,
    runtime: Runtime,
    alice: LivePhone,
    rung: CallKey,
    carrier: LivePhone,
    call: CallKey,
}

fn ringing(number: &str) -> Scene {
    let straight = format!("\n[[entry_point]]\nnumber = \"{STRAIGHT}\"\nuser = \"1001\"\n");
    let (node, runtime) = (node_with(|_, config| config + &straight), runtime());
    let manner = Manner { answer: Answer::RingForEver, ..Manner::polite(700, Duration::ZERO) };
    let alice = softphone(&runtime, &node, ("1001", "alice"), [127, 0, 0, 22], manner);
    let carrier = carrier(&runtime, &node);
    let call = carrier.call("+15551111", number, caller()).expect("a call");
    let rung = alice.incoming(PATIENCE).expect("alice is rung");
    Scene { node, runtime, alice, rung, carrier, call }
}

fn colleague(runtime: &Runtime, node: &Node, who: (&str, &str), host: u8) -> LivePhone {
    softphone(runtime, node, who, [127, 0, 0, host], Manner::polite(BOB_HZ, Duration::ZERO))
}

/// `phone` wants the call that rings at `rung`.
fn picks_up(phone: &LivePhone, user: &'static str, rung: &LivePhone, call: CallKey) -> CallKey {
    let replaces = rung.ask(move |phone, _| phone.replaces(call)).expect("it lives").expect("it rings");
    let replaces = format!("{replaces};early-only");
    let taken = phone.ask(move |phone, now| {
        phone.take_over(now, user, "1001", replaces, Manner::polite(BOB_HZ, Duration::ZERO))
    });
    taken.expect("it lives").expect("a port for its media")
}

fn facts<'a>(record: &'a StoredCall, kind: &str) -> Vec<&'a str> {
    let facts = record.timeline.iter().filter(|fact| fact.kind == kind);
    facts.filter_map(|fact| fact.detail.as_deref()).collect()
}

/// Bob has the call: both are heard, alice's phone rings no more, and the record says who talked.
#[test]
fn a_colleague_takes_a_call_that_rings() {
    for number in [STRAIGHT, QUEUE] {
        let Scene { mut node, runtime, alice, rung, carrier, call } = ringing(number);
        let bob = colleague(&runtime, &node, ("1002", "bob"), 23);
        let taken = picks_up(&bob, "1002", &alice, rung);
        assert_eq!(alice.ended(rung, PATIENCE).expect("it rings no more").status, 487, "{number}");
        carrier.hears(call, BOB_HZ, TALK, PATIENCE).expect("the caller hears bob");
        bob.hears(taken, CALLER_HZ, TALK, PATIENCE).expect("bob hears the caller");
        bob.act(move |phone, now| Phone::hang_up(phone, now, taken)).expect("bob hangs up");
        assert_eq!(carrier.ended(call, PATIENCE).expect("the caller is hung up").status, 200);
        let record = only_record(&mut node);
        assert_eq!((record.legs.len(), facts(&record, "leg-replaced").len()), (2, 1), "{record:#?}");
        assert_eq!((record.legs[1].party.as_str(), record.legs[1].end_status), ("1002", 200), "{record:#?}");
        assert!(record.legs.iter().all(|leg| leg.packets_received > 25), "{record:#?}");
        let agent = (number == QUEUE).then_some("bob");
        assert_eq!(record.agent.as_deref(), agent, "{number}: {record:#?}");
    }
}

/// The same by dialling `pickup_code`, alone or before her number: bob's phone knows nothing of Replaces.
#[test]
fn a_colleague_dials_the_code() {
    for (number, dialled) in [(STRAIGHT, "*81001"), (QUEUE, "*8")] {
        let Scene { mut node, runtime, alice, rung, carrier, call } = ringing(number);
        let bob = colleague(&runtime, &node, ("1002", "bob"), 23);
        let taken = bob.call("1002", dialled, Manner::polite(BOB_HZ, Duration::ZERO)).expect("a call");
        assert_eq!(alice.ended(rung, PATIENCE).expect("it rings no more").status, 487, "{dialled}");
        carrier.hears(call, BOB_HZ, TALK, PATIENCE).expect("the caller hears bob");
        bob.hears(taken, CALLER_HZ, TALK, PATIENCE).expect("bob hears the caller");
        carrier.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
        assert_eq!(bob.ended(taken, PATIENCE).expect("bob is hung up").status, 200);
        let records = records(&mut node);
        let [own, taken] = &records[..] else { panic!("bob's own call and the other one: {records:#?}") };
        assert_eq!((own.dialled.as_str(), own.end_cause.as_str()), (dialled, "picked up another"));
        assert_eq!((taken.legs.len(), facts(taken, "leg-replaced").len()), (2, 1), "{taken:#?}");
        assert_eq!((taken.legs[1].party.as_str(), taken.end_side.as_str()), ("1002", "party"), "{taken:#?}");
        assert!(taken.legs.iter().all(|leg| leg.packets_received > 25), "{taken:#?}");
        assert_eq!(taken.agent.as_deref(), (number == QUEUE).then_some("bob"), "{taken:#?}");
    }
}

/// RFC 3891 §3: carol is of no group with alice, whose phone rings on and is answered by nobody else.
#[test]
fn nobody_else_takes_a_call_that_rings() {
    let Scene { mut node, runtime, alice, rung, carrier, call } = ringing(STRAIGHT);
    let carol = colleague(&runtime, &node, ("1003", "carol"), 24);
    let refused = picks_up(&carol, "1003", &alice, rung);
    assert_eq!(carol.ended(refused, PATIENCE).expect("it is refused").status, 403);
    let still = alice.ask(move |phone, _| phone.live_calls().any(|live| live == rung)).expect("it lives");
    assert!(still, "alice's phone rings on");
    carrier.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller gives up");
    assert_eq!(alice.ended(rung, PATIENCE).expect("it rings no more").status, 487);
    let record = only_record(&mut node);
    assert_eq!((facts(&record, "leg-replaced").len(), record.legs.len()), (0, 2), "{record:#?}");
}
