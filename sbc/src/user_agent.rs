//! The user agent core: everything between packets on one side and sessions on the other.
//!
//! It checks the source of a packet before looking into it, runs transactions and dialogs, registers phones,
//! admits calls from trunks, makes and answers offers. Its owner sees sessions, never messages.
//!
//! Owner thread: the signalling core. Events and packets are queued, never handed to a callback, so that the owner
//! may call any method between two events.

mod admission;
mod alias;
mod audio_codec;
mod authorization;
mod banning;
mod calling;
mod compose;
mod config;
mod counters;
mod deflect;
mod early;
mod event;
mod expiry;
mod flows;
mod identifying;
mod in_dialog;
mod info;
mod keep_alive;
mod late;
mod naming;
mod notices;
mod owner;
mod passing;
mod probing;
mod profile;
mod provisional;
mod redirect;
mod refer;
mod registering;
mod registration;
mod reliable;
mod reoffer;
mod replaces;
mod route;
mod ruled;
mod serving;
mod session;
mod sips;
mod through;
mod update;
mod watching;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use tandem_time::Instant;

pub use config::{
    DigestAlgorithm, Limits, ListenAddress, Outbound, PhoneConfig, RegisterConfig, RouteConfig, RouteSet,
    Target, TrunkConfig, TrunkCredentials, UserAgentConfig, UserCredentials, instance_of,
};
pub use counters::Counters;
pub use deflect::ReferTarget;
pub use event::{
    AudioCodec, DtlsAssociation, DtlsRole, Ender, Event, Fingerprint, IceCredentials, Identity, Invite,
    InviteTarget, LocalMedia, MediaDirection, MediaSecurity, NegotiatedAudio, OpusFormat, PacketTimes,
    Reason, ReasonProtocol, RedirectReason, Redirection, ReferId, Reoffer, SessionEnd, SessionError,
    SessionId, Source, SrtpKey, SrtpKeys, SrtpSuite, Usage,
};

pub use crate::dns::{Answer, Domain, LookupFailed, NameLimits, Question, Record, RecordKind};
pub use crate::health::{DestinationHealth, HealthConfig};
pub use probing::News;
pub use profile::{
    DiversionHeader, Dtmf, EarlyMedia, ExtendedReports, IdentityHeader, Keying, PreferredRefresher, Profile,
    ReferPolicy, ReliableProvisional, Repacketise, SessionIdPolicy, SessionTimerPolicy, SessionTimers,
    SrtpPolicy,
};
pub use redirect::RedirectPolicy;
pub use registering::RegistrationState;

pub use crate::source::IpPrefix;
pub use crate::transaction::Timers;
pub use crate::transport::{FlowId, FlowOrder, Packet, Transmit, Transport, TransportFailure};
pub use crate::uri::Scheme;

use crate::auth::Authenticator;
pub use crate::ban::{Ban, BanReason, Protection, SourceChange, Tally};
use crate::ban::{Bans, Offence};
use crate::dns::Names;
use crate::health::{Destinations, ProbeId};
use crate::message::{Builder, Essentials, HeaderIndex, Message};
use crate::registrar::{Reachability, Registrar};
use crate::source::{AllowList, SourceClass};
use crate::transaction::{MAGIC_COOKIE, ResponseMatch, Transactions};
use crate::transport::Hop;
use crate::trunk::Admissions;
pub use crate::trunk::{Limit, TrunkUse};
use admission::{Overload, Shed};
use alias::Aliases;
use registering::{RegistrantId, Registrants};
use session::{Peer, Sessions};

/// Requests longer than this go over TCP, the way being not known to carry more (RFC 3261 §18.1.1).
const DATAGRAM_REQUEST_MAX: usize = 1_300;

/// How peers are spoken to that are in the configuration no more.
static USUAL_PROFILE: LazyLock<Profile> = LazyLock::new(Profile::default);

/// The stream of random numbers that Session-IDs are made of.
const IDENTIFIERS: u64 = 7_989;

/// What a client that came at a bad time is asked to wait.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// A SIP user agent, client and server, with its registrar.
#[derive(Debug)]
pub struct UserAgent {
    config: Arc<UserAgentConfig>,
    allow_list: AllowList,
    /// As in the configuration.
    trunks: Vec<Peer>,
    passwords: BTreeMap<String, String>,
    rng: ChaCha8Rng,
    /// What sessions are called from end to end.
    identifiers: ChaCha8Rng,
    transactions: Transactions<Role>,
    sessions: Sessions,
    registrar: Registrar,
    aliases: Aliases,
    authenticator: Authenticator,
    admissions: Admissions,
    destinations: Destinations,
    names: Names,
    registrants: Registrants,
    whereabouts: naming::Whereabouts,
    /// Addresses that DNS named and no trunk lists.
    unlisted: naming::Unlisted,
    /// Whether what is asked of names and destinations is of an older configuration.
    is_reconfigured: bool,
    news: VecDeque<News>,
    overload: Overload,
    shed_calls: Shed,
    given_up: late::GivenUp,
    keep_alives: keep_alive::KeepAlives,
    bans: Bans,
    events: VecDeque<Event>,
    /// What no transaction sends: ACKs of 2xx, and responses without state.
    transmits: VecDeque<Transmit>,
    /// What is to become of connections.
    flow_orders: VecDeque<FlowOrder>,
    counters: Counters,
}

/// What a transaction is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// An INVITE of ours.
    Fork(SessionId),
    /// A BYE of ours.
    Farewell(SessionId),
    /// A re-INVITE or UPDATE of ours.
    Change(SessionId),
    /// A re-INVITE with what the other leg described.
    Passed(SessionId),
    /// A re-INVITE or UPDATE of the peer's, passed on to the other leg.
    Asking(SessionId),
    /// A PRACK of ours.
    Prack(SessionId),
    /// An INFO of ours, with a digit.
    Key(SessionId),
    /// A REFER of ours.
    Refer(SessionId),
    /// A NOTIFY of ours, on what became of a REFER.
    Notify(SessionId, ReferId),
    /// An OPTIONS of ours in a dialog, to see whether the peer is there.
    Watch(SessionId),
    /// A REGISTER of ours.
    Register(RegistrantId),
    /// An OPTIONS of ours, to a destination.
    Probe(ProbeId),
    /// An INVITE that made a session.
    Incoming(SessionId),
    /// Nobody waits for what comes of it.
    Unattended,
}

impl Role {
    /// The session it is of.
    const fn session(self) -> Option<SessionId> {
        match self {
            Self::Fork(id)
            | Self::Farewell(id)
            | Self::Change(id)
            | Self::Passed(id)
            | Self::Asking(id)
            | Self::Prack(id)
            | Self::Key(id)
            | Self::Refer(id)
            | Self::Notify(id, _)
            | Self::Watch(id)
            | Self::Incoming(id) => Some(id),
            Self::Register(_) | Self::Probe(_) | Self::Unattended => None,
        }
    }
}

/// A message, how it came, and from whom.
#[derive(Clone, Copy)]
struct Received<'a> {
    packet: &'a Packet<'a>,
    message: &'a Message<'a>,
    essentials: &'a Essentials<'a>,
    peer: &'a Peer,
    /// The message with the Request-URI, From and To as the peer's rules have them: who calls, and whom. Responses
    /// and dialogs go by `message`, in which From and To are what the peer sent (§8.2.6.2).
    parties: &'a Message<'a>,
}

impl UserAgent {
    /// A user agent without sessions. `rng` gives tags, branches, Call-IDs and nonces.
    #[must_use]
    pub fn new(config: Arc<UserAgentConfig>, mut rng: ChaCha8Rng) -> Self {
        let authenticator = Authenticator::new(&mut rng);
        // Of its own, so that it makes no difference to anything else whether sessions are called anything.
        let mut identifiers = rng.clone();
        identifiers.set_stream(IDENTIFIERS);
        let mut agent = Self {
            allow_list: allow_list(&config),
            trunks: trunks(&config),
            passwords: config.phones.passwords(),
            transactions: Transactions::new([rng.next_u64(), rng.next_u64()]),
            config,
            rng,
            identifiers,
            sessions: Sessions::default(),
            registrar: Registrar::default(),
            aliases: Aliases::default(),
            authenticator,
            destinations: Destinations::default(),
            names: Names::default(),
            registrants: Registrants::default(),
            whereabouts: naming::Whereabouts::new(),
            unlisted: naming::Unlisted::new(),
            is_reconfigured: false,
            news: VecDeque::new(),
            admissions: Admissions::default(),
            overload: Overload::default(),
            shed_calls: Shed::default(),
            given_up: late::GivenUp::default(),
            keep_alives: keep_alive::KeepAlives::default(),
            bans: Bans::default(),
            events: VecDeque::new(),
            transmits: VecDeque::new(),
            flow_orders: VecDeque::new(),
            counters: Counters::default(),
        };
        agent.is_reconfigured = agent.wants_renewal();
        agent
    }

    /// Swaps the configuration; sessions under way keep what they began with.
    pub fn reload(&mut self, config: Arc<UserAgentConfig>) {
        self.allow_list = allow_list(&config);
        self.trunks = trunks(&config);
        self.passwords = config.phones.passwords();
        self.config = config;
        self.is_reconfigured = self.wants_renewal();
        let trunks = &self.config.trunks;
        self.admissions.retain(|name| trunks.iter().any(|trunk| trunk.name == name));
        self.pardon_the_exempt();
        let passwords = &self.passwords;
        for change in self.registrar.retain(|user| passwords.contains_key(user)) {
            self.tell_reachability(change);
        }
    }

    /// Takes one datagram, or one message framed from a stream. A packet from an address that is neither a trunk's
    /// nor a phone's is counted, and nothing else.
    pub fn handle_packet(&mut self, now: Instant, packet: Packet<'_>) {
        let Some(class) = self.allow_list.class(packet.source.ip()) else {
            self.counters.packets_refused_by_source += 1;
            return;
        };
        if self.drops_banned(packet.source) {
            return;
        }
        if packet.bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            self.handle_keep_alive(packet.bytes, packet.flow);
            return;
        }
        if self.answers_stun(now, &packet) {
            return;
        }
        let peer = match class {
            SourceClass::Trunk(index) => self.trunks.get(index).cloned().unwrap_or(Peer::Phone),
            SourceClass::Phone => Peer::phone(packet.transport),
        };
        let mut index = HeaderIndex::new();
        match Message::parse(packet.bytes, &mut index) {
            Ok(message) => match self.rewritten(class, &message) {
                Some(rewritten) => self.handle_rewritten(now, &packet, &peer, &rewritten),
                None => self.handle_message(now, &packet, &peer, &message, &message),
            },
            Err(malformed) => {
                self.offend(now, packet.source, Offence::Malformed);
                self.handle_malformed(&packet, &peer, &malformed);
            }
        }
        self.handle_notices(now);
    }

    /// Does what is due by `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.transactions.handle_timeout(now);
        self.handle_notices(now);
        self.bans.handle_timeout(now);
        if std::mem::take(&mut self.is_reconfigured) {
            self.renew_names(now);
            self.renew_registrations(now);
        }
        self.refresh_names(now);
        self.advance_registrations(now);
        self.ask_destinations(now);
        self.send_keep_alives(now);
        while let Some(session) = self.sessions.due(now) {
            self.handle_session_timeout(now, session);
        }
        while let Some(change) = self.registrar.expire(now) {
            self.tell_reachability(change);
        }
    }

    /// When [`UserAgent::handle_timeout`] should be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let deadlines = [
            self.transactions.poll_timeout(),
            self.sessions.poll_timeout(),
            self.registrar.poll_timeout(),
            self.bans.poll_timeout(),
            self.destinations.poll_timeout(),
            self.names.poll_timeout(),
            self.registrants.poll_timeout(),
            self.keep_alives.poll_timeout(),
            self.is_reconfigured.then_some(Instant::START),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// The next packet to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front().or_else(|| self.transactions.poll_transmit())
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The Call-ID of a session that is not yet released.
    #[must_use]
    pub fn call_id(&self, session: SessionId) -> Option<&str> {
        self.sessions.get(session).map(|session| session.call_id.as_str())
    }

    /// What is in use; all zero at rest.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage {
            sessions: self.sessions.len(),
            transactions: self.transactions.len(),
            admissions: self.admissions.taken(),
        }
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let layer = self.transactions.counters();
        let mut counters = self.counters;
        counters.retransmissions_sent += layer.retransmissions_sent;
        counters.retransmissions_received += layer.retransmissions_received;
        counters.timeouts += layer.timeouts;
        counters.transport_errors += layer.transport_errors;
        let lookups = self.names.lookups();
        counters.dns_lookups += lookups.asked;
        counters.dns_failures += lookups.failed;
        counters.dns_stale_answers += lookups.stale;
        counters
    }

    fn handle_message(
        &mut self,
        now: Instant,
        packet: &Packet<'_>,
        peer: &Peer,
        message: &Message<'_>,
        parties: &Message<'_>,
    ) {
        let Ok(essentials) = message.essentials() else {
            self.counters.parse_errors += 1;
            self.offend(now, packet.source, Offence::Malformed);
            return self.refuse_malformed(packet, peer, message, 400);
        };
        let received = Received { packet, message, essentials: &essentials, peer, parties };
        match message.status() {
            Some(status) => {
                self.handle_response(now, received, status);
                // What has ended with it is not needed any more.
                self.transactions.handle_timeout(now);
            }
            None => self.handle_request(now, received),
        }
    }

    /// Sends a response that is made again when its request comes again.
    fn answer_without_state(&mut self, hop: Hop, status: u16, builder: Builder) {
        self.counters.count_answer(status);
        let bytes = self.ruled_response(hop, builder.finish());
        self.transmits.push_back(hop.carry(bytes));
    }

    fn handle_response(&mut self, now: Instant, received: Received<'_>, status: u16) {
        self.counters.count_response(status);
        // §8.1.3.3: a response with a second Via went astray.
        let is_ours = received.message.vias().count() == 1;
        let found = if is_ours {
            self.transactions.response(now, received.message, received.essentials, status)
        } else {
            ResponseMatch::Stray
        };
        if let ResponseMatch::Deliver { user, .. } = found {
            self.hear_response(user, received);
        }
        match found {
            ResponseMatch::Stray if is_ours && self.end_late_answer(now, received, status) => {}
            ResponseMatch::Stray => self.counters.stray_responses += 1,
            ResponseMatch::Absorbed => {}
            ResponseMatch::Deliver { transaction, user, .. }
                if matches!(status, 401 | 407) && self.answer_challenge(now, transaction, user, received) => {
            }
            ResponseMatch::Deliver { transaction, user, .. }
                if status == 422 && self.lengthen(now, transaction, user, received) => {}
            ResponseMatch::Deliver { transaction, user: Role::Fork(session), repeated } => {
                self.handle_fork_response(now, session, transaction, received, status, repeated);
            }
            ResponseMatch::Deliver { transaction, user: Role::Change(session), repeated } => {
                self.handle_change_response(now, session, transaction, received, status, repeated);
            }
            ResponseMatch::Deliver { transaction, user: Role::Passed(session), repeated } => {
                self.handle_passed_response(now, session, transaction, received, status, repeated);
            }
            ResponseMatch::Deliver { user: Role::Farewell(session), .. } if status >= 200 => {
                self.end_farewell(session);
            }
            ResponseMatch::Deliver { user: Role::Refer(session), .. } if status >= 200 => {
                self.handle_refer_answered(now, session, status, Some(received.message));
            }
            ResponseMatch::Deliver { user: Role::Key(session), .. } if status >= 200 => {
                self.handle_key_answered(now, session);
            }
            ResponseMatch::Deliver { user: Role::Notify(session, refer), .. } if status >= 200 => {
                self.handle_notified(now, session, refer, status);
            }
            ResponseMatch::Deliver { user: Role::Watch(session), .. } if status >= 200 => {
                self.handle_watched(now, session, status);
            }
            ResponseMatch::Deliver { transaction, user: Role::Register(id), .. } if status >= 200 => {
                self.handle_registered(now, id, transaction, received, status);
            }
            ResponseMatch::Deliver { user: Role::Probe(probe), .. } if status >= 200 => {
                self.handle_probed(now, probe, Some(status));
            }
            ResponseMatch::Deliver { user: Role::Prack(session), .. } if status >= 200 => {
                self.handle_prack_response(now, session, received, status);
            }
            ResponseMatch::Deliver { .. } => {}
        }
    }

    /// Whether the configuration asks for anything by itself, or did.
    fn wants_renewal(&self) -> bool {
        self.wants_names() || self.wants_probes() || self.wants_registrations()
    }

    fn end_farewell(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.farewells = session.farewells.saturating_sub(1);
        }
        self.settle(id);
    }

    /// Files a session's next deadline, and lets go of it when nothing is left. Every handler of a session ends
    /// with this.
    fn settle(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.settle(id) {
            if let Some(admission) = &session.admission {
                self.admissions.release(admission);
            }
            self.events.push_back(Event::Released { session: id });
        }
    }

    fn tell_reachability(&mut self, change: Reachability) {
        let Reachability { user, reachable } = change;
        self.events.push_back(Event::Registration { user, reachable });
    }

    fn tell_ended(
        &mut self,
        now: Instant,
        session: SessionId,
        by: Ender,
        status: u16,
        reason: impl Into<String>,
    ) {
        self.part_from_other_leg(now, session);
        if let Some(session_id) = self.session_id(session) {
            self.events.push_back(Event::Named { session, session_id });
        }
        let end = SessionEnd { by, status, reason: reason.into() };
        self.events.push_back(Event::Ended { session, end });
    }

    fn branch(&mut self) -> String {
        format!("{MAGIC_COOKIE}{:016x}", self.rng.next_u64())
    }

    fn tag(&mut self) -> String {
        format!("{:016x}", self.rng.next_u64())
    }

    /// Our address for a transport, of the family of the one it speaks to.
    fn local_address(&self, transport: Transport, remote: SocketAddr) -> Option<SocketAddr> {
        let fitting = |listen: &&ListenAddress| {
            listen.transport == transport && listen.address.is_ipv4() == remote.is_ipv4()
        };
        self.config.listen.iter().find(fitting).map(|listen| listen.address)
    }

    /// How a peer is spoken to. A trunk that left the configuration gets the usual profile.
    fn profile(&self, peer: &Peer) -> &Profile {
        match peer {
            Peer::Phone => &self.config.phones.profile,
            Peer::Browser => &self.config.phones.browsers,
            Peer::Trunk(name) => self.trunk(name).map_or(&USUAL_PROFILE, |trunk| &trunk.profile),
        }
    }

    /// How long a peer's transactions take, and what is like them.
    fn timers(&self, peer: &Peer) -> Timers {
        self.profile(peer).timers.unwrap_or(self.config.timers)
    }

    /// The same of a session's peer.
    fn timers_for(&self, id: SessionId) -> Timers {
        self.profile_for(id).timers.unwrap_or(self.config.timers)
    }

    fn peer_of(&self, id: SessionId) -> Peer {
        self.sessions.get(id).map_or(Peer::Phone, |session| session.peer.clone())
    }

    /// How a session's peer is spoken to.
    fn profile_for(&self, id: SessionId) -> &Profile {
        self.sessions.get(id).map_or(&USUAL_PROFILE, |session| self.profile(&session.peer))
    }

    /// What stands in Server and User-Agent for a peer; empty for one that is not told.
    fn product(&self, peer: &Peer) -> &str {
        if self.profile(peer).product_header { &self.config.product } else { "" }
    }

    fn trunk(&self, name: &str) -> Option<&TrunkConfig> {
        self.config.trunks.iter().find(|trunk| trunk.name == name)
    }
}

fn allow_list(config: &UserAgentConfig) -> AllowList {
    let trunks = config.trunks.iter().enumerate().flat_map(|(index, trunk)| {
        trunk.sources.iter().map(move |prefix| (*prefix, SourceClass::Trunk(index)))
    });
    let phones = config.phones.sources.iter().map(|prefix| (*prefix, SourceClass::Phone));
    AllowList::new(trunks.chain(phones))
}

fn trunks(config: &UserAgentConfig) -> Vec<Peer> {
    config.trunks.iter().map(|trunk| Peer::Trunk(trunk.name.as_str().into())).collect()
}
