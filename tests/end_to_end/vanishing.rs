//! A party that holds and is gone without a word: nothing is heard of it and nothing need be, so that it is asked by OPTIONS
//! (`alive_check_s`) and hung up when it does not answer.

use std::time::Duration;

use tandem_phone::{Habit, Manner};

use crate::support::{CALLER_HZ, PATIENCE, caller, carrier, node_with, only_record, runtime, softphone};

const ALICE_HZ: u16 = 700;
const TALK: Duration = Duration::from_secs(1);

#[test]
fn who_vanishes_on_hold_is_hung_up() {
    let keys = "alive_check_s = 1\ntimer_b_ms = 600";
    let mut node = node_with(|_, config| config.replacen("alive_check_s = 300", keys, 1));
    let runtime = runtime();
    let manner = Manner::polite(ALICE_HZ, Duration::from_millis(200));
    let alice = softphone(&runtime, &node, ("1001", "alice"), [127, 0, 0, 22], manner);
    let carrier = carrier(&runtime, &node);
    let manner = Manner {
        // Counted from the answer, which is the queue's.
        holds: vec![(4 * TALK, 60 * TALK)],
        habits: vec![Habit::Vanishes { after: 5 * TALK }],
        ..caller()
    };
    let call = carrier.call("+15551111", "+15550101", manner).expect("a call");
    let rung = alice.incoming(PATIENCE).expect("alice is rung");
    carrier.hears(call, ALICE_HZ, TALK, PATIENCE).expect("the caller hears alice");
    alice.hears(rung, CALLER_HZ, TALK, PATIENCE).expect("alice hears the caller");
    assert_eq!(alice.ended(rung, PATIENCE).expect("alice is not left alone").status, 200);
    let is_gone = || {
        let events = node.metrics("tandem_sip_signalling_total").expect("metrics");
        events.iter().any(|(name, count)| name.contains("\"peers_gone\"") && *count == 1.0)
    };
    let deadline = std::time::Instant::now() + PATIENCE;
    while !is_gone() {
        assert!(std::time::Instant::now() < deadline, "it is counted");
    }
    let record = only_record(&mut node);
    assert_eq!((record.agent.as_deref(), record.end_side.as_str()), (Some("alice"), "switch"), "{record:#?}");
    let caller = &record.legs[0];
    assert_eq!((caller.end_side.as_str(), caller.end_status), ("switch", 408), "{record:#?}");
    assert_eq!(record.end_cause, "dialog lost", "{record:#?}");
    assert!(record.legs.iter().all(|leg| leg.packets_received > 50), "{record:#?}");
}
