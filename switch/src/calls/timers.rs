//! The deadlines of legs and calls.

use std::collections::BTreeSet;

use tandem_control_api::{CallId, LegId};
use tandem_time::Instant;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A dialled leg has rung long enough.
    RingTimeout(LegId),
    /// A call has lasted long enough.
    CallTooLong(CallId),
    /// The caller has gone, and nobody said what becomes of the other legs.
    CallerGone(CallId),
    /// The parties of a recorded leg are to hear that it is.
    RecordingBeep(LegId),
}

/// Deadlines in order; each leg and each call has at most two.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    due: BTreeSet<(Instant, Timer)>,
}

impl Timers {
    pub(crate) fn set(&mut self, at: Instant, timer: Timer) {
        self.due.insert((at, timer));
    }

    pub(crate) fn cancel(&mut self, at: Instant, timer: Timer) {
        self.due.remove(&(at, timer));
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes one timer that is due by `now`.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Timer> {
        let first = *self.due.first().filter(|(at, _)| *at <= now)?;
        self.due.remove(&first);
        Some(first.1)
    }

    pub(crate) fn len(&self) -> usize {
        self.due.len()
    }
}
