//! What answers instead of an agent.

use tandem_phone::{Habit, Manner};

use super::Judge;
use super::audio::{Conversations, is_foul};
use crate::scenario::Goal;
use crate::world::{Observed, PartyReport};

/// Where it is found out what answers at an agent's number, no queue's caller is connected to what is not a person: neither to
/// a machine, nor to a line that is busy although it was answered. Where packets are lost nothing is certain.
pub(super) fn callers_are_connected_to_no_machine(run: &Observed, judge: &mut Judge) {
    if !run.scenario.knobs.listens || is_foul(run) {
        return;
    }
    let conversations = Conversations::of(run);
    let talks_on = |manner: &Manner| {
        let vanishes = manner.habits.iter().any(|habit| matches!(habit, Habit::Vanishes { .. }));
        manner.says.is_some() && manner.holds.is_empty() && !vanishes
    };
    let is_machine = |party: &PartyReport| party.manner(run).is_some_and(talks_on);
    let waits = |party: &PartyReport| {
        party.plan(run).is_some_and(|plan| matches!(plan.goal, Goal::Menu | Goal::Sales))
    };
    // A machine that was heard and left is one that was looked at, and so is whoever a caller was connected to.
    for _ in run.reports.iter().filter(|party| is_machine(party) && party.report.answered.is_some()) {
        judge.looked();
    }
    // Who transfers somebody there has chosen to.
    for talk in conversations.talks.all.iter().filter(|talk| !talk.by_transfer) {
        let [Some(one), Some(other)] = talk.legs.map(|leg| conversations.party(leg)) else { continue };
        for (caller, agent) in [(one, other), (other, one)] {
            if !waits(caller) || talk.legs[0] == talk.legs[1] {
                continue;
            }
            judge.looked();
            if is_machine(agent) {
                judge.fail(format!("{} is connected to a machine at {:?}", caller.report.from, talk.from));
            }
        }
    }
}
