//! A [`Crowd`] on real sockets, for load: one thread, one epoll instance, datagrams in batches, streams kept open.
//!
//! Owner thread: whoever made it, who calls [`LiveCrowd::turn`] over and over. It never blocks longer than it is
//! asked to, and what it cannot send is lost and counted: the phones' own timers notice.

mod connection;
mod datagrams;
mod media;
mod streams;
mod tls;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use rand_chacha::ChaCha8Rng;
use tandem_phone::{Access, Crowd, Event, Output, Phone, PhoneConfig, Place, Transport};

use self::datagrams::Datagrams;
use self::media::MediaSockets;
use self::streams::Streams;
pub use self::tls::{Tls, TlsFiles};

/// What the kernel tells of in one turn.
const MAX_READY: usize = 256;
/// Events nobody has looked at; later ones are lost and counted.
const MAX_EVENTS: usize = 1_000_000;

/// What one epoll token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Datagrams(usize),
    Listener(usize),
    Connection,
    Media,
}

/// What went over the sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// SIP messages that left.
    pub sent: u64,
    /// SIP messages that came.
    pub received: u64,
    /// SIP messages the kernel or a broken connection did not take.
    pub not_sent: u64,
    /// SIP messages that came and were nobody's, or could not be read.
    pub unusable: u64,
    /// RTP and RTCP packets that left.
    pub media_sent: u64,
    /// Connections that were made, and how many could not be, or broke.
    pub connections: u64,
    /// Connections that could not be made, or broke.
    pub connections_lost: u64,
    /// Events that nobody took in time.
    pub events_lost: u64,
}

/// Something that happened to one of the phones.
#[derive(Debug)]
pub struct Happening {
    /// When.
    pub at: Duration,
    /// To whom.
    pub place: Place,
    /// What.
    pub event: Event,
}

/// Many phones on real sockets.
pub struct LiveCrowd {
    began: Instant,
    crowd: Crowd,
    transport: Transport,
    epoll: Epoll,
    sources: BTreeMap<u64, Source>,
    next_token: u64,
    datagrams: Vec<Datagrams>,
    by_address: BTreeMap<SocketAddr, usize>,
    streams: Streams,
    media: MediaSockets,
    happenings: VecDeque<Happening>,
    traffic: Traffic,
    why_lost: Option<String>,
}

impl LiveCrowd {
    /// Nobody yet. `tls` is for [`Transport::Tls`].
    ///
    /// # Errors
    /// When the kernel gives no epoll instance.
    pub fn new(transport: Transport, tls: Option<Tls>) -> io::Result<Self> {
        Ok(Self {
            began: Instant::now(),
            crowd: Crowd::default(),
            transport,
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            sources: BTreeMap::new(),
            next_token: 0,
            datagrams: Vec::new(),
            by_address: BTreeMap::new(),
            streams: Streams::new(tls),
            media: MediaSockets::default(),
            happenings: VecDeque::new(),
            traffic: Traffic::default(),
            why_lost: None,
        })
    }

    /// Adds a phone, and binds its address when it is the first there.
    ///
    /// # Errors
    /// When the address is taken.
    pub fn add(&mut self, config: PhoneConfig, access: Access, rng: ChaCha8Rng) -> io::Result<Place> {
        let address = config.address;
        if !self.by_address.contains_key(&address) {
            let index = match self.transport {
                Transport::Udp => {
                    let index = self.datagrams.len();
                    self.datagrams.push(Datagrams::bind(address)?);
                    let token = self.token(Source::Datagrams(index));
                    self.watch_datagrams(index, token)?;
                    index
                }
                Transport::Tcp | Transport::Tls => {
                    let index = self.streams.listen(address)?;
                    let token = self.token(Source::Listener(index));
                    self.streams.watch_listener(index, &self.epoll, token)?;
                    index
                }
            };
            self.by_address.insert(address, index);
        }
        Ok(self.crowd.add(config, Access { transport: self.transport, ..access }, rng))
    }

    /// The time, as the phones have it.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Does something with one of the phones, in its time; none when there is no such.
    pub fn act<T>(&mut self, place: Place, act: impl FnOnce(&mut Phone, Duration) -> T) -> Option<T> {
        let now = self.now();
        self.crowd.with(place, |phone| act(phone, now))
    }

    /// The phone at `place`.
    #[must_use]
    pub fn phone(&self, place: Place) -> Option<&Phone> {
        self.crowd.phone(place)
    }

    /// Sends octets as they are, as the phone at `local` would.
    pub fn send_raw(&mut self, local: SocketAddr, destination: SocketAddr, bytes: &[u8]) {
        self.send(local, destination, bytes);
    }

    /// Sends what is to be sent, waits for something to come or become due, at most until `until`, and handles it.
    ///
    /// # Errors
    /// When the kernel refuses to wait.
    pub fn turn(&mut self, until: Duration) -> io::Result<()> {
        self.perform();
        let now = self.now();
        let due = self.crowd.poll_timeout().map_or(until, |at| at.min(until));
        // A millisecond is all epoll can tell apart; to be early would be to turn in circles.
        let wait = due.saturating_sub(now).as_micros().div_ceil(1_000);
        let wait =
            EpollTimeout::try_from(i32::try_from(wait).unwrap_or(i32::MAX)).unwrap_or(EpollTimeout::MAX);
        let mut ready = [EpollEvent::empty(); MAX_READY];
        let count = match self.epoll.wait(&mut ready, wait) {
            Ok(count) => count,
            Err(Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        for event in ready.iter().take(count) {
            self.readable(event.data(), event.events());
        }
        self.crowd.handle_timeout(self.began.elapsed());
        self.perform();
        Ok(())
    }

    /// The next thing that happened, until `None`.
    pub fn poll_happening(&mut self) -> Option<Happening> {
        self.happenings.pop_front()
    }

    /// What went over the sockets so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        let unreadable: u64 =
            (0..self.crowd.len()).filter_map(|at| self.crowd.phone(at)).map(Phone::unreadable).sum();
        Traffic { unusable: self.crowd.astray() + unreadable, ..self.traffic }
    }

    /// Why the last connection was lost.
    #[must_use]
    pub fn why_lost(&self) -> Option<&str> {
        self.why_lost.as_deref()
    }

    fn token(&mut self, source: Source) -> u64 {
        self.next_token += 1;
        self.sources.insert(self.next_token, source);
        self.next_token
    }

    fn watch_datagrams(&self, index: usize, token: u64) -> io::Result<()> {
        if let Some(datagrams) = self.datagrams.get(index) {
            self.epoll.add(datagrams.socket(), EpollEvent::new(EpollFlags::EPOLLIN, token))?;
        }
        Ok(())
    }

    fn readable(&mut self, token: u64, flags: EpollFlags) {
        match self.sources.get(&token).copied() {
            Some(Source::Datagrams(index)) => self.read_datagrams(index),
            Some(Source::Listener(index)) => self.accept(index),
            Some(Source::Connection) => self.read_connection(token, flags),
            Some(Source::Media) => {
                let (crowd, began) = (&mut self.crowd, self.began);
                self.media.read(token, |place, local, source, bytes| {
                    crowd.handle_rtp(began.elapsed(), place, local, source, bytes);
                });
            }
            None => {}
        }
    }

    fn read_datagrams(&mut self, index: usize) {
        let Some(datagrams) = self.datagrams.get_mut(index) else { return };
        let local = datagrams.local();
        let (crowd, traffic, began) = (&mut self.crowd, &mut self.traffic, self.began);
        datagrams.receive(|source, bytes| {
            traffic.received += 1;
            crowd.handle_sip(began.elapsed(), local, source, bytes);
        });
    }

    fn accept(&mut self, index: usize) {
        while let Some(mut connection) = self.streams.accept(index) {
            let token = self.token(Source::Connection);
            if connection.watch(&self.epoll, token).is_ok() {
                self.streams.keep(token, connection);
            }
        }
    }

    fn read_connection(&mut self, token: u64, flags: EpollFlags) {
        let Some(connection) = self.streams.connection(token) else { return };
        let (local, peer) = (connection.local(), connection.peer());
        let mut messages = Vec::new();
        let outcome = connection.ready(flags, &mut messages);
        let outcome = outcome.and_then(|()| connection.flush(&self.epoll, token));
        for message in messages {
            self.traffic.received += 1;
            self.crowd.handle_sip(self.began.elapsed(), local, peer, &message);
        }
        if let Err(error) = outcome {
            self.lose(token, &error);
        }
    }

    fn lose(&mut self, token: u64, error: &io::Error) {
        self.sources.remove(&token);
        let Some(connection) = self.streams.forget(token) else { return };
        self.traffic.connections_lost += 1;
        self.why_lost = Some(format!("{}: {error}", connection.peer()));
        if connection.is_ours() {
            self.crowd.connection_lost(self.began.elapsed(), connection.local());
        }
    }

    fn perform(&mut self) {
        while let Some((place, output)) = self.crowd.poll_output() {
            match output {
                Output::Sip { destination, bytes } => {
                    if let Some(local) = self.crowd.phone(place).map(|phone| phone.config().address) {
                        self.send(local, destination, &bytes);
                    }
                }
                Output::Rtp { local, destination, bytes } => {
                    self.traffic.media_sent += u64::from(self.media.send(local, destination, &bytes));
                }
                Output::OpenMedia { local } => self.open_media(place, local),
                Output::CloseMedia { local } => {
                    for token in self.media.close(local) {
                        self.sources.remove(&token);
                    }
                }
                Output::Event(event) if self.happenings.len() < MAX_EVENTS => {
                    self.happenings.push_back(Happening { at: self.began.elapsed(), place, event });
                }
                Output::Event(_) => self.traffic.events_lost += 1,
            }
        }
        for (token, error) in self.streams.flush(&self.epoll) {
            self.lose(token, &error);
        }
    }

    /// What cannot be bound stays silent, and the call that wanted it is told so by its audio.
    fn open_media(&mut self, place: Place, rtp: SocketAddr) {
        let rtcp = SocketAddr::new(rtp.ip(), rtp.port() + 1);
        for local in [rtp, rtcp] {
            let Ok(socket) = UdpSocket::bind(local) else { return };
            let token = self.token(Source::Media);
            let watched = self.epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, token));
            if watched.is_ok() && socket.set_nonblocking(true).is_ok() {
                self.media.keep(token, place, local, socket);
            }
        }
    }

    fn send(&mut self, local: SocketAddr, destination: SocketAddr, bytes: &[u8]) {
        let Some(index) = self.by_address.get(&local).copied() else { return };
        if self.transport == Transport::Udp {
            let sent = self.datagrams.get(index).is_some_and(|it| it.send(destination, bytes));
            self.traffic.sent += u64::from(sent);
            self.traffic.not_sent += u64::from(!sent);
            return;
        }
        match self.connection_to(local, destination) {
            Ok(token) => {
                self.traffic.sent += 1;
                self.streams.send(token, bytes);
            }
            Err(error) => {
                self.traffic.not_sent += 1;
                self.traffic.connections_lost += 1;
                self.why_lost = Some(format!("{destination}: {error}"));
                self.crowd.connection_lost(self.began.elapsed(), local);
            }
        }
    }

    /// The connection there is, or a new one (RFC 3261 §18.1.1, RFC 5923).
    fn connection_to(&mut self, local: SocketAddr, destination: SocketAddr) -> io::Result<u64> {
        if let Some(token) = self.streams.token_of(local, destination) {
            return Ok(token);
        }
        let mut connection = self.streams.connect(local, destination)?;
        let token = self.token(Source::Connection);
        connection.watch(&self.epoll, token)?;
        self.streams.keep(token, connection);
        self.traffic.connections += 1;
        Ok(token)
    }
}
