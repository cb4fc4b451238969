//! The socket pairs of a media thread, found by endpoint and by epoll token.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};
use tandem_media::{Channel, EndpointId};

use crate::sys::{Epoll, dropped_by_kernel};

/// What a media socket may buffer, in bytes each way: about 100 packets of bookkeeping size, two seconds of one
/// stream. A thread that is later than that has worse troubles than a dropped packet.
const SOCKET_BUFFER: usize = 128 * 1024;

/// The token of the wake-up descriptor; no endpoint has it, see [`token`].
pub(crate) const WAKE_TOKEN: u64 = u64::MAX;

/// The pairs of one thread.
#[derive(Debug)]
pub(crate) struct Sockets {
    pairs: Vec<Option<Pair>>,
}

#[derive(Debug)]
pub(crate) struct Pair {
    generation: u32,
    rtp: UdpSocket,
    rtcp: UdpSocket,
}

impl Sockets {
    /// Room for endpoints with an index below `max_endpoints`.
    pub(crate) fn new(max_endpoints: usize) -> Self {
        Self { pairs: (0..max_endpoints).map(|_| None).collect() }
    }

    /// Binds an endpoint's pair, RTCP on the port after RTP's, and watches both.
    pub(crate) fn bind(&mut self, epoll: &Epoll, endpoint: EndpointId, local: SocketAddr) -> io::Result<()> {
        let slot = self.slot(endpoint).ok_or(io::ErrorKind::OutOfMemory)?;
        if slot.is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let rtcp_port = local.port().checked_add(1).ok_or(io::ErrorKind::InvalidInput)?;
        let rtp = open(local)?;
        let rtcp = open(SocketAddr::new(local.ip(), rtcp_port))?;
        epoll.watch(&rtp, token(endpoint, Channel::Rtp))?;
        epoll.watch(&rtcp, token(endpoint, Channel::Rtcp))?;
        *slot = Some(Pair { generation: endpoint.generation, rtp, rtcp });
        Ok(())
    }

    /// Takes an endpoint's pair out; dropping it closes the sockets and ends the watch.
    pub(crate) fn unbind(&mut self, endpoint: EndpointId) -> Option<Pair> {
        self.slot(endpoint)?.take_if(|pair| pair.generation == endpoint.generation)
    }

    /// An endpoint's socket, if it is this use of the slot that is bound.
    pub(crate) fn socket(&self, endpoint: EndpointId, channel: Channel) -> Option<&UdpSocket> {
        let pair = self.pairs.get(endpoint.index as usize)?.as_ref()?;
        (pair.generation == endpoint.generation).then(|| pair.socket(channel))
    }

    fn slot(&mut self, endpoint: EndpointId) -> Option<&mut Option<Pair>> {
        self.pairs.get_mut(endpoint.index as usize)
    }
}

impl Pair {
    pub(crate) fn socket(&self, channel: Channel) -> &UdpSocket {
        match channel {
            Channel::Rtp => &self.rtp,
            Channel::Rtcp => &self.rtcp,
        }
    }

    /// Packets that found the RTP socket's buffer full, over its life.
    pub(crate) fn dropped_by_kernel(&self) -> u64 {
        dropped_by_kernel(&self.rtp).unwrap_or(0).into()
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

/// Index below 2^31, channel, generation: a token that outlives its endpoint is recognised by its generation.
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
    let endpoint = EndpointId { index: low >> 1, generation: (token >> 32) as u32 };
    (endpoint, if low & 1 == 0 { Channel::Rtp } else { Channel::Rtcp })
}

const INDEX_MASK: u32 = u32::MAX >> 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_tell_endpoint_channel_and_generation() {
        for channel in [Channel::Rtp, Channel::Rtcp] {
            let endpoint = EndpointId { index: 70_000, generation: u32::MAX };
            assert_eq!(from_token(token(endpoint, channel)), (endpoint, channel));
            assert_ne!(token(endpoint, channel), WAKE_TOKEN);
        }
    }
}
