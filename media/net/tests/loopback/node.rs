//! One media thread and the parties it talks to.

use std::cell::Cell;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use tandem_media::{Codec, Command, EndpointId, Event, StreamParameters};
use tandem_media_net::sys::SendRing;
use tandem_media_net::{CountersSnapshot, IoChoice, MediaHandle, MediaThreads, MediaThreadsConfig, Wake};

/// Longer than anything here takes, however busy the machine.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const MAX_ENDPOINTS: usize = 8;

/// The next port to try; even ones are RTP.
static NEXT_PORT: AtomicU16 = AtomicU16::new(21_000);

pub(crate) struct Node {
    pub(crate) threads: MediaThreads,
    pub(crate) handle: MediaHandle,
}

thread_local! {
    /// How the nodes of the test under way give packets to the kernel.
    static IO: Cell<IoChoice> = const { Cell::new(IoChoice::Mmsg) };
}

/// Runs a test with each way of giving packets to the kernel that is allowed here.
pub(crate) fn with_every_io(test: impl Fn()) {
    test();
    if SendRing::open().is_ok() {
        IO.set(IoChoice::IoUring);
        test();
    }
}

pub(crate) fn config(wake: Wake) -> MediaThreadsConfig {
    MediaThreadsConfig {
        threads: 1,
        pin_to: vec![],
        realtime: false,
        other_address: None,
        io: IO.get(),
        max_endpoints: MAX_ENDPOINTS,
        seed: [1; 32],
        epoch: Instant::now(),
        wake,
        dtls: None,
    }
}

pub(crate) fn local_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], NEXT_PORT.fetch_add(2, Ordering::Relaxed)))
}

pub(crate) fn endpoint(index: u32, generation: u32) -> EndpointId {
    EndpointId { index, generation }
}

impl Node {
    /// Events unpark the thread that calls this.
    pub(crate) fn start() -> Self {
        let core = std::thread::current();
        Self::start_with(Arc::new(move || core.unpark()))
    }

    pub(crate) fn start_with(wake: Wake) -> Self {
        let (threads, mut handles) = MediaThreads::start(&config(wake)).expect("a thread");
        Self { threads, handle: handles.pop().expect("a handle") }
    }

    pub(crate) fn send(&mut self, command: Command) {
        self.handle.send(command).expect("room in the ring");
    }

    pub(crate) fn event(&mut self) -> Event {
        let began = Instant::now();
        loop {
            if let Some(event) = self.handle.poll_event() {
                return event;
            }
            let left = PATIENCE.checked_sub(began.elapsed()).expect("an event");
            std::thread::park_timeout(left);
        }
    }

    /// Opens the endpoint on a free port and agrees on G.711 µ-law with `party`.
    pub(crate) fn open(&mut self, endpoint: EndpointId, party: &Party) -> SocketAddr {
        let local = self.open_socket(endpoint);
        self.send(Command::Configure { endpoint, stream: stream(party.address()) });
        local
    }

    /// Opens the endpoint on a free port.
    pub(crate) fn open_socket(&mut self, endpoint: EndpointId) -> SocketAddr {
        loop {
            let local = local_port();
            self.send(Command::Open { endpoint, local });
            match self.event() {
                Event::Opened { endpoint: opened } if opened == endpoint => return local,
                Event::OpenFailed { .. } => {}
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    pub(crate) fn counters(&self) -> CountersSnapshot {
        self.handle.counters().snapshot()
    }

    /// Waits until the thread has taken what was sent: the answer to an impossible command comes after it.
    pub(crate) fn settle(&mut self) {
        let endpoint = endpoint(MAX_ENDPOINTS as u32, 0);
        self.send(Command::Open { endpoint, local: local_port() });
        assert_eq!(self.event(), Event::OpenFailed { endpoint });
    }

    /// Waits until the counters are so.
    pub(crate) fn until(&self, so: impl Fn(CountersSnapshot) -> bool) {
        let began = Instant::now();
        while !so(self.counters()) {
            assert!(began.elapsed() < PATIENCE, "{:?}", self.counters());
            std::thread::yield_now();
        }
    }
}

pub(crate) fn stream(party: SocketAddr) -> StreamParameters {
    StreamParameters {
        remote_rtcp: SocketAddr::new(party.ip(), party.port() + 1),
        ..StreamParameters::new(party, Codec::Pcmu, 0)
    }
}

/// Someone who sends and receives RTP.
pub(crate) struct Party {
    socket: UdpSocket,
    ssrc: u32,
}

/// What is in an RTP packet without extensions (RFC 3550 §5.1).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rtp {
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    pub(crate) payload: Vec<u8>,
}

impl Party {
    pub(crate) fn new(ssrc: u32) -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 2], 0)), ssrc)
    }

    pub(crate) fn at(address: SocketAddr, ssrc: u32) -> Self {
        let socket = UdpSocket::bind(address).expect("a free port");
        socket.set_read_timeout(Some(PATIENCE)).expect("set");
        Self { socket, ssrc }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("bound")
    }

    /// Sends the `number`th packet of a stream, 160 octets of `fill`.
    pub(crate) fn speak(&self, to: SocketAddr, number: u16, fill: u8) {
        let mut packet = vec![0x80, 0];
        packet.extend(number.to_be_bytes());
        packet.extend((u32::from(number) * 160).to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend([fill; 160]);
        self.socket.send_to(&packet, to).expect("sent");
    }

    /// The next packet, and where it came from.
    pub(crate) fn hear(&self) -> (SocketAddr, Rtp) {
        let mut buffer = [0; 2048];
        let (len, from) = self.socket.recv_from(&mut buffer).expect("a packet");
        let packet = &buffer[..len];
        assert_eq!(packet[0], 0x80, "version 2, nothing optional");
        let word = |at: usize| u32::from_be_bytes(packet[at..at + 4].try_into().expect("four octets"));
        let rtp = Rtp {
            sequence: u16::from_be_bytes([packet[2], packet[3]]),
            timestamp: word(4),
            ssrc: word(8),
            payload: packet[12..].to_vec(),
        };
        (from, rtp)
    }
}
