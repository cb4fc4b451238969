//! The connections there are. Taking one out of the table cuts it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tandem_sbc::transport::{FlowId, Transport};
use tokio::sync::{mpsc, oneshot};

use super::line::Line;
use crate::transports::TcpLimits;

/// Shared by the core's thread, which sends, and the connections' tasks. The lock is held for a look-up only, never
/// across a system call or a wait.
#[derive(Debug)]
pub(super) struct Connections {
    limits: TcpLimits,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    last_flow: u64,
    by_flow: BTreeMap<FlowId, Entry>,
    /// The newest connection of each peer.
    by_peer: BTreeMap<Peer, FlowId>,
    accepted_from: BTreeMap<IpAddr, usize>,
}

/// The other end, and what is spoken with it.
pub(super) type Peer = (Transport, SocketAddr);

#[derive(Debug)]
struct Entry {
    peer: Peer,
    accepted: bool,
    line: Arc<Line>,
    /// Dropped with the entry, which ends the connection's task; told, when the core wants that.
    alive: oneshot::Sender<()>,
}

/// The task's side of a table entry.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) flow: FlowId,
    pub(super) line: Arc<Line>,
    /// What waits to be written.
    pub(super) queue: mpsc::Receiver<Vec<u8>>,
    /// Ends when the entry is gone; with a word when the core has closed it, which need not hear of it.
    pub(super) cut: oneshot::Receiver<()>,
}

/// Where a message may go.
#[derive(Debug)]
pub(super) enum Found {
    Existing(FlowId, Arc<Line>),
    /// A connection is to be made.
    New(Opening),
    TooManyConnections,
}

impl Connections {
    pub(super) fn new(limits: TcpLimits) -> Self {
        Self { limits, table: Mutex::default() }
    }

    /// Enters an accepted connection, unless there are too many.
    pub(super) fn accept(&self, peer: Peer) -> Option<Opening> {
        let mut table = self.lock();
        let source = peer.1.ip();
        let from_source = table.accepted_from.get(&source).copied().unwrap_or(0);
        if table.by_flow.len() >= self.limits.max_connections
            || from_source >= self.limits.max_connections_per_source
        {
            return None;
        }
        table.accepted_from.insert(source, from_source + 1);
        Some(table.open(peer, true, self.limits.idle_timeout))
    }

    /// The connection that is `flow`, or one to `destination`, or a new one.
    pub(super) fn find(&self, flow: Option<FlowId>, destination: Peer) -> Found {
        let mut table = self.lock();
        let existing = flow
            .filter(|flow| table.by_flow.contains_key(flow))
            .or_else(|| table.by_peer.get(&destination).copied());
        if let Some((flow, entry)) = existing.and_then(|flow| Some((flow, table.by_flow.get(&flow)?))) {
            return Found::Existing(flow, Arc::clone(&entry.line));
        }
        if table.by_flow.len() >= self.limits.max_connections {
            return Found::TooManyConnections;
        }
        Found::New(table.open(destination, false, self.limits.idle_timeout))
    }

    /// A connection that is there.
    pub(super) fn line(&self, flow: FlowId) -> Option<Arc<Line>> {
        self.lock().by_flow.get(&flow).map(|entry| Arc::clone(&entry.line))
    }

    /// Takes a connection out, if it still is in.
    pub(super) fn close(&self, flow: FlowId) {
        drop(self.lock().close(flow));
    }

    /// The same for the core, which is not told of the end.
    pub(super) fn close_for_core(&self, flow: FlowId) {
        if let Some(entry) = self.lock().close(flow) {
            // The connection may have ended by itself just now.
            let _ = entry.alive.send(());
        }
    }

    /// Cuts the accepted connections whose source does not pass.
    pub(super) fn retain_accepted(&self, pass: impl Fn(IpAddr) -> bool) {
        let mut table = self.lock();
        let cut: Vec<FlowId> = table
            .by_flow
            .iter()
            .filter(|(_, entry)| entry.accepted && !pass(entry.peer.1.ip()))
            .map(|(flow, _)| *flow)
            .collect();
        for flow in cut {
            drop(table.close(flow));
        }
    }

    pub(super) fn clear(&self) {
        let mut table = self.lock();
        let last_flow = table.last_flow;
        *table = Table { last_flow, ..Table::default() };
    }

    pub(super) fn len(&self) -> usize {
        self.lock().by_flow.len()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn open(&mut self, peer: Peer, accepted: bool, patience: Duration) -> Opening {
        self.last_flow += 1;
        let flow = FlowId(self.last_flow);
        let (line, queue) = Line::new(patience);
        let (alive, cut) = oneshot::channel();
        self.by_flow.insert(flow, Entry { peer, accepted, line: Arc::clone(&line), alive });
        self.by_peer.insert(peer, flow);
        Opening { flow, line, queue, cut }
    }

    fn close(&mut self, flow: FlowId) -> Option<Entry> {
        let entry = self.by_flow.remove(&flow)?;
        if self.by_peer.get(&entry.peer) == Some(&flow) {
            self.by_peer.remove(&entry.peer);
        }
        if entry.accepted
            && let Some(count) = self.accepted_from.get_mut(&entry.peer.1.ip())
        {
            *count -= 1;
            if *count == 0 {
                self.accepted_from.remove(&entry.peer.1.ip());
            }
        }
        Some(entry)
    }
}
