//! Agents who put a caller of the carrier's together with one of its subscribers, which the carrier is then asked to join by
//! itself: from randomness of their own, so that all else is as it was without.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tandem_phone::TransferWay;

use super::Scenario;
use super::transfers::referred;

/// Of a hundred runs in so many the carrier is asked.
const RUNS_PERCENT: u32 = 40;
/// Of a hundred agents who consult so many consult somebody outside.
const OUTSIDE_PERCENT: u32 = 60;

pub(super) fn plan(scenario: &mut Scenario) {
    let mut rng = ChaCha8Rng::seed_from_u64(scenario.seed);
    rng.set_stream(12);
    let numbers: Vec<String> = scenario.outside_agents.iter().map(|agent| agent.number.clone()).collect();
    if rng.random_range(0..100) >= RUNS_PERCENT || numbers.is_empty() {
        return;
    }
    scenario.knobs.refer_out_attended = true;
    for phone in &mut scenario.phones {
        let is_outside = rng.random_range(0..100) < OUTSIDE_PERCENT;
        let number = &numbers[rng.random_range(0..numbers.len())];
        if let Some(transfer) = &mut phone.manner.transfer
            && matches!(transfer.way, TransferWay::Attended { .. })
            && is_outside
        {
            transfer.to.clone_from(number);
        }
    }
    for agent in &mut scenario.outside_agents {
        agent.manner.referred = referred(&mut rng);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Enough agents join parties of the carrier's, in fair weather as well as in foul.
    #[test]
    fn carriers_are_asked() {
        for fair in [true, false] {
            let seeds = (0..600_u64).filter(|seed| seed.is_multiple_of(3) == fair).map(Scenario::of);
            let asking = seeds.filter(|scenario| scenario.knobs.refer_out_attended).filter(|scenario| {
                let transfers = scenario.phones.iter().filter_map(|phone| phone.manner.transfer.as_ref());
                let numbers: Vec<_> = scenario.outside_agents.iter().map(|agent| &agent.number).collect();
                transfers.clone().any(|it| it.way.consults() && numbers.contains(&&it.to))
            });
            assert!(asking.count() > 20);
        }
    }
}
