//! Registrations of ours with carriers (RFC 3261 §10.2), whose calls then come to us, and the connections that they come
//! on (RFC 5626).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rand::Rng as _;
use tandem_time::Instant;

use super::authorization::{SENT_AGAIN_MAX, answer_header, remember_challenges};
use super::session::Peer;
use super::{News, Received, RegisterConfig, Role, RouteConfig, UserAgent, compose};
use crate::auth::{Asked, Challenge};
use crate::header::Contact;
use crate::lex;
use crate::message::{Builder, HeaderIndex, HeaderName, Message, Method};
use crate::registrant::{Due, EXPIRES_MAX, Grant, REGISTRATIONS_MAX, Registrant, State};
use crate::slab::{Slab, Slot};
use crate::transaction::{Outgoing, Routed, TransactionId};
use crate::transport::Hop;

mod keeping;

/// The most entries of a Service-Route that are followed.
const SERVICE_ROUTE_MAX: usize = 8;

/// New registrations of one node are so far apart at most, so that a carrier is not stormed.
const SPREAD: Duration = Duration::from_millis(20);

/// Names a registration of ours, in the transaction that makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RegistrantId(Slot);

/// How a registration of ours is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationState {
    /// The trunk.
    pub trunk: Arc<str>,
    /// The address of record.
    pub aor: String,
    /// Whether the carrier has it.
    pub is_registered: bool,
    /// Since when.
    pub since: Instant,
    /// The last final status; 0 when there was no answer.
    pub status: u16,
}

/// All registrations of ours.
#[derive(Debug, Default)]
pub(super) struct Registrants {
    slab: Slab<Registrant>,
    /// By trunk and address of record; those that are being given up are not here.
    by_name: BTreeMap<(Arc<str>, String), Slot>,
    leaving: Vec<Slot>,
    due: Option<Instant>,
    /// Whether all are given up for good.
    is_over: bool,
}

impl Registrants {
    pub(super) const fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    fn slots(&self) -> impl Iterator<Item = Slot> {
        self.by_name.values().chain(&self.leaving).copied()
    }

    fn note_due(&mut self) {
        let deadlines = self.slots().filter_map(|slot| self.slab.get(slot)?.deadline());
        self.due = deadlines.min();
    }

    fn forget(&mut self, slot: Slot) -> Option<Registrant> {
        self.leaving.retain(|leaving| *leaving != slot);
        self.slab.remove(slot)
    }

    /// The flow of an outbound registration with a trunk that leads where `hop` does.
    pub(super) fn flow_like(&self, trunk: &str, hop: &Hop) -> Option<Hop> {
        let is_it = |flow: &Hop| {
            (flow.transport, flow.destination) == (hop.transport, hop.destination)
                && (hop.flow.is_none() || hop.flow == flow.flow)
        };
        let of_trunk = self.by_name.iter().filter(|((name, _), _)| **name == *trunk);
        let bound = of_trunk.filter_map(|(_, slot)| self.slab.get(*slot)?.bound());
        bound.filter(|bound| bound.is_outbound).map(|bound| bound.hop).find(is_it)
    }

    /// Where requests to a trunk go first, by its registration (RFC 3608 §5).
    fn service_route(&self, trunk: &str) -> &[String] {
        let mut of_trunk = self.by_name.iter().filter(|((name, _), _)| **name == *trunk);
        let bound = of_trunk.find_map(|(_, slot)| self.slab.get(*slot)?.bound());
        bound.map_or(&[], |bound| &bound.service_route)
    }
}

impl UserAgent {
    /// Every registration of ours with a carrier.
    pub fn registrations(&self, now: Instant) -> impl Iterator<Item = RegistrationState> {
        let registrants =
            self.registrants.by_name.values().filter_map(|slot| self.registrants.slab.get(*slot));
        registrants.map(move |it| shown(it, now))
    }

    /// Registrations that are being given up, and whose registrar has not answered.
    #[must_use]
    pub fn registrations_leaving(&self) -> usize {
        self.registrants.leaving.len()
    }

    /// Gives up all registrations, for good: calls are to go elsewhere.
    pub fn unregister(&mut self, now: Instant) {
        self.registrants.is_over = true;
        self.renew_registrations(now);
    }

    pub(super) fn wants_registrations(&self) -> bool {
        self.registrants.due.is_some() || self.config.trunks.iter().any(|it| !it.registrations.is_empty())
    }

    /// Where requests to a peer go first.
    pub(super) fn service_route(&self, peer: &Peer) -> &[String] {
        match peer {
            Peer::Trunk(name) => self.registrants.service_route(name),
            Peer::Phone | Peer::Browser => &[],
        }
    }

    /// Goes by the configuration: what is new is registered, what is gone is taken away, the rest stays.
    pub(super) fn renew_registrations(&mut self, now: Instant) {
        let mut wanted = BTreeMap::new();
        for (trunk, peer) in self.config.trunks.iter().zip(&self.trunks) {
            let Peer::Trunk(name) = peer else { continue };
            let registrations = trunk.registrations.iter().filter(|_| !self.registrants.is_over);
            wanted.extend(registrations.map(|it| ((Arc::clone(name), it.aor.clone()), Arc::clone(it))));
        }
        let is_unwanted = |(name, slot): (&(Arc<str>, String), &Slot)| {
            let known = self.registrants.slab.get(*slot).map(|known| &known.config);
            (known != wanted.get(name)).then(|| name.clone())
        };
        let unwanted: Vec<_> = self.registrants.by_name.iter().filter_map(is_unwanted).collect();
        for name in unwanted {
            if let Some(slot) = self.registrants.by_name.remove(&name) {
                self.leave(now, slot);
            }
        }
        for (place, (name, config)) in (0..).zip(wanted) {
            let room = self.registrants.by_name.len() < REGISTRATIONS_MAX;
            if room && !self.registrants.by_name.contains_key(&name) {
                let ids = (format!("{:016x}{:016x}", self.rng.next_u64(), self.rng.next_u64()), self.tag());
                let registrant = Registrant::new(now, Arc::clone(&name.0), config, ids, SPREAD * place);
                let slot = self.registrants.slab.insert(registrant);
                self.registrants.by_name.insert(name, slot);
            }
        }
        self.registrants.note_due();
    }

    /// Does what is due of registrations by `now`.
    pub(super) fn advance_registrations(&mut self, now: Instant) {
        if self.registrants.due.is_none_or(|due| due > now) {
            return;
        }
        let slots: Vec<Slot> = self.registrants.slots().collect();
        for slot in slots {
            // What one does may make another of its duties due.
            while let Some(due) = self.registrants.slab.get_mut(slot).and_then(|it| it.due(now)) {
                match due {
                    Due::Register => self.register(now, slot),
                    Due::Ping => self.ping(now, slot),
                    Due::FlowLost => self.close_flow(now, slot),
                    Due::Forget => self.forget(slot),
                }
            }
            self.tell_registration(now, slot);
        }
        self.registrants.note_due();
    }

    fn register(&mut self, now: Instant, slot: Slot) {
        let Some(registrant) = self.registrants.slab.get(slot) else { return };
        let (trunk, config) = (Arc::clone(&registrant.trunk), Arc::clone(&registrant.config));
        let (attempt, expires) = (registrant.attempt, registrant.expires);
        let bound = registrant.bound().map(|bound| bound.hop);
        let hop = bound.or_else(|| {
            let hops = self.registrar_hops(&trunk, &config);
            hops.get(attempt).or_else(|| hops.first()).copied()
        });
        let Some(hop) = hop else {
            if let Some(registrant) = self.registrants.slab.get_mut(slot) {
                registrant.nowhere(now);
            }
            return;
        };
        if let Some(transaction) = self.send_register(now, slot, hop, expires, 0)
            && let Some(registrant) = self.registrants.slab.get_mut(slot)
        {
            registrant.asked(transaction);
        }
    }

    fn registrar_hops(&mut self, trunk: &str, config: &RegisterConfig) -> Vec<Hop> {
        let Some(trunk) = self.trunk(trunk).cloned() else { return Vec::new() };
        let route =
            config.registrar.clone().map(|to| RouteConfig { scheme: config.scheme(), ..RouteConfig::to(to) });
        let route = route.or_else(|| trunk.destinations().into_iter().next());
        let mut hops = route.map_or_else(Vec::new, |route| self.hops_to(&trunk, &route));
        hops.retain(|hop| config.scheme().allows(hop.transport));
        hops
    }

    fn send_register(
        &mut self,
        now: Instant,
        slot: Slot,
        hop: Hop,
        expires: Duration,
        challenges: u8,
    ) -> Option<TransactionId> {
        let branch = self.branch();
        let registrant = self.registrants.slab.get_mut(slot)?;
        registrant.cseq += 1;
        let peer = Peer::Trunk(Arc::clone(&registrant.trunk));
        let registrant = self.registrants.slab.get(slot)?;
        let bytes = self.write_register(registrant, &peer, &hop, &branch, expires);
        let bytes = self.authorised_register(slot, bytes);
        let first = Routed { hop, bytes };
        let user = Role::Register(RegistrantId(slot));
        let outgoing = Outgoing { method: Method::Register, branch: &branch, first, fallback: None, user };
        let transaction = self.send(now, &peer, outgoing);
        self.transactions.set_times_sent_again(transaction, challenges);
        self.counters.registers_sent += 1;
        Some(transaction)
    }

    fn write_register(
        &self,
        registrant: &Registrant,
        peer: &Peer,
        hop: &Hop,
        branch: &str,
        expires: Duration,
    ) -> Vec<u8> {
        let config = &registrant.config;
        let seconds = expires.as_secs();
        let mut contact =
            format!("{};expires={seconds}", compose::contact_of(config.scheme(), &config.contact_user, hop));
        let mut supported = vec!["path"];
        if let Some(outbound) = &config.outbound {
            // RFC 5626 §4.1, §4.2: who we are, and which of our flows this is.
            contact
                .push_str(&format!(";+sip.instance=\"<{}>\";reg-id={}", outbound.instance, outbound.reg_id));
            supported.push("outbound");
        }
        let builder = Builder::request(Method::Register, config.request_uri())
            .header(HeaderName::Via, compose::via(hop, branch))
            .header(HeaderName::MaxForwards, self.profile(peer).max_forwards)
            .header(HeaderName::From, format_args!("<{}>;tag={}", config.aor, registrant.tag))
            .header(HeaderName::To, format_args!("<{}>", config.aor))
            .header(HeaderName::CallId, &registrant.call_id)
            .header(HeaderName::CSeq, format_args!("{} REGISTER", registrant.cseq))
            .header(HeaderName::Contact, contact)
            .header(HeaderName::Expires, seconds)
            .header(HeaderName::Supported, supported.join(", "))
            .header(HeaderName::Allow, compose::ALLOW);
        compose::with_user_agent(builder, self.product(peer)).finish()
    }

    /// A REGISTER with what the registrar wants to see, once it has asked.
    fn authorised_register(&mut self, slot: Slot, bytes: Vec<u8>) -> Vec<u8> {
        let Some(registrant) = self.registrants.slab.get_mut(slot) else { return bytes };
        let Some(credentials) = registrant.config.credentials.clone() else { return bytes };
        let uri = registrant.config.request_uri();
        let who = (credentials.username.as_str(), credentials.password.as_str());
        let rng = &mut self.rng;
        let answer = |challenge: &mut Challenge| {
            let asked = Asked { method: Method::Register.as_str(), uri: &uri };
            (answer_header(challenge.challenger), challenge.answer(rng, who, asked))
        };
        let answers: Vec<_> = registrant.challenges.iter_mut().map(answer).collect();
        let mut index = HeaderIndex::new();
        let Ok(request) = Message::parse(&bytes, &mut index) else { return bytes };
        compose::with_headers(&request, None, &answers).unwrap_or_else(|| bytes.clone())
    }

    /// Takes a final response to a REGISTER of ours.
    pub(super) fn handle_registered(
        &mut self,
        now: Instant,
        id: RegistrantId,
        transaction: TransactionId,
        received: Received<'_>,
        status: u16,
    ) {
        let slot = id.0;
        if !self.registrants.slab.get(slot).is_some_and(|it| it.is_asked_by(transaction)) {
            return;
        }
        let is_leaving = self.registrants.slab.get(slot).is_some_and(Registrant::is_leaving);
        match status {
            401 | 407 if self.register_again(now, slot, transaction, received) => {}
            _ if is_leaving => self.forget(slot),
            423 if self.register_longer(now, slot, transaction, received) => {}
            200..300 => self.take_grant(now, slot, transaction, received),
            _ => {
                let wait = retry_after(received.message);
                self.fail_registration(now, slot, status, wait);
            }
        }
        self.tell_registration(now, slot);
        self.registrants.note_due();
    }

    /// No answer came to a REGISTER of ours, or it could not be sent.
    pub(super) fn handle_register_failure(
        &mut self,
        now: Instant,
        id: RegistrantId,
        transaction: TransactionId,
    ) {
        let slot = id.0;
        let Some(registrant) = self.registrants.slab.get(slot) else { return };
        if !registrant.is_asked_by(transaction) {
            return;
        }
        if registrant.is_leaving() {
            self.forget(slot);
        } else {
            self.fail_registration(now, slot, 0, Duration::ZERO);
            self.tell_registration(now, slot);
        }
        self.registrants.note_due();
    }

    fn fail_registration(&mut self, now: Instant, slot: Slot, status: u16, wait: Duration) {
        let Some(registrant) = self.registrants.slab.get(slot) else { return };
        let (trunk, config) = (Arc::clone(&registrant.trunk), Arc::clone(&registrant.config));
        let others = self.registrar_hops(&trunk, &config).len().saturating_sub(1);
        self.counters.registers_failed += 1;
        if let Some(registrant) = self.registrants.slab.get_mut(slot) {
            registrant.failed(now, status, wait, others, &mut self.rng);
        }
    }

    /// §22.2: the same with credentials, as often as a request is ever challenged.
    fn register_again(
        &mut self,
        now: Instant,
        slot: Slot,
        transaction: TransactionId,
        received: Received<'_>,
    ) -> bool {
        let answered = self.transactions.times_sent_again(transaction);
        let Some((sent, hop)) = self.transactions.sent(transaction) else { return false };
        let Some(registrant) = self.registrants.slab.get_mut(slot) else { return false };
        let Some(credentials) = registrant.config.credentials.clone() else { return false };
        let (known, realm) = (&mut registrant.challenges, credentials.realm.as_deref());
        let is_answerable = answered < SENT_AGAIN_MAX
            && remember_challenges(known, realm, sent, received.message, answered > 0);
        if !is_answerable {
            self.counters.challenges_refused += 1;
            return false;
        }
        self.counters.challenges_answered += 1;
        let expires = if registrant.is_leaving() { Duration::ZERO } else { registrant.expires };
        // The challenge came on the connection that was made for the request.
        let hop = Hop { flow: received.packet.flow.or(hop.flow), ..hop };
        let Some(again) = self.send_register(now, slot, hop, expires, answered + 1) else { return false };
        if let Some(registrant) = self.registrants.slab.get_mut(slot) {
            registrant.asked(again);
        }
        true
    }

    /// §10.2.8: 423 says how long it must be at least.
    fn register_longer(
        &mut self,
        now: Instant,
        slot: Slot,
        transaction: TransactionId,
        received: Received<'_>,
    ) -> bool {
        let min = received.message.number(HeaderName::MinExpires).ok().flatten().unwrap_or_default();
        let min = Duration::from_secs(min.into());
        let Some((_, hop)) = self.transactions.sent(transaction) else { return false };
        let Some(registrant) = self.registrants.slab.get_mut(slot) else { return false };
        if min <= registrant.expires || min > EXPIRES_MAX {
            return false;
        }
        registrant.expires = min;
        let Some(again) = self.send_register(now, slot, hop, min, 0) else { return false };
        if let Some(registrant) = self.registrants.slab.get_mut(slot) {
            registrant.asked(again);
        }
        true
    }

    fn take_grant(&mut self, now: Instant, slot: Slot, transaction: TransactionId, received: Received<'_>) {
        let Some((_, sent_on)) = self.transactions.sent(transaction) else { return };
        let hop = Hop { flow: received.packet.flow.or(sent_on.flow), ..sent_on };
        let Some(registrant) = self.registrants.slab.get_mut(slot) else { return };
        let expires = granted(received.message, &registrant.config.contact_user, &hop, registrant.expires);
        if expires.is_zero() {
            return self.fail_registration(now, slot, 200, Duration::ZERO);
        }
        let message = received.message;
        let grant = Grant {
            hop,
            expires,
            flow_timer: flow_timer(message),
            is_outbound: registrant.config.outbound.is_some()
                && message.lists(HeaderName::Require, "outbound"),
            service_route: message
                .values(HeaderName::ServiceRoute)
                .take(SERVICE_ROUTE_MAX)
                .map(|value| String::from_utf8_lossy(value).into_owned())
                .collect(),
        };
        registrant.granted(now, grant, &mut self.rng);
    }

    /// Takes a registration away from the registrar, if it has it.
    fn leave(&mut self, now: Instant, slot: Slot) {
        let Some(registrant) = self.registrants.slab.get_mut(slot) else { return };
        let hop = registrant.bound().map(|bound| bound.hop);
        if let State::Asking { transaction, .. } = registrant.state {
            self.transactions.abandon(transaction);
        }
        let sent = hop.and_then(|hop| self.send_register(now, slot, hop, Duration::ZERO, 0));
        match (sent, self.registrants.slab.get_mut(slot)) {
            (Some(transaction), Some(registrant)) => {
                registrant.left(now, transaction);
                self.registrants.leaving.push(slot);
            }
            _ => drop(self.registrants.slab.remove(slot)),
        }
    }

    fn forget(&mut self, slot: Slot) {
        if let Some(Registrant { state: State::Leaving { transaction, .. }, .. }) =
            self.registrants.forget(slot)
        {
            self.transactions.abandon(transaction);
        }
    }

    fn tell_registration(&mut self, now: Instant, slot: Slot) {
        let Some(registrant) = self.registrants.slab.get_mut(slot) else { return };
        let is_registered = registrant.is_registered(now);
        let is_news = is_registered != registrant.was_registered;
        if is_news {
            (registrant.was_registered, registrant.since) = (is_registered, now);
        }
        // That a first attempt failed is news as well.
        let is_first_failure = registrant.is_first_failure();
        if is_news || is_first_failure {
            registrant.failure_is_told();
            let told = shown(registrant, now);
            self.tell(News::Registration(told));
        }
    }
}

fn shown(registrant: &Registrant, now: Instant) -> RegistrationState {
    RegistrationState {
        trunk: Arc::clone(&registrant.trunk),
        aor: registrant.config.aor.clone(),
        is_registered: registrant.is_registered(now),
        since: registrant.since,
        status: registrant.status,
    }
}

/// §10.2.4: how long the registrar keeps our Contact, which is among all that it has.
fn granted(response: &Message<'_>, user: &str, hop: &Hop, asked: Duration) -> Duration {
    let host = hop.local.to_string();
    let mut contacts = response.contacts().flatten().peekable();
    let general = response.number(HeaderName::Expires).ok().flatten();
    if contacts.peek().is_none() {
        // Some registrars do not list what they have.
        return general.map_or(asked, |seconds| Duration::from_secs(seconds.into())).min(EXPIRES_MAX);
    }
    let is_ours = |contact: &Contact<'_>| match contact {
        Contact::Star => false,
        Contact::Address(address) => address.uri().ok().is_some_and(|uri| {
            let at = uri.as_sip().map(|sip| {
                let port = sip.port.unwrap_or(hop.transport.default_port());
                sip.host.ip().map(|ip| SocketAddr::new(ip, port).to_string())
            });
            uri.user().is_some_and(|it| it == user) && at.flatten().is_some_and(|at| at == host)
        }),
    };
    let seconds = contacts.find(is_ours).map(|contact| contact.expires().or(general));
    match seconds {
        Some(Some(seconds)) => Duration::from_secs(seconds.into()).min(EXPIRES_MAX),
        Some(None) => asked,
        None => Duration::ZERO,
    }
}

fn flow_timer(response: &Message<'_>) -> Option<Duration> {
    let value = response.extensions("Flow-Timer").next()?.value;
    let seconds = lex::decimal(lex::trim(value)).filter(|seconds| *seconds > 0)?;
    Some(Duration::from_secs(seconds.into()))
}

fn retry_after(response: &Message<'_>) -> Duration {
    let value = response.value(HeaderName::RetryAfter).unwrap_or_default();
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let seconds = lex::decimal(value.get(..digits).unwrap_or_default());
    Duration::from_secs(seconds.unwrap_or_default().into())
}
