//! From where packets are believed, and where answers go (RFC 7362 without its "RTP bleed").

use std::net::{IpAddr, SocketAddr};

use crate::LatchPolicy;

/// ```text
///            from the very address and port signalled
/// Waiting ────────────────────────────────────────────► Fixed   (a new offer/answer makes a new latch)
///    │                                                    ▲
///    └── from another believed one ──► Provisional ───────┘ from the very address and port signalled
/// ```
/// Carriers and gateways have one address for many calls, so a late packet of another call may come first: it must
/// not keep out the party that sends from where it said.
#[derive(Clone, Copy, Debug)]
enum State {
    /// Any port of these addresses is believed.
    Waiting { signalled: SocketAddr, more: [Option<IpAddr>; 2] },
    /// This address and port is, and the signalled one.
    Provisional { signalled: SocketAddr },
    /// Only this address and port is.
    Fixed,
    /// Nobody is, before a check says who (RFC 8445 §7.3.1).
    Unchecked,
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
            LatchPolicy::SignalledAddress => State::Waiting { signalled, more: [None; 2] },
            LatchPolicy::BehindNat { signalling, gateway } => {
                State::Waiting { signalled, more: [Some(signalling), gateway] }
            }
        };
        Self { destination: signalled, state }
    }

    /// Whether a packet from `source` may be believed.
    #[inline]
    pub(crate) fn admits(&self, source: SocketAddr) -> bool {
        match self.state {
            State::Fixed => source == self.destination,
            State::Unchecked => false,
            State::Provisional { signalled } => source == self.destination || source == signalled,
            State::Waiting { signalled, more } => {
                source.ip() == signalled.ip() || more.contains(&Some(source.ip()))
            }
        }
    }

    /// A packet from `source` was believed; true when it moves where we send.
    #[inline]
    pub(crate) fn fix(&mut self, source: SocketAddr) -> bool {
        self.state = match self.state {
            State::Fixed | State::Unchecked => return false,
            State::Waiting { signalled, .. } | State::Provisional { signalled } if source == signalled => {
                State::Fixed
            }
            State::Waiting { signalled, .. } => State::Provisional { signalled },
            State::Provisional { .. } => return false,
        };
        let moved = self.destination != source;
        self.destination = source;
        moved
    }

    /// A latch that only checks open.
    pub(crate) const fn unchecked(signalled: SocketAddr) -> Self {
        Self { destination: signalled, state: State::Unchecked }
    }

    /// A check proved that the party is at `source`: the first one is believed, and each that nominates.
    pub(crate) fn checked(&mut self, source: SocketAddr, nominates: bool) -> bool {
        let is_first = matches!(self.state, State::Unchecked);
        if !is_first && (!nominates || self.destination == source) {
            return false;
        }
        *self = Self { destination: source, state: State::Fixed };
        true
    }

    /// Whether packets may go there: a check has said so, or none is needed.
    #[inline]
    pub(crate) const fn is_open(&self) -> bool {
        !matches!(self.state, State::Unchecked)
    }

    /// The only source of what is believed, when there is one and no packet can change it.
    #[inline]
    pub(crate) const fn fixed_at(&self) -> Option<SocketAddr> {
        if let State::Fixed = self.state { Some(self.destination) } else { None }
    }

    /// Sends to `destination` for as long as no packet has fixed another.
    pub(crate) const fn follow(&mut self, destination: SocketAddr) {
        if matches!(self.state, State::Waiting { .. }) {
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

    #[test]
    fn whoever_sends_from_where_it_said_takes_over_for_good() {
        let signalled = address("192.0.2.1:4000");
        let mut latch = Latch::new(signalled, LatchPolicy::SignalledAddress);
        assert!(latch.fix(address("192.0.2.1:9")));
        assert!(latch.admits(signalled) && !latch.admits(address("192.0.2.1:10")));
        assert!(latch.fix(signalled));
        assert_eq!(latch.destination(), signalled);
        assert!(!latch.admits(address("192.0.2.1:9")));
    }
}
