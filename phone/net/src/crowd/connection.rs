//! One connection, in clear or under TLS, that never blocks.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use rustls::Connection as TlsSession;
use socket2::{Domain, Protocol, Socket, Type};
use tandem_phone::Framer;

/// What may wait to be written; a peer that reads no more is given up.
const MAX_WAITING: usize = 16 << 20;
/// Read at once.
const CHUNK: usize = 64 << 10;

pub(crate) struct Connection {
    stream: TcpStream,
    tls: Option<TlsSession>,
    framer: Framer,
    waiting: Vec<u8>,
    local: SocketAddr,
    peer: SocketAddr,
    ours: bool,
    connected: bool,
    wants_to_write: bool,
}

impl Connection {
    /// Begins to connect from the address, though not the port, of `local`.
    pub(crate) fn made(local: SocketAddr, peer: SocketAddr, tls: Option<TlsSession>) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(peer), Type::STREAM, Some(Protocol::TCP))?;
        socket.bind(&SocketAddr::new(local.ip(), 0).into())?;
        socket.set_nonblocking(true)?;
        match socket.connect(&peer.into()) {
            Err(error) if error.raw_os_error() != Some(nix::errno::Errno::EINPROGRESS as i32) => {
                return Err(error);
            }
            _ => {}
        }
        Self::new(socket.into(), local, peer, tls, true)
    }

    /// One that was made to `local`.
    pub(crate) fn accepted(
        stream: TcpStream,
        local: SocketAddr,
        peer: SocketAddr,
        tls: Option<TlsSession>,
    ) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Self::new(stream, local, peer, tls, false)
    }

    fn new(
        stream: TcpStream,
        local: SocketAddr,
        peer: SocketAddr,
        tls: Option<TlsSession>,
        ours: bool,
    ) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            tls,
            framer: Framer::default(),
            waiting: Vec::new(),
            local,
            peer,
            ours,
            connected: !ours,
            wants_to_write: ours,
        })
    }

    pub(crate) fn watch(&mut self, epoll: &Epoll, token: u64) -> io::Result<()> {
        Ok(epoll.add(&self.stream, EpollEvent::new(self.interest(), token))?)
    }

    /// The phone's address.
    pub(crate) const fn local(&self) -> SocketAddr {
        self.local
    }

    pub(crate) const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Whether we made it.
    pub(crate) const fn is_ours(&self) -> bool {
        self.ours
    }

    /// Leaves with the next [`Connection::flush`].
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    /// The kernel says that it can be read or written.
    pub(crate) fn ready(&mut self, flags: EpollFlags, messages: &mut Vec<Vec<u8>>) -> io::Result<()> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        self.connected |= flags.contains(EpollFlags::EPOLLOUT);
        if flags.intersects(EpollFlags::EPOLLIN | EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR) {
            let ended = self.read();
            while let Some(message) = self.framer.next_message().map_err(io::Error::other)? {
                messages.push(message);
            }
            ended?;
        }
        Ok(())
    }

    fn read(&mut self) -> io::Result<()> {
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = match &mut self.tls {
                None => self.stream.read(&mut chunk),
                Some(tls) => tls.read_tls(&mut self.stream),
            };
            match read {
                Ok(0) => return Err(io::Error::new(ErrorKind::UnexpectedEof, "the other side closed it")),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
                Ok(len) if self.tls.is_none() => self.framer.push(chunk.get(..len).unwrap_or_default()),
                Ok(_) => self.decrypt(&mut chunk)?,
            }
        }
    }

    fn decrypt(&mut self, chunk: &mut [u8]) -> io::Result<()> {
        let Some(tls) = &mut self.tls else { return Ok(()) };
        if let Err(error) = tls.process_new_packets() {
            // The alert tells the other side why.
            let _ = tls.write_tls(&mut self.stream);
            return Err(io::Error::other(error));
        }
        loop {
            match tls.reader().read(chunk) {
                Ok(0) => return Ok(()),
                Ok(len) => self.framer.push(chunk.get(..len).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes what waits, as far as the kernel takes it.
    pub(crate) fn flush(&mut self, epoll: &Epoll, token: u64) -> io::Result<()> {
        if self.connected {
            self.write()?;
        }
        let blocked = !self.connected
            || !self.waiting.is_empty()
            || self.tls.as_ref().is_some_and(|it| it.wants_write());
        if blocked != self.wants_to_write {
            self.wants_to_write = blocked;
            epoll.modify(&self.stream, &mut EpollEvent::new(self.interest(), token))?;
        }
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        let taken = match &mut self.tls {
            None => written(self.stream.write(&waiting))?,
            Some(tls) => {
                let taken = tls.writer().write(&waiting)?;
                while tls.wants_write() {
                    if written(tls.write_tls(&mut self.stream))? == 0 {
                        break;
                    }
                }
                taken
            }
        };
        self.waiting = waiting.get(taken..).unwrap_or_default().to_vec();
        if self.waiting.len() > MAX_WAITING {
            return Err(io::Error::other("the other side does not read"));
        }
        Ok(())
    }

    fn interest(&self) -> EpollFlags {
        if self.wants_to_write { EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT } else { EpollFlags::EPOLLIN }
    }
}

/// How much was written; nothing when the kernel takes no more now.
fn written(outcome: io::Result<usize>) -> io::Result<usize> {
    match outcome {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(0),
        outcome => outcome,
    }
}
