//! Who has its conversations recorded by a code: from randomness of its own.

use tandem_phone::Manner;

use super::{Draw, Scenario};
use crate::configuration::RECORD_CODE;

/// In one of so many runs phones can.
const RUNS: u64 = 5;
/// Of a hundred agents at phones so many do there.
const AGENTS_PERCENT: u32 = 60;

/// Gives some agents a code to key.
pub(super) fn plan(scenario: &mut Scenario) {
    let mut draw = Draw::on_stream(scenario.seed, 14, Vec::new());
    scenario.knobs.records_by_key = scenario.seed % RUNS == 3;
    if scenario.knobs.records_by_key {
        scenario.phones.iter_mut().for_each(|phone| draw.record(&mut phone.manner));
    }
}

impl Draw {
    fn record(&mut self, manner: &mut Manner) {
        let at = self.millis(500, 3_000);
        let may = manner.events.is_some() && manner.transfer.is_none() && manner.keys.is_empty();
        if self.chance(AGENTS_PERCENT) && may {
            manner.keys.push((at, RECORD_CODE.to_owned()));
        }
    }
}
