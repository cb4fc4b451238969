//! What comes in, on its way to the signalling core: one bounded queue for all transports.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tandem_sbc::transport::{FlowId, Packet, Transport, TransportFailure};
use tandem_sbc::user_agent::{Answer, LookupFailed, Question};
use tokio::sync::mpsc;

use crate::allow_list::AllowList;

/// Called after something was put into the inbox: tells the core's thread to look. Must be quick and must not block,
/// for instance [`std::thread::Thread::unpark`].
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// What the transports tell the core.
#[derive(Debug)]
pub enum Inbound {
    /// A message came.
    Packet(InboundPacket),
    /// Something could not be sent, or a connection is gone.
    Failure(TransportFailure),
    /// What DNS answered, or that it did not.
    Answer {
        /// To what.
        question: Question,
        /// What.
        answer: Result<Answer, LookupFailed>,
    },
    /// So many datagrams of a source were dropped since it was told of last.
    OverRate {
        /// The source.
        source: SocketAddr,
        /// How many.
        packets: u32,
    },
}

/// One datagram, or one message framed from a stream.
#[derive(Debug)]
pub struct InboundPacket {
    /// How it came.
    pub transport: Transport,
    /// The listener's address, or for a connection that we made the address it was made from.
    pub local: SocketAddr,
    /// Where it came from.
    pub source: SocketAddr,
    /// The connection, for streams.
    pub flow: Option<FlowId>,
    /// What came.
    pub bytes: Vec<u8>,
}

impl InboundPacket {
    /// The user agent's view of it.
    #[must_use]
    pub fn as_packet(&self) -> Packet<'_> {
        Packet {
            transport: self.transport,
            local: self.local,
            source: self.source,
            flow: self.flow,
            bytes: &self.bytes,
        }
    }
}

/// The transports' end of the queue. It has two lanes, so that what phones send never takes the place of what
/// carriers send.
#[derive(Clone)]
pub struct Inbox {
    carriers: mpsc::Sender<Waiting>,
    others: mpsc::Sender<Waiting>,
    /// Whose packets go into the carriers' lane.
    preferred: AllowList,
    wake: Wake,
}

/// The core's end of the queue.
#[derive(Debug)]
pub struct InboxReader {
    carriers: mpsc::Receiver<Waiting>,
    others: mpsc::Receiver<Waiting>,
    /// Whose turn it is when both wait.
    carriers_turn: bool,
}

#[derive(Debug)]
struct Waiting {
    since: Instant,
    inbound: Inbound,
}

impl Inbox {
    /// A queue of at most `capacity` (at least 1) packets and failures in each lane.
    #[must_use]
    pub fn new(capacity: usize, wake: Wake) -> (Self, InboxReader) {
        let (carriers, carriers_reader) = mpsc::channel(capacity.max(1));
        let (others, others_reader) = mpsc::channel(capacity.max(1));
        let reader = InboxReader { carriers: carriers_reader, others: others_reader, carriers_turn: true };
        (Self { carriers, others, preferred: AllowList::new(&[]), wake }, reader)
    }

    /// The same, where what comes from these sources has a lane of its own.
    pub(crate) fn preferring(&self, sources: AllowList) -> Self {
        Self { preferred: sources, ..self.clone() }
    }

    /// Puts it in if there is room; tells whether there was. For the reader's own thread, which need not be woken.
    pub(crate) fn put_by_reader(&self, since: Instant, inbound: Inbound) -> bool {
        self.lane(&inbound).try_send(Waiting { since, inbound }).is_ok()
    }

    /// Puts it in as soon as there is room. Does nothing once the reader is gone.
    pub(crate) async fn put(&self, inbound: Inbound) {
        if self.lane(&inbound).send(Waiting::now(inbound)).await.is_ok() {
            (self.wake)();
        }
    }

    /// Whether a source is a carrier's.
    pub(crate) fn prefers(&self, source: IpAddr) -> bool {
        self.preferred.allows(source)
    }

    fn lane(&self, inbound: &Inbound) -> &mpsc::Sender<Waiting> {
        match inbound {
            Inbound::Packet(packet) if !self.preferred.allows(packet.source.ip()) => &self.others,
            Inbound::Packet(_) | Inbound::Failure(_) | Inbound::Answer { .. } | Inbound::OverRate { .. } => {
                &self.carriers
            }
        }
    }
}

impl Waiting {
    fn now(inbound: Inbound) -> Self {
        Self { since: Instant::now(), inbound }
    }
}

impl InboxReader {
    /// The next, if any. Never blocks.
    pub fn poll(&mut self) -> Option<Inbound> {
        self.poll_with_age().map(|(inbound, _)| inbound)
    }

    /// The next, if any, and how long it has waited. The lanes take turns. Never blocks.
    pub fn poll_with_age(&mut self) -> Option<(Inbound, Duration)> {
        let carriers_first = self.carriers_turn;
        self.carriers_turn = !carriers_first;
        let (first, second) = if carriers_first {
            (&mut self.carriers, &mut self.others)
        } else {
            (&mut self.others, &mut self.carriers)
        };
        let Waiting { since, inbound } = first.try_recv().or_else(|_| second.try_recv()).ok()?;
        Some((inbound, since.elapsed()))
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox")
            .field("room", &(self.carriers.capacity(), self.others.capacity()))
            .finish_non_exhaustive()
    }
}
