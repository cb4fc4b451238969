//! What parties are told of pauses, and of how they are heard.

use std::collections::BTreeSet;
use std::time::Duration;

use tandem_control_api::LegRecord;
use tandem_phone::{Habit, Manner};
use tandem_sbc::user_agent::ExtendedReports;

use super::Judge;
use super::audio::{Conversations, is_foul};
use super::crossing::is_offered_again;
use super::talks::Talks;
use crate::world::{Observed, PartyReport};

/// In so long a talk somebody pauses and is done with it.
const SEVERAL_PAUSES: Duration = Duration::from_secs(5);
/// RFC 3550 §6.2, §A.7: five seconds between reports, half as much again at most; and what the first one may leave out.
const TWO_REPORTS: Duration = Duration::from_secs(16);

/// Whether pauses are described to the party of a leg, and by it.
pub(super) fn is_told_silence(run: &Observed, leg: &LegRecord, manner: &Manner) -> bool {
    let is_opus = leg.media.as_ref().is_some_and(|media| media.codec == "opus");
    run.scenario.knobs.comfort_noise && manner.comfort_noise && !is_opus
}

/// RFC 3389: pauses are described to who has said that it takes that, whoever talks to it, and to nobody else.
pub(super) fn pauses_are_described_to_who_takes_that(run: &Observed, judge: &mut Judge) {
    let takes = |manner: &Manner| run.scenario.knobs.comfort_noise && manner.comfort_noise;
    for party in &run.reports {
        let Some(manner) = party.manner(run).filter(|manner| !takes(manner)) else { continue };
        judge.looked();
        if party.report.received.comfort_noise > 0 {
            judge.fail(format!("{} is told of pauses: {manner:?}", party.party));
        }
    }
    if is_foul(run) {
        return;
    }
    let conversations = Conversations::of(run);
    for (talk, [one, other], span) in conversations.pairs(run) {
        if span.until - span.from < SEVERAL_PAUSES || conversations.talks.is_direct(talk) {
            continue;
        }
        let legs = talk.legs.map(|leg| conversations.legs.get(&leg).copied());
        let [Some(leg_of_one), Some(leg_of_other)] = legs else { continue };
        for (speaker, listener, leg) in [(one, other, leg_of_other), (other, one, leg_of_one)] {
            let (Some(theirs), Some(ours)) = (speaker.manner(run), listener.manner(run)) else { continue };
            let is_steady = theirs.holds.is_empty()
                && ours.holds.is_empty()
                && theirs.keys.is_empty()
                && !speaker.is_unbelievable(run)
                && !is_offered_again(run, leg);
            if theirs.pauses.is_none() || !is_steady || !is_told_silence(run, leg, ours) {
                continue;
            }
            judge.looked();
            if listener.report.received.comfort_noise == 0 {
                judge.fail(format!("{} hears nothing of the pauses of {}", listener.party, speaker.party));
            }
        }
    }
}

/// RFC 3611 §5: who asks for VoIP metrics is told, and who neither asks nor tells is not.
pub(super) fn who_asks_is_told_how_it_is_heard(run: &Observed, judge: &mut Judge) {
    let policy = run.scenario.knobs.rtcp_xr;
    let direct = Talks::of(run).direct.0;
    let records = run.records.iter().map(|(_, record)| record).filter(|record| direct.contains(&record.id));
    let past_us: BTreeSet<&str> =
        records.flat_map(|record| &record.legs).map(|leg| leg.sip_call_id.as_str()).collect();
    for party in run.reports.iter().filter(|it| !past_us.contains(it.report.sip_call_id.as_str())) {
        let Some(manner) = party.manner(run) else { continue };
        let received = &party.report.received;
        // Who was asked has told, and is told in return.
        let may_be_told = manner.rtcp_xr || received.was_asked_for_metrics;
        judge.looked();
        let is_told = received.metrics > 0;
        if is_told && (policy == ExtendedReports::Off || !may_be_told) {
            judge.fail(format!("{} did not ask, and is told", party.party));
        }
        let must_be_told = manner.rtcp_xr && policy != ExtendedReports::Off && !is_foul(run);
        if must_be_told && !is_told && is_steady(run, party, manner) {
            judge.fail(format!("{} asks, and is not told in {TWO_REPORTS:?}", party.party));
        }
    }
}

/// Whether it was there, and heard, for long enough.
fn is_steady(run: &Observed, party: &PartyReport, manner: &Manner) -> bool {
    let Some(answered) = party.report.answered else { return false };
    let vanishes = manner.habits.iter().any(|habit| matches!(habit, Habit::Vanishes { .. }));
    let ended = party.report.ended;
    ended >= answered + TWO_REPORTS
        && manner.holds.is_empty()
        && manner.transfer.is_none()
        && !vanishes
        && !party.is_unbelievable(run)
        && !run.scenario.cut_off(party.host, answered, ended)
}
