//! Who sends and takes packets of which length: from randomness of their own.

use std::time::Duration;

use tandem_phone::{Codec, Manner};
use tandem_sbc::user_agent::Repacketise;

use super::{Draw, Scenario};

/// Of a hundred runs in so many some packets are not of 20 ms.
const RUNS_PERCENT: u32 = 30;
/// Of a hundred parties so many have others there.
const PARTIES_PERCENT: u32 = 60;
/// Of those so many say how long packets to them may be.
const LIMITED_PERCENT: u32 = 50;
/// How long packets may be.
const LENGTHS_MS: [u64; 4] = [10, 20, 40, 60];

/// Gives some parties packets of other lengths.
pub(super) fn plan(scenario: &mut Scenario) {
    let mut draw = Draw::on_stream(scenario.seed, 13, Vec::new());
    if !draw.chance(RUNS_PERCENT) {
        return;
    }
    scenario.knobs.repacketise =
        draw.one_of(&[Repacketise::Off, Repacketise::Limit, Repacketise::Limit, Repacketise::Always]);
    let phones = scenario.phones.iter_mut().map(|it| &mut it.manner);
    let agents = scenario.outside_agents.iter_mut().map(|it| &mut it.manner);
    let callers = scenario.callers.iter_mut().map(|it| &mut it.manner);
    for manner in phones.chain(agents).chain(callers).chain(&mut scenario.subscriber) {
        draw.pack(manner);
    }
}

impl Draw {
    fn pack(&mut self, manner: &mut Manner) {
        let mut length = || Duration::from_millis(self.one_of(&LENGTHS_MS));
        let (ptime, most) = (length(), length());
        // Of a tone in longer packets Opus makes something else.
        let has_opus = manner.codecs.contains(&Codec::Opus);
        if self.chance(PARTIES_PERCENT) && !has_opus {
            manner.ptime = ptime;
            manner.max_ptime = self.chance(LIMITED_PERCENT).then_some(most.max(ptime));
        }
    }
}
