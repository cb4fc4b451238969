//! How packets leave: each at once, or those of a turn together, by io_uring.
//!
//! Multishot receiving with a buffer ring was measured, too: over connected sockets it takes no less processor time than
//! epoll with sends by the ring, and its packets wait longer (ARCHITECTURE.md has the figures).

use std::io;
use std::net::{SocketAddr, UdpSocket};

use crate::counters::{Counters, add};
use crate::sys::{Batch, Outgoing, SendRing, is_told_by_icmp};

/// A way for packets to leave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outlet<'a> {
    socket: &'a UdpSocket,
    connected_to: Option<SocketAddr>,
}

/// What gives a thread's packets to the kernel.
#[derive(Debug)]
pub(crate) enum Departures {
    /// Each with a system call of its own, those of one socket with one.
    AtOnce,
    /// Those of a turn with one, as far as there is room.
    Together(Box<SendRing>),
}

impl<'a> Outlet<'a> {
    pub(crate) const fn new(socket: &'a UdpSocket, connected_to: Option<SocketAddr>) -> Self {
        Self { socket, connected_to }
    }

    /// Sends a packet, or counts that it could not be.
    pub(crate) fn send(self, bytes: &[u8], destination: SocketAddr, counters: &Counters) {
        let sent = if self.connected_to == Some(destination) {
            self.send_connected(bytes, counters)
        } else {
            self.socket.send_to(bytes, destination)
        };
        add(if sent.is_ok() { &counters.packets_sent } else { &counters.send_failures }, 1);
    }

    /// An error that is told here may be of an earlier packet, and this one then not sent: it is tried again.
    fn send_connected(self, bytes: &[u8], counters: &Counters) -> io::Result<usize> {
        match self.socket.send(bytes) {
            Err(error) if is_told_by_icmp(&error) => {
                add(&counters.icmp_errors, 1);
                self.socket.send(bytes)
            }
            sent => sent,
        }
    }

    /// Sends packets of a batch at once.
    fn send_batch(self, batch: &Batch, outgoing: &[Outgoing], counters: &Counters) {
        if let [one] = outgoing {
            return self.send(batch.bytes(one).unwrap_or_default(), one.destination, counters);
        }
        let sent = batch.send(self.socket, outgoing);
        add(&counters.packets_sent, sent as u64);
        add(&counters.send_failures, (outgoing.len() - sent) as u64);
    }
}

impl Departures {
    /// Sends a packet, by the end of the turn at the latest.
    pub(crate) fn send(&mut self, outlet: Outlet<'_>, bytes: &[u8], to: SocketAddr, counters: &Counters) {
        if matches!(self, Self::Together(ring) if ring.is_full()) {
            self.flush(counters);
        }
        let address = (outlet.connected_to != Some(to)).then_some(to);
        let waits = match self {
            Self::Together(ring) => ring.push(outlet.socket, address, bytes),
            Self::AtOnce => false,
        };
        if !waits {
            outlet.send(bytes, to, counters);
        }
    }

    /// Sends packets of a batch.
    pub(crate) fn send_batch(
        &mut self,
        outlet: Outlet<'_>,
        batch: &Batch,
        outgoing: &[Outgoing],
        counters: &Counters,
    ) {
        if let Self::AtOnce = self {
            return outlet.send_batch(batch, outgoing, counters);
        }
        for packet in outgoing {
            self.send(outlet, batch.bytes(packet).unwrap_or_default(), packet.destination, counters);
        }
    }

    /// Lets nothing wait any longer. Due at the end of each turn, and before any socket is closed: what waits is known
    /// by the socket's descriptor.
    pub(crate) fn flush(&mut self, counters: &Counters) {
        let Self::Together(ring) = self else { return };
        if ring.is_empty() {
            return;
        }
        let submitted = ring.submit();
        let sent = match &submitted {
            Ok(sent) => *sent,
            Err(_) => ring.send_without(),
        };
        add(&counters.packets_sent, sent.taken);
        add(&counters.send_failures, sent.failed);
        add(&counters.icmp_errors, sent.told_by_icmp);
        if let Err(error) = submitted {
            tracing::error!(%error, "io_uring has failed: packets are sent one by one from now on");
            *self = Self::AtOnce;
        }
    }
}
