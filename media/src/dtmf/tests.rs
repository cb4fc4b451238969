//! The limits of ITU-T Q.24 (as AT&T, the strictest of its table, wants them), through G.711.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;
use crate::codec::g711::Law;

const RATE: f64 = 8_000.0;

/// One key press and the pause behind it.
#[derive(Clone, Copy, Debug)]
struct Tone {
    key: char,
    low_off: f64,
    high_off: f64,
    low_dbm0: f64,
    high_dbm0: f64,
    on_ms: f64,
    off_ms: f64,
}

impl Tone {
    fn key(key: char) -> Self {
        Self {
            key,
            low_off: 0.0,
            high_off: 0.0,
            low_dbm0: -10.0,
            high_dbm0: -10.0,
            on_ms: 40.0,
            off_ms: 40.0,
        }
    }

    fn sound(self, samples: &mut Vec<f64>) {
        let (row, column) = (0..4)
            .flat_map(|row| (0..4).map(move |column| (row, column)))
            .find(|(row, column)| KEYS[*row][*column] == self.key)
            .unwrap();
        let peak = |dbm0: f64| 32_124.0 / 1.440_4 * 10f64.powf(dbm0 / 20.0);
        let step = |hz: f32, off: f64| std::f64::consts::TAU * f64::from(hz) * (1.0 + off) / RATE;
        let (low, high) = (step(TONES_HZ[row], self.low_off), step(TONES_HZ[4 + column], self.high_off));
        for n in 0..(self.on_ms * 8.0) as usize {
            let n = n as f64;
            samples.push(
                peak(self.low_dbm0) * (low * n + 1.0).sin() + peak(self.high_dbm0) * (high * n + 2.0).sin(),
            );
        }
        samples.extend(std::iter::repeat_n(0.0, (self.off_ms * 8.0) as usize));
    }
}

/// White noise of a level.
struct Noise {
    rng: ChaCha8Rng,
    peak: f64,
}

impl Noise {
    fn new(seed: u64, dbm0: f64) -> Self {
        // A uniform distribution's power is a third of its peak's square.
        let rms = 32_124.0 / 1.440_4 / 2f64.sqrt() * 10f64.powf(dbm0 / 20.0);
        Self { rng: ChaCha8Rng::seed_from_u64(seed), peak: rms * 3f64.sqrt() }
    }

    fn next(&mut self) -> f64 {
        self.peak * (f64::from(self.rng.next_u32()) / f64::from(u32::MAX) * 2.0 - 1.0)
    }
}

/// What is heard of samples that went through a codec; and whether each key went up again.
fn heard(samples: impl IntoIterator<Item = f64>, codec: Law) -> String {
    let mut detector = Detector::default();
    let mut keys = String::new();
    let mut down = None;
    let samples = samples.into_iter().map(|s| s.round().clamp(-32_768.0, 32_767.0) as i16);
    let silence = std::iter::repeat_n(0, 800);
    detector.hear(samples.chain(silence).map(|s| codec.decode(codec.encode(s))), |edge| match edge {
        Edge::Pressed(digit) => {
            assert_eq!(down.replace(digit), None, "two keys are down");
            keys.push(digit.as_char());
        }
        Edge::Released => assert!(down.take().is_some(), "no key is down"),
    });
    assert_eq!(down, None, "a key stays down");
    keys
}

fn all_keys() -> impl Iterator<Item = char> {
    KEYS.into_iter().flatten()
}

/// Each key in each position against the 5 ms of a look.
fn keyed(tone: impl Fn(char) -> Tone) -> (String, Vec<f64>) {
    let mut samples = Vec::new();
    let mut keys = String::new();
    for key in all_keys() {
        for shift in (0..BLOCK).step_by(7) {
            tone(key).sound(&mut samples);
            samples.extend(std::iter::repeat_n(0.0, shift));
            keys.push(key);
        }
    }
    (keys, samples)
}

fn hears_all(tone: impl Fn(char) -> Tone, noise_dbm0: f64, about: &str) {
    let (keys, samples) = keyed(tone);
    for codec in [Law::Pcmu, Law::Pcma] {
        let mut noise = Noise::new(1, noise_dbm0);
        assert_eq!(heard(samples.iter().map(|s| s + noise.next()), codec), keys, "{about} {codec:?}");
    }
}

fn hears_nothing(tone: impl Fn(char) -> Tone, about: &str) {
    assert_eq!(heard(keyed(tone).1, Law::Pcmu), "", "{about}");
}

const QUIET: f64 = -90.0;

#[test]
fn forty_on_and_forty_off_is_a_key_at_any_level_from_minus_36_to_minus_3() {
    for level in [-36.0, -25.0, -10.0, -3.2] {
        hears_all(
            |key| Tone { low_dbm0: level, high_dbm0: level, ..Tone::key(key) },
            QUIET,
            &format!("{level} dBm0"),
        );
    }
}

#[test]
fn what_is_weaker_than_minus_42_is_no_key() {
    hears_nothing(|key| Tone { low_dbm0: -42.0, high_dbm0: -42.0, ..Tone::key(key) }, "-42 dBm0");
}

#[test]
fn a_frequency_off_by_one_and_a_half_per_cent_is_right() {
    for low_off in [-0.015, 0.0, 0.015] {
        for high_off in [-0.015, 0.0, 0.015] {
            for (low_dbm0, high_dbm0) in [(-10.0, -10.0), (-14.0, -6.0), (-6.0, -14.0)] {
                let about = format!("{low_off} {high_off} {low_dbm0} {high_dbm0}");
                let tone = |key| Tone { low_off, high_off, low_dbm0, high_dbm0, ..Tone::key(key) };
                hears_all(tone, QUIET, &about);
            }
        }
    }
}

#[test]
fn a_frequency_off_by_three_and_a_half_per_cent_is_wrong() {
    for (low_off, high_off) in [(-0.035, 0.0), (0.035, 0.0), (0.0, -0.035), (0.0, 0.035), (0.035, -0.035)] {
        let about = format!("{low_off} {high_off}");
        hears_nothing(|key| Tone { low_off, high_off, on_ms: 100.0, ..Tone::key(key) }, &about);
    }
}

#[test]
fn either_tone_may_be_eight_db_above_the_other_and_not_twelve() {
    for (low_dbm0, high_dbm0) in [(-8.0, -16.0), (-16.0, -8.0), (-4.0, -8.0)] {
        let about = format!("{low_dbm0} {high_dbm0}");
        hears_all(|key| Tone { low_dbm0, high_dbm0, ..Tone::key(key) }, QUIET, &about);
    }
    for (low_dbm0, high_dbm0) in [(-8.0, -20.0), (-20.0, -8.0)] {
        let about = format!("{low_dbm0} {high_dbm0}");
        hears_nothing(|key| Tone { low_dbm0, high_dbm0, on_ms: 100.0, ..Tone::key(key) }, &about);
    }
}

#[test]
fn noise_fifteen_db_below_does_not_matter() {
    hears_all(|key| Tone { on_ms: 50.0, off_ms: 50.0, ..Tone::key(key) }, -22.0, "noise");
}

#[test]
fn twenty_milliseconds_are_no_key() {
    hears_nothing(|key| Tone { on_ms: 20.0, ..Tone::key(key) }, "20 ms");
}

#[test]
fn a_break_of_ten_milliseconds_is_no_second_press() {
    for key in all_keys() {
        let mut samples = Vec::new();
        Tone { on_ms: 60.0, off_ms: 10.0, ..Tone::key(key) }.sound(&mut samples);
        Tone { on_ms: 60.0, ..Tone::key(key) }.sound(&mut samples);
        assert_eq!(heard(samples, Law::Pcmu), key.to_string());
    }
}

#[test]
fn a_key_that_follows_without_a_pause_is_a_key() {
    let mut samples = Vec::new();
    for key in ['1', '5', '9', '#'] {
        Tone { on_ms: 80.0, off_ms: 0.0, ..Tone::key(key) }.sound(&mut samples);
    }
    assert_eq!(heard(samples, Law::Pcma), "159#");
}

#[test]
fn single_tones_noise_and_call_progress_are_no_keys() {
    for hz in [350.0, 440.0, 480.0, 620.0, 697.0, 941.0, 1_209.0, 1_633.0, 2_100.0] {
        for second in [0.0, 440.0, 620.0, 697.0, 852.0] {
            let sample = |n: f64, hz: f64| 4_000.0 * (std::f64::consts::TAU * hz * n / RATE).sin();
            let samples = (0..8_000).map(f64::from).map(|n| sample(n, hz) + sample(n, second));
            let both = [697.0, 852.0].contains(&second) && [1_209.0, 1_633.0].contains(&hz);
            assert_eq!(heard(samples, Law::Pcmu).is_empty(), !both, "{hz} {second}");
        }
    }
    let mut noise = Noise::new(7, -10.0);
    assert_eq!(heard((0..8_000 * 300).map(|_| noise.next()), Law::Pcmu), "");
}

/// An hour of what speech is made of: a voice's harmonics through formants, both of which wander.
#[test]
fn an_hour_of_voiced_sounds_is_no_key() {
    for (seed, lowest_hz, highest_hz) in [(1, 80.0, 160.0), (2, 150.0, 260.0), (3, 220.0, 400.0)] {
        let mut voice = Voice::new(seed, lowest_hz, highest_hz);
        assert_eq!(heard((0..8_000 * 1_200).map(|_| voice.next()), Law::Pcma), "", "{lowest_hz} Hz");
    }
}

/// Pulses through three resonances; pitch and resonances go to new places every 150 ms.
struct Voice {
    rng: ChaCha8Rng,
    pitch_hz: (f64, f64),
    range_hz: (f64, f64),
    formants: [Formant; 3],
    phase: f64,
    left: u32,
}

#[derive(Clone, Copy)]
struct Formant {
    range_hz: (f64, f64),
    hz: (f64, f64),
    last: f64,
    before: f64,
}

impl Voice {
    fn new(seed: u64, lowest_hz: f64, highest_hz: f64) -> Self {
        let formant = |low, high| Formant { range_hz: (low, high), hz: (low, low), last: 0.0, before: 0.0 };
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            pitch_hz: (lowest_hz, lowest_hz),
            range_hz: (lowest_hz, highest_hz),
            formants: [formant(250.0, 950.0), formant(800.0, 2_300.0), formant(2_000.0, 3_200.0)],
            phase: 0.0,
            left: 0,
        }
    }

    fn next(&mut self) -> f64 {
        const SYLLABLE: u32 = 1_200;
        if self.left == 0 {
            self.left = SYLLABLE;
            let mut go = |from: f64, (low, high): (f64, f64)| {
                (from, low + (high - low) * f64::from(self.rng.next_u32()) / f64::from(u32::MAX))
            };
            self.pitch_hz = go(self.pitch_hz.1, self.range_hz);
            for formant in &mut self.formants {
                formant.hz = go(formant.hz.1, formant.range_hz);
            }
        }
        self.left -= 1;
        let way = 1.0 - f64::from(self.left) / f64::from(SYLLABLE);
        let between = |(from, to): (f64, f64)| from + (to - from) * way;
        self.phase += between(self.pitch_hz) / RATE;
        let pulse = if self.phase >= 1.0 { 1.0 } else { 0.0 };
        self.phase = self.phase.fract();
        let mut sound = 3_000.0 * pulse;
        for formant in &mut self.formants {
            // A bandwidth of 80 Hz.
            let radius = (-std::f64::consts::PI * 80.0 / RATE).exp();
            let turn = std::f64::consts::TAU * between(formant.hz) / RATE;
            let next = sound + 2.0 * radius * turn.cos() * formant.last - radius * radius * formant.before;
            formant.before = std::mem::replace(&mut formant.last, next);
            sound = next * (1.0 - radius) * 2.0;
        }
        (sound * 8.0).clamp(-30_000.0, 30_000.0)
    }
}
