//! Dual tones: digits (ITU-T Q.23, Q.24) and call progress (ITU-T E.180), without a step in phase.

use std::f64::consts::TAU;
use std::time::Duration;

use crate::codec::Rate;
use crate::{Digit, Tone};

/// How long a digit sounds.
pub(crate) const DIGIT_ON: Duration = Duration::from_millis(100);
/// How long it is silent after each digit.
pub(crate) const DIGIT_OFF: Duration = Duration::from_millis(100);

/// Peak of a 0 dBm0 sine: G.711's full scale is +3.17 dBm0.
pub(crate) const PEAK_0_DBM0: f64 = 32_124.0 / 1.440_4;

/// A single tone, or each of a pair's (in dBm0).
const SINGLE_DBM0: f64 = -10.0;
const PROGRESS_DBM0: f64 = -13.0;
/// Beneath what is said.
const ENTRY_DBM0: f64 = -22.0;
/// The high group is sent 2 dB above the low one, since lines weaken high frequencies more (Q.24 allows 4 dB).
const LOW_GROUP_DBM0: f64 = -11.0;
const HIGH_GROUP_DBM0: f64 = -9.0;

/// Up to two tones for some time, then silence for some time; counted in samples.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Burst {
    pub(crate) low: Sine,
    pub(crate) high: Sine,
    pub(crate) on: usize,
    pub(crate) off: usize,
}

impl Burst {
    /// A digit's pair (Q.23).
    pub(crate) fn digit(digit: Digit, rate: Rate) -> Self {
        const LOW_HZ: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
        const HIGH_HZ: [f64; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
        let (row, column) = match digit.as_char() {
            '1' => (0, 0),
            '2' => (0, 1),
            '3' => (0, 2),
            'A' => (0, 3),
            '4' => (1, 0),
            '5' => (1, 1),
            '6' => (1, 2),
            'B' => (1, 3),
            '7' => (2, 0),
            '8' => (2, 1),
            '9' => (2, 2),
            'C' => (2, 3),
            '*' => (3, 0),
            '0' => (3, 1),
            '#' => (3, 2),
            _ => (3, 3),
        };
        Self {
            low: Sine::new(LOW_HZ[row], LOW_GROUP_DBM0, rate),
            high: Sine::new(HIGH_HZ[column], HIGH_GROUP_DBM0, rate),
            on: samples_in(DIGIT_ON, rate),
            off: samples_in(DIGIT_OFF, rate),
        }
    }

    /// One cadence of a call-progress tone.
    pub(crate) fn tone(tone: Tone, rate: Rate) -> Self {
        let second = rate.hz() as usize;
        let pair = |low, high, on, off| Self {
            low: Sine::new(low, PROGRESS_DBM0, rate),
            high: Sine::new(high, PROGRESS_DBM0, rate),
            on,
            off,
        };
        match tone {
            Tone::Ringback => pair(440.0, 480.0, 2 * second, 4 * second),
            Tone::Busy => pair(480.0, 620.0, second / 2, second / 2),
            Tone::Beep => {
                Self { low: Sine::new(1_000.0, SINGLE_DBM0, rate), high: Sine::SILENT, on: second, off: 0 }
            }
            Tone::Zip => Self {
                low: Sine::new(480.0, PROGRESS_DBM0, rate),
                high: Sine::SILENT,
                on: second / 2,
                off: 0,
            },
            Tone::Recording => {
                Self { low: Sine::new(1_400.0, ENTRY_DBM0, rate), high: Sine::SILENT, on: second / 5, off: 0 }
            }
            Tone::Entry => {
                Self { low: Sine::new(800.0, ENTRY_DBM0, rate), high: Sine::SILENT, on: second / 5, off: 0 }
            }
        }
    }

    /// The next sample of the tones.
    pub(crate) fn next_sample(&mut self) -> i16 {
        (self.low.next_sample() + self.high.next_sample()) as i16
    }
}

/// A sine by its recurrence, sin(n+1)φ = 2 cos φ · sin nφ − sin(n−1)φ: one product a sample, no step in phase.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sine {
    twice_cosine: f64,
    current: f64,
    previous: f64,
}

impl Sine {
    const SILENT: Self = Self { twice_cosine: 0.0, current: 0.0, previous: 0.0 };

    pub(crate) fn new(frequency_hz: f64, level_dbm0: f64, rate: Rate) -> Self {
        let phase = TAU * frequency_hz / f64::from(rate.hz());
        let peak = PEAK_0_DBM0 * 10f64.powf(level_dbm0 / 20.0);
        Self { twice_cosine: 2.0 * phase.cos(), current: 0.0, previous: -peak * phase.sin() }
    }

    fn next_sample(&mut self) -> f64 {
        let sample = self.current;
        self.current = self.twice_cosine * sample - self.previous;
        self.previous = sample;
        sample
    }
}

/// Samples of a duration, however long.
pub(crate) fn samples_in(duration: Duration, rate: Rate) -> usize {
    let samples = duration.as_micros() * u128::from(rate.hz()) / 1_000_000;
    usize::try_from(samples).unwrap_or(usize::MAX)
}
