//! UPDATE from the peer (RFC 3311): a new target, and perhaps an offer, in any dialog that is not over.

use std::sync::Arc;

use tandem_time::Instant;

use super::compose::{self, Description};
use super::expiry::with_agreement;
use super::owner::with_capabilities;
use super::profile::EarlyMedia;
use super::serving::way_of_dialog;
use super::session::Phase;
use super::{Event, NegotiatedAudio, Received, Role, SessionId, UserAgent};
use crate::offer_answer::{Step, Verdict};
use crate::session_timer::Agreement;
use crate::uri::Scheme;

impl UserAgent {
    /// §5.2. We answer by ourselves; the owner hears of it when it changes the audio.
    pub(super) fn handle_update(&mut self, now: Instant, id: SessionId, received: Received<'_>) {
        let tag = received.essentials.from.tag().unwrap_or_default();
        let offer = match compose::description(received.message) {
            Description::Unsupported => return self.refuse_content(now, received),
            Description::None => None,
            Description::Sdp(offer) => Some(offer),
        };
        if self.refuse_interval(now, received) {
            return;
        }
        let Some(session) = self.sessions.get_mut(id) else { return };
        if offer.is_some() && session.through.is_some() && matches!(session.phase, Phase::Confirmed(_)) {
            return self.pass_offer(now, id, received);
        }
        let mut answered = None;
        if let Some(offer) = offer {
            // Where nothing was negotiated, the offer of the INVITE waits for its answer.
            let Some(media) = session.media_with(tag) else { return self.refuse_for_now(now, received) };
            let before = media.agreed().cloned();
            let answer = match media.step(Step::Update) {
                Verdict::Answer => media.answer(offer, received.packet.source.ip(), &mut self.rng),
                Verdict::Refuse(500) => return self.refuse_for_now(now, received),
                _ => return self.refuse(now, received, 491),
            };
            match answer {
                Ok((answer, audio)) => answered = Some((answer, audio, before)),
                Err(disagreement) => return self.refuse(now, received, disagreement.status()),
            }
        }
        if let Some(dialog) = session.dialog_with(tag) {
            dialog.refresh_target(received.message);
        }
        // RFC 4028 §9: the interval of a session begins with the 2xx of its INVITE.
        let is_confirmed = matches!(session.phase, Phase::Confirmed(_));
        let agreement = if is_confirmed { self.agree_on_expiry(now, id, received.message) } else { None };
        let body = answered.as_ref().map(|(answer, ..)| answer.as_slice());
        self.respond_in_dialog(now, received, body, agreement);
        if let Some((_, audio, before)) = answered
            && before.as_ref() != Some(&audio)
        {
            self.tell_updated(id, tag, audio);
        }
        self.hear_gate(id, received, tag);
        self.settle(id);
    }

    /// Sends 200 with Contact (§5.2), and a description if there is one.
    pub(super) fn respond_in_dialog(
        &mut self,
        now: Instant,
        received: Received<'_>,
        body: Option<&[u8]>,
        agreement: Option<Agreement>,
    ) {
        let transaction = self.begin(received, Role::Unattended);
        let hop = way_of_dialog(received);
        let builder = self.reply(received, 200, None);
        let scheme = self.session_of(received).map_or(Scheme::Sip, |id| self.scheme_with(id, received));
        let builder = with_capabilities(builder, scheme, &hop, self.profile(received.peer));
        let builder = with_agreement(builder, agreement);
        let bytes = match body {
            Some(body) => builder.body("application/sdp", body),
            None => builder.finish(),
        };
        self.respond(now, transaction, 200, bytes);
    }

    pub(super) fn tell_updated(&mut self, id: SessionId, tag: &str, audio: Arc<NegotiatedAudio>) {
        let is_heard = self.profile_for(id).early_media == EarlyMedia::Accept;
        let Some(session) = self.sessions.get_mut(id) else { return };
        let is_ended = session.is_ended();
        match &mut session.phase {
            Phase::Offered(_) => self.events.push_back(Event::EarlyMedia { session: id, audio }),
            Phase::Calling(calling) => {
                let closed =
                    calling.early.iter().any(|early| early.dialog.remote_tag == tag && early.is_gate_closed);
                if is_heard && !closed {
                    calling.heard = Some(audio.clone());
                    self.events.push_back(Event::EarlyMedia { session: id, audio });
                }
            }
            _ if !is_ended => self.events.push_back(Event::Media { session: id, audio }),
            _ => {}
        }
    }
}
