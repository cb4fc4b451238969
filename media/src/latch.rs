//! From where packets are believed, and where answers go (RFC 7362 without its "RTP bleed").

use std::net::{IpAddr, SocketAddr};

use crate::LatchPolicy;

/// ```text
///            first accepted packet
/// Waiting ───────────────────────► Fixed        (a new offer/answer makes a new latch)
/// ```
#[derive(Clone, Copy, Debug)]
enum State {
    /// Any port of these addresses is believed.
    Waiting { signalled: IpAddr, source: Option<IpAddr> },
    /// Only this address and port is.
    Fixed,
}

/// The latch of one channel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latch {
    /// Where we send: the signalled address until a packet fixed another.
    destination: SocketAddr,
    state: State,
}

impl Latch {
    pub(crate) const fn new(signalled: SocketAddr, policy: LatchPolicy) -> Self {
        let state = match policy {
            LatchPolicy::Signalled => State::Fixed,
            LatchPolicy::SignalledAddress => State::Waiting { signalled: signalled.ip(), source: None },
            LatchPolicy::Source(source) => State::Waiting { signalled: signalled.ip(), source: Some(source) },
        };
        Self { destination: signalled, state }
    }

    /// Whether a packet from `source` may be believed.
    #[inline]
    pub(crate) fn admits(&self, source: SocketAddr) -> bool {
        match self.state {
            State::Fixed => source == self.destination,
            State::Waiting { signalled, source: allowed } => {
                source.ip() == signalled || Some(source.ip()) == allowed
            }
        }
    }

    /// A packet from `source` was believed; true when it is the first and so fixes the address.
    #[inline]
    pub(crate) const fn fix(&mut self, source: SocketAddr) -> bool {
        let first = !matches!(self.state, State::Fixed);
        if first {
            *self = Self { destination: source, state: State::Fixed };
        }
        first
    }

    /// Sends to `destination` for as long as no packet has fixed another.
    pub(crate) const fn follow(&mut self, destination: SocketAddr) {
        if !matches!(self.state, State::Fixed) {
            self.destination = destination;
        }
    }

    #[inline]
    pub(crate) const fn destination(&self) -> SocketAddr {
        self.destination
    }
}
