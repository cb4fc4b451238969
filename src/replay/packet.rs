//! From captured frames to UDP datagrams and TCP segments.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use etherparse::{EtherType, NetSlice, SlicedPacket, TransportSlice};
use pcap_parser::Linktype;
use serde::Serialize;

use super::capture::Frame;

/// One packet between two sockets.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) at: Duration,
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) body: Body,
}

/// What the packet carries.
#[derive(Debug)]
pub(super) enum Body {
    Datagram(Vec<u8>),
    Segment(Segment),
}

/// A TCP segment.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) sequence: u32,
    pub(super) starts: bool,
    pub(super) payload: Vec<u8>,
}

/// Frames that could not be used, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Skipped {
    /// Of a link type that is not read.
    pub(super) link_types: u64,
    /// Cut short or malformed below UDP and TCP.
    pub(super) malformed: u64,
    /// Parts of IP datagrams; they are not put together.
    pub(super) ip_fragments: u64,
    /// Neither UDP nor TCP over IP.
    pub(super) other_protocols: u64,
}

/// The packet of a frame.
pub(super) fn decode(frame: &Frame, skipped: &mut Skipped) -> Option<Packet> {
    let Some(sliced) = slice(frame) else {
        skipped.link_types += 1;
        return None;
    };
    let Ok(sliced) = sliced else {
        skipped.malformed += 1;
        return None;
    };
    let Some((source, destination, fragment)) = sliced.net.as_ref().and_then(addresses) else {
        skipped.other_protocols += 1;
        return None;
    };
    if fragment {
        skipped.ip_fragments += 1;
        return None;
    }
    let (ports, body) = match &sliced.transport {
        Some(TransportSlice::Udp(udp)) => {
            ((udp.source_port(), udp.destination_port()), Body::Datagram(udp.payload().to_vec()))
        }
        Some(TransportSlice::Tcp(tcp)) => {
            let segment = Segment {
                sequence: tcp.sequence_number(),
                starts: tcp.syn(),
                payload: tcp.payload().to_vec(),
            };
            ((tcp.source_port(), tcp.destination_port()), Body::Segment(segment))
        }
        _ => {
            skipped.other_protocols += 1;
            return None;
        }
    };
    Some(Packet {
        at: frame.at,
        source: SocketAddr::new(source, ports.0),
        destination: SocketAddr::new(destination, ports.1),
        body,
    })
}

type Sliced<'a> = Result<SlicedPacket<'a>, etherparse::err::packet::SliceError>;

/// None for a link type that is not read.
fn slice(frame: &Frame) -> Option<Sliced<'_>> {
    /// Octets of the header of Linux cooked capture version 1, which ends with the protocol.
    const COOKED: usize = 16;
    /// Octets of the header of version 2, which begins with it.
    const COOKED_2: usize = 20;
    /// Octets of the address family in front of a BSD loopback packet.
    const FAMILY: usize = 4;
    let bytes = frame.bytes.as_slice();
    match frame.link {
        Linktype::ETHERNET => Some(SlicedPacket::from_ethernet(bytes)),
        Linktype::LINUX_SLL => of_protocol(bytes.get(COOKED - 2..)?, bytes.get(COOKED..)?),
        Linktype::LINUX_SLL2 => of_protocol(bytes, bytes.get(COOKED_2..)?),
        Linktype::RAW | Linktype::IPV4 | Linktype::IPV6 => Some(SlicedPacket::from_ip(bytes)),
        Linktype::NULL | Linktype::LOOP => Some(SlicedPacket::from_ip(bytes.get(FAMILY..)?)),
        _ => None,
    }
}

/// The packet in `rest`, of the EtherType that `protocol` begins with.
fn of_protocol<'a>(protocol: &[u8], rest: &'a [u8]) -> Option<Sliced<'a>> {
    let protocol = EtherType(u16::from_be_bytes(*protocol.first_chunk()?));
    Some(SlicedPacket::from_ether_type(protocol, rest))
}

/// Source, destination, and whether it is a part of a larger datagram.
fn addresses(net: &NetSlice<'_>) -> Option<(IpAddr, IpAddr, bool)> {
    match net {
        NetSlice::Ipv4(ip) => Some((
            ip.header().source_addr().into(),
            ip.header().destination_addr().into(),
            ip.is_payload_fragmented(),
        )),
        NetSlice::Ipv6(ip) => Some((
            ip.header().source_addr().into(),
            ip.header().destination_addr().into(),
            ip.is_payload_fragmented(),
        )),
        NetSlice::Arp(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::PacketBuilder;

    fn ip() -> Vec<u8> {
        let mut bytes = Vec::new();
        let packet = PacketBuilder::ipv4([127, 0, 0, 10], [127, 0, 0, 1], 64).udp(5070, 5060);
        packet.write(&mut bytes, b"OPTIONS").expect("written to memory");
        bytes
    }

    fn frame(link: Linktype, before: &[u8]) -> Frame {
        Frame { at: Duration::ZERO, link, bytes: [before, &ip()].concat() }
    }

    #[test]
    fn every_link_type_gives_the_same_datagram() {
        let ethernet = [&[0; 12][..], &[0x08, 0x00]].concat();
        let cooked = [&[0, 0, 3, 4, 0, 6][..], &[0; 8], &[0x08, 0x00]].concat();
        let cooked_2 = [&[0x08, 0x00][..], &[0; 18]].concat();
        let frames = [
            frame(Linktype::ETHERNET, &ethernet),
            frame(Linktype::LINUX_SLL, &cooked),
            frame(Linktype::LINUX_SLL2, &cooked_2),
            frame(Linktype::RAW, &[]),
            frame(Linktype::IPV4, &[]),
            frame(Linktype::NULL, &[2, 0, 0, 0]),
        ];
        for frame in &frames {
            let mut skipped = Skipped::default();
            let packet =
                decode(frame, &mut skipped).unwrap_or_else(|| panic!("{:?}: {skipped:?}", frame.link));
            assert_eq!(packet.source, SocketAddr::from(([127, 0, 0, 10], 5070)));
            assert_eq!(packet.destination, SocketAddr::from(([127, 0, 0, 1], 5060)));
            assert!(matches!(packet.body, Body::Datagram(payload) if payload == b"OPTIONS"));
        }
    }

    #[test]
    fn what_cannot_be_used_is_counted() {
        let mut skipped = Skipped::default();
        let mut fragment = frame(Linktype::RAW, &[]);
        fragment.bytes[6] |= 0x20; // more fragments
        let mut short = frame(Linktype::RAW, &[]);
        short.bytes.truncate(15);
        for unusable in [frame(Linktype::NFLOG, &[]), fragment, short] {
            assert!(decode(&unusable, &mut skipped).is_none());
        }
        assert_eq!(skipped, Skipped { link_types: 1, malformed: 1, ip_fragments: 1, other_protocols: 0 });
    }
}
