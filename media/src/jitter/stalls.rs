//! When a path stands still: nothing comes for a while, then all of it at once.
//!
//! One stall says nothing of the next one, so it is waited out and forgotten. A path that stands still again and again
//! does so once more: how often and how long says what each delay would miss of it. The packets that come late for one
//! stall have waited for the same thing, and are no sign of how late the others come.

use std::time::Duration;

use tandem_time::Instant;

/// A packet that is later than the one before it and than usual by so much came after a stall.
const LEAST_MS: u32 = 40;

/// How long a stall is remembered.
const REMEMBERED: Duration = Duration::from_secs(180);
/// So many of them at most.
const MAX_STALLS: usize = 16;
/// So many make a habit …
const HABIT: usize = 2;
/// … of at least so long a time.
const LEAST_TIME: Duration = Duration::from_secs(20);

/// The stalls of a path.
#[derive(Clone, Debug)]
pub(super) struct Stalls {
    /// When each was over, and how late its first packet was; the oldest first.
    known: [(Instant, u32); MAX_STALLS],
    count: usize,
    began: Option<Instant>,
    /// The latest packet: when it came, how late, and whether it was held back by a stall.
    latest: Option<(Instant, u32, bool)>,
}

/// Stalls that are a habit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recurring<'a> {
    late_ms: &'a [(Instant, u32)],
    time_ms: f32,
}

impl Stalls {
    pub(super) const fn new() -> Self {
        Self { known: [(Instant::START, 0); MAX_STALLS], count: 0, began: None, latest: None }
    }

    /// Takes a packet that is so late; whether a stall held it back.
    pub(super) fn take(&mut self, now: Instant, late_ms: u32, usual_ms: u32) -> bool {
        self.began.get_or_insert(now);
        let Some((at, before_ms, was_held)) = self.latest else {
            self.latest = Some((now, late_ms, false));
            return false;
        };
        let step_ms = late_ms.saturating_sub(before_ms);
        let nothing_came_ms = (now - at).as_millis() as u32;
        // Of one that was only overtaken the others came meanwhile.
        let begins = step_ms >= LEAST_MS && late_ms >= usual_ms + LEAST_MS && nothing_came_ms >= step_ms;
        if begins {
            self.keep(now, late_ms);
        }
        let is_held = begins || was_held && late_ms < before_ms && late_ms > usual_ms;
        self.latest = Some((now, late_ms, is_held));
        is_held
    }

    fn keep(&mut self, now: Instant, late_ms: u32) {
        if self.count == MAX_STALLS {
            self.known.copy_within(1.., 0);
            self.count -= 1;
        }
        if let Some(place) = self.known.get_mut(self.count) {
            *place = (now, late_ms);
            self.count += 1;
        }
    }

    /// Those of the latest time, when they are a habit.
    pub(super) fn recurring(&self, now: Instant) -> Option<Recurring<'_>> {
        let all = self.known.get(..self.count)?;
        let old = all.iter().take_while(|(at, _)| now - *at > REMEMBERED).count();
        let late_ms = all.get(old..).filter(|known| known.len() >= HABIT)?;
        // Of those before the oldest that is kept nothing is known.
        let since = if late_ms.len() == MAX_STALLS { late_ms.first().map(|(at, _)| *at) } else { self.began };
        let time = since.map_or(LEAST_TIME, |since| now - since).clamp(LEAST_TIME, REMEMBERED);
        Some(Recurring { late_ms, time_ms: time.as_millis() as f32 })
    }

    /// The stream starts anew: its next packet is later than none.
    pub(super) const fn restart(&mut self) {
        self.latest = None;
    }
}

impl Recurring<'_> {
    /// How much of the time nothing would be here with that delay, in percent.
    pub(super) fn missed_percent(&self, delay_ms: u32) -> f32 {
        let missed_ms: u32 = self.late_ms.iter().map(|(_, late_ms)| late_ms.saturating_sub(delay_ms)).sum();
        100.0 * missed_ms as f32 / self.time_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The limit of what is kept and one past it.
    #[test]
    fn the_oldest_stall_makes_room() {
        let mut stalls = Stalls::new();
        let mut at_ms = 0;
        for number in 0..=MAX_STALLS as u64 {
            stalls.take(Instant::from_millis(at_ms + 20), 0, 10);
            at_ms += 1_000;
            assert!(stalls.take(Instant::from_millis(at_ms), 100 + number as u32, 10));
        }
        assert_eq!(stalls.count, MAX_STALLS);
        assert_eq!(stalls.known.map(|(_, late_ms)| late_ms), std::array::from_fn(|n| 101 + n as u32));
    }

    #[test]
    fn stalls_are_forgotten() {
        let mut stalls = Stalls::new();
        for at_ms in [0, 1_000] {
            stalls.take(Instant::from_millis(at_ms), 0, 10);
            assert!(stalls.take(Instant::from_millis(at_ms + 300), 280, 10));
        }
        assert!(stalls.recurring(Instant::from_millis(180_200)).is_some());
        assert!(stalls.recurring(Instant::from_millis(180_400)).is_none(), "there is one left");
    }

    #[test]
    fn a_packet_that_was_overtaken_is_no_stall() {
        let mut stalls = Stalls::new();
        stalls.take(Instant::from_millis(0), 0, 10);
        assert!(!stalls.take(Instant::from_millis(20), 80, 10), "it was sent 60 ms before the other");
    }
}
