//! What tone measurements share: complex numbers, and the spectrum of a short piece of sound.

use std::f32::consts::TAU;
use std::ops::{Add, Mul, Sub};
use std::sync::LazyLock;

use crate::Audio;

/// Samples of a spectrum: 32 ms.
pub(crate) const LEN: usize = 256;
/// Frequencies of a spectrum, from 0 Hz up.
pub(crate) const BINS: usize = LEN / 2;
/// How far two of them are apart.
pub(crate) const BIN_HZ: f32 = Audio::RATE_HZ as f32 / LEN as f32;

/// Mean square of a tone of 0 dBm0: G.711's full scale is +3.17 dBm0 with µ-law.
pub(crate) const POWER_0_DBM0: f32 = 32_124.0 * 32_124.0 / 2.0 / 2.075;

/// A mean square of samples as a level; silence is −100 dBm0.
pub(crate) fn dbm0(mean_square: f32) -> f32 {
    10.0 * (mean_square / POWER_0_DBM0).max(1e-10).log10()
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Complex {
    pub(crate) re: f32,
    pub(crate) im: f32,
}

impl Complex {
    pub(crate) const fn new(re: f32, im: f32) -> Self {
        Self { re, im }
    }

    pub(crate) fn unit(argument: f32) -> Self {
        Self { re: argument.cos(), im: argument.sin() }
    }

    pub(crate) const fn conjugate(self) -> Self {
        Self { re: self.re, im: -self.im }
    }

    pub(crate) const fn square(self) -> f32 {
        self.re * self.re + self.im * self.im
    }

    pub(crate) fn inverse(self) -> Self {
        let square = self.square();
        Self { re: self.re / square, im: -self.im / square }
    }

    pub(crate) fn argument(self) -> f32 {
        self.im.atan2(self.re)
    }
}

impl Add for Complex {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { re: self.re + other.re, im: self.im + other.im }
    }
}

impl Sub for Complex {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { re: self.re - other.re, im: self.im - other.im }
    }
}

impl Mul for Complex {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self { re: self.re * other.re - self.im * other.im, im: self.re * other.im + self.im * other.re }
    }
}

/// The power at each frequency, under a Hann window: a tone's is within two bins of it.
pub(crate) fn power(samples: &[f32; LEN]) -> [f32; BINS] {
    let tables = &*TABLES;
    let mut values = [Complex::default(); LEN];
    for (value, from) in values.iter_mut().zip(&tables.order) {
        value.re = samples[usize::from(*from)] * tables.window[usize::from(*from)];
    }
    let mut half = 1;
    while half < LEN {
        let stride = BINS / half;
        for block in values.chunks_exact_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            let turns = tables.turns.iter().step_by(stride);
            for ((low, high), turn) in low.iter_mut().zip(high).zip(turns) {
                let turned = *high * *turn;
                *high = *low - turned;
                *low = *low + turned;
            }
        }
        half *= 2;
    }
    std::array::from_fn(|bin| values[bin].square())
}

/// What is the same for every spectrum.
struct Tables {
    window: [f32; LEN],
    /// Where each value of the first stage comes from: bits in reverse.
    order: [u8; LEN],
    turns: [Complex; BINS],
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| Tables {
    window: std::array::from_fn(|n| 0.5 - 0.5 * (TAU * n as f32 / LEN as f32).cos()),
    order: std::array::from_fn(|n| (n as u8).reverse_bits()),
    turns: std::array::from_fn(|n| Complex::unit(-TAU * n as f32 / LEN as f32)),
});

#[cfg(test)]
mod tests {
    use super::*;

    /// Parseval: the power of all frequencies is that of the windowed samples.
    #[test]
    fn a_tone_s_power_is_at_its_frequency_and_complete() {
        for bin in [10, 33, 100] {
            let hz = bin as f32 * BIN_HZ;
            let samples: [f32; LEN] =
                std::array::from_fn(|n| (TAU * hz * n as f32 / Audio::RATE_HZ as f32).sin());
            let power = power(&samples);
            let all: f32 = power.iter().sum();
            let near: f32 = power[bin - 1..=bin + 1].iter().sum();
            assert!(near > 0.999 * all, "{hz} Hz");
            let windowed: f32 = samples.iter().zip(&TABLES.window).map(|(s, w)| (s * w) * (s * w)).sum();
            let expected = windowed * LEN as f32 / 2.0;
            assert!((all / expected - 1.0).abs() < 0.01, "{all} and {expected}");
        }
    }

    #[test]
    fn full_scale_is_the_level_that_g711_says() {
        assert!((dbm0(32_124.0 * 32_124.0 / 2.0) - 3.17).abs() < 0.02);
        assert!(dbm0(0.0) <= -100.0);
    }
}
