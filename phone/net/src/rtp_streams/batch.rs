//! One UDP socket, written and read in batches, with the time at which the kernel took each packet in.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::time::Duration;

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg, setsockopt, sockopt,
};

/// Packets read or written by one system call.
pub(super) const BATCH: usize = 16;
/// The longest packet that is read whole.
const MAX_PACKET: usize = 512;
/// What the kernel is asked to keep for us; it gives what `net.core.rmem_max` allows.
const BUFFER: usize = 8 << 20;

pub(super) struct Batch {
    socket: UdpSocket,
    received: Vec<Vec<u8>>,
    headers_in: MultiHeaders<SockaddrStorage>,
    headers_out: MultiHeaders<SockaddrStorage>,
    packets: Vec<Vec<u8>>,
    destinations: Vec<Option<SockaddrStorage>>,
}

impl Batch {
    /// Of a socket of [`bind`].
    pub(super) fn new(socket: UdpSocket) -> Self {
        let control = nix::cmsg_space!(nix::sys::time::TimeSpec);
        Self {
            socket,
            received: vec![vec![0; MAX_PACKET]; BATCH],
            headers_in: MultiHeaders::preallocate(BATCH, Some(control)),
            headers_out: MultiHeaders::preallocate(BATCH, None),
            packets: Vec::with_capacity(BATCH),
            destinations: Vec::with_capacity(BATCH),
        }
    }

    /// Room for one more packet to be sent there.
    pub(super) fn packet_to(&mut self, destination: SocketAddr, spare: Vec<u8>) -> &mut Vec<u8> {
        self.destinations.push(Some(destination.into()));
        self.packets.push(spare);
        let last = self.packets.len() - 1;
        &mut self.packets[last]
    }

    /// The last one is not sent after all.
    pub(super) fn take_back(&mut self) -> Option<Vec<u8>> {
        self.destinations.pop();
        self.packets.pop()
    }

    pub(super) fn is_full(&self) -> bool {
        self.packets.len() >= BATCH
    }

    /// Sends what there is; how many the kernel did not take. The buffers come back in `spare`.
    pub(super) fn flush(&mut self, spare: &mut Vec<Vec<u8>>) -> u64 {
        if self.packets.is_empty() {
            return 0;
        }
        let slices: Vec<[IoSlice<'_>; 1]> =
            self.packets.iter().map(|packet| [IoSlice::new(packet)]).collect();
        let descriptor = self.socket.as_raw_fd();
        let sent = sendmmsg(
            descriptor,
            &mut self.headers_out,
            &slices,
            &self.destinations,
            [],
            MsgFlags::MSG_DONTWAIT,
        );
        let sent = sent.map_or(0, Iterator::count);
        drop(slices);
        let not_sent = self.packets.len() - sent;
        self.destinations.clear();
        spare.append(&mut self.packets);
        not_sent as u64
    }

    /// Takes what has come: from where, when, and what.
    pub(super) fn receive(&mut self, mut take: impl FnMut(SocketAddr, u64, &[u8])) {
        while self.receive_some(&mut take) == BATCH {}
    }

    fn receive_some(&mut self, take: &mut impl FnMut(SocketAddr, u64, &[u8])) -> usize {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            self.received.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
        let descriptor = self.socket.as_raw_fd();
        let read =
            recvmmsg(descriptor, &mut self.headers_in, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None);
        let Ok(read) = read else { return 0 };
        let mut count = 0;
        for message in read {
            count += 1;
            let source = message.address.and_then(|address| socket_address(&address));
            if let (Some(source), Some(packet)) = (source, message.iovs().next()) {
                take(source, came_at(message.cmsgs().ok()), packet);
            }
        }
        count
    }
}

/// A socket that tells when packets came.
pub(super) fn bind(local: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(local)
        .map_err(|error| io::Error::new(error.kind(), format!("{local} cannot be used: {error}")))?;
    socket.set_nonblocking(true)?;
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
    // A smaller buffer than asked for loses packets when we are late; the kernel counts them, and so do we.
    let _ = setsockopt(&socket, sockopt::RcvBuf, &BUFFER);
    let _ = setsockopt(&socket, sockopt::SndBuf, &BUFFER);
    Ok(socket)
}

/// By the kernel's clock of the day, in nanoseconds.
fn came_at(mut control: Option<impl Iterator<Item = ControlMessageOwned>>) -> u64 {
    let stamp = control.as_mut().and_then(|control| {
        control.find_map(|message| match message {
            ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
            _ => None,
        })
    });
    stamp.map_or(0, |at| at.as_nanos() as u64)
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|it| SocketAddr::from((it.ip(), it.port())));
    v4.or_else(|| address.as_sockaddr_in6().map(|it| SocketAddr::from((it.ip(), it.port()))))
}
