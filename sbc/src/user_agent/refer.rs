//! REFERs that come in the dialog of a session (RFC 3515): read, put to the owner, answered, and reported on by
//! NOTIFY for as long as the subscription lasts that a 202 makes.
//!
//! ```text
//!            accept                      final, expired, unsubscribed
//! (asked) ───────────▶ Subscribed ─────────────────────────▶ Ending ──the NOTIFY is answered──▶ (gone)
//!    │                     │  ▲                                 ▲
//!    │                     └──┘ progress: NOTIFY                └── at once when no subscription is wanted
//!    └─ refuse, or no word within [`DECISION_MAX`] ─▶ (gone)
//! ```
//!
//! A subscription shares the dialog with the session and outlives it (RFC 5057 §4.2): who transfers a call hangs up
//! as soon as its REFER is accepted. A NOTIFY waits for the answer to the one before it, so that they arrive in
//! order; what was skipped meanwhile is not told.
//!
//! Owner thread: the signalling core. This module must not transfer anything: that is the owner's.

use std::net::SocketAddr;
use std::time::Duration;

use tandem_time::Instant;

use super::compose;
use super::profile::ReferPolicy;
use super::replaces::Replaces;
use super::serving::way_of_dialog;
use super::session::Phase;
use super::{Event, RETRY_AFTER, Received, ReferId, Role, SessionError, SessionId, UserAgent};
use crate::dialog::{self, Dialog, Ends};
use crate::message::{Builder, HeaderName, Message, Method, OwnedMessage, reason_phrase};
use crate::transaction::{Outgoing, Routed, TransactionId};
use crate::transport::Hop;
use crate::uri::{Scheme, Uri};

/// REFERs of one session that are not done with; 503 beyond.
const REFERRALS_MAX: usize = 4;

/// How long the owner may think before a REFER is answered with 503. Its client gives up after 32 s.
const DECISION_MAX: Duration = Duration::from_secs(10);

/// How long a subscription lasts unless it is refreshed (RFC 3515 §2.4.4 leaves that to us): longer than any phone
/// rings.
const SUBSCRIPTION: Duration = Duration::from_secs(600);

/// RFC 3515 §3.
pub(super) const EVENT: &str = "refer";

/// RFC 4488 §4.
pub(super) const REFER_SUB: &str = "Refer-Sub";

/// A REFER of the peer that is not done with.
#[derive(Debug)]
pub(super) struct Referral {
    id: ReferId,
    /// RFC 3515 §2.4.6: all but the first of a dialog are named in their NOTIFYs.
    is_named: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The owner has not decided.
    Asked(Box<Asked>),
    /// Its client hears by NOTIFY what becomes of it.
    Subscribed(Subscription),
}

#[derive(Debug)]
struct Asked {
    request: OwnedMessage,
    source: SocketAddr,
    hop: Hop,
    transaction: TransactionId,
    /// RFC 4488: nobody wants to hear what becomes of it.
    is_silent: bool,
    until: Instant,
}

#[derive(Debug)]
struct Subscription {
    /// What the owner said last.
    status: u16,
    /// Why nothing follows (RFC 6665 §4.1.3); set with the last NOTIFY.
    ending: Option<&'static str>,
    /// Something is to be told.
    is_due: bool,
    /// A NOTIFY waits for its answer.
    in_flight: bool,
    until: Instant,
}

/// What a REFER asks for.
struct Wish {
    to: String,
    /// Whether it wants TLS on every hop to whom it names.
    scheme: Scheme,
    replaces: Option<Replaces>,
    referred_by: Option<String>,
}

impl Referral {
    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Asked(asked) => Some(asked.until),
            State::Subscribed(subscription) if subscription.ending.is_none() => Some(subscription.until),
            State::Subscribed(_) => None,
        }
    }

    fn is_done(&self) -> bool {
        match &self.state {
            State::Asked(_) => false,
            State::Subscribed(subscription) => {
                subscription.ending.is_some() && !subscription.is_due && !subscription.in_flight
            }
        }
    }
}

impl UserAgent {
    /// Agrees to a transfer (202). Its asker is told of progress by [`UserAgent::report_refer`].
    ///
    /// # Errors
    /// When no such transfer waits for a decision.
    pub fn accept_refer(
        &mut self,
        now: Instant,
        session: SessionId,
        refer: ReferId,
    ) -> Result<(), SessionError> {
        let (is_named, asked) = self.take_asked(session, refer)?;
        let is_silent = asked.is_silent;
        let scheme = self.scheme_of(session);
        self.answer_refer(now, session, &asked, 202, |builder| {
            let builder = builder.header(HeaderName::Contact, compose::contact(scheme, &asked.hop));
            if is_silent { builder.extension(REFER_SUB, "false") } else { builder }
        });
        if !is_silent {
            // RFC 3515 §2.4.4: the first NOTIFY follows at once.
            let until = now + SUBSCRIPTION;
            let subscription =
                Subscription { status: 100, ending: None, is_due: true, in_flight: false, until };
            self.keep_referral(
                session,
                Referral { id: refer, is_named, state: State::Subscribed(subscription) },
            );
            self.notify(now, session);
        }
        self.settle(session);
        Ok(())
    }

    /// Refuses a transfer with a final status of 300 to 699.
    ///
    /// # Errors
    /// When no such transfer waits for a decision, or the status is none of those.
    pub fn refuse_refer(
        &mut self,
        now: Instant,
        session: SessionId,
        refer: ReferId,
        status: u16,
    ) -> Result<(), SessionError> {
        if !(300..700).contains(&status) {
            return Err(SessionError::WrongState);
        }
        let (_, asked) = self.take_asked(session, refer)?;
        self.answer_refer(now, session, &asked, status, |builder| builder);
        self.settle(session);
        Ok(())
    }

    /// Tells whoever asked for a transfer how far it is: a provisional status, or the final one, after which nothing
    /// more is told.
    ///
    /// # Errors
    /// When there is no such transfer, or its asker wants to hear nothing (more); then there is nothing to do.
    pub fn report_refer(
        &mut self,
        now: Instant,
        session: SessionId,
        refer: ReferId,
        status: u16,
    ) -> Result<(), SessionError> {
        let told = self.with_referral(session, refer, |referral| match &mut referral.state {
            State::Subscribed(subscription) if subscription.ending.is_none() => {
                subscription.is_due |= subscription.status != status;
                subscription.status = status;
                subscription.ending = (status >= 200).then_some("noresource");
                Ok(())
            }
            _ => Err(SessionError::WrongState),
        });
        told.ok_or(SessionError::UnknownSession)??;
        self.notify(now, session);
        self.settle(session);
        Ok(())
    }

    /// RFC 3515 §2.4.2. `id` is that of the session whose dialog the REFER is in.
    pub(super) fn handle_refer(&mut self, now: Instant, id: SessionId, received: Received<'_>) {
        if self.profile(received.peer).refer == ReferPolicy::Refuse {
            return self.refuse(now, received, 403);
        }
        let Some(session) = self.sessions.get(id) else { return };
        let is_full = session.referrals.len() >= REFERRALS_MAX;
        if is_full || !matches!(session.phase, Phase::Confirmed(_)) {
            // There is no conversation to transfer yet, or too much of it.
            let status = if is_full { 503 } else { 500 };
            return self.respond_with(now, received, status, |builder| {
                builder.header(HeaderName::RetryAfter, RETRY_AFTER.as_secs())
            });
        }
        let takes_sips = self.config.listen.iter().any(|listen| listen.transport.is_secure());
        let wish = match wish(received.message, takes_sips) {
            Ok(wish) => wish,
            Err(status) => return self.refuse(now, received, status),
        };
        let refer = ReferId(received.essentials.cseq.number);
        let transaction = self.begin(received, Role::Unattended);
        let asked = Asked {
            request: received.message.to_owned(),
            source: received.packet.source,
            hop: way_of_dialog(received),
            transaction,
            is_silent: is_silent(received.message),
            until: now + DECISION_MAX,
        };
        let Some(session) = self.sessions.get_mut(id) else { return };
        let is_named = std::mem::replace(&mut session.was_referred, true);
        let replaces = wish.replaces.as_ref().and_then(|replaces| self.consulted(id, replaces));
        let is_stray = wish.replaces.is_some() && replaces.is_none();
        let state = State::Asked(Box::new(Asked { is_silent: asked.is_silent && !is_stray, ..asked }));
        self.keep_referral(id, Referral { id: refer, is_named, state });
        if is_stray {
            // Told by NOTIFY: a 481 to the REFER itself would end the dialog that it came in (RFC 5057 §5.1).
            let told =
                self.accept_refer(now, id, refer).and_then(|()| self.report_refer(now, id, refer, 481));
            debug_assert_eq!(told, Ok(()));
            return;
        }
        let Wish { to, scheme, referred_by, .. } = wish;
        // RFC 5630 §5.1.1.3: what follows from a call of sips is no less.
        let scheme = scheme.max(self.scheme_of(id));
        self.events.push_back(Event::TransferAsked { session: id, refer, to, scheme, replaces, referred_by });
        self.settle(id);
    }

    fn keep_referral(&mut self, id: SessionId, referral: Referral) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.referrals.push(referral);
        }
    }

    /// The answered session that a Refer-To wants replaced, if it is with the same party as the one that the REFER
    /// came in: a party disposes of its own calls only.
    fn consulted(&self, id: SessionId, replaces: &Replaces) -> Option<SessionId> {
        let asking = self.sessions.get(id)?;
        let (found, session) = self.named_by(replaces)?;
        let is_its_own = session.peer == asking.peer && session.user == asking.user;
        let is_answered = matches!(session.phase, Phase::Confirmed(_));
        (found != id && is_its_own && is_answered && !replaces.early_only).then_some(found)
    }

    /// RFC 3515 §2.4.4: the subscription that a REFER made is refreshed or ended by SUBSCRIBE; none is made by it.
    pub(super) fn handle_subscribe(&mut self, now: Instant, id: SessionId, received: Received<'_>) {
        let event = received.message.parameterised(HeaderName::Event).ok().flatten();
        let Some(event) = event.filter(|event| event.value.eq_ignore_ascii_case(EVENT)) else {
            return self.refuse_event(now, received);
        };
        let named = event.params.token("id").and_then(|id| id.parse().ok()).map(ReferId);
        let Ok(expires) = received.message.number(HeaderName::Expires) else {
            return self.refuse(now, received, 400);
        };
        let granted = expires.map_or(SUBSCRIPTION, |s| Duration::from_secs(s.into())).min(SUBSCRIPTION);
        let found = self.sessions.get_mut(id).and_then(|session| {
            session.referrals.iter_mut().find_map(|referral| match &mut referral.state {
                State::Subscribed(found) if named.is_none_or(|named| named == referral.id) => Some(found),
                _ => None,
            })
        });
        let Some(subscription) = found.filter(|found| found.ending.is_none()) else {
            return self.refuse(now, received, 481);
        };
        subscription.until = now + granted;
        subscription.is_due = true;
        subscription.ending = granted.is_zero().then_some("timeout");
        let contact = compose::contact(self.scheme_of(id), &way_of_dialog(received));
        self.respond_with(now, received, 200, |builder| {
            builder.header(HeaderName::Contact, contact).header(HeaderName::Expires, granted.as_secs())
        });
        self.notify(now, id);
        self.settle(id);
    }

    /// RFC 6665 §4.2.1.1: 489 says which events there are.
    pub(super) fn refuse_event(&mut self, now: Instant, received: Received<'_>) {
        self.respond_with(now, received, 489, |builder| builder.header(HeaderName::AllowEvents, EVENT));
    }

    /// Does what is due for the REFERs of a session.
    pub(super) fn expire_referrals(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let mut late = Vec::new();
        for referral in &mut session.referrals {
            let is_due = referral.deadline().is_some_and(|deadline| deadline <= now);
            match &mut referral.state {
                State::Asked(_) if is_due => late.push(referral.id),
                State::Subscribed(subscription) if is_due => {
                    subscription.ending = Some("timeout");
                    subscription.is_due = true;
                }
                _ => {}
            }
        }
        for refer in late {
            let refused = self.refuse_refer(now, id, refer, 503);
            debug_assert_eq!(refused, Ok(()));
        }
        self.notify(now, id);
    }

    /// The session is over: REFERs that nobody has decided on are too (RFC 3261 §15.1.2), the others go on in what
    /// remains of the dialog.
    fn abandon_asked(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get(id) else { return };
        let is_asked = |referral: &&Referral| matches!(referral.state, State::Asked(_));
        let asked: Vec<ReferId> = session.referrals.iter().filter(is_asked).map(|r| r.id).collect();
        for refer in asked {
            if let Ok((_, asked)) = self.take_asked(id, refer) {
                self.answer_refer(now, id, &asked, 487, |builder| builder);
            }
        }
    }

    /// The session's own use of its dialog is over: keeps the dialog for what else goes on in it.
    pub(super) fn keep_remains(&mut self, now: Instant, id: SessionId, dialog: &Dialog) {
        self.abandon_asked(now, id);
        if let Some(session) = self.sessions.get_mut(id)
            && matches!(session.phase, Phase::Over)
            && session.remains.is_none()
            && !session.referrals.is_empty()
        {
            session.remains = Some(Box::new(dialog.clone()));
        }
    }

    /// The dialog is of no use any more: nobody can be told anything in it.
    pub(super) fn forget_referrals(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        for referral in &mut session.referrals {
            if let State::Subscribed(subscription) = &mut referral.state {
                subscription.ending = Some("noresource");
                subscription.is_due = false;
            }
        }
        session.referrals.retain(|referral| !referral.is_done());
    }

    /// A NOTIFY has its final response, or none came (RFC 6665 §4.2.2): whoever does not want to hear is not told.
    pub(super) fn handle_notified(&mut self, now: Instant, id: SessionId, refer: ReferId, status: u16) {
        self.with_referral(id, refer, |referral| {
            if let State::Subscribed(subscription) = &mut referral.state {
                subscription.in_flight = false;
                if status >= 300 {
                    subscription.ending = Some("noresource");
                    subscription.is_due = false;
                }
            }
        });
        let is_confirmed =
            self.sessions.get(id).is_some_and(|session| matches!(session.phase, Phase::Confirmed(_)));
        if is_confirmed && dialog::ends(Method::Notify, status) == Ends::Dialog {
            return self.end_lost(now, id, Method::Notify, status);
        }
        self.notify(now, id);
        self.settle(id);
    }

    /// Sends what is due to be told and can be sent now.
    fn notify(&mut self, now: Instant, id: SessionId) {
        loop {
            let Some(session) = self.sessions.get_mut(id) else { return };
            session.referrals.retain(|referral| !referral.is_done());
            let due = session.referrals.iter_mut().find_map(|referral| match &mut referral.state {
                State::Subscribed(found) if found.is_due && !found.in_flight => {
                    found.is_due = false;
                    found.in_flight = true;
                    let state = match found.ending {
                        Some(reason) => format!("terminated;reason={reason}"),
                        None => format!("active;expires={}", (found.until - now).as_secs()),
                    };
                    let id = if referral.is_named { format!(";id={}", referral.id.0) } else { String::new() };
                    Some((referral.id, format!("{EVENT}{id}"), state, found.status))
                }
                _ => None,
            });
            let Some((refer, event, state, status)) = due else { return };
            let fragment = format!("SIP/2.0 {status} {}\r\n", reason_phrase(status));
            let headers = |builder: Builder| {
                builder.header(HeaderName::Event, event).header(HeaderName::SubscriptionState, state)
            };
            let body = Some(("message/sipfrag;version=2.0", fragment.as_bytes()));
            self.request_in_dialog(now, id, Method::Notify, Role::Notify(id, refer), headers, body);
        }
    }

    /// Sends a request in the dialog of a session, or in what remains of it.
    pub(super) fn request_in_dialog(
        &mut self,
        now: Instant,
        id: SessionId,
        method: Method<'static>,
        user: Role,
        headers: impl FnOnce(Builder) -> Builder,
        body: Option<(&str, &[u8])>,
    ) {
        let branch = self.branch();
        let Some(dialog) = self.sessions.get(id).and_then(|session| session.dialog()) else { return };
        let hop = self.way_in_dialog(id, dialog);
        let peer = self.peer_of(id);
        let contact = self.contact_for(&peer, dialog.scheme, &hop);
        let product = self.product_for(id).to_owned();
        let dialog = self.sessions.get_mut(id).and_then(|session| session.dialog_mut());
        let Some(dialog) = dialog else { return };
        let builder =
            dialog.request(method, &compose::via(&hop, &branch)).header(HeaderName::Contact, contact);
        let builder = headers(compose::with_user_agent(builder, &product));
        let bytes = match body {
            Some((content_type, body)) => builder.body(content_type, body),
            None => builder.finish(),
        };
        let first = Routed { hop, bytes: self.authorised(id, bytes) };
        let outgoing = Outgoing { method, branch: &branch, first, fallback: None, user };
        self.send(now, &peer, outgoing);
    }

    fn answer_refer(
        &mut self,
        now: Instant,
        id: SessionId,
        asked: &Asked,
        status: u16,
        headers: impl FnOnce(Builder) -> Builder,
    ) {
        let request = asked.request.view();
        let reply = compose::reply(&request, asked.source, status, None, self.product_for(id));
        let reply = self.with_session_id(id, reply);
        self.respond(now, asked.transaction, status, headers(reply).finish());
    }

    /// Takes out a REFER that waits for a decision, and whether it is named in its NOTIFYs.
    fn take_asked(&mut self, session: SessionId, refer: ReferId) -> Result<(bool, Box<Asked>), SessionError> {
        let session = self.sessions.get_mut(session).ok_or(SessionError::UnknownSession)?;
        let is_it =
            |referral: &mut Referral| referral.id == refer && matches!(referral.state, State::Asked(_));
        match session.referrals.extract_if(.., is_it).next() {
            Some(Referral { is_named, state: State::Asked(asked), .. }) => Ok((is_named, asked)),
            _ => Err(SessionError::WrongState),
        }
    }

    fn with_referral<T>(
        &mut self,
        session: SessionId,
        refer: ReferId,
        act: impl FnOnce(&mut Referral) -> T,
    ) -> Option<T> {
        let referrals = &mut self.sessions.get_mut(session)?.referrals;
        referrals.iter_mut().find(|referral| referral.id == refer).map(act)
    }
}

/// Reads a REFER, or says with which status it is refused. `sips:` is for those who speak TLS.
fn wish(request: &Message<'_>, takes_sips: bool) -> Result<Wish, u16> {
    // RFC 3515 §2.4.2: exactly one.
    let Ok(Some(refer_to)) = request.address(HeaderName::ReferTo) else { return Err(400) };
    // RFC 3892 §2.1: at most one.
    let referred_by = request.address(HeaderName::ReferredBy).map_err(|_| 400_u16)?;
    let uri = refer_to.uri().map_err(|_| 400_u16)?;
    let (to, replaces) = match &uri {
        Uri::Tel(tel) => (tel.digits(), None),
        Uri::Sip(sip) if !sip.secure || takes_sips => {
            // RFC 3515 §2.1: other methods could be asked for; we do calls.
            if sip.params.value("method").is_some_and(|method| !method.eq_ignore_ascii_case(b"INVITE")) {
                return Err(403);
            }
            let replaces = match Replaces::in_uri(sip) {
                Some(None) => return Err(400),
                Some(found) => found,
                None => None,
            };
            let user = sip.user().unwrap_or_default();
            (user.split(';').next().unwrap_or_default().to_owned(), replaces)
        }
        // RFC 3515 §2.4.2.
        _ => return Err(416),
    };
    if to.is_empty() && replaces.is_none() {
        return Err(484);
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let scheme = Scheme::of(refer_to.uri_bytes);
    Ok(Wish { to, scheme, replaces, referred_by: referred_by.map(|by| text(by.uri_bytes)) })
}

/// RFC 4488 §4: `Refer-Sub: false`, or a Require of it.
fn is_silent(request: &Message<'_>) -> bool {
    says_no_subscription(request) || request.lists(HeaderName::Require, "norefersub")
}

/// RFC 4488 §4: `Refer-Sub: false`.
pub(super) fn says_no_subscription(message: &Message<'_>) -> bool {
    let mut values = message.extensions(REFER_SUB).map(|header| header.value);
    values.any(|value| {
        value.split(|b| *b == b';').next().is_some_and(|v| v.trim_ascii().eq_ignore_ascii_case(b"false"))
    })
}
