//! What can be played.

use std::fmt;
use std::time::Duration;

/// Decoded mono audio at [`Audio::RATE_HZ`].
#[derive(PartialEq, Eq)]
pub struct Audio {
    samples: Box<[i16]>,
}

impl Audio {
    /// The rate of every prompt, in Hz.
    pub const RATE_HZ: u32 = 8_000;

    /// Audio from samples at [`Audio::RATE_HZ`].
    #[must_use]
    pub fn from_samples(samples: impl Into<Box<[i16]>>) -> Self {
        Self { samples: samples.into() }
    }

    /// The samples.
    #[must_use]
    pub fn samples(&self) -> &[i16] {
        &self.samples
    }

    /// How long it sounds.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_micros(self.samples.len() as u64 * 1_000_000 / u64::from(Self::RATE_HZ))
    }
}

impl fmt::Debug for Audio {
    /// Shows how long, not every sample.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Audio({:?})", self.duration())
    }
}

/// Call-progress tones (ITU-T E.180; frequencies of the North American plan).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// 440 + 480 Hz, 2 s on and 4 s off.
    Ringback,
    /// 480 + 620 Hz, 0.5 s on and 0.5 s off.
    Busy,
    /// One second of 1000 Hz.
    Beep,
    /// 800 Hz, soft, 0.2 s: somebody has come.
    Entry,
}
