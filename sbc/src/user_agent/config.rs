//! What the user agent is told by its operator.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::profile::Profile;
use super::redirect::RedirectPolicy;
pub use crate::auth::DigestAlgorithm;
use crate::ban::Protection;
use crate::dns::{Domain, NameLimits};
use crate::health::HealthConfig;
use crate::rules::TrunkRules;
use crate::sdp::Fingerprint;
use crate::source::IpPrefix;
use crate::transaction::Timers;
use crate::transport::Transport;
use crate::uri::Scheme;

/// Everything an operator decides about signalling.
#[derive(Clone, Debug)]
pub struct UserAgentConfig {
    /// Where we listen; the first of a transport is what we put into Via and Contact for it.
    pub listen: Vec<ListenAddress>,
    /// The carriers.
    pub trunks: Vec<TrunkConfig>,
    /// Trunks that stand in for each other, under a name that is called like a trunk's.
    pub route_sets: Vec<RouteSet>,
    /// How long answers of DNS are believed.
    pub names: NameLimits,
    /// Who may register, and from where.
    pub phones: PhoneConfig,
    /// The most of everything.
    pub limits: Limits,
    /// Numbers whose calls pass every limit, and services such as `urn:service:sos` (RFC 5031), which stand for
    /// those below them too.
    pub emergency: Vec<String>,
    /// Numbers whose calls go to somebody with whom the caller agrees on media without us: any offer may be made.
    pub direct: BTreeSet<String>,
    /// What is done about those who guess, scan and flood.
    pub protection: Protection,
    /// SIP timers.
    pub timers: Timers,
    /// The value of Server and User-Agent headers.
    pub product: String,
    /// Of the certificate that this node shows in DTLS handshakes (RFC 8122); without one, media is not keyed by DTLS.
    pub dtls_certificate: Option<Fingerprint>,
    /// Our media address of the other family than that of [`LocalMedia`](super::LocalMedia), at the same ports: then each
    /// peer is told the one that it can reach.
    pub other_media_address: Option<IpAddr>,
}

impl UserAgentConfig {
    /// One that listens there, has no trunk and no user, and the usual limits.
    #[must_use]
    pub fn new(listen: Vec<ListenAddress>) -> Self {
        Self {
            listen,
            trunks: Vec::new(),
            route_sets: Vec::new(),
            names: NameLimits::default(),
            phones: PhoneConfig::default(),
            limits: Limits::default(),
            emergency: vec!["112".to_owned(), "911".to_owned(), "urn:service:sos".to_owned()],
            direct: BTreeSet::new(),
            protection: Protection::default(),
            timers: Timers::default(),
            product: "Tandem".to_owned(),
            dtls_certificate: None,
            other_media_address: None,
        }
    }
}

/// One listening address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddress {
    /// The transport.
    pub transport: Transport,
    /// The address.
    pub address: SocketAddr,
}

/// One carrier.
#[derive(Clone, Debug)]
pub struct TrunkConfig {
    /// Its name in logs, records and dial commands.
    pub name: String,
    /// The sources it may send from. A packet from nowhere listed is dropped unread.
    pub sources: Vec<IpPrefix>,
    /// Where calls to it go, unless there are routes.
    pub peer: Target,
    /// Its destinations when it has several.
    pub routes: Vec<RouteConfig>,
    /// How they are asked whether they are there, but for those with a way of their own; not at all when absent.
    pub health: Option<HealthConfig>,
    /// Final responses after which the next destination is tried; all others speak for the callee.
    pub failover_on: Vec<RangeInclusive<u16>>,
    /// Where its 3xx may lead; they are refusals when absent.
    pub redirects: Option<RedirectPolicy>,
    /// What we are registered as with it.
    pub registrations: Vec<Arc<RegisterConfig>>,
    /// What its challenges are answered with; they are refusals when absent.
    pub credentials: Option<TrunkCredentials>,
    /// Whether who connects from its sources over TLS has shown its certificate: then its connections may carry our
    /// requests (RFC 5923).
    pub is_authenticated: bool,
    /// How it is spoken to.
    pub profile: Profile,
    /// What its messages become, and ours to it.
    pub rules: Option<Arc<TrunkRules>>,
    /// The most concurrent calls, both directions together; 503 beyond.
    pub max_calls: u32,
    /// The most new calls a second from it (token bucket of one second's worth); 503 beyond.
    pub max_calls_per_second: u32,
    /// The same to it; calls of ours fail beyond.
    pub max_calls_per_second_out: u32,
    /// The most concurrent calls that one of its addresses may begin; 503 beyond.
    pub max_calls_per_source: u32,
}

impl TrunkConfig {
    /// A carrier over UDP, with the usual profile and limits.
    #[must_use]
    pub fn new(name: impl Into<String>, sources: Vec<IpPrefix>, peer: SocketAddr) -> Self {
        Self {
            name: name.into(),
            sources,
            peer: Target::Address { address: peer, transport: Transport::Udp },
            routes: Vec::new(),
            health: None,
            failover_on: FAILOVER_ON.to_vec(),
            redirects: None,
            registrations: Vec::new(),
            credentials: None,
            is_authenticated: false,
            profile: Profile::default(),
            rules: None,
            max_calls: 1_000,
            max_calls_per_second: 100,
            max_calls_per_second_out: u32::MAX,
            max_calls_per_source: u32::MAX,
        }
    }
}

impl TrunkConfig {
    /// Its destinations: at least one.
    #[must_use]
    pub fn destinations(&self) -> Vec<RouteConfig> {
        let mut destinations = match self.routes.as_slice() {
            [] => vec![RouteConfig::to(self.peer.clone())],
            routes => routes.to_vec(),
        };
        for destination in &mut destinations {
            destination.health = destination.health.take().or_else(|| self.health.clone());
        }
        destinations
    }
}

/// Timeouts, overload and other failures of the server itself (RFC 3263 §4.3), and a flow that is gone (RFC 5626 §5.3).
const FAILOVER_ON: [RangeInclusive<u16>; 3] = [408..=408, 430..=430, 500..=599];

/// How long a destination may be silent, by default, before the next one is tried.
const FAILOVER_AFTER: Duration = Duration::from_secs(4);

/// One destination of a carrier (the words of RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteConfig {
    /// Where, and how.
    pub to: Target,
    /// Whether what goes there asks for TLS on every hop; then the transport is TLS.
    pub scheme: Scheme,
    /// The lowest is tried first.
    pub priority: u16,
    /// Among those of one priority, how likely it is the first.
    pub weight: u16,
    /// How long it may be silent before the next one is tried.
    pub failover_after: Duration,
    /// How it is asked whether it is there; as its trunk says when absent.
    pub health: Option<HealthConfig>,
}

impl RouteConfig {
    /// A destination like any other.
    #[must_use]
    pub const fn new(address: SocketAddr, transport: Transport) -> Self {
        Self::to(Target::Address { address, transport })
    }

    /// One that is there.
    #[must_use]
    pub const fn to(to: Target) -> Self {
        Self { to, scheme: Scheme::Sip, priority: 1, weight: 1, failover_after: FAILOVER_AFTER, health: None }
    }
}

/// Where a destination is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// There.
    Address {
        /// Where.
        address: SocketAddr,
        /// How.
        transport: Transport,
    },
    /// Where DNS says (RFC 3263).
    Domain(Domain),
}

impl Target {
    /// The name, if it is one.
    #[must_use]
    pub const fn domain(&self) -> Option<&Domain> {
        match self {
            Self::Address { .. } => None,
            Self::Domain(domain) => Some(domain),
        }
    }
}

/// Trunks that stand in for each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSet {
    /// What is called, instead of a trunk.
    pub name: String,
    /// The trunks, in the order they are tried.
    pub trunks: Vec<String>,
}

/// A registration of ours with a carrier (RFC 3261 §10.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterConfig {
    /// What we register: a `sip:` or `sips:` URI whose host is the registrar's domain.
    pub aor: String,
    /// Where the registrar is; the trunk's first destination when absent.
    pub registrar: Option<Target>,
    /// The user part of our Contact: what calls then come to as the Request-URI.
    pub contact_user: String,
    /// What its challenges are answered with.
    pub credentials: Option<TrunkCredentials>,
    /// How long a registration is to last.
    pub expires: Duration,
    /// How often a keep-alive is sent, unless the registrar says (Flow-Timer). When absent: every two minutes on a
    /// stream of a registration with `outbound`, else never.
    pub keep_alive: Option<Duration>,
    /// Who we are by RFC 5626, for registrars that know of it.
    pub outbound: Option<Outbound>,
}

/// RFC 5626 §4.1 and §4.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outbound {
    /// A URN that is ours and stays so over restarts.
    pub instance: String,
    /// Which of our registrations under it this is, from 1.
    pub reg_id: u32,
}

impl RegisterConfig {
    /// One of an address of record like any other, without credentials.
    #[must_use]
    pub fn new(aor: impl Into<String>) -> Self {
        let aor = aor.into();
        let rest = aor.split_once(':').and_then(|(_, rest)| rest.split_once('@'));
        let user = rest.map(|(user, _)| user);
        Self {
            contact_user: user.unwrap_or_default().to_owned(),
            aor,
            registrar: None,
            credentials: None,
            expires: Duration::from_secs(3_600),
            keep_alive: None,
            outbound: None,
        }
    }

    /// §10.2: the domain of the address of record, without a user.
    pub(crate) fn request_uri(&self) -> String {
        let rest = self.aor.split_once(':').map_or(self.aor.as_str(), |(_, rest)| rest);
        let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        format!("{}:{host}", self.scheme().name())
    }

    /// RFC 5630 §5.1.1.1: who is registered as sips is so at a Contact of sips.
    pub(crate) fn scheme(&self) -> Scheme {
        Scheme::of(self.aor.as_bytes())
    }
}

/// A URN for [`Outbound::instance`] that is always the same for a seed, such as a node's name (RFC 9562 §5.8).
#[must_use]
pub fn instance_of(seed: &str) -> String {
    use sha2::Digest as _;
    let hash = sha2::Sha256::digest(seed.as_bytes());
    let hex: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!("urn:uuid:{}-{}-8{}-8{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
}

/// Who we are to a carrier that asks (RFC 3261 §22).
#[derive(Clone, PartialEq, Eq)]
pub struct TrunkCredentials {
    /// The user name.
    pub username: String,
    /// The password in clear, since digests are made of it.
    pub password: String,
    /// The only realm they are for; any realm's challenge is answered when absent.
    pub realm: Option<String>,
}

impl std::fmt::Debug for TrunkCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TrunkCredentials({})", self.username)
    }
}

/// Who may register, and from where.
#[derive(Clone, Debug)]
pub struct PhoneConfig {
    /// The sources phones may send from.
    pub sources: Vec<IpPrefix>,
    /// The digest realm.
    pub realm: String,
    /// What phones are challenged with, the preferred algorithm first. Either is taken from them whatever the
    /// challenge; some phones give up when it names one they do not know.
    pub digest: Vec<DigestAlgorithm>,
    /// How they are spoken to.
    pub profile: Profile,
    /// How those over WebSocket are: by default as WebRTC demands (RFC 8827).
    pub browsers: Profile,
    /// The users.
    pub users: Vec<UserCredentials>,
    /// Users who may take each other's calls while they ring (RFC 3891 §3, `early-only`).
    pub pickup_groups: Vec<BTreeSet<String>>,
    /// Shortest registration accepted (423 below).
    pub min_expires: Duration,
    /// Longest registration granted.
    pub max_expires: Duration,
    /// How often phones behind NAT are sent something over UDP that keeps their mapping; not at all when absent.
    pub keep_alive: Option<Duration>,
    /// How often phones with `outbound` (RFC 5626) that have connected to us are to keep their connection alive; not told when
    /// absent, which is two minutes then.
    pub flow_timer: Option<Duration>,
    /// The most concurrent calls that phones at one address may begin; 503 beyond.
    pub max_calls_per_source: u32,
    /// The most new calls a second from one address; 503 beyond.
    pub max_calls_per_second_per_source: u32,
}

impl Default for PhoneConfig {
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            realm: "tandem".to_owned(),
            digest: vec![DigestAlgorithm::Sha256, DigestAlgorithm::Md5],
            profile: Profile::default(),
            browsers: Profile::web_rtc(),
            users: Vec::new(),
            pickup_groups: Vec::new(),
            min_expires: Duration::from_secs(30),
            max_expires: Duration::from_secs(3_600),
            keep_alive: None,
            flow_timer: None,
            max_calls_per_source: 100,
            max_calls_per_second_per_source: 20,
        }
    }
}

impl PhoneConfig {
    /// Whether a user may take another one's call that rings.
    pub(super) fn may_pick_up(&self, user: &str, whose: &str) -> bool {
        self.pickup_groups.iter().any(|group| group.contains(user) && group.contains(whose))
    }

    pub(super) fn passwords(&self) -> BTreeMap<String, String> {
        self.users.iter().map(|user| (user.name.clone(), user.password.clone())).collect()
    }
}

/// A user and the password of digest authentication.
#[derive(Clone)]
pub struct UserCredentials {
    /// The user name, and the number others dial.
    pub name: String,
    /// The password in clear, since both MD5 and SHA-256 digests are made of it.
    pub password: String,
}

impl std::fmt::Debug for UserCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UserCredentials({})", self.name)
    }
}

/// The most of everything the user agent keeps.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Sessions at a time; 503 beyond.
    pub max_sessions: u32,
    /// Transactions at a time; new requests get 503 beyond.
    pub max_transactions: u32,
    /// New calls a second from all peers together; 503 beyond.
    pub max_calls_per_second: u32,
    /// How long a message may have waited for us; when it has waited longer, new calls get 503 until the wait is
    /// half as long.
    pub max_queue_delay: Duration,
    /// Contacts per user; the oldest goes.
    pub max_contacts_per_user: u8,
    /// How long an INVITE we sent may ring before we cancel it, whatever the owner says.
    pub max_ringing: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_sessions: 100_000,
            max_transactions: 200_000,
            max_calls_per_second: 10_000,
            max_queue_delay: Duration::from_millis(250),
            max_contacts_per_user: 4,
            max_ringing: Duration::from_secs(180),
        }
    }
}
