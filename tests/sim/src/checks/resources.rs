//! Nothing is kept, nothing is given to strangers, and time goes on.

use tandem_switch::Ledger;

use tandem_sbc::user_agent::Protection;

use super::Judge;
use crate::configuration::SCANNER;
use crate::scenario::{HEALS_AT, STRANGER};
use crate::tap::Way;
use crate::world::Observed;

/// No machine asks to be woken again and again at one and the same time.
pub(super) fn time_goes_on(run: &Observed, judge: &mut Judge) {
    judge.looked();
    if let Some(stuck) = &run.stuck {
        judge.fail(stuck.clone());
    }
}

/// Once the network is fine and everybody has hung up, every leg, port, timer and command is given back.
pub(super) fn everything_is_given_back_in_bounded_time(run: &Observed, judge: &mut Judge) {
    judge.looked();
    if run.ledger != Ledger::default() {
        judge.fail(format!("the ledger is not zero at the end: {:?}", run.ledger));
    }
    if run.endpoints != 0 {
        judge.fail(format!("{} media endpoints are left", run.endpoints));
    }
    if run.calls_in_centre != 0 {
        judge.fail(format!("{} calls are left in the contact centre", run.calls_in_centre));
    }
    for agent in &run.busy_agents {
        judge.fail(format!("an agent is stuck: {agent}"));
    }
    if run.settled_at.is_none() {
        judge.fail(format!("not at rest at the end, though all hung up at {HEALS_AT:?}"));
    }
}

/// Who tries one user name after the other is heard up to the threshold, and not any more.
pub(super) fn scanners_are_banned(run: &Observed, judge: &mut Judge) {
    let of_scanner = |way| run.sip.iter().filter(move |seen| seen.way == way && seen.peer == SCANNER);
    of_scanner(Way::In).for_each(|_| judge.looked());
    let answers = of_scanner(Way::Out).count();
    if answers > usize::try_from(Protection::default().unknown_users).unwrap_or(usize::MAX) {
        judge.fail(format!("the scanner got {answers} answers"));
    }
}

/// Nothing is parsed, kept or sent for a source on no list; its voice is heard by nobody (which
/// `nobody_hears_a_third_party` sees, since it has a frequency of its own).
pub(super) fn strangers_get_nothing(run: &Observed, judge: &mut Judge) {
    run.sip.iter().filter(|seen| seen.peer.ip() == STRANGER).for_each(|_| judge.looked());
    if run.packets_to_strangers != 0 {
        judge.fail(format!("{} packets were sent to strangers", run.packets_to_strangers));
    }
    for answer in run.sip.iter().filter(|seen| seen.way == Way::Out) {
        if answer.call_id.starts_with("stranger-") || answer.peer.ip() == STRANGER {
            judge.fail(format!("{:?} to {} at {:?}", answer.kind, answer.peer, answer.at));
        }
    }
    for (_, record) in &run.records {
        if record.legs.iter().any(|leg| leg.sip_call_id.starts_with("stranger-")) {
            judge.fail(format!("{} has a record", record.id));
        }
    }
}
