//! How long sessions last without being refreshed (RFC 4028), and how long a peer's transactions take.

use std::time::Duration;

/// The session timers of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimers {
    /// Whether sessions are refreshed.
    pub policy: SessionTimerPolicy,
    /// What we ask for.
    pub interval: Duration,
    /// The least that we grant.
    pub min_se: Duration,
    /// Who refreshes, where it is ours to choose.
    pub refresher: SessionRefresher,
}

impl Default for SessionTimers {
    fn default() -> Self {
        Self {
            policy: SessionTimerPolicy::Accept,
            interval: Duration::from_secs(1_800),
            min_se: Duration::from_secs(90),
            refresher: SessionRefresher::Either,
        }
    }
}

/// Whether sessions have to be refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionTimerPolicy {
    /// Never.
    Off,
    /// When the peer asks for it.
    Accept,
    /// Always; by us where the peer cannot.
    Offer,
    /// Always, and the peer must know how.
    Require,
}

/// Who refreshes a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionRefresher {
    /// The caller, unless the peer says otherwise.
    Either,
    /// We do.
    Us,
    /// The peer does.
    Peer,
}

/// The timers of a peer's transactions (RFC 3261 §17, table 4); what is absent is the node's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerTimers {
    /// Round-trip estimate.
    pub t1: Option<Duration>,
    /// Longest retransmission interval.
    pub t2: Option<Duration>,
    /// How long a request of ours waits for a response; 64*T1 when absent.
    pub timer_b: Option<Duration>,
    /// The longest it may ring.
    pub max_ringing: Option<Duration>,
}
