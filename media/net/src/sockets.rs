//! The socket pairs of a media thread, found by endpoint and by epoll token.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};
use tandem_media::{Channel, EndpointId};

use crate::outlet::Outlet;
use crate::sys::{Epoll, disconnect, dropped_by_kernel};

/// What a media socket may buffer, in bytes each way: about 100 packets of bookkeeping size, two seconds of one
/// stream. A thread that is later than that has worse troubles than a dropped packet.
const SOCKET_BUFFER: usize = 128 * 1024;

/// The token of the wake-up descriptor; no endpoint has it, see [`token`].
pub(crate) const WAKE_TOKEN: u64 = u64::MAX;

/// The pairs of one thread.
#[derive(Debug)]
pub(crate) struct Sockets {
    pairs: Vec<Option<Pair>>,
    /// Our address of the other family, when we have both: each endpoint is at both, at the same ports.
    other_address: Option<IpAddr>,
}

#[derive(Debug)]
pub(crate) struct Pair {
    generation: u32,
    bound: Bound,
    /// At our address of the other family.
    other: Option<Bound>,
}

#[derive(Debug)]
struct Bound {
    is_ipv4: bool,
    rtp: UdpSocket,
    rtcp: UdpSocket,
    /// To whom the RTP socket is connected. The kernel then keeps the route and finds the socket sooner: a tenth of what
    /// a packet costs (`benches/benches/relay.rs`).
    connected_to: Option<SocketAddr>,
}

impl Sockets {
    /// Room for endpoints with an index below `max_endpoints`.
    pub(crate) fn new(max_endpoints: usize, other_address: Option<IpAddr>) -> Self {
        Self { pairs: (0..max_endpoints).map(|_| None).collect(), other_address }
    }

    /// Binds an endpoint's pair, RTCP on the port after RTP's, and watches both; the same at our other address.
    pub(crate) fn bind(&mut self, epoll: &Epoll, endpoint: EndpointId, local: SocketAddr) -> io::Result<()> {
        let other = self.other_address.filter(|other| other.is_ipv4() != local.is_ipv4());
        let slot = self.slot(endpoint).ok_or(io::ErrorKind::OutOfMemory)?;
        if slot.is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let bound = Bound::open(epoll, endpoint, local, 0)?;
        let at_other = |ip| Bound::open(epoll, endpoint, SocketAddr::new(ip, local.port()), OTHER_FAMILY);
        let other = other.map(at_other).transpose()?;
        *slot = Some(Pair { generation: endpoint.generation, bound, other });
        Ok(())
    }

    /// Takes an endpoint's pair out; dropping it closes the sockets and ends the watch.
    pub(crate) fn unbind(&mut self, endpoint: EndpointId) -> Option<Pair> {
        self.slot(endpoint)?.take_if(|pair| pair.generation == endpoint.generation)
    }

    /// Connects an endpoint's RTP socket of the remote's family, or none of its sockets any more. What the kernel
    /// refuses leaves the socket as it was made: to be sent by with an address, heard from everywhere.
    pub(crate) fn connect(&mut self, endpoint: EndpointId, remote: Option<SocketAddr>) {
        let Some(Some(pair)) = self.slot(endpoint) else { return };
        if pair.generation != endpoint.generation {
            return;
        }
        for bound in std::iter::once(&mut pair.bound).chain(&mut pair.other) {
            bound.connect(remote.filter(|remote| remote.is_ipv4() == bound.is_ipv4));
        }
    }

    /// The way from an endpoint to there, if it is this use of the slot that is bound.
    pub(crate) fn outlet(
        &self,
        endpoint: EndpointId,
        channel: Channel,
        destination: SocketAddr,
    ) -> Option<Outlet<'_>> {
        let pair = self.pair(endpoint)?;
        let fits = |bound: &&Bound| bound.is_ipv4 == destination.is_ipv4();
        let bound = pair.other.as_ref().filter(fits).unwrap_or(&pair.bound);
        let connected_to = bound.connected_to.filter(|_| channel == Channel::Rtp);
        Some(Outlet::new(bound.socket(channel), connected_to))
    }

    /// The socket that a token was reported for.
    pub(crate) fn socket_of(&self, token: u64) -> Option<&UdpSocket> {
        let (endpoint, channel) = from_token(token);
        let pair = self.pair(endpoint)?;
        let bound = if token & OTHER_FAMILY == 0 { Some(&pair.bound) } else { pair.other.as_ref() };
        bound.map(|bound| bound.socket(channel))
    }

    fn pair(&self, endpoint: EndpointId) -> Option<&Pair> {
        let pair = self.pairs.get(endpoint.index as usize)?.as_ref()?;
        (pair.generation == endpoint.generation).then_some(pair)
    }

    fn slot(&mut self, endpoint: EndpointId) -> Option<&mut Option<Pair>> {
        self.pairs.get_mut(endpoint.index as usize)
    }
}

impl Pair {
    /// Packets that found the RTP sockets' buffers full, over their life.
    pub(crate) fn dropped_by_kernel(&self) -> u64 {
        let bound = std::iter::once(&self.bound).chain(&self.other);
        bound.map(|bound| u64::from(dropped_by_kernel(&bound.rtp).unwrap_or(0))).sum()
    }
}

impl Bound {
    fn open(epoll: &Epoll, endpoint: EndpointId, local: SocketAddr, family: u64) -> io::Result<Self> {
        let rtcp_port = local.port().checked_add(1).ok_or(io::ErrorKind::InvalidInput)?;
        let rtp = open(local)?;
        let rtcp = open(SocketAddr::new(local.ip(), rtcp_port))?;
        epoll.watch(&rtp, token(endpoint, Channel::Rtp) | family)?;
        epoll.watch(&rtcp, token(endpoint, Channel::Rtcp) | family)?;
        Ok(Self { is_ipv4: local.is_ipv4(), rtp, rtcp, connected_to: None })
    }

    fn connect(&mut self, remote: Option<SocketAddr>) {
        if self.connected_to == remote {
            return;
        }
        let made = match remote {
            Some(remote) => self.rtp.connect(remote).is_ok(),
            None => false,
        };
        self.connected_to = remote.filter(|_| made);
        if !made {
            let _ = disconnect(&self.rtp);
        }
    }

    fn socket(&self, channel: Channel) -> &UdpSocket {
        match channel {
            Channel::Rtp => &self.rtp,
            Channel::Rtcp => &self.rtcp,
        }
    }
}

fn open(local: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_recv_buffer_size(SOCKET_BUFFER)?;
    socket.set_send_buffer_size(SOCKET_BUFFER)?;
    if local.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&local.into())?;
    Ok(socket.into())
}

/// Set in the token of a socket at our address of the other family.
const OTHER_FAMILY: u64 = 1 << 31;

/// Index below 2^30, channel, generation: a token that outlives its endpoint is recognised by its generation.
fn token(endpoint: EndpointId, channel: Channel) -> u64 {
    let channel = match channel {
        Channel::Rtp => 0,
        Channel::Rtcp => 1,
    };
    u64::from(endpoint.generation) << 32 | u64::from(endpoint.index & INDEX_MASK) << 1 | channel
}

/// The endpoint and channel of a [`token`].
pub(crate) fn from_token(token: u64) -> (EndpointId, Channel) {
    let low = token as u32;
    let endpoint = EndpointId { index: low >> 1 & INDEX_MASK, generation: (token >> 32) as u32 };
    (endpoint, if low & 1 == 0 { Channel::Rtp } else { Channel::Rtcp })
}

const INDEX_MASK: u32 = u32::MAX >> 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_tell_endpoint_channel_and_generation() {
        for channel in [Channel::Rtp, Channel::Rtcp] {
            let endpoint = EndpointId { index: 70_000, generation: u32::MAX };
            assert_eq!(from_token(token(endpoint, channel)), (endpoint, channel));
            assert_eq!(from_token(token(endpoint, channel) | OTHER_FAMILY), (endpoint, channel));
            assert_ne!(token(endpoint, channel), WAKE_TOKEN);
        }
    }
}
