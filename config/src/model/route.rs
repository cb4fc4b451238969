//! How a carrier is reached, and who we are to it.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Transport, Trunk};

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

impl Trunk {
    /// Whether any of its destinations is reached that way.
    #[must_use]
    pub fn uses(&self, transport: Transport) -> bool {
        self.peer.transport() == Some(transport) || self.routes.iter().any(|route| route.uses(transport))
    }
}

impl Route {
    /// Whether it is reached that way.
    #[must_use]
    pub fn uses(&self, transport: Transport) -> bool {
        self.to.transport() == Some(transport) || (self.is_sips && transport == Transport::Tls)
    }
}

/// The name of a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// In small letters, without a dot at the end.
    pub name: String,
    /// The port of that host itself.
    pub port: Option<u16>,
    /// How; UDP or TCP as DNS has it when absent.
    pub transport: Option<Transport>,
}

impl Target {
    /// How, when that is said.
    #[must_use]
    pub const fn transport(&self) -> Option<Transport> {
        match self {
            Self::Address { transport, .. } => Some(*transport),
            Self::Domain(domain) => domain.transport,
        }
    }

    /// Where, when that is said.
    #[must_use]
    pub const fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Address { address, .. } => Some(*address),
            Self::Domain(_) => None,
        }
    }
}

/// Where 3xx of a trunk may lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirects {
    /// How often one call is redirected.
    pub max: u8,
    /// To these trunks.
    pub trunks: Vec<String>,
    /// What numbers begin with that may be called; any when empty.
    pub prefixes: Vec<String>,
}

/// A registration of ours with a carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register {
    /// What is registered: `sip:USER@DOMAIN`.
    pub aor: String,
    /// Where; the trunk's first destination when absent.
    pub registrar: Option<Target>,
    /// The user part of our Contact.
    pub contact_user: String,
    /// What challenges are answered with; those of the trunk when absent.
    pub credentials: Option<TrunkCredentials>,
    /// How long it is to last.
    pub expires: Duration,
    /// How often a keep-alive is sent; as the registrar or RFC 5626 says when absent.
    pub keep_alive: Option<Duration>,
    /// Whether we say who we are by RFC 5626.
    pub outbound: bool,
}

/// How names of carriers are looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dns {
    /// Who is asked; those of the system when empty.
    pub servers: Vec<SocketAddr>,
    /// How long each is given to answer.
    pub timeout: Duration,
    /// The shortest time an answer is believed.
    pub min_ttl: Duration,
    /// The longest.
    pub max_ttl: Duration,
    /// The longest that the lack of an answer is believed.
    pub max_negative_ttl: Duration,
}

/// One destination of a carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where, and how.
    pub to: Target,
    /// Whether it asks for TLS on every hop (`sips:`).
    pub is_sips: bool,
    /// The lowest is tried first.
    pub priority: u16,
    /// Among those of one priority, how likely it is the first.
    pub weight: u16,
    /// How long it may be silent before the next one is tried.
    pub failover_after: Duration,
    /// How it is asked whether it is there; as its trunk says when absent.
    pub health: Option<Health>,
}

/// How a destination is asked whether it is there (OPTIONS).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// How often.
    pub interval: Duration,
    /// So many failures in a row take it out.
    pub failures: u8,
    /// So many successes in a row bring it back.
    pub successes: u8,
    /// Final responses that count as failures.
    pub dead_on: Vec<RangeInclusive<u16>>,
}

/// Trunks that stand in for each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteSet {
    /// What is called, instead of a trunk.
    pub name: String,
    /// The trunks, in the order they are tried.
    pub trunks: Vec<String>,
}

/// Who we are to a carrier that asks.
#[derive(Clone, PartialEq, Eq)]
pub struct TrunkCredentials {
    /// The user name.
    pub username: String,
    /// The digest password.
    pub password: String,
    /// The only realm they are for; any when absent.
    pub realm: Option<String>,
}

impl std::fmt::Debug for TrunkCredentials {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TrunkCredentials({})", self.username)
    }
}
