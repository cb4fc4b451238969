//! What is spoken with a peer.

/// A codec that can be spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722 at 64 kbit/s.
    G722,
    /// Opus.
    Opus,
}

/// What we ask of the Opus that a peer sends (RFC 7587).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opus {
    /// Whether each packet may tell the one before it again.
    pub fec: bool,
    /// Whether it may send nothing while nothing is said.
    pub dtx: bool,
    /// Bits a second, of either side, at most; as much as Opus has when absent.
    pub max_bitrate: Option<u32>,
    /// What is played, in Hz: more would be wasted on us.
    pub max_playback_rate_hz: u32,
}

impl Default for Opus {
    fn default() -> Self {
        Self { fec: true, dtx: false, max_bitrate: None, max_playback_rate_hz: 48_000 }
    }
}
