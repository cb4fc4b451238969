//! How a carrier is reached, and who we are to it.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::Transport;

/// One destination of a carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where.
    pub address: SocketAddr,
    /// How.
    pub transport: Transport,
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
