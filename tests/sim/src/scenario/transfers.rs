//! Who transfers whom, and what a carrier does that is asked to: from randomness of its own, so that all else is as it
//! was without.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tandem_phone::{Answer, Habit, Manner, Referred, Transfer, TransferWay};

use super::{Placer, Scenario};
use crate::configuration::{self, USERS};

/// Of a hundred agents so many transfer whom they talk to.
const AGENTS_PERCENT: u32 = 65;
/// Of a hundred callers: they may not, and are told so.
const CALLERS_PERCENT: u32 = 10;

struct Draw {
    rng: ChaCha8Rng,
    /// Users whose phones are there and answer.
    willing: Vec<String>,
    /// Agents' numbers outside.
    numbers: Vec<String>,
}

/// Gives agents and callers their transfers, and the node its part in them.
pub(super) fn plan(scenario: &mut Scenario) {
    let mut rng = ChaCha8Rng::seed_from_u64(scenario.seed);
    rng.set_stream(5);
    let answers = |manner: &Manner| matches!(manner.answer, Answer::After(_));
    let there = scenario.phones.iter().filter(|it| it.knows_password && answers(&it.manner));
    let willing = there.map(|phone| configuration::user(phone.user)).collect();
    let numbers = scenario.outside_agents.iter().map(|agent| agent.number.clone()).collect();
    let mut draw = Draw { rng, willing, numbers };
    scenario.knobs.hold_music = draw.chance(50);
    scenario.knobs.refer_out = draw.chance(30);
    for phone in &mut scenario.phones {
        let attended = draw.chance(45);
        draw.transfer(&mut phone.manner, AGENTS_PERCENT, attended);
    }
    for agent in &mut scenario.outside_agents {
        draw.transfer(&mut agent.manner, AGENTS_PERCENT, false);
    }
    for caller in &mut scenario.callers {
        draw.transfer(&mut caller.manner, CALLERS_PERCENT, false);
        if caller.placer == Placer::Carrier {
            caller.manner.referred = referred(&mut draw.rng);
        }
    }
}

impl Draw {
    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.rng.random_range(from..=to))
    }

    /// Whoever has other plans for its call keeps to them; and who vanishes while it holds is missed by nobody.
    fn transfer(&mut self, manner: &mut Manner, percent: u32, attended: bool) {
        let vanishes = manner.habits.iter().any(|habit| matches!(habit, Habit::Vanishes { .. }));
        let wanted = self.chance(percent);
        let (after, talks) = (self.millis(300, 4_000), self.millis(200, 4_000));
        let way = match (attended && !vanishes, self.chance(40)) {
            (true, _) => TransferWay::Attended { talks },
            (false, true) => TransferWay::BlindAndLeave,
            (false, false) => TransferWay::Blind,
        };
        let to = self.target();
        if wanted && manner.holds.is_empty() {
            manner.transfer = Some(Transfer { after, to, way });
            // It does not hang up before.
            manner.talk = manner.talk.map(|talk| talk + after + Duration::from_secs(8));
        }
    }

    /// A phone here, which may be off or busy, an agent outside, a queue, or nobody.
    fn target(&mut self) -> String {
        let (user, number) = (self.one_of(&self.willing.clone()), self.one_of(&self.numbers.clone()));
        let anybody = configuration::user(self.rng.random_range(1..=USERS));
        match self.rng.random_range(0..100) {
            0..70 => user.unwrap_or(anybody),
            70..76 => anybody,
            76..84 => number.unwrap_or(anybody),
            84..94 => "+15550101".to_owned(),
            _ => "+15559999".to_owned(),
        }
    }

    fn one_of(&mut self, choices: &[String]) -> Option<String> {
        let place = self.rng.random_range(0..choices.len().max(1));
        choices.get(place).cloned()
    }
}

/// What a subscriber of the carrier's does when the carrier is asked to transfer it.
pub(super) fn referred(rng: &mut ChaCha8Rng) -> Referred {
    let after = Duration::from_millis(rng.random_range(0..=3_000));
    match rng.random_range(0..100) {
        0..25 => Referred::Refuses { status: 405 },
        25..55 => Referred::Tells { after, status: 200 },
        55..75 => Referred::Tells { after, status: 486 },
        _ => Referred::Leaves,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every way of transferring is drawn in fair weather as well as in foul, and none by somebody who holds besides.
    #[test]
    fn all_ways_are_drawn() {
        for fair in [true, false] {
            let seeds = (0..600_u64).filter(|seed| seed.is_multiple_of(3) == fair).map(Scenario::of);
            let manners: Vec<Manner> = seeds
                .flat_map(|it| {
                    let phones = it.phones.into_iter().map(|phone| phone.manner);
                    phones.chain(it.outside_agents.into_iter().map(|agent| agent.manner))
                })
                .filter(|manner| manner.transfer.is_some())
                .collect();
            let of = |wanted: fn(&TransferWay) -> bool| {
                manners.iter().filter_map(|it| it.transfer.as_ref()).filter(|it| wanted(&it.way)).count()
            };
            assert!(of(|way| *way == TransferWay::Blind) > 50);
            assert!(of(|way| *way == TransferWay::BlindAndLeave) > 50);
            assert!(of(|way| matches!(way, TransferWay::Attended { .. })) > 50);
            assert!(manners.iter().all(|manner| manner.holds.is_empty()));
        }
    }
}
