//! Keys heard as in-band dual tones (ITU-T Q.23), within the limits of Q.24: 40 ms on and 40 ms off are a key, 20 ms
//! are none, ±1.5 % of the frequency is right and ±3.5 % is wrong, either tone may be 8 dB above the other, each may
//! be as weak as −36 dBm0, and a break of 10 ms does not make one key two. Speech is not a key.
//!
//! Every 5 ms the last 15 ms are looked at. What a tone's frequency is, its turning against the nominal one since the
//! last look tells: no filter that passes 1.5 % and stops 3.5 % answers within 15 ms, a phase does. What remains when
//! both tones are taken out must be less than a third of all there is; speech seldom has so little for so long.

use std::f32::consts::TAU;
use std::sync::LazyLock;

use crate::spectrum::Complex;
use crate::{Audio, Digit};

/// The keys by low tone and high tone.
const KEYS: [[char; 4]; 4] =
    [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];
/// The low group, then the high group.
const TONES_HZ: [f32; 8] = [697.0, 770.0, 852.0, 941.0, 1_209.0, 1_336.0, 1_477.0, 1_633.0];
const GROUP: usize = 4;

/// Samples between two looks: 5 ms.
const BLOCK: usize = 40;
/// Blocks of a look: 15 ms.
const BLOCKS: usize = 3;
const WINDOW: f32 = (BLOCK * BLOCKS) as f32;

/// Looks in a row that make a key: a tone of 40 ms has them in any position, one of 20 ms in none.
const LOOKS_TO_PRESS: u8 = 4;
/// Looks in a row without it that end it: more than a break of 10 ms has, fewer than a pause of 40 ms.
const LOOKS_TO_RELEASE: u8 = 5;
/// How far a tone may be from its frequency: between the 1.5 % that must do and the 3.5 % that must not.
const MAX_DEVIATION: f32 = 0.025;
/// How much stronger than the other one either tone may be, as a ratio of powers: 8 dB, and 1 dB for the noise.
const MAX_TWIST: f32 = 7.94;
/// Mean square of the weakest tone: −36 dBm0, less 2 dB for the noise. G.711's full scale is +3.17 dBm0.
const MIN_POWER: f32 = 32_124.0 * 32_124.0 / 2.0 * 5.89e-5;
/// The part of all power that both tones have at least.
const MIN_SHARE: f32 = 0.7;

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    /// It went down, some 30 ms ago.
    Pressed(Digit),
    /// It went up, some 30 ms ago.
    Released,
}

/// Listens to one party, at [`Audio::RATE_HZ`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Detector {
    resonators: Resonators,
    /// Samples in the block that is being gathered.
    gathered: usize,
    energy: f32,
    /// The latest blocks, newest last.
    blocks: [Block; BLOCKS],
    /// The sums of the look before.
    before: [Complex; TONES_HZ.len()],
    keypad: Keypad,
}

/// The key that is down, and what the latest looks made of it.
#[derive(Clone, Copy, Debug, Default)]
struct Keypad {
    down: Option<Digit>,
    /// Looks in a row that did not show it.
    missing: u8,
    /// What the last look showed …
    shown: Option<Digit>,
    /// … and how many before it, with it, showed the same.
    looks: u8,
}

/// A block's energy, and its correlation with each tone.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    energy: f32,
    tones: [Complex; TONES_HZ.len()],
}

impl Detector {
    /// Takes what the party sent next; tells what keys did.
    pub(crate) fn hear(&mut self, samples: impl Iterator<Item = i16>, mut tell: impl FnMut(Edge)) {
        for sample in samples {
            let sample = f32::from(sample);
            self.resonators.take(sample);
            self.energy += sample * sample;
            self.gathered += 1;
            if self.gathered == BLOCK {
                self.gathered = 0;
                self.end_block(&mut tell);
            }
        }
    }

    /// Whether what is heard now is a key, or begins like one: who gets keys by another way should not hear it.
    pub(crate) const fn is_suspicious(&self) -> bool {
        self.keypad.down.is_some() || (self.keypad.shown.is_some() && self.keypad.looks > 1)
    }

    fn end_block(&mut self, tell: &mut impl FnMut(Edge)) {
        let tones = self.resonators.finish();
        self.blocks.rotate_left(1);
        if let Some(newest) = self.blocks.last_mut() {
            *newest = Block { energy: std::mem::take(&mut self.energy), tones };
        }
        let shown = self.look();
        self.keypad.look(shown, tell);
    }

    /// The key whose tones the latest blocks are.
    fn look(&mut self) -> Option<Digit> {
        let turns = &TABLES.block_turn;
        let mut sums = [Complex::default(); TONES_HZ.len()];
        for block in &self.blocks {
            for ((sum, tone), turn) in sums.iter_mut().zip(&block.tones).zip(turns) {
                // Each block has the phase of its own last sample; what is older turns on by a block.
                *sum = *sum * *turn + *tone;
            }
        }
        let before = std::mem::replace(&mut self.before, sums);
        let power: f32 = self.blocks.iter().map(|block| block.energy).sum::<f32>() / WINDOW;
        let strongest = |group: usize| {
            let tones = group * GROUP..(group + 1) * GROUP;
            tones.max_by(|a, b| sums[*a].square().total_cmp(&sums[*b].square()))
        };
        let (low, high) = (strongest(0)?, strongest(1)?);
        let heard = |tone: usize| Heard { hz: TONES_HZ[tone], sum: sums[tone], before: before[tone] };
        let (low_heard, high_heard) = (heard(low), heard(high));
        let low_power = low_heard.without(&high_heard).power()?;
        let high_power = high_heard.without(&low_heard).power()?;
        let alike = low_power <= high_power * MAX_TWIST && high_power <= low_power * MAX_TWIST;
        let strong = low_power.min(high_power) >= MIN_POWER;
        let alone = low_power + high_power >= MIN_SHARE * power;
        if !(alike && strong && alone) {
            return None;
        }
        Digit::from_char(KEYS[low][high - GROUP])
    }
}

/// A tone's sums of two looks, a block apart, as they were found at its nominal frequency.
#[derive(Clone, Copy, Debug)]
struct Heard {
    hz: f32,
    sum: Complex,
    before: Complex,
}

impl Heard {
    /// How far the tone is from its nominal frequency, by its turning between the looks.
    fn deviation_hz(&self) -> f32 {
        let turn = Complex::unit(radians(self.hz) * BLOCK as f32);
        let turned = self.sum * (self.before * turn).conjugate();
        turned.argument() / radians(1.0) / BLOCK as f32
    }

    /// The same without what another tone adds to it, which is much when that is the stronger one.
    fn without(&self, other: &Self) -> Self {
        let at = other.hz + other.deviation_hz();
        let share = window(at - self.hz) * window(at - other.hz).inverse();
        let less = |sum: Complex, other: Complex| sum + Complex::new(-1.0, 0.0) * share * other;
        Self { hz: self.hz, sum: less(self.sum, other.sum), before: less(self.before, other.before) }
    }

    /// The tone's mean square; none when its frequency is another one.
    fn power(&self) -> Option<f32> {
        let deviation_hz = self.deviation_hz();
        let right = deviation_hz.abs() <= MAX_DEVIATION * self.hz;
        right.then(|| 2.0 * self.sum.square() / window(deviation_hz).square())
    }
}

/// What a look has of a tone of amplitude 1 that is `hz` away from the frequency looked for.
fn window(hz: f32) -> Complex {
    let half = radians(hz) / 2.0;
    let sum = if half.abs() < 1e-4 { WINDOW } else { (half * WINDOW).sin() / half.sin() };
    Complex::unit(-half * (WINDOW - 1.0)) * Complex::new(sum, 0.0)
}

/// How far a frequency turns in a sample.
fn radians(hz: f32) -> f32 {
    TAU * hz / Audio::RATE_HZ as f32
}

impl Keypad {
    fn look(&mut self, shown: Option<Digit>, mut tell: impl FnMut(Edge)) {
        self.looks = if shown == self.shown { self.looks.saturating_add(1) } else { 1 };
        self.missing = if shown == self.down { 0 } else { self.missing.saturating_add(1) };
        self.shown = shown;
        let pressed = shown.filter(|_| self.looks >= LOOKS_TO_PRESS && shown != self.down);
        if self.down.is_some() && (pressed.is_some() || self.missing >= LOOKS_TO_RELEASE) {
            self.down = None;
            tell(Edge::Released);
        }
        if let Some(pressed) = pressed {
            self.down = Some(pressed);
            self.missing = 0;
            tell(Edge::Pressed(pressed));
        }
    }
}

/// Goertzel's recurrence for all tones at once, over one block.
#[derive(Clone, Copy, Debug, Default)]
struct Resonators {
    last: [f32; TONES_HZ.len()],
    before: [f32; TONES_HZ.len()],
}

impl Resonators {
    #[inline]
    fn take(&mut self, sample: f32) {
        for ((last, before), twice_cosine) in
            self.last.iter_mut().zip(&mut self.before).zip(&TABLES.twice_cosine)
        {
            let next = sample + twice_cosine * *last - *before;
            *before = std::mem::replace(last, next);
        }
    }

    /// The block's correlations with each tone that is at phase zero in its last sample; begins anew.
    fn finish(&mut self) -> [Complex; TONES_HZ.len()] {
        let done = std::mem::take(self);
        std::array::from_fn(|tone| {
            let turn = TABLES.sample_turn[tone];
            Complex { re: done.last[tone] - done.before[tone] * turn.re, im: done.before[tone] * turn.im }
        })
    }
}

/// What is the same for every detector.
struct Tables {
    twice_cosine: [f32; TONES_HZ.len()],
    /// How far each tone turns in a sample …
    sample_turn: [Complex; TONES_HZ.len()],
    /// … and in a block.
    block_turn: [Complex; TONES_HZ.len()],
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let turn = |samples: f32| TONES_HZ.map(|hz| Complex::unit(radians(hz) * samples));
    let sample_turn = turn(1.0);
    Tables {
        twice_cosine: sample_turn.map(|turn| 2.0 * turn.re),
        sample_turn,
        block_turn: turn(BLOCK as f32),
    }
});

#[cfg(test)]
#[path = "dtmf/tests.rs"]
mod tests;
