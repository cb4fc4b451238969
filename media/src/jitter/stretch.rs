//! A little more or less of the same sound: one cycle of the voice is added or left out where it repeats itself anyway,
//! so that pitch and words stay as they are.

use std::time::Duration;

use crate::codec::Rate;
use crate::correlation::{power, product};

/// Cycles looked for: of voices, and of silence, which has any.
const MIN_CYCLE_US: usize = 2_500;
pub(super) const MAX_CYCLE_MS: usize = 10;

/// How alike two cycles must be to be blended into one.
const ALIKE: f32 = 0.85;
/// Where nothing is said anything may be added or left out: a mean square.
const QUIET: u64 = 150 * 150;

/// Samples of two of the longest cycles, at the rate that cycles are looked for at.
const LOOKED_AT: usize = 2 * Rate::Narrowband.samples_in(Duration::from_millis(MAX_CYCLE_MS as u64));

/// Two cycles of `frame` that are alike, or nothing at all; how long one is.
fn cycle(frame: &[i16], rate: Rate) -> Option<usize> {
    let samples = |us: usize| us * rate.hz() as usize / 1_000_000;
    let longest = samples(MAX_CYCLE_MS * 1_000).min(frame.len() / 2);
    if power(frame) < QUIET * frame.len() as u64 {
        return Some(longest).filter(|cycle| *cycle > 0);
    }
    let step = (rate.hz() / Rate::Narrowband.hz()) as usize;
    let mut thinned = [0; LOOKED_AT];
    thinned.iter_mut().zip(frame.iter().step_by(step)).for_each(|(to, from)| *to = *from);
    // How much there is before each sample.
    let mut before = [0; LOOKED_AT + 1];
    let mut all = 0;
    for (sum, sample) in before.iter_mut().skip(1).zip(&thinned) {
        all += power(std::slice::from_ref(sample));
        *sum = all;
    }
    let likeness = |cycle: usize| {
        let (one, other) = thinned[..2 * cycle].split_at(cycle);
        let energy = [before[cycle], before[2 * cycle] - before[cycle]].map(|energy| (energy + 1) as f32);
        product(one, other) as f32 / f32::sqrt(energy[0] * energy[1])
    };
    let cycles = MIN_CYCLE_US * Rate::Narrowband.hz() as usize / 1_000_000..=longest / step;
    let (likeness, best) = cycles
        .map(|cycle| (likeness(cycle), cycle * step))
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

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    /// 20 ms of a tone.
    fn tone(hz: f64, rate: Rate) -> Vec<i16> {
        let step = TAU * hz / f64::from(rate.hz());
        let count = rate.samples_in(Duration::from_millis(20));
        (0..count).map(|n| (9_000.0 * (step * n as f64).sin()) as i16).collect()
    }

    #[test]
    fn what_is_left_out_or_added_is_whole_cycles() {
        for rate in [Rate::Narrowband, Rate::Wideband, Rate::Fullband] {
            for hz in [125.0, 160.0, 200.0] {
                let period = f64::from(rate.hz()) / hz;
                let cycle = cycle(&tone(hz, rate), rate).expect("it repeats itself");
                assert!(
                    (cycle as f64 % period).min(period - cycle as f64 % period) <= 1.0,
                    "{cycle} at {hz} Hz"
                );
                let mut frame = tone(hz, rate);
                assert_eq!(shorten(&mut frame, rate), frame.len() - cycle);
                let mut buffer = tone(hz, rate);
                buffer.resize(2 * frame.len(), 0);
                assert_eq!(lengthen(&mut buffer, frame.len(), rate), frame.len() + cycle);
            }
        }
    }

    #[test]
    fn the_loudest_cycles_have_room_and_silence_has_any() {
        let loud: Vec<i16> = (0..160).map(|n| if n / 20 % 2 == 0 { i16::MIN } else { i16::MAX }).collect();
        assert_eq!(cycle(&loud, Rate::Narrowband), Some(80));
        assert_eq!(cycle(&[0; 160], Rate::Narrowband), Some(80));
        assert_eq!(cycle(&[], Rate::Narrowband), None);
    }
}
