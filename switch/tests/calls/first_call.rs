//! A carrier's call is answered, greeted, presses a digit, is joined to an agent, and ends.

use std::time::Duration;

use tandem_control_api::{Direction, EndedBy, Event, Outcome};
use tandem_phone::Manner;

use crate::node::WELCOME_HZ;
use crate::world::World;

const CALLER_HZ: u16 = 500;
const ALICE_HZ: u16 = 700;

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn caller_and_agent_talk_and_the_record_says_so() {
    let mut world = World::new(Manner::polite(ALICE_HZ, secs(2)));
    let manner = Manner {
        keys: vec![(secs(3), "1".to_owned())],
        talk: Some(secs(15)),
        ..Manner::polite(CALLER_HZ, Duration::ZERO)
    };
    world.call(manner);
    world.run(secs(60));

    let script = world.script();
    assert!(script.errors().is_empty(), "{:?}", script.errors());
    let joined = script
        .when(|event| matches!(event, Event::Done { outcome: Ok(Outcome::Ok), .. }))
        .expect("the legs were bridged")
        .since_start();
    let [caller, alice] = [&world.carrier_reports[0], &world.alice_reports[0]];
    let answered = caller.answered.expect("the caller was answered");
    assert!(caller.heard.tone_between(WELCOME_HZ, answered, answered + secs(1)), "greeted at once");
    assert!(!caller.heard.tone_between(WELCOME_HZ, joined, caller.ended), "until the agent came");
    assert!(caller.heard.tone_between(ALICE_HZ, joined, joined + secs(1)), "the caller hears alice");
    assert!(alice.heard.tone_between(CALLER_HZ, joined, joined + secs(1)), "alice hears the caller");
    assert!(!alice.heard.tone_between(WELCOME_HZ, alice.began, alice.ended), "and nothing of the prompt");
    assert!(caller.heard.time_of_tone(ALICE_HZ) > secs(8));
    assert_eq!((caller.finals.as_slice(), alice.acknowledged), (&[200][..], true));

    let record = &world.node.records[0];
    assert_eq!(world.node.records.len(), 1);
    assert_eq!(
        (record.end.by, record.end.status, record.end.cause.as_str()),
        (EndedBy::Party, 200, "normal")
    );
    assert_eq!(record.legs.len(), 2);
    let [inbound, outbound] = [&record.legs[0], &record.legs[1]];
    assert_eq!((inbound.direction, outbound.direction), (Direction::Inbound, Direction::Outbound));
    assert_eq!((&inbound.sip_call_id, &outbound.sip_call_id), (&caller.sip_call_id, &alice.sip_call_id));
    assert_eq!(outbound.end.by, EndedBy::Control, "alice was hung up when the caller had left");
    let talked = record.ended - record.answered.expect("answered");
    assert!((talked.as_secs_f64() - 15.0).abs() < 0.1, "{talked:?}");
    let media = inbound.media.as_ref().expect("media was open");
    assert_eq!((media.codec.as_str(), media.packets_lost, media.digits_received), ("PCMU", 0, 1));
    assert!(media.packets_received > 740 && media.packets_sent > 640, "all but the ringing: {media:?}");
    world.assert_at_rest();
}

/// The digit pressed while the agent is there goes through to the agent, and to the control plane.
#[test]
fn digits_pass_a_bridge_and_are_told() {
    let mut world = World::new(Manner::polite(ALICE_HZ, secs(1)));
    let manner = Manner {
        keys: vec![(secs(1), "1".to_owned()), (secs(6), "5#".to_owned())],
        talk: Some(secs(10)),
        ..Manner::polite(CALLER_HZ, Duration::ZERO)
    };
    world.call(manner);
    world.run(secs(60));
    assert_eq!(world.alice_reports[0].received.digit_string(), "5#");
    let told: String = world
        .script()
        .told
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Digit { digit, .. } => Some(*digit),
            _ => None,
        })
        .collect();
    assert_eq!(told, "15#");
    world.assert_at_rest();
}
