//! What a worker counts, for metrics.

/// Why a packet was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It came to an endpoint that is not open.
    UnknownEndpoint,
    /// It came before offer and answer were done.
    NotAgreed,
    /// It came from elsewhere than was signalled.
    Source,
    /// It is not RTP or RTCP, or its lengths do not add up.
    Malformed,
    /// Its payload type was not agreed.
    PayloadType,
    /// We agreed not to receive.
    Direction,
    /// Its sequence number is far from those before; believed when the next one follows (RFC 3550 §A.1).
    SequenceJump,
    /// Its SRTP tag is wrong, or it has none.
    Forged,
    /// It came before, or is too old to tell (RFC 3711 §3.3.2).
    Replayed,
    /// The party has as many SRTP sources as it may.
    TooManySources,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::UnknownEndpoint,
        Self::NotAgreed,
        Self::Source,
        Self::Malformed,
        Self::PayloadType,
        Self::Direction,
        Self::SequenceJump,
        Self::Forged,
        Self::Replayed,
        Self::TooManySources,
    ];

    /// A name for a metric's label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::UnknownEndpoint => "unknown_endpoint",
            Self::NotAgreed => "not_agreed",
            Self::Source => "source",
            Self::Malformed => "malformed",
            Self::PayloadType => "payload_type",
            Self::Direction => "direction",
            Self::SequenceJump => "sequence_jump",
            Self::Forged => "forged",
            Self::Replayed => "replayed",
            Self::TooManySources => "too_many_sources",
        }
    }
}

/// Totals of one worker since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// RTP packets accepted.
    pub rtp_received: u64,
    /// RTP packets sent: made here or relayed.
    pub rtp_sent: u64,
    /// RTCP packets accepted.
    pub rtcp_received: u64,
    /// RTCP packets sent.
    pub rtcp_sent: u64,
    /// Accepted packets of a bridged party that its peer was not sent: on hold, hearing a play, without
    /// telephone-event, from before a switch, or not to be protected (a number twice, no room).
    pub not_relayed: u64,
    /// Commands for endpoints that are not open, or that were impossible otherwise.
    pub commands_ignored: u64,
    /// Frames of a player or a conference that were due a whole packet time ago or more when the worker was called.
    pub frames_late: u64,
    /// Frames whose turn was given up, since more were due than are caught up at once.
    pub frames_skipped: u64,
    /// Frames mixed for members of conferences.
    pub frames_mixed: u64,
    /// Frames made of what a bridged party says in another codec.
    pub frames_transcoded: u64,
    /// Frames of music coded, however many heard them.
    pub music_frames: u64,
    /// Packets for which a bridged party hears something else: lost, or not here in time.
    pub packets_concealed: u64,
    /// Key presses not kept: the type-ahead was full.
    pub digits_dropped: u64,
    /// Events not reported: the shell did not drain the queue.
    pub events_dropped: u64,
    refused: [u64; Refusal::ALL.len()],
}

impl Counters {
    /// How many packets were dropped for a reason.
    #[must_use]
    pub const fn refused(&self, why: Refusal) -> u64 {
        self.refused[why as usize]
    }

    pub(crate) const fn refuse(&mut self, why: Refusal) {
        self.refused[why as usize] += 1;
    }
}
