//! How late packets are, and how late they should be taken.
//!
//! The fastest packets of the latest seconds show the path as it is without queues: [`BASE_WINDOW`] is short enough to
//! follow clocks that drift apart, and long enough to hold a fast packet. How much later the others come is counted for
//! [`COUNT_WINDOW`] or two, and when the path stands still in [`Stalls`]. Any delay misses some of that and is noticed
//! itself; which is worse is for the E-model to say (ITU-T G.107), and the delay is the one that impairs least. What got
//! lost was not late, so it changes nothing here.

use std::time::Duration;

use tandem_time::Instant;

use super::stalls::Stalls;
use crate::quality::{Impairment, delay_impairment};

/// The delay that is kept to, whatever the path does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelayLimits {
    /// At least so much …
    pub min: Duration,
    /// … and at most so much, [`DelayLimits::MAX`] at most.
    pub max: Duration,
}

impl DelayLimits {
    /// What nobody who talks would bear (ITU-T G.114: beyond 400 ms in all).
    pub const MAX: Duration = Duration::from_millis(320);
}

impl Default for DelayLimits {
    fn default() -> Self {
        Self { min: Duration::from_millis(10), max: Self::MAX }
    }
}

/// Half of the time over which the fastest packet is looked for.
const BASE_WINDOW: Duration = Duration::from_secs(4);

/// Half of the time over which lateness is counted: long enough to see what one packet of several hundred does.
const COUNT_WINDOW: Duration = Duration::from_secs(10);

/// Milliseconds of a histogram's bin.
const BIN_MS: u32 = 5;
const BINS: usize = DelayLimits::MAX.as_millis() as usize / BIN_MS as usize;

/// What lies between the longest delay that is aimed at and the longest that is borne, so that nothing is left out as
/// too late that is only waited for.
const MARGIN_MS: u32 = 60;

/// The least that is lost on the way besides: a packet's own time.
const ELSEWHERE_MS: u32 = 20;

/// So many packets are awaited before the histogram is believed …
const FIRST_PACKETS: u32 = 20;
/// … and until then the delay is at least this.
const FIRST_DELAY_MS: u32 = 30;

/// What is known of a path. Times are in ticks of the stream's clock.
#[derive(Clone, Debug)]
pub struct Delay {
    clock_khz: u32,
    limits: DelayLimits,
    /// How many packets of this window were so late …
    current: [u16; BINS],
    /// … and of the one before.
    before: [u16; BINS],
    count_until: Instant,
    seen: u32,
    base: Option<Base>,
    stalls: Stalls,
    /// What impairs least while the path does not stand still …
    usual_ms: u32,
    /// … and all in all.
    target_ms: u32,
}

/// The fastest transits of this window and of the one before.
#[derive(Clone, Copy, Debug)]
struct Base {
    current: u32,
    before: u32,
    until: Instant,
}

impl Delay {
    /// Nothing is known yet of a stream with a clock of `clock_hz`.
    #[must_use]
    pub const fn new(clock_hz: u32, limits: DelayLimits) -> Self {
        Self {
            clock_khz: clock_hz / 1_000,
            limits,
            current: [0; BINS],
            before: [0; BINS],
            count_until: Instant::START,
            seen: 0,
            base: None,
            stalls: Stalls::new(),
            usual_ms: 0,
            target_ms: 0,
        }
    }

    /// A packet came.
    pub fn observe(&mut self, now: Instant, timestamp: u32) {
        let transit = self.ticks(now).wrapping_sub(timestamp);
        self.rebase(now, transit);
        let least = self.base.map_or(transit, |base| base.least());
        let late_ms = transit.wrapping_sub(least) / self.clock_khz;
        if !self.stalls.take(now, late_ms, self.usual_ms) {
            self.count(now, late_ms);
        }
        self.usual_ms = self.least_impairing(|_| 0.0);
        self.target_ms = match self.stalls.recurring(now) {
            None => self.usual_ms,
            Some(recurring) => self.least_impairing(|delay_ms| recurring.missed_percent(delay_ms)),
        };
    }

    fn rebase(&mut self, now: Instant, transit: u32) {
        let until = now + BASE_WINDOW;
        let base = self.base.get_or_insert(Base { current: transit, before: transit, until });
        let before = base.least();
        if now >= base.until {
            *base = Base { current: transit, before: base.current, until };
        }
        if is_less(transit, base.current) {
            base.current = transit;
        }
        let step_ms = base.least().wrapping_sub(before) as i32 / self.clock_khz as i32;
        if let Ok(bins @ 1..) = usize::try_from(step_ms / BIN_MS as i32) {
            self.shift(bins.min(BINS - 1));
        }
    }

    /// The fastest packets are later by so many bins than they were, so the others are the less late.
    fn shift(&mut self, by: usize) {
        for counts in [&mut self.current, &mut self.before] {
            let first = counts.iter().take(by + 1).sum();
            counts.rotate_left(by);
            counts.iter_mut().rev().take(by).for_each(|count| *count = 0);
            counts[0] = first;
        }
    }

    fn count(&mut self, now: Instant, late_ms: u32) {
        if now >= self.count_until {
            self.before = std::mem::replace(&mut self.current, [0; BINS]);
            self.count_until = now + COUNT_WINDOW;
        }
        // One that comes later than could be borne says nothing of how long to wait.
        if let Some(count) = self.current.get_mut((late_ms / BIN_MS) as usize) {
            *count = count.saturating_add(1);
            self.seen = self.seen.saturating_add(1);
        }
    }

    /// The delay at which what is missed and the delay itself are borne best; `more` says how much of all is missed at
    /// a delay besides what was counted, in percent, and never more at a longer one.
    fn least_impairing(&self, more: impl Fn(u32) -> f32) -> u32 {
        let count = |counts: &[u16; BINS]| counts.iter().map(|count| u32::from(*count)).sum::<u32>();
        let all = (count(&self.current) + count(&self.before)).max(1);
        let mut beyond = all;
        let mut best = (f32::INFINITY, 0);
        for ((bin, current), before) in (1..).zip(&self.current).zip(&self.before) {
            beyond = beyond.saturating_sub(u32::from(*current) + u32::from(*before));
            let delay_ms = bin * BIN_MS;
            let delay = delay_impairment((ELSEWHERE_MS + delay_ms) as f32);
            // From here on the delay alone impairs more, whatever is missed.
            if delay >= best.0 {
                break;
            }
            let missed_percent = 100.0 * beyond as f32 / all as f32 + more(delay_ms);
            let impairment = Impairment::G711.of_loss(missed_percent, 1.0) + delay;
            if impairment < best.0 {
                best = (impairment, delay_ms);
            }
            // A longer delay would not miss less.
            if missed_percent <= 0.0 {
                break;
            }
        }
        best.1
    }

    /// How late packets should be taken, in ticks after the fastest.
    #[must_use]
    pub fn target(&self) -> u32 {
        self.bounded(self.target_ms)
    }

    /// How late packets are taken at most while the path does not stand still: what has not come by then may be long in
    /// coming.
    #[must_use]
    pub fn usual(&self) -> u32 {
        self.bounded(self.usual_ms)
    }

    fn bounded(&self, delay_ms: u32) -> u32 {
        let wanted_ms = if self.seen < FIRST_PACKETS { delay_ms.max(FIRST_DELAY_MS) } else { delay_ms };
        let (min, max) = (self.limits.min.as_millis() as u32, self.limits.max.as_millis() as u32);
        wanted_ms.clamp(min, max.saturating_sub(MARGIN_MS).max(min)) * self.clock_khz
    }

    /// The most that a packet may be taken late, in ticks: the limit, or a little more where no delay below it is allowed.
    #[must_use]
    pub const fn max(&self) -> u32 {
        let (min, max) = (self.limits.min.as_millis() as u32, self.limits.max.as_millis() as u32);
        let most = if max > min + MARGIN_MS { max } else { min + MARGIN_MS };
        most * self.clock_khz
    }

    /// How late the sample of `timestamp` would be, taken now; negative when the fastest packet would come later.
    #[must_use]
    pub fn of(&self, now: Instant, timestamp: u32) -> i32 {
        let least = self.base.map_or(0, |base| base.least());
        self.ticks(now).wrapping_sub(timestamp).wrapping_sub(least) as i32
    }

    /// The stream starts anew; how late packets come on its path is still known.
    pub fn restart(&mut self) {
        self.base = None;
        self.stalls.restart();
    }

    /// The time in ticks.
    fn ticks(&self, now: Instant) -> u32 {
        let micros = now.as_nanos() / 1_000;
        (micros * u64::from(self.clock_khz) / 1_000) as u32
    }
}

impl Base {
    const fn least(&self) -> u32 {
        if is_less(self.before, self.current) { self.before } else { self.current }
    }
}

/// Among numbers that wrap.
const fn is_less(one: u32, other: u32) -> bool {
    (one.wrapping_sub(other) as i32) < 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: DelayLimits = DelayLimits { min: Duration::from_millis(10), max: DelayLimits::MAX };

    /// A path of so many packets, each late as told.
    fn target_after(packets: u32, late_ms: impl Fn(u32) -> u32) -> u32 {
        let mut delay = Delay::new(8_000, LIMITS);
        let mut last = 0;
        for number in 0..packets {
            last = last.max(1_000 + number * 20 + late_ms(number));
            delay.observe(Instant::from_millis(last.into()), number * 160);
        }
        delay.target() / 8
    }

    #[test]
    fn what_comes_seldom_is_not_waited_for_and_what_comes_often_is() {
        assert_eq!(target_after(2_000, |_| 0), 10);
        // Every hundredth packet: missing 1 % is worse than 60 ms of delay.
        assert_eq!(target_after(2_000, |number| if number % 100 == 50 { 58 } else { 0 }), 60);
        // Once in 40 s: it is not.
        assert_eq!(target_after(2_000, |number| if number == 1_500 { 58 } else { 0 }), 10);
    }

    #[test]
    fn a_path_that_stood_still_once_is_not_waited_for_and_one_that_does_so_often_is() {
        let stall = |number: u32, at: u32| {
            if (at..at + 10).contains(&number) { 200 - 20 * (number - at) } else { 0 }
        };
        assert_eq!(target_after(1_000, |number| stall(number, 500)), 10);
        let often = target_after(2_000, |number| stall(number, number / 250 * 250 + 100));
        assert!((120..=200).contains(&often), "{often} ms for 200 ms every 5 s");
    }

    #[test]
    fn a_path_that_has_become_longer_is_its_own_measure_again() {
        let target = target_after(1_500, |number| if number < 700 { 0 } else { 100 });
        assert!(target <= 15, "{target} ms");
    }

    #[test]
    fn limits_that_leave_no_choice_are_kept_to() {
        let limits = DelayLimits { min: Duration::from_millis(100), max: Duration::from_millis(100) };
        let mut delay = Delay::new(8_000, limits);
        delay.observe(Instant::from_millis(1_000), 0);
        assert_eq!((delay.target() / 8, delay.max() / 8), (100, 160));
    }

    proptest! {
        /// Against looking at every delay there is.
        #[test]
        fn the_delay_that_impairs_least_is_found_without_looking_at_all(
            counts in prop::collection::vec((0..BINS, 0u16..500), 0..30),
            stalled_ms in 0u32..400,
        ) {
            let mut delay = Delay::new(8_000, LIMITS);
            for (number, (bin, count)) in counts.into_iter().enumerate() {
                let counts = if number % 2 == 0 { &mut delay.current } else { &mut delay.before };
                counts[bin] = count;
            }
            let more = |delay_ms: u32| stalled_ms.saturating_sub(delay_ms) as f32 / 10.0;
            let counted = |bin: usize| u32::from(delay.current[bin]) + u32::from(delay.before[bin]);
            let all = (0..BINS).map(counted).sum::<u32>().max(1);
            let impairment = |bin: usize| {
                let delay_ms = (bin as u32 + 1) * BIN_MS;
                let beyond = all.saturating_sub((0..=bin).map(counted).sum());
                let missed_percent = 100.0 * beyond as f32 / all as f32 + more(delay_ms);
                let loss = Impairment::G711.of_loss(missed_percent, 1.0);
                (loss + delay_impairment((ELSEWHERE_MS + delay_ms) as f32), delay_ms)
            };
            let best = (0..BINS).map(impairment).min_by(|one, other| one.0.total_cmp(&other.0));
            prop_assert_eq!(Some(delay.least_impairing(more)), best.map(|(_, delay_ms)| delay_ms));
        }
    }
}
