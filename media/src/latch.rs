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
    Waiting { signalled: IpAddr, more: [Option<IpAddr>; 2] },
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
            LatchPolicy::SignalledAddress => State::Waiting { signalled: signalled.ip(), more: [None; 2] },
            LatchPolicy::BehindNat { signalling, gateway } => {
                State::Waiting { signalled: signalled.ip(), more: [Some(signalling), gateway] }
            }
        };
        Self { destination: signalled, state }
    }

    /// Whether a packet from `source` may be believed.
    #[inline]
    pub(crate) fn admits(&self, source: SocketAddr) -> bool {
        match self.state {
            State::Fixed => source == self.destination,
            State::Waiting { signalled, more } => {
                source.ip() == signalled || more.contains(&Some(source.ip()))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_phone_behind_nat_is_believed_from_its_gateway_until_a_packet_fixes_one_address() {
        let policy = LatchPolicy::BehindNat {
            signalling: address("192.0.2.1:5060").ip(),
            gateway: Some(address("192.0.2.2:0").ip()),
        };
        let mut latch = Latch::new(address("10.0.0.5:4000"), policy);
        for believed in ["10.0.0.5:9", "192.0.2.1:9", "192.0.2.2:9"] {
            assert!(latch.admits(address(believed)), "{believed}");
        }
        assert!(!latch.admits(address("192.0.2.3:4000")));
        assert!(latch.fix(address("192.0.2.2:9")));
        assert_eq!(latch.destination(), address("192.0.2.2:9"));
        assert!(!latch.admits(address("192.0.2.1:9")));
    }
}
