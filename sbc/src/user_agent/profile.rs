//! How a peer is spoken to: what differs from carrier to carrier, and from phones to carriers.

use std::time::Duration;

use super::{AudioCodec, Identity, LocalMedia, OpusFormat};
pub use crate::identity::{DiversionHeader, IdentityHeader};
use crate::transaction::Timers;

/// What differs from peer to peer. The default suits most carriers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Whether media is protected.
    pub srtp: SrtpPolicy,
    /// How our offers ask for the keys of protected media; offers of the peer's may ask either way.
    pub srtp_keys: Keying,
    /// Whether the peer may find its way to us by ICE, whose lite side we take (RFC 8445 §2.5).
    pub ice: bool,
    /// The codecs that may be spoken, in the order of our offers, but for the one that needs no transcoding: that comes
    /// first. Empty: those of the call are offered, and of a peer that has none of them any is taken. In answers the
    /// order is the peer's (RFC 3264 §6.1).
    pub codecs: Vec<AudioCodec>,
    /// What we ask of the Opus that the peer sends.
    pub opus: OpusFormat,
    /// Whether comfort noise (RFC 3389) is offered and taken: who has it may send nothing while nothing is said.
    pub comfort_noise: bool,
    /// Who tells whom how it is heard, in extended reports.
    pub rtcp_xr: ExtendedReports,
    /// Whether it may be asked, inside a call, to speak another codec of its own that needs no transcoding.
    pub codec_change: bool,
    /// The packet time we offer; the owner's when absent.
    pub ptime: Option<Duration>,
    /// Whether packets of another length than it asks for are relayed to it.
    pub repacketise: Repacketise,
    /// How digits travel.
    pub dtmf: Dtmf,
    /// Whether what it sends before it answers is heard.
    pub early_media: EarlyMedia,
    /// Whether provisional responses are acknowledged (100rel, RFC 3262).
    pub reliable_provisional: ReliableProvisional,
    /// How long sessions last without being refreshed.
    pub session_timers: SessionTimers,
    /// How often it is asked whether it is there (OPTIONS) while nothing else would tell: when it is on hold, or its media
    /// does not pass us, and the session has no timer. Never when absent.
    pub alive_check: Option<Duration>,
    /// The timers of its transactions; those of the node when absent.
    pub timers: Option<Timers>,
    /// How long it may ring before we cancel, no longer than the node's limit; that one when absent.
    pub max_ringing: Option<Duration>,
    /// Max-Forwards of our requests (RFC 3261 §20.22).
    pub max_forwards: u8,
    /// Whether our messages say what a call is called from end to end (Session-ID, RFC 7989).
    pub session_id: SessionIdPolicy,
    /// Whether our messages say what we are, in Server and User-Agent.
    pub product_header: bool,
    /// What becomes of its REFERs.
    pub refer: ReferPolicy,
    /// Whether it is to say what becomes of our REFERs; else it is asked to make no subscription (RFC 4488).
    pub refer_subscription: bool,
    /// Whether who it says that calls is believed (RFC 3325 §5): P-Asserted-Identity and Remote-Party-ID.
    pub trust_identity: bool,
    /// Where it wants to see who calls.
    pub identity: IdentityHeader,
    /// How it is told that a call was for somebody else.
    pub diversion: DiversionHeader,
    /// Who is shown as calling when the caller's number may not be.
    pub caller_id: Option<String>,
    /// What numbers that may be shown begin with; any when empty.
    pub caller_id_prefixes: Vec<String>,
}

impl Profile {
    /// What WebRTC demands (RFC 8827): keys by DTLS, and ICE.
    #[must_use]
    pub fn web_rtc() -> Self {
        Self { srtp: SrtpPolicy::Required, srtp_keys: Keying::Dtls, ice: true, ..Self::default() }
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            srtp: SrtpPolicy::Off,
            srtp_keys: Keying::Sdes,
            ice: false,
            codecs: Vec::new(),
            opus: OpusFormat { in_band_fec: true, ..OpusFormat::default() },
            comfort_noise: false,
            rtcp_xr: ExtendedReports::Accept,
            codec_change: false,
            ptime: None,
            repacketise: Repacketise::Limit,
            dtmf: Dtmf::Rfc4733,
            early_media: EarlyMedia::Accept,
            reliable_provisional: ReliableProvisional::Supported,
            session_timers: SessionTimers::default(),
            alive_check: Some(Duration::from_secs(300)),
            timers: None,
            max_ringing: None,
            max_forwards: 70,
            session_id: SessionIdPolicy::Accept,
            product_header: true,
            refer: ReferPolicy::Execute,
            refer_subscription: true,
            trust_identity: false,
            identity: IdentityHeader::From,
            diversion: DiversionHeader::Off,
            caller_id: None,
            caller_id_prefixes: Vec::new(),
        }
    }
}

impl Profile {
    /// Our side of the media as this peer may see it.
    pub(crate) fn fit(&self, media: LocalMedia) -> LocalMedia {
        let LocalMedia { rtp, codecs, preferred, ptime } = media;
        let mut codecs = if self.codecs.is_empty() { codecs } else { self.codecs.clone() };
        if let Some(preferred) = preferred.filter(|it| self.allows(*it)) {
            codecs.retain(|codec| *codec != preferred);
            codecs.insert(0, preferred);
        }
        LocalMedia { rtp, codecs, preferred, ptime: self.ptime.unwrap_or(ptime) }
    }

    /// The codecs that are taken of a peer that has none of those we would offer.
    pub(crate) fn others(&self) -> Vec<AudioCodec> {
        if self.codecs.is_empty() { AudioCodec::ALL.to_vec() } else { Vec::new() }
    }

    /// The caller as this peer may see it: with a number of our own when the caller's may not be shown here. Who
    /// withholds the number stays withheld.
    pub(crate) fn present(&self, caller: Identity) -> Identity {
        let is_ours = |prefix: &String| caller.user.starts_with(prefix.as_str());
        let is_allowed = !caller.user.is_empty()
            && (self.caller_id_prefixes.is_empty() || self.caller_id_prefixes.iter().any(is_ours));
        match &self.caller_id {
            Some(own) if !is_allowed => Identity { user: own.clone(), display_name: None, ..caller },
            _ => caller,
        }
    }

    /// Whether a codec may be spoken.
    pub(crate) fn allows(&self, codec: AudioCodec) -> bool {
        self.codecs.is_empty() || self.codecs.contains(&codec)
    }
}

/// Whether a peer is sent packets of the length that it asks for, whatever the other party sends (RFC 8866 §6.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Repacketise {
    /// It is sent what comes, as RFC 3551 §4.2 has all receivers take it.
    Off,
    /// None longer than its `a=maxptime`.
    #[default]
    Limit,
    /// Of its `a=ptime` exactly; of ours when it names none.
    Always,
}

/// How a peer's digits travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dtmf {
    /// As telephone events in RTP (RFC 4733) where the peer offers or takes them, else as tones in its audio.
    #[default]
    Rfc4733,
    /// As tones in the audio (ITU-T Q.23): telephone-event is neither offered nor taken.
    InBand,
    /// In SIP, as INFO with `application/dtmf-relay`: telephone-event is neither offered nor taken, so that no press
    /// comes twice.
    Info,
    /// The same with `application/dtmf`.
    InfoDtmf,
    /// Not at all: telephone-event is neither offered nor taken.
    Off,
}

/// Who tells whom how it is heard, by VoIP metrics in extended reports (RFC 3611); where it is described (§5), it is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExtendedReports {
    /// Nobody: neither are they written, nor asked for.
    Off,
    /// We tell a peer that asks for them, or writes some; and ask one that asks us.
    #[default]
    Accept,
    /// The same, and our offers ask.
    Offer,
}

/// Who says what a call is called from end to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionIdPolicy {
    /// Nobody: it is neither said nor heard.
    Off,
    /// We do when the peer does.
    #[default]
    Accept,
    /// We do always.
    Send,
}

/// What becomes of a peer's REFERs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReferPolicy {
    /// They are put to the owner.
    #[default]
    Execute,
    /// 403.
    Refuse,
}

/// Whether provisional responses of a call are acknowledged by PRACK (RFC 3262).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReliableProvisional {
    /// Never: 100rel is not known, and who requires it is refused with 420.
    Off,
    /// Where the peer can.
    #[default]
    Supported,
    /// Always: callers without it are refused with 421, and we require it of whom we call.
    Required,
}

/// How long sessions last without being refreshed (RFC 4028).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimers {
    /// Whether sessions are refreshed.
    pub policy: SessionTimerPolicy,
    /// What we ask for, and the most that we grant when we ask (Session-Expires).
    pub interval: Duration,
    /// The least that we grant (Min-SE).
    pub min_se: Duration,
    /// Who refreshes, where it is ours to choose.
    pub refresher: PreferredRefresher,
}

impl Default for SessionTimers {
    fn default() -> Self {
        Self {
            policy: SessionTimerPolicy::Accept,
            interval: Duration::from_secs(1_800),
            min_se: crate::session_timer::USUAL_MIN_SE,
            refresher: PreferredRefresher::Either,
        }
    }
}

impl SessionTimers {
    /// Whether we ask for timers, rather than only agree to them.
    pub(crate) const fn asks(&self) -> bool {
        matches!(self.policy, SessionTimerPolicy::Offer | SessionTimerPolicy::Require)
    }
}

/// Whether sessions have to be refreshed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SessionTimerPolicy {
    /// Never: `timer` is not known, and who requires it is refused with 420.
    Off,
    /// When the peer asks for it.
    #[default]
    Accept,
    /// Always; where the peer does not know how, we refresh.
    Offer,
    /// Always: callers that do not know how are refused with 421, and we require it of whom we call.
    Require,
}

/// Who refreshes a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PreferredRefresher {
    /// The caller, unless the peer says otherwise.
    #[default]
    Either,
    /// We do.
    Us,
    /// The peer does.
    Peer,
}

/// What becomes of media that a called peer sends before it answers (RFC 3960).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EarlyMedia {
    /// It may be heard, unless the network says that it must not (P-Early-Media, RFC 5009).
    #[default]
    Accept,
    /// It is not: there is no media before the answer.
    Ignore,
}

/// How the keys of SRTP are agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keying {
    /// They stand in the session description (RFC 4568).
    #[default]
    Sdes,
    /// By a DTLS handshake in the path of the media (RFC 5763), where [`SrtpPolicy::Required`] asks for keys at all.
    Dtls,
}

/// Whether media with a peer is protected by SRTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SrtpPolicy {
    /// Never: RTP/AVP only, `a=crypto` is ignored.
    #[default]
    Off,
    /// When the peer can. We offer RTP/AVP with `a=crypto`, which peers without SRTP read as plain RTP, and take
    /// RTP/SAVP with keys of either kind, RTP/AVP with `a=crypto`, and RTP/AVP.
    Offered,
    /// Always: RTP/SAVP only, with keys of either kind; 488 else.
    Required,
}
