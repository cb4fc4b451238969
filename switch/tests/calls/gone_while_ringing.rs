//! The caller leaves while an agent's phone rings, or before anything.

use std::time::Duration;

use tandem_control_api::{CommandError, DialFailure, EndedBy};
use tandem_phone::Manner;

use crate::world::World;

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn the_agents_phone_stops_ringing() {
    let mut world = World::new(Manner::polite(700, secs(8)));
    let manner = Manner {
        keys: vec![(secs(1), "1".to_owned())],
        talk: Some(secs(4)),
        ..Manner::polite(500, Duration::ZERO)
    };
    world.call(manner);
    world.run(secs(60));
    assert_eq!(world.script().errors(), [CommandError::NotAnswered(DialFailure::Cancelled)]);
    assert_eq!(world.alice_reports[0].status, 487);
    let record = &world.node.records[0];
    assert_eq!((record.end.by, record.legs[1].end.by), (EndedBy::Party, EndedBy::Control));
    assert_eq!(record.legs[1].answered, None);
    world.assert_at_rest();
}

#[test]
fn a_caller_who_cancels_at_once_leaves_a_record_and_nothing_else() {
    let mut world = World::new(Manner::polite(700, secs(1)));
    let call = world.call(Manner::polite(500, Duration::ZERO));
    world.carrier.hang_up(world.now, call);
    world.run(secs(90));
    assert_eq!(world.node.records.len(), 1);
    world.assert_at_rest();
}
