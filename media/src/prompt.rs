//! What can be played.

/// Decoded mono audio at [`Audio::RATE_HZ`].
#[derive(Debug, PartialEq, Eq)]
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
}
