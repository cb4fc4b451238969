//! When frames for a party are due: one every packet time, without drift, whenever the worker is called.

use std::time::Duration;

use tandem_time::Instant;

/// Frames start on a grid, so that many streams share a wake-up and a batch of packets, yet not all of them one.
pub(crate) const GRID: Duration = Duration::from_millis(5);

/// The most frames of one stream that are sent at once when the worker is called late; turns beyond are given up
/// (a play goes on where it was).
pub(crate) const MAX_CATCH_UP: u64 = 5;

/// The turns of one stream's frames.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    /// When the next frame was or is due.
    frame_at: Instant,
    /// The first turn that has not come.
    tick_at: Instant,
}

/// What a tick found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tick {
    /// Frames late by a packet time or more.
    pub(crate) late: u64,
    /// Turns given up.
    pub(crate) skipped: u64,
}

impl Schedule {
    pub(crate) const fn new(not_before: Instant) -> Self {
        let start = align_up(not_before);
        Self { frame_at: start, tick_at: start }
    }

    pub(crate) const fn tick_at(&self) -> Instant {
        self.tick_at
    }

    /// Makes the frames due that have their turn by `now`, which must not be before [`Schedule::tick_at`].
    pub(crate) fn tick(&mut self, now: Instant, ptime: Duration) -> Tick {
        let packet = nanos(ptime);
        let late = (now.as_nanos() - self.tick_at.as_nanos()) / packet;
        let tick_at = self.tick_at.as_nanos() + (late + 1) * packet;
        let earliest = tick_at.saturating_sub(MAX_CATCH_UP * packet);
        let skipped = earliest.saturating_sub(self.frame_at.as_nanos()).div_ceil(packet);
        self.tick_at = Instant::from_nanos(tick_at);
        self.frame_at = self.frame_at.max(Instant::from_nanos(earliest));
        Tick { late, skipped }
    }

    /// Whether a frame is due.
    pub(crate) fn has_frame(&self) -> bool {
        self.frame_at < self.tick_at
    }

    /// Takes the turn of a frame that is due; its time.
    pub(crate) fn take_frame(&mut self, ptime: Duration) -> Option<Instant> {
        let at = self.has_frame().then_some(self.frame_at)?;
        self.frame_at += ptime;
        Some(at)
    }

    /// Gives up the frames that are due.
    pub(crate) const fn give_up(&mut self) {
        self.frame_at = self.tick_at;
    }
}

const fn align_up(at: Instant) -> Instant {
    Instant::from_nanos(at.as_nanos().div_ceil(nanos(GRID)).saturating_mul(nanos(GRID)))
}

const fn nanos(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}
