//! One UDP socket, read in batches.

use std::io::IoSliceMut;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;

use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, setsockopt, sockopt};

/// Datagrams read by one system call.
const BATCH: usize = 32;
/// Batches read before somebody else gets a turn.
const BATCHES: usize = 16;
/// The longest datagram that is read whole.
const MAX_DATAGRAM: usize = 9_000;
/// What the kernel is asked to keep for us; it gives what `net.core.rmem_max` allows.
const BUFFER: usize = 8 << 20;

pub(crate) struct Datagrams {
    socket: UdpSocket,
    local: SocketAddr,
    buffers: Vec<Vec<u8>>,
    headers: MultiHeaders<SockaddrStorage>,
}

impl Datagrams {
    pub(crate) fn bind(local: SocketAddr) -> std::io::Result<Self> {
        let socket = UdpSocket::bind(local)?;
        socket.set_nonblocking(true)?;
        // A smaller buffer than asked for loses packets in bursts; the kernel counts them, and so do we.
        let _ = setsockopt(&socket, sockopt::RcvBuf, &BUFFER);
        let _ = setsockopt(&socket, sockopt::SndBuf, &BUFFER);
        Ok(Self {
            local: socket.local_addr()?,
            socket,
            buffers: vec![vec![0; MAX_DATAGRAM]; BATCH],
            headers: MultiHeaders::preallocate(BATCH, None),
        })
    }

    pub(crate) const fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    pub(crate) const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Takes what has come, at most [`BATCHES`] batches of it.
    pub(crate) fn receive(&mut self, mut take: impl FnMut(SocketAddr, &[u8])) {
        for _ in 0..BATCHES {
            if self.receive_batch(&mut take) < BATCH {
                return;
            }
        }
    }

    fn receive_batch(&mut self, take: &mut impl FnMut(SocketAddr, &[u8])) -> usize {
        let mut slices: Vec<_> = self.buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
        let flags = MsgFlags::MSG_DONTWAIT;
        let Ok(batch) = recvmmsg(self.socket.as_raw_fd(), &mut self.headers, slices.iter_mut(), flags, None)
        else {
            return 0;
        };
        let mut count = 0;
        for message in batch {
            count += 1;
            let source = message.address.and_then(|address| std_address(&address));
            if let (Some(source), Some(bytes)) = (source, message.iovs().next()) {
                take(source, bytes);
            }
        }
        count
    }

    /// Whether the kernel took it; what it does not take is lost. One call each: on the way out there is nothing to
    /// be won by a batch, the kernel hands every datagram on by itself.
    pub(crate) fn send(&self, destination: SocketAddr, bytes: &[u8]) -> bool {
        self.socket.send_to(bytes, destination).is_ok()
    }
}

fn std_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|it| SocketAddr::from((it.ip(), it.port())));
    v4.or_else(|| address.as_sockaddr_in6().map(|it| SocketAddr::from((it.ip(), it.port()))))
}
