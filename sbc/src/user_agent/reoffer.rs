//! Changes of a session that we ask for: by re-INVITE once it is confirmed (RFC 3261 §14.1), by UPDATE before
//! (RFC 3311 §5.1). Whatever is refused leaves the session as it was.

use std::time::Duration;

use tandem_time::Instant;

use super::compose::{self, Description};
use super::owner::with_capabilities;
use super::session::{Phase, Session};
use super::{Ender, Event, Received, Reoffer, Role, SessionError, SessionId, UserAgent};
use crate::dialog::Dialog;
use crate::message::Method;
use crate::offer_answer::{Step, Verdict};
use crate::transaction::{Outgoing, Routed, TransactionId};
use crate::transport::Hop;

/// Refused by an offer of the peer's that crossed ours.
const REQUEST_PENDING: u16 = 491;

/// A change that is not done.
#[derive(Debug)]
pub(super) struct Change {
    reoffer: Reoffer,
    /// The dialog it is of.
    remote_tag: String,
    /// Whether the owner hears what became of it.
    is_asked: bool,
    state: State,
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
    Out { transaction: TransactionId, is_invite: bool, give_up: Instant },
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
        if kept.change.is_some() {
            return Err(SessionError::WrongState);
        }
        let (reoffer, state) = (Reoffer { media, ..reoffer }, State::Later { at: now });
        kept.change = Some(Change { reoffer, remote_tag, is_asked: true, state });
        self.advance_change(now, session);
        self.settle(session);
        Ok(())
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
        let timers = self.config.timers;
        let profile = self.profile_for(id).clone();
        let Some(session) = self.sessions.get_mut(id) else { return };
        let is_invite = matches!(session.phase, Phase::Confirmed(_));
        let Some(mut change) = session.change.take() else { return };
        let Some(media) = session.media_with(&change.remote_tag) else { return };
        let (method, step) =
            if is_invite { (Method::Invite, Step::SendInvite) } else { (Method::Update, Step::SendUpdate) };
        if media.step(step) != Verdict::Offer {
            // Something else is open; it ends in bounded time.
            change.state = State::Later { at: now + timers.t1 };
            session.change = Some(change);
            return;
        }
        media.change(&change.reoffer);
        let body = media.offer(&mut self.rng);
        let branch = self.branch();
        let product = self.product_for(id).to_owned();
        let kept = self.sessions.get_mut(id).and_then(|session| session.dialog_with(&change.remote_tag));
        let Some(mut dialog) = kept.cloned() else { return };
        let hop = self.way_in_dialog(id, &dialog);
        let builder = dialog.request(method, &compose::via(&hop, &branch));
        let builder = with_capabilities(builder, &hop, &profile);
        let bytes = compose::with_user_agent(builder, &product).body("application/sdp", &body);
        let bytes = self.authorised(id, bytes);
        let (first, user) = (Routed { hop, bytes }, Role::Change(id));
        let outgoing = Outgoing { method, branch: &branch, first, fallback: None, user };
        let peer = self.peer_of(id);
        let transaction = self.send(now, &peer, outgoing);
        let give_up = now + timers.transaction_timeout();
        change.state = State::Out { transaction, is_invite, give_up };
        let Some(session) = self.sessions.get_mut(id) else { return };
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
            ..200 => {}
            200..300 => {
                if received.essentials.cseq.method == Method::Invite {
                    self.acknowledge(id, transaction, received);
                }
                if !repeated {
                    self.handle_change_success(now, id, transaction, received);
                }
            }
            300.. => self.handle_change_failure(now, id, transaction, status),
        }
    }

    /// Each copy of a 2xx has its ACK, whatever became of the session.
    fn acknowledge(&mut self, id: SessionId, transaction: TransactionId, received: Received<'_>) {
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
        let Some((change, is_invite)) = self.take_change(id, transaction) else { return };
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(media) = session.media_with(&change.remote_tag) else { return self.settle(id) };
        let before = media.agreed().cloned();
        let sdp = match compose::description(received.message) {
            Description::Sdp(sdp) => Some(sdp),
            _ => None,
        };
        let description = sdp.is_some();
        let step = if is_invite { Step::Success { description } } else { Step::Updated { description } };
        let source = received.packet.source.ip();
        let taken = match (media.step(step), sdp) {
            (Verdict::Take, Some(answer)) => media.accept_answer(answer, source).ok(),
            _ => None,
        };
        let Some(audio) = taken else {
            media.undo();
            if is_invite {
                // The peer believes in a session that we cannot have.
                return self.end_dialog(now, id, 488, "no answer to the offer");
            }
            self.tell_reoffered(id, &change, 488);
            return self.settle(id);
        };
        media.settle_change();
        if before.as_ref() != Some(&audio) {
            self.tell_updated(id, &change.remote_tag, audio);
        }
        self.tell_reoffered(id, &change, 200);
        self.settle(id);
    }

    /// §14.1: the session stays as it was, but for a peer that knows nothing of it any more.
    pub(super) fn handle_change_failure(
        &mut self,
        now: Instant,
        id: SessionId,
        transaction: TransactionId,
        status: u16,
    ) {
        let Some((mut change, is_invite)) = self.take_change(id, transaction) else { return };
        let wait = self.back_off(id);
        let Some(session) = self.sessions.get_mut(id) else { return };
        let is_confirmed = matches!(session.phase, Phase::Confirmed(_));
        if let Some(media) = session.media_with(&change.remote_tag) {
            let step = if is_invite { Step::Failure } else { Step::UpdateFailed };
            if media.step(step) == Verdict::Undo {
                media.undo();
            }
        }
        match status {
            REQUEST_PENDING if !session.is_ended() => {
                change.state = State::Later { at: now + wait };
                session.change = Some(change);
            }
            408 | 481 if is_confirmed => return self.end_dialog(now, id, status, "dialog lost"),
            _ => self.tell_reoffered(id, &change, status),
        }
        self.settle(id);
    }

    /// §14.1: 2.1 to 4 seconds for the side whose Call-ID it is, up to 2 for the other, in units of 10 ms.
    fn back_off(&mut self, id: SessionId) -> Duration {
        let number = rand::Rng::next_u32(&mut self.rng);
        let is_ours =
            self.sessions.get(id).and_then(Session::dialog).is_some_and(|dialog| dialog.is_call_id_ours);
        let units = if is_ours { 210 + number % 191 } else { number % 201 };
        Duration::from_millis(10 * u64::from(units))
    }

    fn take_change(&mut self, id: SessionId, transaction: TransactionId) -> Option<(Change, bool)> {
        let session = self.sessions.get_mut(id)?;
        let is_it = |change: &mut Change| matches!(change.state, State::Out { transaction: out, .. } if out == transaction);
        let change = session.change.take_if(is_it)?;
        let State::Out { is_invite, .. } = change.state else { return None };
        Some((change, is_invite))
    }

    /// Says BYE in a confirmed dialog that cannot go on.
    pub(super) fn end_dialog(&mut self, now: Instant, id: SessionId, status: u16, reason: &str) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        match std::mem::replace(&mut session.phase, Phase::Over) {
            Phase::Confirmed(mut confirmed) => {
                self.say_bye(now, id, &mut confirmed.dialog, Some(reason));
                self.tell_ended(id, Ender::Failure, status, reason);
            }
            other => session.phase = other,
        }
        self.settle(id);
    }

    fn tell_reoffered(&mut self, session: SessionId, change: &Change, status: u16) {
        let is_ended = self.sessions.get(session).is_none_or(Session::is_ended);
        if change.is_asked && !is_ended {
            self.events.push_back(Event::Reoffered { session, status });
        }
    }
}

impl Session {
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
