//! What an operator decides, after every check.

mod call_progress;
mod codecs;
mod features;
mod identity;
mod log;
mod profile;
mod prompts;
mod protection;
mod recording;
mod route;
mod rtp;
mod rules;
mod timers;

use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use crate::IpPrefix;

pub use call_progress::CallProgress;
pub use codecs::{Codec, Opus};
pub use features::Features;
pub use identity::{DiversionHeader, IdentityHeader};
pub use log::{Log, LogFormat, LogLevel};
pub use profile::{
    Dtmf, EarlyMedia, ExtendedReports, Keying, Profile, ReferPolicy, ReliableProvisional, Repacketise,
    SessionId, SrtpPolicy,
};
pub use prompts::{Prompts, Speech, SpeechProvider};
pub use protection::Protection;
pub use recording::{Recording, RecordingFormat, RecordingSides};
pub use route::{Dns, Domain, Health, Redirects, Register, Route, RouteSet, Target, TrunkCredentials};
pub use rtp::{Rtp, RtpIo};
pub use rules::{
    Direction, NumberFormat, NumberForms, Place, Placed, Rule, RuleAction, RuleCondition, RuleOn,
    RuleSubject, RuleTest,
};
pub use timers::{PeerTimers, SessionRefresher, SessionTimerPolicy, SessionTimers};

/// One node's configuration. Paths are resolved against the folder of the file they stand in.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The node's name in logs and metrics.
    pub node_name: String,
    /// How long a drain waits for calls to end by themselves.
    pub drain_timeout: Duration,
    /// Logs.
    pub log: Log,
    /// Signalling.
    pub sip: Sip,
    /// TLS.
    pub tls: Tls,
    /// Media.
    pub rtp: Rtp,
    /// The most of everything.
    pub limits: Limits,
    /// Where `/healthz` and `/metrics` are served.
    pub http_listen: SocketAddr,
    /// The SQLite file of call records.
    pub store_path: PathBuf,
    /// The folder of flow files, `NAME.toml` each.
    pub flows_folder: PathBuf,
    /// What callers hear.
    pub prompts: Prompts,
    /// How words are spoken that are not recorded; not at all when absent.
    pub speech: Option<Speech>,
    /// How calls are recorded; none is when absent.
    pub recording: Option<Recording>,
    /// What is done about those who guess, scan and flood.
    pub protection: Protection,
    /// Numbers and services (`urn:service:sos`) whose calls pass every limit.
    pub emergency_numbers: Vec<String>,
    /// The carriers.
    pub trunks: Vec<Trunk>,
    /// Names of carriers.
    pub dns: Dns,
    /// Trunks that stand in for each other.
    pub route_sets: Vec<RouteSet>,
    /// Who may register, and from where.
    pub phones: Phones,
    /// How long an agent who did not answer is left alone.
    pub not_responding_pause: Duration,
    /// What a party hears whose other one puts it on hold; nothing when absent.
    pub hold_music: Option<String>,
    /// The trunk of numbers that phones dial or transfer to; none are when absent.
    pub outbound_trunk: Option<String>,
    /// Users who may listen to agents' calls, coach them and join in.
    pub supervisors: Vec<String>,
    /// What phones can key and dial.
    pub features: Features,
    /// The agents.
    pub agents: Vec<Agent>,
    /// The queues.
    pub queues: Vec<Queue>,
    /// Called numbers and the flows that answer them.
    pub entry_points: Vec<EntryPoint>,
}

/// Signalling.
#[derive(Clone, Debug, PartialEq)]
pub struct Sip {
    /// Where we listen; the first of a transport stands in Via and Contact.
    pub listen: Vec<SipListen>,
    /// The value of Server and User-Agent headers.
    pub product: String,
    /// Whether the kernel filters sources too, before a datagram reaches us.
    pub kernel_filter: bool,
    /// Whether signalling runs in the kernel's real-time class, where it lets it.
    pub realtime: bool,
    /// The pages whose scripts may connect by WebSocket, by origin (RFC 6454); all when empty.
    pub websocket_origins: Vec<String>,
    /// The timers of RFC 3261 §17.
    pub timers: SipTimers,
    /// The longest a called party may ring.
    pub max_ringing: Duration,
}

/// One listening address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SipListen {
    /// The transport.
    pub transport: Transport,
    /// The address.
    pub address: SocketAddr,
}

impl fmt::Display for SipListen {
    /// As it stands in a configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport.name(), self.address)
    }
}

/// How SIP travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// A stream within TLS.
    Tls,
    /// WebSocket, for phones in browsers.
    Ws,
    /// WebSocket within TLS.
    Wss,
}

impl Transport {
    /// Its name in a configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    /// Whether a listener needs a certificate.
    #[must_use]
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }
}

/// The timers of RFC 3261 §17 (table 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SipTimers {
    /// Round-trip estimate.
    pub t1: Duration,
    /// Longest retransmission interval.
    pub t2: Duration,
    /// Longest life of a message in the network.
    pub t4: Duration,
}

/// The most of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Calls at a time.
    pub max_calls: u32,
    /// Legs in a call.
    pub max_legs_per_call: u8,
    /// The longest a call may last.
    pub max_call_duration: Duration,
    /// SIP sessions at a time, those still being released included.
    pub max_sessions: u32,
    /// SIP transactions at a time.
    pub max_transactions: u32,
    /// New calls a second from all peers together.
    pub max_calls_per_second: u32,
    /// The longest a message may have waited before new calls are refused.
    pub max_queue_delay: Duration,
    /// Contacts a user may register.
    pub max_contacts_per_user: u8,
}

/// One carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trunk {
    /// Its name in flows, logs and records.
    pub name: String,
    /// The addresses it may send from.
    pub sources: Vec<IpPrefix>,
    /// Where calls to it go, unless it has routes.
    pub peer: Target,
    /// Its destinations when it has several.
    pub routes: Vec<Route>,
    /// How they are asked whether they are there; not at all when absent.
    pub health: Option<Health>,
    /// Final responses after which the next destination is tried.
    pub failover_on: Vec<RangeInclusive<u16>>,
    /// Concurrent calls, both directions together.
    pub max_calls: u32,
    /// New calls a second from it.
    pub max_calls_per_second: u32,
    /// New calls a second to it.
    pub max_calls_per_second_out: u32,
    /// Concurrent calls that one of its addresses may begin.
    pub max_calls_per_source: u32,
    /// What its challenges are answered with.
    pub credentials: Option<TrunkCredentials>,
    /// Whether its calls are transferred by itself, when the target is its too (REFER).
    pub refer_out: bool,
    /// How it is found out what answers calls to it; not at all when absent.
    pub call_progress: Option<CallProgress>,
    /// Where its 3xx may lead; they are refusals when absent.
    pub redirects: Option<Redirects>,
    /// Whether two of its calls that were transferred to each other are joined by itself (REFER with Replaces).
    pub refer_out_attended: bool,
    /// What we are registered as with it.
    pub registrations: Vec<Register>,
    /// How it is spoken to.
    pub profile: Profile,
    /// Whether its calls are recorded.
    pub record: bool,
    /// What its messages become, and ours to it; in order.
    pub rules: Vec<Rule>,
    /// The form of its numbers.
    pub numbers: Option<NumberForms>,
    /// Whom TLS must show, and what we show.
    pub tls: TrunkTls,
}

/// TLS with one trunk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrunkTls {
    /// The domain its certificate must name (RFC 5922); the peer's address when absent.
    pub name: Option<String>,
    /// A PEM file of who may vouch for it; [`Tls::ca`] when absent.
    pub ca: Option<Placed<PathBuf>>,
    /// Whether it must show a certificate when it connects to us.
    pub client_certificate: ClientCertificate,
    /// What we show it when we connect; the first of [`Tls::certificates`] when absent.
    pub own: Option<KeyPair>,
}

/// Whether a client must show a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificate {
    /// It is not asked for one.
    #[default]
    Off,
    /// Without a fitting one it is refused.
    Required,
}

/// TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// What we show: the one that names what a client asks for, else the first.
    pub certificates: Vec<KeyPair>,
    /// A PEM file of who may vouch for trunks; of no line where nobody has written it.
    pub ca: Placed<PathBuf>,
    /// How long before its end a certificate is warned of.
    pub expiry_warning: Duration,
}

/// PEM files that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPair {
    /// The certificate, then its chain.
    pub certificate: Placed<PathBuf>,
    /// Its key.
    pub key: Placed<PathBuf>,
}

/// Who may register, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phones {
    /// The addresses phones may send from.
    pub sources: Vec<IpPrefix>,
    /// The digest realm.
    pub realm: String,
    /// What phones are challenged with, the preferred algorithm first.
    pub digest: Vec<DigestAlgorithm>,
    /// Shortest registration accepted.
    pub min_expires: Duration,
    /// Longest registration granted.
    pub max_expires: Duration,
    /// How often phones behind NAT are sent something that keeps them in reach; not at all when absent.
    pub keep_alive: Option<Duration>,
    /// How often phones that know of flows (RFC 5626) are to keep their connection alive; not told when absent.
    pub flow_timer: Option<Duration>,
    /// Concurrent calls that phones at one address may begin.
    pub max_calls_per_source: u32,
    /// New calls a second from one address.
    pub max_calls_per_second_per_source: u32,
    /// How they are spoken to.
    pub profile: Profile,
    /// How those over WebSocket are.
    pub browsers: Profile,
    /// The users.
    pub users: Vec<User>,
    /// Users who may take each other's calls while they ring.
    pub pickup_groups: Vec<Vec<String>>,
}

/// A digest algorithm (RFC 7616 §6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestAlgorithm {
    /// MD5.
    Md5,
    /// SHA-256.
    Sha256,
}

/// A softphone's account.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// The user name, and the number others dial.
    pub name: String,
    /// The digest password.
    pub password: String,
}

impl std::fmt::Debug for User {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "User({})", self.name)
    }
}

/// Somebody who takes calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// The name in queues, logs and records.
    pub name: String,
    /// Where to ring.
    pub reach: Reach,
}

/// Where somebody is rung.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// At a softphone: available while it is registered.
    User(String),
    /// At a number on a trunk: always available.
    Number {
        /// The number.
        number: String,
        /// The trunk.
        trunk: String,
    },
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// The name in flows, logs and records.
    pub name: String,
    /// Agents by name.
    pub agents: Vec<String>,
    /// How long an agent is rung.
    pub ring_timeout: Duration,
    /// How long an agent is left alone after a conversation.
    pub wrap_up: Duration,
    /// The longest a caller waits.
    pub max_wait: Duration,
    /// Callers that may wait at a time.
    pub max_waiting: u32,
    /// The prompt that waiting callers hear, over and over.
    pub music: String,
    /// Said again and again while waiting, if at all.
    pub announcement: Option<Announcement>,
    /// Whether an agent hears a tone before the caller.
    pub zip_tone: bool,
    /// Whether its callers are recorded from when they talk to an agent.
    pub record: bool,
}

/// A comfort announcement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The prompt.
    pub prompt: String,
    /// How often.
    pub every: Duration,
}

/// A called number and what becomes of calls to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryPoint {
    /// The Request-URI's user part.
    pub number: String,
    /// The prompts that callers hear before they are answered or refused.
    pub announce: Vec<String>,
    /// What becomes of them.
    pub treatment: Treatment,
}

/// What becomes of calls to a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// A flow answers them, by its name.
    Flow(String),
    /// They are refused.
    Refuse(Refusal),
    /// They go straight through.
    Route {
        /// To whom.
        reach: Reach,
        /// How long they are rung.
        ring_timeout: Duration,
        /// Which way the media goes.
        media: MediaPath,
    },
}

/// Why calls to a number are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 404.
    NotFound,
    /// 486.
    Busy,
    /// 603.
    Declined,
    /// 503.
    Unavailable,
    /// 480.
    NoAnswer,
}

/// Which way the media of a call that goes straight through goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MediaPath {
    /// Through the node.
    #[default]
    Anchored,
    /// Between the parties.
    Direct,
}
