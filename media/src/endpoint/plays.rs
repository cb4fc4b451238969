//! What an endpoint plays to its party and collects of it.

use tandem_time::Instant;

use super::Endpoint;
use crate::collector::Outcome;
use crate::counters::Counters;
use crate::event_queue::EventQueue;
use crate::player::Player;
use crate::playing::Playing;
use crate::{BargeIn, CollectId, CollectRules, Event, PlayEnd};

impl Endpoint {
    pub(crate) fn play(&mut self, now: Instant, player: Player, events: &mut EventQueue) {
        self.end_play(now, PlayEnd::Stopped, events);
        self.collector.play_started();
        self.outgoing.resynchronise();
        self.ear = self.ear_for(player.barge_in);
        self.playing = Some(Box::new(Playing::new(player, now.max(self.free_at))));
    }

    pub(crate) fn collect(
        &mut self,
        now: Instant,
        collect: CollectId,
        rules: CollectRules,
        events: &mut EventQueue,
    ) {
        let stopped = self.collector.stop();
        self.report(stopped, events);
        let outcome = self.collector.start(now, collect, rules, self.playing.is_some());
        let typed_ahead = outcome.is_some_and(|outcome| !outcome.digits.is_empty());
        if typed_ahead || self.collector.has_digit() {
            self.barge_in(now, events);
        }
        self.report(outcome, events);
    }

    /// Ends what is played and collected.
    pub(crate) fn stop(&mut self, now: Instant, events: &mut EventQueue) {
        self.end_play(now, PlayEnd::Stopped, events);
        let stopped = self.collector.stop();
        self.report(stopped, events);
    }

    pub(super) fn tick(&mut self, now: Instant, counters: &mut Counters, events: &mut EventQueue) {
        let ptime = self.ptime();
        let Some(playing) = &mut self.playing else { return };
        if playing.tick_at() > now {
            return;
        }
        if playing.is_over() {
            return self.end_play(now, PlayEnd::Finished, events);
        }
        let tick = playing.tick(now, ptime);
        counters.frames_late += tick.late;
        counters.frames_skipped += tick.skipped;
        if tick.skipped > 0 {
            self.outgoing.resynchronise();
        }
    }

    pub(super) fn barge_in(&mut self, now: Instant, events: &mut EventQueue) {
        if self.playing.as_ref().is_some_and(|playing| playing.barge_in() != BargeIn::Never) {
            self.end_play(now, PlayEnd::BargedIn, events);
        }
    }

    pub(super) fn end_play(&mut self, now: Instant, end: PlayEnd, events: &mut EventQueue) {
        if let Some(playing) = self.playing.take() {
            self.ear = None;
            self.free_at = playing.tick_at();
            self.outgoing.resynchronise();
            self.collector.play_ended(now);
            events.push(Event::PlayEnded { endpoint: self.id, play: playing.play(), end });
        }
    }

    pub(super) fn report(&self, outcome: Option<Outcome>, events: &mut EventQueue) {
        if let Some(Outcome { collect, digits, end }) = outcome {
            events.push(Event::Collected { endpoint: self.id, collect, digits, end });
        }
    }
}
