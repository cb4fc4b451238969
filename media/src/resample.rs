//! Conversion of recordings to the rates of prompts: a windowed sinc, evaluated at each output's place.
//!
//! For a rate r the ratio 8000 / r, or 16000 / r, is reduced to L / M; outputs then fall on L different places between inputs, whose
//! weights are made once. Of odd rates there are so many that they are rounded to [`MAX_WEIGHTS`]. The filter passes
//! up to 3.3 kHz (−1 dB) and stops from 4.1 kHz (−60 dB), so that nothing above the telephone band folds back into it, and
//! twice that in wideband; of lower rates it stops what lies above half of them. It delays nothing: the weights are symmetric about the output.

use std::f64::consts::PI;

use crate::codec::Rate;

/// The −6 dB point, in parts of the lower of the two rates.
const CUTOFF: f64 = 0.46;

/// Half the filter's length, in outputs; in inputs, if these are fewer.
const HALF_LENGTH: u32 = 32;

/// The most weights of a conversion: 4 MiB.
const MAX_WEIGHTS: usize = 1 << 20;

/// Converts a recording of `rate_hz`.
pub(crate) fn convert(samples: &[i16], rate_hz: u32, to: Rate) -> Vec<i16> {
    let to_hz = to.hz();
    if rate_hz == to_hz {
        return samples.to_vec();
    }
    let divisor = greatest_common_divisor(to_hz, rate_hz);
    let (outputs, inputs) = ((to_hz / divisor) as usize, (rate_hz / divisor) as usize);
    let reach = (HALF_LENGTH * rate_hz.max(to_hz)).div_ceil(to_hz) as usize;
    let cutoff = CUTOFF * f64::from(to_hz.min(rate_hz)) / f64::from(rate_hz);
    let places = outputs.min(MAX_WEIGHTS / (2 * reach + 2));
    let weights: Vec<Vec<f32>> = (0..=places).map(|place| weights(place, places, cutoff, reach)).collect();
    // Silence before and after, so that every output has all its inputs.
    let mut padded = vec![0.0f32; reach];
    padded.extend(samples.iter().map(|sample| f32::from(*sample)));
    padded.resize(padded.len() + reach + 2, 0.0);
    let count = (samples.len() * outputs).div_ceil(inputs);
    let output = |index: usize| {
        let (first, rest) = (index * inputs / outputs, index * inputs % outputs);
        let taps = padded.get(first..).unwrap_or_default().iter();
        let weights = weights.get((rest * places + outputs / 2) / outputs).map_or(&[][..], Vec::as_slice);
        taps.zip(weights).map(|(sample, weight)| sample * weight).sum::<f32>().round() as i16
    };
    (0..count).map(output).collect()
}

/// Weights of the inputs, cut off at `cutoff` of their rate, from `reach` before to `reach` after, for an output `numerator / outputs` of an input
/// after the middle one; their sum is 1.
fn weights(numerator: usize, outputs: usize, cutoff: f64, reach: usize) -> Vec<f32> {
    let middle = reach as f64 + numerator as f64 / outputs as f64;
    let raw: Vec<f64> = (0..=2 * reach + 1)
        .map(|input| {
            let distance = input as f64 - middle;
            sinc(2.0 * cutoff * distance) * blackman(distance / (reach as f64 + 1.0))
        })
        .collect();
    let sum: f64 = raw.iter().sum();
    raw.into_iter().map(|weight| (weight / sum) as f32).collect()
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// The Blackman window over −1..=1.
fn blackman(x: f64) -> f64 {
    if x.abs() > 1.0 { 0.0 } else { 0.42 + 0.5 * (PI * x).cos() + 0.08 * (2.0 * PI * x).cos() }
}

const fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
