//! What is heard instead of a lost packet: the latest pitch cycles again and again, weaker and weaker, as in ITU-T G.711
//! Appendix I.
//!
//! In its first 10 ms a gap is filled with the last cycle, then with the last three, lest it buzz; from 10 ms on it fades,
//! and at 60 ms it is silence. Other than there nothing is held back to be cross-faded with the beginning of a gap: what
//! steps there is spread over the first milliseconds instead, so that no delay is added to good packets.

use super::Rate;
use crate::correlation::{power, product};

/// The highest rate that samples are concealed at: Opus conceals by itself.
const MAX_KHZ: usize = 16;
/// What is remembered: three of the longest cycles, and what the search looks back on.
const HISTORY_MS: usize = 50;
const HISTORY: usize = HISTORY_MS * MAX_KHZ;
/// Voices are between 66 and 200 Hz low; cycles of higher ones come several at a time.
const MIN_CYCLE_MS: usize = 5;
const MAX_CYCLE_MS: usize = 15;
/// The cycle is what the last so many milliseconds resemble best.
const LOOK_MS: usize = 20;
/// The gap's first part, one cycle long in variety.
const ONE_CYCLE_MS: usize = 10;
/// Cycles after that.
const CYCLES: usize = 3;
/// It sounds in full until here …
const FADE_FROM_MS: usize = 10;
/// … and not at all from here.
const FADE_TO_MS: usize = 60;
/// What is spread where two pieces do not meet, and where the stream goes on.
const SEAM_MS: usize = 3;

/// Fills the gaps of one stream.
#[derive(Clone, Debug)]
pub(super) struct Concealment {
    /// Samples of a millisecond.
    khz: usize,
    /// The latest samples, filled in ones included; newest last.
    history: [i16; HISTORY],
    gap: Option<Gap>,
}

/// A gap that is being filled, out of the history of its beginning.
#[derive(Clone, Copy, Debug)]
struct Gap {
    /// Samples of a cycle.
    cycle: usize,
    /// How far back from the gap's beginning the next sample is taken from.
    back: usize,
    /// Samples filled so far.
    filled: usize,
    /// How far the last seam was off, and samples since.
    seam: f32,
    since: usize,
}

impl Concealment {
    pub(super) fn new(rate: Rate) -> Self {
        let khz = (rate.hz() / 1_000) as usize;
        Self { khz: khz.min(MAX_KHZ), history: [0; HISTORY], gap: None }
    }

    /// Takes samples that came; the first ones after a gap are blended with what filled it.
    pub(super) fn heard(&mut self, samples: &mut [i16]) {
        if let Some(mut gap) = self.gap.take() {
            let seam = SEAM_MS * self.khz;
            for (n, sample) in samples.iter_mut().take(seam).enumerate() {
                let share = n as f32 / seam as f32;
                let filling = f32::from(self.fill(&mut gap));
                *sample = (share * f32::from(*sample) + (1.0 - share) * filling) as i16;
            }
            if gap.filled >= FADE_TO_MS * self.khz {
                // What was before the silence says nothing of what comes after it.
                self.history = [0; HISTORY];
            }
        }
        self.remember(samples);
    }

    /// Fills samples that did not come.
    pub(super) fn conceal(&mut self, samples: &mut [i16]) {
        let mut gap = self.gap.unwrap_or_else(|| self.begin());
        for sample in samples.iter_mut() {
            *sample = self.fill(&mut gap);
        }
        self.gap = Some(gap);
    }

    fn begin(&self) -> Gap {
        let cycle = self.cycle();
        let mut gap = Gap { cycle, back: cycle, filled: 0, seam: 0.0, since: 0 };
        gap.seam = self.at(1) - self.at(cycle + 1);
        gap
    }

    /// The next sample of a gap.
    fn fill(&self, gap: &mut Gap) -> i16 {
        if gap.filled == ONE_CYCLE_MS * self.khz {
            let before = self.at(gap.back + 1);
            gap.back += (CYCLES - 1) * gap.cycle;
            gap.seam = before - self.at(gap.back + 1);
            gap.since = 0;
        }
        let seam_len = SEAM_MS * self.khz;
        let seam = gap.seam * seam_len.saturating_sub(gap.since) as f32 / seam_len as f32;
        let sample = (self.at(gap.back) + seam) * self.gain(gap.filled);
        gap.since += 1;
        gap.filled += 1;
        gap.back -= 1;
        if gap.back == 0 {
            let cycles = if gap.filled < ONE_CYCLE_MS * self.khz { 1 } else { CYCLES };
            gap.back = cycles * gap.cycle;
            gap.seam = self.at(1) - self.at(gap.back + 1);
            gap.since = 0;
        }
        sample.clamp(i16::MIN.into(), i16::MAX.into()) as i16
    }

    fn gain(&self, filled: usize) -> f32 {
        let (from, to) = (FADE_FROM_MS * self.khz, FADE_TO_MS * self.khz);
        if filled < from { 1.0 } else { to.saturating_sub(filled) as f32 / (to - from) as f32 }
    }

    /// The sample so far back; 1 is the newest.
    fn at(&self, back: usize) -> f32 {
        HISTORY.checked_sub(back).and_then(|at| self.history.get(at)).copied().map_or(0.0, f32::from)
    }

    /// The lag at which the latest samples are most like those before: coarsely on every other sample, then on all near
    /// the best.
    fn cycle(&self) -> usize {
        let (min, max) = (MIN_CYCLE_MS * self.khz, MAX_CYCLE_MS * self.khz);
        let look = LOOK_MS * self.khz;
        let mut thinned = [0; HISTORY / 2];
        thinned.iter_mut().zip(self.history.iter().step_by(2)).for_each(|(to, from)| *to = *from);
        let coarsely = |lag: usize| likeness(&thinned, look / 2, lag / 2);
        let closely = |lag: usize| likeness(&self.history, look, lag);
        let coarse = (min..=max).step_by(2).map(|lag| (coarsely(lag), lag));
        let best = coarse.max_by(|one, other| one.0.total_cmp(&other.0)).map_or(min, |(_, lag)| lag);
        let fine = (best.saturating_sub(1).max(min)..=(best + 1).min(max)).map(|lag| (closely(lag), lag));
        fine.max_by(|one, other| one.0.total_cmp(&other.0)).map_or(best, |(_, lag)| lag)
    }

    fn remember(&mut self, samples: &[i16]) {
        // At lower rates there is less of it, at its end.
        let Some(history) = self.history.get_mut(HISTORY - HISTORY_MS * self.khz..) else { return };
        let latest = samples.get(samples.len().saturating_sub(history.len())..).unwrap_or_default();
        let kept = history.len() - latest.len();
        history.copy_within(latest.len().., 0);
        if let Some(end) = history.get_mut(kept..) {
            end.copy_from_slice(latest);
        }
    }
}

/// The normalised correlation of the latest `look` samples with those before them by a lag.
fn likeness(history: &[i16], look: usize, lag: usize) -> f32 {
    let start = history.len().saturating_sub(look);
    let latest = history.get(start..).unwrap_or_default();
    let before = history.get(start.saturating_sub(lag)..).unwrap_or_default();
    let before = before.get(..look).unwrap_or(before);
    product(latest, before) as f32 / ((power(before) + 1) as f32).sqrt()
}
