//! How a peer is spoken to.

use std::time::Duration;

use super::{Codec, DiversionHeader, IdentityHeader, Opus, PeerTimers, SessionTimers};

/// How a peer is spoken to: the keys a trunk and the phones have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Whether media is protected.
    pub srtp: SrtpPolicy,
    /// How our offers ask for its keys.
    pub srtp_keys: Keying,
    /// Whether the peer may find its way to us by ICE.
    pub ice: bool,
    /// The codecs that may be spoken, in the order of our offers; empty when the operator leaves it to the call.
    pub codecs: Vec<Codec>,
    /// What we ask of the Opus that the peer sends.
    pub opus: Opus,
    /// Whether comfort noise is offered and taken.
    pub comfort_noise: bool,
    /// Who tells whom how it is heard, in extended reports of RTCP.
    pub rtcp_xr: ExtendedReports,
    /// Whether it may be asked, inside a call, to speak another codec that needs no transcoding.
    pub codec_change: bool,
    /// The packet time of our offers.
    pub ptime: Duration,
    /// Whether packets of another length than it asks for are relayed to it.
    pub repacketise: Repacketise,
    /// How digits travel.
    pub dtmf: Dtmf,
    /// Whether what it sends before it answers is heard.
    pub early_media: EarlyMedia,
    /// Whether provisional responses are acknowledged (100rel).
    pub reliable_provisional: ReliableProvisional,
    /// How long sessions last without being refreshed.
    pub session_timers: SessionTimers,
    /// How long its transactions take, where that is not as with others.
    pub timers: PeerTimers,
    /// Max-Forwards of our requests.
    pub max_forwards: u8,
    /// Whether our messages say what a call is called from end to end.
    pub session_id: SessionId,
    /// Whether Server and User-Agent headers say what we are.
    pub product_header: bool,
    /// What becomes of its REFERs.
    pub refer: ReferPolicy,
    /// Whether it is to say what becomes of REFERs of ours.
    pub refer_subscription: bool,
    /// How often it is asked whether it is there when nothing else would tell; never when absent.
    pub alive_check: Option<Duration>,
    /// Whether who it says that calls is believed.
    pub trust_identity: bool,
    /// Where it wants to see who calls.
    pub identity: IdentityHeader,
    /// How it is told that a call was for somebody else.
    pub diversion: DiversionHeader,
    /// The number shown when the caller's own may not be.
    pub caller_id: Option<String>,
    /// What numbers that may be shown begin with; any when empty.
    pub caller_id_prefixes: Vec<String>,
}

impl Profile {
    /// What WebRTC demands (RFC 8827): keys by DTLS, and ICE.
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
            opus: Opus::default(),
            comfort_noise: false,
            rtcp_xr: ExtendedReports::Accept,
            codec_change: false,
            ptime: Duration::from_millis(20),
            repacketise: Repacketise::Limit,
            dtmf: Dtmf::Rfc4733,
            early_media: EarlyMedia::Accept,
            reliable_provisional: ReliableProvisional::Supported,
            session_timers: SessionTimers::default(),
            timers: PeerTimers::default(),
            max_forwards: 70,
            session_id: SessionId::Accept,
            product_header: true,
            refer: ReferPolicy::Execute,
            refer_subscription: true,
            alive_check: Some(Duration::from_secs(300)),
            trust_identity: false,
            identity: IdentityHeader::From,
            diversion: DiversionHeader::Off,
            caller_id: None,
            caller_id_prefixes: Vec::new(),
        }
    }
}

/// Whether a peer is sent packets of the length that it asks for, whatever the other party sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repacketise {
    /// It is sent what comes.
    Off,
    /// None longer than its `a=maxptime`.
    Limit,
    /// Of its `a=ptime` exactly; of ours when it names none.
    Always,
}

/// Whether provisional responses are acknowledged (RFC 3262).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReliableProvisional {
    /// Never.
    Off,
    /// Where the peer can.
    Supported,
    /// Always.
    Required,
}

/// Who tells whom how it is heard, in extended reports of RTCP (RFC 3611).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtendedReports {
    /// Nobody.
    Off,
    /// We do when the peer asks for it, or does.
    Accept,
    /// The same, and our offers ask for it.
    Offer,
}

/// Who says what a call is called from end to end (RFC 7989).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionId {
    /// Nobody.
    Off,
    /// We do when the peer does.
    Accept,
    /// We do always.
    Send,
}

/// What becomes of media that comes before the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarlyMedia {
    /// It is heard.
    Accept,
    /// It is not.
    Ignore,
}

/// How digits travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtmf {
    /// As telephone events (RFC 4733), or as tones with a peer that has none.
    Rfc4733,
    /// As tones in the audio.
    InBand,
    /// In SIP: INFO with `application/dtmf-relay`.
    Info,
    /// In SIP: INFO with `application/dtmf`.
    InfoDtmf,
    /// Not at all.
    Off,
}

/// What becomes of a peer's REFERs (RFC 3515).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReferPolicy {
    /// The control plane decides.
    #[default]
    Execute,
    /// They are refused.
    Refuse,
}

/// How the keys of SRTP are agreed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keying {
    /// They stand in the session description (RFC 4568).
    #[default]
    Sdes,
    /// By a DTLS handshake (RFC 5763).
    Dtls,
}

/// Whether media is protected by SRTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SrtpPolicy {
    /// Never.
    #[default]
    Off,
    /// When the other side can.
    Offered,
    /// Always; calls without are refused.
    Required,
}
