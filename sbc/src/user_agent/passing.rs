//! Offers inside calls whose media does not pass us: each goes on to the other leg, and what that says comes back.
//!
//! ```text
//!   peer            we             other leg's peer
//!    │ re-INVITE, UPDATE │               │
//!    │──────────────────▶│   re-INVITE   │       Waiting there, PassedOn here
//!    │   100 (INVITE)    │──────────────▶│
//!    │◀──────────────────│  200, answer  │
//!    │   200, answer     │◀──────────────│       or what refuses it: 488, 491, …
//!    │◀──────────────────│      ACK      │
//!    │       ACK         │──────────────▶│
//! ```
//!
//! A re-INVITE without an offer gets that of the other leg's 2xx, whose ACK waits for the peer's. An UPDATE goes on as
//! a re-INVITE too, which everybody knows (RFC 3311 §5.1 prefers it once a dialog is confirmed). One offer at a time is
//! under way in a call: while it is, another one of the same peer gets 500 with Retry-After, and one of the other peer
//! 491 (RFC 3261 §14.2); so does one that comes before both legs are confirmed. UPDATEs without an offer, and offers
//! before the answer, are not passed on.

use tandem_time::Instant;

use super::compose::{self, Description};
use super::expiry::with_agreement;
use super::owner::with_capabilities;
use super::serving::way_of_dialog;
use super::session::{Asked, Phase, Session, Success};
use super::through::Through;
use super::{Received, Role, SessionId, UserAgent};
use crate::dialog::{self, Ends};
use crate::message::{HeaderName, Method, OwnedMessage};
use crate::offer_answer::is_description;
use crate::transaction::{Outgoing, Routed, TransactionId};

/// A request of the peer's that waits for the other leg.
#[derive(Debug)]
pub(super) struct Waiting {
    request: OwnedMessage,
    asked: Asked,
    is_invite: bool,
    /// Whether the offer is to come from the other leg.
    is_late: bool,
}

/// The re-INVITE that passes it on.
#[derive(Clone, Copy, Debug)]
pub(super) struct PassedOn {
    transaction: TransactionId,
    give_up: Instant,
    cancel: Cancel,
}

/// RFC 3261 §9.1: CANCEL must wait for a provisional response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cancel {
    /// Not wanted, and nothing has come.
    NotYet,
    /// Not wanted, and may be sent.
    Possible,
    /// To be sent with the first provisional response.
    Wanted,
    /// Sent.
    Sent,
}

impl Through {
    /// Its re-INVITE goes on in another transaction.
    pub(super) fn is_sent_again(&mut self, before: TransactionId, again: TransactionId) {
        if let Some(out) = self.passed_on.as_mut().filter(|out| out.transaction == before) {
            (out.transaction, out.cancel) = (again, Cancel::NotYet);
        }
    }

    pub(super) fn is_out(&self) -> bool {
        self.passed_on.is_some()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.passed_on.map(|out| out.give_up)
    }
}

impl UserAgent {
    /// Passes a re-INVITE or UPDATE on.
    pub(super) fn pass_offer(&mut self, now: Instant, id: SessionId, received: Received<'_>) {
        let offer = match compose::description(received.message) {
            Description::Unsupported => return self.refuse_content(now, received),
            Description::Sdp(offer) if !is_description(offer) => return self.refuse(now, received, 400),
            Description::Sdp(offer) => Some(offer),
            Description::None => None,
        };
        let other = match self.whom_to_ask(id) {
            Ok(other) => other,
            Err(500) => return self.refuse_for_now(now, received),
            Err(status) => return self.refuse(now, received, status),
        };
        let transaction = self.begin(received, Role::Asking(id));
        let is_invite = received.essentials.cseq.method == Method::Invite;
        if is_invite {
            let trying = self.reply(received, 100, None).finish();
            self.respond(now, transaction, 100, trying);
        }
        let asked = Asked { transaction, source: received.packet.source, hop: way_of_dialog(received) };
        let waiting =
            Waiting { request: received.message.to_owned(), asked, is_invite, is_late: offer.is_none() };
        if let Some(through) = self.through_mut(id) {
            through.waiting = Some(Box::new(waiting));
            if let Some(offer) = offer {
                through.described = offer.to_vec();
            }
        }
        self.send_passed(now, other, offer);
        self.settle(other);
        self.settle(id);
    }

    /// The leg that an offer of this one goes on to, when neither has another one under way.
    fn whom_to_ask(&self, id: SessionId) -> Result<SessionId, u16> {
        let session = self.sessions.get(id).ok_or(481_u16)?;
        let through = session.through.as_ref().ok_or(488_u16)?;
        if through.waiting.is_some() {
            return Err(500);
        }
        let other = through.other.ok_or(488_u16)?;
        let asked = self.sessions.get(other).ok_or(488_u16)?;
        if session.is_quiet() && asked.is_quiet() { Ok(other) } else { Err(491) }
    }

    fn send_passed(&mut self, now: Instant, id: SessionId, offer: Option<&[u8]>) {
        let give_up = now + self.timers_for(id).transaction_timeout();
        let (branch, product) = (self.branch(), self.product_for(id).to_owned());
        let profile = self.profile_for(id).clone();
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(through) = &mut session.through else { return };
        through.is_offered_late = offer.is_none();
        let body = offer.map(|offer| through.origin.pass(offer));
        let Some(mut dialog) = session.dialog().cloned() else { return };
        let hop = self.way_in_dialog(id, &dialog);
        let builder = dialog.request(Method::Invite, &compose::via(&hop, &branch));
        let builder = with_capabilities(builder, dialog.scheme, &hop, &profile);
        let builder = compose::with_user_agent(self.with_interval(id, builder), &product);
        let bytes = match body {
            Some(body) => builder.body("application/sdp", &body),
            None => builder.finish(),
        };
        let bytes = self.authorised(id, bytes);
        let (first, user) = (Routed { hop, bytes }, Role::Passed(id));
        let outgoing = Outgoing { method: Method::Invite, branch: &branch, first, fallback: None, user };
        let peer = self.peer_of(id);
        let transaction = self.send(now, &peer, outgoing);
        let Some(session) = self.sessions.get_mut(id) else { return };
        if let Some(kept) = session.dialog_mut() {
            *kept = dialog;
        }
        if let Some(through) = &mut session.through {
            through.passed_on = Some(PassedOn { transaction, give_up, cancel: Cancel::NotYet });
        }
    }

    pub(super) fn handle_passed_response(
        &mut self,
        now: Instant,
        id: SessionId,
        transaction: TransactionId,
        received: Received<'_>,
        status: u16,
        repeated: bool,
    ) {
        match status {
            ..200 => self.note_provisional_of_passed(now, id, transaction),
            200..300 if repeated => {
                let is_due = self.through_mut(id).is_some_and(|through| through.ack_due.is_some());
                if !is_due {
                    self.acknowledge(id, transaction, received);
                }
            }
            200..300 => self.handle_passed_success(now, id, transaction, received),
            300.. => self.handle_passed_failure(now, id, transaction, status),
        }
    }

    fn handle_passed_success(
        &mut self,
        now: Instant,
        id: SessionId,
        transaction: TransactionId,
        received: Received<'_>,
    ) {
        let is_current = self.take_passed_on(id, transaction);
        let asker = self.other_leg(id).filter(|_| is_current);
        let waiting = asker.and_then(|asker| Some((asker, self.through_mut(asker)?.waiting.take()?)));
        let described = match compose::description(received.message) {
            Description::Sdp(described) if is_description(described) => Some(described),
            _ => None,
        };
        let (Some((asker, waiting)), Some(described)) = (waiting, described) else {
            self.acknowledge(id, transaction, received);
            if let Some(asker) = asker {
                self.refuse_waiting(now, asker, 488);
            }
            // The peer believes in a session that nobody can have.
            return self.end_dialog(now, id, 488, "no answer to the offer");
        };
        self.take_expiry(now, id, received.message);
        if let Some(through) = self.through_mut(id) {
            through.described = described.to_vec();
        }
        if waiting.is_late {
            let cseq = received.essentials.cseq.number;
            if let Some(dialog) = self.sessions.get_mut(id).and_then(Session::dialog_mut) {
                dialog.refresh_target(received.message);
            }
            if let Some(through) = self.through_mut(id) {
                through.ack_due = Some((transaction, cseq));
            }
        } else {
            self.acknowledge(id, transaction, received);
        }
        self.grant(now, asker, &waiting, described);
        self.settle(id);
        self.settle(asker);
    }

    /// Tells the peer that asked what the other leg said.
    fn grant(&mut self, now: Instant, id: SessionId, waiting: &Waiting, described: &[u8]) {
        let profile = self.profile_for(id).clone();
        let product = self.product_for(id).to_owned();
        let timers = self.timers_for(id);
        let request = waiting.request.view();
        let agreement = self.agree_on_expiry(now, id, &request);
        let scheme = self.scheme_of(id);
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(through) = &mut session.through else { return };
        let body = through.origin.pass(described);
        let Asked { transaction, source, hop } = waiting.asked;
        let builder = compose::reply(&request, source, 200, None, &product);
        let builder = with_agreement(with_capabilities(builder, scheme, &hop, &profile), agreement);
        let bytes = builder.body("application/sdp", &body);
        if let Phase::Confirmed(confirmed) = &mut session.phase {
            confirmed.dialog.refresh_target(&request);
            let cseq = request.cseq().map(|cseq| cseq.number).unwrap_or_default();
            let success = || Success::new(now, timers, transaction, bytes.clone(), cseq);
            confirmed.success = waiting.is_invite.then(success);
        }
        self.respond(now, transaction, 200, bytes);
    }

    /// The other leg refused, or could not be asked: §14.1, the call goes on as it was.
    pub(super) fn handle_passed_failure(
        &mut self,
        now: Instant,
        id: SessionId,
        transaction: TransactionId,
        status: u16,
    ) {
        if !self.take_passed_on(id, transaction) {
            return;
        }
        if let Some(asker) = self.other_leg(id) {
            self.refuse_waiting(now, asker, status_of_refusal(status));
            self.settle(asker);
        }
        if matches!(dialog::ends(Method::Invite, status), Ends::Usage | Ends::Dialog) {
            return self.end_lost(now, id, Method::Invite, status);
        }
        self.settle(id);
    }

    /// Refuses what waits in a session, if something does.
    pub(super) fn refuse_waiting(&mut self, now: Instant, id: SessionId, status: u16) {
        let Some(waiting) = self.through_mut(id).and_then(|through| through.waiting.take()) else { return };
        let product = self.product_for(id).to_owned();
        let Asked { transaction, source, .. } = waiting.asked;
        let mut builder = compose::reply(&waiting.request.view(), source, status, None, &product);
        if status == 500 {
            builder = builder.header(HeaderName::RetryAfter, 5);
        }
        self.respond(now, transaction, status, builder.finish());
    }

    /// Gives up what the other leg does not answer.
    pub(super) fn give_up_passed_on(&mut self, now: Instant, id: SessionId) {
        let out = self.through_mut(id).and_then(|through| through.passed_on);
        if let Some(out) = out.filter(|out| out.give_up <= now) {
            self.transactions.abandon(out.transaction);
            self.handle_passed_failure(now, id, out.transaction, 408);
        }
    }

    /// The peer cancels what waits: so do we what passed it on, and its answer is the peer's (§9.2).
    pub(super) fn cancel_passed_on(&mut self, now: Instant, asker: SessionId) {
        let Some(id) = self.other_leg(asker) else { return };
        let Some(out) = self.through_mut(id).and_then(|through| through.passed_on.as_mut()) else { return };
        match out.cancel {
            Cancel::NotYet => out.cancel = Cancel::Wanted,
            Cancel::Possible => {
                out.cancel = Cancel::Sent;
                let transaction = out.transaction;
                self.send_cancel(now, transaction, None);
            }
            Cancel::Wanted | Cancel::Sent => {}
        }
    }

    fn note_provisional_of_passed(&mut self, now: Instant, id: SessionId, transaction: TransactionId) {
        let Some(out) = self.through_mut(id).and_then(|through| through.passed_on.as_mut()) else { return };
        match out.cancel {
            _ if out.transaction != transaction => {}
            Cancel::NotYet => out.cancel = Cancel::Possible,
            Cancel::Wanted => {
                out.cancel = Cancel::Sent;
                self.send_cancel(now, transaction, None);
            }
            Cancel::Possible | Cancel::Sent => {}
        }
    }

    fn take_passed_on(&mut self, id: SessionId, transaction: TransactionId) -> bool {
        let through = self.through_mut(id);
        through.is_some_and(|it| it.passed_on.take_if(|out| out.transaction == transaction).is_some())
    }
}

impl Session {
    /// Whether an offer may be made in it.
    fn is_quiet(&self) -> bool {
        self.change.is_none() && self.is_between_offers()
    }

    /// Whether no offer of either leg is under way in it.
    pub(super) fn is_between_offers(&self) -> bool {
        let Phase::Confirmed(confirmed) = &self.phase else { return false };
        let is_between = |through: &Through| {
            through.waiting.is_none() && through.passed_on.is_none() && through.ack_due.is_none()
        };
        confirmed.success.is_none() && self.through.as_deref().is_some_and(is_between)
    }
}

/// What the peer is told when the other leg refused with `status`: what concerns our own request says that the change
/// is not to be had.
const fn status_of_refusal(status: u16) -> u16 {
    match status {
        403 | 415 | 480 | 486..=488 | 491 | 500 | 504 | 600 | 603 | 606 => status,
        503 => 500,
        _ => 488,
    }
}
