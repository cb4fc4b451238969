//! What goes in and out of the user agent.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

pub use super::audio_codec::{AudioCodec, OpusFormat};
use super::{Dtmf, Scheme};
pub use crate::sdp::{Fingerprint, SrtpKey, SrtpSuite};

/// Names a session: one INVITE dialog (or the attempt at one) with one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId {
    /// The slot, reused after [`Event::Released`].
    pub index: u32,
    /// Tells this use of the slot from earlier ones.
    pub generation: u32,
}

/// Names a REFER among those of its session: its CSeq (RFC 3515 §2.4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReferId(pub u32);

/// What the user agent tells its owner. Events of a session arrive in the order they happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Somebody calls. 100 Trying is out; answer with `ring`, `progress`, `accept`, `reject` or `hang_up`.
    Incoming {
        /// The session.
        session: SessionId,
        /// Who sent it, by source address or digest.
        source: Source,
        /// The caller, as asserted by a trusted peer, else by From.
        from: Identity,
        /// The Request-URI's user part.
        dialled: String,
        /// The Call-ID.
        call_id: String,
        /// Whether its offer, if it has one, has a codec of ours.
        acceptable: bool,
        /// Whether it is an emergency call: it passes every limit.
        is_emergency: bool,
    },
    /// Somebody we know wants to go on in a session's place (INVITE with Replaces, RFC 3891): of one that we called
    /// and that rings, or of one that talks. Answer as `Incoming`; the other one is the owner's to end, once this one
    /// is accepted.
    Replacing {
        /// The new session.
        session: SessionId,
        /// The session whose place it takes.
        replaced: SessionId,
        /// Whether it may only while that one is not answered; else it is to be refused with 486.
        early_only: bool,
        /// Who sent it, by source address or digest.
        source: Source,
        /// Who it says it is, as of `Incoming`.
        from: Identity,
        /// The Call-ID.
        call_id: String,
        /// Whether its offer, if it has one, has a codec of ours.
        acceptable: bool,
    },
    /// The called phone rings (180), or sends early media (183).
    Ringing {
        /// The session.
        session: SessionId,
    },
    /// The called party answered; our ACK is out.
    Answered {
        /// The session.
        session: SessionId,
    },
    /// The caller acknowledged our answer.
    Confirmed {
        /// The session.
        session: SessionId,
    },
    /// Audio was agreed ahead of the answer: of a called party by its provisional response, or of a caller by
    /// `progress`. Comes again when it changes; of several early dialogs it is the latest's.
    EarlyMedia {
        /// The session.
        session: SessionId,
        /// What was agreed.
        audio: Arc<NegotiatedAudio>,
    },
    /// Audio was agreed, or changed by a later offer (which the user agent answers by itself).
    Media {
        /// The session.
        session: SessionId,
        /// What was agreed.
        audio: Arc<NegotiatedAudio>,
    },
    /// The peer wants its other party to talk to somebody else (REFER, RFC 3515). Answer with `accept_refer` or
    /// `refuse_refer`, soon.
    TransferAsked {
        /// The session.
        session: SessionId,
        /// Which of its REFERs.
        refer: ReferId,
        /// Whom: the user part of Refer-To. May be empty when there is somebody to take over from.
        to: String,
        /// The scheme of Refer-To: whom it names as sips is to be called so, or not at all (RFC 5630 §5.1.1.3); see
        /// [`crate::user_agent::UserAgent::invite_securely`].
        scheme: Scheme,
        /// The session with the same party that is to be taken over (RFC 3891), answered at this time.
        replaces: Option<SessionId>,
        /// The URI that the peer gives as its own (RFC 3892), which nothing proves.
        referred_by: Option<String>,
    },
    /// How far the peer is whom `refer` asked to call somebody: 202 that it tries, another provisional or final status
    /// that of its call; 408 when it has not said in time. Nothing follows a final one other than 202.
    Referred {
        /// The session.
        session: SessionId,
        /// The status.
        status: u16,
    },
    /// The peer pressed a key and said so in SIP (INFO, RFC 6086 §3).
    Digit {
        /// The session.
        session: SessionId,
        /// `0-9 * # A-D`.
        digit: char,
    },
    /// What became of a `reoffer`.
    Reoffered {
        /// The session.
        session: SessionId,
        /// 200, or what it was refused with; then the session is as it was.
        status: u16,
    },
    /// The peer says why it ends the session (RFC 3326), in the words of a network; [`Event::Ended`] follows.
    ReasonStated {
        /// The session.
        session: SessionId,
        /// Why.
        reason: Reason,
    },
    /// What the session was called from end to end (Session-ID, RFC 7989), in its last message of ours; [`Event::Ended`] follows.
    Named {
        /// The session.
        session: SessionId,
        /// Our side, then the peer's.
        session_id: String,
    },
    /// The session is over: refused, cancelled, failed or hung up. Comes once per session.
    Ended {
        /// The session.
        session: SessionId,
        /// How.
        end: SessionEnd,
    },
    /// Nothing of the session is left: no dialog, no request without its answer. Comes once, after
    /// [`Event::Ended`]. Transactions that only absorb retransmissions may outlive it, by 32 seconds at most.
    Released {
        /// The session.
        session: SessionId,
    },
    /// A user's first contact came, or its last one went.
    Registration {
        /// The user.
        user: String,
        /// Whether a contact is left.
        reachable: bool,
    },
}

/// Who a request came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A trunk, by name.
    Trunk(String),
    /// A user who proved to be it.
    User(String),
}

/// A caller's identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The URI's user part; empty when nobody says.
    pub user: String,
    /// The display name.
    pub display_name: Option<String>,
    /// Whether the caller wants nobody to see it: then it may go no further than to those who are trusted
    /// (RFC 3325 §7).
    pub restricted: bool,
    /// Whom the call was for, when it goes on to somebody else. Of calls that we make; none of those that come.
    pub diverting: Option<String>,
    /// Who had sent the call on before it came to us; by a trunk's word, which nothing proves.
    pub redirection: Option<Box<Redirection>>,
}

/// Who sent a call on, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redirection {
    /// Who; may be known to those only who are trusted.
    pub by: Identity,
    /// Why.
    pub reason: RedirectReason,
}

/// Why a call was sent on (RFC 5806 §4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RedirectReason {
    /// Nobody says.
    #[default]
    Unknown,
    /// Busy.
    UserBusy,
    /// Not answered.
    NoAnswer,
    /// Not reachable.
    Unavailable,
    /// All calls are.
    Unconditional,
    /// At this time of day.
    TimeOfDay,
    /// Not to be disturbed.
    DoNotDisturb,
    /// Sent on by hand while it rang.
    Deflection,
    /// The user is somewhere else.
    FollowMe,
    /// The phone is out of service.
    OutOfService,
    /// The user is away.
    Away,
}

impl RedirectReason {
    const ALL: [Self; 11] = [
        Self::Unknown,
        Self::UserBusy,
        Self::NoAnswer,
        Self::Unavailable,
        Self::Unconditional,
        Self::TimeOfDay,
        Self::DoNotDisturb,
        Self::Deflection,
        Self::FollowMe,
        Self::OutOfService,
        Self::Away,
    ];

    /// As Diversion has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::UserBusy => "user-busy",
            Self::NoAnswer => "no-answer",
            Self::Unavailable => "unavailable",
            Self::Unconditional => "unconditional",
            Self::TimeOfDay => "time-of-day",
            Self::DoNotDisturb => "do-not-disturb",
            Self::Deflection => "deflection",
            Self::FollowMe => "follow-me",
            Self::OutOfService => "out-of-service",
            Self::Away => "away",
        }
    }

    pub(crate) fn of_diversion(reason: &[u8]) -> Self {
        let found = Self::ALL.into_iter().find(|it| it.name().as_bytes().eq_ignore_ascii_case(reason));
        found.unwrap_or(Self::Unknown)
    }

    /// RFC 4458 §2; and the final responses that lead to it (RFC 7044 §10.1.2).
    pub(crate) const fn of_cause(cause: u16) -> Self {
        match cause {
            302 => Self::Unconditional,
            486 | 600 => Self::UserBusy,
            408 => Self::NoAnswer,
            480 | 487 => Self::Deflection,
            503 => Self::Unavailable,
            603 => Self::DoNotDisturb,
            _ => Self::Unknown,
        }
    }

    /// RFC 4458 §2.
    pub(crate) const fn cause(self) -> u16 {
        match self {
            Self::Unknown => 404,
            Self::UserBusy => 486,
            Self::NoAnswer => 408,
            Self::Deflection => 480,
            Self::Unavailable | Self::OutOfService => 503,
            Self::Unconditional | Self::TimeOfDay | Self::DoNotDisturb | Self::FollowMe | Self::Away => 302,
        }
    }
}

/// A call to make.
#[derive(Clone, Debug)]
pub struct Invite {
    /// Whom.
    pub target: InviteTarget,
    /// Who is shown as calling.
    pub from: Identity,
    /// Our side of the media.
    pub media: LocalMedia,
}

/// Whom to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InviteTarget {
    /// A registered user: every contact rings, the first to answer wins, the others are cancelled.
    User(String),
    /// A number over a trunk.
    Trunk {
        /// The trunk's name.
        trunk: String,
        /// The number.
        number: String,
    },
}

/// What a session is to be changed to; what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reoffer {
    /// Which ways audio may flow.
    pub direction: Option<MediaDirection>,
    /// Our side of the media.
    pub media: Option<LocalMedia>,
}

/// Our side of a session's media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalMedia {
    /// Our RTP address; RTCP is the next port.
    pub rtp: SocketAddr,
    /// The codecs we take, in order, where a profile names none.
    pub codecs: Vec<AudioCodec>,
    /// The one that needs no transcoding: it comes first in our offers.
    pub preferred: Option<AudioCodec>,
    /// Packet time we offer.
    pub ptime: Duration,
}

/// What offer and answer agreed about the audio, seen from us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NegotiatedAudio {
    /// Where the peer wants RTP.
    pub remote_rtp: SocketAddr,
    /// Where the peer wants RTCP.
    pub remote_rtcp: SocketAddr,
    /// The codec.
    pub codec: AudioCodec,
    /// What else the peer has said that it speaks, and may be asked for by [`Reoffer`]; empty where its profile has it
    /// asked for nothing.
    pub others: Vec<AudioCodec>,
    /// What the peer wants of it, when it is Opus.
    pub opus: OpusFormat,
    /// Its payload type in what we send.
    pub send_payload_type: u8,
    /// Its payload type in what we receive.
    pub receive_payload_type: u8,
    /// telephone-event in what we send.
    pub send_event_payload_type: Option<u8>,
    /// telephone-event in what we receive.
    pub receive_event_payload_type: Option<u8>,
    /// The clock of telephone-events, in Hz.
    pub event_clock_hz: u32,
    /// Whether comfort noise may be sent either way (RFC 3389).
    pub comfort_noise: bool,
    /// How the peer's keys travel when telephone-event was not agreed.
    pub dtmf: Dtmf,
    /// Which ways it flows.
    pub direction: MediaDirection,
    /// The packet time the peer wants.
    pub ptime: Duration,
    /// How much audio packets may carry that are relayed to the peer.
    pub packet_times: PacketTimes,
    /// Where the peer's signalling comes from, for phones behind NAT.
    pub signalling_source: IpAddr,
    /// Whether RTCP travels on RTP's ports (RFC 5761).
    pub rtcp_mux: bool,
    /// Whether the peer is told how it is heard (RFC 3611): none when it must not be, else whether it has asked.
    pub extended_reports: Option<bool>,
    /// How RTP and RTCP are protected.
    pub security: MediaSecurity,
    /// When the peer finds its way to us by ICE.
    pub ice: Option<IceCredentials>,
}

/// How much audio packets may carry that are relayed to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketTimes {
    /// As much as they come with.
    Any,
    /// No more than the peer takes (`a=maxptime`, RFC 8866 §6.4).
    UpTo(Duration),
    /// [`NegotiatedAudio::ptime`] and nothing else.
    Exact,
}

/// How a session's media is protected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MediaSecurity {
    /// Not at all.
    #[default]
    Plain,
    /// With keys that the session description has (RFC 4568).
    Sdes(SrtpKeys),
    /// With keys that a handshake will give (RFC 5763).
    Dtls(DtlsAssociation),
}

impl MediaSecurity {
    /// The keys that the session description has, if it has them.
    #[must_use]
    pub const fn sdes(&self) -> Option<&SrtpKeys> {
        match self {
            Self::Sdes(keys) => Some(keys),
            Self::Plain | Self::Dtls(_) => None,
        }
    }
}

/// What the session description says about a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DtlsAssociation {
    /// Our part in it.
    pub role: DtlsRole,
    /// Of the certificate that the peer will show.
    pub fingerprints: Vec<Fingerprint>,
}

/// Who begins a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DtlsRole {
    /// We do.
    Client,
    /// The peer does.
    Server,
}

/// Our side of ICE.
#[derive(Clone, PartialEq, Eq)]
pub struct IceCredentials {
    /// Our user name fragment.
    pub local_fragment: String,
    /// Our password.
    pub local_password: String,
}

impl std::fmt::Debug for IceCredentials {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IceCredentials({})", self.local_fragment)
    }
}

/// Both sides' keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SrtpKeys {
    /// Ours, for what we send.
    pub send: SrtpKey,
    /// The peer's, for what it sends; of the same suite.
    pub receive: SrtpKey,
}

/// Which ways media flows, seen from us (RFC 3264 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaDirection {
    /// Both ways.
    SendReceive,
    /// We send only.
    SendOnly,
    /// We receive only.
    ReceiveOnly,
    /// Neither.
    Inactive,
}

/// Why a session ends, as networks say it (RFC 3326 §2): a number, and whose. Texts are not repeated to others, since
/// they may tell of the network that they come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Whose number it is.
    pub protocol: ReasonProtocol,
    /// The number.
    pub cause: u16,
}

/// Who numbers reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasonProtocol {
    /// SIP: a status code.
    Sip,
    /// The telephone network: a cause of ITU-T Q.850.
    Q850,
}

impl fmt::Display for Reason {
    /// As its header has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = match self.protocol {
            ReasonProtocol::Sip => "SIP",
            ReasonProtocol::Q850 => "Q.850",
        };
        write!(f, "{protocol};cause={}", self.cause)
    }
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionEnd {
    /// Who ended it.
    pub by: Ender,
    /// The final status: of the INVITE when it was never answered, else 200.
    pub status: u16,
    /// A Reason header's text, or the reason phrase, or what went wrong with us.
    pub reason: String,
}

/// Who ended a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ender {
    /// The peer.
    Peer,
    /// The owner, by `reject` or `hang_up`.
    Owner,
    /// A timer or the transport.
    Failure,
}

/// How much of everything is in use. At rest every number is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Sessions not yet released.
    pub sessions: usize,
    /// Transactions under way.
    pub transactions: usize,
    /// Calls admitted: slots taken of the limits.
    pub admissions: usize,
}

/// Why something could not be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// No session of that id.
    #[error("no such session")]
    UnknownSession,
    /// It makes no sense in the session's state.
    #[error("the session is in another state")]
    WrongState,
    /// The user has no contact.
    #[error("the user is not registered")]
    NotRegistered,
    /// No trunk of that name.
    #[error("no such trunk")]
    UnknownTrunk,
    /// DNS has not said yet where the trunk is, or says that it is nowhere.
    #[error("no address of the trunk is known")]
    Nowhere,
    /// The caller asked for TLS on every hop, and it cannot be had.
    #[error("no way to it is protected as the caller asks")]
    NotSecure,
    /// Its media would go directly to a caller of another IP version.
    #[error("caller and callee have no IP version in common")]
    OutOfReach,
    /// The trunk's or our own limit is reached.
    #[error("limit of concurrent sessions reached")]
    Limit,
    /// The caller made no offer that early media could answer.
    #[error("there is no offer to answer")]
    NoOffer,
    /// The offer has no codec of ours.
    #[error("no common codec")]
    NoCommonCodec,
}
