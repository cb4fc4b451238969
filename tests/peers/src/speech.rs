//! People who do not exist: speech synthesised by espeak-ng, at telephone's rate.

use std::f64::consts::PI;
use std::io::{self, Cursor};
use std::process::{Command, Stdio};

/// Samples a second of telephone audio.
pub const RATE_HZ: u32 = 8_000;

/// How somebody speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Voice {
    /// The language, and the variant after `+`: `en-us`, `de+f2`.
    pub name: &'static str,
    /// Words a minute; people speak 120 to 200.
    pub words_per_minute: u32,
    /// 0 to 99; espeak's own is 50.
    pub pitch: u32,
}

impl Voice {
    /// One of espeak's voices at its usual speed and pitch.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, words_per_minute: 165, pitch: 50 }
    }

    /// The sentence as this voice says it, without the silence around it.
    ///
    /// # Errors
    /// When espeak-ng is not there, or has nothing to say.
    pub fn say(&self, sentence: &str) -> io::Result<Vec<i16>> {
        let output = Command::new("espeak-ng")
            .args(["-v", self.name, "-s", &self.words_per_minute.to_string(), "-p", &self.pitch.to_string()])
            .args(["--stdout", "--", sentence])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .map_err(|error| io::Error::new(error.kind(), format!("espeak-ng: {error}")))?;
        let mut reader = hound::WavReader::new(Cursor::new(output.stdout)).map_err(io::Error::other)?;
        let rate_hz = reader.spec().sample_rate;
        let samples: Vec<i16> = reader.samples().map_while(Result::ok).collect();
        let said = trimmed(&resampled(&samples, rate_hz)).to_vec();
        if said.is_empty() { Err(io::Error::other("espeak-ng said nothing")) } else { Ok(said) }
    }
}

/// What is neither silence before nor after.
fn trimmed(samples: &[i16]) -> &[i16] {
    const AUDIBLE: u16 = 60;
    let is_audible = |sample: &i16| sample.unsigned_abs() > AUDIBLE;
    let from = samples.iter().position(is_audible).unwrap_or(samples.len());
    let until = samples.iter().rposition(is_audible).map_or(from, |last| last + 1);
    samples.get(from..until).unwrap_or_default()
}

/// The same at [`RATE_HZ`], by a windowed sinc that stops at 3.6 kHz.
fn resampled(samples: &[i16], rate_hz: u32) -> Vec<i16> {
    const REACH: isize = 32;
    const PASS_HZ: f64 = 3_600.0;
    let step = f64::from(rate_hz) / f64::from(RATE_HZ);
    let cut = 2.0 * PASS_HZ / f64::from(rate_hz);
    let count = (samples.len() as f64 / step) as usize;
    let at = |n: usize| {
        let centre = n as f64 * step;
        let sum: f64 = (centre as isize - REACH..=centre as isize + REACH)
            .filter_map(|m| {
                let sample = samples.get(usize::try_from(m).ok()?)?;
                let x = m as f64 - centre;
                let sinc = if x.abs() < 1e-9 { cut } else { (PI * cut * x).sin() / (PI * x) };
                let window = 0.5 + 0.5 * (PI * x / (REACH + 1) as f64).cos();
                Some(f64::from(*sample) * sinc * window)
            })
            .sum();
        sum.clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16
    };
    (0..count).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_keeps_its_frequency_and_level() {
        let tone: Vec<i16> = (0..22_050)
            .map(|n| (10_000.0 * (2.0 * PI * 440.0 * f64::from(n) / 22_050.0).sin()) as i16)
            .collect();
        let heard = resampled(&tone, 22_050);
        assert_eq!(heard.len(), 8_000);
        let middle = &heard[1_000..5_000];
        let crossings = middle.windows(2).filter(|pair| (pair[0] < 0) != (pair[1] < 0)).count();
        assert!((438..=442).contains(&crossings), "{crossings} in half a second");
        let power = middle.iter().map(|it| f64::from(*it).powi(2)).sum::<f64>() / middle.len() as f64;
        assert!((power.sqrt() / 7_071.0 - 1.0).abs() < 0.03);
    }
}
