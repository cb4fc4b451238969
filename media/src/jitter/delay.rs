//! How late packets are, and how late they should be taken for hardly any to come too late.
//!
//! The fastest packets of the latest seconds show the path as it is without queues: [`BASE_WINDOW`] is short enough to
//! follow clocks that drift apart, and long enough to hold a fast packet. How much later the others come is counted in
//! a histogram that forgets; the delay is what [`ENOUGH`] of them need.

use std::time::Duration;

use tandem_time::Instant;

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

/// Milliseconds of a histogram's bin.
const BIN_MS: u32 = 5;
const BINS: usize = DelayLimits::MAX.as_millis() as usize / BIN_MS as usize;

/// The part of all packets that comes in time. Those beyond are waited for where the buffer runs dry.
const ENOUGH: f32 = 0.97;

/// Packets that come at once have waited for the same thing, which counts once: one that comes so soon after another
/// weighs less.
const AT_ONCE: Duration = Duration::from_millis(10);
/// … and so little at least.
const LEAST_WEIGHT: f32 = 0.05;

/// What lies between the longest delay that is aimed at and the longest that is borne, so that nothing is left out as
/// too late that is only waited for.
const MARGIN_MS: u32 = 60;

/// So many packets are awaited before the first histogram is believed …
const FIRST_PACKETS: f32 = 20.0;
/// … and until then the delay is at least this.
const FIRST_DELAY_MS: u32 = 30;

/// What a packet weighs when the next one has come: half of what is known is of the latest 350 packets.
const FORGET: f32 = 0.998;
/// … and of the first packets, so that a path is known soon.
const FIRST_FORGET: f32 = 0.9;

/// What is known of a path. Times are in ticks of the stream's clock.
#[derive(Clone, Debug)]
pub struct Delay {
    clock_khz: u32,
    limits: DelayLimits,
    bins: [f32; BINS],
    seen: f32,
    /// The fastest transits of this window and of the one before.
    base: Option<Base>,
    latest: Instant,
}

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
        let clock_khz = clock_hz / 1_000;
        Self { clock_khz, limits, bins: [0.0; BINS], seen: 0.0, base: None, latest: Instant::START }
    }

    /// A packet came.
    pub fn observe(&mut self, now: Instant, timestamp: u32) {
        let transit = self.ticks(now).wrapping_sub(timestamp);
        let until = now + BASE_WINDOW;
        let base = self.base.get_or_insert(Base { current: transit, before: transit, until });
        if now >= base.until {
            *base = Base { current: transit, before: base.current, until };
        }
        if is_less(transit, base.current) {
            base.current = transit;
        }
        let late_ms = transit.wrapping_sub(base.least()) / self.clock_khz;
        let since = now - std::mem::replace(&mut self.latest, now);
        let share = (since.as_secs_f32() / AT_ONCE.as_secs_f32()).clamp(LEAST_WEIGHT, 1.0);
        // One that comes later than could be borne says nothing of how long to wait.
        let bin = (late_ms / BIN_MS) as usize;
        if bin >= BINS {
            return;
        }
        let kept = if self.seen < FIRST_PACKETS { FIRST_FORGET } else { FORGET };
        let weight = share * (1.0 - kept);
        self.bins.iter_mut().for_each(|bin| *bin *= 1.0 - weight);
        self.bins[bin] += weight;
        self.seen += 1.0;
    }

    /// How late packets should be taken, in ticks after the fastest.
    #[must_use]
    pub fn target(&self) -> u32 {
        let all: f32 = self.bins.iter().sum();
        let mut covered = 0.0;
        let enough = self.bins.iter().position(|bin| {
            covered += bin;
            covered >= ENOUGH * all
        });
        let known_ms = (enough.unwrap_or(0) as u32 + 1) * BIN_MS;
        let wanted_ms = if self.seen < FIRST_PACKETS { known_ms.max(FIRST_DELAY_MS) } else { known_ms };
        let (min, max) = (self.limits.min.as_millis() as u32, self.limits.max.as_millis() as u32);
        wanted_ms.clamp(min, max.saturating_sub(MARGIN_MS).max(min)) * self.clock_khz
    }

    /// The most that a packet may be taken late, in ticks.
    #[must_use]
    pub const fn max(&self) -> u32 {
        self.limits.max.as_millis() as u32 * self.clock_khz
    }

    /// How late the sample of `timestamp` would be, taken now; negative when the fastest packet would come later.
    #[must_use]
    pub fn of(&self, now: Instant, timestamp: u32) -> i32 {
        let least = self.base.map_or(0, |base| base.least());
        self.ticks(now).wrapping_sub(timestamp).wrapping_sub(least) as i32
    }

    /// The stream starts anew; how late packets come on its path is still known.
    pub const fn restart(&mut self) {
        self.base = None;
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
