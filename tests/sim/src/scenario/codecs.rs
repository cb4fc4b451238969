//! Who speaks what: from randomness of its own, so that all else is as it was without.

use rand::RngExt as _;
use tandem_phone::{Codec, Manner};
use tandem_sbc::user_agent::AudioCodec;

use super::{Draw, Scenario};

/// Of a hundred runs so many have all codecs.
const RUNS_PERCENT: u32 = 25;
/// Of a hundred parties so many have one codec only.
const ONE_PERCENT: u32 = 60;

/// Gives the node and everybody codecs.
pub(super) fn plan(scenario: &mut Scenario) {
    let mut draw = Draw::on_stream(scenario.seed, 8, Vec::new());
    if !draw.chance(RUNS_PERCENT) {
        return;
    }
    scenario.knobs.codecs = [(); 2].map(|()| draw.shuffled(AudioCodec::ALL));
    let phones = scenario.phones.iter_mut().map(|it| &mut it.manner);
    let agents = scenario.outside_agents.iter_mut().map(|it| &mut it.manner);
    let callers = scenario.callers.iter_mut().map(|it| &mut it.manner);
    for manner in phones.chain(agents).chain(callers).chain(&mut scenario.subscriber) {
        draw.speak(manner);
    }
    let phones = scenario.phones.iter_mut().map(|it| &mut it.manner);
    let agents = scenario.outside_agents.iter_mut().map(|it| &mut it.manner);
    for manner in phones.chain(agents).chain(&mut scenario.subscriber) {
        draw.press(manner);
    }
}

impl Draw {
    /// Who is called may have something to key, for the other one to hear.
    fn press(&mut self, manner: &mut Manner) {
        let keys = (self.millis(1_000, 4_000), self.digits(1, 3));
        let confers = manner.transfer.as_ref().is_some_and(|it| it.way.consults());
        if manner.keys.is_empty() && !confers {
            manner.keys.push(keys);
        }
    }

    fn speak(&mut self, manner: &mut Manner) {
        let count = if self.chance(ONE_PERCENT) { 1 } else { self.rng.random_range(2..=Codec::ALL.len()) };
        manner.codecs = self.shuffled(Codec::ALL);
        manner.codecs.truncate(count);
    }

    fn shuffled<T, const N: usize>(&mut self, all: [T; N]) -> Vec<T> {
        let mut rest = Vec::from(all);
        (0..N).map(|n| rest.remove(self.rng.random_range(0..N - n))).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every pair of codecs that two parties may be left with is drawn, in fair weather as well as in foul.
    #[test]
    fn every_pair_is_drawn() {
        for fair in [true, false] {
            let seeds = (0..600_u64).filter(|seed| seed.is_multiple_of(3) == fair).map(Scenario::of);
            let pairs: BTreeSet<[Codec; 2]> = seeds
                .flat_map(|it| {
                    let phones: Vec<Vec<Codec>> = it.phones.into_iter().map(|it| it.manner.codecs).collect();
                    let callers = it.callers.into_iter().map(|it| it.manner.codecs);
                    let pair = |one: Vec<Codec>, other: &Vec<Codec>| match (one[..].first(), &other[..]) {
                        (Some(one), [other]) => Some([*one, *other]),
                        _ => None,
                    };
                    let pairs =
                        callers.flat_map(|one| phones.iter().filter_map(move |it| pair(one.clone(), it)));
                    pairs.collect::<Vec<_>>()
                })
                .collect();
            assert_eq!(pairs.len(), Codec::ALL.len() * Codec::ALL.len(), "{pairs:?}");
        }
    }
}
