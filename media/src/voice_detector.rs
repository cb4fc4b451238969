//! Whether a party speaks: enough energy for long enough, above the noise of its line.
//!
//! Made to stop a prompt, not to judge an answer: it must come soon, and may take a cough for a word. What is heard of our
//! own prompt in the party's audio (echo of the line) is below [`THRESHOLD_DBM0`] on lines within ITU-T G.131.

use crate::Audio;
use crate::tone::PEAK_0_DBM0;

/// Weaker than this is no voice, however silent the line. Speech at a telephone is about −20 dBm0 (ITU-T P.56).
pub(crate) const THRESHOLD_DBM0: f64 = -38.0;
/// How much louder than the line's noise voice is.
const ABOVE_NOISE_DB: f64 = 9.0;
/// How fast the noise is believed to rise. It is believed to fall at once.
const NOISE_RISES_DB_PER_S: f64 = 6.0;
/// The noise of a line that nothing is known of.
const FIRST_NOISE_DBM0: f64 = -60.0;

/// How long energy is gathered before it is judged: 10 ms.
const FRAME: usize = Audio::RATE_HZ as usize / 100;
/// Of the latest 20 frames …
const WINDOW: u32 = 20;
/// … as many as these must be loud: 120 ms, longer than a click and shorter than a word.
pub(crate) const LOUD_FRAMES: u32 = 12;

/// Takes out hum: −3 dB at 200 Hz.
const HUM_POLE: f32 = 0.85;

/// Listens to one party, at [`Audio::RATE_HZ`].
#[derive(Clone, Debug)]
pub(crate) struct VoiceDetector {
    noise: f32,
    previous: f32,
    filtered: f32,
    gathered: usize,
    energy: f32,
    /// Whether each of the latest frames was loud, the latest in the lowest bit.
    loud: u32,
}

impl Default for VoiceDetector {
    fn default() -> Self {
        Self {
            noise: power(FIRST_NOISE_DBM0),
            previous: 0.0,
            filtered: 0.0,
            gathered: 0,
            energy: 0.0,
            loud: 0,
        }
    }
}

impl VoiceDetector {
    /// Takes samples; whether somebody speaks now.
    pub(crate) fn hear(&mut self, samples: impl IntoIterator<Item = i16>) -> bool {
        let mut heard = false;
        for sample in samples {
            let sample = f32::from(sample);
            self.filtered = sample - self.previous + HUM_POLE * self.filtered;
            self.previous = sample;
            self.energy += self.filtered * self.filtered;
            self.gathered += 1;
            if self.gathered == FRAME {
                heard |= self.judge();
            }
        }
        heard
    }

    fn judge(&mut self) -> bool {
        let level = self.energy / FRAME as f32;
        (self.gathered, self.energy) = (0, 0.0);
        let is_loud = level > power(THRESHOLD_DBM0) && level > self.noise * ratio(ABOVE_NOISE_DB);
        self.noise = level.clamp(1.0, self.noise * ratio(NOISE_RISES_DB_PER_S / 100.0));
        self.loud = self.loud << 1 & ((1 << WINDOW) - 1) | u32::from(is_loud);
        self.loud.count_ones() >= LOUD_FRAMES
    }
}

/// The mean square of a sine at that level.
fn power(dbm0: f64) -> f32 {
    (PEAK_0_DBM0 * PEAK_0_DBM0 / 2.0) as f32 * ratio(dbm0)
}

fn ratio(decibels: f64) -> f32 {
    10f64.powf(decibels / 10.0) as f32
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::codec::Rate;
    use crate::tone::samples_in;

    /// Noise of a level, as wide as the band.
    fn noise(dbm0: f64, milliseconds: u64, seed: u64) -> Vec<i16> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let peak = f64::from(power(dbm0)).sqrt() * 3f64.sqrt();
        let uniform = |rng: &mut ChaCha8Rng| f64::from(rng.next_u32()) / f64::from(u32::MAX) * 2.0 - 1.0;
        (0..samples_in(Duration::from_millis(milliseconds), Rate::Narrowband))
            .map(|_| (peak * uniform(&mut rng)) as i16)
            .collect()
    }

    /// Something like syllables: 160 ms of sound and 80 ms without, over and over.
    fn speech(dbm0: f64, milliseconds: u64) -> Vec<i16> {
        let sound = noise(dbm0, milliseconds, 7);
        let syllable = samples_in(Duration::from_millis(240), Rate::Narrowband);
        let on = samples_in(Duration::from_millis(160), Rate::Narrowband);
        sound.into_iter().enumerate().map(|(n, s)| if n % syllable < on { s } else { 0 }).collect()
    }

    fn sine(hz: f64, dbm0: f64, milliseconds: u64) -> Vec<i16> {
        let peak = f64::from(power(dbm0)).sqrt() * 2f64.sqrt();
        let step = std::f64::consts::TAU * hz / f64::from(Audio::RATE_HZ);
        (0..samples_in(Duration::from_millis(milliseconds), Rate::Narrowband))
            .map(|n| (peak * (step * n as f64).sin()) as i16)
            .collect()
    }

    /// When voice is heard in packets of 20 ms, in ms.
    fn heard_at(audio: &[i16]) -> Option<usize> {
        let mut detector = VoiceDetector::default();
        let packet = audio.chunks(160).position(|packet| detector.hear(packet.iter().copied()));
        packet.map(|packet| (packet + 1) * 20)
    }

    #[test]
    fn voice_is_heard_within_200_ms_from_the_weakest_to_the_loudest() {
        for dbm0 in [-35.0, -30.0, -20.0, -10.0, 0.0] {
            let at = heard_at(&speech(dbm0, 1_000));
            assert!(at.is_some_and(|at| (120..=200).contains(&at)), "{dbm0} dBm0: {at:?}");
        }
    }

    #[test]
    fn silence_noise_hum_and_clicks_are_no_voice() {
        let click = [vec![20_000; 320], vec![0; 8_000]].concat().repeat(3);
        for (what, audio) in [
            ("silence", vec![0; 80_000]),
            ("noise of a line", noise(-45.0, 10_000, 1)),
            ("hum", sine(50.0, -28.0, 10_000)),
            ("clicks of 40 ms", click),
            ("a voice too weak", speech(-44.0, 10_000)),
        ] {
            assert_eq!(heard_at(&audio), None, "{what}");
        }
    }

    #[test]
    fn voice_is_heard_over_noise_it_is_louder_than_and_noise_alone_is_not() {
        // A car: the noise is new at first, and is known after some seconds.
        let car = noise(-34.0, 10_000, 3);
        let mut detector = VoiceDetector::default();
        let _ = detector.hear(car.iter().copied());
        assert!(!detector.hear(noise(-34.0, 1_000, 4)), "known by then");
        let both: Vec<i16> = noise(-34.0, 1_000, 5)
            .into_iter()
            .zip(speech(-15.0, 1_000))
            .map(|(a, b)| a.saturating_add(b))
            .collect();
        assert!(detector.hear(both));
    }

    #[test]
    fn eleven_loud_frames_are_none_and_twelve_are_voice() {
        for (frames, expected) in [(LOUD_FRAMES - 1, None), (LOUD_FRAMES, Some(120))] {
            let loud = noise(-20.0, u64::from(frames) * 10, 9);
            // Whole packets of silence follow.
            let audio = [loud, vec![0; 1_600]].concat();
            assert_eq!(heard_at(&audio).is_some(), expected.is_some(), "{frames} frames");
        }
    }
}
