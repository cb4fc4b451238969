//! The codecs on the wire: payloads into linear samples and back, at whichever rate is wanted.
//!
//! | codec | payload type | RTP clock | codes at |
//! |---|---|---|---|
//! | PCMU, PCMA | 0, 8 | 8 kHz | 8 kHz |
//! | G.722 | 9 | 8 kHz, by an old mistake (RFC 3551 §4.5.2) | 16 kHz |
//! | Opus | dynamic | 48 kHz, whatever is in it (RFC 7587 §4.1) | 8 to 48 kHz |
//!
//! Opus codes at each of our rates by itself; the others are converted. Owner thread: one media worker each. A decoder
//! or an encoder allocates when it is made and never after, and must not know of RTP or of time.

pub mod comfort_noise;
mod concealment;
mod decoder;
mod encoder;
pub mod g711;
pub mod g722;
mod opus;
pub mod resampler;
pub mod silence;

use std::time::Duration;

pub use self::decoder::Decoder;
pub use self::encoder::Encoder;
use self::g711::Law;

/// Samples a second of linear audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rate {
    /// 8 kHz.
    Narrowband,
    /// 16 kHz.
    Wideband,
    /// 48 kHz.
    Fullband,
}

impl Rate {
    /// In Hz.
    #[must_use]
    pub const fn hz(self) -> u32 {
        match self {
            Self::Narrowband => 8_000,
            Self::Wideband => 16_000,
            Self::Fullband => 48_000,
        }
    }

    /// Samples of so long a time.
    #[must_use]
    pub const fn samples_in(self, duration: Duration) -> usize {
        (duration.as_micros() * self.hz() as u128 / 1_000_000) as usize
    }
}

/// The longest packet that is made, and the longest frame that is asked for.
pub const MAX_FRAME: Duration = Duration::from_millis(60);

/// Samples of the longest frame at the highest rate.
pub const MAX_FRAME_SAMPLES: usize = Rate::Fullband.samples_in(MAX_FRAME);

/// The longest payload that is decoded; what a longer one has beyond is dropped (RFC 7587 §4.2: no Opus packet lasts
/// longer).
pub const MAX_DECODED: Duration = Duration::from_millis(120);

/// Samples of it at the highest rate.
pub const MAX_DECODED_SAMPLES: usize = Rate::Fullband.samples_in(MAX_DECODED);

/// Octets of the longest payload that is made.
pub const MAX_PAYLOAD_LEN: usize = 480;

/// A codec on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// G.711 µ-law, RFC 3551 payload type 0.
    Pcmu,
    /// G.711 A-law, RFC 3551 payload type 8.
    Pcma,
    /// G.722 at 64 kbit/s, RFC 3551 payload type 9.
    G722,
    /// Opus (RFC 6716, RFC 7587), with what the party wants of it.
    Opus(OpusParameters),
}

/// What a party wants of the Opus that it is sent (RFC 7587 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpusParameters {
    /// `useinbandfec`: each packet may tell the one before it again, coarsely.
    pub in_band_fec: bool,
    /// `usedtx`: nothing needs to be sent while nothing is said.
    pub dtx: bool,
    /// `cbr`: packets of one size.
    pub constant_bitrate: bool,
    /// `maxaveragebitrate`, in bit/s.
    pub max_average_bitrate: u32,
    /// `maxplaybackrate`, in Hz: what the party plays; more would be wasted on it.
    pub max_playback_rate_hz: u32,
}

impl OpusParameters {
    /// The highest bit rate that `maxaveragebitrate` may name (RFC 7587 §6.1).
    pub const MAX_BITRATE: u32 = 510_000;
}

impl Default for OpusParameters {
    /// What holds for a party that says nothing.
    fn default() -> Self {
        Self {
            in_band_fec: false,
            dtx: false,
            constant_bitrate: false,
            max_average_bitrate: Self::MAX_BITRATE,
            max_playback_rate_hz: 48_000,
        }
    }
}

impl From<Law> for Codec {
    fn from(law: Law) -> Self {
        match law {
            Law::Pcmu => Self::Pcmu,
            Law::Pcma => Self::Pcma,
        }
    }
}

impl Codec {
    /// The law, for G.711.
    #[inline]
    #[must_use]
    pub const fn law(self) -> Option<Law> {
        match self {
            Self::Pcmu => Some(Law::Pcmu),
            Self::Pcma => Some(Law::Pcma),
            Self::G722 | Self::Opus(_) => None,
        }
    }

    /// The highest rate of what it codes.
    #[must_use]
    pub const fn rate(self) -> Rate {
        match self {
            Self::Pcmu | Self::Pcma => Rate::Narrowband,
            Self::G722 => Rate::Wideband,
            Self::Opus(_) => Rate::Fullband,
        }
    }

    /// The clock of its RTP timestamps, in Hz.
    #[inline]
    #[must_use]
    pub const fn clock_hz(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => 8_000,
            Self::Opus(_) => 48_000,
        }
    }

    /// Whether what one party sends may go to a party with `other` octet by octet, or character by character.
    #[must_use]
    pub const fn is_relayed_to(self, other: Self) -> bool {
        match (self, other) {
            (Self::Pcmu | Self::Pcma, Self::Pcmu | Self::Pcma)
            | (Self::G722, Self::G722)
            | (Self::Opus(_), Self::Opus(_)) => true,
            (Self::Pcmu | Self::Pcma | Self::G722 | Self::Opus(_), _) => false,
        }
    }

    /// The packet time nearest below that it has frames of: Opus has none of 30 and of 50 ms (RFC 6716 §2.1.4).
    #[must_use]
    pub const fn fit_ptime(self, ptime: Duration) -> Duration {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => ptime,
            Self::Opus(_) => match ptime.as_millis() {
                0..20 => Duration::from_millis(10),
                20..40 => Duration::from_millis(20),
                40..60 => Duration::from_millis(40),
                _ => Duration::from_millis(60),
            },
        }
    }
}
