//! Streams, TCP and what is on top of it: listeners, connections, and the table that finds a connection by flow or by peer.

mod channel;
mod connection;
mod line;
mod listener;
mod table;
mod websocket;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use socket2::SockRef;
use tandem_sbc::transport::{FlowId, FlowOrder, Transmit, Transport, TransportFailure};
use tandem_sbc::user_agent::ListenAddress;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::allow_list::AllowList;
use crate::counters::{Counters, add, count};
use crate::inbox::Inbox;
use crate::tls::{Certificate, Contexts, Refusals, TlsError};
use crate::transports::{TcpLimits, TransportsConfig};
use line::{Line, Overflow, Sent};
use table::{Connections, Found};

/// Messages that may wait for a connection's peer to read, or for the connection to be made. One more, and the peer
/// is cut.
pub const CONNECTION_QUEUE: usize = 64;

/// How long making a connection may take, with all its handshakes: shorter than Timer B (RFC 3261 §17.1.1.2, 32 s), so that the transaction
/// hears of it.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a client may take for a handshake on top of TCP.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a WebSocket client is asked whether it is there (RFC 6455 §5.5.2): more often than NAT forgets.
pub const WEBSOCKET_PING: Duration = Duration::from_secs(30);

/// A WebSocket client of which nothing was heard for so long, not even an answer to a ping, is gone.
pub const WEBSOCKET_SILENCE: Duration = Duration::from_secs(90);

/// How long the farewell of a connection may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long one message may take to be written before the peer counts as not reading.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// How often it is looked whether the core bears with the silence of a connection for longer, or less long.
const LOOK_AGAIN: Duration = Duration::from_secs(15);

/// TCP itself asks a peer that has said nothing for so long whether it is there, which keeps a NAT's mapping (RFC 5382 REQ-5),
/// and again after each of the next intervals. A peer that answers none is gone.
const PROBE_AFTER: Duration = Duration::from_secs(60);
const PROBE_EVERY: Duration = Duration::from_secs(15);
const PROBES: u32 = 4;

/// How long a message that has begun may take to end.
pub const MESSAGE_TIMEOUT: Duration = Duration::from_secs(32);

/// Bytes after which no further message is written with those before it: about one record of TLS (RFC 8446 §5.1).
const GATHERED_MAX: usize = 16 * 1024;

/// All listeners for streams and connections, as their senders see them.
#[derive(Debug)]
pub(crate) struct StreamTransport {
    runtime: Handle,
    shared: Arc<Shared>,
    listeners: Vec<Arc<TcpListener>>,
    /// The connections to be flushed. Only the core's thread takes this lock.
    unflushed: Mutex<Vec<(FlowId, Arc<Line>)>>,
}

/// How a connection carries SIP, and its two ends.
#[derive(Clone, Copy, Debug)]
struct Link {
    transport: Transport,
    local: SocketAddr,
    peer: SocketAddr,
}

/// What every connection's task needs.
#[derive(Debug)]
pub(crate) struct Shared {
    connections: Connections,
    allowed: AllowList,
    limits: TcpLimits,
    inbox: Inbox,
    counters: Arc<Counters>,
    /// Replaced by a reload; connections keep what they were made with.
    tls: ArcSwap<Contexts>,
    refusals: Arc<Refusals>,
    /// The pages whose scripts may connect by WebSocket; all when empty.
    origins: ArcSwap<Vec<String>>,
}

impl StreamTransport {
    /// Without listeners; connections can be made. Called on the runtime that will run them.
    pub(crate) fn new(
        allowed: AllowList,
        config: &TransportsConfig,
        inbox: Inbox,
        counters: Arc<Counters>,
    ) -> Result<Self, TlsError> {
        let limits = config.tcp;
        let refusals = Arc::new(Refusals::new(Arc::clone(&counters)));
        let tls = ArcSwap::from_pointee(Contexts::new(&config.tls, &refusals)?);
        let origins = ArcSwap::from_pointee(config.websocket_origins.clone());
        let connections = Connections::new(limits);
        let shared =
            Arc::new(Shared { connections, allowed, limits, inbox, counters, tls, refusals, origins });
        Ok(Self { runtime: Handle::current(), shared, listeners: Vec::new(), unflushed: Mutex::default() })
    }

    /// Adds a listener and tells its address.
    pub(crate) fn listen(
        &mut self,
        listen: ListenAddress,
        tasks: &mut JoinSet<()>,
    ) -> io::Result<SocketAddr> {
        let listener = Arc::new(listener::open(listen.address)?);
        let local = listener.local_addr()?;
        let listen = ListenAddress { address: local, ..listen };
        tasks.spawn(listener::run(Arc::clone(&listener), listen, Arc::clone(&self.shared)));
        self.listeners.push(listener);
        Ok(local)
    }

    pub(crate) fn as_sockets(&self) -> impl Iterator<Item = SockRef<'_>> {
        self.listeners.iter().map(|listener| SockRef::from(&**listener))
    }

    /// Sends on the given flow, else on a connection to the destination, else on a new one.
    pub(crate) fn send(&self, transmit: Transmit) -> Result<(), TransportFailure> {
        let Transmit { transport, local, destination, flow, bytes } = transmit;
        let failure = TransportFailure { transport, destination, flow: None };
        let (flow, line) = match self.shared.connections.find(flow, (transport, destination)) {
            Found::Existing(flow, line) => (flow, line),
            Found::New(opening) => {
                let (flow, line) = (opening.flow, Arc::clone(&opening.line));
                let link = Link { transport, local, peer: destination };
                self.runtime.spawn(connection::connect(Arc::clone(&self.shared), link, opening));
                (flow, line)
            }
            Found::TooManyConnections => {
                count(&self.shared.counters.tcp_over_limit);
                return Err(failure);
            }
        };
        let sent = match line.send(bytes) {
            Ok(Sent::Full) => self.flush_line(flow, &line),
            Ok(Sent::Waits) => Ok(()),
            Ok(Sent::First) => {
                self.unflushed().push((flow, line));
                Ok(())
            }
            Err(overflow) => {
                self.cut(flow);
                Err(overflow)
            }
        };
        sent.map_err(|Overflow| TransportFailure { flow: Some(flow), ..failure })
    }

    /// Writes what was sent since the last time. The failure of a connection comes through the inbox.
    pub(crate) fn flush(&self) {
        for (flow, line) in self.unflushed().drain(..) {
            let _ = self.flush_line(flow, &line);
        }
    }

    fn flush_line(&self, flow: FlowId, line: &Line) -> Result<(), Overflow> {
        let flushed = line.flush();
        match flushed {
            Ok(messages) => add(&self.shared.counters.tcp_sent, messages),
            Err(Overflow) => self.cut(flow),
        }
        flushed.map(|_| ())
    }

    /// Cuts a connection whose peer does not read.
    fn cut(&self, flow: FlowId) {
        self.shared.connections.close(flow);
        count(&self.shared.counters.tcp_slow_readers);
    }

    fn unflushed(&self) -> MutexGuard<'_, Vec<(FlowId, Arc<Line>)>> {
        self.unflushed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts the connections that a source made which is listed no more.
    pub(crate) fn cut_unlisted(&self) {
        self.shared.connections.retain_accepted(|source| self.shared.allowed.allows(source));
    }

    /// Our TLS certificates.
    pub(crate) fn certificates(&self) -> Vec<Arc<Certificate>> {
        self.shared.tls.load().certificates.clone()
    }

    /// Takes other certificates and origins for the connections to come; none is cut.
    pub(crate) fn reload(&self, config: &TransportsConfig) -> Result<(), TlsError> {
        self.shared.tls.store(Arc::new(Contexts::new(&config.tls, &self.shared.refusals)?));
        self.shared.origins.store(Arc::new(config.websocket_origins.clone()));
        Ok(())
    }

    /// Sees to one connection: cuts it, which the core knows, or bears with its silence.
    pub(crate) fn see_to(&self, order: FlowOrder) {
        let usual = self.shared.limits.idle_timeout;
        let (flow, patience) = match order {
            FlowOrder::Close(flow) => return self.shared.connections.close_for_core(flow),
            FlowOrder::Expect(flow, within) => (flow, within),
            FlowOrder::Keep(flow, time) => (flow, time.max(usual)),
        };
        if let Some(line) = self.shared.connections.line(flow) {
            line.bear_with(patience);
        }
    }

    /// Cuts every connection.
    pub(crate) fn cut_all(&self) {
        self.shared.connections.clear();
    }

    /// How many connections there are, made, accepted or being made.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.len()
    }
}
