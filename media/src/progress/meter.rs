//! What ten milliseconds of sound are like, with the 22 before them.

use crate::spectrum::{self, BIN_HZ, BINS, LEN, dbm0};

/// How long a frame is.
pub(super) const FRAME_MS: u32 = 10;
/// Samples of a frame.
pub(super) const FRAME: usize = 80;

/// Anything weaker is silence: comfort noise and idle lines are below.
const MIN_LEVEL_DBM0: f32 = -48.0;
/// The part of all power that one tone or two have at least: so much is left of it 6 dB above noise.
const MIN_TONE_SHARE: f32 = 0.8;
/// A second tone is no weaker than so much of the first.
const MIN_SECOND: f32 = 0.1;
/// Bins to each side that a tone has its power in; two tones as near as those of ringing are one to us.
const TONE_BINS: usize = 3;
/// What lies below is hum.
const LOWEST_BIN: usize = 5;
/// No tone that means anything is lower (dial tone has 350 Hz); voices are.
const LOWEST_TONE_HZ: f32 = 320.0;
/// How far the higher of two tones is from twice or three times the lower one, as a part of that. Nearer, both are
/// of one voice.
const MIN_INHARMONICITY: f32 = 0.06;
/// How like itself a voice is after a period of its pitch.
const MIN_VOICING: f32 = 0.6;
/// Pitches from 400 Hz down to 66 Hz, in samples of half the rate.
const LAGS: std::ops::RangeInclusive<usize> = 10..=60;
/// How much of the past stays after a sample: hum and offset go.
const HIGH_PASS: f32 = 0.93;

/// Ten milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Frame {
    pub(super) level_dbm0: f32,
    pub(super) sound: Sound,
}

/// What it sounds like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Sound {
    Quiet,
    Tone(Pitch),
    /// It has a pitch: a voice, or an instrument.
    Voiced,
    Other,
}

/// The frequency of a tone, or of two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pitch {
    pub(super) low_hz: f32,
    pub(super) high_hz: Option<f32>,
    /// The part of all power that is its.
    pub(super) share: f32,
}

impl Pitch {
    /// Whether two are the same, but for how exactly they are measured.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        const NEAR: f32 = 0.035;
        let near = |a: f32, b: f32| (a - b).abs() <= NEAR * a.max(b);
        let high = match (self.high_hz, other.high_hz) {
            (Some(a), Some(b)) => near(a, b),
            (None, None) => true,
            _ => false,
        };
        high && near(self.low_hz, other.low_hz)
    }
}

/// Measures sound as it comes.
#[derive(Clone, Debug)]
pub(super) struct Meter {
    /// The latest samples, newest last; the newest frame is being gathered in `frame`.
    window: [f32; LEN],
    frame: [f32; FRAME],
    gathered: usize,
    last_in: f32,
    last_out: f32,
}

impl Default for Meter {
    fn default() -> Self {
        Self { window: [0.0; LEN], frame: [0.0; FRAME], gathered: 0, last_in: 0.0, last_out: 0.0 }
    }
}

impl Meter {
    /// Takes a sample; every eightieth ends a frame.
    #[inline]
    pub(super) fn take(&mut self, sample: i16) -> Option<Frame> {
        let sample = f32::from(sample);
        self.last_out = sample - self.last_in + HIGH_PASS * self.last_out;
        self.last_in = sample;
        if let Some(place) = self.frame.get_mut(self.gathered) {
            *place = self.last_out;
        }
        self.gathered += 1;
        (self.gathered == FRAME).then(|| self.measure())
    }

    fn measure(&mut self) -> Frame {
        self.gathered = 0;
        self.window.copy_within(FRAME.., 0);
        self.window[LEN - FRAME..].copy_from_slice(&self.frame);
        let level_dbm0 = dbm0(self.frame.iter().map(|it| it * it).sum::<f32>() / FRAME as f32);
        let sound = if level_dbm0 < MIN_LEVEL_DBM0 {
            Sound::Quiet
        } else if let Some(pitch) = pitch(&spectrum::power(&self.window)) {
            Sound::Tone(pitch)
        } else if voicing(&self.window) >= MIN_VOICING {
            Sound::Voiced
        } else {
            Sound::Other
        };
        Frame { level_dbm0, sound }
    }
}

/// The tone, or the two, that all of it is.
fn pitch(power: &[f32; BINS]) -> Option<Pitch> {
    let all: f32 = power.iter().sum();
    let first = strongest(power, |_| true)?;
    let first_power = around(power, first, |_| true);
    let is_near_first = |bin: usize| bin.abs_diff(first) <= TONE_BINS;
    let first_hz = centre_hz(power, first, |_| true);
    let second = strongest(power, |bin| !is_near_first(bin))?;
    let second_power = around(power, second, |bin| !is_near_first(bin));
    let is_alone = second_power < MIN_SECOND * first_power;
    let share = if is_alone { first_power } else { first_power + second_power } / all.max(1.0);
    if share < MIN_TONE_SHARE {
        return None;
    }
    if is_alone {
        return (first_hz >= LOWEST_TONE_HZ).then_some(Pitch { low_hz: first_hz, high_hz: None, share });
    }
    let second_hz = centre_hz(power, second, |bin| !is_near_first(bin));
    let (low_hz, high_hz) = (first_hz.min(second_hz), first_hz.max(second_hz));
    let is_harmonic = |times: f32| (high_hz / low_hz - times).abs() < MIN_INHARMONICITY * times;
    let is_voice = low_hz < LOWEST_TONE_HZ || is_harmonic(2.0) || is_harmonic(3.0);
    (!is_voice).then_some(Pitch { low_hz, high_hz: Some(high_hz), share })
}

fn strongest(power: &[f32; BINS], counts: impl Fn(usize) -> bool) -> Option<usize> {
    (LOWEST_BIN..BINS).filter(|bin| counts(*bin)).max_by(|a, b| power[*a].total_cmp(&power[*b]))
}

/// The power around a bin.
fn around(power: &[f32; BINS], bin: usize, counts: impl Fn(usize) -> bool) -> f32 {
    near(bin).filter(|bin| counts(*bin)).map(|bin| power[bin]).sum()
}

/// Where the middle of that power is.
fn centre_hz(power: &[f32; BINS], bin: usize, counts: impl Fn(usize) -> bool) -> f32 {
    let bins = || near(bin).filter(|bin| counts(*bin));
    let moment: f32 = bins().map(|bin| bin as f32 * power[bin]).sum();
    moment / bins().map(|bin| power[bin]).sum::<f32>() * BIN_HZ
}

fn near(bin: usize) -> impl Iterator<Item = usize> {
    bin.saturating_sub(TONE_BINS)..=(bin + TONE_BINS).min(BINS - 1)
}

/// How like itself the sound is after a period, at whichever pitch that is most: 1 is exactly.
fn voicing(window: &[f32; LEN]) -> f32 {
    const HALF: usize = LEN / 2;
    const LONG: usize = HALF - *LAGS.end();
    let halved: [f32; HALF] = std::array::from_fn(|n| window[2 * n] + window[2 * n + 1]);
    let (head, _) = halved.split_at(LONG);
    let energy: f32 = head.iter().map(|it| it * it).sum();
    LAGS.filter_map(|lag| {
        let later = halved.get(lag..lag + LONG)?;
        let product: f32 = head.iter().zip(later).map(|(a, b)| a * b).sum();
        let energies = energy * later.iter().map(|it| it * it).sum::<f32>();
        Some(product / energies.max(1.0).sqrt())
    })
    .fold(0.0, f32::max)
}
