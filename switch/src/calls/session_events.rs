//! What the user agent reports of sessions.

use std::sync::Arc;

use tandem_control_api::{
    CallId, DialFailure, EndedBy, Event, LegEnd, LegId, Origin, Outcome, Party,
    Redirection as ControlRedirection,
};
use tandem_media::{EndpointId, StreamParameters};
use tandem_sbc::user_agent as ua;
use tandem_sbc::user_agent::{
    Identity, Invite, NegotiatedAudio, SessionEnd, SessionError, SessionId, Source,
};
use tandem_time::Instant;

use super::call::Call;
use super::cause::{self, EndCause};
use super::ending::{Hangup, Over};
use super::leg::{Heard, Leg, LegState, Opener, Opening, Settled};
use super::replace::Newcomer;
use super::timers::Timer;
use super::transfer::Refer;
use super::translate::{self, PeerKind, UnusableKeys};
use super::{Action, Calls};
use crate::counters::Refusal;

/// What a caller is told who cannot have TLS on every hop (RFC 5630 §5.3).
const NOT_SECURE: u16 = 480;

/// A call at the door.
struct Caller {
    session: SessionId,
    source: Source,
    from: Identity,
    dialled: String,
    sip_call_id: String,
    is_emergency: bool,
}

impl Calls {
    /// Takes an event of the user agent.
    pub(crate) fn handle_session_event(&mut self, now: Instant, event: ua::Event) {
        match event {
            ua::Event::Incoming { session, source, from, dialled, call_id, acceptable, is_emergency } => {
                let caller = Caller { session, source, from, dialled, sip_call_id: call_id, is_emergency };
                self.incoming(now, caller, acceptable);
            }
            ua::Event::Replacing { session, replaced, early_only, source, from, call_id, acceptable } => {
                let newcomer =
                    Newcomer { session, early_only, source, from, sip_call_id: call_id, acceptable };
                self.replacing(newcomer, replaced);
            }
            ua::Event::Registration { user, reachable } => {
                self.tell(Event::Registration { user, reachable });
            }
            ua::Event::Ringing { session } => self.for_leg(session, |calls, leg| calls.ringing(now, leg)),
            ua::Event::Answered { session } => {
                self.for_leg(session, |calls, leg| calls.party_answered(now, leg))
            }
            ua::Event::Confirmed { session } => self.for_leg(session, |calls, leg| calls.confirmed(now, leg)),
            ua::Event::EarlyMedia { session, audio } => {
                self.for_leg(session, |calls, leg| calls.early_media(now, leg, audio));
            }
            ua::Event::Reoffered { session, .. } => {
                self.for_leg(session, |calls, leg| calls.codec_asked(leg));
            }
            ua::Event::Media { session, audio } if self.replace(now, session, &audio) => {}
            ua::Event::Media { session, audio } => {
                self.for_leg(session, |calls, leg| calls.audio_agreed(now, leg, audio));
            }
            ua::Event::TransferAsked { session, refer: id, to, scheme, replaces, .. } => {
                self.for_leg(session, |calls, leg| {
                    calls.transfer_asked(leg, Refer { session, id, scheme }, to, replaces);
                });
            }
            ua::Event::Referred { session, status } => {
                self.for_leg(session, |calls, leg| calls.referred(now, leg, status));
            }
            ua::Event::Digit { session, digit } => {
                self.for_leg(session, |calls, leg| calls.key_pressed(leg, digit));
            }
            ua::Event::Ended { session, .. } if self.drop_replacement(session) => {}
            ua::Event::ReasonStated { session, reason } => {
                self.for_leg(session, |calls, leg| calls.reason_stated(now, leg, reason));
            }
            ua::Event::Named { session, session_id } => {
                if let Some(leg) = self.sessions.get(&session).and_then(|leg| self.legs.get_mut(*leg)) {
                    leg.session_id = Some(session_id);
                }
            }
            ua::Event::Ended { session, end } => {
                self.for_leg(session, |calls, leg| calls.session_ended(now, leg, end));
            }
            ua::Event::Released { session } => {
                self.for_leg(session, |calls, leg| calls.session_released(leg));
                self.sessions.remove(&session);
            }
        }
    }

    /// Takes what became of [`Action::Invite`]; the session's Call-ID goes into the record.
    pub(crate) fn handle_invited(
        &mut self,
        now: Instant,
        leg_id: LegId,
        invited: Result<(SessionId, String), SessionError>,
    ) {
        let leg = self.legs.get_mut(leg_id);
        match (leg.map(|leg| (leg.state, leg)), invited) {
            (Some((LegState::Dialling { endpoint, dial, ring_until, .. }, leg)), Ok((session, call_id))) => {
                leg.sip_call_id = call_id;
                leg.state = LegState::Inviting { session, endpoint, dial, ring_until };
                self.sessions.insert(session, leg_id);
            }
            (_, Ok((session, _))) => {
                self.actions.push_back(Action::HangUp { session, cause: EndCause::Cancelled.name() });
            }
            (Some((LegState::Dialling { .. }, _)), Err(error)) => {
                let status = if error == SessionError::NotSecure { NOT_SECURE } else { 0 };
                self.dial_failed(now, leg_id, cause::invite_failure(error), status);
            }
            (_, Err(_)) => {}
        }
    }

    /// Takes the failure of [`Action::Accept`]. Was the session ended, its end is under way to us and refusing it
    /// does nothing.
    pub(crate) fn handle_accept_failure(&mut self, leg: LegId, session: SessionId, error: SessionError) {
        let status = if error == SessionError::NoCommonCodec { 488 } else { 500 };
        if self.drop_replacement(session) {
            self.actions.push_back(Action::Reject { session, status });
            return;
        }
        self.refuse(leg, status, EndCause::NoMedia);
    }

    /// Takes the failure of [`Action::Deflect`].
    pub(crate) fn handle_not_referred(&mut self, now: Instant, session: SessionId) {
        self.for_leg(session, |calls, leg| calls.referred(now, leg, 500));
    }

    /// The endpoint for a new leg is open, at `rtp`.
    pub(super) fn endpoint_ready(&mut self, leg_id: LegId, rtp: std::net::SocketAddr) {
        let preferred = self.caller_codec(leg_id);
        let Some(leg) = self.legs.get_mut(leg_id) else { return };
        let media = translate::local_media(rtp, preferred);
        match leg.state {
            LegState::Preparing { session, endpoint, opening: Opening::Progress(progress), .. } => {
                let heard = Heard::Asked(progress);
                leg.state = LegState::Progressing { session, endpoint, heard, play: None, peer: None };
                self.actions.push_back(Action::Progress { leg: leg_id, session, media: Box::new(media) });
            }
            LegState::Preparing { session, endpoint, opening: Opening::Answer(answer), .. } => {
                leg.state = LegState::Accepting { session, endpoint: Some(endpoint), answer, peer: None };
                self.actions.push_back(Action::Accept { leg: leg_id, session, media: Box::new(media) });
            }
            LegState::Dialling { .. } => {
                let Some(invitation) = leg.invitation.take() else { return };
                let (scheme, target) = (invitation.scheme, translate::invite_target(invitation.target));
                let call = leg.call;
                let invite = Box::new(Invite { target, from: invitation.from, media });
                let caller = self.waiting_caller(call);
                let party = self.calls.get(call).and_then(|call| self.legs.get(call.caller)?.state.session());
                self.actions.push_back(Action::Invite { leg: leg_id, caller, party, scheme, invite });
            }
            _ => {}
        }
    }

    /// The session of a call's first caller, while that waits to be answered.
    fn waiting_caller(&self, call: CallId) -> Option<SessionId> {
        let caller = self.legs.get(self.calls.get(call)?.caller)?;
        caller.state.session().filter(|_| caller.answered.is_none())
    }

    fn incoming(&mut self, now: Instant, caller: Caller, acceptable: bool) {
        let session = caller.session;
        let refusal = if self.draining {
            Some(Refusal::Draining)
        } else if self.calls_up >= self.config.max_calls && !caller.is_emergency {
            Some(Refusal::Limit)
        } else if !acceptable {
            Some(Refusal::NotAcceptable)
        } else {
            None
        };
        let refusal = refusal.or_else(|| self.offer(now, caller).is_none().then_some(Refusal::Limit));
        if let Some(refusal) = refusal {
            self.counters.refused(refusal);
            self.actions.push_back(Action::Reject { session, status: refusal.status() });
        }
    }

    /// Makes the call and its first leg, and tells the control plane; none when there is no room.
    fn offer(&mut self, now: Instant, caller: Caller) -> Option<()> {
        let config = std::sync::Arc::clone(&self.config);
        let from = visible(&caller.from);
        let redirected = caller.from.redirection.as_deref().map(|redirection| ControlRedirection {
            by: visible(&redirection.by),
            reason: redirection.reason.name().to_owned(),
        });
        let caller_identity = caller.from;
        let (origin, party, peer) = match caller.source {
            Source::Trunk(trunk) => (Origin::Trunk(trunk), from.number.clone(), PeerKind::Trunk),
            Source::User(user) => (Origin::User(user.clone()), user, PeerKind::phone(&config)),
        };
        let trunk = trunk_of(&origin);
        let (legs, dialled) = (&mut self.legs, caller.dialled);
        let (session, sip_call_id) = (caller.session, caller.sip_call_id);
        let (event_origin, event_from, event_dialled) = (origin.clone(), from.clone(), dialled.clone());
        let event_redirected = redirected.clone();
        let call_id = self.calls.insert_with(|call_id| {
            let leg = legs.insert_with(|_| {
                let state = LegState::Offered { session };
                Some(Leg { sip_call_id, trunk, ..Leg::new(call_id, 0, state, peer, party, now) })
            })?;
            let mut call = Call::new(now, origin, from, dialled, config, leg);
            call.caller_identity = caller_identity;
            call.redirected = redirected;
            call.add_leg(leg);
            Some(call)
        })?;
        let call = self.calls.get(call_id)?;
        let leg = call.caller;
        self.timers.set(call.too_long_at, Timer::CallTooLong(call_id));
        self.sessions.insert(session, leg);
        self.remember_phone(leg);
        self.calls_up += 1;
        self.counters.calls_offered += 1;
        self.tell(Event::CallOffered {
            call: call_id,
            leg,
            origin: event_origin,
            from: event_from,
            dialled: event_dialled,
            redirected: event_redirected,
        });
        Some(())
    }

    fn ringing(&mut self, now: Instant, leg_id: LegId) {
        let Some(leg) = self.legs.get_mut(leg_id) else { return };
        if let LegState::Inviting { session, endpoint, dial, ring_until } = leg.state {
            leg.state = LegState::Ringing { session, endpoint, dial, ring_until };
        }
        if matches!(leg.state, LegState::Ringing { .. } | LegState::Early { .. }) && leg.ringing.is_none() {
            leg.ringing = Some(now);
            let call = leg.call;
            self.tell(Event::LegRinging { call, leg: leg_id });
            self.transfer_rings(call, leg_id);
        }
    }

    /// A party can be heard before it answers: a bridge may let the caller hear it. To a caller, its own early media
    /// is no news.
    fn early_media(&mut self, now: Instant, leg_id: LegId, audio: Arc<NegotiatedAudio>) {
        self.audio_agreed(now, leg_id, audio);
        let Some(leg) = self.legs.get_mut(leg_id) else { return };
        if let LegState::Inviting { session, endpoint, dial, ring_until }
        | LegState::Ringing { session, endpoint, dial, ring_until } = leg.state
        {
            leg.state = LegState::Early { session, endpoint, dial, ring_until, peer: None };
            let call = leg.call;
            self.tell(Event::LegEarlyMedia { call, leg: leg_id });
        }
    }

    pub(super) fn party_answered(&mut self, now: Instant, leg_id: LegId) {
        let Some(leg) = self.legs.get_mut(leg_id) else { return };
        let peer = leg.state.peer();
        if let LegState::Inviting { session, endpoint, dial, ring_until }
        | LegState::Ringing { session, endpoint, dial, ring_until }
        | LegState::Early { session, endpoint, dial, ring_until, .. } = leg.state
        {
            leg.state = LegState::Agreeing { session, endpoint, opener: Opener::Dial(dial) };
            self.timers.cancel(ring_until, Timer::RingTimeout(leg_id));
            self.complete(now, leg_id);
            if let Some((peer, leg)) = peer.zip(self.legs.get_mut(leg_id)) {
                leg.state = leg.state.joined(peer);
            }
            self.spare_transcoding(leg_id);
        }
    }

    fn confirmed(&mut self, now: Instant, leg_id: LegId) {
        let Some(leg) = self.legs.get_mut(leg_id) else { return };
        if let LegState::Accepting { session, endpoint, answer, peer } = leg.state {
            leg.state = LegState::Agreeing { session, endpoint, opener: Opener::Answer(answer) };
            self.complete(now, leg_id);
            if let Some((peer, leg)) = peer.zip(self.legs.get_mut(leg_id)) {
                leg.state = leg.state.joined(peer);
            }
            self.spare_transcoding(leg_id);
        }
    }

    pub(super) fn audio_agreed(&mut self, now: Instant, leg_id: LegId, audio: Arc<NegotiatedAudio>) {
        let Some(leg) = self.legs.get_mut(leg_id) else { return };
        if matches!(leg.state, LegState::Ending { .. } | LegState::Ended { .. }) {
            return;
        }
        let holds = is_hold(audio.direction);
        let held = leg.audio.as_ref().is_some_and(|known| is_hold(known.direction));
        leg.audio = Some(audio);
        if !self.complete(now, leg_id) {
            self.configure(now, leg_id);
            self.tell_hold(leg_id, held, holds);
        }
    }

    fn tell_hold(&mut self, leg_id: LegId, held: bool, holds: bool) {
        let Some(leg) = self.legs.get(leg_id) else { return };
        let (call, leg) = (leg.call, leg_id);
        match (held, holds) {
            (false, true) if self.is_up(leg) => self.tell(Event::LegHeld { call, leg }),
            (true, false) if self.is_up(leg) => self.tell(Event::LegResumed { call, leg }),
            _ => {}
        }
    }

    /// Offer, answer and ACK are all there: the leg is answered. True when it has just become so.
    fn complete(&mut self, now: Instant, leg_id: LegId) -> bool {
        let Some(leg) = self.legs.get_mut(leg_id) else { return false };
        let LegState::Agreeing { session, endpoint, opener } = leg.state else { return false };
        // What is agreed without us is not told us.
        if leg.audio.is_none() && endpoint.is_some() {
            return false;
        }
        leg.state = LegState::Answered { session, endpoint, play: None, collect: None };
        leg.answered = Some(now);
        let call = leg.call;
        if let Some(call) = self.calls.get_mut(leg.call).filter(|call| call.caller == leg_id) {
            call.caller_answered(now);
            self.counters.calls_answered += 1;
        }
        self.configure(now, leg_id);
        self.record_by_trunk(now, leg_id);
        let (name, command) = match opener {
            Opener::Answer(command) => ("answer", command),
            Opener::Dial(command) => ("dial", command),
        };
        self.settled(now, call, Settled::new(name, command, Ok(Outcome::Answered { leg: leg_id })));
        true
    }

    /// Tells the worker what was agreed. Silence is held against a party only once it is answered: a phone that
    /// rings may send early media or none.
    fn configure(&mut self, now: Instant, leg_id: LegId) {
        let Some(leg) = self.legs.get(leg_id) else { return };
        let (Some(audio), Some(endpoint)) = (&leg.audio, leg.state.endpoint()) else { return };
        let config = self.calls.get(leg.call).map(|call| &call.config);
        // A party that put us on hold may be silent, whatever its direction says.
        let timeout = leg.answered.filter(|_| !is_hold(audio.direction)).and_then(|_| config?.media_timeout);
        let stream = translate::stream(audio, leg.peer, timeout);
        self.configure_endpoint(now, leg_id, endpoint, stream);
        let codes = self.codes_of(leg_id);
        if !codes.is_empty() {
            self.command_endpoint(endpoint, |endpoint| tandem_media::Command::HoldBack { endpoint, codes });
        }
        self.listen(leg_id);
    }

    /// A leg whose keys cannot be used has no media, and is ended: it must not go on in clear.
    pub(super) fn configure_endpoint(
        &mut self,
        now: Instant,
        leg_id: LegId,
        endpoint: EndpointId,
        stream: Result<StreamParameters, UnusableKeys>,
    ) {
        match stream {
            Ok(stream) => self
                .command_endpoint(endpoint, |endpoint| tandem_media::Command::Configure { endpoint, stream }),
            Err(UnusableKeys) => self.end_by_us(now, leg_id, Hangup::by_switch(EndCause::NoKeys)),
        }
    }

    fn session_ended(&mut self, now: Instant, leg_id: LegId, end: SessionEnd) {
        let Some(leg) = self.legs.get(leg_id) else { return };
        let rang = leg.ringing.is_some();
        let dial_failure = cause::dial_failure(&end, rang);
        let is_handed_back = self.is_handed_back(leg_id);
        let (end, cause) = match leg.state {
            LegState::Ended { .. } => return,
            LegState::Bridged { .. } | LegState::Answered { .. }
                if is_handed_back && end.by == ua::Ender::Peer =>
            {
                let cause = EndCause::Transferred;
                let by = EndedBy::Party;
                (LegEnd { by, status: end.status, cause: cause.name().to_owned() }, cause)
            }
            LegState::Ending { by, cause, .. } if end.by != ua::Ender::Peer => {
                (LegEnd { by, status: end.status, cause: cause.name().to_owned() }, cause)
            }
            _ => cause::unasked_end(end, leg.direction, leg.answered.is_some(), rang),
        };
        self.end_leg(now, leg_id, Over { asked: None, end, cause, dial_failure });
    }

    /// What a party says of why it leaves goes into its record, and to those who leave because of it.
    fn reason_stated(&mut self, now: Instant, leg_id: LegId, reason: ua::Reason) {
        let Some(leg) = self.legs.get_mut(leg_id) else { return };
        leg.stated = Some(reason);
        if let Some(call) = self.calls.get_mut(leg.call) {
            call.stated = Some((now, leg_id, reason));
        }
    }

    /// A key came in SIP: the worker takes it where it takes those that come in RTP. Of a leg whose media does not pass us
    /// it goes on to the other one in SIP.
    fn key_pressed(&mut self, leg_id: LegId, digit: char) {
        let Some(leg) = self.legs.get(leg_id) else { return };
        match (leg.state.endpoint(), tandem_media::Digit::from_char(digit)) {
            (Some(endpoint), Some(digit)) => {
                self.command_endpoint(endpoint, |endpoint| tandem_media::Command::Digit { endpoint, digit });
            }
            (None, _) => {
                let peer = leg.state.peer().and_then(|peer| self.legs.get(peer));
                if let Some(session) = peer.and_then(|peer| peer.state.session()) {
                    self.actions.push_back(Action::SendDigit { session, digit });
                }
            }
            _ => {}
        }
    }

    pub(super) fn session_released(&mut self, leg_id: LegId) {
        let Some(leg) = self.legs.get_mut(leg_id) else { return };
        if let LegState::Ended { endpoint, .. } = leg.state {
            leg.state = LegState::Ended { session: None, endpoint };
            self.free_leg(leg_id);
        }
    }

    /// A dialled leg that has no session ends; with a status when its caller can be told one.
    pub(super) fn dial_failed(&mut self, now: Instant, leg: LegId, dial_failure: DialFailure, status: u16) {
        let cause = EndCause::from(dial_failure);
        let end = LegEnd { by: EndedBy::Switch, status, cause: cause.name().to_owned() };
        self.end_leg(now, leg, Over { asked: None, end, cause, dial_failure });
    }

    fn caller_codec(&self, leg: LegId) -> Option<ua::AudioCodec> {
        let call = self.calls.get(self.legs.get(leg)?.call)?;
        Some(self.legs.get(call.caller)?.audio.as_ref()?.codec)
    }

    fn for_leg(&mut self, session: SessionId, act: impl FnOnce(&mut Self, LegId)) {
        if let Some(leg) = self.sessions.get(&session).copied() {
            act(self, leg);
        }
    }
}

/// Over which trunk a party comes.
pub(super) fn trunk_of(origin: &Origin) -> Option<String> {
    match origin {
        Origin::Trunk(trunk) => Some(trunk.clone()),
        Origin::User(_) => None,
    }
}

/// Whether the party does not listen (RFC 3264 §8.4): seen from us, we may not send.
const fn is_hold(direction: ua::MediaDirection) -> bool {
    matches!(direction, ua::MediaDirection::ReceiveOnly | ua::MediaDirection::Inactive)
}

/// RFC 3325 §7: a withheld number goes to nobody but those who are trusted, and neither agents nor records are.
fn visible(caller: &Identity) -> Party {
    if caller.restricted {
        return Party { withheld: true, ..Party::default() };
    }
    Party { number: caller.user.clone(), name: caller.display_name.clone(), withheld: false }
}
