//! All transports of a node: bound once, sent through by the core's thread, reloaded by the operator.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use socket2::SockRef;
use tandem_sbc::ban::BanReason;
use tandem_sbc::source::IpPrefix;
use tandem_sbc::transport::{FlowOrder, Transmit, Transport, TransportFailure};
use tandem_sbc::user_agent::ListenAddress;
use tokio::task::JoinSet;

use crate::allow_list::AllowList;
use crate::counters::Counters;
use crate::filter::{self, FilterState, Program};
use crate::inbox::Inbox;
use crate::rate::{PacketRates, SharedRates};
use crate::stream::StreamTransport;
use crate::tls::{Certificate, TlsConfig, TlsError};
use crate::udp::{Datagrams, Receiver, UdpTransport};

/// The most bans that the kernel is told of, the latest ones; user space knows all.
const KERNEL_BANS_MAX: usize = 256;

/// The most listening addresses.
pub const MAX_LISTEN: usize = 64;

/// What the operator decides.
#[derive(Clone, Debug)]
pub struct TransportsConfig {
    /// Where to listen, 1 to [`MAX_LISTEN`]. Port 0 takes a free one.
    pub listen: Vec<ListenAddress>,
    /// The sources to hear.
    pub allowed: Vec<IpPrefix>,
    /// Those of them that are carriers': what they send waits in a lane of its own.
    pub carriers: Vec<IpPrefix>,
    /// How much is read of each source.
    pub rates: PacketRates,
    /// Whether the kernel filters as well.
    pub kernel_filter: bool,
    /// The most of TCP, and of what is on top of it.
    pub tcp: TcpLimits,
    /// Certificates, and whose are accepted.
    pub tls: TlsConfig,
    /// The origins (RFC 6454) whose scripts may connect by WebSocket, such as `https://desk.example`; all when empty.
    /// Clients that name none are no browsers, and are not kept out by this.
    pub websocket_origins: Vec<String>,
}

/// The most of TCP.
#[derive(Clone, Copy, Debug)]
pub struct TcpLimits {
    /// Connections at a time, made and accepted.
    pub max_connections: usize,
    /// Connections at a time accepted from one address.
    pub max_connections_per_source: usize,
    /// A connection on which nothing came for so long is closed, unless the core has said how long that may be. Peers that
    /// want to keep theirs send keep-alives (RFC 5626 §4.4.1: at most every 120 s over TCP).
    pub idle_timeout: Duration,
}

impl Default for TcpLimits {
    fn default() -> Self {
        Self {
            max_connections: 4096,
            max_connections_per_source: 256,
            idle_timeout: Duration::from_secs(600),
        }
    }
}

/// Why the transports could not start. The operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// No address, or too many.
    #[error("listen on 1 to {MAX_LISTEN} addresses, not {0}")]
    Count(usize),
    /// An address is taken, not ours, or not permitted.
    #[error("cannot listen on {} {}: {source}", .listen.transport.via_name(), .listen.address)]
    Address {
        /// Which.
        listen: ListenAddress,
        /// Why.
        source: io::Error,
    },
    /// What TLS is told makes no sense.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// The running transports. Dropping it closes everything.
pub struct Transports {
    udp: Vec<UdpTransport>,
    streams: StreamTransport,
    listening: Vec<ListenAddress>,
    allowed: AllowList,
    carriers: AllowList,
    rates: SharedRates,
    /// What the allow-list is made of.
    listed: Mutex<Vec<IpPrefix>>,
    /// Whether bans have changed since the kernel was told.
    filter_is_old: AtomicBool,
    kernel_filter: bool,
    filter: Mutex<FilterState>,
    counters: Arc<Counters>,
    /// Receivers and accepters; aborted when dropped.
    _tasks: JoinSet<()>,
}

impl Transports {
    /// Binds. What comes on streams is put into `inbox` from now on, datagrams when the core's thread asks for them.
    /// Must be called on the tokio runtime that is to run the transports.
    ///
    /// # Errors
    /// When an address cannot be bound; then none is.
    pub fn bind(config: &TransportsConfig, inbox: &Inbox) -> Result<(Self, Datagrams), BindError> {
        if config.listen.is_empty() || config.listen.len() > MAX_LISTEN {
            return Err(BindError::Count(config.listen.len()));
        }
        let counters = Arc::new(Counters::default());
        let allowed = AllowList::new(&config.allowed);
        let carriers = AllowList::new(&config.carriers);
        let rates = SharedRates::new(config.rates);
        let inbox = &inbox.preferring(carriers.clone());
        let (inbox_of_streams, counters_of_streams) = (inbox.clone(), Arc::clone(&counters));
        let streams = StreamTransport::new(allowed.clone(), config, inbox_of_streams, counters_of_streams)?;
        let mut transports = Self {
            udp: Vec::new(),
            streams,
            listening: Vec::new(),
            allowed,
            carriers,
            rates,
            listed: Mutex::new(config.allowed.clone()),
            filter_is_old: AtomicBool::new(false),
            kernel_filter: config.kernel_filter,
            filter: Mutex::new(FilterState::Off),
            counters,
            _tasks: JoinSet::new(),
        };
        let mut receivers = Vec::new();
        for listen in &config.listen {
            let address = transports
                .listen(*listen, inbox, &mut receivers)
                .map_err(|source| BindError::Address { listen: *listen, source })?;
            transports.listening.push(ListenAddress { address, ..*listen });
        }
        transports.filter_by(&config.allowed);
        Ok((transports, Datagrams::new(receivers)))
    }

    fn listen(
        &mut self,
        listen: ListenAddress,
        inbox: &Inbox,
        receivers: &mut Vec<Receiver>,
    ) -> io::Result<SocketAddr> {
        match listen.transport {
            Transport::Udp => {
                let allowed = self.allowed.clone();
                let (rates, tasks) = (self.rates.clone(), &mut self._tasks);
                let bound = UdpTransport::bind(listen.address, allowed, rates, inbox, &self.counters, tasks)?;
                let (udp, receiver) = bound;
                let local = udp.local();
                self.udp.push(udp);
                receivers.push(receiver);
                Ok(local)
            }
            _ => self.streams.listen(listen, &mut self._tasks),
        }
    }

    /// Sends a message: a datagram now, on a connection with the next [`flush`](Self::flush) at the latest. Never blocks and
    /// needs no runtime: meant for the core's thread. A failure that shows later comes through the inbox.
    ///
    /// # Errors
    /// When it is certain now that it cannot be sent.
    pub fn send(&self, transmit: Transmit) -> Result<(), TransportFailure> {
        match transmit.transport {
            Transport::Udp => {
                let Transmit { local, destination, bytes, .. } = transmit;
                let failure = TransportFailure { transport: Transport::Udp, destination, flow: None };
                self.udp_from(local, destination.ip()).ok_or(failure)?.send(destination, bytes)
            }
            _ => self.streams.send(transmit),
        }
    }

    /// Sees to a connection, if it is there. What is sent to the peer of one that is closed makes another one; nothing is
    /// told of its end.
    pub fn see_to(&self, order: FlowOrder) {
        self.streams.see_to(order);
    }

    /// Writes what was sent on connections since the last time, so that what the core says in one go is written at once.
    pub fn flush(&self) {
        self.streams.flush();
    }

    /// The socket bound to `local`, else the first that speaks the destination's IP version.
    fn udp_from(&self, local: SocketAddr, destination: IpAddr) -> Option<&UdpTransport> {
        let same_version = |udp: &&UdpTransport| udp.local().is_ipv4() == destination.is_ipv4();
        self.udp.iter().find(|udp| udp.local() == local).or_else(|| self.udp.iter().find(same_version))
    }

    /// Hears a source no more: its datagrams are dropped unread, its connections are cut. Outlives reloads.
    pub fn ban(&self, prefix: IpPrefix, reason: BanReason) {
        self.allowed.bans().ban(prefix, reason);
        self.streams.cut_unlisted();
        self.filter_is_old.store(true, Relaxed);
    }

    /// Hears a banned source again.
    pub fn lift(&self, prefix: IpPrefix) {
        self.allowed.bans().lift(prefix);
        self.filter_is_old.store(true, Relaxed);
    }

    /// Tells the kernel of the latest bans, if they have changed: it then drops what those sources send before we
    /// are woken by it. Takes a system call a socket: not for each ban, but now and then.
    pub fn refresh_filter(&self) {
        if self.filter_is_old.swap(false, Relaxed) {
            let listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner).clone();
            self.filter_by(&listed);
        }
    }

    /// Packets of banned sources that were dropped here, by reason.
    pub fn dropped_by_bans(&self) -> impl Iterator<Item = (BanReason, u64)> {
        self.allowed.bans().dropped()
    }

    /// Takes another allow-list, and the kernel's filter with it, other carriers, other certificates and other origins; where to
    /// listen and the limits stay. Connections accepted from a source that is listed no more are cut; those that
    /// stay keep the TLS they began with.
    ///
    /// # Errors
    /// What is wrong with TLS; then nothing is changed.
    pub fn reload(&self, config: &TransportsConfig) -> Result<FilterState, TlsError> {
        self.streams.reload(config)?;
        let allowed = &config.allowed;
        self.allowed.replace(allowed);
        self.carriers.replace(&config.carriers);
        self.rates.replace(config.rates);
        allowed.clone_into(&mut self.listed.lock().unwrap_or_else(PoisonError::into_inner));
        self.streams.cut_unlisted();
        Ok(self.filter_by(allowed))
    }

    fn filter_by(&self, allowed: &[IpPrefix]) -> FilterState {
        let state = if self.kernel_filter { self.attach(allowed) } else { FilterState::Off };
        if let FilterState::Failed(error) = &state {
            tracing::warn!(%error, "the kernel does not filter SIP sources; the check in user space stands alone");
        }
        self.filter.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&state);
        state
    }

    /// All sockets get the program, or none keeps one: an older list must not outlive its reload.
    fn attach(&self, allowed: &[IpPrefix]) -> FilterState {
        // A program that has no room for the bans is better than none.
        let banned = self.allowed.bans().latest(KERNEL_BANS_MAX);
        let program = Program::new(allowed, &banned).or_else(|_| Program::new(allowed, &[]));
        let attached = program.and_then(|program| {
            self.sockets().try_for_each(|socket| program.attach(&socket))?;
            Ok(FilterState::On { instructions: program.len() })
        });
        attached.unwrap_or_else(|error| {
            for socket in self.sockets() {
                let _ = filter::detach(&socket);
            }
            FilterState::Failed(error)
        })
    }

    fn sockets(&self) -> impl Iterator<Item = SockRef<'_>> {
        self.udp.iter().map(UdpTransport::as_socket).chain(self.streams.as_sockets())
    }

    /// The addresses really bound, in the order of the configuration.
    #[must_use]
    pub fn listening(&self) -> &[ListenAddress] {
        &self.listening
    }

    /// Whether the kernel filters.
    #[must_use]
    pub fn filter(&self) -> FilterState {
        self.filter.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The totals.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Our TLS certificates, as of the last reload.
    #[must_use]
    pub fn certificates(&self) -> Vec<Arc<Certificate>> {
        self.streams.certificates()
    }

    /// Connections there are now, TCP and what is on top of it.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.streams.connections()
    }

    /// Datagrams the kernel dropped at our UDP sockets: by the filter, or for want of buffer. Reads `/proc`, which
    /// takes longer the more sockets the host has: for metrics, not for the core's thread.
    ///
    /// # Errors
    /// When `/proc` is not there.
    pub fn kernel_drops(&self) -> io::Result<u64> {
        filter::kernel_drops(self.udp.iter().map(UdpTransport::local))
    }
}

impl Drop for Transports {
    fn drop(&mut self) {
        self.streams.cut_all();
    }
}

impl fmt::Debug for Transports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transports").field("listening", &self.listening).finish_non_exhaustive()
    }
}
