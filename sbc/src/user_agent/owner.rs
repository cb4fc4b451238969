//! What the owner asks of sessions that others began, and how any session is ended.

use tandem_time::Instant;

use super::compose::{self, Cause, Description};
use super::expiry::{Expiry, with_agreement};
use super::profile::Profile;
use super::reliable::Reliable;
use super::session::{Answered, ForkState, Phase, Success};
use super::{Ender, Event, LocalMedia, RETRY_AFTER, Reason, Role, SessionError, SessionId, UserAgent};
use crate::dialog::Dialog;
use crate::message::{Builder, HeaderName, Method};
use crate::offer_answer::{Negotiation, Step, Verdict};
use crate::session_timer;
use crate::transaction::{Outgoing, Routed, TransactionId};
use crate::uri::Scheme;

/// §21.4.18: what a caller is told whom nobody answers, for no other reason.
const NOT_NOW: u16 = 480;

impl UserAgent {
    /// Answers an incoming session (200) with our side of the media. [`Event::Media`] and [`Event::Confirmed`]
    /// follow.
    ///
    /// # Errors
    /// When the session is not an unanswered incoming one, or its offer has no codec of ours.
    pub fn accept(
        &mut self,
        now: Instant,
        session: SessionId,
        media: LocalMedia,
    ) -> Result<(), SessionError> {
        self.check_offered(session)?;
        if self.waits_for_prack(session) {
            return self.accept_later(session, media);
        }
        self.answer(now, session, media)
    }

    /// Sends the 2xx.
    pub(super) fn answer(
        &mut self,
        now: Instant,
        session: SessionId,
        media: LocalMedia,
    ) -> Result<(), SessionError> {
        if self.is_through(session) {
            return Err(SessionError::WrongState);
        }
        let (media, body, is_news) = self.described_to_caller(session, media)?;
        let audio = media.agreed().cloned();
        self.send_success(now, session, Some(media), body.as_deref())?;
        if let Some(audio) = audio.filter(|_| is_news) {
            self.events.push_back(Event::Media { session, audio });
        }
        self.settle(session);
        Ok(())
    }

    pub(super) fn send_success(
        &mut self,
        now: Instant,
        session: SessionId,
        media: Option<Negotiation>,
        body: Option<&[u8]>,
    ) -> Result<(), SessionError> {
        let kept = self.sessions.get(session).ok_or(SessionError::UnknownSession)?;
        let profile = self.profile(&kept.peer).clone();
        let product = self.product(&kept.peer).to_owned();
        let kept = self.sessions.get_mut(session).ok_or(SessionError::UnknownSession)?;
        let Phase::Offered(offered) = &kept.phase else { return Err(SessionError::WrongState) };
        let invite = offered.invite.view();
        let (asked, scheme) = (offered.asked, offered.dialog.scheme);
        let agreement = session_timer::answer(&profile.session_timers, None, &invite);
        kept.refreshing.note_allowed(&invite);
        kept.expiry = agreement.map(|agreed| Expiry::of_our_answer(now, agreed));
        let builder = compose::reply(&invite, asked.source, 200, Some(&kept.local_tag), &product)
            .copy(&invite, HeaderName::RecordRoute);
        let builder = with_agreement(with_capabilities(builder, scheme, &asked.hop, &profile), agreement);
        let bytes = match body {
            Some(body) => builder.body("application/sdp", body),
            None => builder.finish(),
        };
        let cseq = invite.cseq().map(|cseq| cseq.number).unwrap_or_default();
        let timers = profile.timers.unwrap_or(self.config.timers);
        let success = Success::new(now, timers, asked.transaction, bytes.clone(), cseq);
        let Phase::Offered(offered) = std::mem::replace(&mut kept.phase, Phase::Over) else {
            return Err(SessionError::WrongState);
        };
        kept.overtaken = offered.reliable.as_ref().and_then(Reliable::unacknowledged);
        kept.phase = Phase::Answered(Box::new(Answered { dialog: offered.dialog, media, success }));
        self.respond(now, asked.transaction, 200, bytes);
        Ok(())
    }

    /// Our description for the 2xx: the answer that early media had already (§13.2.1: it must be the same), none
    /// when that went reliably, else a new answer, or an offer to who made none. Whether the owner has yet to hear
    /// what was agreed.
    fn described_to_caller(
        &mut self,
        session: SessionId,
        media: LocalMedia,
    ) -> Result<(Negotiation, Option<Vec<u8>>, bool), SessionError> {
        let fresh = self.negotiation_with(session, media)?;
        let kept = self.sessions.get_mut(session).ok_or(SessionError::UnknownSession)?;
        let Phase::Offered(offered) = &mut kept.phase else { return Err(SessionError::WrongState) };
        let early = offered.media.take();
        let is_news = early.is_none();
        let mut media = early.unwrap_or(fresh);
        let (invite, source) = (offered.invite.view(), offered.asked.source.ip());
        let body = match (media.step(Step::SendSuccess), compose::description(&invite)) {
            (Verdict::Plain, _) => None,
            (Verdict::Answer, _) if !is_news => media.described(),
            (Verdict::Answer, Description::Sdp(offer)) => {
                let answer = media.answer(offer, source, &mut self.rng);
                Some(answer.map_err(|_| SessionError::NoCommonCodec)?.0)
            }
            _ => Some(media.offer(&mut self.rng)),
        };
        Ok((media, body, is_news))
    }

    /// A negotiation that has heard the INVITE of an offered session.
    pub(super) fn negotiation_with(
        &mut self,
        session: SessionId,
        media: LocalMedia,
    ) -> Result<Negotiation, SessionError> {
        let origin_id = rand::Rng::next_u64(&mut self.rng);
        let kept = self.sessions.get(session).ok_or(SessionError::UnknownSession)?;
        let Phase::Offered(offered) = &kept.phase else { return Err(SessionError::WrongState) };
        let mut media =
            Negotiation::new(origin_id, media, self.profile(&kept.peer), self.config.dtls_certificate)
                .also_at(self.config.other_media_address, offered.asked.source.is_ipv4());
        let offer = matches!(compose::description(&offered.invite.view()), Description::Sdp(_));
        media.step(Step::Invite { offer });
        Ok(media)
    }

    /// Refuses an incoming session with a final status of 300 to 699. [`Event::Ended`] follows.
    ///
    /// # Errors
    /// When the session is not an unanswered incoming one, or the status is none of those.
    pub fn reject(&mut self, now: Instant, session: SessionId, status: u16) -> Result<(), SessionError> {
        self.check_offered(session)?;
        if !(300..700).contains(&status) {
            return Err(SessionError::WrongState);
        }
        if status == 404 {
            self.suspect_number(now, session);
        }
        self.refuse_offered(now, session, status);
        self.tell_ended(now, session, Ender::Owner, status, crate::message::reason_phrase(status));
        self.settle(session);
        Ok(())
    }

    /// Ends a session in whatever state it is: 480 ([`UserAgent::reject`] says more), CANCEL, or BYE. [`Event::Ended`]
    /// follows at once. `cause` goes into a Reason header (RFC 3326).
    ///
    /// # Errors
    /// When the session is unknown or already ended.
    pub fn hang_up(&mut self, now: Instant, session: SessionId, cause: &str) -> Result<(), SessionError> {
        let kept = self.sessions.get_mut(session).filter(|kept| !kept.is_ended());
        let Some(kept) = kept else { return Err(SessionError::UnknownSession) };
        let status = match std::mem::replace(&mut kept.phase, Phase::Over) {
            Phase::Offered(offered) => {
                kept.phase = Phase::Offered(offered);
                self.refuse_offered(now, session, NOT_NOW);
                NOT_NOW
            }
            Phase::Answered(answered) => {
                // §15: BYE must wait for the ACK.
                kept.phase = Phase::Leaving(answered);
                200
            }
            Phase::Calling(_) => {
                self.cancel_forks(now, session, Some(cause));
                487
            }
            Phase::Confirmed(mut confirmed) => {
                self.say_bye(now, session, &mut confirmed.dialog, Some(cause));
                200
            }
            Phase::Leaving(_) | Phase::Over => return Err(SessionError::UnknownSession),
        };
        self.tell_ended(now, session, Ender::Owner, status, cause);
        self.settle(session);
        Ok(())
    }

    /// Lets the message that ends a session say why, as the peer of another session did: the BYE, the CANCEL, or the
    /// response that refuses it (RFC 3326, RFC 6432). To be called before `hang_up` or `reject`.
    pub fn state_reason(&mut self, session: SessionId, reason: Reason) {
        if let Some(kept) = self.sessions.get_mut(session) {
            kept.stated = Some(reason);
        }
    }

    /// Tells why a peer ends its session, when it says so.
    pub(super) fn tell_reason(&mut self, session: SessionId, reason: Option<Reason>) {
        if let Some(reason) = reason {
            self.events.push_back(Event::ReasonStated { session, reason });
        }
    }

    pub(super) fn check_offered(&self, session: SessionId) -> Result<(), SessionError> {
        match self.sessions.get(session) {
            None => Err(SessionError::UnknownSession),
            Some(kept) if kept.waits_for_owner() => Ok(()),
            Some(_) => Err(SessionError::WrongState),
        }
    }

    /// Sends a final response other than 2xx, and is over. Whether there was an INVITE to refuse.
    pub(super) fn refuse_offered(&mut self, now: Instant, id: SessionId, status: u16) -> bool {
        let product = self.product_for(id).to_owned();
        let Some(kept) = self.sessions.get_mut(id) else { return false };
        let Phase::Offered(offered) = &kept.phase else { return false };
        let asked = offered.asked;
        let invite = offered.invite.view();
        let mut builder = compose::reply(&invite, asked.source, status, Some(&kept.local_tag), &product);
        if status == 503 {
            // §21.5.4: without it the caller would have to take it for a 500.
            builder = builder.header(HeaderName::RetryAfter, RETRY_AFTER.as_secs());
        }
        if status == 480 && kept.found_no_tls {
            // RFC 5630 §5.1.2: the caller may try again as sip, if its user wants that.
            let host = compose::host(asked.hop.local);
            builder = builder.header(HeaderName::Warning, format_args!("380 {host} \"SIPS Not Allowed\""));
        }
        if let Some(reason) = kept.stated {
            builder = builder.header(HeaderName::Reason, reason);
        }
        let bytes = builder.finish();
        kept.phase = Phase::Over;
        self.respond(now, asked.transaction, status, bytes);
        true
    }

    /// Sends BYE (§15.1.1); the session is not released before its answer.
    pub(super) fn say_bye(&mut self, now: Instant, id: SessionId, dialog: &mut Dialog, reason: Option<&str>) {
        self.say_bye_after(now, id, dialog, Cause::Clearing, reason);
    }

    /// The same, for another cause than that somebody hung up.
    pub(super) fn say_bye_after(
        &mut self,
        now: Instant,
        id: SessionId,
        dialog: &mut Dialog,
        cause: Cause,
        reason: Option<&str>,
    ) {
        // §13.2.2.4: first the ACK.
        self.send_due_ack(id, dialog);
        let role = match self.sessions.get_mut(id) {
            Some(session) => {
                session.farewells += 1;
                Role::Farewell(id)
            }
            None => Role::Unattended,
        };
        let hop = self.way_in_dialog(id, dialog);
        let branch = self.branch();
        let builder = dialog.request(Method::Bye, &compose::via(&hop, &branch));
        let builder = compose::with_user_agent(builder, self.product_for(id));
        let stated = self.sessions.get(id).and_then(|session| session.stated);
        let cause = stated.map_or(cause, Cause::Stated);
        let bytes = compose::with_reason(builder, cause, reason).finish();
        let first = Routed { hop, bytes: self.authorised(id, bytes) };
        let outgoing = Outgoing { method: Method::Bye, branch: &branch, first, fallback: None, user: role };
        let peer = self.peer_of(id);
        self.send(now, &peer, outgoing);
        self.keep_remains(now, id, dialog);
    }

    /// As [`UserAgent::product`], for a session's peer.
    pub(super) fn product_for(&self, id: SessionId) -> &str {
        self.sessions.get(id).map_or("", |session| self.product(&session.peer))
    }

    /// Cancels every INVITE of ours that has no final response (§9.1).
    pub(super) fn cancel_forks(&mut self, now: Instant, id: SessionId, reason: Option<&str>) {
        let Some(session) = self.sessions.get(id) else { return };
        let forks: Vec<TransactionId> = session.forks.iter().map(|fork| fork.transaction).collect();
        for transaction in forks {
            self.cancel_fork(now, id, transaction, reason);
        }
    }

    /// Cancels one of them.
    pub(super) fn cancel_fork(
        &mut self,
        now: Instant,
        id: SessionId,
        transaction: TransactionId,
        reason: Option<&str>,
    ) {
        let give_up = now + self.timers_for(id).transaction_timeout();
        let Some(session) = self.sessions.get_mut(id) else { return };
        let fork = session.forks.iter_mut().find(|fork| fork.transaction == transaction);
        let Some(fork) = fork else { return };
        match fork.state {
            ForkState::Calling => fork.state = ForkState::CancelWaiting,
            ForkState::Proceeding => {
                fork.state = ForkState::Cancelled { give_up };
                self.send_cancel(now, transaction, reason);
            }
            ForkState::CancelWaiting | ForkState::Cancelled { .. } => {}
        }
    }

    /// What is due in a session by `now`.
    pub(super) fn handle_session_timeout(&mut self, now: Instant, id: SessionId) {
        let timers = self.timers_for(id);
        self.give_up_cancelled_forks(now, id);
        self.advance_change(now, id);
        self.keep_session(now, id);
        self.watch_peer(now, id);
        self.give_up_passed_on(now, id);
        self.expire_referrals(now, id);
        self.expire_deflection(now, id);
        let Some(session) = self.sessions.get_mut(id) else { return };
        match &mut session.phase {
            Phase::Offered(offered) => {
                let due = offered.provisional.filter(|provisional| provisional.again <= now);
                if let Some(due) = due {
                    self.send_provisional(now, id, due.status);
                }
                self.repeat_reliable(now, id);
            }
            Phase::Answered(answered) | Phase::Leaving(answered) if answered.success.give_up <= now => {
                self.leave_unconfirmed(now, id);
            }
            Phase::Confirmed(confirmed)
                if confirmed.success.as_ref().is_some_and(|success| success.give_up <= now) =>
            {
                self.leave_unconfirmed(now, id);
            }
            Phase::Answered(answered) | Phase::Leaving(answered) if answered.success.again <= now => {
                answered.success.count_down(now, timers);
                let (transaction, bytes) = (answered.success.transaction, answered.success.bytes.clone());
                self.repeat_success(now, transaction, bytes);
            }
            Phase::Confirmed(confirmed) => {
                let due = confirmed.success.as_mut().filter(|success| success.again <= now);
                if let Some(success) = due {
                    success.count_down(now, timers);
                    let (transaction, bytes) = (success.transaction, success.bytes.clone());
                    self.repeat_success(now, transaction, bytes);
                }
            }
            Phase::Calling(calling) if calling.give_up <= now => {
                session.phase = Phase::Over;
                self.cancel_forks(now, id, Some("no answer"));
                self.tell_ended(now, id, Ender::Failure, 408, "no answer");
            }
            Phase::Calling(calling)
                if calling
                    .plan
                    .as_ref()
                    .is_some_and(|plan| plan.fails_over_at.is_some_and(|at| at <= now)) =>
            {
                self.leave_attempt(now, id);
            }
            _ => {}
        }
        self.settle(id);
    }

    fn repeat_success(&mut self, now: Instant, transaction: TransactionId, bytes: Vec<u8>) {
        self.counters.retransmissions_sent += 1;
        let bytes = self.ruled_for(transaction, bytes);
        self.transactions.respond(now, transaction, 200, bytes);
    }

    /// §13.3.1.4: no ACK came in 64*T1; the dialog is there, and is ended.
    fn leave_unconfirmed(&mut self, now: Instant, id: SessionId) {
        self.counters.timeouts += 1;
        let Some(session) = self.sessions.get_mut(id) else { return };
        let was_ended = session.is_ended();
        let mut dialog = match std::mem::replace(&mut session.phase, Phase::Over) {
            Phase::Answered(answered) | Phase::Leaving(answered) => answered.dialog,
            Phase::Confirmed(confirmed) => confirmed.dialog,
            other => {
                session.phase = other;
                return;
            }
        };
        self.say_bye_after(now, id, &mut dialog, Cause::Recovery, Some("no ACK"));
        if !was_ended {
            self.tell_ended(now, id, Ender::Failure, 408, "no ACK");
        }
    }
}

/// Contact, Allow and Supported, as 180 and 2xx have them (§13.3.1).
pub(super) fn with_capabilities(
    builder: Builder,
    scheme: Scheme,
    hop: &crate::transport::Hop,
    profile: &Profile,
) -> Builder {
    builder
        .header(HeaderName::Contact, compose::contact(scheme, hop))
        .header(HeaderName::Allow, compose::ALLOW)
        .header(HeaderName::Supported, compose::supported(profile).join(", "))
}
