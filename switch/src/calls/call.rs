//! One call: the caller, the legs that were dialled for it, and what its record will say.

use std::sync::Arc;

use tandem_control_api::{
    CallFact, CallId, CallRecord, Direction, LegEnd, LegId, LegRecord, Origin, Party, Redirection,
    TimelineEntry,
};
use tandem_sbc::user_agent::{Identity, Reason};
use tandem_time::Instant;

use super::conference::Conference;
use super::deflect::Deflection;
use super::hand_back::HandBack;
use super::transfer::Transfer;
use crate::{SwitchConfig, WorkerIndex};

/// One call.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) origin: Origin,
    /// As everybody may see it.
    pub(crate) from: Party,
    /// As it goes on to others, a withheld number included.
    pub(crate) caller_identity: Identity,
    pub(crate) dialled: String,
    /// Who had sent it on before it came to us.
    pub(crate) redirected: Option<Redirection>,
    /// What it began with.
    pub(crate) config: Arc<SwitchConfig>,
    pub(crate) caller: LegId,
    /// Why a leg ended that did last, if its party said: for those that end with it.
    pub(crate) stated: Option<(Instant, LegId, Reason)>,
    /// The leg whose media goes straight to the caller, while there is one.
    pub(crate) direct: Option<LegId>,
    /// All its endpoints share it; chosen with the first.
    pub(crate) worker: Option<WorkerIndex>,
    pub(crate) phase: CallPhase,
    /// The transfer under way.
    pub(crate) transfer: Option<Transfer>,
    /// Who hears each other in it by roles, if anybody does.
    pub(crate) conference: Option<Box<Conference>>,
    /// The transfer that a carrier was asked for.
    pub(crate) deflection: Option<Box<Deflection>>,
    /// The joining of two parties that their carrier was asked for.
    pub(crate) hand_back: Option<HandBack>,
    /// When it has lasted too long.
    pub(crate) too_long_at: Instant,
    /// The legs that are not freed. Each but the few live ones holds a session that the user agent still keeps, and
    /// of those it has a maximum.
    pub(crate) legs: Vec<LegId>,
    /// How many of them have not ended.
    pub(crate) live: usize,
    /// How many of them are not in the record yet.
    pub(crate) unrecorded: usize,
    offered: Instant,
    answered: Option<Instant>,
    legs_made: u32,
    records: Vec<(u32, LegRecord)>,
    legs_dropped: u32,
    timeline: Vec<TimelineEntry>,
    timeline_dropped: u32,
}

/// ```text
/// CallerUp ──the caller's leg ended──▶ CallerGone ──the last leg ended──▶ Over ──▶ Recorded ──▶ (freed)
///     └──────────────the caller's leg was the last──────────────────────────▲
/// ```
#[derive(Debug)]
pub(crate) enum CallPhase {
    /// The caller is there.
    CallerUp,
    /// The caller has gone, others have not; they are hung up at `grace` unless the control plane cares for them.
    CallerGone { end: LegEnd, grace: Option<Instant> },
    /// All legs have ended; facts are still taken, until the last endpoint is closed.
    Over { end: LegEnd, at: Instant },
    /// The record is out; SIP still keeps something.
    Recorded,
}

impl Call {
    pub(crate) fn new(
        now: Instant,
        origin: Origin,
        from: Party,
        dialled: String,
        config: Arc<SwitchConfig>,
        caller: LegId,
    ) -> Self {
        Self {
            origin,
            from,
            caller_identity: Identity::default(),
            dialled,
            redirected: None,
            too_long_at: now + config.max_call_duration,
            config,
            caller,
            stated: None,
            direct: None,
            worker: None,
            phase: CallPhase::CallerUp,
            transfer: None,
            conference: None,
            deflection: None,
            hand_back: None,
            legs: Vec::new(),
            live: 0,
            unrecorded: 0,
            offered: now,
            answered: None,
            legs_made: 0,
            records: Vec::new(),
            legs_dropped: 0,
            timeline: Vec::new(),
            timeline_dropped: 0,
        }
    }

    /// How many legs were ever made: the place of the next one.
    pub(crate) const fn legs_made(&self) -> u32 {
        self.legs_made
    }

    pub(crate) fn add_leg(&mut self, leg: LegId) {
        self.legs.push(leg);
        self.live += 1;
        self.unrecorded += 1;
        self.legs_made = self.legs_made.saturating_add(1);
    }

    /// Whether a transfer is under way; one at a time.
    pub(crate) const fn is_transferring(&self) -> bool {
        self.transfer.is_some() || self.deflection.is_some() || self.hand_back.is_some()
    }

    /// Whether commands still make sense.
    pub(crate) const fn is_up(&self) -> bool {
        self.live > 0
    }

    /// Whether its record is out.
    pub(crate) const fn is_recorded(&self) -> bool {
        matches!(self.phase, CallPhase::Recorded)
    }

    /// Whether nothing is missing from its record.
    pub(crate) const fn is_complete(&self) -> bool {
        self.unrecorded == 0 && matches!(self.phase, CallPhase::Over { .. })
    }

    pub(crate) fn caller_answered(&mut self, now: Instant) {
        self.answered.get_or_insert(now);
    }

    pub(crate) fn add_fact(&mut self, at: Instant, fact: CallFact) {
        if self.timeline.len() < CallRecord::MAX_TIMELINE {
            self.timeline.push(TimelineEntry { at, fact });
        } else {
            self.timeline_dropped = self.timeline_dropped.saturating_add(1);
        }
    }

    /// Keeps a leg's record. When there are too many, the oldest dialled leg that was never answered goes, for what
    /// the caller waited through last says more; the caller's own leg always stays.
    pub(crate) fn add_record(&mut self, ordinal: u32, record: LegRecord) {
        self.unrecorded = self.unrecorded.saturating_sub(1);
        let at = self.records.partition_point(|(other, _)| *other < ordinal);
        self.records.insert(at, (ordinal, record));
        if self.records.len() > CallRecord::MAX_LEGS {
            let missed =
                |(_, leg): &(u32, LegRecord)| leg.direction == Direction::Outbound && leg.answered.is_none();
            let index = self.records.iter().position(missed).unwrap_or(self.records.len() - 1);
            self.records.remove(index);
            self.legs_dropped = self.legs_dropped.saturating_add(1);
        }
    }

    /// Its record, once.
    pub(crate) fn take_record(&mut self, id: CallId) -> Option<CallRecord> {
        if !self.is_complete() {
            return None;
        }
        let CallPhase::Over { end, at } = std::mem::replace(&mut self.phase, CallPhase::Recorded) else {
            return None;
        };
        Some(CallRecord {
            id,
            origin: self.origin.clone(),
            from: std::mem::take(&mut self.from),
            dialled: std::mem::take(&mut self.dialled),
            redirected: self.redirected.take(),
            offered: self.offered,
            answered: self.answered,
            ended: at,
            end,
            legs: std::mem::take(&mut self.records).into_iter().map(|(_, record)| record).collect(),
            legs_dropped: self.legs_dropped,
            timeline: std::mem::take(&mut self.timeline),
            timeline_dropped: self.timeline_dropped,
        })
    }
}
