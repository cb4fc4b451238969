//! The node under test: the real switch, contact centre, user agent and media worker, with the shell's part (sockets
//! and rings) played by the simulator.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tandem_control::{AgentState, ContactCentre};
use tandem_control_api::CallRecord;
use tandem_media::{Channel, Command, Disposition, EndpointId, Event as MediaEvent, IoRequest, Worker};
use tandem_sbc::user_agent::{FlowId, Packet, Transport, TransportFailure, UserAgent};
use tandem_switch::{Ledger, Output, RecordingNews, Switch, WorkerIndex};
use tandem_time::Instant;

use crate::configuration;
use crate::recording::{Recorded, Writer};
use crate::sabotage::Sabotage;
use crate::scenario::Knobs;
use crate::voices;
use crate::watched::{Said, Watched};

/// The node's address.
pub(crate) const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));
/// Where it listens for SIP.
pub(crate) const SIP: SocketAddr = SocketAddr::new(ADDRESS, 5_060);
/// Where it listens for SIP within TLS.
pub(crate) const SIPS: SocketAddr = SocketAddr::new(ADDRESS, 5_061);
/// The name of its only trunk.
pub(crate) const TRUNK: &str = "carrier-a";

/// The longest a command or event waits in a ring between switch and worker.
const RING_DELAY_US: u64 = 3_000;

/// A packet leaves.
pub(crate) struct Departure {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) bytes: Vec<u8>,
    pub(crate) making: Making,
    /// How, and on which connection, when it is no datagram.
    pub(crate) stream: Option<(Transport, Option<FlowId>)>,
}

/// What made a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Making {
    Sip,
    Relayed,
    /// A player's audio, or RTCP.
    Played,
}

/// The node with its sockets and rings.
pub(crate) struct Node {
    switch: Switch<Watched>,
    worker: Worker,
    rng: ChaCha8Rng,
    bind_failures_permille: u32,
    sockets: BTreeMap<u16, EndpointId>,
    ports: BTreeMap<EndpointId, u16>,
    /// RTP sockets that are connected: the kernel lets nobody else's packets through to them.
    connected: BTreeMap<u16, SocketAddr>,
    commands: VecDeque<(Duration, Command)>,
    events: VecDeque<(Duration, MediaEvent)>,
    departures: Vec<Departure>,
    records: Vec<CallRecord>,
    writer: Writer,
    buffer: Box<[u8; 2_048]>,
    sabotage: Option<Sabotage>,
    /// The party that hears others, when wires are crossed.
    crossed: Option<SocketAddr>,
}

impl Node {
    pub(crate) fn new(
        seed: u64,
        knobs: &Knobs,
        agents: &configuration::Agents,
        sabotage: Option<Sabotage>,
    ) -> Self {
        let rng = |stream: u64| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(stream);
            rng
        };
        let mut config = configuration::user_agent(knobs);
        if sabotage == Some(Sabotage::BansNobody) {
            config.protection.ban = Duration::ZERO;
        }
        if sabotage == Some(Sabotage::AsksNobody) {
            let trunks = config.trunks.iter_mut().map(|trunk| &mut trunk.profile);
            trunks.chain([&mut config.phones.profile]).for_each(|profile| profile.alive_check = None);
        }
        let user_agent = UserAgent::new(config.into(), rng(11));
        let centre = ContactCentre::new(configuration::contact_centre(knobs, agents));
        let centre = Watched::new(centre.expect("the simulator's contact centre fits together"));
        let switch = Switch::new(configuration::switch(knobs), user_agent, centre, voices::library());
        Self {
            switch,
            worker: Worker::new(rng(12), knobs.max_endpoints),
            rng: rng(13),
            bind_failures_permille: knobs.bind_failures_permille,
            sockets: BTreeMap::new(),
            ports: BTreeMap::new(),
            connected: BTreeMap::new(),
            commands: VecDeque::new(),
            events: VecDeque::new(),
            departures: Vec::new(),
            records: Vec::new(),
            writer: Writer::default(),
            buffer: Box::new([0; 2_048]),
            sabotage,
            crossed: None,
        }
    }

    pub(crate) fn handle_sip(&mut self, now: Duration, source: SocketAddr, bytes: &[u8]) {
        let packet = Packet { transport: Transport::Udp, local: SIP, source, flow: None, bytes };
        self.switch.handle_packet(instant(now), packet);
        self.departures.extend(self.sabotage.and_then(|it| it.answer_to(source)));
        self.drain(now);
    }

    /// A whole message that came on a connection.
    pub(crate) fn handle_stream(
        &mut self,
        now: Duration,
        source: SocketAddr,
        (transport, flow): (Transport, FlowId),
        bytes: &[u8],
    ) {
        let local = if transport == Transport::Tls { SIPS } else { SIP };
        self.switch.handle_packet(instant(now), Packet { transport, local, source, flow: Some(flow), bytes });
        self.drain(now);
    }

    /// A connection is gone, or none can be made.
    pub(crate) fn handle_stream_failure(&mut self, now: Duration, failure: TransportFailure) {
        self.switch.handle_transport_failure(instant(now), failure);
        self.drain(now);
    }

    /// A packet to one of the RTP ports; false when nobody listens there.
    pub(crate) fn handle_media(
        &mut self,
        now: Duration,
        port: u16,
        source: SocketAddr,
        bytes: &[u8],
    ) -> bool {
        if self.sabotage.is_some_and(|it| it.loses_media(bytes)) {
            return true;
        }
        let channel = if port.is_multiple_of(2) { Channel::Rtp } else { Channel::Rtcp };
        let (Some(endpoint), Some(place)) =
            (self.sockets.get(&(port & !1)).copied(), self.buffer.get_mut(..bytes.len()))
        else {
            return false;
        };
        if self.connected.get(&port).is_some_and(|remote| *remote != source) {
            return false;
        }
        place.copy_from_slice(bytes);
        let done = self.worker.handle_packet(
            instant(now),
            endpoint,
            channel,
            source,
            &mut *self.buffer,
            bytes.len(),
        );
        if let Disposition::Forward { endpoint, destination, len } = done
            && let (Some(port), Some(bytes)) = (self.ports.get(&endpoint), self.buffer.get(..len))
        {
            let (source, bytes) = (SocketAddr::new(ADDRESS, *port), bytes.to_vec());
            self.departures.push(Departure {
                source,
                destination,
                bytes,
                making: Making::Relayed,
                stream: None,
            });
        }
        self.drain(now);
        true
    }

    pub(crate) fn handle_timeout(&mut self, now: Duration) {
        let at = instant(now);
        while let Some((_, command)) = self.commands.pop_front_if(|(due, _)| *due <= now) {
            self.worker.handle_command(at, command);
            self.drain_worker(now);
        }
        if self.worker.poll_timeout().is_some_and(|due| due <= at) {
            self.worker.handle_timeout(at);
            self.drain_worker(now);
        }
        while let Some((_, event)) = self.events.pop_front_if(|(due, _)| *due <= now) {
            self.switch.handle_media_event(at, WorkerIndex(0), event);
            self.drain_switch(now);
        }
        if self.switch.poll_timeout().is_some_and(|due| due <= at) {
            self.switch.handle_timeout(at);
        }
        self.drain(now);
    }

    /// Reads its configuration again: everything may change, and nothing has.
    pub(crate) fn reload(&mut self, now: Duration, knobs: &Knobs, agents: &configuration::Agents) {
        let user_agent = configuration::user_agent(knobs).into();
        self.switch.reload(configuration::switch(knobs), user_agent, voices::library());
        let centre = &mut self.switch.plane_mut().centre;
        let reloaded = centre.reload(instant(now), configuration::contact_centre(knobs, agents));
        reloaded.expect("the simulator's contact centre fits together");
        self.drain(now);
    }

    /// Refuses new calls from now on.
    pub(crate) fn refuse_new_calls(&mut self) {
        self.switch.drain();
    }

    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        if self.sabotage == Some(Sabotage::StandsStill) {
            return Some(Duration::from_secs(1));
        }
        let rings = [self.commands.front().map(|(at, _)| *at), self.events.front().map(|(at, _)| *at)];
        let machines = [self.switch.poll_timeout(), self.worker.poll_timeout()];
        let machines = machines.into_iter().flatten().map(Instant::since_start);
        rings.into_iter().flatten().chain(machines).min()
    }

    pub(crate) fn take_departures(&mut self) -> Vec<Departure> {
        if let Some(sabotage) = self.sabotage {
            sabotage.spoil_departures(&mut self.departures);
            self.cross_wires(sabotage);
        }
        std::mem::take(&mut self.departures)
    }

    pub(crate) fn take_records(&mut self) -> Vec<CallRecord> {
        if let Some(sabotage) = self.sabotage {
            sabotage.spoil_records(&mut self.records);
        }
        std::mem::take(&mut self.records)
    }

    pub(crate) fn take_log(&mut self) -> Vec<(Duration, Said)> {
        let mut log = self.switch.plane_mut().take_log();
        if let Some(sabotage) = self.sabotage {
            sabotage.spoil_log(&mut log);
        }
        log
    }

    pub(crate) fn ledger(&self) -> Ledger {
        self.switch.ledger()
    }

    /// Endpoints the worker holds.
    pub(crate) const fn endpoints(&self) -> usize {
        self.worker.endpoints()
    }

    /// A queue where somebody waits while an agent is free, if there is one.
    pub(crate) fn idle_agent(&self) -> Option<String> {
        let pretended = usize::from(self.sabotage == Some(Sabotage::LeavesAgentsIdle));
        let idle = self
            .switch
            .plane()
            .centre
            .queue_depths()
            .find(|(_, depth)| depth.waiting > 0 && depth.available_agents + pretended > 0);
        idle.map(|(queue, depth)| format!("{queue}: {depth:?}"))
    }

    /// Agents who are in the middle of something.
    pub(crate) fn busy_agents(&self) -> Vec<String> {
        let resting = |state: &AgentState| {
            matches!(
                state,
                AgentState::LoggedOut
                    | AgentState::Available { .. }
                    | AgentState::NotResponding { .. }
                    | AgentState::WrapUp { .. }
            )
        };
        let states = self.switch.plane().centre.agent_states();
        states.filter(|(_, state)| !resting(state)).map(|(id, state)| format!("{id}: {state:?}")).collect()
    }

    /// Calls the contact centre remembers.
    pub(crate) fn calls_in_centre(&self) -> usize {
        self.switch.plane().centre.calls()
    }

    /// What was recorded, at the end.
    pub(crate) fn take_recordings(&mut self) -> Vec<Recorded> {
        let mut recorded = std::mem::take(&mut self.writer).finish();
        if let Some(sabotage) = self.sabotage {
            sabotage.spoil_recordings(&mut recorded);
        }
        recorded
    }

    fn drain(&mut self, now: Duration) {
        self.drain_worker(now);
        self.drain_switch(now);
        self.writer.come_by(now);
    }

    fn drain_switch(&mut self, now: Duration) {
        while let Some(output) = self.switch.poll_output() {
            match output {
                Output::Sip(transmit) => self.departures.push(Departure {
                    source: transmit.local,
                    destination: transmit.destination,
                    bytes: transmit.bytes,
                    making: Making::Sip,
                    stream: transmit.transport.is_reliable().then_some((transmit.transport, transmit.flow)),
                }),
                // No registration of ours is on a connection here, and phones on one say something every so often.
                Output::Flow(_) => {}
                Output::Media { mut command, .. } => {
                    if let Some(sabotage) = self.sabotage {
                        sabotage.spoil_command(&mut command);
                    }
                    let at = self.ring(now, self.commands.back().map(|(at, _)| *at));
                    self.commands.push_back((at, command));
                }
                Output::Record(record) => self.records.push(*record),
                Output::Recording(recording) => {
                    let news = RecordingNews::Begun { file: format!("{}.wav", recording.id.0) };
                    self.switch.handle_recording(instant(now), recording.id, news);
                    self.writer.begin(*recording);
                }
            }
        }
    }

    fn drain_worker(&mut self, now: Duration) {
        while let Some(request) = self.worker.poll_io() {
            match request {
                IoRequest::Bind { endpoint, local } => self.bind(now, endpoint, local),
                // No party of these asks for one.
                IoRequest::Handshake { .. } => {}
                IoRequest::Connect { endpoint, remote } => match (self.ports.get(&endpoint), remote) {
                    (Some(port), Some(remote)) => drop(self.connected.insert(*port, remote)),
                    (Some(port), None) => drop(self.connected.remove(port)),
                    (None, _) => {}
                },
                IoRequest::Unbind { endpoint } => {
                    if let Some(port) = self.ports.remove(&endpoint) {
                        self.sockets.remove(&port);
                        self.connected.remove(&port);
                    }
                }
            }
        }
        while let Some(transmit) = self.worker.poll_transmit() {
            let Some(port) = self.ports.get(&transmit.endpoint) else { continue };
            let port = if transmit.channel == Channel::Rtp { *port } else { *port + 1 };
            self.departures.push(Departure {
                source: SocketAddr::new(ADDRESS, port),
                destination: transmit.destination,
                bytes: transmit.bytes.to_vec(),
                making: Making::Played,
                stream: None,
            });
        }
        while let Some(mut event) = self.worker.poll_event() {
            if let Some(sabotage) = self.sabotage {
                sabotage.spoil_event(&mut event);
            }
            if self.sabotage.is_some_and(|it| it.loses_event(&event)) {
                continue;
            }
            let at = self.ring(now, self.events.back().map(|(at, _)| *at));
            self.events.push_back((at, event));
        }
    }

    /// What leaves for one party leaves for another too.
    fn cross_wires(&mut self, sabotage: Sabotage) {
        let relayed = self.departures.iter().filter(|it| sabotage.crosses(it.making));
        let packets: Vec<(SocketAddr, Vec<u8>)> =
            relayed.map(|it| (it.destination, it.bytes.clone())).collect();
        for (destination, bytes) in packets {
            match self.crossed {
                Some(other) if other != destination => self.departures.push(Departure {
                    source: SIP,
                    destination: other,
                    bytes,
                    making: Making::Relayed,
                    stream: None,
                }),
                _ => self.crossed = Some(destination),
            }
        }
    }

    /// Rings keep order, and take a moment.
    fn ring(&mut self, now: Duration, last: Option<Duration>) -> Duration {
        let at = now + Duration::from_micros(self.rng.random_range(0..=RING_DELAY_US));
        last.map_or(at, |last| last.max(at))
    }

    fn bind(&mut self, now: Duration, endpoint: EndpointId, local: SocketAddr) {
        let taken = self.sockets.contains_key(&local.port())
            || self.rng.random_range(0..1_000) < self.bind_failures_permille;
        if !taken {
            self.sockets.insert(local.port(), endpoint);
            self.ports.insert(endpoint, local.port());
        }
        self.worker.handle_bound(instant(now), endpoint, !taken);
    }
}

pub(crate) fn instant(now: Duration) -> Instant {
    Instant::START + now
}
