//! Provisional responses to callers: ringing, and early media (RFC 3261 §13.3.1.1, RFC 3960).

use std::time::Duration;

use tandem_time::Instant;

use super::compose::{self, Description};
use super::owner::with_capabilities;
use super::session::{Phase, Provisional};
use super::{Event, LocalMedia, SessionError, SessionId, UserAgent};
use crate::message::HeaderName;
use crate::offer_answer::{Negotiation, Step, Verdict};

/// §13.3.1.1: a call that waits says so again each minute, else proxies give it up.
const PROVISIONAL_AGAIN: Duration = Duration::from_secs(60);

/// 180.
const RINGING: u16 = 180;
/// 183.
const SESSION_PROGRESS: u16 = 183;

impl UserAgent {
    /// Tells an incoming session's caller that it rings (180), or what the party that was called for it said last.
    ///
    /// # Errors
    /// When the session is not an unanswered incoming one.
    pub fn ring(&mut self, now: Instant, session: SessionId) -> Result<(), SessionError> {
        self.check_offered(session)?;
        let status = self.provisional_of_other_leg(session).unwrap_or(RINGING);
        self.send_provisional(now, session, status);
        self.settle(session);
        Ok(())
    }

    /// Lets an incoming session's caller hear us before we answer (183 with our side of the media); [`Event::EarlyMedia`]
    /// follows, and later `accept` keeps to what was agreed. May be said again; then it is what was said before.
    ///
    /// # Errors
    /// When the session is not an unanswered incoming one, its offer has no codec of ours, or it made none and does not
    /// acknowledge provisional responses.
    pub fn progress(
        &mut self,
        now: Instant,
        session: SessionId,
        media: LocalMedia,
    ) -> Result<(), SessionError> {
        self.check_offered(session)?;
        if self.is_through(session) {
            return Err(SessionError::WrongState);
        }
        if self.offered_media(session).is_none() {
            self.answer_early(session, media)?;
        }
        self.send_provisional(now, session, SESSION_PROGRESS);
        self.settle(session);
        Ok(())
    }

    fn offered_media(&self, id: SessionId) -> Option<&Negotiation> {
        match &self.sessions.get(id)?.phase {
            Phase::Offered(offered) => offered.media.as_ref(),
            _ => None,
        }
    }

    /// Answers the offer of the INVITE, ahead of the 2xx. Who made none is offered something, if it acknowledges.
    fn answer_early(&mut self, id: SessionId, media: LocalMedia) -> Result<(), SessionError> {
        let mut media = self.negotiation_with(id, media)?;
        let kept = self.sessions.get_mut(id).ok_or(SessionError::UnknownSession)?;
        let Phase::Offered(offered) = &mut kept.phase else { return Err(SessionError::WrongState) };
        let source = offered.asked.source.ip();
        match compose::description(&offered.invite.view()) {
            Description::Sdp(offer) => {
                let answer = media.answer(offer, source, &mut self.rng);
                let (_, audio) = answer.map_err(|_| SessionError::NoCommonCodec)?;
                self.events.push_back(Event::EarlyMedia { session: id, audio });
            }
            _ if offered.reliable.is_none() => return Err(SessionError::NoOffer),
            _ => {
                media.offer(&mut self.rng);
            }
        }
        offered.media = Some(media);
        Ok(())
    }

    /// Sends a provisional response, reliably to who acknowledges them; it makes the early dialog (§12.1.1).
    pub(super) fn send_provisional(&mut self, now: Instant, id: SessionId, status: u16) {
        let Some(kept) = self.sessions.get(id) else { return };
        let product = self.product(&kept.peer).to_owned();
        let profile = self.profile(&kept.peer).clone();
        let Some(kept) = self.sessions.get_mut(id) else { return };
        let passed = kept.through.as_ref().and_then(|through| through.early_answer());
        let Phase::Offered(offered) = &mut kept.phase else { return };
        offered.provisional = Some(Provisional { status, again: now + PROVISIONAL_AGAIN });
        if !offered.may_send(status) {
            return;
        }
        let invite = offered.invite.view();
        let asked = offered.asked;
        let builder = compose::reply(&invite, asked.source, status, Some(&kept.local_tag), &product)
            .copy(&invite, HeaderName::RecordRoute);
        let mut builder = with_capabilities(builder, offered.dialog.scheme, &asked.hop, &profile);
        let is_reliable = offered.reliable.is_some();
        let description = offered.media.as_mut().filter(|_| status == SESSION_PROGRESS);
        // RFC 3262 §5 lets the answer wait for the 2xx, which may be that of another phone.
        let passed = passed.filter(|_| !is_reliable);
        // RFC 5009 §8.2: the caller's network asks, we say what there is to hear.
        if (description.is_some() || passed.is_some()) && invite.lists(HeaderName::PEarlyMedia, "supported") {
            builder = builder.header(HeaderName::PEarlyMedia, "sendrecv");
        }
        let description = description.and_then(|media| {
            let is_said = is_reliable && media.step(Step::SendReliable) == Verdict::Plain;
            media.described().filter(|_| !is_said)
        });
        let description = description.or(passed);
        if let Some(reliable) = &mut offered.reliable {
            let rseq = reliable.next();
            builder = builder.header(HeaderName::Require, compose::RELIABLE).header(HeaderName::RSeq, rseq);
        }
        let bytes = match &description {
            Some(description) => builder.body("application/sdp", description),
            None => builder.finish(),
        };
        if let Some(reliable) = &mut offered.reliable {
            let timers = profile.timers.unwrap_or(self.config.timers);
            reliable.sent(now, timers, status, bytes.clone(), description.is_some());
        }
        self.respond(now, asked.transaction, status, bytes);
    }
}
