//! The loop of one media thread: commands, timers and packets into the worker, what it makes of them out.
//!
//! ```text
//! ┌─► commands ─► timers ─► drain ─► gather ─► wait ─► packets of every ready socket ─┐
//! └───────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Each leg has a socket of its own and a packet every 20 ms, so a batched read of one socket finds one packet, and
//! a batched write has one to send: what can be shared among packets is the wake-up. That is why the thread
//! gathers, see [`GATHER`], and why it reads with recvfrom, which costs a tenth less than a batch of one. A batched
//! read is used where it pays, when a thread is behind. Sockets are connected to parties that can be nowhere else, see
//! [`Sockets::connect`] (`benches/benches/relay.rs` measures all these ways).
//!
//! Watches are level-triggered: a socket read once and not drained is reported again, so one read a turn is enough
//! and no busy socket can starve the others.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{Ordering::Relaxed, Ordering::SeqCst, fence};
use std::time::Duration;

use ringbuf::traits::{Consumer, Observer, Producer};
use ringbuf::{HeapCons, HeapProd};
use tandem_media::{Channel, Command, Disposition, EndpointId, Event, HandshakeFailed, IoRequest, Worker};
use tandem_time::Instant;

use crate::counters::add;
use crate::handshakes::{Handshakes, News};
use crate::outlet::Departures;
use crate::sockets::{Sockets, WAKE_TOKEN, from_token};
use crate::sys::{
    BATCH, Batch, Epoll, MAX_PACKET, MAX_READY, Outgoing, Ready, SendRing, Urgency, is_told_by_icmp,
    make_current_thread_realtime, pin_current_thread,
};
use crate::threads::{MediaThreadsConfig, Shared, Wake};

/// A thread that had something to do looks for more no sooner than this after it last woke up. Under load one wake-up
/// then serves many packets and players; a lone call hardly notices, since its packets are further apart. It is the
/// most that this adds to a packet's delay while the thread keeps up.
///
/// Measured on a bare forwarder: of the processor time it saves a third at 100 calls and a tenth at 800; 1 ms would
/// save little more.
pub const GATHER: Duration = Duration::from_micros(500);

/// A timer turn later than this is counted as late.
pub(crate) const LATE_TURN: Duration = Duration::from_millis(5);

/// How soon events that found the ring full are tried again.
const EVENT_RETRY: Duration = Duration::from_millis(1);

/// Commands taken in one turn, so that packets are not kept waiting by a burst of them.
const COMMANDS_PER_TURN: usize = 64;

pub(crate) struct MediaThread {
    worker: Worker,
    sockets: Sockets,
    epoll: Epoll,
    commands: HeapCons<Command>,
    events: HeapProd<Event>,
    /// The event that found the ring full; the rest stay in the worker.
    held: Option<Event>,
    /// None when the node takes part in no handshakes.
    handshakes: Option<Handshakes>,
    batch: Batch,
    outgoing: Vec<Outgoing>,
    departures: Departures,
    shared: Arc<Shared>,
    wake_core: Wake,
    epoch: std::time::Instant,
    realtime: bool,
    /// When the turn under way began, if it found something to do.
    busy_since: Option<Instant>,
}

impl MediaThread {
    pub(crate) fn new(
        worker: Worker,
        (commands, events): (HeapCons<Command>, HeapProd<Event>),
        shared: Arc<Shared>,
        handshakes: Option<Handshakes>,
        ring: Option<SendRing>,
        config: &MediaThreadsConfig,
    ) -> io::Result<Self> {
        let epoll = Epoll::new()?;
        epoll.watch(&shared.wake, WAKE_TOKEN)?;
        Ok(Self {
            worker,
            sockets: Sockets::new(config.max_endpoints, config.other_address),
            epoll,
            commands,
            events,
            held: None,
            handshakes,
            batch: Batch::default(),
            outgoing: Vec::with_capacity(BATCH),
            departures: ring.map_or(Departures::AtOnce, |ring| Departures::Together(Box::new(ring))),
            shared,
            wake_core: Arc::clone(&config.wake),
            epoch: config.epoch,
            realtime: config.realtime,
            busy_since: None,
        })
    }

    /// Runs until told to stop.
    pub(crate) fn run(mut self, pin_to: Option<usize>) {
        if self.realtime
            && let Err(error) = make_current_thread_realtime(Urgency::Audio)
        {
            tracing::info!(%error, "media thread runs in the usual class: others on its core can make it late");
        }
        if let Some(core) = pin_to
            && let Err(error) = pin_current_thread(core)
        {
            tracing::warn!(core, %error, "media thread runs unpinned");
        }
        let mut ready = Ready::default();
        while !self.shared.stop.load(Relaxed) {
            self.take_commands();
            self.take_news();
            self.run_timers();
            self.drain();
            self.shared.counters.publish(&self.worker);
            self.gather();
            if let Err(error) = self.wait(&mut ready) {
                tracing::error!(%error, "media thread cannot wait for its sockets");
                return;
            }
            self.receive_all(&ready);
        }
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// While events wait for room, commands wait too: so a core that does not read is held back, and what the worker
    /// has to keep stays bounded.
    fn take_commands(&mut self) {
        for _ in 0..COMMANDS_PER_TURN {
            if self.held.is_some() {
                return;
            }
            let Some(command) = self.commands.try_pop() else { return };
            let now = self.now();
            self.worker.handle_command(now, command);
            self.drain();
        }
    }

    /// What handshakes have to say.
    fn take_news(&mut self) {
        while let Some(news) = self.handshakes.as_ref().and_then(Handshakes::poll_news) {
            match news {
                News::Send { endpoint, handshake, packet } => {
                    let is_under_way = self.worker.handshake(endpoint).is_some_and(|(id, _)| id == handshake);
                    let destination = self.worker.handshake_destination(endpoint);
                    let outlet = destination
                        .and_then(|destination| self.sockets.outlet(endpoint, Channel::Rtp, destination));
                    if let (true, Some(destination), Some(outlet)) = (is_under_way, destination, outlet) {
                        // The handshake says it again when it is lost.
                        outlet.send(&packet, destination, &self.shared.counters);
                    }
                }
                News::Done { endpoint, handshake, outcome } => {
                    let now = self.now();
                    self.worker.handle_handshake(now, endpoint, handshake, outcome);
                }
            }
        }
    }

    fn begin_handshake(&mut self, endpoint: EndpointId) {
        let Some((handshake, parameters)) = self.worker.handshake(endpoint) else { return };
        let parameters = parameters.clone();
        let has_begun = self.handshakes.as_ref().is_some_and(|it| it.begin(endpoint, handshake, parameters));
        if !has_begun {
            let now = self.now();
            self.worker.handle_handshake(now, endpoint, handshake, Err(HandshakeFailed));
        }
    }

    fn run_timers(&mut self) {
        let Some(due) = self.worker.poll_timeout() else { return };
        let now = self.now();
        if now < due {
            return;
        }
        if now.saturating_duration_since(due) > LATE_TURN {
            add(&self.shared.counters.late_turns, 1);
        }
        self.worker.handle_timeout(now);
        self.busy_since.get_or_insert(now);
    }

    /// Does what the worker asks for. Socket requests come first, so that whoever reads `Closed` finds the ports
    /// free.
    fn drain(&mut self) {
        self.drain_io();
        self.drain_transmits();
        self.drain_events();
    }

    fn drain_io(&mut self) {
        while let Some(request) = self.worker.poll_io() {
            match request {
                IoRequest::Bind { endpoint, local } => {
                    let bound = self.sockets.bind(&self.epoll, endpoint, local);
                    let counters = &self.shared.counters;
                    add(if bound.is_ok() { &counters.pairs_bound } else { &counters.pairs_refused }, 1);
                    let now = self.now();
                    self.worker.handle_bound(now, endpoint, bound.is_ok());
                }
                IoRequest::Unbind { endpoint } => self.unbind(endpoint),
                IoRequest::Connect { endpoint, remote } => self.sockets.connect(endpoint, remote),
                IoRequest::Handshake { endpoint } => self.begin_handshake(endpoint),
            }
        }
    }

    fn unbind(&mut self, endpoint: EndpointId) {
        if let Some(handshakes) = &self.handshakes {
            handshakes.end(endpoint);
        }
        if let Some(pair) = self.sockets.unbind(endpoint) {
            add(&self.shared.counters.pairs_closed, 1);
            add(&self.shared.counters.kernel_drops, pair.dropped_by_kernel());
        }
    }

    /// Each goes out of another socket.
    fn drain_transmits(&mut self) {
        while let Some(transmit) = self.worker.poll_transmit() {
            let (endpoint, channel, destination) =
                (transmit.endpoint, transmit.channel, transmit.destination);
            let Some(outlet) = self.sockets.outlet(endpoint, channel, destination) else { continue };
            self.departures.send(outlet, transmit.bytes, destination, &self.shared.counters);
        }
        self.departures.flush(&self.shared.counters);
    }

    fn drain_events(&mut self) {
        let mut pushed = false;
        while let Some(event) = self.held.take().or_else(|| self.worker.poll_event()) {
            if let Err(event) = self.events.try_push(event) {
                add(&self.shared.counters.event_ring_full, 1);
                self.held = Some(event);
                break;
            }
            pushed = true;
        }
        if pushed {
            (self.wake_core)();
        }
    }

    /// Lets packets and timers come together, see [`GATHER`].
    fn gather(&mut self) {
        let Some(began) = self.busy_since.take() else { return };
        let passed = self.now().saturating_duration_since(began);
        if let Some(left) = GATHER.checked_sub(passed) {
            std::thread::park_timeout(left);
        }
    }

    fn wait(&mut self, ready: &mut Ready) -> io::Result<()> {
        let sleeping = &self.shared.sleeping;
        sleeping.store(true, Relaxed);
        // Pairs with the fence in `MediaHandle::send`: either it sees that we sleep, or we see its command.
        fence(SeqCst);
        let timeout = if self.held.is_none() && !self.commands.is_empty() {
            Some(Duration::ZERO)
        } else {
            self.until_next_timer()
        };
        let result = self.epoll.wait(ready, timeout);
        sleeping.store(false, Relaxed);
        add(&self.shared.counters.wakeups, 1);
        result
    }

    fn until_next_timer(&self) -> Option<Duration> {
        let timer = self.worker.poll_timeout().map(|due| due.saturating_duration_since(self.now()));
        if self.held.is_none() {
            return timer;
        }
        Some(timer.map_or(EVENT_RETRY, |timer| timer.min(EVENT_RETRY)))
    }

    fn receive_all(&mut self, ready: &Ready) {
        let began = self.now();
        // A full report means that more is waiting than one turn can show: the thread is behind.
        let behind = ready.len() == MAX_READY;
        for index in 0..ready.len() {
            match ready.token(index) {
                Some(WAKE_TOKEN) => self.shared.wake.clear(),
                Some(token) => {
                    self.receive(token, behind);
                    self.busy_since = Some(began);
                }
                None => break,
            }
        }
        self.departures.flush(&self.shared.counters);
    }

    fn receive(&mut self, token: u64, behind: bool) {
        let (endpoint, channel) = from_token(token);
        let Some(socket) = self.sockets.socket_of(token) else { return };
        let received = if behind { self.batch.receive(socket) } else { self.batch.receive_one(socket) };
        let count = match received {
            Ok(count) => count,
            Err(error) if is_told_by_icmp(&error) => return add(&self.shared.counters.icmp_errors, 1),
            Err(_) => return,
        };
        add(&self.shared.counters.packets_received, count as u64);
        let now = self.now();
        let mut run: Option<(EndpointId, bool)> = None;
        for index in 0..count {
            let Some(packet) = self.batch.packet(index) else { continue };
            if packet.len > MAX_PACKET {
                add(&self.shared.counters.packets_too_long, 1);
                continue;
            }
            let (source, len) = (packet.source, packet.len);
            let disposition = self.worker.handle_packet(now, endpoint, channel, source, packet.buffer, len);
            let (to, destination, len) = match disposition {
                Disposition::Forward { endpoint, destination, len } => (endpoint, destination, len),
                Disposition::Answer { len } => {
                    if let Some(socket) = self.sockets.socket_of(token) {
                        answer(socket, source, packet.buffer, len);
                    }
                    continue;
                }
                Disposition::Handshake => {
                    if let Some(handshakes) = &self.handshakes {
                        handshakes.receive(endpoint, packet.buffer.get(..len).unwrap_or_default());
                    }
                    continue;
                }
                Disposition::Done => continue,
            };
            let way = (to, destination.is_ipv4());
            if run.is_some_and(|run| run != way) {
                self.send_gathered(run);
            }
            run = Some(way);
            self.outgoing.push(Outgoing { index, len, destination });
        }
        self.send_gathered(run);
    }

    /// Sends what one read gave to one socket: an endpoint's, and of which family.
    fn send_gathered(&mut self, to: Option<(EndpointId, bool)>) {
        let first = self.outgoing.first().map(|first| first.destination);
        let outlet = to.zip(first).and_then(|((to, _), at)| self.sockets.outlet(to, Channel::Rtp, at));
        if let Some(outlet) = outlet {
            let counters = &self.shared.counters;
            self.departures.send_batch(outlet, &self.batch, &self.outgoing, counters);
        }
        self.outgoing.clear();
    }
}

/// What cannot be sent is lost, and asked for again.
fn answer(socket: &UdpSocket, destination: SocketAddr, buffer: &[u8], len: usize) {
    let _ = socket.send_to(buffer.get(..len).unwrap_or_default(), destination);
}
