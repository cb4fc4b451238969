//! All transports of a node: bound once, sent through by the core's thread, reloaded by the operator.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use socket2::SockRef;
use tandem_sbc::source::IpPrefix;
use tandem_sbc::transport::{Transmit, Transport, TransportFailure};
use tandem_sbc::user_agent::ListenAddress;
use tokio::task::JoinSet;

use crate::allow_list::AllowList;
use crate::counters::Counters;
use crate::filter::{self, FilterState, Program};
use crate::inbox::Inbox;
use crate::stream::StreamTransport;
use crate::tls::{Certificate, TlsConfig, TlsError};
use crate::udp::UdpTransport;

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
    /// A connection on which nothing came for so long is closed. Peers that want to keep theirs send keep-alives
    /// (RFC 5626 §4.4.1: at most every 120 s over TCP).
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
    kernel_filter: bool,
    filter: Mutex<FilterState>,
    counters: Arc<Counters>,
    /// Receivers and accepters; aborted when dropped.
    _tasks: JoinSet<()>,
}

impl Transports {
    /// Binds and starts receiving into `inbox`. Must be called on the tokio runtime that is to run the transports.
    ///
    /// # Errors
    /// When an address cannot be bound; then none is.
    pub fn bind(config: &TransportsConfig, inbox: &Inbox) -> Result<Self, BindError> {
        if config.listen.is_empty() || config.listen.len() > MAX_LISTEN {
            return Err(BindError::Count(config.listen.len()));
        }
        let counters = Arc::new(Counters::default());
        let allowed = AllowList::new(&config.allowed);
        let carriers = AllowList::new(&config.carriers);
        let inbox = &inbox.preferring(carriers.clone());
        let (inbox_of_streams, counters_of_streams) = (inbox.clone(), Arc::clone(&counters));
        let streams = StreamTransport::new(allowed.clone(), config, inbox_of_streams, counters_of_streams)?;
        let mut transports = Self {
            udp: Vec::new(),
            streams,
            listening: Vec::new(),
            allowed,
            carriers,
            kernel_filter: config.kernel_filter,
            filter: Mutex::new(FilterState::Off),
            counters,
            _tasks: JoinSet::new(),
        };
        for listen in &config.listen {
            let address = transports
                .listen(*listen, inbox)
                .map_err(|source| BindError::Address { listen: *listen, source })?;
            transports.listening.push(ListenAddress { address, ..*listen });
        }
        transports.filter_by(&config.allowed);
        Ok(transports)
    }

    fn listen(&mut self, listen: ListenAddress, inbox: &Inbox) -> io::Result<SocketAddr> {
        match listen.transport {
            Transport::Udp => {
                let allowed = self.allowed.clone();
                let udp =
                    UdpTransport::bind(listen.address, allowed, inbox, &self.counters, &mut self._tasks)?;
                let local = udp.local();
                self.udp.push(udp);
                Ok(local)
            }
            _ => self.streams.listen(listen, &mut self._tasks),
        }
    }

    /// Sends a message. Never blocks and needs no runtime: meant for the core's thread. A failure that shows later
    /// comes through the inbox.
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

    /// The socket bound to `local`, else the first that speaks the destination's IP version.
    fn udp_from(&self, local: SocketAddr, destination: IpAddr) -> Option<&UdpTransport> {
        let same_version = |udp: &&UdpTransport| udp.local().is_ipv4() == destination.is_ipv4();
        self.udp.iter().find(|udp| udp.local() == local).or_else(|| self.udp.iter().find(same_version))
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
        let attached = Program::new(allowed).and_then(|program| {
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
