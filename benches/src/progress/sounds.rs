//! Sounds that are made, not recorded: tones, noise, music, and how a line changes them.

use std::f64::consts::TAU;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng as _;
use tandem_media::codec::g711::Law;
use tandem_peers::RATE_HZ;

/// Peak of a 0 dBm0 sine (ITU-T G.711: full scale is +3.17 dBm0).
const PEAK_0_DBM0: f64 = 32_124.0 / 1.440_4;

/// Samples in so many milliseconds.
pub(super) const fn samples(ms: u32) -> usize {
    (ms * RATE_HZ / 1_000) as usize
}

pub(super) fn silence(ms: u32) -> Vec<i16> {
    vec![0; samples(ms)]
}

/// One tone or several at once, each at that level.
pub(super) fn tone(frequencies_hz: &[f64], level_dbm0: f64, ms: u32) -> Vec<i16> {
    let peak = PEAK_0_DBM0 * 10f64.powf(level_dbm0 / 20.0);
    let at = |n: usize| {
        let seconds = n as f64 / f64::from(RATE_HZ);
        let sum: f64 = frequencies_hz.iter().map(|hz| (TAU * hz * seconds).sin()).sum();
        (peak * sum) as i16
    };
    (0..samples(ms)).map(at).collect()
}

/// A tone on and off, over and over: `cadence_ms` has on, off, on, off …
pub(super) fn cadence(frequencies_hz: &[f64], cadence_ms: &[u32], times: usize) -> Vec<i16> {
    let cycle: Vec<i16> = cadence_ms
        .iter()
        .enumerate()
        .flat_map(|(n, ms)| if n.is_multiple_of(2) { tone(frequencies_hz, -15.0, *ms) } else { silence(*ms) })
        .collect();
    cycle.repeat(times)
}

/// White noise, or that of many voices far away when `is_dull`.
pub(super) fn noise(rng: &mut ChaCha8Rng, level_dbm0: f64, ms: u32, is_dull: bool) -> Vec<i16> {
    let mut last = 0.0;
    let raw: Vec<f64> = (0..samples(ms))
        .map(|_| {
            let white = f64::from(rng.next_u32()) / f64::from(u32::MAX) - 0.5;
            last = if is_dull { 0.85 * last + white } else { white };
            last
        })
        .collect();
    let power = raw.iter().map(|it| it * it).sum::<f64>() / raw.len().max(1) as f64;
    let wanted = (PEAK_0_DBM0 * 10f64.powf(level_dbm0 / 20.0)).powi(2) / 2.0;
    raw.iter().map(|it| (it * (wanted / power).sqrt()) as i16).collect()
}

/// Chords over a bass, each a plucked decay of harmonics, `beat_ms` apart.
pub(super) fn music(rng: &mut ChaCha8Rng, beat_ms: u32, ms: u32) -> Vec<i16> {
    const CHORDS: [[f64; 3]; 4] = [[0.0, 4.0, 7.0], [5.0, 9.0, 12.0], [7.0, 11.0, 14.0], [-3.0, 0.0, 4.0]];
    let key = 196.0 * 2f64.powf(f64::from(rng.next_u32() % 12) / 12.0);
    let mut out = vec![0.0; samples(ms)];
    for beat in 0..ms / beat_ms {
        let chord = CHORDS[(beat / 4) as usize % CHORDS.len()];
        let melody = chord[rng.next_u32() as usize % 3] + 12.0;
        let notes = [(chord[0] - 12.0, 0.5), (chord[1], 0.3), (chord[2], 0.3), (melody, 0.6)];
        for (n, place) in out.iter_mut().skip(samples(beat * beat_ms)).enumerate().take(samples(beat_ms * 2))
        {
            let seconds = n as f64 / f64::from(RATE_HZ);
            for (semitone, loud) in notes {
                let hz = key * 2f64.powf(semitone / 12.0);
                let wave = (1..=3).map(|h| (TAU * hz * f64::from(h) * seconds).sin() / f64::from(h * h));
                *place += loud * (-2.5 * seconds).exp() * wave.sum::<f64>();
            }
        }
    }
    let peak = out.iter().fold(0.0, |peak: f64, it| peak.max(it.abs()));
    out.iter().map(|it| (it / peak * 12_000.0) as i16).collect()
}

/// The same with its mean level over what is loud at that.
pub(super) fn at_level(mut audio: Vec<i16>, level_dbm0: f64) -> Vec<i16> {
    let loud: Vec<f64> = audio.iter().map(|it| f64::from(*it)).filter(|it| it.abs() > 100.0).collect();
    let power = loud.iter().map(|it| it * it).sum::<f64>() / loud.len().max(1) as f64;
    let wanted = (PEAK_0_DBM0 * 10f64.powf(level_dbm0 / 20.0)).powi(2) / 2.0;
    let gain = (wanted / power.max(1.0)).sqrt();
    for sample in &mut audio {
        *sample = (f64::from(*sample) * gain).clamp(-32_124.0, 32_124.0) as i16;
    }
    audio
}

pub(super) fn mixed(mut audio: Vec<i16>, with: &[i16]) -> Vec<i16> {
    for (sample, more) in audio.iter_mut().zip(with) {
        *sample = sample.saturating_add(*more);
    }
    audio
}

/// As it comes out of a line.
pub(super) fn coded(mut audio: Vec<i16>, law: Law) -> Vec<i16> {
    for sample in &mut audio {
        *sample = law.decode(law.encode(*sample));
    }
    audio
}
