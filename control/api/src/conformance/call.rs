//! The model's calls and legs.

use std::collections::BTreeSet;
use std::time::Duration;

use tandem_time::Instant;

use crate::{
    CallFact, CallId, CallRecord, CommandId, Direction, EndedBy, LegEnd, LegId, LegRecord, MediaPath, Origin,
    Party, TimelineEntry, Verdict,
};

/// A call of the model.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) caller: LegId,
    pub(super) live: BTreeSet<LegId>,
    pub(super) record: CallRecord,
}

impl Call {
    pub(super) fn new(
        id: CallId,
        caller: LegId,
        now: Instant,
        from: Party,
        origin: Origin,
        dialled: &str,
    ) -> Self {
        let record = CallRecord {
            id,
            origin,
            from,
            dialled: dialled.to_owned(),
            redirected: None,
            offered: now,
            answered: None,
            ended: now,
            end: LegEnd { by: EndedBy::Switch, status: 0, cause: String::new() },
            legs: Vec::new(),
            legs_dropped: 0,
            timeline: Vec::new(),
            timeline_dropped: 0,
        };
        Self { caller, live: BTreeSet::from([caller]), record }
    }

    pub(super) fn note(&mut self, at: Instant, fact: CallFact) {
        if self.record.timeline.len() < CallRecord::MAX_TIMELINE {
            self.record.timeline.push(TimelineEntry { at, fact });
        } else {
            self.record.timeline_dropped += 1;
        }
    }

    pub(super) fn leg_ended(&mut self, now: Instant, id: LegId, leg: &Leg, end: &LegEnd) {
        self.live.remove(&id);
        self.record.ended = now;
        if id == self.caller {
            self.record.end = end.clone();
        }
        if self.record.legs.len() >= CallRecord::MAX_LEGS {
            self.record.legs_dropped += 1;
            return;
        }
        self.record.legs.push(LegRecord {
            id,
            direction: if id == self.caller { Direction::Inbound } else { Direction::Outbound },
            party: leg.party.clone(),
            sip_call_id: id.to_string(),
            session_id: None,
            started: leg.started,
            ringing: None,
            answered: leg.answered,
            ended: now,
            end: end.clone(),
            reason: None,
            media_path: MediaPath::Anchored,
            media: None,
        });
    }
}

/// A leg of the model.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) call: CallId,
    pub(super) party: String,
    pub(super) started: Instant,
    pub(super) answered: Option<Instant>,
    /// Its party asked for a transfer, and nobody has decided.
    pub(super) asks: bool,
    /// What is going to be found to have answered it, and how long after the answer.
    pub(super) analysed: Option<(Duration, Verdict)>,
    pub(super) state: LegState,
}

/// How far a leg is, with the commands that wait on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LegState {
    Offered,
    /// Not answered, and hears us.
    Progressing {
        play: Option<CommandId>,
    },
    Answering {
        command: CommandId,
    },
    Dialling {
        command: CommandId,
    },
    Answered {
        play: Option<CommandId>,
        collect: Option<CommandId>,
    },
    Bridged {
        peer: LegId,
    },
    /// In the call's conference.
    Conferring,
    /// Being hung up.
    Ending {
        command: CommandId,
    },
}

impl LegState {
    pub(super) const IDLE: Self = Self::Answered { play: None, collect: None };

    /// Whether it is to be answered or refused.
    pub(super) const fn is_unanswered(self) -> bool {
        matches!(self, Self::Offered | Self::Progressing { .. })
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Progressing { .. } => "progressing",
            Self::Answering { .. } => "answering",
            Self::Dialling { .. } => "dialling",
            Self::Answered { .. } => "answered",
            Self::Bridged { .. } => "bridged",
            Self::Conferring => "conferring",
            Self::Ending { .. } => "ending",
        }
    }
}

/// Freshly made ids; slots are used again with the next generation, so that stale ids are really stale.
#[derive(Debug, Default)]
pub(super) struct Ids {
    free: Vec<(u32, u32)>,
    used: u32,
}

impl Ids {
    pub(super) fn take(&mut self) -> (u32, u32) {
        self.free.pop().unwrap_or_else(|| {
            self.used += 1;
            (self.used, 0)
        })
    }

    pub(super) fn give_back(&mut self, index: u32, generation: u32) {
        self.free.push((index, generation + 1));
    }
}
