//! Goertzel's algorithm over several frequencies at once.

use crate::tone::RATE_HZ;

/// Frequencies worked on side by side, as many as fit a vector register twice.
const LANES: usize = 8;

/// A tone stands out when it holds this share of the energy.
const SHARE: f32 = 0.12;

/// A set of frequencies.
#[derive(Clone, Debug)]
pub(crate) struct Bank {
    frequencies: Vec<u16>,
    coefficients: Vec<[f32; LANES]>,
}

impl Bank {
    pub(crate) fn new(frequencies: &[u16]) -> Self {
        let coefficients = frequencies
            .chunks(LANES)
            .map(|chunk| {
                let mut lanes = [0.0; LANES];
                for (lane, hz) in lanes.iter_mut().zip(chunk) {
                    let turn = f64::from(*hz) / f64::from(RATE_HZ) * std::f64::consts::TAU;
                    *lane = (2.0 * turn.cos()) as f32;
                }
                lanes
            })
            .collect();
        Self { frequencies: frequencies.to_vec(), coefficients }
    }

    /// The share of `energy` (the sum of squares of `samples`) that each frequency holds, in their order.
    pub(crate) fn shares(&self, samples: &[f32], energy: f32) -> Vec<f32> {
        let scale = 2.0 / (energy.max(1.0) * samples.len().max(1) as f32);
        let mut shares = Vec::with_capacity(self.coefficients.len() * LANES);
        for coefficients in &self.coefficients {
            shares.extend(powers(samples, coefficients).map(|power| power * scale));
        }
        shares.truncate(self.frequencies.len());
        shares
    }

    /// The frequencies that stand out, the strongest first.
    pub(crate) fn standing_out(&self, samples: &[f32], energy: f32) -> Vec<u16> {
        let shares = self.shares(samples, energy);
        let mut out: Vec<(f32, u16)> =
            shares.into_iter().zip(self.frequencies.iter().copied()).filter(|(s, _)| *s > SHARE).collect();
        out.sort_by(|a, b| b.0.total_cmp(&a.0));
        out.into_iter().map(|(_, hz)| hz).collect()
    }
}

fn powers(samples: &[f32], coefficients: &[f32; LANES]) -> [f32; LANES] {
    let (mut last, mut before) = ([0.0_f32; LANES], [0.0_f32; LANES]);
    for sample in samples {
        for lane in 0..LANES {
            let next = sample + coefficients[lane] * last[lane] - before[lane];
            before[lane] = last[lane];
            last[lane] = next;
        }
    }
    let mut powers = [0.0; LANES];
    for lane in 0..LANES {
        powers[lane] = last[lane] * last[lane] + before[lane] * before[lane]
            - coefficients[lane] * last[lane] * before[lane];
    }
    powers
}
