//! The loop: one queue of arrivals and actions ordered by time and sequence, the machines' own deadlines, and the
//! observations that the checkers judge.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tandem_control_api::CallRecord;
use tandem_phone::{CallKey, Event, Habit, Law, Manner, Output, Phone, Report};
use tandem_sbc::user_agent::{FlowId, TransportFailure};
use tandem_switch::Ledger;

use crate::configuration::REGISTRAR;
use crate::connection::{Connection, End};
use crate::gossip;
use crate::network::Network;
use crate::node::{self, Making, Node};
use crate::recording::Recorded;
use crate::rogue::{self, Rogue, Sent};
use crate::sabotage::Sabotage;
use crate::scenario::{CallerPlan, HEALS_AT, Placer, SETTLES_WITHIN, STRANGER, Scenario, StrangerPlan};
use crate::tap::{Kind, Seen, Way};
use crate::trace::Trace;
use crate::watched::Said;

mod parties;
mod streams;

use self::parties::Party;

/// A machine that is due so often in a row without time going on is in a loop.
const MAX_STEPS_AT_ONE_TIME: u32 = 20_000;

/// What was observed in a run.
#[derive(Debug)]
pub struct Observed {
    /// What was to happen.
    pub scenario: Scenario,
    /// Each SIP message at the node's edge, in order.
    pub sip: Vec<Seen>,
    /// What switch and contact centre said to each other.
    pub control: Vec<(Duration, Said)>,
    /// The records, with the time they were made.
    pub records: Vec<(Duration, CallRecord)>,
    /// What each party told of each of its calls that ended.
    pub reports: Vec<PartyReport>,
    /// Packets the node sent to strangers.
    pub packets_to_strangers: u32,
    /// What was recorded.
    pub recordings: Vec<Recorded>,
    /// What was sent as RTP, by where to: when, and whether it is what somebody else sent.
    pub rtp_to: BTreeMap<SocketAddr, Vec<(Duration, bool)>>,
    /// The node's ledger at the end.
    pub ledger: Ledger,
    /// Media endpoints at the end.
    pub endpoints: usize,
    /// Calls in the contact centre at the end.
    pub calls_in_centre: usize,
    /// Agents who are in the middle of something at the end.
    pub busy_agents: Vec<String>,
    /// A queue where somebody waited while an agent was free, and when.
    pub idle_agent: Option<(Duration, String)>,
    /// How often the queues were looked at.
    pub queues_looked_at: u64,
    /// When the node came to rest for good, if it did.
    pub settled_at: Option<Duration>,
    /// A machine that wanted to be woken without end.
    pub stuck: Option<String>,
    /// SIP messages of the node's that a party could not read.
    pub unreadable: u64,
}

/// What a party told of a call.
#[derive(Debug)]
pub struct PartyReport {
    /// The party: `carrier`, `1001`, …
    pub party: String,
    /// Where it is.
    pub host: IpAddr,
    /// As a caller: its place in [`Scenario::callers`].
    pub caller: Option<usize>,
    /// What it told.
    pub report: Report,
}

impl PartyReport {
    /// What the caller had planned.
    #[must_use]
    pub fn plan<'a>(&self, run: &'a Observed) -> Option<&'a CallerPlan> {
        run.scenario.callers.get(self.caller?)
    }

    /// How the party behaved in this call. Everybody's voice is their own.
    #[must_use]
    pub fn manner<'a>(&self, run: &'a Observed) -> Option<&'a Manner> {
        if let Some(plan) = self.plan(run) {
            return Some(&plan.manner);
        }
        let outside = run.scenario.outside_agents.iter().map(|agent| &agent.manner);
        let outside = outside.chain(&run.scenario.subscriber);
        let inside = run.scenario.phones.iter().map(|phone| &phone.manner);
        outside.chain(inside).find(|manner| manner.hz == self.report.hz)
    }

    /// Whether its RTP came from where it must not be believed.
    #[must_use]
    pub fn is_unbelievable(&self, run: &Observed) -> bool {
        let elsewhere = |habit: &Habit| matches!(habit, Habit::SendsFrom(_));
        self.manner(run).is_some_and(|manner| manner.habits.iter().any(elsewhere))
    }
}

enum Happening {
    Packet { source: SocketAddr, destination: SocketAddr, bytes: Vec<u8> },
    Register(usize),
    Unregister(usize),
    Call(usize),
    StrangerSip(usize),
    StrangerRtp { plan: usize, packet: u16 },
    RogueBegins(usize),
    Piece { party: usize, flow: FlowId, end: End, bytes: Vec<u8> },
    Breaks(usize),
    Connects(usize),
    Refused(TransportFailure),
    RogueSends { source: SocketAddr, bytes: Vec<u8> },
    Reload,
    Drain,
    EverybodyHangsUp,
}

pub(crate) struct World {
    now: Duration,
    queue: BTreeMap<(Duration, u64), Happening>,
    sequence: u64,
    network: Network,
    node: Node,
    parties: Vec<Party>,
    rogues: Vec<Rogue>,
    connections: BTreeMap<usize, Connection>,
    next_flow: u64,
    by_host: BTreeMap<IpAddr, usize>,
    trace: Trace,
    seen: Observed,
}

impl World {
    pub(crate) fn new(scenario: Scenario, keep_trace: bool, sabotage: Option<Sabotage>) -> Self {
        let rng = |stream: u64| {
            let mut rng = ChaCha8Rng::seed_from_u64(scenario.seed);
            rng.set_stream(stream);
            rng
        };
        let node = Node::new(scenario.seed, &scenario.knobs, &scenario.agents(), sabotage);
        let network = Network::new(rng(2), &scenario, HEALS_AT);
        let mut parties = vec![parties::carrier(&scenario, rng(100))];
        parties.extend(
            (101..).zip(&scenario.phones).map(|(stream, plan)| parties::softphone(plan, rng(stream))),
        );
        parties.extend(parties::proxies(&scenario, [rng(98), rng(99)]));
        let by_host = (0..).zip(&parties).map(|(n, party)| (party.phone.config().address.ip(), n)).collect();
        let rogues =
            scenario.rogues.iter().enumerate().map(|(n, plan)| Rogue::new(n, plan.misdeed)).collect();
        let mut world = Self {
            now: Duration::ZERO,
            queue: BTreeMap::new(),
            sequence: 0,
            network,
            node,
            parties,
            rogues,
            connections: BTreeMap::new(),
            next_flow: 1,
            by_host,
            trace: Trace::new(keep_trace),
            seen: Observed {
                scenario,
                sip: Vec::new(),
                control: Vec::new(),
                records: Vec::new(),
                reports: Vec::new(),
                packets_to_strangers: 0,
                recordings: Vec::new(),
                rtp_to: BTreeMap::new(),
                ledger: Ledger::default(),
                endpoints: 0,
                calls_in_centre: 0,
                busy_agents: Vec::new(),
                idle_agent: None,
                queues_looked_at: 0,
                settled_at: None,
                stuck: None,
                unreadable: 0,
            },
        };
        world.plan();
        world
    }

    fn plan(&mut self) {
        let scenario = self.seen.scenario.clone();
        for (n, plan) in scenario.phones.iter().enumerate() {
            self.at(Duration::ZERO, Happening::Connects(n));
            self.at(plan.registers_at, Happening::Register(n));
            if let Some((from, gap)) = plan.breaks {
                self.at(from, Happening::Breaks(n));
                self.at(from + gap, Happening::Connects(n));
                if plan.leaves_at.is_none_or(|leaves_at| leaves_at > from + gap) {
                    self.at(from + gap, Happening::Register(n));
                }
            }
            if let Some(leaves_at) = plan.leaves_at {
                self.at(leaves_at, Happening::Unregister(n));
            }
        }
        for (n, plan) in scenario.callers.iter().enumerate() {
            self.at(plan.at, Happening::Call(n));
        }
        for (n, plan) in scenario.strangers.iter().enumerate() {
            match plan {
                StrangerPlan::Sip { at, .. } => self.at(*at, Happening::StrangerSip(n)),
                StrangerPlan::Rtp { at, .. } => self.at(*at, Happening::StrangerRtp { plan: n, packet: 0 }),
            }
        }
        for (n, plan) in scenario.rogues.iter().enumerate() {
            self.at(plan.at, Happening::RogueBegins(n));
        }
        if let Some(at) = scenario.knobs.reloads_at {
            self.at(at, Happening::Reload);
        }
        if let Some(at) = scenario.knobs.drains_at {
            self.at(at, Happening::Drain);
        }
        self.at(HEALS_AT, Happening::EverybodyHangsUp);
    }

    fn at(&mut self, at: Duration, happening: Happening) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), happening);
    }

    /// Runs to the end, and tells what was observed.
    pub(crate) fn run(mut self) -> (Observed, Trace) {
        let end = HEALS_AT + SETTLES_WITHIN;
        let mut steps_at_once = 0;
        loop {
            let next_arrival = self.queue.first_key_value().map(|((at, _), _)| *at);
            let next_node = self.node.poll_timeout();
            let next_party = self.parties.iter().filter_map(|party| party.due).min();
            let next = [next_arrival, next_node, next_party].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            steps_at_once = if next > self.now { 0 } else { steps_at_once + 1 };
            if steps_at_once > MAX_STEPS_AT_ONE_TIME {
                let due = format!("node due {next_node:?}, parties due {next_party:?}");
                self.seen.stuck = Some(format!("time stands still at {:?}: {due}", self.now));
                break;
            }
            self.now = self.now.max(next);
            if next_arrival == Some(next) {
                if let Some((_, happening)) = self.queue.pop_first() {
                    self.happen(happening);
                }
            } else if next_node == Some(next) {
                self.node.handle_timeout(self.now);
                self.drain_node();
            } else {
                self.wake_parties();
            }
            if self.is_at_rest() {
                self.seen.settled_at.get_or_insert(self.now);
                if self.now > HEALS_AT + Duration::from_secs(5) && self.queue.is_empty() {
                    break;
                }
            } else {
                self.seen.settled_at = None;
            }
        }
        self.seen.recordings = self.node.take_recordings();
        self.seen.ledger = self.node.ledger();
        self.seen.endpoints = self.node.endpoints();
        self.seen.calls_in_centre = self.node.calls_in_centre();
        self.seen.busy_agents = self.node.busy_agents();
        self.seen.unreadable = self.parties.iter().map(|party| party.phone.unreadable()).sum();
        (self.seen, self.trace)
    }

    /// Looked at only when it could matter: once everybody has hung up.
    fn is_at_rest(&self) -> bool {
        self.now >= HEALS_AT
            && self.node.ledger() == Ledger::default()
            && self.node.endpoints() == 0
            && self.node.calls_in_centre() == 0
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Packet { source, destination, bytes } => self.arrive(source, destination, &bytes),
            Happening::Register(n) => self.act(n + 1, |phone, now| phone.register(now)),
            Happening::Unregister(n) => self.act(n + 1, |phone, now| phone.unregister(now)),
            Happening::Call(n) => self.call(n),
            Happening::StrangerSip(n) => {
                if let Some(StrangerPlan::Sip { source, bytes, .. }) = self.seen.scenario.strangers.get(n) {
                    let (source, bytes) = (*source, bytes.clone());
                    self.arrive(source, node::SIP, &bytes);
                }
            }
            Happening::StrangerRtp { plan, packet } => self.stranger_rtp(plan, packet),
            Happening::RogueBegins(n) => {
                let sent = self.rogues.get_mut(n).map(Rogue::begin);
                self.rogue_sends(sent);
            }
            Happening::Piece { party, flow, end, bytes } => self.piece_arrives(party, flow, end, &bytes),
            Happening::Breaks(n) => self.connection_breaks(n),
            Happening::Connects(n) => self.connects(n),
            Happening::Refused(failure) => {
                self.node.handle_stream_failure(self.now, failure);
                self.drain_node();
            }
            Happening::RogueSends { source, bytes } => self.send(source, node::SIP, bytes),
            Happening::Reload => {
                self.trace.line(self.now, format_args!("the node reads its configuration again"));
                let scenario = &self.seen.scenario;
                self.node.reload(self.now, &scenario.knobs, &scenario.agents());
                self.drain_node();
            }
            Happening::Drain => {
                self.trace.line(self.now, format_args!("the node takes no new calls"));
                self.node.refuse_new_calls();
            }
            Happening::EverybodyHangsUp => {
                self.trace.line(self.now, format_args!("the network heals, everybody hangs up and goes"));
                for n in 0..self.parties.len() {
                    if (1..=self.seen.scenario.phones.len()).contains(&n) {
                        self.act(n, |phone, now| phone.unregister(now));
                    }
                    self.act(n, |phone, now| {
                        let live: Vec<CallKey> = phone.live_calls().collect();
                        live.into_iter().for_each(|call| phone.hang_up(now, call));
                    });
                }
            }
        }
    }

    fn call(&mut self, n: usize) {
        let Some(plan) = self.seen.scenario.callers.get(n).cloned() else { return };
        let party = match plan.placer {
            Placer::Carrier => 0,
            Placer::Phone(place) => place + 1,
        };
        self.trace.line(
            self.now,
            format_args!(
                "{} calls {} ({:?}, {} Hz, {:?})",
                plan.from,
                plan.goal.number(),
                plan.goal,
                plan.manner.hz,
                plan.manner.habits
            ),
        );
        let now = self.now;
        if let Some(party) = self.parties.get_mut(party)
            && let Some(call) = party.phone.call(now, &plan.from, &plan.goal.number(), plan.manner)
        {
            party.callers.insert(call, n);
        }
        self.drain_party(party);
    }

    fn rogue_sends(&mut self, sent: Option<Vec<Sent>>) {
        for Sent { after, source, bytes } in sent.into_iter().flatten() {
            self.at(self.now + after, Happening::RogueSends { source, bytes });
        }
    }

    /// A message of the node's for the rogue whose call it is of.
    fn rogue_hears(&mut self, destination: SocketAddr, bytes: &[u8]) {
        let seen = Seen::read(self.now, Way::Out, destination, bytes);
        let rogue =
            seen.and_then(|seen| Rogue::number_of(&seen.call_id)).and_then(|n| self.rogues.get_mut(n));
        let sent = rogue.map(|rogue| rogue.handle(self.now, destination, bytes));
        self.rogue_sends(sent);
    }

    /// Half a second of a stranger's voice, straight at the node's door.
    fn stranger_rtp(&mut self, plan: usize, packet: u16) {
        let Some(StrangerPlan::Rtp { source, port, hz, .. }) = self.seen.scenario.strangers.get(plan) else {
            return;
        };
        let (source, port, hz) = (*source, *port, *hz);
        let mut bytes = vec![0x80, 0];
        bytes.extend(packet.to_be_bytes());
        bytes.extend((u32::from(packet) * 160).to_be_bytes());
        bytes.extend(0xdead_beef_u32.to_be_bytes());
        bytes.extend((0..160_u32).map(|n| {
            let turns = f64::from(u32::from(packet) * 160 + n) * f64::from(hz) / 8_000.0;
            Law::Mu.encode(((turns * std::f64::consts::TAU).sin() * 7_000.0) as i16)
        }));
        self.arrive(source, SocketAddr::new(node::ADDRESS, port), &bytes);
        if packet < 25 {
            let next = Happening::StrangerRtp { plan, packet: packet + 1 };
            self.at(self.now + Duration::from_millis(20), next);
        }
    }

    fn arrive(&mut self, source: SocketAddr, destination: SocketAddr, bytes: &[u8]) {
        let mut mangled = bytes.to_vec();
        if destination.ip() == node::ADDRESS {
            self.network.mangle(self.now, self.seen.scenario.mangled_permille, &mut mangled);
        }
        let bytes = mangled.as_slice();
        if destination == node::SIP {
            self.tap(Way::In, source, bytes);
            self.node.handle_sip(self.now, source, bytes);
            self.drain_node();
        } else if destination.ip() == node::ADDRESS {
            self.trace.packet(self.now, bytes);
            self.node.handle_media(self.now, destination.port(), source, bytes);
            self.drain_node();
        } else if destination == REGISTRAR {
            let plan = self.seen.scenario.registrar.as_ref();
            let register = std::str::from_utf8(bytes).ok().filter(|text| text.starts_with("REGISTER "));
            if let Some(answer) = plan.zip(register).and_then(|(plan, text)| plan.answer(self.now, text)) {
                self.send(REGISTRAR, source, answer);
            }
        } else if rogue::is_rogue(destination) {
            self.rogue_hears(destination, bytes);
        } else if let Some(n) = self.by_host.get(&destination.ip()).copied() {
            if self.parties.get(n).is_some_and(|party| party.phone.config().address == destination) {
                self.act(n, |phone, now| phone.handle_sip(now, source, bytes));
            } else {
                self.trace.packet(self.now, bytes);
                self.act(n, |phone, now| phone.handle_rtp(now, destination, source, bytes));
            }
        }
    }

    fn wake_parties(&mut self) {
        for n in 0..self.parties.len() {
            if self.parties.get(n).and_then(|party| party.due).is_some_and(|due| due <= self.now) {
                self.act(n, Phone::handle_timeout);
            }
        }
    }

    fn act(&mut self, n: usize, act: impl FnOnce(&mut Phone, Duration)) {
        let Some(party) = self.parties.get_mut(n) else { return };
        act(&mut party.phone, self.now);
        self.drain_party(n);
    }

    fn drain_party(&mut self, n: usize) {
        let Some(party) = self.parties.get_mut(n) else { return };
        let address = party.phone.config().address;
        let mut packets = Vec::new();
        while let Some(output) = party.phone.poll_output() {
            match output {
                Output::Sip { destination, bytes } => {
                    packets.push((address, destination, gossip::talkative(&party.mark, bytes)));
                }
                Output::Rtp { local, destination, bytes } => packets.push((local, destination, bytes)),
                Output::OpenMedia { .. } | Output::CloseMedia { .. } => {}
                Output::Event(event) => {
                    let name = &party.name;
                    match &event {
                        Event::Ended { call, report } => self.trace.line(
                            self.now,
                            format_args!(
                                "{name} {call:?} ended by {:?}, status {}",
                                report.by, report.status
                            ),
                        ),
                        other => self.trace.line(self.now, format_args!("{name} {other:?}")),
                    }
                    if let Event::Ended { call, report } = event {
                        self.seen.reports.push(PartyReport {
                            party: name.clone(),
                            host: address.ip(),
                            caller: party.callers.get(&call).copied(),
                            report: *report,
                        });
                    }
                }
            }
        }
        party.due = party.phone.poll_timeout();
        let is_connected = self.is_on_connection(n);
        for (source, destination, bytes) in packets {
            if is_connected && source == address {
                self.stream(n, End::Node, &bytes);
            } else {
                self.send(source, destination, bytes);
            }
        }
    }

    fn drain_node(&mut self) {
        for departure in self.node.take_departures() {
            if departure.destination.ip() == STRANGER {
                self.seen.packets_to_strangers += 1;
            }
            if departure.making == Making::Sip {
                self.tap(Way::Out, departure.destination, &departure.bytes);
            }
            if departure.making != Making::Sip && departure.source.port().is_multiple_of(2) {
                let is_relayed = departure.making == Making::Relayed;
                self.seen.rtp_to.entry(departure.destination).or_default().push((self.now, is_relayed));
            }
            match departure.stream {
                Some((transport, flow)) => self.depart_by_stream(&departure, transport, flow),
                None => self.send(departure.source, departure.destination, departure.bytes),
            }
        }
        let log = self.node.take_log();
        if !log.is_empty() {
            self.seen.queues_looked_at += 1;
            if self.seen.idle_agent.is_none() {
                self.seen.idle_agent = self.node.idle_agent().map(|queue| (self.now, queue));
            }
        }
        for said in log {
            match &said.1 {
                Said::Event(event) => self.trace.line(said.0, format_args!("    told  {event:?}")),
                Said::Request(request) => self.trace.line(said.0, format_args!("    asks  {request:?}")),
            }
            self.seen.control.push(said);
        }
        for record in self.node.take_records() {
            self.trace.line(self.now, format_args!("    record {} {:?}", record.id, record.end));
            self.seen.records.push((self.now, record));
        }
    }

    fn tap(&mut self, way: Way, peer: SocketAddr, bytes: &[u8]) {
        let Some(seen) = Seen::read(self.now, way, peer, bytes) else { return };
        let arrow = if way == Way::In { "-->" } else { "<--" };
        match &seen.kind {
            Kind::Request { method, user } => self.trace.line(
                self.now,
                format_args!("  {peer} {arrow} {method} {user} cseq {} {}", seen.cseq, seen.call_id),
            ),
            Kind::Response { status } => self.trace.line(
                self.now,
                format_args!("  {peer} {arrow} {status} {} cseq {} {}", seen.method, seen.cseq, seen.call_id),
            ),
        }
        self.seen.sip.push(seen);
    }

    fn send(&mut self, source: SocketAddr, destination: SocketAddr, bytes: Vec<u8>) {
        for at in self.network.arrivals(self.now, source.ip(), destination.ip()) {
            self.at(at, Happening::Packet { source, destination, bytes: bytes.clone() });
        }
    }
}
