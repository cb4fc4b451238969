//! A node's transports on loopback, and what a test asks of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tandem_sbc::source::IpPrefix;
use tandem_sbc::transport::{FlowId, Transmit, Transport, TransportFailure};
use tandem_sbc::user_agent::ListenAddress;
use tandem_sbc_net::{
    Bell, CONNECTION_QUEUE, CountersSnapshot, Datagrams, Inbound, InboundPacket, Inbox, InboxReader,
    PacketRates, TcpLimits, TlsConfig, Transports, TransportsConfig,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio::sync::Notify;

/// The source that a test's allow-list names.
pub(crate) const LISTED: &str = "127.0.0.10";
/// One that it names as a carrier's, where a test adds it.
pub(crate) const CARRIER: &str = "127.0.0.11";
/// One that it does not.
pub(crate) const UNLISTED: &str = "127.0.0.66";

pub(crate) struct Node {
    pub(crate) transports: Transports,
    reader: InboxReader,
    arrived: Arc<Notify>,
    _receiving: Receiving,
}

/// A thread that receives datagrams as the core's does; it ends with this.
struct Receiving {
    stop: Arc<AtomicBool>,
    bell: Arc<Bell>,
}

impl Receiving {
    fn start(mut datagrams: Datagrams, arrived: Arc<Notify>) -> Self {
        let (stop, bell) = (Arc::new(AtomicBool::new(false)), Arc::new(Bell::new().expect("a bell")));
        let (stopped, rung) = (Arc::clone(&stop), Arc::clone(&bell));
        std::thread::spawn(move || {
            while !stopped.load(Ordering::Acquire) {
                let is_more = datagrams.receive();
                arrived.notify_one();
                if !is_more {
                    datagrams.wait(&rung, Duration::from_secs(60));
                }
            }
        });
        Self { stop, bell }
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.bell.ring();
    }
}

pub(crate) fn prefix(address: &str, bits: u8) -> IpPrefix {
    IpPrefix { address: address.parse().expect("an address"), bits }
}

/// Hears [`LISTED`] on UDP and TCP; the kernel does not filter.
pub(crate) fn config() -> TransportsConfig {
    let listen = |transport| ListenAddress { transport, address: "127.0.0.1:0".parse().expect("an address") };
    TransportsConfig {
        listen: vec![listen(Transport::Udp), listen(Transport::Tcp)],
        allowed: vec![prefix(LISTED, 32)],
        carriers: vec![prefix(CARRIER, 32)],
        rates: PacketRates::default(),
        kernel_filter: false,
        tcp: TcpLimits::default(),
        tls: TlsConfig::default(),
        websocket_origins: Vec::new(),
    }
}

impl Node {
    pub(crate) fn start(config: &TransportsConfig, inbox_capacity: usize) -> Self {
        let arrived = Arc::new(Notify::new());
        let wake = Arc::clone(&arrived);
        let (inbox, reader) = Inbox::new(inbox_capacity, Arc::new(move || wake.notify_one()));
        let (transports, datagrams) = Transports::bind(config, &inbox).expect("free ports on loopback");
        let _receiving = Receiving::start(datagrams, Arc::clone(&arrived));
        Self { transports, reader, arrived, _receiving }
    }

    pub(crate) fn address(&self, transport: Transport) -> SocketAddr {
        let listening = self.transports.listening().iter();
        listening.clone().find(|listen| listen.transport == transport).expect("both transports").address
    }

    pub(crate) fn counters(&self) -> CountersSnapshot {
        self.transports.counters().snapshot()
    }

    pub(crate) fn poll(&mut self) -> Option<Inbound> {
        self.reader.poll()
    }

    pub(crate) async fn next(&mut self) -> Inbound {
        loop {
            if let Some(inbound) = self.reader.poll() {
                return inbound;
            }
            self.arrived.notified().await;
        }
    }

    pub(crate) async fn next_packet(&mut self) -> InboundPacket {
        match self.next().await {
            Inbound::Packet(packet) => packet,
            other => panic!("a packet was due, not {other:?}"),
        }
    }

    pub(crate) async fn next_failure(&mut self) -> TransportFailure {
        match self.next().await {
            Inbound::Failure(failure) => failure,
            other => panic!("a failure was due, not {other:?}"),
        }
    }

    pub(crate) fn send(
        &self,
        transport: Transport,
        destination: SocketAddr,
        flow: Option<FlowId>,
        bytes: Vec<u8>,
    ) -> Result<(), TransportFailure> {
        let sent = self.gather(transport, destination, flow, bytes);
        self.transports.flush();
        sent
    }

    /// What the next flush sends.
    pub(crate) fn gather(
        &self,
        transport: Transport,
        destination: SocketAddr,
        flow: Option<FlowId>,
        bytes: Vec<u8>,
    ) -> Result<(), TransportFailure> {
        let local = self.address(transport);
        self.transports.send(Transmit { transport, local, destination, flow, bytes })
    }

    /// Sends more to the peer that `asked` than it has room for; it reads only then, and finds everything, its
    /// ping's answer between two messages.
    pub(crate) async fn overwhelm(
        &self,
        asked: InboundPacket,
        peer: &mut (impl AsyncRead + AsyncWrite + Unpin),
    ) {
        /// Messages that have to wait; there is room for them and for the ping's answer.
        const WAITING: u64 = CONNECTION_QUEUE as u64 - 1;
        /// What the kernel cannot hold, whatever its limits.
        const MOST: usize = 4_096;
        let (before, mut messages) = (self.counters(), Vec::new());
        while self.counters().tcp_sent - before.tcp_sent + WAITING > messages.len() as u64 {
            assert!(messages.len() < MOST, "the kernel takes everything");
            let message = message(&messages.len().to_string(), 60_000);
            self.send(asked.transport, asked.source, asked.flow, message.clone()).expect("there is room");
            messages.push(message);
        }
        peer.write_all(b"\r\n\r\n").await.expect("written");
        let mut read = vec![0; messages.iter().map(Vec::len).sum::<usize>() + 2];
        peer.read_exact(&mut read).await.expect("all of it comes");
        // Bodies are full stops: a line that ends after one is no message's.
        let pong = read.windows(3).position(|it| it == b".\r\n").expect("the ping is answered") + 1;
        read.drain(pong..pong + 2);
        assert!(read == messages.concat(), "torn or out of order");
        let mut ends = messages.iter().scan(0, |end, message| {
            *end += message.len();
            Some(*end)
        });
        assert!(ends.any(|end| end == pong), "the answer is in the middle of a message");
        assert_eq!(self.counters().tcp_keep_alives, before.tcp_keep_alives + 1);
    }

    pub(crate) async fn connect_from(&self, source: &str) -> std::io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(source.parse().expect("an address"), 0))?;
        socket.connect(self.address(Transport::Tcp)).await
    }
}

pub(crate) async fn udp_from(source: &str) -> UdpSocket {
    UdpSocket::bind((source, 0)).await.expect("a free port on loopback")
}

/// A message that a stream can frame, told from others by `name`.
pub(crate) fn message(name: &str, body_len: usize) -> Vec<u8> {
    let mut message =
        format!("OPTIONS sip:{name} SIP/2.0\r\nContent-Length: {body_len}\r\n\r\n").into_bytes();
    message.resize(message.len() + body_len, b'.');
    message
}
