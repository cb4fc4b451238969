//! What comes in, on its way to the signalling core: one bounded queue for all transports.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use tandem_sbc::transport::{FlowId, Packet, Transport, TransportFailure};
use tokio::sync::mpsc;

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

/// The transports' end of the queue.
#[derive(Clone)]
pub struct Inbox {
    sender: mpsc::Sender<Inbound>,
    wake: Wake,
}

/// The core's end of the queue.
#[derive(Debug)]
pub struct InboxReader {
    receiver: mpsc::Receiver<Inbound>,
}

impl Inbox {
    /// A queue of at most `capacity` (at least 1) packets and failures.
    #[must_use]
    pub fn new(capacity: usize, wake: Wake) -> (Self, InboxReader) {
        let (sender, receiver) = mpsc::channel(capacity.max(1));
        (Self { sender, wake }, InboxReader { receiver })
    }

    /// Puts it in if there is room; tells whether there was.
    pub(crate) fn try_put(&self, inbound: Inbound) -> bool {
        let put = self.sender.try_send(inbound).is_ok();
        if put {
            (self.wake)();
        }
        put
    }

    /// Puts it in as soon as there is room. Does nothing once the reader is gone.
    pub(crate) async fn put(&self, inbound: Inbound) {
        if self.sender.send(inbound).await.is_ok() {
            (self.wake)();
        }
    }
}

impl InboxReader {
    /// The next, if any. Never blocks.
    pub fn poll(&mut self) -> Option<Inbound> {
        self.receiver.try_recv().ok()
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("room", &self.sender.capacity()).finish_non_exhaustive()
    }
}
