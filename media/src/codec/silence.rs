//! Silence that is told instead of coded: when what a party is sent is quiet, and how its noise is described (RFC 3389).
//!
//! ```text
//!             quiet for HANGOVER: described               louder than the noise described
//! Sounding ─────────────────────────────────▶ Quiet ────────────────────────────────────▶ Sounding
//!                                              every UPDATE: described anew
//! ```
//!
//! Frames are judged by their level alone: this is for what we play, mix and transcode, whose pauses are digital silence or
//! the noise of a line. Nothing of a word is lost, since a pause begins late and ends with the first frame of what follows.

use std::time::Duration;

use super::comfort_noise::MAX_ORDER;

/// Quiet is what lies this many dB below full scale, or deeper: speech is 20 dB louder, its ends are not.
const QUIET_LEVEL: u8 = 50;
/// What follows a pause may begin softly: it is no noise any more when it is louder than that by so many dB.
const RISE_DB: u8 = 6;
/// Quiet for so long before anything is saved: pauses between words are coded.
const HANGOVER: Duration = Duration::from_millis(200);
/// How often noise is described anew, so that it follows what it is, and that nobody thinks us gone.
const UPDATE: Duration = Duration::from_millis(200);
/// Coefficients of the noise's spectrum: more than that nobody hears in noise so soft.
const ORDER: usize = 6;
const _: () = assert!(ORDER <= MAX_ORDER);
/// Octets of a description.
pub const DESCRIPTION_LEN: usize = 1 + ORDER;
/// The deepest level that can be told.
const SILENCE: u8 = 127;

/// Watches what one party is sent.
#[derive(Clone, Debug, Default)]
pub struct SilenceSaver {
    state: State,
    /// The noise since it was described last, or since it is quiet.
    heard: Autocorrelation,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// It is coded; quiet for so long already.
    Sounding { quiet: Duration },
    /// It is described, last with that level, and for so long.
    Quiet { level: u8, since: Duration },
}

impl Default for State {
    fn default() -> Self {
        Self::Sounding { quiet: Duration::ZERO }
    }
}

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// It is coded; whether it is the first one after a pause.
    Nothing {
        /// Its packet bears the marker (RFC 3551 §4.1).
        begins: bool,
    },
    /// It is not sent: the noise is described instead, as RFC 3389 §3 has it.
    Described([u8; DESCRIPTION_LEN]),
    /// It is not sent, nor anything else: what was described last goes on.
    All,
}

impl SilenceSaver {
    /// Takes a frame that is to be sent, of so long.
    pub fn judge(&mut self, samples: &[i16], duration: Duration) -> Saved {
        let frame = Autocorrelation::of(samples);
        let level = frame.level();
        match &mut self.state {
            State::Sounding { quiet } if level < QUIET_LEVEL => {
                *quiet = Duration::ZERO;
                Saved::Nothing { begins: false }
            }
            State::Sounding { quiet } if *quiet < HANGOVER => {
                if quiet.is_zero() {
                    self.heard = Autocorrelation::default();
                }
                *quiet += duration;
                self.heard.add(&frame);
                Saved::Nothing { begins: false }
            }
            State::Quiet { level: described, .. }
                if level < QUIET_LEVEL || level.saturating_add(RISE_DB) < *described =>
            {
                self.state = State::default();
                Saved::Nothing { begins: true }
            }
            State::Quiet { since, .. } if *since < UPDATE => {
                *since += duration;
                self.heard.add(&frame);
                Saved::All
            }
            State::Sounding { .. } | State::Quiet { .. } => {
                self.heard.add(&frame);
                let heard = std::mem::take(&mut self.heard);
                self.state = State::Quiet { level: heard.level(), since: duration };
                Saved::Described(heard.describe())
            }
        }
    }
}

/// How a noise resembles itself so many samples later, on average.
#[derive(Clone, Copy, Debug, Default)]
struct Autocorrelation {
    sums: [f32; ORDER + 1],
    samples: f32,
}

impl Autocorrelation {
    fn of(samples: &[i16]) -> Self {
        let mut sums = [0.0; ORDER + 1];
        for (lag, sum) in sums.iter_mut().enumerate() {
            let later = samples.get(lag..).unwrap_or_default();
            *sum = samples.iter().zip(later).map(|(one, other)| f32::from(*one) * f32::from(*other)).sum();
        }
        Self { sums, samples: samples.len() as f32 }
    }

    fn add(&mut self, other: &Self) {
        self.sums.iter_mut().zip(other.sums).for_each(|(sum, more)| *sum += more);
        self.samples += other.samples;
    }

    /// In −dBov, of which 0 is the square wave of full scale (RFC 3389 §3.1).
    fn level(&self) -> u8 {
        let power = self.sums[0] / self.samples.max(1.0) / (32_768.0 * 32_768.0);
        if power <= 0.0 {
            return SILENCE;
        }
        (-10.0 * power.log10()).round().clamp(0.0, f32::from(SILENCE)) as u8
    }

    /// Level, and reflection coefficients by Levinson and Durbin, quantised as in RFC 3389 §3.2: the first of them is less than
    /// zero where each sample resembles the one before, as in WebRTC's and in G.729, on which the RFC's example is built.
    fn describe(&self) -> [u8; DESCRIPTION_LEN] {
        const FLAT: u8 = 127;
        let mut description = [FLAT; DESCRIPTION_LEN];
        description[0] = self.level();
        // A little white noise keeps the recursion from what is none, such as a tone.
        let mut error = self.sums[0] * 1.001;
        let mut predictor = [0.0_f32; ORDER + 1];
        for order in 1..=ORDER {
            if error <= 0.0 {
                break;
            }
            let before = predictor;
            let resembled: f32 = (1..order).map(|lag| before[lag] * self.sums[order - lag]).sum();
            let reflection = (-(self.sums[order] + resembled) / error).clamp(-0.98, 0.98);
            predictor[order] = reflection;
            for lag in 1..order {
                predictor[lag] = before[lag] + reflection * before[order - lag];
            }
            error *= 1.0 - reflection * reflection;
            description[order] = ((reflection * 32_768.0 / 258.0).round() as i16 + 127) as u8;
        }
        description
    }
}
