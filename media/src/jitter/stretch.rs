//! A little more or less of the same sound: one cycle of the voice is added or left out where it repeats itself anyway,
//! so that pitch and words stay as they are.

use crate::codec::Rate;

/// Cycles looked for: of voices, and of silence, which has any.
const MIN_CYCLE_US: usize = 2_500;
pub(super) const MAX_CYCLE_MS: usize = 10;

/// How alike two cycles must be to be blended into one.
const ALIKE: f32 = 0.85;
/// Where nothing is said anything may be added or left out: a mean square.
const QUIET: f32 = 150.0 * 150.0;

/// Two cycles of `frame` that are alike, or nothing at all; how long one is.
fn cycle(frame: &[i16], rate: Rate) -> Option<usize> {
    let samples = |us: usize| us * rate.hz() as usize / 1_000_000;
    let longest = samples(MAX_CYCLE_MS * 1_000).min(frame.len() / 2);
    let energy = mean_square(frame);
    if energy < QUIET {
        return Some(longest).filter(|cycle| *cycle > 0);
    }
    let step = (rate.hz() / 8_000) as usize;
    let cycles = (samples(MIN_CYCLE_US)..=longest).step_by(step);
    let (likeness, best) = cycles
        .map(|cycle| (likeness(frame, cycle, step), cycle))
        .max_by(|(one, _), (other, _)| one.total_cmp(other))?;
    (likeness > ALIKE).then_some(best)
}

/// Leaves a cycle out; how many samples are left.
pub(super) fn shorten(frame: &mut [i16], rate: Rate) -> usize {
    let Some(cycle) = cycle(frame, rate) else { return frame.len() };
    for at in 0..cycle {
        frame[at] = blend(frame[at], frame[at + cycle], at, cycle);
    }
    frame.copy_within(2 * cycle.., cycle);
    frame.len() - cycle
}

/// Says a cycle once more: `buffer` begins with a frame of `len`, and has room behind it; how many samples there are
/// then.
pub(super) fn lengthen(buffer: &mut [i16], len: usize, rate: Rate) -> usize {
    let Some(cycle) = buffer.get(..len).and_then(|frame| cycle(frame, rate)) else { return len };
    if buffer.len() < len + cycle {
        return len;
    }
    // The first cycle, then the second turning into the first again, then the second and all that follows.
    buffer.copy_within(cycle..len, 2 * cycle);
    for at in 0..cycle {
        buffer[cycle + at] = blend(buffer[2 * cycle + at], buffer[at], at, cycle);
    }
    len + cycle
}

/// From one to the other, `at` of `of`.
fn blend(one: i16, other: i16, at: usize, of: usize) -> i16 {
    let share = at as f32 / of as f32;
    (f32::from(one) * (1.0 - share) + f32::from(other) * share) as i16
}

fn mean_square(samples: &[i16]) -> f32 {
    let sum: f32 = samples.iter().map(|sample| f32::from(*sample) * f32::from(*sample)).sum();
    sum / samples.len().max(1) as f32
}

/// The normalised correlation of the first two cycles.
fn likeness(frame: &[i16], cycle: usize, step: usize) -> f32 {
    let pairs = frame.iter().zip(frame.iter().skip(cycle)).take(cycle).step_by(step);
    let (product, one, other) = pairs.fold((0.0, 1.0, 1.0), |(product, one, other), (a, b)| {
        let (a, b) = (f32::from(*a), f32::from(*b));
        (product + a * b, one + a * a, other + b * b)
    });
    product / f32::sqrt(one * other)
}
