//! The four transaction machines of RFC 3261 §17 as RFC 6026 amends them, and the layer that runs them.
//!
//! A machine is one enum. A step consumes the old state and gives the new one with its effects, as the RFC's
//! figure has them; time is handed in, timers are instants inside the states. The layer matches messages to
//! machines (§17.1.3, §17.2.3), keeps what has to be sent again, and knows when the next timer is due.
//!
//! Owner thread: the signalling core. This module must not know dialogs or sessions.

mod index;
mod invite_client;
mod invite_server;
mod layer;
mod machine;
mod matching;
mod non_invite_client;
mod non_invite_server;
#[cfg(test)]
mod state_table;

use std::time::Duration;

use tandem_time::Instant;

pub use invite_client::{InviteClient, InviteClientInput};
pub use invite_server::{InviteServer, InviteServerInput};
pub(crate) use layer::{Outgoing, RequestMatch, ResponseMatch, Routed, TransactionId, Transactions};
pub use matching::MAGIC_COOKIE;
pub use non_invite_client::{NonInviteClient, NonInviteClientInput};
pub use non_invite_server::{NonInviteServer, NonInviteServerInput};

/// The shortest time between two copies of a message, whatever the timers are set to.
pub(crate) const INTERVAL_MIN: Duration = Duration::from_millis(1);

/// The timers of RFC 3261 §17 (table 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Round-trip estimate, 500 ms.
    pub t1: Duration,
    /// Longest retransmission interval, 4 s.
    pub t2: Duration,
    /// Longest life of a message in the network, 5 s.
    pub t4: Duration,
    /// How long a request of ours waits for a response (timers B and F); 64*T1 when absent.
    pub b: Option<Duration>,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            b: None,
        }
    }
}

impl Timers {
    /// 64*T1: how long anything is tried (timers H, J, L, M, and B and F when nothing else is said).
    #[must_use]
    pub fn transaction_timeout(&self) -> Duration {
        self.t1.saturating_mul(64)
    }
}

/// What a machine needs to set its timers.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// The base values.
    pub timers: Timers,
    /// Whether the transport retransmits by itself: then timers A, E and G never run and D, I, J and K are zero.
    pub reliable: bool,
}

impl Timing {
    /// Timer D: at least 32 s on unreliable transports, zero on reliable ones (RFC 3261 §17.1.1.2).
    fn d(&self, now: Instant) -> Instant {
        self.unless_reliable(now, self.timers.transaction_timeout())
    }

    /// Timers I and K: T4, or zero on reliable transports.
    fn i_or_k(&self, now: Instant) -> Instant {
        self.unless_reliable(now, self.timers.t4)
    }

    /// Timer J: 64*T1, or zero on reliable transports.
    fn j(&self, now: Instant) -> Instant {
        self.unless_reliable(now, self.timers.transaction_timeout())
    }

    /// Timers B and F, on every transport.
    fn b_or_f(&self, now: Instant) -> Instant {
        now + self.timers.b.unwrap_or(self.timers.transaction_timeout())
    }

    /// Timers H, L and M: 64*T1 on every transport.
    fn timeout(&self, now: Instant) -> Instant {
        now + self.timers.transaction_timeout()
    }

    fn unless_reliable(&self, now: Instant, duration: Duration) -> Instant {
        if self.reliable { now } else { now + duration }
    }

    /// The first run of timer A, E or G; none on reliable transports.
    fn first_retransmission(&self, now: Instant) -> Option<Retransmission> {
        (!self.reliable).then(|| Retransmission { at: now + self.timers.t1, interval: self.timers.t1 })
    }
}

/// A running timer A, E or G.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retransmission {
    /// When it fires.
    pub at: Instant,
    /// What it was set to.
    pub interval: Duration,
}

impl Retransmission {
    /// The next run, twice as long, at most `cap`.
    fn doubled(self, now: Instant, cap: Duration) -> Self {
        self.with_interval(now, self.interval.saturating_mul(2).min(cap))
    }

    fn with_interval(self, now: Instant, interval: Duration) -> Self {
        let interval = interval.max(INTERVAL_MIN);
        Self { at: now + interval, interval }
    }
}

/// What a step asks of the layer: at most one message out and one word to the transaction user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// What to send.
    pub send: Option<Send>,
    /// What to tell the transaction user.
    pub tell: Option<Tell>,
}

impl Effects {
    const NONE: Self = Self { send: None, tell: None };

    const fn send(send: Send) -> Self {
        Self { send: Some(send), tell: None }
    }

    const fn tell(tell: Tell) -> Self {
        Self { send: None, tell: Some(tell) }
    }

    const fn both(send: Send, tell: Tell) -> Self {
        Self { send: Some(send), tell: Some(tell) }
    }
}

/// What a transaction sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Send {
    /// The request, first or again.
    Request,
    /// The ACK of a final response other than 2xx (RFC 3261 §17.1.1.3).
    Ack,
    /// The latest response, first or again.
    Response,
}

/// What a transaction tells its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tell {
    /// The response that came.
    Response,
    /// The ACK that came.
    Ack,
    /// Nothing came in time.
    Timeout,
    /// The message could not be sent.
    TransportError,
}

/// The earlier of two timers.
fn earliest(retransmission: Option<Retransmission>, timeout: Instant) -> Instant {
    retransmission.map_or(timeout, |retransmission| retransmission.at.min(timeout))
}
