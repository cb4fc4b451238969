//! Calls we make: the INVITE, its forks, and what comes back (RFC 3261 §13.2, §9.1).

use std::net::SocketAddr;

use rand::Rng;
use tandem_time::Instant;

use super::compose::{self, Description};
use super::late;
use super::profile::EarlyMedia;
use super::route::Plan;
use super::session::{Calling, Fork, ForkState, OfferedTo, Peer, Phase, Refusal, Session};
use super::through::Through;
use super::{
    DATAGRAM_REQUEST_MAX, Ender, Event, Identity, Invite, InviteTarget, LocalMedia, Received, Role,
    SessionError, SessionId, UserAgent,
};
use crate::dialog::{Dialog, uri_of_route};
use crate::identity::Shown;
use crate::message::{Builder, HeaderName, Method, StartLine};
use crate::offer_answer::{Negotiation, Step, Verdict, is_reachable_over};
use crate::registrar::Binding;
use crate::transaction::{Outgoing, Routed, TransactionId};
use crate::transport::{Hop, Transport};
use crate::trunk::Admission;
use crate::uri::Scheme;

/// One place to call.
pub(super) struct Destination {
    pub(super) uri: String,
    pub(super) hop: Hop,
    /// What stands in To as its host, when it is no address of these.
    pub(super) host: Option<String>,
    /// The proxies between, the nearest first.
    pub(super) routes: Vec<String>,
}

/// Whom an INVITE goes to.
struct Targets {
    peer: Peer,
    /// The user part of To.
    callee: String,
    destinations: Vec<Destination>,
    admission: Admission,
    plan: Option<Box<Plan>>,
}

/// A call to be made.
pub(super) struct Wanted {
    pub(super) target: InviteTarget,
    pub(super) from: Identity,
    pub(super) side: Side,
    /// What the caller who waits for it asks of the way.
    pub(super) scheme: Scheme,
    /// Who is to talk to whoever is called.
    pub(super) party: Option<SessionId>,
}

/// Whose side of the media an INVITE of ours describes.
#[derive(Clone, Debug)]
pub(super) enum Side {
    /// Ours.
    Ours(LocalMedia),
    /// That of the caller of another session.
    Caller(SessionId),
}

/// What an INVITE of ours says of media.
pub(super) struct Offer {
    pub(super) media: Option<Negotiation>,
    pub(super) through: Option<Box<Through>>,
    /// Empty when there is none.
    pub(super) description: Vec<u8>,
}

/// What all INVITEs of a session have in common.
pub(super) struct Call<'a> {
    pub(super) session: SessionId,
    pub(super) from: &'a Identity,
    pub(super) call_id: &'a str,
    pub(super) local_tag: &'a str,
    /// The user part of To.
    pub(super) callee: &'a str,
    /// Empty when the offer is to come in the 2xx.
    pub(super) offer: &'a [u8],
    pub(super) cseq: u32,
}

impl UserAgent {
    /// Calls a registered user or a number over a trunk. Ends in [`Event::Answered`] or [`Event::Ended`].
    ///
    /// # Errors
    /// When there is nobody to send it to, or a limit is reached; then there is no session and no event.
    pub fn invite(&mut self, now: Instant, invite: Invite) -> Result<SessionId, SessionError> {
        let Invite { target, from, media } = invite;
        let (side, scheme) = (Side::Ours(media), Scheme::Sip);
        self.call(now, Wanted { target, from, side, scheme, party: None })
    }

    /// The same for a caller who waits for it: who asked for TLS on every hop (`sips:`) gets it here too.
    ///
    /// # Errors
    /// When there is nobody to send it to, or not that way, or a limit is reached; then there is no session and no event.
    pub fn invite_for(
        &mut self,
        now: Instant,
        caller: SessionId,
        invite: Invite,
    ) -> Result<SessionId, SessionError> {
        let Invite { target, from, media } = invite;
        let (side, scheme) = (Side::Ours(media), self.scheme_asked_by(caller));
        let called = self.call(now, Wanted { target, from, side, scheme, party: Some(caller) });
        self.note_not_secure(caller, &called);
        called
    }

    pub(super) fn call(&mut self, now: Instant, wanted: Wanted) -> Result<SessionId, SessionError> {
        let invite = &wanted;
        let is_emergency = self.is_emergency_target(&invite.target);
        if self.is_full(is_emergency) {
            return Err(SessionError::Limit);
        }
        let Targets { peer, callee, destinations, admission, plan } =
            self.targets(now, invite, is_emergency)?;
        let hop = destinations.first().map(|it| it.hop).ok_or(SessionError::NotRegistered)?;
        let call_id = format!("{:016x}{:016x}", self.rng.next_u64(), self.rng.next_u64());
        let local_tag = self.tag();
        let Offer { media, through, description: offer } = self.offer_of(&invite.side, &peer, hop);
        let beside = self.offers_beside(&invite.side, &peer, hop, &destinations);
        let caller = self.profile(&peer).present(wanted.from);
        let longest = self.config.limits.max_ringing;
        let max_ringing = self.profile(&peer).max_ringing.map_or(longest, |limit| limit.min(longest));
        let (beside, offers_beside): (Vec<_>, Vec<_>) = beside
            .into_iter()
            .filter_map(|(to, offer)| Some(((to, offer.media?), (to, offer.description))))
            .unzip();
        let calling = Calling {
            media,
            beside,
            give_up: now + max_ringing,
            has_rung: false,
            early: Vec::new(),
            heard: None,
            plan,
            refusal: None,
        };
        let names = (call_id.clone(), local_tag.clone());
        let phase = Phase::Calling(Box::new(calling));
        let mut session = Session::new(peer, names, self.identification(), phase);
        if let InviteTarget::User(user) = wanted.target {
            session.user = Some(user);
        }
        session.through = through;
        session.admission = Some(admission);
        let id = self.sessions.insert(session);
        if let Some(party) = wanted.party {
            self.introduce(party, id);
        }
        for destination in destinations {
            let to = OfferedTo::over(&destination.hop);
            let beside = offers_beside.iter().find(|(offered, _)| *offered == to).map(|(_, offer)| offer);
            let call = Call {
                session: id,
                from: &caller,
                call_id: &call_id,
                local_tag: &local_tag,
                callee: &callee,
                offer: beside.unwrap_or(&offer),
                cseq: 1,
            };
            self.send_invite(now, &call, &destination);
        }
        self.settle(id);
        Ok(id)
    }

    fn targets(
        &mut self,
        now: Instant,
        invite: &Wanted,
        is_emergency: bool,
    ) -> Result<Targets, SessionError> {
        match &invite.target {
            InviteTarget::Trunk { trunk, number } => {
                let (plan, way, admission) = self.plan(now, trunk, number, invite, is_emergency)?;
                let destinations = vec![way.destination(number)];
                let (callee, plan) = (number.clone(), Some(Box::new(plan)));
                Ok(Targets { peer: way.peer(), callee, destinations, admission, plan })
            }
            InviteTarget::User(user) => {
                let is_reached = |it: &&Binding| self.is_reached_from(&invite.side, it.hop.destination);
                let bindings = self.registrar.bindings(user);
                if bindings.is_empty() {
                    return Err(SessionError::NotRegistered);
                }
                let fits = |it: &&Binding| {
                    // RFC 5630 §5.3: what was registered without asking for TLS is not called with asking for it.
                    invite.scheme == Scheme::Sip || Scheme::of(it.uri.as_bytes()) == Scheme::Sips
                };
                if !bindings.iter().any(|it| fits(&it)) {
                    return Err(SessionError::NotSecure);
                }
                let fitting = bindings.iter().filter(fits).filter(is_reached);
                let destinations: Vec<_> = fitting.map(|it| destination_of(it, invite.scheme)).collect();
                if destinations.is_empty() {
                    return Err(SessionError::OutOfReach);
                }
                let is_browser = |it: &Destination| it.hop.transport.is_websocket();
                let peer = if destinations.iter().all(is_browser) { Peer::Browser } else { Peer::Phone };
                let admission = self.reserve(now, &Peer::Phone, is_emergency)?;
                let (callee, plan) = (user.clone(), None);
                Ok(Targets { peer, callee, destinations, admission, plan })
            }
        }
    }

    /// Whether a callee could send media to whoever's side it is told of: ours always, a caller's over the IP version
    /// that it has.
    pub(super) fn is_reached_from(&self, side: &Side, destination: SocketAddr) -> bool {
        let Side::Caller(caller) = side else { return true };
        match self.sessions.get(*caller).map(|session| &session.phase) {
            Some(Phase::Offered(offered)) => match compose::description(&offered.invite.view()) {
                Description::Sdp(offer) => is_reachable_over(offer, destination.is_ipv4()),
                Description::None | Description::Unsupported => true,
            },
            _ => true,
        }
    }

    /// What a peer is offered on that way.
    pub(super) fn offer_of(&mut self, side: &Side, peer: &Peer, hop: Hop) -> Offer {
        let origin_id = self.rng.next_u64();
        match side {
            Side::Ours(local) => {
                let (profile, certificate) = (self.profile(peer), self.config.dtls_certificate);
                let mut media = Negotiation::new(origin_id, local.clone(), profile, certificate)
                    .also_at(self.config.other_media_address, hop.destination.is_ipv4());
                media.step(Step::SendInvite);
                let description = media.offer(&mut self.rng);
                Offer { media: Some(media), through: None, description }
            }
            Side::Caller(caller) => {
                let (through, description) = self.offer_of_caller(*caller, origin_id, hop);
                Offer { media: None, through: Some(Box::new(through)), description }
            }
        }
    }

    /// What those phones of a user are offered that would not understand what is offered on `hop`, or could not reach it:
    /// browsers beside others, and those of another IP version where we have addresses of both.
    fn offers_beside(
        &mut self,
        side: &Side,
        peer: &Peer,
        hop: Hop,
        destinations: &[Destination],
    ) -> Vec<(OfferedTo, Offer)> {
        let mut beside: Vec<(OfferedTo, Offer)> = Vec::new();
        if !peer.is_phone() || matches!(side, Side::Caller(_)) {
            return beside;
        }
        for destination in destinations {
            let (to, hop_to) = (OfferedTo::over(&destination.hop), destination.hop);
            let is_browser = hop_to.transport.is_websocket();
            let is_other = is_browser && *peer == Peer::Phone
                || self.config.other_media_address.is_some()
                    && hop_to.destination.is_ipv4() != hop.destination.is_ipv4();
            if is_other && !beside.iter().any(|(offered, _)| *offered == to) {
                let peer = Peer::phone(hop_to.transport);
                beside.push((to, self.offer_of(side, &peer, hop_to)));
            }
        }
        beside
    }

    pub(super) fn send_invite(&mut self, now: Instant, call: &Call<'_>, destination: &Destination) {
        let branch = self.branch();
        let peer = self.peer_of(call.session);
        let (first, fallback) = self.by_size(&peer, destination.hop, |agent, hop| {
            agent.write_invite(call, destination, hop, &branch)
        });
        let (user, scheme) = (Role::Fork(call.session), compose::scheme_asked(&first.bytes));
        let outgoing = Outgoing { method: Method::Invite, branch: &branch, first, fallback, user };
        let transaction = self.send(now, &peer, outgoing);
        if let Some(session) = self.sessions.get_mut(call.session) {
            let branch = late::number_of(&branch);
            session.forks.push(Fork { transaction, branch, scheme, state: ForkState::Calling });
        }
    }

    /// §18.1.1: a request too long for a datagram, as its trunk's rules will leave it, goes over TCP first, and as a
    /// datagram when that fails.
    pub(super) fn by_size(
        &self,
        peer: &Peer,
        hop: Hop,
        write: impl Fn(&Self, &Hop) -> Vec<u8>,
    ) -> (Routed, Option<Routed>) {
        let plain = Routed { hop, bytes: write(self, &hop) };
        if hop.transport != Transport::Udp || self.ruled_len(peer, &plain.bytes) <= DATAGRAM_REQUEST_MAX {
            return (plain, None);
        }
        let Some(local) = self.local_address(Transport::Tcp, hop.destination) else { return (plain, None) };
        let stream = Hop { transport: Transport::Tcp, local, flow: None, ..hop };
        (Routed { hop: stream, bytes: write(self, &stream) }, Some(plain))
    }

    /// The INVITE on a way. The Contact is that of the destination's own transport, whatever the size asks for.
    fn write_invite(&self, call: &Call<'_>, destination: &Destination, hop: &Hop, branch: &str) -> Vec<u8> {
        let host = compose::host(hop.local);
        let profile = self.profile_for(call.session);
        let shown = Shown {
            caller: call.from,
            host: &host,
            identity: profile.identity,
            diversion: profile.diversion,
            callee: call.callee,
        };
        let from = shown.from();
        let peer = self.peer_of(call.session);
        let to_host = match (&destination.host, &destination.hop) {
            (Some(name), _) => name.clone(),
            (None, hop) if hop.flow.is_some() && peer.is_phone() => host.clone(),
            (None, hop) => compose::host(hop.destination),
        };
        let scheme = Scheme::of(destination.uri.as_bytes());
        let to = compose::name_addr(None, compose::sip_uri(scheme, call.callee, to_host));
        let mut builder = Builder::request(Method::Invite, &destination.uri)
            .header(HeaderName::Via, compose::via(hop, branch))
            .header(HeaderName::MaxForwards, profile.max_forwards);
        let routes = destination.routes.iter().chain(self.service_route(&peer));
        let routes: Vec<_> = routes.map(|route| compose::route_by(scheme, route)).collect();
        for route in &routes {
            builder = builder.header(HeaderName::Route, route);
        }
        // §8.1.1.8: sips where the first Route is, too.
        let first = routes.first().map_or("", |route| uri_of_route(route));
        let scheme_back = scheme.max(Scheme::of(first.as_bytes()));
        builder = builder
            .header(HeaderName::From, format_args!("{from};tag={}", call.local_tag))
            .header(HeaderName::To, to)
            .header(HeaderName::CallId, call.call_id)
            .header(HeaderName::CSeq, format_args!("{} INVITE", call.cseq))
            .header(HeaderName::Contact, self.contact_for(&peer, scheme_back, &destination.hop))
            .header(HeaderName::Allow, compose::ALLOW);
        builder = compose::with_user_agent(builder, self.product_for(call.session));
        let mut required = compose::required(profile);
        let mut supported = compose::supported(profile);
        if call.offer.is_empty() {
            // RFC 3262 §5: else the offer might come in a 1xx, whose PRACK would have to wait for the caller.
            required.retain(|tag| *tag != compose::RELIABLE);
            supported.retain(|tag| *tag != compose::RELIABLE);
        }
        supported.retain(|tag| !required.contains(tag));
        if !required.is_empty() {
            builder = builder.header(HeaderName::Require, required.join(", "));
        }
        builder = builder.header(HeaderName::Supported, supported.join(", "));
        builder = self.with_session_id(call.session, self.with_interval(call.session, builder));
        if profile.early_media == EarlyMedia::Accept {
            // RFC 5009 §8.1: else some networks let nothing through before the answer.
            builder = builder.header(HeaderName::PEarlyMedia, "supported");
        }
        let builder = shown.add_to(builder);
        if call.offer.is_empty() { builder.finish() } else { builder.body("application/sdp", call.offer) }
    }

    pub(super) fn handle_fork_response(
        &mut self,
        now: Instant,
        id: SessionId,
        transaction: TransactionId,
        received: Received<'_>,
        status: u16,
        repeated: bool,
    ) {
        match status {
            ..200 => self.handle_provisional(now, id, transaction, received, status),
            200..300 => self.handle_success(now, id, transaction, received, repeated),
            300.. => {
                if status < 400 {
                    self.take_redirection(id, received, status);
                }
                if status == 503 {
                    self.rest_as_asked(now, transaction, received);
                }
                let reason = compose::reason(received.message).unwrap_or_else(|| phrase(received));
                let stated = compose::stated(received.message);
                self.end_fork(now, id, transaction, Refusal { by: Ender::Peer, status, reason, stated });
            }
        }
    }

    /// No response came, or the INVITE could not be sent.
    pub(super) fn handle_fork_failure(
        &mut self,
        now: Instant,
        id: SessionId,
        transaction: TransactionId,
        status: u16,
        reason: &str,
    ) {
        self.note_given_up(now, id, transaction);
        let refusal = Refusal { by: Ender::Failure, status, reason: reason.to_owned(), stated: None };
        self.end_fork(now, id, transaction, refusal);
    }

    /// Whoever was not heard of may have heard us.
    fn note_given_up(&mut self, now: Instant, id: SessionId, transaction: TransactionId) {
        let Some(session) = self.sessions.get(id) else { return };
        let fork = session.forks.iter().find(|fork| fork.transaction == transaction);
        let (branch, cseq) = (fork.and_then(|fork| fork.branch), session.early_cseq);
        self.remember_given_up(now, branch, cseq);
    }

    /// §13.2.2.4: every 2xx is acknowledged each time it comes; the first makes the session, and each further
    /// dialog is ended.
    fn handle_success(
        &mut self,
        now: Instant,
        id: SessionId,
        transaction: TransactionId,
        received: Received<'_>,
        repeated: bool,
    ) {
        let Some((_, sent_on)) = self.transactions.sent(transaction) else { return };
        let hop = Hop { flow: received.packet.flow.or(sent_on.flow), ..sent_on };
        let mut dialog = Dialog::of_response(received.message, received.essentials, hop);
        dialog.scheme = self.scheme_of_fork(id, transaction);
        dialog.max_forwards = self.profile_for(id).max_forwards;
        let cseq = received.essentials.cseq.number;
        if !self.waits_for_answer(id, transaction, &dialog, cseq) {
            self.send_ack(id, transaction, &dialog, cseq);
        }
        if repeated {
            return;
        }
        if let Some(session) = self.sessions.get_mut(id) {
            let was_left = session.is_left(transaction);
            session.forks.retain(|fork| fork.transaction != transaction);
            if matches!(session.phase, Phase::Calling(_)) && !was_left {
                return self.win(now, id, dialog, sent_on, received);
            }
        }
        if let Some(session) = self.sessions.get(id) {
            // §12.2.1.1: its early dialog may have had PRACKs, under CSeqs that must not come again.
            dialog.advance_cseq(session.early_cseq);
        }
        // Whoever answers one INVITE under ever new tags fills our transactions to the limit, and not beyond.
        if self.transactions.len() < self.config.limits.max_transactions as usize {
            self.say_bye(now, id, &mut dialog, None);
        }
        self.settle(id);
    }

    fn win(&mut self, now: Instant, id: SessionId, mut dialog: Dialog, sent_on: Hop, received: Received<'_>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Phase::Calling(calling) = std::mem::replace(&mut session.phase, Phase::Over) else { return };
        if session.peer.is_phone() {
            session.peer = Peer::phone(sent_on.transport);
        }
        let media = calling.media_by(&sent_on).cloned();
        let Calling { early, .. } = *calling;
        let early = early.into_iter().find(|early| early.dialog.remote_tag == dialog.remote_tag);
        let (media, described) = match early {
            Some(early) => {
                dialog.continue_from(&early.dialog);
                (early.media, early.described)
            }
            None => (media, None),
        };
        let Some(mut media) = media else { return self.win_through(now, id, dialog, received, described) };
        let description = compose::description(received.message);
        let is_sdp = matches!(description, Description::Sdp(_));
        let agreed = match (media.step(Step::Success { description: is_sdp }), description) {
            (Verdict::Take, Description::Sdp(answer)) => {
                media.accept_answer(answer, received.packet.source.ip()).ok()
            }
            (_, Description::Unsupported) => None,
            // §13.2.1 wants the early answer again; a callee that leaves it out can only mean the same.
            _ => media.agreed().cloned(),
        };
        self.cancel_forks(now, id, Some("answered elsewhere"));
        let Some(audio) = agreed else {
            self.say_bye(now, id, &mut dialog, Some("no common codec"));
            self.tell_ended(now, id, Ender::Failure, 488, "no common codec");
            return self.settle(id);
        };
        self.begin_confirmed(now, id, dialog, Some(media));
        self.take_expiry(now, id, received.message);
        self.events.push_back(Event::Media { session: id, audio });
        self.events.push_back(Event::Answered { session: id });
        self.settle(id);
    }

    /// The ACK of a 2xx is no transaction's; it is made anew for each copy of the 2xx.
    pub(super) fn send_ack(&mut self, id: SessionId, transaction: TransactionId, dialog: &Dialog, cseq: u32) {
        let hop = self.way_in_dialog(id, dialog);
        let branch = self.branch();
        let ack = dialog.ack(&compose::via(&hop, &branch), cseq);
        let invite = self.transactions.sent(transaction).map(|(invite, _)| invite).unwrap_or_default();
        let ack = compose::with_credentials_of(ack, invite);
        let bytes = match self.answer_in_ack(id) {
            Some(answer) => ack.body("application/sdp", answer),
            None => ack.finish(),
        };
        let bytes = self.ruled(&self.peer_of(id), self.identified(Some(id), bytes));
        self.transmits.push_back(hop.carry(bytes));
    }

    /// An INVITE of ours has its final response, and it is no 2xx.
    fn end_fork(&mut self, now: Instant, id: SessionId, transaction: TransactionId, refusal: Refusal) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let was_left = session.is_left(transaction);
        session.forks.retain(|fork| fork.transaction != transaction);
        let is_last = session.forks.iter().all(|fork| fork.state.is_cancelled());
        if was_left {
            return self.settle(id);
        }
        let Phase::Calling(calling) = &mut session.phase else { return self.settle(id) };
        // §16.7 step 5: a 6xx speaks for all contacts.
        let is_decided = is_last || refusal.status >= 600;
        if calling.refusal.as_ref().is_none_or(|best| refusal.rank() < best.rank()) {
            calling.refusal = Some(refusal.clone());
        }
        if is_decided && !self.fails_over(now, id, &refusal) {
            let Some(session) = self.sessions.get_mut(id) else { return };
            let Phase::Calling(calling) = &mut session.phase else { return };
            let best = calling.refusal.take();
            session.phase = Phase::Over;
            self.cancel_forks(now, id, None);
            if let Some(Refusal { by, status, reason, stated }) = best {
                self.tell_reason(id, stated);
                self.tell_ended(now, id, by, status, reason);
            }
        }
        self.settle(id);
    }

    pub(super) fn send_cancel(&mut self, now: Instant, transaction: TransactionId, reason: Option<&str>) {
        let Some((invite, hop)) = self.transactions.sent(transaction) else { return };
        let id = self.transactions.user(transaction).and_then(Role::session);
        let stated = id.and_then(|id| self.sessions.get(id)?.stated);
        let cause = stated.map_or(compose::Cause::Clearing, compose::Cause::Stated);
        let Some(bytes) = compose::cancel(invite, cause, reason) else { return };
        let Some(branch) = compose::branch_of(invite) else { return };
        let method = Method::Cancel;
        let first = Routed { hop, bytes };
        let outgoing = Outgoing { method, branch: &branch, first, fallback: None, user: Role::Unattended };
        let peer = match self.transactions.user(transaction) {
            Some(Role::Fork(id)) => self.peer_of(id),
            _ => Peer::Phone,
        };
        self.send(now, &peer, outgoing);
    }

    /// §9.1: an INVITE that was cancelled and has no final response after 64*T1 is given up.
    pub(super) fn give_up_cancelled_forks(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let is_due = |fork: &Fork| matches!(fork.state, ForkState::Cancelled { give_up } if give_up <= now);
        let due: Vec<Fork> = session.forks.extract_if(.., |fork| is_due(fork)).collect();
        let cseq = session.early_cseq;
        for fork in due {
            self.remember_given_up(now, fork.branch, cseq);
            self.transactions.abandon(fork.transaction);
        }
    }
}

/// A registered phone is reached where it registered from: on its connection, or at its source address when its
/// Contact names another host, since then it is behind NAT. Behind proxies it is by those that want to be on the way
/// (RFC 3327 §5.3), the nearest of which is where it registered from: nobody sends us elsewhere by a header.
fn destination_of(binding: &Binding, scheme: Scheme) -> Destination {
    let hop = binding.hop;
    let next = binding.path.first().map_or(binding.uri.as_str(), |route| uri_of_route(route));
    let named = compose::address_of(next).filter(|named| named.ip() == hop.destination.ip());
    let destination: SocketAddr = match named {
        Some(named) if hop.flow.is_none() => named,
        _ => hop.destination,
    };
    let uri = compose::request_uri(&binding.uri);
    Destination {
        // RFC 5630 §5.3: nobody is called as sips who was not asked for so, but over TLS all the same.
        uri: match uri.strip_prefix("sips:").filter(|_| scheme == Scheme::Sip) {
            Some(rest) => format!("sip:{rest}"),
            None => uri,
        },
        hop: Hop { destination, ..hop },
        host: None,
        routes: binding.path.clone(),
    }
}

fn phrase(received: Received<'_>) -> String {
    match received.message.start() {
        StartLine::Response { reason, .. } => String::from_utf8_lossy(reason).into_owned(),
        StartLine::Request { .. } => String::new(),
    }
}
