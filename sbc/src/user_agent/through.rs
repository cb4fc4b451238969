//! Sessions whose media does not pass us: an incoming one and the one called for it, whose offers and answers are the
//! two ends' own (RFC 3264), with us in between in the signalling alone (RFC 7092 §3.1.1).
//!
//! An offer goes through as soon as it comes, answers as the owner says: it rings and accepts the caller as it would
//! with media of ours. A caller without an offer gets that of the called party's 2xx, whose ACK then waits for the
//! caller's. Of several early dialogs the caller hears the latest with an answer; since the 2xx may be another's, early
//! answers bind nobody: they go unreliably, and to a caller that requires 100rel not at all (RFC 3262 §5 lets the answer
//! wait for the 2xx). What is offered once both are confirmed is passed on in [`super::passing`].

use rand::Rng as _;
use tandem_time::Instant;

use super::calling::{Side, Wanted};
use super::compose::{self, Description};
use super::passing::{PassedOn, Waiting};
use super::profile::EarlyMedia;
use super::session::{Phase, Session};
use super::{Ender, Event, Identity, InviteTarget, Received, SessionError, SessionId, UserAgent};
use crate::dialog::Dialog;
use crate::message::HeaderName;
use crate::offer_answer::is_description;
use crate::passed::PassedOrigin;
use crate::transaction::TransactionId;
use crate::transport::Hop;

/// What a session whose media does not pass us has instead of a negotiation.
#[derive(Debug)]
pub(super) struct Through {
    /// The other leg; none once it is over.
    pub(super) other: Option<SessionId>,
    /// What the peer was told.
    pub(super) origin: PassedOrigin,
    /// What the peer described last; empty when nothing.
    pub(super) described: Vec<u8>,
    /// As the caller: the latest early answer of the called party.
    early: Option<Vec<u8>>,
    /// As the called party: the last provisional response.
    provisional: u16,
    /// The offer is in the peer's 2xx, and its answer belongs into our ACK (RFC 3261 §13.2.1).
    pub(super) is_offered_late: bool,
    /// That ACK is not out: the INVITE's transaction, and the CSeq of its 2xx.
    pub(super) ack_due: Option<(TransactionId, u32)>,
    /// The offer of the peer's that waits for the other leg's answer.
    pub(super) waiting: Option<Box<Waiting>>,
    /// The offer of the other leg's that is out.
    pub(super) passed_on: Option<PassedOn>,
}

impl Through {
    fn new(other: Option<SessionId>, origin: PassedOrigin) -> Self {
        Self {
            other,
            origin,
            described: Vec::new(),
            early: None,
            provisional: 0,
            is_offered_late: false,
            ack_due: None,
            waiting: None,
            passed_on: None,
        }
    }

    /// What the caller is told in a provisional response.
    pub(super) fn early_answer(&self) -> Option<Vec<u8>> {
        self.early.clone()
    }
}

impl UserAgent {
    /// Calls somebody for the caller of an incoming session, with its description. Ends in [`Event::Answered`] or
    /// [`Event::Ended`]; no [`Event::Media`] comes of either session, since they are each other's to agree on.
    ///
    /// # Errors
    /// When the caller's session is not an unanswered incoming one, or has another leg or media of ours already; when
    /// there is nobody to send it to, or a limit is reached. Then there is no session and no event.
    pub fn invite_through(
        &mut self,
        now: Instant,
        caller: SessionId,
        target: InviteTarget,
        from: Identity,
    ) -> Result<SessionId, SessionError> {
        self.check_offered(caller)?;
        let kept = self.sessions.get_mut(caller).ok_or(SessionError::UnknownSession)?;
        let Phase::Offered(offered) = &mut kept.phase else { return Err(SessionError::WrongState) };
        if kept.through.is_some() || offered.media.is_some() {
            return Err(SessionError::WrongState);
        }
        if offered.provisional.is_none()
            && !offered.invite.view().lists(HeaderName::Require, compose::RELIABLE)
        {
            offered.reliable = None;
        }
        let local = offered.asked.hop.local.ip();
        let scheme = self.scheme_asked_by(caller);
        let (side, party) = (Side::Caller(caller), Some(caller));
        let called = self.call(now, Wanted { target, from, side, scheme, party });
        self.note_not_secure(caller, &called);
        let called = called?;
        let origin = PassedOrigin::new(self.rng.next_u64(), local);
        if let Some(session) = self.sessions.get_mut(caller) {
            session.through = Some(Box::new(Through::new(Some(called), origin)));
        }
        Ok(called)
    }

    /// Answers an incoming session as the one called for it was answered. [`Event::Confirmed`] follows.
    ///
    /// # Errors
    /// When the session is not an unanswered incoming one, or the one called for it is not answered.
    pub fn accept_through(&mut self, now: Instant, session: SessionId) -> Result<(), SessionError> {
        self.check_offered(session)?;
        let other = self.other_leg(session).ok_or(SessionError::WrongState)?;
        let other = self.sessions.get(other).filter(|it| matches!(it.phase, Phase::Confirmed(_)));
        let answered = other.and_then(|it| it.through.as_ref()).ok_or(SessionError::WrongState)?;
        let described = answered.described.clone();
        let kept = self.sessions.get_mut(session).and_then(|kept| kept.through.as_mut());
        let body = kept.ok_or(SessionError::WrongState)?.origin.pass(&described);
        self.send_success(now, session, None, Some(&body))?;
        self.settle(session);
        Ok(())
    }

    /// The caller's offer as the called party is told it on that way; none when the caller made none.
    pub(super) fn offer_of_caller(&self, caller: SessionId, origin_id: u64, hop: Hop) -> (Through, Vec<u8>) {
        let mut through = Through::new(Some(caller), PassedOrigin::new(origin_id, hop.local.ip()));
        let description = match self.sessions.get(caller).map(|session| &session.phase) {
            Some(Phase::Offered(offered)) => match compose::description(&offered.invite.view()) {
                Description::Sdp(offer) => through.origin.pass(offer),
                Description::None | Description::Unsupported => Vec::new(),
            },
            _ => Vec::new(),
        };
        through.is_offered_late = description.is_empty();
        (through, description)
    }

    pub(super) fn is_through(&self, id: SessionId) -> bool {
        self.sessions.get(id).is_some_and(|session| session.through.is_some())
    }

    /// Whether a call is to somebody with whom its caller agrees on media.
    pub(super) fn goes_direct(&self, received: Received<'_>) -> bool {
        !self.config.direct.is_empty() && self.config.direct.contains(&self.dialled(received.parties))
    }

    pub(super) fn other_leg(&self, id: SessionId) -> Option<SessionId> {
        self.sessions.get(id)?.through.as_ref()?.other
    }

    pub(super) fn through_mut(&mut self, id: SessionId) -> Option<&mut Through> {
        self.sessions.get_mut(id)?.through.as_deref_mut()
    }

    /// What the called party said of its ringing.
    pub(super) fn provisional_of_other_leg(&self, caller: SessionId) -> Option<u16> {
        let called = self.sessions.get(self.other_leg(caller)?)?;
        called.through.as_ref().map(|through| through.provisional).filter(|status| *status > 100)
    }

    /// A provisional response of the called party: its early answer is the caller's. Whether the caller is told that it
    /// rings is the owner's to say once; then it is told everything.
    pub(super) fn pass_provisional(
        &mut self,
        now: Instant,
        id: SessionId,
        received: Received<'_>,
        status: u16,
    ) {
        if !matches!(status, 180 | 183) || !self.is_through(id) {
            return;
        }
        let is_heard = self.profile_for(id).early_media == EarlyMedia::Accept;
        let tag = received.essentials.to.tag().unwrap_or_default();
        let Some(session) = self.sessions.get_mut(id) else { return };
        let is_open = !session.is_gate_closed(tag);
        let Some(through) = session.through.as_mut() else { return };
        let answer = match compose::description(received.message) {
            Description::Sdp(answer) if is_heard && is_open && !through.is_offered_late => Some(answer),
            _ => None,
        };
        // Without an answer 183 says no more than 180.
        through.provisional = if answer.is_some() { status } else { 180 };
        let Some(caller) = through.other else { return };
        let told = through.provisional;
        let Some(kept) = self.sessions.get_mut(caller) else { return };
        if let (Some(answer), Some(through)) = (answer, kept.through.as_mut()) {
            through.early = Some(through.origin.pass(answer));
        }
        let was_told = matches!(&kept.phase, Phase::Offered(offered) if offered.provisional.is_some());
        if was_told {
            self.send_provisional(now, caller, told);
            self.settle(caller);
        }
    }

    /// The called party answered; `early` is what it had described before.
    pub(super) fn win_through(
        &mut self,
        now: Instant,
        id: SessionId,
        mut dialog: Dialog,
        received: Received<'_>,
        early: Option<Vec<u8>>,
    ) {
        self.cancel_forks(now, id, Some("answered elsewhere"));
        // §13.2.1: a callee that leaves out the answer it gave early can only mean the same.
        let described = match compose::description(received.message) {
            Description::Sdp(described) => Some(described.to_vec()),
            _ => early,
        };
        let Some(described) = described.filter(|described| is_description(described)) else {
            self.say_bye(now, id, &mut dialog, Some("no session description"));
            self.tell_ended(now, id, Ender::Failure, 488, "no session description");
            return self.settle(id);
        };
        self.begin_confirmed(now, id, dialog, None);
        if let Some(through) = self.sessions.get_mut(id).and_then(|session| session.through.as_mut()) {
            through.described = described;
        }
        self.take_expiry(now, id, received.message);
        self.events.push_back(Event::Answered { session: id });
        self.settle(id);
    }

    /// Whether the ACK of a 2xx must wait for the caller's answer to the offer in it.
    pub(super) fn waits_for_answer(
        &mut self,
        id: SessionId,
        transaction: TransactionId,
        dialog: &Dialog,
        cseq: u32,
    ) -> bool {
        let Some(session) = self.sessions.get_mut(id) else { return false };
        let Some(through) = session.through.as_mut().filter(|through| through.is_offered_late) else {
            return false;
        };
        match &session.phase {
            Phase::Calling(_) => {
                through.ack_due = Some((transaction, cseq));
                true
            }
            Phase::Confirmed(confirmed) => {
                through.ack_due.is_some() && confirmed.dialog.remote_tag == dialog.remote_tag
            }
            _ => false,
        }
    }

    /// The answer that belongs into the ACK of a 2xx with an offer.
    pub(super) fn answer_in_ack(&self, id: SessionId) -> Option<&[u8]> {
        let through = self.sessions.get(id)?.through.as_ref()?;
        Some(through.origin.said()).filter(|said| through.is_offered_late && !said.is_empty())
    }

    /// The caller's ACK came. §13.2.1: it must answer the offer of its 2xx; without an answer there is no media.
    pub(super) fn confirm_through(
        &mut self,
        now: Instant,
        id: SessionId,
        mut dialog: Dialog,
        received: Received<'_>,
    ) {
        if !self.pass_late_answer(id, received) {
            self.say_bye(now, id, &mut dialog, Some("no answer to the offer"));
            self.tell_ended(now, id, Ender::Failure, 488, "no answer to the offer");
            return self.settle(id);
        }
        self.begin_confirmed(now, id, dialog, None);
        self.events.push_back(Event::Confirmed { session: id });
        self.settle(id);
    }

    /// An ACK may answer the offer of the other leg's 2xx. False when it should and does not; then that is told what
    /// stood before, since a 2xx wants its ACK.
    pub(super) fn pass_late_answer(&mut self, id: SessionId, received: Received<'_>) -> bool {
        let Some(other) = self.other_leg(id) else { return true };
        let is_due = self.through_mut(other).is_some_and(|through| through.ack_due.is_some());
        if !is_due {
            return true;
        }
        let answer = match compose::description(received.message) {
            Description::Sdp(answer) if is_description(answer) => Some(answer),
            _ => None,
        };
        if let (Some(answer), Some(through)) = (answer, self.through_mut(other)) {
            through.origin.pass(answer);
        }
        if let (Some(answer), Some(through)) = (answer, self.through_mut(id)) {
            through.described = answer.to_vec();
        }
        if let Some(dialog) = self.sessions.get(other).and_then(Session::dialog).cloned() {
            self.send_due_ack(other, &dialog);
        }
        answer.is_some()
    }

    /// Sends the ACK that waited, if one did.
    pub(super) fn send_due_ack(&mut self, id: SessionId, dialog: &Dialog) {
        let due = self.through_mut(id).and_then(|through| through.ack_due.take());
        if let Some((transaction, cseq)) = due {
            self.send_ack(id, transaction, dialog, cseq);
        }
    }

    /// A session ends: the other one has no other leg any more, and is as any other while it is not answered. What
    /// either waited for is over (§15.1.2).
    pub(super) fn part_from_other_leg(&mut self, now: Instant, id: SessionId) {
        let Some(other) = self.through_mut(id).and_then(|through| through.other.take()) else { return };
        for id in [id, other] {
            self.refuse_waiting(now, id, 487);
        }
        let Some(other) = self.sessions.get_mut(other) else { return };
        if matches!(other.phase, Phase::Offered(_)) {
            other.through = None;
        } else if let Some(through) = &mut other.through {
            through.other = None;
        }
    }
}

impl Session {
    fn is_gate_closed(&self, remote_tag: &str) -> bool {
        match &self.phase {
            Phase::Calling(calling) => {
                calling.early.iter().any(|it| it.dialog.remote_tag == remote_tag && it.is_gate_closed)
            }
            _ => false,
        }
    }
}
