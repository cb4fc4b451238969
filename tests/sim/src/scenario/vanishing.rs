//! Parties that hold and are never heard of again: from randomness of their own.

use std::time::Duration;

use tandem_phone::{Habit, Manner};

use super::{Draw, Scenario};

/// So that nobody is asked within a run.
pub(super) const SELDOM: Duration = Duration::from_secs(300);
/// Of a hundred runs in so many whoever holds is asked soon whether it is there.
const RUNS_PERCENT: u32 = 30;
/// Of a hundred parties so many vanish there.
const PARTIES_PERCENT: u32 = 30;

/// Has some parties vanish while they hold, where that is found out.
pub(super) fn plan(scenario: &mut Scenario) {
    let mut draw = Draw::on_stream(scenario.seed, 9, Vec::new());
    if !draw.chance(RUNS_PERCENT) {
        return;
    }
    scenario.knobs.alive_check = draw.millis(4_000, 10_000);
    let phones = scenario.phones.iter_mut().map(|it| &mut it.manner);
    let agents = scenario.outside_agents.iter_mut().map(|it| &mut it.manner);
    let callers = scenario.callers.iter_mut().map(|it| &mut it.manner);
    for manner in phones.chain(agents).chain(callers) {
        draw.vanish(manner);
    }
}

impl Draw {
    fn vanish(&mut self, manner: &mut Manner) {
        let (wanted, holds, goes) =
            (self.chance(PARTIES_PERCENT), self.millis(300, 3_000), self.millis(200, 1_500));
        if wanted && manner.habits.is_empty() && manner.holds.is_empty() && manner.transfer.is_none() {
            manner.holds.push((holds, SELDOM));
            manner.habits.push(Habit::Vanishes { after: holds + goes });
        }
    }
}
