//! Sine tones, each a party's voice.

use std::sync::LazyLock;

/// Samples a second of everything here.
pub const RATE_HZ: u32 = 8_000;

/// About −13 dBm0: well above noise, and two of them do not clip.
const AMPLITUDE: f64 = 7_000.0;

/// One period of 1 Hz; the tone of n Hz takes every n-th sample.
static SINE: LazyLock<Vec<i16>> = LazyLock::new(|| {
    (0..RATE_HZ)
        .map(|n| (f64::from(n) / f64::from(RATE_HZ) * std::f64::consts::TAU).sin() * AMPLITUDE)
        .map(|sample| sample.round() as i16)
        .collect()
});

/// A steady tone.
#[derive(Clone, Debug)]
pub(crate) struct Oscillator {
    hz: u16,
    phase: u32,
}

impl Oscillator {
    pub(crate) const fn new(hz: u16) -> Self {
        Self { hz, phase: 0 }
    }

    pub(crate) fn next_sample(&mut self) -> i16 {
        let sample = SINE.get(self.phase as usize).copied().unwrap_or(0);
        self.phase = (self.phase + u32::from(self.hz)) % RATE_HZ;
        sample
    }
}
