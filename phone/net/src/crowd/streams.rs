//! Connections: those we made, those that were made to us, and the addresses we listen at.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{SocketAddr, TcpListener};

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};

use super::connection::Connection;
use super::tls::Tls;

/// Connections at a time, both kinds together; more are not accepted.
const MAX_CONNECTIONS: usize = 10_000;

pub(crate) struct Streams {
    tls: Option<Tls>,
    listeners: Vec<(SocketAddr, TcpListener)>,
    connections: BTreeMap<u64, Connection>,
    by_peer: BTreeMap<(SocketAddr, SocketAddr), u64>,
    /// Those with something to send.
    stirred: BTreeSet<u64>,
}

impl Streams {
    pub(crate) const fn new(tls: Option<Tls>) -> Self {
        Self {
            tls,
            listeners: Vec::new(),
            connections: BTreeMap::new(),
            by_peer: BTreeMap::new(),
            stirred: BTreeSet::new(),
        }
    }

    pub(crate) fn listen(&mut self, address: SocketAddr) -> io::Result<usize> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        self.listeners.push((address, listener));
        Ok(self.listeners.len() - 1)
    }

    pub(crate) fn watch_listener(&self, index: usize, epoll: &Epoll, token: u64) -> io::Result<()> {
        if let Some((_, listener)) = self.listeners.get(index) {
            epoll.add(listener, EpollEvent::new(EpollFlags::EPOLLIN, token))?;
        }
        Ok(())
    }

    /// A connection somebody made to us, if one waits; without a certificate nobody can make one under TLS.
    pub(crate) fn accept(&self, index: usize) -> Option<Connection> {
        let (local, listener) = self.listeners.get(index)?;
        let (stream, peer) = listener.accept().ok()?;
        if self.connections.len() >= MAX_CONNECTIONS {
            return None;
        }
        let tls = match &self.tls {
            None => None,
            Some(tls) => Some(tls.accept().ok()?),
        };
        Connection::accepted(stream, *local, peer, tls).ok()
    }

    pub(crate) fn connect(&self, local: SocketAddr, destination: SocketAddr) -> io::Result<Connection> {
        if self.connections.len() >= MAX_CONNECTIONS {
            return Err(io::Error::other("too many connections"));
        }
        let tls = self.tls.as_ref().map(|tls| tls.connect(destination)).transpose()?;
        Connection::made(local, destination, tls)
    }

    pub(crate) fn keep(&mut self, token: u64, connection: Connection) {
        self.by_peer.insert((connection.local(), connection.peer()), token);
        self.connections.insert(token, connection);
    }

    pub(crate) fn forget(&mut self, token: u64) -> Option<Connection> {
        let connection = self.connections.remove(&token)?;
        self.by_peer.remove(&(connection.local(), connection.peer()));
        self.stirred.remove(&token);
        Some(connection)
    }

    pub(crate) fn token_of(&self, local: SocketAddr, peer: SocketAddr) -> Option<u64> {
        self.by_peer.get(&(local, peer)).copied()
    }

    pub(crate) fn connection(&mut self, token: u64) -> Option<&mut Connection> {
        self.connections.get_mut(&token)
    }

    pub(crate) fn send(&mut self, token: u64, bytes: &[u8]) {
        if let Some(connection) = self.connections.get_mut(&token) {
            connection.send(bytes);
            self.stirred.insert(token);
        }
    }

    /// Writes what waits, each connection's in one go; those that broke.
    pub(crate) fn flush(&mut self, epoll: &Epoll) -> Vec<(u64, io::Error)> {
        let mut broken = Vec::new();
        for token in std::mem::take(&mut self.stirred) {
            if let Some(connection) = self.connections.get_mut(&token)
                && let Err(error) = connection.flush(epoll, token)
            {
                broken.push((token, error));
            }
        }
        broken
    }
}
