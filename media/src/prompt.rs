//! What can be played.

use std::fmt;
use std::time::Duration;

use crate::codec::Rate;

/// Decoded mono audio, for telephones and, where it was recorded so, for wideband.
#[derive(PartialEq, Eq)]
pub struct Audio {
    narrow: Box<[i16]>,
    /// The same at 16 kHz; empty when there is no more in it than [`Audio::RATE_HZ`] can carry.
    wide: Box<[i16]>,
}

impl Audio {
    /// The rate at which every prompt can be had, in Hz.
    pub const RATE_HZ: u32 = 8_000;

    /// Audio from samples at [`Audio::RATE_HZ`].
    #[must_use]
    pub fn from_samples(samples: impl Into<Box<[i16]>>) -> Self {
        Self { narrow: samples.into(), wide: Box::default() }
    }

    /// The same with what it is at [`Rate::Wideband`].
    #[must_use]
    pub fn with_wideband(self, wide: impl Into<Box<[i16]>>) -> Self {
        Self { wide: wide.into(), ..self }
    }

    /// The samples at [`Audio::RATE_HZ`].
    #[must_use]
    pub fn samples(&self) -> &[i16] {
        &self.narrow
    }

    /// The samples at a rate that [`Audio::best_rate`] gave.
    pub(crate) fn samples_at(&self, rate: Rate) -> &[i16] {
        if rate == Rate::Narrowband { &self.narrow } else { &self.wide }
    }

    /// The rate at which most of it is heard by a party whose codec has this one.
    pub(crate) fn best_rate(&self, codec: Rate) -> Rate {
        if codec == Rate::Narrowband || self.wide.is_empty() { Rate::Narrowband } else { Rate::Wideband }
    }

    /// Octets of memory it takes.
    #[must_use]
    pub fn octets(&self) -> usize {
        size_of_val::<[i16]>(&self.narrow) + size_of_val::<[i16]>(&self.wide)
    }

    /// How long it sounds.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_micros(self.narrow.len() as u64 * 1_000_000 / u64::from(Self::RATE_HZ))
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
    /// 480 Hz, 0.5 s: a call comes to who works hands-free.
    Zip,
    /// 1,400 Hz, 0.2 s: what is said is recorded (47 CFR § 64.501).
    Recording,
}
