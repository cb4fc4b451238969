//! UDP sockets: the core's thread receives from all of them, and sends by each.
//!
//! No task stands between a datagram and the core's thread, since waking one costs more than what it would do. For the
//! same reason the runtime's own poller knows a socket only while datagrams wait to be sent.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tandem_sbc::token_bucket::Instant;
use tandem_sbc::transport::{Transport, TransportFailure};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::allow_list::AllowList;
use crate::bell::Bell;
use crate::counters::{Counters, count};
use crate::inbox::{Inbound, InboundPacket, Inbox};
use crate::rate::{Judged, SharedRates, SourceRates};

/// Datagrams that may wait while a socket's send buffer is full.
pub const UDP_SEND_QUEUE: usize = 256;

/// The longest datagram UDP can carry.
const MAX_DATAGRAM: usize = 65_535;

/// What the socket may buffer each way, in bytes: two seconds of a thousand calls a second. The kernel's
/// `rmem_max` may grant less.
const SOCKET_BUFFER: usize = 4 * 1024 * 1024;

/// Datagrams taken from one socket before the others, and what they ask for, get their turn. More than the core deals
/// with at a time: what waits does so in the inbox, where it is known for how long.
const BATCH: usize = 256;

/// A bound socket, as its senders see it.
#[derive(Debug)]
pub(crate) struct UdpTransport {
    local: SocketAddr,
    socket: Arc<UdpSocket>,
    overflow: mpsc::Sender<Datagram>,
    counters: Arc<Counters>,
}

#[derive(Debug)]
struct Datagram {
    destination: SocketAddr,
    bytes: Vec<u8>,
}

impl UdpTransport {
    /// Binds; gives what receives from it, too.
    pub(crate) fn bind(
        address: SocketAddr,
        allowed: AllowList,
        rates: SharedRates,
        inbox: &Inbox,
        counters: &Arc<Counters>,
        tasks: &mut JoinSet<()>,
    ) -> io::Result<(Self, Receiver)> {
        let socket = Arc::new(open(address)?);
        let local = socket.local_addr()?;
        let (overflow, waiting) = mpsc::channel(UDP_SEND_QUEUE);
        let receiver = Receiver {
            local,
            socket: Arc::clone(&socket),
            allowed,
            inbox: inbox.clone(),
            counters: Arc::clone(counters),
            rates: SourceRates::new(rates),
            started: std::time::Instant::now(),
        };
        tasks.spawn(send_waiting(Arc::clone(&socket), waiting, inbox.clone(), Arc::clone(counters)));
        Ok((Self { local, socket, overflow, counters: Arc::clone(counters) }, receiver))
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    pub(crate) fn as_socket(&self) -> SockRef<'_> {
        SockRef::from(&self.socket)
    }

    /// Sends at once, or puts it into the queue when the socket would block.
    pub(crate) fn send(&self, destination: SocketAddr, bytes: Vec<u8>) -> Result<(), TransportFailure> {
        match self.socket.send_to(&bytes, destination) {
            Ok(_) => {
                count(&self.counters.udp_sent);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.queue(destination, bytes),
            Err(_) => Err(failure(&self.counters, destination)),
        }
    }

    fn queue(&self, destination: SocketAddr, bytes: Vec<u8>) -> Result<(), TransportFailure> {
        count(&self.counters.udp_send_queued);
        self.overflow
            .try_send(Datagram { destination, bytes })
            .map_err(|_| failure(&self.counters, destination))
    }
}

fn failure(counters: &Counters, destination: SocketAddr) -> TransportFailure {
    count(&counters.udp_send_failures);
    TransportFailure { transport: Transport::Udp, destination, flow: None }
}

fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    socket.set_recv_buffer_size(SOCKET_BUFFER)?;
    socket.set_send_buffer_size(SOCKET_BUFFER)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

async fn send_waiting(
    socket: Arc<UdpSocket>,
    mut waiting: mpsc::Receiver<Datagram>,
    inbox: Inbox,
    counters: Arc<Counters>,
) {
    while let Some(Datagram { destination, bytes }) = waiting.recv().await {
        match send_when_writable(&socket, destination, &bytes).await {
            Ok(_) => count(&counters.udp_sent),
            Err(_) => inbox.put(Inbound::Failure(failure(&counters, destination))).await,
        }
    }
}

async fn send_when_writable(socket: &UdpSocket, destination: SocketAddr, bytes: &[u8]) -> io::Result<usize> {
    tokio::net::UdpSocket::from_std(socket.try_clone()?)?.send_to(bytes, destination).await
}

/// What receives datagrams, and waits for them. Owner: the core's thread.
#[derive(Debug)]
pub struct Datagrams {
    receivers: Vec<Receiver>,
    buffer: Vec<u8>,
}

impl Datagrams {
    pub(crate) fn new(receivers: Vec<Receiver>) -> Self {
        Self { receivers, buffer: vec![0; MAX_DATAGRAM] }
    }

    /// Puts what has come into the inbox, without waking its reader, or a good part of it; tells whether more may be
    /// there. Never blocks.
    pub fn receive(&mut self) -> bool {
        let (now, buffer) = (std::time::Instant::now(), &mut self.buffer);
        let mut is_more = false;
        for receiver in &mut self.receivers {
            is_more |= receiver.receive(now, buffer);
        }
        is_more
    }

    /// Waits until a datagram is there, the bell is rung, or `timeout` is over.
    pub fn wait(&self, bell: &Bell, timeout: Duration) {
        // Rounded up: a timer that is not due yet would only be looked at in vain.
        let millis = timeout.as_nanos().div_ceil(1_000_000);
        let timeout = PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX);
        let sockets = self.receivers.iter().map(|receiver| receiver.socket.as_fd());
        let mut watched: Vec<PollFd<'_>> = std::iter::once(bell.as_fd())
            .chain(sockets)
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        // A signal ends it early, and it is waited again.
        let _ = poll(&mut watched, timeout);
        if watched.first().and_then(PollFd::any).unwrap_or_default() {
            bell.hear();
        }
    }
}

/// One socket's.
#[derive(Debug)]
pub(crate) struct Receiver {
    local: SocketAddr,
    socket: Arc<UdpSocket>,
    allowed: AllowList,
    inbox: Inbox,
    counters: Arc<Counters>,
    rates: SourceRates,
    started: std::time::Instant,
}

impl Receiver {
    fn receive(&mut self, now: std::time::Instant, buffer: &mut [u8]) -> bool {
        for _ in 0..BATCH {
            match self.socket.recv_from(buffer) {
                Ok((len, source)) => self.take(now, source, buffer.get(..len).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                // An error here is one datagram's (an ICMP answer to something sent earlier), never the socket's.
                Err(_) => {}
            }
        }
        true
    }

    /// What a source sends too much is dropped before a byte of it is read or copied.
    fn is_within_rate(&mut self, now: std::time::Instant, source: SocketAddr) -> bool {
        let since_start = Instant::START + now.saturating_duration_since(self.started);
        match self.rates.judge(since_start, source, self.inbox.prefers(source.ip())) {
            Judged::Within => true,
            Judged::Over => false,
            Judged::Tell(packets) => {
                // The core hears of it a second later when there is no room.
                let _ = self.inbox.put_by_reader(now, Inbound::OverRate { source, packets });
                false
            }
        }
    }

    fn take(&mut self, now: std::time::Instant, source: SocketAddr, bytes: &[u8]) {
        if !self.allowed.lists(source.ip()) {
            return count(&self.counters.udp_unlisted);
        }
        if self.allowed.bans().drops(source.ip()) {
            return count(&self.counters.udp_banned);
        }
        if !self.is_within_rate(now, source) {
            return count(&self.counters.udp_over_rate);
        }
        if bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            count(&self.counters.udp_keep_alives);
            return;
        }
        count(&self.counters.udp_received);
        let packet = InboundPacket {
            transport: Transport::Udp,
            local: self.local,
            source,
            flow: None,
            bytes: bytes.to_vec(),
        };
        if !self.inbox.put_by_reader(now, Inbound::Packet(packet)) {
            count(&self.counters.udp_inbox_full);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rate::PacketRates;

    /// A full socket makes datagrams wait, up to the maximum; on loopback none is ever full, so they are queued here.
    #[tokio::test]
    async fn what_a_socket_cannot_take_waits_up_to_the_maximum() {
        let peer = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        peer.set_read_timeout(Some(Duration::from_secs(5))).expect("set");
        let destination = peer.local_addr().expect("bound");
        let (inbox, _reader) = Inbox::new(1, Arc::new(|| {}));
        let counters = Arc::new(Counters::default());
        let mut tasks = JoinSet::new();
        let local = "127.0.0.1:0".parse().expect("an address");
        let (allowed, rates) = (AllowList::new(&[]), SharedRates::new(PacketRates::default()));
        let (udp, _receiver) =
            UdpTransport::bind(local, allowed, rates, &inbox, &counters, &mut tasks).expect("binds");
        for number in 0..UDP_SEND_QUEUE {
            udp.queue(destination, number.to_string().into_bytes()).expect("there is room");
        }
        let refused = udp.queue(destination, b"one too many".to_vec()).expect_err("there is none");
        assert_eq!((refused.transport, refused.destination), (Transport::Udp, destination));
        let heard = tokio::task::spawn_blocking(move || {
            let mut buffer = [0; 16];
            (0..UDP_SEND_QUEUE).all(|number| {
                let len = peer.recv(&mut buffer).expect("received");
                buffer.get(..len) == Some(number.to_string().as_bytes())
            })
        });
        assert!(heard.await.expect("heard"), "in order");
        let counted = counters.snapshot();
        assert_eq!((counted.udp_send_queued, counted.udp_send_failures), (UDP_SEND_QUEUE as u64 + 1, 1));
    }
}
