//! One record into its rows.

use std::borrow::Cow;

use rusqlite::{Transaction, params};
use tandem_control_api::{
    CallFact, CallRecord, Direction, EndedBy, LegRecord, MediaPath, Origin, TimelineEntry,
};
use tandem_time::Instant;

use crate::date::NodeClock;
use crate::quality;
use crate::summary::Summary;

/// Writes all rows of `record` within `transaction`.
pub(crate) fn insert(
    transaction: &Transaction<'_>,
    run: i64,
    clock: &NodeClock,
    record: &CallRecord,
) -> rusqlite::Result<()> {
    insert_call(transaction, run, clock, record)?;
    let call = transaction.last_insert_rowid();
    for (position, leg) in record.legs.iter().enumerate() {
        insert_leg(transaction, call, position, clock, record.offered, leg)?;
    }
    for (position, entry) in record.timeline.iter().enumerate() {
        insert_entry(transaction, call, position, clock, entry)?;
    }
    Ok(())
}

fn insert_call(
    transaction: &Transaction<'_>,
    run: i64,
    clock: &NodeClock,
    record: &CallRecord,
) -> rusqlite::Result<()> {
    let (origin_kind, origin) = match &record.origin {
        Origin::Trunk(name) => ("trunk", name),
        Origin::User(name) => ("user", name),
    };
    let summary = Summary::of(record);
    let redirected = record.redirected.as_ref();
    let answered = record.answered.map(|at| record.ended - at).unwrap_or_default();
    transaction
        .prepare_cached(
            "INSERT INTO calls (run, call, origin_kind, origin, from_number, from_name, dialled, started, answered, \
             ended, duration_ms, answered_ms, end_side, end_cause, end_status, flow, queue, wait_ms, agent, talk_ms, \
             legs_dropped, timeline_dropped, from_withheld, redirected_by, redirect_reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, \
             ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25)",
        )?
        .execute(params![
            run,
            record.id.to_string(),
            origin_kind,
            origin,
            record.from.number,
            record.from.name,
            record.dialled,
            clock.date(record.offered),
            date_of(clock, record.answered),
            clock.date(record.ended),
            millis(record.ended - record.offered),
            millis(answered),
            side(record.end.by),
            record.end.cause,
            record.end.status,
            summary.flow,
            summary.queue,
            millis(summary.wait),
            summary.agent,
            millis(summary.talk),
            record.legs_dropped,
            record.timeline_dropped,
            record.from.withheld,
            redirected.map(|redirected| &redirected.by.number),
            redirected.map(|redirected| &redirected.reason),
        ])?;
    Ok(())
}

fn insert_leg(
    transaction: &Transaction<'_>,
    call: i64,
    position: usize,
    clock: &NodeClock,
    offered: Instant,
    leg: &LegRecord,
) -> rusqlite::Result<()> {
    let direction = match leg.direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    };
    let media = leg.media.as_ref();
    let media_path = match leg.media_path {
        MediaPath::Anchored => "anchored",
        MediaPath::Direct => "direct",
    };
    transaction
        .prepare_cached(
            "INSERT INTO legs VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, \
             ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30)",
        )?
        .execute(params![
            call,
            index(position),
            leg.id.to_string(),
            direction,
            leg.party,
            leg.sip_call_id,
            clock.date(leg.started),
            date_of(clock, leg.ringing),
            date_of(clock, leg.answered),
            clock.date(leg.ended),
            side(leg.end.by),
            leg.end.cause,
            leg.end.status,
            media.map(|media| &media.codec).filter(|codec| !codec.is_empty()),
            media.map(|media| count(media.packets_received)),
            media.map(|media| count(media.packets_sent)),
            media.map(|media| count(media.packets_lost)),
            media.map(|media| count(media.packets_refused)),
            media.map(|media| media.jitter_us),
            media.map(|media| media.jitter_max_us),
            media.and_then(|media| media.remote_loss_percent),
            media.and_then(|media| media.round_trip_us),
            media.and_then(|media| media.mos),
            media.map(|media| media.digits_received),
            media_path,
            leg.reason,
            leg.session_id,
            media.and_then(|media| media.remote_jitter_us),
            media.and_then(|media| media.remote_mos),
            media.and_then(|media| quality::written(&media.quality, offered)),
        ])?;
    Ok(())
}

fn insert_entry(
    transaction: &Transaction<'_>,
    call: i64,
    position: usize,
    clock: &NodeClock,
    entry: &TimelineEntry,
) -> rusqlite::Result<()> {
    let (kind, subject, detail) = fact(&entry.fact);
    transaction.prepare_cached("INSERT INTO timeline VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
        call,
        index(position),
        clock.date(entry.at),
        kind,
        subject,
        detail
    ])?;
    Ok(())
}

/// A fact's kind, whom or what it is about, and what there is to add.
fn fact(fact: &CallFact) -> (&'static str, Cow<'_, str>, Option<Cow<'_, str>>) {
    match fact {
        CallFact::Announced { prompts, is_answered } => (
            "announced",
            prompts.join(", ").into(),
            Some(if *is_answered { "answered" } else { "early" }.into()),
        ),
        CallFact::FlowStarted { flow } => ("flow-started", flow.into(), None),
        CallFact::FlowStep { activity, exit } => ("flow-step", activity.into(), Some(exit.into())),
        CallFact::Variable { name, value } => ("variable", name.into(), Some(value.into())),
        CallFact::QueueEntered { queue } => ("queue-entered", queue.into(), None),
        CallFact::QueueLeft { queue, reason } => ("queue-left", queue.into(), Some(reason.into())),
        CallFact::AgentOffered { agent } => ("agent-offered", agent.into(), None),
        CallFact::AgentMissed { agent, reason } => ("agent-missed", agent.into(), Some(reason.into())),
        CallFact::NotSpoken { language } => ("not-spoken", language.into(), None),
        CallFact::AgentAnswered { agent } => ("agent-answered", agent.into(), None),
        CallFact::Transferred { by, to, outcome } => {
            ("transferred", by.into(), Some(format!("to {to}: {outcome}").into()))
        }
        CallFact::Referred { leg, outcome } => ("referred", leg.to_string().into(), Some(outcome.into())),
        CallFact::LegJoined { leg, from } => {
            ("leg-joined", leg.to_string().into(), Some(from.to_string().into()))
        }
        CallFact::ProgressFound { leg, report } => {
            ("call-progress", report.verdict.name().into(), Some(format!("{leg} {report}").into()))
        }
        CallFact::RecordingStarted { leg, file } => {
            ("recording-started", file.into(), Some(leg.to_string().into()))
        }
        CallFact::RecordingPaused { leg } => ("recording-paused", leg.to_string().into(), None),
        CallFact::RecordingResumed { leg } => ("recording-resumed", leg.to_string().into(), None),
        CallFact::RecordingEnded { leg } => ("recording-ended", leg.to_string().into(), None),
        CallFact::RecordingFailed { leg, reason } => {
            ("recording-failed", leg.to_string().into(), Some(reason.into()))
        }
        CallFact::LegUnheard { leg } => ("leg-unheard", leg.to_string().into(), None),
        CallFact::BeepAwaited { leg, heard } => {
            ("beep", if *heard { "heard" } else { "none" }.into(), Some(leg.to_string().into()))
        }
        CallFact::LegReplaced { leg, party, sip_call_id } => {
            ("leg-replaced", leg.to_string().into(), Some(format!("{party} {sip_call_id}").into()))
        }
        CallFact::ConferenceJoined { party, role, .. } => {
            ("conference-joined", party.into(), Some(role.into()))
        }
        CallFact::ConferenceLeft { party, .. } => ("conference-left", party.into(), None),
        CallFact::LegLeft { leg, to } => ("leg-left", leg.to_string().into(), Some(to.to_string().into())),
    }
}

const fn side(by: EndedBy) -> &'static str {
    match by {
        EndedBy::Party => "party",
        EndedBy::Control => "control",
        EndedBy::Switch => "switch",
    }
}

fn date_of(clock: &NodeClock, at: Option<Instant>) -> Option<String> {
    at.map(|at| clock.date(at))
}

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn index(position: usize) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}
