//! Who sounds how: every prompt and every party has a frequency of its own, so that whoever is heard is known.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use tandem_media::Audio;
use tandem_switch::PromptLibrary;

/// The flows' prompts: name, frequency in Hz, length in seconds.
pub(crate) const PROMPTS: [(&str, u16, u32); 9] = [
    ("welcome", 300, 1),
    ("menu", 350, 2),
    ("no-input", 400, 1),
    ("invalid", 450, 1),
    ("goodbye", 500, 1),
    ("loop", 550, 3),
    ("enter-digits", 600, 1),
    ("music", 650, 5),
    ("please-wait", 800, 1),
];

/// The frequency of a prompt; 0 for one that does not exist.
#[must_use]
pub(crate) fn prompt_hz(name: &str) -> u16 {
    PROMPTS.iter().find(|(known, ..)| *known == name).map_or(0, |(_, hz, _)| *hz)
}

/// Frequencies for parties: the grid of 50 Hz above the prompts', without those near a digit's (ITU-T Q.23).
pub(crate) fn party_frequencies() -> impl Iterator<Item = u16> {
    const NEAR_DIGITS: [u16; 6] = [850, 950, 1_200, 1_350, 1_500, 1_650];
    (18..=68).map(|n| n * 50).filter(|hz| !NEAR_DIGITS.contains(hz))
}

/// Eight seconds of a busy tone as in Germany: 425 Hz, 480 ms on and off (ITU-T E.180 supplement 2).
pub(crate) fn busy_tone() -> Arc<[i16]> {
    const HALF: usize = 480 * 8;
    let at = |n: usize| {
        let sine = (std::f64::consts::TAU * 425.0 * n as f64 / 8_000.0).sin();
        if (n / HALF).is_multiple_of(2) { (6_000.0 * sine) as i16 } else { 0 }
    };
    (0..8 * 8_000).map(at).collect()
}

/// Eight seconds of somebody who speaks without a pause, as on a machine: a voice around 140 Hz that never stays, open for 60
/// of each 100 ms.
pub(crate) fn greeting() -> Arc<[i16]> {
    const OPEN: usize = 60 * 8;
    const SYLLABLE: usize = 100 * 8;
    let mut phase = 0.0;
    let at = |n: usize| {
        let seconds = n as f64 / 8_000.0;
        let hz = 140.0 * (1.0 + 0.1 * (std::f64::consts::TAU * 3.0 * seconds).sin());
        phase += std::f64::consts::TAU * hz / 8_000.0;
        let harmonics: f64 = (1..12).map(|h| (phase * f64::from(h)).sin() / f64::from(h)).sum();
        if n % SYLLABLE < OPEN { (5_000.0 * harmonics) as i16 } else { 0 }
    };
    (0..8 * 8_000).map(at).collect()
}

/// Everything anybody listens for.
pub(crate) fn all_frequencies() -> Vec<u16> {
    PROMPTS.iter().map(|(_, hz, _)| *hz).chain(party_frequencies()).collect()
}

/// The prompts as pure tones, made once.
pub(crate) fn library() -> PromptLibrary {
    static LIBRARY: LazyLock<PromptLibrary> = LazyLock::new(|| {
        PROMPTS
            .iter()
            .map(|(name, hz, seconds)| ((*name).to_owned(), tone(*hz, *seconds)))
            .collect::<BTreeMap<_, _>>()
    });
    LIBRARY.clone()
}

fn tone(hz: u16, seconds: u32) -> Arc<Audio> {
    let sample = |n: u32| {
        let turns = f64::from(n) * f64::from(hz) / f64::from(Audio::RATE_HZ);
        ((turns * std::f64::consts::TAU).sin() * 7_000.0).round() as i16
    };
    let samples: Vec<i16> = (0..seconds * Audio::RATE_HZ).map(sample).collect();
    Arc::new(Audio::from_samples(samples))
}
