//! Who says who it is from end to end (Session-ID, RFC 7989), and which carriers hear it: from randomness of their own.

use tandem_sbc::user_agent::SessionIdPolicy;

use super::{Draw, Scenario};

/// Of a hundred runs in so many somebody knows of it.
const RUNS_PERCENT: u32 = 60;
/// Of a hundred parties so many do there.
const PARTIES_PERCENT: u32 = 50;

/// Gives some parties names.
pub(super) fn plan(scenario: &mut Scenario) {
    let mut draw = Draw::on_stream(scenario.seed, 10, Vec::new());
    if !draw.chance(RUNS_PERCENT) {
        return;
    }
    let policies =
        [SessionIdPolicy::Off, SessionIdPolicy::Accept, SessionIdPolicy::Accept, SessionIdPolicy::Send];
    scenario.knobs.session_id = draw.one_of(&policies);
    let phones = scenario.phones.iter_mut().map(|it| &mut it.manner);
    let agents = scenario.outside_agents.iter_mut().map(|it| &mut it.manner);
    let callers = scenario.callers.iter_mut().map(|it| &mut it.manner);
    for manner in phones.chain(agents).chain(callers).chain(&mut scenario.subscriber) {
        manner.session_id = draw.chance(PARTIES_PERCENT);
    }
}
