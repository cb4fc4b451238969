//! Many calls at once, each with its own end.

use std::time::Duration;

use tandem_phone::Manner;

use crate::world::World;

const CALLS: u64 = 40;

#[test]
fn each_call_has_its_record_and_nothing_is_left() {
    let mut world = World::new(Manner::polite(700, Duration::from_millis(700)));
    for n in 0..CALLS {
        let manner = Manner {
            keys: vec![(Duration::from_millis(200 + 40 * n), "1".to_owned())],
            talk: Some(Duration::from_millis(100 + 130 * n)),
            ..Manner::polite(500, Duration::ZERO)
        };
        world.call(manner);
        world.run(Duration::from_millis(25));
    }
    assert!(world.node.switch.ledger().calls > 30, "many at once: {:?}", world.node.switch.ledger());
    world.run(Duration::from_secs(90));
    assert_eq!(world.node.records.len() as u64, CALLS);
    let counters = world.node.switch.counters();
    assert_eq!((counters.calls_offered, counters.calls_ended), (CALLS, CALLS));
    let talked = world.alice_reports.iter().filter(|report| report.heard.time_of_tone(500) > Duration::ZERO);
    assert!(talked.count() > 10, "some came as far as the agent");
    world.assert_at_rest();
}
