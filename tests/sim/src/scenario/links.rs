//! Links that are better than the weather, one way or both: from randomness of their own.

use std::net::IpAddr;

use rand::RngExt as _;

use super::{Draw, HEALS_AT, Scenario};
use crate::configuration::{CARRIER, USERS, phone_address};
use crate::network::{Link, Partition, Weather};
use crate::tap::Way;

/// Of a hundred ways so many are as bad as the weather is.
const BAD_PERCENT: u32 = 50;

/// Gives foul weather its reordering, and hosts their links.
pub(super) fn plan(scenario: &mut Scenario) {
    if scenario.weather == Weather::FINE {
        return;
    }
    let mut draw = Draw::on_stream(scenario.seed, 7, Vec::new());
    scenario.weather.reordered_permille = draw.rng.random_range(0..=60);
    let phones = (1..=USERS).map(|n| phone_address(n).ip());
    for host in phones.chain([CARRIER.ip()]) {
        for way in [Way::In, Way::Out] {
            if !draw.chance(BAD_PERCENT) {
                scenario.links.push(draw.link(scenario.weather, host, way));
            }
        }
    }
}

impl Draw {
    /// Each thing that goes wrong does so less often, or not at all.
    fn link(&mut self, worst: Weather, host: IpAddr, way: Way) -> Link {
        let mut less = |permille: u32| permille * self.rng.random_range(0..=2) / 4;
        let weather = Weather {
            loss_permille: less(worst.loss_permille),
            duplicate_permille: less(worst.duplicate_permille),
            reordered_permille: less(worst.reordered_permille),
            ..worst
        };
        let jitter = worst.jitter * self.rng.random_range(0..=2) / 4;
        Link { host, way, weather: Weather { jitter, ..weather } }
    }

    /// Who is cut off, and when.
    pub(super) fn partitions(&mut self) -> Vec<Partition> {
        let count = if self.chance(40) { self.rng.random_range(1..=2) } else { 0 };
        (0..count)
            .map(|_| {
                let phone = phone_address(self.rng.random_range(1..=USERS));
                let host = self.one_of(&[CARRIER.ip(), phone.ip(), crate::node::ADDRESS]);
                let from = self.millis(5_000, 60_000);
                Partition { host, from, until: (from + self.millis(500, 40_000)).min(HEALS_AT) }
            })
            .collect()
    }
}
