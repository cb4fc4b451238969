//! Requests inside dialogs (RFC 3261 §12.2.2, §14.2, §15.1.2), and ACKs of our 2xx.
//!
//! What each method means in each phase of its session:
//!
//! | | Offered | Answered | Calling | Confirmed | Leaving | Over |
//! |---|---|---|---|---|---|---|
//! | ACK | stray | confirms | stray | ends the 2xx of a re-INVITE | BYE goes out | stray |
//! | BYE | 200, 487 to the INVITE | 200, ended | 481 | 200, ended | 200 | 200 |
//! | INVITE | 500, Retry-After | 491 | 491 | by the exchange of offers: answered, 491 or 500 | 491 | 481 |
//! | PRACK | 200 to a reliable 1xx of ours, else 481 | the same, when the 2xx overtook it | 481 | 481 | 481 | 481 |
//! | UPDATE | 200; with an offer by the exchange of offers: answered, 491 or 500 | the same | the same, of its early dialog | the same | the same | 481 |
//! | OPTIONS | 200 | 200 | 200 | 200 | 200 | 481 |
//! | INFO | 200, 415 or 469 by what it says (RFC 6086) | the same | the same | the same, and digits are told | the same | 481 |
//! | REFER | 500, Retry-After | the same | the same | put to the owner (RFC 3515) | 500, Retry-After | 481 |
//! | SUBSCRIBE | 489; to `refer`: 200 while a REFER is reported on, else 481 | the same | the same | the same | the same | 481, unless a REFER is reported on |
//! | NOTIFY | 481 | 481 | 481 | 200 after a REFER of ours, else 481 | 481 | 481 |
//! | other known methods | 405 | 405 | 405 | 405 | 405 | 481 |
//! | unknown methods | 501 | 501 | 501 | 501 | 501 | 481 |

use tandem_time::Instant;

use super::compose::{self, Description};
use super::expiry::with_agreement;
use super::owner::with_capabilities;
use super::serving::way_of_dialog;
use super::session::{Phase, Success};
use super::{Ender, Event, Received, Role, SessionId, UserAgent};
use crate::dialog::{Dialog, OutOfOrder};
use crate::message::{HeaderName, Method};
use crate::offer_answer::{Step, Verdict};
use crate::transport::Hop;
use crate::uri::Scheme;

impl UserAgent {
    pub(super) fn handle_request_in_dialog(&mut self, now: Instant, received: Received<'_>) {
        let Some(id) = self.session_of(received) else { return self.refuse(now, received, 481) };
        match self.check_order(id, received) {
            Ok(()) => {}
            // §12.2.2.
            Err(OutOfOrder) => return self.refuse(now, received, 500),
        }
        self.hear(id, received.message);
        if self.refuse_requirements(now, received) {
            return;
        }
        let is_over = self.sessions.get(id).is_none_or(|session| matches!(session.phase, Phase::Over));
        let is_in_use = self.sessions.get(id).is_some_and(|session| session.remains.is_some());
        match received.essentials.cseq.method {
            Method::Bye => self.handle_bye(now, id, received),
            // RFC 5057 §4: what else goes on in the dialog outlives the session.
            Method::Subscribe if !is_over || is_in_use => self.handle_subscribe(now, id, received),
            _ if is_over => self.refuse(now, received, 481),
            Method::Invite => self.handle_reinvite(now, id, received),
            Method::Prack => self.handle_prack(now, id, received),
            Method::Update => self.handle_update(now, id, received),
            Method::Options => self.answer_options(now, received),
            Method::Info => self.handle_info(now, id, received),
            Method::Refer => self.handle_refer(now, id, received),
            Method::Notify => self.handle_notify(now, id, received),
            _ => self.refuse_method(now, received),
        }
    }

    /// The session whose dialog a message is of, and whose peer it comes from.
    pub(super) fn session_of(&self, received: Received<'_>) -> Option<SessionId> {
        let essentials = received.essentials;
        let id = self.sessions.by_tag(essentials.to.tag()?)?;
        let session = self.sessions.get(id)?;
        if !session.peer.is_on_the_side_of(received.peer) || session.call_id != essentials.call_id {
            return None;
        }
        let is_of_dialog = match &session.phase {
            Phase::Offered(offered) => offered.dialog.is_of(essentials),
            Phase::Answered(answered) | Phase::Leaving(answered) => answered.dialog.is_of(essentials),
            Phase::Confirmed(confirmed) => confirmed.dialog.is_of(essentials),
            Phase::Calling(calling) => calling.early.iter().any(|early| early.dialog.is_of(essentials)),
            Phase::Over => true,
        };
        is_of_dialog.then_some(id)
    }

    /// What our Contact asks of the peer's requests in its dialog.
    pub(super) fn scheme_of(&self, id: SessionId) -> Scheme {
        let dialog = self.sessions.get(id).and_then(|session| session.dialog());
        dialog.map_or(Scheme::Sip, |dialog| dialog.scheme)
    }

    /// The same of the dialog that a request is of, which may be an early one.
    pub(super) fn scheme_with(&mut self, id: SessionId, received: Received<'_>) -> Scheme {
        let tag = received.essentials.from.tag().unwrap_or_default();
        let dialog = self.sessions.get_mut(id).and_then(|session| session.dialog_with(tag));
        dialog.map_or(Scheme::Sip, |dialog| dialog.scheme)
    }

    fn check_order(&mut self, id: SessionId, received: Received<'_>) -> Result<(), OutOfOrder> {
        let Some(session) = self.sessions.get_mut(id) else { return Ok(()) };
        let is_phone = session.peer.is_phone();
        let tag = received.essentials.from.tag().unwrap_or_default();
        let Some(dialog) = session.dialog_with(tag) else { return Ok(()) };
        dialog.check_order(received.essentials.cseq.number)?;
        if is_phone {
            // A phone behind NAT may have got another address, or another connection, since.
            dialog.hop = way_of_dialog(received);
        }
        Ok(())
    }

    /// §15.1.2.
    fn handle_bye(&mut self, now: Instant, id: SessionId, received: Received<'_>) {
        let is_early =
            self.sessions.get(id).is_some_and(|session| matches!(session.phase, Phase::Calling(_)));
        if is_early {
            // §15: a callee must not send BYE in an early dialog.
            return self.refuse(now, received, 481);
        }
        self.refuse(now, received, 200);
        let reason = compose::reason(received.message).unwrap_or_else(|| "hung up".to_owned());
        if self.sessions.get(id).is_some_and(|session| !session.is_ended()) {
            self.tell_reason(id, compose::stated(received.message));
        }
        if self.refuse_offered(now, id, 487) {
            self.tell_ended(now, id, Ender::Peer, 487, reason);
            return self.settle(id);
        }
        let Some(session) = self.sessions.get_mut(id) else { return };
        let was_ended = session.is_ended();
        let dialog = session.dialog().cloned();
        session.phase = Phase::Over;
        if let Some(dialog) = dialog {
            self.keep_remains(now, id, &dialog);
        }
        if !was_ended {
            self.tell_ended(now, id, Ender::Peer, 200, reason);
        }
        self.settle(id);
    }

    /// §14.2. We answer by ourselves; the owner hears of it when it changes the audio.
    fn handle_reinvite(&mut self, now: Instant, id: SessionId, received: Received<'_>) {
        let description = compose::description(received.message);
        let Some(session) = self.sessions.get(id) else { return };
        match &session.phase {
            Phase::Confirmed(_) => {}
            Phase::Offered(_) => return self.refuse_for_now(now, received),
            _ => return self.refuse(now, received, 491),
        }
        if description == Description::Unsupported {
            return self.refuse_content(now, received);
        }
        if self.refuse_interval(now, received) {
            return;
        }
        let Some(Phase::Confirmed(confirmed)) = self.sessions.get_mut(id).map(|session| &mut session.phase)
        else {
            return;
        };
        let Some(media) = &mut confirmed.media else { return self.pass_offer(now, id, received) };
        let before = media.agreed().cloned();
        let source = received.packet.source.ip();
        let offer = matches!(description, Description::Sdp(_));
        let answer = match (media.step(Step::Invite { offer }), description) {
            (Verdict::Answer, Description::Sdp(offer)) => {
                media.answer(offer, source, &mut self.rng).map(|(answer, audio)| (answer, Some(audio)))
            }
            (Verdict::Offer, _) => Ok((media.offer(&mut self.rng), None)),
            (Verdict::Refuse(500), _) => return self.refuse_for_now(now, received),
            _ => return self.refuse(now, received, 491),
        };
        let (body, audio) = match answer {
            Ok(answer) => answer,
            Err(disagreement) => {
                media.step(Step::SendFailure);
                return self.refuse(now, received, disagreement.status());
            }
        };
        media.step(Step::SendSuccess);
        confirmed.dialog.refresh_target(received.message);
        self.accept_reinvite(now, id, received, &body);
        if let Some(audio) = audio.filter(|audio| before.as_ref() != Some(audio)) {
            self.events.push_back(Event::Media { session: id, audio });
        }
        self.settle(id);
    }

    /// §14.2: 500 with a Retry-After between 0 and 10 seconds.
    pub(super) fn refuse_for_now(&mut self, now: Instant, received: Received<'_>) {
        let seconds = rand::Rng::next_u32(&mut self.rng) % 11;
        self.respond_with(now, received, 500, |builder| builder.header(HeaderName::RetryAfter, seconds));
    }

    fn accept_reinvite(&mut self, now: Instant, id: SessionId, received: Received<'_>, body: &[u8]) {
        let transaction = self.begin(received, Role::Unattended);
        let hop = way_of_dialog(received);
        let agreement = self.agree_on_expiry(now, id, received.message);
        let (scheme, profile) = (self.scheme_of(id), self.profile(received.peer));
        let builder = with_capabilities(self.reply(received, 200, None), scheme, &hop, profile);
        let bytes = with_agreement(builder, agreement).body("application/sdp", body);
        let cseq = received.essentials.cseq.number;
        let timers = self.timers(received.peer);
        let success = Success::new(now, timers, transaction, bytes.clone(), cseq);
        self.respond(now, transaction, 200, bytes);
        if let Some(session) = self.sessions.get_mut(id)
            && let Phase::Confirmed(confirmed) = &mut session.phase
        {
            confirmed.success = Some(success);
        }
    }

    /// An ACK that no transaction absorbed: of a 2xx, or of nothing.
    pub(super) fn handle_ack(&mut self, now: Instant, received: Received<'_>) {
        let cseq = received.essentials.cseq.number;
        let id = self.session_of(received);
        let Some((id, session)) = id.and_then(|id| Some((id, self.sessions.get_mut(id)?))) else {
            self.counters.stray_acks += 1;
            return;
        };
        match &mut session.phase {
            Phase::Answered(answered) if answered.success.cseq == cseq => self.confirm(now, id, received),
            Phase::Leaving(answered) if answered.success.cseq == cseq => {
                if let Phase::Leaving(mut answered) = std::mem::replace(&mut session.phase, Phase::Over) {
                    self.say_bye(now, id, &mut answered.dialog, None);
                }
                self.settle(id);
            }
            Phase::Confirmed(confirmed)
                if confirmed.success.as_ref().is_some_and(|success| success.cseq == cseq) =>
            {
                self.confirm_reinvite(id, received);
            }
            // Again, for a 2xx that we sent again.
            Phase::Confirmed(_) | Phase::Over => self.counters.retransmissions_received += 1,
            _ => self.counters.stray_acks += 1,
        }
    }

    fn confirm(&mut self, now: Instant, id: SessionId, received: Received<'_>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Phase::Answered(answered) = std::mem::replace(&mut session.phase, Phase::Over) else { return };
        let super::session::Answered { mut dialog, media, .. } = *answered;
        let Some(mut media) = media else { return self.confirm_through(now, id, dialog, received) };
        let before = media.agreed().cloned();
        let description = compose::description(received.message);
        let is_sdp = matches!(description, Description::Sdp(_));
        let answer = match (media.step(Step::Ack { description: is_sdp }), description) {
            (Verdict::Take, Description::Sdp(answer)) => {
                media.accept_answer(answer, received.packet.source.ip()).ok()
            }
            (Verdict::Fail, _) => None,
            _ => media.agreed().cloned(),
        };
        let Some(audio) = answer else {
            // §13.2.1: an ACK must answer the offer of its 2xx; without an answer there is no media.
            self.say_bye(now, id, &mut dialog, Some("no answer to the offer"));
            self.tell_ended(now, id, Ender::Failure, 488, "no answer to the offer");
            return self.settle(id);
        };
        if before.as_ref() != Some(&audio) {
            self.events.push_back(Event::Media { session: id, audio });
        }
        self.begin_confirmed(now, id, dialog, Some(media));
        self.events.push_back(Event::Confirmed { session: id });
        self.settle(id);
    }

    fn confirm_reinvite(&mut self, id: SessionId, received: Received<'_>) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Phase::Confirmed(confirmed) = &mut session.phase else { return };
        confirmed.success = None;
        let Some(media) = &mut confirmed.media else {
            self.pass_late_answer(id, received);
            return self.settle(id);
        };
        let before = media.agreed().cloned();
        let description = compose::description(received.message);
        let is_sdp = matches!(description, Description::Sdp(_));
        if media.step(Step::Ack { description: is_sdp }) == Verdict::Take
            && let Description::Sdp(answer) = description
            && let Ok(audio) = media.accept_answer(answer, received.packet.source.ip())
            && before.as_ref() != Some(&audio)
        {
            self.events.push_back(Event::Media { session: id, audio });
        }
        self.settle(id);
    }

    /// The way a request of ours in a dialog goes: to the address that the next URI names; for a phone only when
    /// that is the host it sends from, else it is behind NAT and the URI is of no use to us.
    pub(super) fn way_in_dialog(&self, id: SessionId, dialog: &Dialog) -> Hop {
        way_of(dialog, self.sessions.get(id).is_some_and(|session| session.peer.is_phone()))
    }
}

/// The same without the session.
pub(super) fn way_of(dialog: &Dialog, is_phone: bool) -> Hop {
    let hop = dialog.hop;
    let Some(named) = compose::address_of(dialog.next_hop()) else { return hop };
    let is_reachable = named.ip() == hop.destination.ip() || !is_phone;
    if !is_reachable || (is_phone && hop.transport.is_reliable()) {
        return hop;
    }
    Hop { destination: named, ..hop }
}
