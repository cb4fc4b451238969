//! What is spoken.

/// A codec we can speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudioCodec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722 at 64 kbit/s.
    G722,
    /// Opus (RFC 7587).
    Opus,
}

impl AudioCodec {
    /// All of them, in the order in which we would speak them.
    pub const ALL: [Self; 4] = [Self::Pcmu, Self::Pcma, Self::G722, Self::Opus];

    /// Its name in session descriptions, and in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Opus => "opus",
        }
    }

    /// The clock of its timestamps (RFC 3551 §6, RFC 7587 §4.1), in Hz.
    #[must_use]
    pub const fn clock_hz(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => 8_000,
            Self::Opus => 48_000,
        }
    }
}

/// What one side wants of the Opus that it is sent (RFC 7587 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpusFormat {
    /// `useinbandfec`.
    pub in_band_fec: bool,
    /// `usedtx`.
    pub dtx: bool,
    /// `cbr`.
    pub constant_bitrate: bool,
    /// `maxaveragebitrate`, in bit/s; as much as Opus has when absent.
    pub max_average_bitrate: Option<u32>,
    /// `maxplaybackrate`, in Hz.
    pub max_playback_rate_hz: u32,
}

impl Default for OpusFormat {
    /// What holds for a side that says nothing.
    fn default() -> Self {
        Self {
            in_band_fec: false,
            dtx: false,
            constant_bitrate: false,
            max_average_bitrate: None,
            max_playback_rate_hz: 48_000,
        }
    }
}
