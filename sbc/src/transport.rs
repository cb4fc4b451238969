//! How messages travel, as far as a machine without sockets knows it.

use std::net::SocketAddr;
use std::time::Duration;

/// Names a stream connection; given by the transport layer, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub u64);

/// How messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// A stream within TLS.
    Tls,
    /// One message a WebSocket message (RFC 7118).
    Ws,
    /// WebSocket within TLS.
    Wss,
}

impl Transport {
    /// Whether the transport retransmits by itself, so that transactions need not (RFC 3261 §17.1.1.1).
    #[must_use]
    pub fn is_reliable(self) -> bool {
        self != Self::Udp
    }

    /// Whether it is what phones in browsers have (RFC 7118).
    #[must_use]
    pub fn is_websocket(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }

    /// Whether nobody on the way can read it.
    #[must_use]
    pub fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// The `transport` parameter of a `sip:` URI (RFC 3261 §19.1.1, RFC 7118 §5.2.3); UDP is what its absence means.
    #[must_use]
    pub fn uri_parameter(self) -> Option<&'static str> {
        match self {
            Self::Udp => None,
            Self::Tcp => Some("tcp"),
            Self::Tls => Some("tls"),
            Self::Ws | Self::Wss => Some("ws"),
        }
    }

    /// The port of an address without one (RFC 3261 §19.1.2, RFC 7118 §5.2.4).
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }

    /// The transport's name in a Via header (RFC 3261 §20.42, RFC 7118 §5.2.1).
    #[must_use]
    pub fn via_name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }
}

/// One datagram, or one message framed from a stream.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// How it came.
    pub transport: Transport,
    /// Our address.
    pub local: SocketAddr,
    /// Where it came from.
    pub source: SocketAddr,
    /// The connection it came on, for streams.
    pub flow: Option<FlowId>,
    /// What came.
    pub bytes: &'a [u8],
}

/// The way from us to the next element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// How.
    pub transport: Transport,
    /// From which of our addresses.
    pub local: SocketAddr,
    /// To whom.
    pub destination: SocketAddr,
    /// On this connection while it lives; else on one to `destination`, opened if need be.
    pub flow: Option<FlowId>,
}

impl Hop {
    /// `bytes` on this way.
    #[must_use]
    pub fn carry(self, bytes: Vec<u8>) -> Transmit {
        let Self { transport, local, destination, flow } = self;
        Transmit { transport, local, destination, flow, bytes }
    }

    /// Whether `failure` speaks of this way.
    #[must_use]
    pub fn is_hit_by(&self, failure: &TransportFailure) -> bool {
        if failure.transport != self.transport {
            return false;
        }
        match (self.flow, failure.flow) {
            (Some(mine), Some(gone)) => mine == gone,
            // Our connection may have died unseen, and opening another one failed.
            _ => self.destination == failure.destination,
        }
    }
}

/// What is to become of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowOrder {
    /// It is closed, before any message that follows is sent.
    Close(FlowId),
    /// Its peer has promised to say something more often than this, and is gone when it does not.
    Expect(FlowId, Duration),
    /// It stays for so long, though nothing comes on it.
    Keep(FlowId, Duration),
}

/// A message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// How.
    pub transport: Transport,
    /// From which of our addresses.
    pub local: SocketAddr,
    /// To whom.
    pub destination: SocketAddr,
    /// On this connection while it lives; else on one to `destination`, opened if need be.
    pub flow: Option<FlowId>,
    /// What.
    pub bytes: Vec<u8>,
}

/// Something could not be sent, or a connection is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransportFailure {
    /// How it was to travel.
    pub transport: Transport,
    /// To whom.
    pub destination: SocketAddr,
    /// The connection that is gone, if there was one.
    pub flow: Option<FlowId>,
}
