//! Requests that come: to which transaction and dialog they belong, and what is done with those that belong to none.

use std::net::SocketAddr;

use tandem_time::Instant;

use super::admission::EMERGENCY_ROOM;
use super::compose::{self, Description};
use super::replaces::Replaced;
use super::session::{Asked, Offered, Peer, Phase, Session};
use super::{Ender, Event, RETRY_AFTER, Received, Role, SessionId, Source, UserAgent};
use crate::auth::{Attempt, Verdict};
use crate::ban::Offence;
use crate::dialog::Dialog;
use crate::header::{NameAddr, Via};
use crate::identity;
use crate::message::{Builder, HeaderName, Malformed, Message, Method};
use crate::offer_answer;
use crate::transaction::{RequestMatch, TransactionId};
use crate::transport::{Hop, Packet};
use crate::trunk::Admission;

impl UserAgent {
    pub(super) fn handle_request(&mut self, now: Instant, received: Received<'_>) {
        let method = received.essentials.cseq.method;
        self.counters.count_request(method);
        match self.transactions.repeat(now, received.message, received.essentials) {
            RequestMatch::Absorbed => return,
            RequestMatch::Merged => return self.refuse(now, received, 482),
            RequestMatch::New => {}
        }
        self.learn_alias(received);
        if method == Method::Ack {
            return self.handle_ack(now, received);
        }
        if self.shed(now, received) {
            return;
        }
        if let Err(error) = received.message.validate() {
            self.counters.parse_errors += 1;
            self.offend(now, received.packet.source, Offence::Malformed);
            return self.refuse_malformed(received.packet, received.peer, received.message, error.status());
        }
        if self.has_too_many_transactions(received) {
            self.counters.requests_over_limit += 1;
            return self.refuse_without_state(received, RETRY_AFTER);
        }
        if method == Method::Cancel {
            return self.handle_cancel(now, received);
        }
        if method != Method::Invite && received.message.has(HeaderName::Replaces) {
            // RFC 3891 §3.
            return self.refuse(now, received, 400);
        }
        if received.essentials.to.tag().is_some() && method != Method::Register {
            return self.handle_request_in_dialog(now, received);
        }
        self.handle_request_outside_dialogs(now, received);
    }

    /// Requests that end what there is get a little more room than those that begin something, and so do calls for
    /// help.
    fn has_too_many_transactions(&self, received: Received<'_>) -> bool {
        let max = self.config.limits.max_transactions as usize;
        let is_new =
            received.essentials.to.tag().is_none() && received.essentials.cseq.method != Method::Cancel;
        let room = match (is_new, is_new && self.is_emergency(received)) {
            (_, true) => max.saturating_add(EMERGENCY_ROOM),
            (true, _) => max,
            (false, _) => max.saturating_add(max / 4).saturating_add(1),
        };
        self.transactions.len() >= room
    }

    /// §8.2: method, then headers, then content.
    fn handle_request_outside_dialogs(&mut self, now: Instant, received: Received<'_>) {
        let method = received.essentials.cseq.method;
        match method {
            Method::Invite | Method::Options | Method::Register => {}
            // They make sense in a dialog only.
            Method::Bye | Method::Info | Method::Prack | Method::Update => {
                return self.refuse(now, received, 481);
            }
            // RFC 6665 §4.1.3: we have subscribed to nothing.
            Method::Notify => return self.refuse(now, received, 481),
            // RFC 3515 §2.4.2: we transfer calls that there are, and make none for others to hear of.
            Method::Refer => return self.refuse(now, received, 403),
            Method::Subscribe => return self.refuse_event(now, received),
            _ => return self.refuse_method(now, received),
        }
        if !self.is_scheme_known(received) {
            return self.refuse(now, received, 416);
        }
        if self.has_loop(received) {
            return self.refuse(now, received, 482);
        }
        if self.refuse_requirements(now, received) {
            return;
        }
        match method {
            Method::Register => self.handle_register(now, received),
            Method::Options => self.answer_options(now, received),
            _ => self.handle_invite(now, received),
        }
    }

    /// A request of ours that came back carries our Via (§16.3 step 4).
    fn has_loop(&self, received: Received<'_>) -> bool {
        received
            .message
            .vias()
            .flatten()
            .filter_map(|via| via.branch())
            .any(|branch| self.transactions.is_ours(branch, received.essentials.cseq.method))
    }

    /// §8.2.2.3: 420 names what we do not support.
    pub(super) fn refuse_requirements(&mut self, now: Instant, received: Received<'_>) -> bool {
        let mut known = compose::supported(self.profile(received.peer));
        if received.essentials.cseq.method == Method::Register {
            known.extend([super::registration::OUTBOUND, super::registration::PATH]);
        }
        let is_known = |value: &&[u8]| {
            value.is_empty() || known.iter().any(|tag| tag.as_bytes().eq_ignore_ascii_case(value))
        };
        let required: Vec<&[u8]> =
            received.message.values(HeaderName::Require).filter(|value| !is_known(value)).collect();
        if required.is_empty() {
            return false;
        }
        self.respond_with(now, received, 420, |builder| {
            builder.raw(HeaderName::Unsupported, &required.join(&b", "[..]))
        });
        true
    }

    pub(super) fn handle_malformed(&mut self, packet: &Packet<'_>, peer: &Peer, malformed: &Malformed<'_>) {
        self.counters.parse_errors += 1;
        if let Some(request) = malformed.answerable() {
            self.refuse_malformed(packet, peer, &request, malformed.error.status());
        }
    }

    /// Answers a request that cannot be read well enough for a transaction, if its Via says where to.
    pub(super) fn refuse_malformed(
        &mut self,
        packet: &Packet<'_>,
        peer: &Peer,
        request: &Message<'_>,
        status: u16,
    ) {
        // Broken parameters are no reason for silence: what stands before them says where to.
        let sent_by = || Some(Via::parse_sent_by(request.values(HeaderName::Via).next()?).ok()?.0);
        if let Some(via) = request.top_via().ok().or_else(sent_by)
            && request.is_answerable()
        {
            let product = self.product(peer);
            let builder = compose::reply(request, packet.source, status, None, product);
            self.answer_without_state(way_back(packet, &via), status, builder);
        }
    }

    /// §8.2.1 and §21.5.2: 405 for what we know and do not do, 501 for the rest; both say what we do.
    pub(super) fn refuse_method(&mut self, now: Instant, received: Received<'_>) {
        let is_unknown = matches!(received.essentials.cseq.method, Method::Other(_));
        let status = if is_unknown { 501 } else { 405 };
        self.respond_with(now, received, status, |builder| builder.header(HeaderName::Allow, compose::ALLOW));
    }

    /// §8.2.3: 415 says what we would have read.
    pub(super) fn refuse_content(&mut self, now: Instant, received: Received<'_>) {
        self.respond_with(now, received, 415, |builder| {
            builder.header(HeaderName::Accept, compose::ACCEPT).header(HeaderName::AcceptEncoding, "identity")
        });
    }

    /// §11.2: as an INVITE would be answered.
    pub(super) fn answer_options(&mut self, now: Instant, received: Received<'_>) {
        let supported = compose::supported(self.profile(received.peer)).join(", ");
        self.respond_with(now, received, 200, |builder| {
            builder
                .header(HeaderName::Allow, compose::ALLOW)
                .header(HeaderName::Accept, compose::ACCEPT)
                .header(HeaderName::AcceptEncoding, "identity")
                .header(HeaderName::AcceptLanguage, "en")
                .header(HeaderName::AllowEvents, super::refer::EVENT)
                .header(HeaderName::Supported, supported)
        });
    }

    /// Begins a transaction and ends it at once.
    pub(super) fn refuse(&mut self, now: Instant, received: Received<'_>, status: u16) {
        self.respond_with(now, received, status, |builder| builder);
    }

    /// The same, with headers of its own.
    pub(super) fn respond_with(
        &mut self,
        now: Instant,
        received: Received<'_>,
        status: u16,
        headers: impl FnOnce(Builder) -> Builder,
    ) {
        let transaction = self.begin(received, Role::Unattended);
        let tag = self.tag();
        let bytes = headers(self.reply(received, status, Some(&tag))).finish();
        self.respond(now, transaction, status, bytes);
    }

    pub(super) fn begin(&mut self, received: Received<'_>, role: Role) -> TransactionId {
        let hop = way_back(received.packet, &received.essentials.via);
        let timers = self.timers(received.peer);
        self.transactions.accept(received.message, received.essentials, timers, hop, role)
    }

    pub(super) fn reply(&self, received: Received<'_>, status: u16, to_tag: Option<&str>) -> Builder {
        let product = self.product(received.peer);
        let builder = compose::reply(received.message, received.packet.source, status, to_tag, product);
        self.with_session_id_of(received, builder)
    }

    pub(super) fn respond(&mut self, now: Instant, transaction: TransactionId, status: u16, bytes: Vec<u8>) {
        self.counters.count_answer(status);
        let bytes = self.ruled_for(transaction, bytes);
        self.transactions.respond(now, transaction, status, bytes);
    }

    /// Who sent a request, when it is somebody: trunks by their address, phones by digest (§22.1). Else it has
    /// been challenged.
    pub(super) fn authenticate(&mut self, now: Instant, received: Received<'_>) -> Option<Source> {
        if let Peer::Trunk(name) = received.peer {
            return Some(Source::Trunk(name.to_string()));
        }
        let attempt = Attempt {
            method: received.essentials.cseq.method.as_str().as_bytes(),
            source: received.packet.source.ip(),
            realm: &self.config.phones.realm,
        };
        let lines = [HeaderName::Authorization, HeaderName::ProxyAuthorization]
            .into_iter()
            .flat_map(|name| received.message.credentials(name))
            .flatten();
        let passwords = &self.passwords;
        let verdict =
            self.authenticator.verify(now, attempt, lines, |user| passwords.get(user).map(String::as_str));
        match verdict {
            Verdict::Authentic(user) => return Some(Source::User(user)),
            Verdict::Missing | Verdict::Stale => self.counters.challenges += 1,
            Verdict::Refused | Verdict::Unknown(_) => self.counters.authentication_failures += 1,
        }
        self.suspect(now, received, &verdict);
        let stale = verdict == Verdict::Stale;
        let phones = &self.config.phones;
        let (realm, algorithms) = (&phones.realm, &phones.digest);
        let challenges = self.authenticator.challenges(now, &mut self.rng, realm, algorithms, stale);
        self.respond_with(now, received, 401, |builder| {
            challenges
                .iter()
                .fold(builder, |builder, challenge| builder.header(HeaderName::WwwAuthenticate, challenge))
        });
        None
    }

    fn handle_invite(&mut self, now: Instant, received: Received<'_>) {
        if received.essentials.max_forwards == Some(0) {
            // We are one hop of the call though we end this leg of it (RFC 7332 §3).
            return self.refuse(now, received, 483);
        }
        let Some(source) = self.authenticate(now, received) else { return };
        if let Source::User(user) = &source
            && user_of(&received.essentials.from).as_deref() != Some(user)
        {
            return self.refuse(now, received, 403);
        }
        let replaced = match self.replaced_by(received, &source) {
            Ok(replaced) => replaced,
            Err(status) => return self.refuse(now, received, status),
        };
        let is_emergency = self.is_emergency(received);
        // A call for help is taken without the extensions that others must have.
        if !is_emergency && (self.refuse_unreliable(now, received) || self.refuse_interval(now, received)) {
            return;
        }
        if !takes_a_description(received.message) {
            return self.refuse(now, received, 406);
        }
        let description = compose::description(received.message);
        let acceptable = match description {
            Description::None => true,
            // What the parties agree on is theirs.
            Description::Sdp(offer) if self.goes_direct(received) => offer_answer::is_description(offer),
            Description::Sdp(offer) => {
                let certificate = self.config.dtls_certificate;
                offer_answer::is_acceptable(offer, self.profile(received.peer), certificate)
            }
            Description::Unsupported => return self.refuse_content(now, received),
        };
        let local_tag = self.tag();
        let hop = way_of_dialog(received);
        let dialog = Dialog::of_request(received.message, received.essentials, local_tag.clone(), hop);
        // §8.1.1.8: an INVITE has a Contact, of sips when its Request-URI is.
        let Some(mut dialog) = dialog else { return self.refuse(now, received, 400) };
        dialog.max_forwards = self.profile(received.peer).max_forwards;
        let admission = match self.admit(now, received, is_emergency) {
            Ok(admission) => admission,
            Err(refused) => {
                self.counters.calls_over_limit += 1;
                return self.respond_with(now, received, 503, |builder| {
                    builder.header(HeaderName::RetryAfter, refused.retry_after.as_secs())
                });
            }
        };
        self.counters.emergency_calls += u64::from(is_emergency);
        let session = self.offer_session(now, received, dialog, admission);
        if let (Some(kept), Source::User(user)) = (self.sessions.get_mut(session), &source) {
            kept.user = Some(user.clone());
        }
        let mut from = identity::caller(received.parties, self.profile(received.peer).trust_identity);
        if !received.peer.is_phone() {
            from.redirection = identity::redirection(received.parties).map(Box::new);
        }
        let call_id = received.essentials.call_id.to_owned();
        self.events.push_back(match replaced {
            Some(Replaced { session: replaced, early_only }) => {
                Event::Replacing { session, replaced, early_only, source, from, call_id, acceptable }
            }
            None => {
                let dialled = self.dialled(received.parties);
                Event::Incoming { session, source, from, dialled, call_id, acceptable, is_emergency }
            }
        });
    }

    /// Makes the session, and sends 100 at once (§17.2.1).
    fn offer_session(
        &mut self,
        now: Instant,
        received: Received<'_>,
        dialog: Dialog,
        admission: Admission,
    ) -> SessionId {
        let transaction = self.begin(received, Role::Unattended);
        // §8.2.6.1: Timestamp comes back, so that the client can measure the way.
        let trying = self.reply(received, 100, None).copy(received.message, HeaderName::Timestamp).finish();
        self.respond(now, transaction, 100, trying);
        let source = received.packet.source;
        let asked = Asked { transaction, source, hop: dialog.hop };
        let (call_id, local_tag) = (dialog.call_id.clone(), dialog.local_tag.clone());
        let invite = received.message.to_owned();
        let reliable = self.reliability_with(received);
        let offered = Phase::Offered(Box::new(Offered {
            invite,
            asked,
            dialog,
            media: None,
            provisional: None,
            reliable,
        }));
        let identification = self.identification();
        let names = (call_id, local_tag);
        let mut session = Session::new(received.peer.clone(), names, identification, offered);
        session.admission = Some(admission);
        let id = self.sessions.insert(session);
        self.transactions.hand_over(transaction, Role::Incoming(id));
        self.hear(id, received.message);
        self.settle(id);
        id
    }

    /// §9.2: 200 to the CANCEL, and 487 to an INVITE that has no final response.
    fn handle_cancel(&mut self, now: Instant, received: Received<'_>) {
        let found = self.transactions.cancelled(received.message, received.essentials);
        let Some((_, role)) = found else { return self.refuse(now, received, 481) };
        let offered = match role {
            Role::Incoming(id) => self
                .sessions
                .get(id)
                .filter(|session| session.peer.is_on_the_side_of(received.peer))
                .map(|_| id),
            Role::Asking(id) => {
                self.cancel_passed_on(now, id);
                None
            }
            _ => None,
        };
        let tag = offered.and_then(|id| self.sessions.get(id)).map(|session| session.local_tag.clone());
        let transaction = self.begin(received, Role::Unattended);
        let tag = tag.unwrap_or_else(|| self.tag());
        let bytes = self.reply(received, 200, Some(&tag)).finish();
        self.respond(now, transaction, 200, bytes);
        let reason = compose::reason(received.message).unwrap_or_else(|| "cancelled".to_owned());
        if let Some(id) = offered
            && self.refuse_offered(now, id, 487)
        {
            self.tell_reason(id, compose::stated(received.message));
            self.tell_ended(now, id, Ender::Peer, 487, reason);
            self.settle(id);
        }
    }
}

/// The way that a request came, as the way that ours go in its dialog.
pub(super) fn way_of_dialog(received: Received<'_>) -> Hop {
    let Packet { transport, local, source, flow, .. } = *received.packet;
    Hop { transport, local, destination: source, flow }
}

/// §18.2.2 with RFC 3581 §4: the way a response goes.
pub(super) fn way_back(packet: &Packet<'_>, via: &Via<'_>) -> Hop {
    let Packet { transport, local, source, flow, .. } = *packet;
    let sent_by_port = via.port.unwrap_or(transport.default_port());
    let destination = match via.maddr() {
        // A connection is used while it lives; only then the port of sent-by counts.
        _ if transport.is_reliable() => SocketAddr::new(source.ip(), sent_by_port),
        Some(maddr) => SocketAddr::new(maddr, sent_by_port),
        None if via.has_rport() => source,
        None => SocketAddr::new(source.ip(), sent_by_port),
    };
    Hop { transport, local, destination, flow }
}

pub(super) fn user_of(address: &NameAddr<'_>) -> Option<String> {
    Some(address.uri().ok()?.user()?.into_owned())
}

/// §20.1: without Accept a session description may come back, and nothing else can answer or make an offer.
fn takes_a_description(invite: &Message<'_>) -> bool {
    let takes = |range: &[u8]| {
        let kind = range.split(|octet| *octet == b';').next().unwrap_or_default().trim_ascii();
        [&b"application/sdp"[..], b"application/*", b"*/*"].iter().any(|it| kind.eq_ignore_ascii_case(it))
    };
    let mut ranges = invite.values(HeaderName::Accept).peekable();
    ranges.peek().is_none() || ranges.any(takes)
}
