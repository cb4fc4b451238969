//! Who pauses and describes that (RFC 3389), and who asks how it is heard (RFC 3611): from randomness of its own.

use std::time::Duration;

use tandem_phone::Manner;
use tandem_sbc::user_agent::ExtendedReports;

use super::{Draw, Scenario};

/// Of a hundred runs in so many the node takes comfort noise.
const RUNS_PERCENT: u32 = 25;
/// Of a hundred parties so many take it there, and so many pause.
const PARTIES_PERCENT: u32 = 50;
/// Of a hundred parties so many ask how they are heard.
const ASKS_PERCENT: u32 = 30;
/// For how long they speak, and pause.
const PAUSES: (Duration, Duration) = (Duration::from_millis(1_500), Duration::from_millis(500));

/// Gives some parties pauses, and questions.
pub(super) fn plan(scenario: &mut Scenario) {
    let mut draw = Draw::on_stream(scenario.seed, 15, Vec::new());
    scenario.knobs.comfort_noise = draw.chance(RUNS_PERCENT);
    let policies =
        [ExtendedReports::Off, ExtendedReports::Accept, ExtendedReports::Accept, ExtendedReports::Offer];
    scenario.knobs.rtcp_xr = draw.one_of(&policies);
    let pauses = scenario.knobs.comfort_noise;
    let phones = scenario.phones.iter_mut().map(|it| &mut it.manner);
    let agents = scenario.outside_agents.iter_mut().map(|it| &mut it.manner);
    let callers = scenario.callers.iter_mut().map(|it| &mut it.manner);
    for manner in phones.chain(agents).chain(callers).chain(&mut scenario.subscriber) {
        draw.quieten(manner, pauses);
    }
}

impl Draw {
    fn quieten(&mut self, manner: &mut Manner, pauses: bool) {
        manner.rtcp_xr = self.chance(ASKS_PERCENT);
        let (takes, does) = (self.chance(PARTIES_PERCENT), self.chance(PARTIES_PERCENT));
        manner.comfort_noise = pauses && takes;
        manner.pauses = (pauses && does && manner.says.is_none()).then_some(PAUSES);
    }
}
