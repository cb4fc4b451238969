//! Which extensions of SIP the node and the parties have: drawn last, so that all else is as it was without them.

use std::time::Duration;

use tandem_phone::{Answer, Habit, Manner};
use tandem_sbc::user_agent::{SessionTimerPolicy, SessionTimers};

use super::{Draw, Scenario};
use crate::configuration::{CARRIER, SECOND_PROXY};

/// What the node asks for: it refreshes after half of it, and most conversations are longer.
const INTERVAL: Duration = Duration::from_secs(12);
/// The least that it grants.
const MIN_SE: Duration = Duration::from_secs(6);

/// Nobody's session is refreshed, unless the party asks for it.
pub(super) const NO_TIMERS: SessionTimers = SessionTimers {
    policy: SessionTimerPolicy::Accept,
    interval: INTERVAL,
    min_se: MIN_SE,
    refresher: tandem_sbc::user_agent::PreferredRefresher::Either,
};

impl Draw {
    /// Gives everybody extensions.
    pub(super) fn extend(&mut self, scenario: &mut Scenario) {
        let policies = [
            SessionTimerPolicy::Off,
            SessionTimerPolicy::Accept,
            SessionTimerPolicy::Offer,
            SessionTimerPolicy::Offer,
        ];
        scenario.knobs.session_timers = SessionTimers { policy: self.one_of(&policies), ..NO_TIMERS };
        let phones = scenario.phones.iter_mut().map(|it| &mut it.manner);
        let agents = scenario.outside_agents.iter_mut().map(|it| &mut it.manner);
        let callers = scenario.callers.iter_mut().map(|it| &mut it.manner);
        for manner in phones.chain(agents).chain(callers) {
            self.extend_manner(manner);
        }
    }

    pub(super) fn extend_manner(&mut self, manner: &mut Manner) {
        manner.reliable = self.chance(40);
        if self.chance(40) {
            let seconds = self.millis(MIN_SE.as_secs(), INTERVAL.as_secs()).as_millis();
            manner.session = Some(Duration::from_secs(seconds as u64));
            if self.chance(self.bad_habits_percent) {
                manner.habits.push(Habit::ForgetsToRefresh);
            }
        }
    }
}

/// A subscriber of the carrier who is elsewhere is so at the same carrier: the call goes round and round, or to a proxy that is
/// dead.
pub(super) fn redirect(number: &str, manner: &mut Manner) {
    if let Answer::Redirect { contact } = &mut manner.answer {
        let to = if number.ends_with(['0', '2']) { CARRIER } else { SECOND_PROXY };
        *contact = format!("sip:{number}@{to}");
    }
}
