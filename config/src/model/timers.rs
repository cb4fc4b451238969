//! How long sessions last without being refreshed (RFC 4028).

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
