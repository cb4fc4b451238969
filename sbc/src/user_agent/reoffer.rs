//! Changes of a session that we ask for: by re-INVITE once it is confirmed (RFC 3261 §14.1), by UPDATE before
//! (RFC 3311 §5.1), and refreshes, which change nothing (RFC 4028 §7.4): by UPDATE without an offer where the peer takes
//! it, else by re-INVITE with the description that it has. Whatever is refused leaves the session as it was.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use tandem_time::Instant;

use super::compose::{self, Description};
use super::early::{in_order, rseq};
use super::owner::with_capabilities;
use super::session::{Phase, Session};
use super::{Ender, Event, Received, Reoffer, Role, SessionError, SessionId, UserAgent};
use crate::dialog::{self, Dialog, Ends};
use crate::message::Method;
use crate::offer_answer::{Step, Verdict};
use crate::transaction::{Outgoing, Routed, TransactionId};
use crate::transport::Hop;

/// Refused by an offer of the peer's that crossed ours.
const REQUEST_PENDING: u16 = 491;

/// How often one change is sent: crossed, or by another method.
const SENT_MAX: u8 = 10;

/// A change that is not done.
#[derive(Debug)]
pub(super) struct Change {
    wish: Wish,
    /// The dialog it is of.
    remote_tag: String,
    state: State,
    /// How often it was sent.
    sent: u8,
}

#[derive(Debug)]
enum Wish {
    /// The owner's, who hears what became of it.
    Owner(Reoffer),
    /// That the session goes on as it is.
    Refresh,
}

/// What carries a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carrier {
    Invite,
    Update,
    /// An UPDATE without an offer.
    BareUpdate,
}

impl Carrier {
    const fn method(self) -> Method<'static> {
        match self {
            Self::Invite => Method::Invite,
            Self::Update | Self::BareUpdate => Method::Update,
        }
    }
}

/// ```text
/// Later ──due, and nothing else is open──▶ Out ──2xx, or refused──▶ (done)
///   ▲                                        │ 491
///   └────────────────────────────────────────┘
/// ```
#[derive(Clone, Copy, Debug)]
enum State {
    /// To be sent.
    Later { at: Instant },
    /// Sent; given up when no final response came by then, as a 408.
    Out {
        transaction: TransactionId,
        carrier: Carrier,
        give_up: Instant,
        /// Of the reliable 1xx acknowledged last.
        rseq: Option<u32>,
    },
}

impl Change {
    /// Its request goes on in another transaction.
    pub(super) fn is_sent_again(&mut self, before: TransactionId, again: TransactionId) {
        if let State::Out { transaction, .. } = &mut self.state
            && *transaction == before
        {
            *transaction = again;
        }
    }

    /// Whether it is of the dialog with that tag.
    pub(super) fn is_of(&self, remote_tag: Option<&str>) -> bool {
        remote_tag == Some(self.remote_tag.as_str()) && !self.is_out()
    }

    /// Its request has no final response.
    pub(super) fn is_out(&self) -> bool {
        matches!(self.state, State::Out { .. })
    }

    pub(super) fn deadline(&self) -> Instant {
        match self.state {
            State::Later { at } => at,
            State::Out { give_up, .. } => give_up,
        }
    }
}

impl UserAgent {
    /// Asks the peer to change the session: another direction (hold, resume), or another local address or codecs.
    /// [`Event::Reoffered`] tells what became of it, after [`Event::Media`] when the audio has changed. An offer of
    /// the peer's that crosses it is waited out (RFC 3261 §14.1).
    ///
    /// # Errors
    /// When there is no dialog in which an offer could be made, or a change is under way.
    pub fn reoffer(
        &mut self,
        now: Instant,
        session: SessionId,
        reoffer: Reoffer,
    ) -> Result<(), SessionError> {
        let kept = self.sessions.get(session).ok_or(SessionError::UnknownSession)?;
        let media = reoffer.media.map(|media| self.profile(&kept.peer).fit(media));
        let kept = self.sessions.get_mut(session).ok_or(SessionError::UnknownSession)?;
        let remote_tag = kept.tag_to_change().ok_or(SessionError::WrongState)?;
        if kept.change.is_some() || kept.through.is_some() {
            return Err(SessionError::WrongState);
        }
        let wish = Wish::Owner(Reoffer { media, ..reoffer });
        kept.change = Some(Box::new(Change { wish, remote_tag, state: State::Later { at: now }, sent: 0 }));
        self.advance_change(now, session);
        self.settle(session);
        Ok(())
    }

    /// Refreshes a confirmed session, unless a change is under way, which does so too.
    pub(super) fn begin_refresh(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id).filter(|session| session.change.is_none()) else {
            return;
        };
        let Some(remote_tag) = session.tag_to_change() else { return };
        let state = State::Later { at: now };
        session.change = Some(Box::new(Change { wish: Wish::Refresh, remote_tag, state, sent: 0 }));
        self.advance_change(now, id);
    }

    /// Sends a change that is due, or gives up one that nobody answers.
    pub(super) fn advance_change(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(change) = session.change.as_ref().filter(|change| change.deadline() <= now) else { return };
        match change.state {
            State::Out { transaction, .. } => {
                self.transactions.abandon(transaction);
                self.handle_change_failure(now, id, transaction, 408);
            }
            State::Later { .. } if session.is_ended() => session.change = None,
            State::Later { .. } => self.send_change(now, id),
        }
    }

    fn send_change(&mut self, now: Instant, id: SessionId) {
        let timers = self.timers_for(id);
        let profile = self.profile_for(id).clone();
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(mut change) = session.change.take() else { return };
        let carrier = session.carrier_of(&change.wish);
        let body = match session.described_in(&change, carrier, &mut self.rng) {
            Ok(body) => body,
            Err(Unsaid::Never) => return,
            Err(Unsaid::NotNow) => {
                change.state = State::Later { at: now + timers.t1 };
                session.change = Some(change);
                return;
            }
        };
        let branch = self.branch();
        let product = self.product_for(id).to_owned();
        let kept = self.sessions.get_mut(id).and_then(|session| session.dialog_with(&change.remote_tag));
        let Some(mut dialog) = kept.cloned() else { return };
        let hop = self.way_in_dialog(id, &dialog);
        let method = carrier.method();
        let builder = dialog.request(method, &compose::via(&hop, &branch));
        let builder = with_capabilities(builder, dialog.scheme, &hop, &profile);
        let builder = compose::with_user_agent(self.with_interval(id, builder), &product);
        let bytes = match &body {
            Some(body) => builder.body("application/sdp", body),
            None => builder.finish(),
        };
        let bytes = self.authorised(id, bytes);
        let (first, user) = (Routed { hop, bytes }, Role::Change(id));
        let outgoing = Outgoing { method, branch: &branch, first, fallback: None, user };
        let peer = self.peer_of(id);
        let transaction = self.send(now, &peer, outgoing);
        let give_up = now + timers.transaction_timeout();
        change.state = State::Out { transaction, carrier, give_up, rseq: None };
        change.sent += 1;
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.early_cseq = session.early_cseq.max(dialog.local_cseq());
        if let Some(kept) = session.dialog_with(&change.remote_tag) {
            *kept = dialog;
        }
        session.change = Some(change);
    }

    pub(super) fn handle_change_response(
        &mut self,
        now: Instant,
        id: SessionId,
        transaction: TransactionId,
        received: Received<'_>,
        status: u16,
        repeated: bool,
    ) {
        match status {
            ..200 => self.handle_change_provisional(now, id, transaction, received),
            200..300 => {
                if received.essentials.cseq.method == Method::Invite {
                    self.acknowledge(id, transaction, received);
                }
                if !repeated {
                    self.hear_gate(id, received, received.essentials.to.tag().unwrap_or_default());
                    self.handle_change_success(now, id, transaction, received);
                }
            }
            300.. => self.handle_change_failure(now, id, transaction, status),
        }
    }

    /// A reliable 1xx to a re-INVITE has its PRACK, and may have the answer (RFC 3262 §4, §5).
    fn handle_change_provisional(
        &mut self,
        now: Instant,
        id: SessionId,
        transaction: TransactionId,
        received: Received<'_>,
    ) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(change) = &mut session.change else { return };
        let tag = change.remote_tag.clone();
        let State::Out { transaction: out, rseq: last, carrier: Carrier::Invite, .. } = &mut change.state
        else {
            return;
        };
        let Some(rseq) = rseq(received.message).filter(|rseq| in_order(*last, *rseq)) else { return };
        if *out != transaction {
            return;
        }
        *last = Some(rseq);
        let mut changed = None;
        if let Description::Sdp(answer) = compose::description(received.message)
            && let Some(media) = session.media_with(&tag)
        {
            let before = media.agreed().cloned();
            if media.step(Step::Reliable) == Verdict::Take {
                let taken = media.accept_answer(answer, received.packet.source.ip()).ok();
                changed = taken.filter(|audio| before.as_ref() != Some(audio));
            }
        }
        self.send_prack(now, id, &tag, rseq, received.essentials.cseq.number);
        if let Some(audio) = changed {
            self.tell_updated(id, &tag, audio);
        }
        self.settle(id);
    }

    /// Each copy of a 2xx has its ACK, whatever became of the session.
    pub(super) fn acknowledge(&mut self, id: SessionId, transaction: TransactionId, received: Received<'_>) {
        let Some((_, sent_on)) = self.transactions.sent(transaction) else { return };
        let hop = Hop { flow: received.packet.flow.or(sent_on.flow), ..sent_on };
        let kept = self.sessions.get_mut(id).and_then(Session::dialog_mut);
        let dialog = match kept {
            Some(dialog) => {
                dialog.refresh_target(received.message);
                dialog.clone()
            }
            None => Dialog::of_response(received.message, received.essentials, hop),
        };
        self.send_ack(id, transaction, &dialog, received.essentials.cseq.number);
    }

    fn handle_change_success(
        &mut self,
        now: Instant,
        id: SessionId,
        transaction: TransactionId,
        received: Received<'_>,
    ) {
        let Some((change, carrier)) = self.take_change(id, transaction) else { return };
        let Some(session) = self.sessions.get_mut(id) else { return };
        if carrier != Carrier::Invite
            && let Some(dialog) = session.dialog_with(&change.remote_tag)
        {
            // RFC 3311 §5.1; that of an INVITE was taken with its ACK.
            dialog.refresh_target(received.message);
        }
        if session.through.is_some() {
            self.take_expiry(now, id, received.message);
            return self.settle(id);
        }
        let Some(media) = session.media_with(&change.remote_tag) else { return self.settle(id) };
        let before = media.agreed().cloned();
        let sdp = match compose::description(received.message) {
            Description::Sdp(sdp) => Some(sdp),
            _ => None,
        };
        let description = sdp.is_some();
        let step = match carrier {
            Carrier::Invite => Some(Step::Success { description }),
            Carrier::Update => Some(Step::Updated { description }),
            Carrier::BareUpdate => None,
        };
        let source = received.packet.source.ip();
        let taken = match (step.map(|step| media.step(step)), sdp) {
            (Some(Verdict::Take), Some(answer)) => media.accept_answer(answer, source).ok(),
            // Nothing was offered, or a reliable 1xx has answered.
            (None | Some(Verdict::Plain), _) => before.clone(),
            _ => None,
        };
        let Some(audio) = taken else {
            media.undo();
            if carrier == Carrier::Invite {
                // The peer believes in a session that we cannot have.
                return self.end_dialog(now, id, 488, "no answer to the offer");
            }
            self.note_refused_refresh(now, id);
            self.tell_reoffered(id, &change, 488);
            return self.settle(id);
        };
        media.settle_change();
        if matches!(session.phase, Phase::Confirmed(_)) {
            self.take_expiry(now, id, received.message);
        }
        if before.as_ref() != Some(&audio) {
            self.tell_updated(id, &change.remote_tag, audio);
        }
        self.tell_reoffered(id, &change, 200);
        self.settle(id);
    }

    /// §14.1: the session stays as it was, unless the response says that its dialog, or its usage of the dialog, is over.
    pub(super) fn handle_change_failure(
        &mut self,
        now: Instant,
        id: SessionId,
        transaction: TransactionId,
        status: u16,
    ) {
        let Some((mut change, carrier)) = self.take_change(id, transaction) else { return };
        let wait = self.back_off(id);
        let Some(session) = self.sessions.get_mut(id) else { return };
        let (is_confirmed, is_ended) = (matches!(session.phase, Phase::Confirmed(_)), session.is_ended());
        let step = match carrier {
            Carrier::Invite => Some(Step::Failure),
            Carrier::Update => Some(Step::UpdateFailed),
            Carrier::BareUpdate => None,
        };
        if let (Some(step), Some(media)) = (step, session.media_with(&change.remote_tag))
            && media.step(step) == Verdict::Undo
        {
            media.undo();
        }
        let may_go_again = !is_ended && change.sent < SENT_MAX;
        match (status, dialog::ends(carrier.method(), status)) {
            (REQUEST_PENDING, _) if may_go_again => {
                change.state = State::Later { at: now + wait };
                session.change = Some(change);
            }
            (405 | 501, Ends::Transaction) if carrier == Carrier::BareUpdate && may_go_again => {
                // What it said of itself in Allow is not so.
                session.refreshing.takes_update = false;
                change.state = State::Later { at: now };
                session.change = Some(change);
                self.advance_change(now, id);
            }
            (_, Ends::Usage | Ends::Dialog) if is_confirmed => {
                return self.end_lost(now, id, carrier.method(), status);
            }
            _ => {
                self.note_refused_refresh(now, id);
                self.tell_reoffered(id, &change, status);
            }
        }
        self.settle(id);
    }

    /// A request in a confirmed dialog met a response that ends the session, and perhaps everything else in the dialog
    /// (RFC 5057 §5.1).
    pub(super) fn end_lost(&mut self, now: Instant, id: SessionId, method: Method<'_>, status: u16) {
        if dialog::ends(method, status) == Ends::Dialog {
            self.forget_referrals(id);
        }
        self.end_dialog(now, id, status, "dialog lost");
    }

    /// §14.1: 2.1 to 4 seconds for the side whose Call-ID it is, up to 2 for the other, in units of 10 ms.
    fn back_off(&mut self, id: SessionId) -> Duration {
        let number = rand::Rng::next_u32(&mut self.rng);
        let is_ours =
            self.sessions.get(id).and_then(Session::dialog).is_some_and(|dialog| dialog.is_call_id_ours);
        let units = if is_ours { 210 + number % 191 } else { number % 201 };
        Duration::from_millis(10 * u64::from(units))
    }

    fn take_change(&mut self, id: SessionId, transaction: TransactionId) -> Option<(Box<Change>, Carrier)> {
        let session = self.sessions.get_mut(id)?;
        let is_it = |change: &mut Box<Change>| matches!(change.state, State::Out { transaction: out, .. } if out == transaction);
        let change = session.change.take_if(is_it)?;
        let State::Out { carrier, .. } = change.state else { return None };
        Some((change, carrier))
    }

    /// Says BYE in a confirmed dialog that cannot go on.
    pub(super) fn end_dialog(&mut self, now: Instant, id: SessionId, status: u16, reason: &str) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        match std::mem::replace(&mut session.phase, Phase::Over) {
            Phase::Confirmed(mut confirmed) => {
                self.say_bye_after(now, id, &mut confirmed.dialog, compose::Cause::Recovery, Some(reason));
                self.tell_ended(now, id, Ender::Failure, status, reason);
            }
            other => session.phase = other,
        }
        self.settle(id);
    }

    fn tell_reoffered(&mut self, session: SessionId, change: &Change, status: u16) {
        let is_ended = self.sessions.get(session).is_none_or(Session::is_ended);
        if matches!(change.wish, Wish::Owner(_)) && !is_ended {
            self.events.push_back(Event::Reoffered { session, status });
        }
    }
}

/// Why a change does not go out.
enum Unsaid {
    /// Something else is open; it ends in bounded time.
    NotNow,
    /// Nothing is negotiated in its dialog any more.
    Never,
}

impl Session {
    /// What a change says of media, when it is to say something.
    fn described_in(
        &mut self,
        change: &Change,
        carrier: Carrier,
        rng: &mut ChaCha8Rng,
    ) -> Result<Option<Vec<u8>>, Unsaid> {
        if let Some(through) = &self.through {
            // The owner changes nothing where the other leg decides; what the peer has been told stands.
            return match carrier {
                Carrier::BareUpdate => Ok(None),
                _ if self.is_between_offers() => Ok(Some(through.origin.said().to_vec())),
                _ => Err(Unsaid::NotNow),
            };
        }
        let media = self.media_with(&change.remote_tag).ok_or(Unsaid::Never)?;
        let step = match carrier {
            Carrier::Invite => Step::SendInvite,
            Carrier::Update => Step::SendUpdate,
            Carrier::BareUpdate => return Ok(None),
        };
        if media.step(step) != Verdict::Offer {
            return Err(Unsaid::NotNow);
        }
        Ok(Some(match &change.wish {
            Wish::Refresh => media.offer_again(rng),
            Wish::Owner(reoffer) => {
                media.change(reoffer);
                media.offer(rng)
            }
        }))
    }

    fn carrier_of(&self, wish: &Wish) -> Carrier {
        match (&self.phase, wish) {
            (Phase::Confirmed(_), Wish::Refresh) if self.refreshing.takes_update => Carrier::BareUpdate,
            (Phase::Confirmed(_), _) => Carrier::Invite,
            _ => Carrier::Update,
        }
    }

    /// The dialog in which an offer of ours may go.
    fn tag_to_change(&self) -> Option<String> {
        match &self.phase {
            Phase::Confirmed(confirmed) => Some(confirmed.dialog.remote_tag.clone()),
            Phase::Offered(offered) if offered.media.is_some() => Some(offered.dialog.remote_tag.clone()),
            Phase::Calling(calling) => {
                let agreed = calling.early.iter().rev().find(|early| early.rseq.is_some());
                agreed.map(|early| early.dialog.remote_tag.clone())
            }
            _ => None,
        }
    }
}
