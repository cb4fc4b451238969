//! What recordings have, compared with what was said and heard.

use std::time::Duration;

use tandem_control_api::LegId;

use super::Judge;
use super::audio::{Conversations, Span, enough, holds_at, is_foul, presses_in, share_heard};
use crate::recording::Recorded;
use crate::world::{Observed, PartyReport};

/// On the one side a recording has its party, on the other whoever that hears, each all the time that it is there, and in
/// fair weather nobody else.
pub(super) fn recordings_have_both_sides(run: &Observed, judge: &mut Judge) {
    let conversations = Conversations::of(run);
    for recorded in &run.recordings {
        let leg = conversations.legs.values().find(|leg| leg.sip_call_id == recorded.sip_call_id);
        let Some((leg, party)) = leg.and_then(|leg| Some((leg, conversations.party(leg.id)?))) else {
            continue;
        };
        if recorded.lost > 0 {
            judge.fail(format!("{} frames of {} were lost", recorded.lost, recorded.sip_call_id));
        }
        judge_said(run, recorded, party, judge);
        judge_heard(run, &conversations, recorded, (leg.id, party), judge);
    }
}

fn judge_said(run: &Observed, recorded: &Recorded, party: &PartyReport, judge: &mut Judge) {
    let from = party.report.answered.unwrap_or_default();
    let span = Span::settled(from, party.report.ended.min(holds_at(run, party)));
    let Some(span) = span.and_then(|span| kept(run, recorded, span)) else { return };
    let Some(enough) = enough(run).filter(|_| speaks_in(run, party, span)) else { return };
    let share = share_heard(&recorded.said, span, &[party.report.hz]);
    judge.looked();
    if share < enough {
        judge.fail(format!(
            "the recording of {} has {} Hz only {:.0} % of {span:?}",
            party.party,
            party.report.hz,
            share * 100.0
        ));
    }
    let others = run.scenario.voices().filter(|hz| *hz != party.report.hz).collect::<Vec<_>>();
    if !is_foul(run) && share_heard(&recorded.said, span, &others) > 0.0 {
        judge.fail(format!("the recording of {} has others say what it says in {span:?}", party.party));
    }
}

fn judge_heard(
    run: &Observed,
    conversations: &Conversations<'_>,
    recorded: &Recorded,
    (leg, party): (LegId, &PartyReport),
    judge: &mut Judge,
) {
    for (talk, parties, span) in conversations.pairs(run) {
        let Some(other) = talk.other(leg).and_then(|other| conversations.party(other)) else { continue };
        let Some(span) = kept(run, recorded, span) else { continue };
        let undisturbed = parties.iter().all(|party| speaks_in(run, party, span));
        let Some(enough) = enough(run).filter(|_| undisturbed) else { continue };
        let share = share_heard(&recorded.heard, span, &[other.report.hz]);
        judge.looked();
        if share < enough {
            judge.fail(format!(
                "the recording of {} has {} ({} Hz) only {:.0} % of {span:?}",
                party.party,
                other.party,
                other.report.hz,
                share * 100.0
            ));
        }
        if !is_foul(run) && share_heard(&recorded.heard, span, &[party.report.hz]) > 0.0 {
            judge.fail(format!("the recording of {} has it hear itself in {span:?}", party.party));
        }
    }
}

/// The part of a span that should have been recorded: from when that began, and where a key ends it, for as long as it lasted.
fn kept(run: &Observed, recorded: &Recorded, span: Span) -> Option<Span> {
    let windows = &recorded.said.windows;
    let (first, last) = (windows.first()?.at, windows.last()?.at);
    span.within(first, if run.scenario.knobs.records_by_key { last } else { Duration::MAX })
}

/// Whether nothing but its voice is to be expected of a party.
fn speaks_in(run: &Observed, party: &PartyReport, span: Span) -> bool {
    let is_steady = party.manner(run).is_some_and(|manner| {
        manner.says.is_none()
            && manner.pauses.is_none()
            && manner.holds.is_empty()
            && !presses_in(party, manner, span)
    });
    is_steady && !party.is_unbelievable(run) && !run.scenario.cut_off(party.host, span.from, span.until)
}
