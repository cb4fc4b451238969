//! A play with its schedule.

use std::sync::Arc;
use std::time::Duration;

use tandem_time::Instant;

use crate::codec::Rate;
use crate::player::Player;
use crate::schedule::{Schedule, Tick};
use crate::{Audio, BargeIn, PlayId};

/// A play under way.
#[derive(Debug)]
pub(crate) struct Playing {
    player: Player,
    schedule: Schedule,
}

impl Playing {
    pub(crate) const fn new(player: Player, not_before: Instant) -> Self {
        Self { player, schedule: Schedule::new(not_before) }
    }

    /// The rate of what [`Playing::next_frame`] fills.
    pub(crate) const fn rate(&self) -> Rate {
        self.player.rate()
    }

    pub(crate) const fn play(&self) -> PlayId {
        self.player.play
    }

    pub(crate) const fn barge_in(&self) -> BargeIn {
        self.player.barge_in
    }

    pub(crate) const fn tick_at(&self) -> Instant {
        self.schedule.tick_at()
    }

    /// Whether all of it was sent, so that it ends with the next tick.
    pub(crate) fn is_over(&mut self) -> bool {
        !self.has_frame() && self.player.is_over()
    }

    /// See [`Schedule::tick`].
    pub(crate) fn tick(&mut self, now: Instant, ptime: Duration) -> Tick {
        self.schedule.tick(now, ptime)
    }

    /// Whether a frame is due.
    pub(crate) fn has_frame(&self) -> bool {
        self.schedule.has_frame()
    }

    /// Takes the turn of a frame of music that is due; its time, and which.
    pub(crate) fn next_music(&mut self, ptime: Duration) -> Option<(Instant, Arc<Audio>)> {
        let music = Arc::clone(self.player.music()?);
        Some((self.schedule.take_frame(ptime)?, music))
    }

    /// Fills a frame that is due; its time.
    pub(crate) fn next_frame(&mut self, ptime: Duration, samples: &mut [i16]) -> Option<Instant> {
        if !self.has_frame() {
            return None;
        }
        if self.player.is_over() {
            self.schedule.give_up();
            return None;
        }
        self.player.fill(samples);
        self.schedule.take_frame(ptime)
    }
}
