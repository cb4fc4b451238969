//! Who is gone without a word.

use std::time::Duration;

use tandem_phone::Habit;

use super::Judge;
use super::audio::Conversations;
use crate::scenario::HEALS_AT;
use crate::world::Observed;

/// RFC 3261 §17.1.2.2: a question that nobody answers is over after 64·T1.
const UNANSWERED: Duration = Duration::from_secs(32);

/// What lies between a beat of the clock and the next, and between asking and being asked.
const SLACK: Duration = Duration::from_secs(3);

/// RFC 3261 §12.2.1.2: who holds and is gone is asked whether it is there, and hung up when nothing comes.
pub(super) fn who_vanishes_on_hold_is_found_out(run: &Observed, judge: &mut Judge) {
    let conversations = Conversations::of(run);
    let within = run.scenario.knobs.alive_check + UNANSWERED + SLACK;
    for party in &run.reports {
        let Some(manner) = party.manner(run) else { continue };
        let vanishes = manner.habits.iter().find_map(|habit| match habit {
            Habit::Vanishes { after } => Some(*after),
            _ => None,
        });
        let Some(after) = vanishes.filter(|after| manner.holds.iter().any(|(at, _)| at < after)) else {
            continue;
        };
        let Some(gone) = party.report.answered.map(|answered| answered + after) else { continue };
        let leg = conversations.legs.values().find(|leg| leg.sip_call_id == party.report.sip_call_id);
        let Some(leg) = leg.filter(|_| party.report.ended == gone && gone + within < HEALS_AT) else {
            continue;
        };
        judge.looked();
        if leg.ended.since_start() > gone + within {
            judge.fail(format!("{} vanished at {gone:?} and was hung up at {:?}", party.party, leg.ended));
        }
    }
}
