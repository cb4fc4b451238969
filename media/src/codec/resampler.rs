//! Conversion of a stream between 8, 16 and 48 kHz: a windowed sinc in as many phases as the rates' ratio has.
//!
//! It passes what the lower rate can have up to 85 % of its half (3.4 kHz of 4) and stops the rest by 50 dB. All is
//! delayed by [`DELAY`] of the lower rate. Nothing is allocated.

use std::f64::consts::PI;
use std::sync::LazyLock;

use super::Rate;

/// Taps of each phase, at the lower rate.
const TAPS: usize = 32;
/// Samples of the lower rate by which all is later: 2 ms at 8 kHz.
pub const DELAY: usize = TAPS / 2;
/// The highest ratio of two rates.
const MAX_RATIO: usize = 6;
/// Samples converted at a time.
const CHUNK: usize = 160;
/// The −6 dB point, as a part of the lower rate.
const CUTOFF: f64 = 0.47;
/// The shape of Kaiser's window: 50 dB.
const KAISER_BETA: f64 = 4.6;
/// Weights are in units of this.
const UNIT: f64 = 16_384.0;

/// Converts one stream.
#[derive(Clone, Debug)]
pub struct Resampler {
    direction: Direction,
    weights: &'static Weights,
    /// The latest samples, as many as the filter is long, oldest first.
    history: [i16; TAPS * MAX_RATIO],
}

#[derive(Clone, Copy, Debug)]
enum Direction {
    Up,
    /// So many samples until the next output.
    Down {
        wait: usize,
    },
}

/// The filter of one ratio, oldest sample's weight first.
#[derive(Debug)]
struct Weights {
    ratio: usize,
    /// Of each phase between two samples of the lower rate.
    up: Vec<[i16; TAPS]>,
    down: Vec<i16>,
}

static BY_2: LazyLock<Weights> = LazyLock::new(|| Weights::new(2));
static BY_3: LazyLock<Weights> = LazyLock::new(|| Weights::new(3));
static BY_6: LazyLock<Weights> = LazyLock::new(|| Weights::new(6));

impl Resampler {
    /// A converter; none when both rates are the same.
    #[must_use]
    pub fn new(from: Rate, to: Rate) -> Option<Self> {
        let weights = match (from.min(to), from.max(to)) {
            (Rate::Narrowband, Rate::Wideband) => &BY_2,
            (Rate::Wideband, Rate::Fullband) => &BY_3,
            (Rate::Narrowband, Rate::Fullband) => &BY_6,
            _ => return None,
        };
        let direction = if from < to { Direction::Up } else { Direction::Down { wait: weights.ratio } };
        Some(Self { direction, weights, history: [0; TAPS * MAX_RATIO] })
    }

    /// How many samples make `outputs` of them.
    #[must_use]
    pub fn inputs_for(&self, outputs: usize) -> usize {
        match self.direction {
            Direction::Up => outputs.div_ceil(self.weights.ratio),
            Direction::Down { wait } => outputs.saturating_sub(1) * self.weights.ratio + wait,
        }
    }

    /// Converts samples, as far as both reach; how many came out.
    pub fn process(&mut self, samples: &[i16], out: &mut [i16]) -> usize {
        let mut written = 0;
        for chunk in samples.chunks(CHUNK) {
            let Some(rest) = out.get_mut(written..) else { break };
            written += self.process_chunk(chunk, rest);
        }
        written
    }

    fn process_chunk(&mut self, chunk: &[i16], out: &mut [i16]) -> usize {
        let ratio = self.weights.ratio;
        let length = match self.direction {
            Direction::Up => TAPS,
            Direction::Down { .. } => TAPS * ratio,
        };
        let mut work = [0; TAPS * MAX_RATIO + CHUNK];
        let Some(work) = work.get_mut(..length + chunk.len()) else { return 0 };
        let (before, new) = work.split_at_mut(length);
        before.copy_from_slice(&self.history[..length]);
        new.copy_from_slice(chunk);
        let written = match &mut self.direction {
            Direction::Up => {
                let windows = work.windows(TAPS).skip(1);
                let phases = windows.flat_map(|window| self.weights.up.iter().map(|it| weigh(window, it)));
                out.iter_mut().zip(phases).map(|(out, sample)| *out = sample).count()
            }
            Direction::Down { wait } => {
                let windows = work.windows(length).skip(*wait).step_by(ratio);
                let made = windows.map(|window| weigh(window, &self.weights.down));
                let written = out.iter_mut().zip(made).map(|(out, sample)| *out = sample).count();
                let passed = (chunk.len() + ratio).saturating_sub(*wait) / ratio;
                *wait = *wait + passed * ratio - chunk.len();
                written
            }
        };
        self.history[..length].copy_from_slice(&work[chunk.len()..]);
        written
    }
}

fn weigh(window: &[i16], weights: &[i16]) -> i16 {
    let sum: i32 =
        window.iter().zip(weights).map(|(sample, weight)| i32::from(*sample) * i32::from(*weight)).sum();
    ((sum + (1 << 13)) >> 14).clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

impl Weights {
    fn new(ratio: usize) -> Self {
        let length = TAPS * ratio;
        let middle = (length - 1) as f64 / 2.0;
        let tap = |index: usize| {
            let distance = index as f64 - middle;
            sinc(2.0 * CUTOFF * distance / ratio as f64) * kaiser(distance / (middle + 1.0))
        };
        let taps: Vec<f64> = (0..length).map(tap).collect();
        let up = (0..ratio).map(|phase| {
            let of_phase: Vec<f64> = taps.iter().copied().skip(phase).step_by(ratio).collect();
            let weights = normalised(&of_phase);
            std::array::from_fn(|tap| weights.get(TAPS - 1 - tap).copied().unwrap_or_default())
        });
        Self { ratio, up: up.collect(), down: normalised(&taps) }
    }
}

/// The same, with a sum of 1.
fn normalised(taps: &[f64]) -> Vec<i16> {
    let sum: f64 = taps.iter().sum();
    taps.iter().map(|tap| (tap / sum * UNIT).round() as i16).collect()
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// Kaiser's window over −1..=1.
fn kaiser(x: f64) -> f64 {
    bessel(KAISER_BETA * (1.0 - x * x).max(0.0).sqrt()) / bessel(KAISER_BETA)
}

/// The modified Bessel function of the first kind and order 0.
fn bessel(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for n in 1..32 {
        term *= (x / 2.0 / f64::from(n)).powi(2);
        sum += term;
    }
    sum
}
