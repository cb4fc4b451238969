//! One UDP socket: a task that receives, and a sender that the core's thread calls.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tandem_sbc::token_bucket::Instant;
use tandem_sbc::transport::{Transport, TransportFailure};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::allow_list::AllowList;
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
    /// Binds, and starts receiving.
    pub(crate) fn bind(
        address: SocketAddr,
        allowed: AllowList,
        rates: SharedRates,
        inbox: &Inbox,
        counters: &Arc<Counters>,
        tasks: &mut JoinSet<()>,
    ) -> io::Result<Self> {
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
        tasks.spawn(receiver.run());
        tasks.spawn(send_waiting(Arc::clone(&socket), waiting, inbox.clone(), Arc::clone(counters)));
        Ok(Self { local, socket, overflow, counters: Arc::clone(counters) })
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    pub(crate) fn as_socket(&self) -> SockRef<'_> {
        SockRef::from(&self.socket)
    }

    /// Sends at once, or puts it into the queue when the socket would block.
    pub(crate) fn send(&self, destination: SocketAddr, bytes: Vec<u8>) -> Result<(), TransportFailure> {
        match self.socket.try_send_to(&bytes, destination) {
            Ok(_) => {
                count(&self.counters.udp_sent);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                count(&self.counters.udp_send_queued);
                self.overflow
                    .try_send(Datagram { destination, bytes })
                    .map_err(|_| failure(&self.counters, destination))
            }
            Err(_) => Err(failure(&self.counters, destination)),
        }
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
    UdpSocket::from_std(socket.into())
}

async fn send_waiting(
    socket: Arc<UdpSocket>,
    mut waiting: mpsc::Receiver<Datagram>,
    inbox: Inbox,
    counters: Arc<Counters>,
) {
    while let Some(Datagram { destination, bytes }) = waiting.recv().await {
        match socket.send_to(&bytes, destination).await {
            Ok(_) => count(&counters.udp_sent),
            Err(_) => inbox.put(Inbound::Failure(failure(&counters, destination))).await,
        }
    }
}

struct Receiver {
    local: SocketAddr,
    socket: Arc<UdpSocket>,
    allowed: AllowList,
    inbox: Inbox,
    counters: Arc<Counters>,
    rates: SourceRates,
    started: std::time::Instant,
}

impl Receiver {
    async fn run(mut self) {
        let mut buffer = vec![0; MAX_DATAGRAM];
        loop {
            // An error here is one datagram's (an ICMP answer to something sent earlier), never the socket's.
            let Ok((len, source)) = self.socket.recv_from(&mut buffer).await else { continue };
            self.take(source, buffer.get(..len).unwrap_or_default());
        }
    }

    /// What a source sends too much is dropped before a byte of it is read or copied.
    fn is_within_rate(&mut self, source: SocketAddr) -> bool {
        let now = Instant::START + self.started.elapsed();
        match self.rates.judge(now, source, self.inbox.prefers(source.ip())) {
            Judged::Within => true,
            Judged::Over => false,
            Judged::Tell(packets) => {
                // The core hears of it a second later when there is no room.
                let _ = self.inbox.try_put(Inbound::OverRate { source, packets });
                false
            }
        }
    }

    fn take(&mut self, source: SocketAddr, bytes: &[u8]) {
        if !self.allowed.lists(source.ip()) {
            return count(&self.counters.udp_unlisted);
        }
        if self.allowed.bans().drops(source.ip()) {
            return count(&self.counters.udp_banned);
        }
        if !self.is_within_rate(source) {
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
        if !self.inbox.try_put(Inbound::Packet(packet)) {
            count(&self.counters.udp_inbox_full);
        }
    }
}
