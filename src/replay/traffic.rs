//! Tells apart what came to the node and what the node said, by the configuration's addresses.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tandem_config::{Config, Target, Transport as ConfiguredTransport};
use tandem_sbc::framing::{Frame as SipFrame, StreamFramer};
use tandem_sbc::user_agent::{FlowId, Transport};

use super::packet::{Body, Packet, Segment};
use super::tcp::Direction;

/// The longest capture that is played: a wrong date must not make the replay wait for years.
const MAX_SPAN: Duration = Duration::from_secs(86_400);

/// Something that came to the node.
#[derive(Debug)]
pub(super) struct Arrival {
    /// Since the first packet of the capture.
    pub(super) at: Duration,
    pub(super) source: SocketAddr,
    pub(super) kind: ArrivalKind,
}

/// What it is.
#[derive(Debug)]
pub(super) enum ArrivalKind {
    Sip {
        transport: Transport,
        local: SocketAddr,
        flow: Option<FlowId>,
        bytes: Vec<u8>,
    },
    /// RTP or RTCP to one of the node's ports, as they were in the capture.
    Media {
        port: u16,
        bytes: Vec<u8>,
    },
}

/// A SIP message that the captured node sent.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) destination: SocketAddr,
    pub(super) bytes: Vec<u8>,
}

/// A capture, seen from the node.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    pub(super) arrivals: Vec<Arrival>,
    pub(super) said: Vec<Said>,
    /// Packets that neither came to the node nor left it.
    pub(super) foreign: u64,
    /// Packets dated more than [`MAX_SPAN`] after the first.
    pub(super) too_late: u64,
    /// Directions of TCP connections of which bytes are missing.
    pub(super) broken_streams: u64,
}

/// One direction of a connection with its messages.
#[derive(Debug, Default)]
struct Stream {
    order: Direction,
    framer: StreamFramer,
    broken: bool,
}

/// Sorts packets.
#[derive(Debug)]
pub(super) struct Sorter<'a> {
    config: &'a Config,
    start: Option<Duration>,
    streams: BTreeMap<(SocketAddr, SocketAddr), Stream>,
    /// Connections by the outside party's and our address.
    flows: BTreeMap<(SocketAddr, SocketAddr), FlowId>,
    traffic: Traffic,
}

impl<'a> Sorter<'a> {
    pub(super) fn new(config: &'a Config) -> Self {
        Self {
            config,
            start: None,
            streams: BTreeMap::new(),
            flows: BTreeMap::new(),
            traffic: Traffic::default(),
        }
    }

    pub(super) fn take(&mut self, packet: Packet) {
        let start = *self.start.get_or_insert(packet.at);
        let at = packet.at.saturating_sub(start);
        if at > MAX_SPAN {
            self.traffic.too_late += 1;
            return;
        }
        let (source, destination) = (packet.source, packet.destination);
        match packet.body {
            Body::Datagram(bytes) => self.datagram(at, source, destination, bytes),
            Body::Segment(segment) => self.segment(at, source, destination, &segment),
        }
    }

    pub(super) fn finish(mut self) -> Traffic {
        self.traffic.broken_streams =
            self.streams.values().filter(|stream| stream.broken || stream.order.is_lost()).count() as u64;
        // A capture of several queues may be slightly out of order.
        self.traffic.arrivals.sort_by_key(|arrival| arrival.at);
        self.traffic
    }

    fn listens(&self, transport: ConfiguredTransport, address: SocketAddr) -> bool {
        self.config.sip.listen.iter().any(|it| it.transport == transport && it.address == address)
    }

    fn is_media(&self, address: SocketAddr) -> bool {
        let rtp = &self.config.rtp;
        (address.ip() == rtp.address || Some(address.ip()) == rtp.other_address)
            && self.config.rtp.ports.contains(&address.port())
    }

    fn datagram(&mut self, at: Duration, source: SocketAddr, destination: SocketAddr, bytes: Vec<u8>) {
        if self.listens(ConfiguredTransport::Udp, destination) {
            let kind = ArrivalKind::Sip { transport: Transport::Udp, local: destination, flow: None, bytes };
            self.traffic.arrivals.push(Arrival { at, source, kind });
        } else if self.listens(ConfiguredTransport::Udp, source) {
            self.traffic.said.push(Said { destination, bytes });
        } else if self.is_media(destination) {
            let kind = ArrivalKind::Media { port: destination.port(), bytes };
            self.traffic.arrivals.push(Arrival { at, source, kind });
        } else if !self.is_media(source) {
            self.traffic.foreign += 1;
        }
    }

    /// Connections that the node opened are known by the trunk they go to.
    fn segment(&mut self, at: Duration, source: SocketAddr, destination: SocketAddr, segment: &Segment) {
        let trunk = |address: SocketAddr| {
            let tcp = Target::Address { address, transport: ConfiguredTransport::Tcp };
            self.config.trunks.iter().any(|trunk| trunk.peer == tcp)
        };
        let inbound = self.listens(ConfiguredTransport::Tcp, destination) || trunk(source);
        let outbound = self.listens(ConfiguredTransport::Tcp, source) || trunk(destination);
        if !inbound && !outbound {
            self.traffic.foreign += 1;
            return;
        }
        let (party, local) = if inbound { (source, destination) } else { (destination, source) };
        let new = FlowId(self.flows.len() as u64 + 1);
        let flow = *self.flows.entry((party, local)).or_insert(new);
        let stream = self.streams.entry((source, destination)).or_default();
        if segment.starts {
            *stream = Stream::default();
        }
        let bytes = stream.order.take(segment);
        stream.framer.push(&bytes);
        while !stream.broken {
            let message = match stream.framer.next_frame() {
                Ok(Some(SipFrame::Message(message))) => message.to_vec(),
                Ok(Some(SipFrame::Ping | SipFrame::Pong)) => continue,
                Ok(None) => break,
                Err(_) => {
                    stream.broken = true;
                    break;
                }
            };
            if inbound {
                let kind =
                    ArrivalKind::Sip { transport: Transport::Tcp, local, flow: Some(flow), bytes: message };
                self.traffic.arrivals.push(Arrival { at, source, kind });
            } else {
                self.traffic.said.push(Said { destination, bytes: message });
            }
        }
    }
}
