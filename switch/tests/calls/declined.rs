//! The agent does not take the call.

use std::time::Duration;

use tandem_control_api::{CommandError, DialFailure, EndedBy};
use tandem_phone::{Answer, Manner};

use crate::script::RING_TIMEOUT;
use crate::world::World;

fn call_met_by(answer: Answer) -> World {
    let mut world = World::new(Manner { answer, ..Manner::polite(700, Duration::ZERO) });
    let keys = vec![(Duration::from_secs(1), "1".to_owned())];
    world.call(Manner { keys, ..Manner::polite(500, Duration::ZERO) });
    world.run(Duration::from_secs(90));
    world.assert_at_rest();
    world
}

#[test]
fn a_busy_agent_ends_the_dial_and_the_control_plane_ends_the_call() {
    let world = call_met_by(Answer::Refuse { after: Duration::from_secs(1), status: 486 });
    assert_eq!(world.script().errors(), [CommandError::NotAnswered(DialFailure::Busy)]);
    let record = &world.node.records[0];
    assert_eq!(record.end.by, EndedBy::Control);
    assert_eq!((record.legs[1].end.by, record.legs[1].end.status), (EndedBy::Party, 486));
    assert!(record.legs[1].ringing.is_some());
}

#[test]
fn an_agent_who_lets_it_ring_is_cancelled_at_the_ring_timeout() {
    let world = call_met_by(Answer::RingForEver);
    assert_eq!(world.script().errors(), [CommandError::NotAnswered(DialFailure::NoAnswer)]);
    let leg = &world.node.records[0].legs[1];
    assert_eq!((leg.end.by, leg.end.cause.as_str()), (EndedBy::Switch, "no answer"));
    assert_eq!(leg.ended - leg.started, RING_TIMEOUT);
    assert_eq!(world.alice_reports[0].status, 487, "the phone stopped ringing");
}

#[test]
fn an_agent_who_answers_as_the_ring_timeout_strikes_is_hung_up() {
    let world = call_met_by(Answer::After(RING_TIMEOUT));
    assert_eq!(world.script().errors(), [CommandError::NotAnswered(DialFailure::NoAnswer)]);
    assert_eq!(world.node.records[0].legs[1].answered, None);
    assert_eq!(world.alice_reports.len(), 1, "and knows that it is over");
}
