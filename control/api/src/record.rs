//! What is kept of a call: derived from its events, so that nothing can be forgotten by a bridge or a transfer.

use serde::{Deserialize, Serialize};
use tandem_time::Instant;

use crate::{CallFact, CallId, LegEnd, LegId, MediaPath, Origin, Party, Redirection};

/// One call, from offer to release. Instants are turned into dates by the shell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    /// The call.
    pub id: CallId,
    /// Where it came from.
    pub origin: Origin,
    /// Who called.
    pub from: Party,
    /// What was dialled.
    pub dialled: String,
    /// Who had sent it on before it came to us.
    #[serde(default)]
    pub redirected: Option<Redirection>,
    /// When it was offered.
    #[serde(with = "nanos")]
    pub offered: Instant,
    /// When the caller was answered.
    #[serde(with = "optional_nanos")]
    pub answered: Option<Instant>,
    /// When the last leg ended.
    #[serde(with = "nanos")]
    pub ended: Instant,
    /// How the caller's leg ended.
    pub end: LegEnd,
    /// The legs in the order they were made, the caller's first; at most [`CallRecord::MAX_LEGS`].
    pub legs: Vec<LegRecord>,
    /// Legs left out because there were too many: unanswered ones first.
    pub legs_dropped: u32,
    /// Facts the control plane added, in order; at most [`CallRecord::MAX_TIMELINE`].
    pub timeline: Vec<TimelineEntry>,
    /// Facts left out because the timeline was full.
    pub timeline_dropped: u32,
}

impl CallRecord {
    /// Facts kept of one call; later ones are counted in `timeline_dropped`.
    pub const MAX_TIMELINE: usize = 512;

    /// Legs kept of one call; others are counted in `legs_dropped`.
    pub const MAX_LEGS: usize = 64;
}

/// A fact and its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// When.
    #[serde(with = "nanos")]
    pub at: Instant,
    /// What.
    pub fact: CallFact,
}

/// Which side began a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// The party called us.
    Inbound,
    /// We called the party.
    Outbound,
}

/// One leg of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LegRecord {
    /// The leg.
    pub id: LegId,
    /// Which side began it.
    pub direction: Direction,
    /// The other party: a number, or a user.
    pub party: String,
    /// The SIP Call-ID, to find the leg in a capture.
    pub sip_call_id: String,
    /// What it was called from end to end (Session-ID, RFC 7989): the other party's UUID, then `;remote=` and this one's;
    /// none when neither side said.
    #[serde(default)]
    pub session_id: Option<String>,
    /// When the INVITE came or went.
    #[serde(with = "nanos")]
    pub started: Instant,
    /// When it rang first.
    #[serde(with = "optional_nanos")]
    pub ringing: Option<Instant>,
    /// When it was answered.
    #[serde(with = "optional_nanos")]
    pub answered: Option<Instant>,
    /// When it ended.
    #[serde(with = "nanos")]
    pub ended: Instant,
    /// How it ended.
    pub end: LegEnd,
    /// Why its party ended it, if it said (RFC 3326): protocol and number, such as `Q.850;cause=17`.
    #[serde(default)]
    pub reason: Option<String>,
    /// Which way its media went.
    #[serde(default)]
    pub media_path: MediaPath,
    /// What was heard; none when media never opened, or did not pass the node.
    pub media: Option<MediaStatistics>,
}

/// A leg's media, counted from our side.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MediaStatistics {
    /// Encoding name, `PCMU` or `PCMA`; empty when none was negotiated.
    pub codec: String,
    /// RTP packets accepted from the party.
    pub packets_received: u64,
    /// RTP packets sent to the party.
    pub packets_sent: u64,
    /// Packets of the party that never came (RFC 3550 §A.3).
    pub packets_lost: u64,
    /// Packets dropped: wrong source, not RTP, unknown payload type.
    pub packets_refused: u64,
    /// Interarrival jitter in microseconds (RFC 3550 §A.8), at the end.
    pub jitter_us: u32,
    /// The largest jitter seen, in microseconds.
    pub jitter_max_us: u32,
    /// What the party lost of ours by its last receiver report, in percent.
    pub remote_loss_percent: Option<f32>,
    /// Interarrival jitter of ours by the party's last receiver report, in microseconds.
    #[serde(default)]
    pub remote_jitter_us: Option<u32>,
    /// Round-trip time by the last receiver report, in microseconds.
    pub round_trip_us: Option<u32>,
    /// Estimated listening quality of what the party sent: 1.0 to 4.5 (ITU-T G.107).
    pub mos: Option<f32>,
    /// The same of what the party was sent, by its receiver reports.
    #[serde(default)]
    pub remote_mos: Option<f32>,
    /// Both directions over time; at most [`MediaStatistics::MAX_QUALITY`].
    #[serde(default)]
    pub quality: Vec<QualityPoint>,
    /// Digits received (events, not their values).
    pub digits_received: u32,
}

impl MediaStatistics {
    /// Points kept of one leg: when it lasts long, each covers the more.
    pub const MAX_QUALITY: usize = 97;
}

/// A leg's media at some time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QualityPoint {
    /// The end of the time that it covers, which began with the point before.
    #[serde(with = "nanos")]
    pub at: Instant,
    /// What the party sent, as it came here; none when nothing was expected.
    pub received: Option<Heard>,
    /// What it was sent, as it came there by its reports; none when there was no report.
    pub sent: Option<Heard>,
    /// The round trip, in microseconds, when it is known.
    pub round_trip_us: Option<u32>,
}

/// One direction at some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    /// Packets that were lost, in percent.
    pub loss_percent: f32,
    /// Interarrival jitter in microseconds.
    pub jitter_us: u32,
    /// Estimated listening quality, 1.0 to 4.5.
    pub mos: f32,
}

mod nanos {
    use serde::{Deserialize, Deserializer, Serializer};
    use tandem_time::Instant;

    pub(super) fn serialize<S: Serializer>(at: &Instant, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(at.as_nanos())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Instant, D::Error> {
        u64::deserialize(from).map(Instant::from_nanos)
    }
}

mod optional_nanos {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use tandem_time::Instant;

    pub(super) fn serialize<S: Serializer>(at: &Option<Instant>, to: S) -> Result<S::Ok, S::Error> {
        at.map(Instant::as_nanos).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Instant>, D::Error> {
        Ok(Option::<u64>::deserialize(from)?.map(Instant::from_nanos))
    }
}
