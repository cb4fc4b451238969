//! The commands of the control plane; the table is in the documentation of [`super`].

use tandem_control_api::{
    BargeIn, CallFact, CallId, CollectRules, Command, CommandError, CommandId, DialFailure, DialTarget,
    EndedBy, Event, HangupCause, LegId, MediaPath, Origin, Prompt, RejectReason, Repeat,
};
use tandem_media as media;
use tandem_sbc::user_agent::{Identity, Scheme};
use tandem_time::Instant;

use super::call::Call;
use super::cause::{self, EndCause};
use super::ending::Hangup;
use super::leg::{Asked, Collect, Invitation, Leg, LegState, Opening, Play, Settled};
use super::timers::Timer;
use super::translate::{self, PeerKind};
use super::{Action, Calls, Progress};

/// What becomes of a command when it is taken.
pub(super) type Begun = Result<Progress, CommandError>;

impl Calls {
    pub(super) fn begin(&mut self, now: Instant, id: CommandId, command: Command) -> Begun {
        match command {
            Command::Ring { leg } => self.ring(now, leg),
            Command::Progress { leg } => self.progress(now, id, leg),
            Command::Answer { leg } => self.answer(now, id, leg),
            Command::Reject { leg, reason } => self.reject(now, id, leg, reason),
            Command::Hangup { leg, cause } => self.hang_up(now, id, leg, cause),
            Command::Play { leg, prompts, repeat, barge_in } => {
                self.play(id, leg, &prompts, repeat, barge_in)
            }
            Command::Stop { leg } => self.stop(leg),
            Command::Collect { leg, rules } => self.collect(id, leg, &rules),
            Command::Dial { call, target, caller_id, ring_timeout, media: MediaPath::Direct } => {
                self.dial_direct(now, id, call, target, caller_id, now + ring_timeout)
            }
            Command::Dial { call, target, caller_id, ring_timeout, media: MediaPath::Anchored } => {
                self.begin_dial(now, id, call, target, caller_id, now + ring_timeout)?;
                Ok(Progress::UnderWay)
            }
            Command::Bridge { a, b } => self.bridge(a, b),
            Command::Unbridge { leg } => self.unbridge(now, leg),
            Command::Join { leg, call, role, announce } => {
                self.join_conference(now, leg, call, role, &announce)
            }
            Command::SetLevel { leg, to, level } => self.set_level(leg, to, level),
            Command::Transfer { leg, transferee, to } => self.transfer(now, id, leg, transferee, to),
            Command::RefuseTransfer { leg, reason } => self.refuse_transfer(leg, reason),
            Command::PickUp { leg, rung } => self.pick_up(now, leg, rung),
            Command::Analyse { leg, rules } => self.analyse(leg, rules),
            Command::Record { leg, action } => self.record(now, leg, action),
            Command::SetData { call, fact } => self.set_data(now, call, fact),
        }
    }

    fn ring(&mut self, now: Instant, leg_id: LegId) -> Begun {
        let (state, call) = self.commanded(leg_id)?;
        let (LegState::Offered { session } | LegState::Progressing { session, .. }) = state else {
            return Err(wrong_state("ring", &state));
        };
        self.attend(call);
        if let Some(leg) = self.legs.get_mut(leg_id) {
            leg.ringing.get_or_insert(now);
        }
        self.actions.push_back(Action::Ring { session });
        Ok(Progress::Done)
    }

    fn answer(&mut self, now: Instant, id: CommandId, leg: LegId) -> Begun {
        let (state, call) = self.commanded(leg)?;
        let LegState::Offered { session } = state else { return self.answer_progressing(id, leg, state) };
        if let Some(called) = self.calls.get(call).and_then(|call| call.direct) {
            return self.answer_direct(id, leg, session, called);
        }
        self.attend(call);
        match self.open_endpoint(now, call, leg) {
            Some(endpoint) => {
                self.set_state(
                    leg,
                    LegState::Preparing { session, endpoint, opening: Opening::Answer(id), attempts: 1 },
                );
                Ok(Progress::UnderWay)
            }
            None => {
                self.refuse(leg, 503, EndCause::NoMedia);
                Err(CommandError::Limit("media ports".to_owned()))
            }
        }
    }

    fn reject(&mut self, now: Instant, id: CommandId, leg: LegId, reason: RejectReason) -> Begun {
        let (state, call) = self.commanded(leg)?;
        let (LegState::Offered { session }
        | LegState::Progressing { session, .. }
        | LegState::Preparing { session, opening: Opening::Progress(_), .. }) = state
        else {
            return Err(wrong_state("reject", &state));
        };
        self.attend(call);
        self.part(leg);
        let (by, cause) = (EndedBy::Control, EndCause::from(reason));
        let (asked, endpoint) = (Some(Asked::Reject(id)), state.endpoint());
        self.set_state(leg, LegState::Ending { session, endpoint, asked, by, cause });
        for settled in state.settle(DialFailure::Cancelled) {
            self.done(settled);
        }
        self.pass_reason(now, leg, session);
        self.actions.push_back(Action::Reject { session, status: cause::reject_status(reason) });
        Ok(Progress::UnderWay)
    }

    fn hang_up(&mut self, now: Instant, id: CommandId, leg: LegId, cause: HangupCause) -> Begun {
        let (state, call) = self.commanded(leg)?;
        if matches!(state, LegState::Ending { .. }) {
            return Err(wrong_state("hangup", &state));
        }
        self.attend(call);
        let hangup = Hangup {
            asked: Some(Asked::Hangup(id)),
            by: EndedBy::Control,
            cause: cause.into(),
            dial_failure: DialFailure::Cancelled,
        };
        self.end_by_us(now, leg, hangup);
        Ok(Progress::UnderWay)
    }

    fn play(
        &mut self,
        id: CommandId,
        leg: LegId,
        prompts: &[Prompt],
        repeat: Repeat,
        barge_in: BargeIn,
    ) -> Begun {
        let (state, call) = self.commanded(leg)?;
        let endpoint = state.player().ok_or_else(|| wrong_state("play", &state))?;
        let id_of_play = media::PlayId(self.plays + 1);
        let (times, barge_in) = (translate::times(repeat), translate::barge_in(barge_in));
        let (segments, times) = self.compose(id_of_play, leg, prompts, (times, barge_in))?;
        self.attend(call);
        self.plays += 1;
        let next = Play { id: id_of_play, command: id };
        self.set_state(leg, state.hearing(Some(next)));
        if let Some(replaced) = state.playing() {
            self.done(Settled::stopped_play(replaced));
        }
        self.command_endpoint(endpoint, |endpoint| media::Command::Play {
            endpoint,
            play: next.id,
            segments,
            times,
            barge_in,
        });
        Ok(Progress::UnderWay)
    }

    fn stop(&mut self, leg: LegId) -> Begun {
        let (state, call) = self.commanded(leg)?;
        let endpoint = state.player().ok_or_else(|| wrong_state("stop", &state))?;
        let (play, collect) = (state.playing(), state.collecting());
        self.attend(call);
        if play.is_some() || collect.is_some() {
            self.set_state(leg, state.idle());
            self.stopped(play, collect);
            self.command_endpoint(endpoint, |endpoint| media::Command::Stop { endpoint });
        }
        Ok(Progress::Done)
    }

    fn collect(&mut self, id: CommandId, leg: LegId, rules: &CollectRules) -> Begun {
        let (state, call) = self.commanded(leg)?;
        let LegState::Answered { session, endpoint: Some(endpoint), play, collect } = state else {
            return Err(wrong_state("collect", &state));
        };
        let rules = translate::collect_rules(rules)?;
        self.attend(call);
        self.collections += 1;
        let next =
            Collect { id: media::CollectId(self.collections), command: id, sensitive: rules.sensitive };
        self.set_state(
            leg,
            LegState::Answered { session, endpoint: Some(endpoint), play, collect: Some(next) },
        );
        if let Some(replaced) = collect {
            self.done(Settled::stopped_collect(replaced));
        }
        self.command_endpoint(endpoint, |endpoint| media::Command::Collect {
            endpoint,
            collect: next.id,
            rules,
        });
        Ok(Progress::UnderWay)
    }

    /// Makes a leg to be dialled.
    pub(super) fn begin_dial(
        &mut self,
        now: Instant,
        id: CommandId,
        call_id: CallId,
        target: DialTarget,
        caller_id: Option<String>,
        ring_until: Instant,
    ) -> Result<LegId, CommandError> {
        let from = self.dials_from(now, call_id, &target, caller_id, ring_until)?;
        let invitation = Box::new(Invitation { target, from, scheme: Scheme::Sip });
        let leg = self
            .dialled_leg(now, id, call_id, invitation, ring_until)
            .ok_or(CommandError::NotAnswered(DialFailure::Media))?;
        self.attend(call_id);
        self.tell(Event::LegCreated { call: call_id, leg, command: id });
        Ok(leg)
    }

    /// Who is shown as calling, when the call may have one leg more.
    pub(super) fn dials_from(
        &self,
        now: Instant,
        call_id: CallId,
        target: &DialTarget,
        caller_id: Option<String>,
        ring_until: Instant,
    ) -> Result<Identity, CommandError> {
        let call = self.calls.get(call_id).filter(|call| call.is_up()).ok_or(CommandError::UnknownCall)?;
        if call.live >= usize::from(call.config.max_legs_per_call) {
            return Err(CommandError::Limit("legs in the call".to_owned()));
        }
        let (DialTarget::User(party) | DialTarget::Trunk { number: party, .. }) = target;
        if party.is_empty() {
            return Err(CommandError::Invalid("target".to_owned()));
        }
        if ring_until == now {
            return Err(CommandError::Invalid("ring_timeout".to_owned()));
        }
        let from = match caller_id {
            // The control plane shows nobody.
            Some(user) => Identity { restricted: user.is_empty(), user, ..Identity::default() },
            None => call.caller_identity.clone(),
        };
        Ok(Identity { diverting: diverting(call, target), ..from })
    }

    /// Makes a leg that is to be invited; none when there is no port for it.
    fn dialled_leg(
        &mut self,
        now: Instant,
        dial: CommandId,
        call_id: CallId,
        invitation: Box<Invitation>,
        ring_until: Instant,
    ) -> Option<LegId> {
        let user = match &invitation.target {
            DialTarget::User(user) => Some(user.as_str()),
            DialTarget::Trunk { .. } => None,
        };
        let worker = self.worker_of(call_id, user)?;
        let call = self.calls.get_mut(call_id)?;
        let config = std::sync::Arc::clone(&call.config);
        let (party, peer) = match &invitation.target {
            DialTarget::User(user) => (user.clone(), PeerKind::phone(&call.config)),
            DialTarget::Trunk { number, .. } => (number.clone(), PeerKind::Trunk),
        };
        let trunk = match &invitation.target {
            DialTarget::User(_) => None,
            DialTarget::Trunk { trunk, .. } => Some(trunk.clone()),
        };
        let (endpoints, actions, ordinal) = (&mut self.endpoints, &mut self.actions, call.legs_made());
        let leg = self.legs.insert_with(|leg| {
            let (endpoint, command) = endpoints.open(now, leg, worker, &config)?;
            actions.push_back(Action::Media { worker, command });
            let state = LegState::Dialling { endpoint: Some(endpoint), dial, attempts: 1, ring_until };
            Some(Leg {
                invitation: Some(invitation),
                trunk,
                ..Leg::new(call_id, ordinal, state, peer, party, now)
            })
        })?;
        call.add_leg(leg);
        self.remember_phone(leg);
        self.timers.set(ring_until, Timer::RingTimeout(leg));
        Some(leg)
    }

    fn bridge(&mut self, a: LegId, b: LegId) -> Begun {
        let (state_a, call_a) = self.commanded(a)?;
        let (state_b, call_b) = self.commanded(b)?;
        if call_a != call_b {
            return Err(CommandError::DifferentCalls);
        }
        if state_a.peer() == Some(b) {
            return Ok(Progress::Done);
        }
        if !state_a.is_free() {
            return Err(wrong_state("bridge", &state_a));
        }
        // A leg without an endpoint hears the one it was dialled for, or which was dialled for it, and no other.
        let is_pair = match (state_a.endpoint(), state_b.endpoint()) {
            (Some(_), Some(_)) => true,
            (None, None) => a != b,
            _ => false,
        };
        if !is_pair || !state_b.is_free() || (state_a.is_early() && state_b.is_early()) {
            return Err(wrong_state("bridge", &state_b));
        }
        self.attend(call_a);
        self.connect(a, b);
        Ok(Progress::Done)
    }

    /// Lets two legs hear each other that hear nobody else.
    pub(super) fn connect(&mut self, a: LegId, b: LegId) {
        let state = |leg| self.legs.get(leg).map(|leg| leg.state);
        let (Some(state_a), Some(state_b)) = (state(a), state(b)) else { return };
        if !state_a.is_free() || !state_b.is_free() {
            return;
        }
        self.join(a, state_a, b);
        if a != b {
            self.join(b, state_b, a);
        }
        if let Some((endpoint_a, endpoint_b)) = state_a.endpoint().zip(state_b.endpoint()) {
            self.join_endpoints(endpoint_a, endpoint_b);
        }
        if let Some((one, other)) = state_a.session().zip(state_b.session()).filter(|_| a != b) {
            self.actions.push_back(Action::Pair { one, other });
        }
        self.spare_transcoding(a);
    }

    /// A leg in that state hears another from now on, and nothing else.
    fn join(&mut self, leg: LegId, state: LegState, peer: LegId) {
        self.set_state(leg, state.joined(peer));
        self.stopped(state.playing(), state.collecting());
    }

    fn unbridge(&mut self, now: Instant, leg: LegId) -> Begun {
        let (state, call) = self.commanded(leg)?;
        if matches!(state, LegState::Conferring { .. }) {
            self.attend(call);
            self.leave_conference(now, leg);
            return Ok(Progress::Done);
        }
        if state.peer().is_none() || state.endpoint().is_none() {
            return Err(wrong_state("unbridge", &state));
        }
        self.attend(call);
        self.part(leg);
        Ok(Progress::Done)
    }

    fn set_data(&mut self, now: Instant, call: CallId, fact: CallFact) -> Begun {
        let call = self.calls.get_mut(call).filter(|call| !call.is_recorded());
        call.ok_or(CommandError::UnknownCall)?.add_fact(now, fact);
        Ok(Progress::Done)
    }

    /// The state and call of a leg that takes commands.
    pub(super) fn commanded(&self, leg: LegId) -> Result<(LegState, CallId), CommandError> {
        match self.legs.get(leg) {
            Some(leg) if !leg.state.is_ended() => Ok((leg.state, leg.call)),
            _ => Err(CommandError::UnknownLeg),
        }
    }

    /// Ends the commands of a play and a collection as stopped.
    pub(super) fn stopped(&mut self, play: Option<Play>, collect: Option<Collect>) {
        if let Some(play) = play {
            self.done(Settled::stopped_play(play));
        }
        if let Some(collect) = collect {
            self.done(Settled::stopped_collect(collect));
        }
    }
}

pub(super) fn wrong_state(command: &str, state: &LegState) -> CommandError {
    CommandError::WrongState { command: command.to_owned(), state: state.name().to_owned() }
}

/// Whom a carrier's call was for when it goes out again to somebody else (RFC 5806 §2).
fn diverting(call: &Call, target: &DialTarget) -> Option<String> {
    match (&call.origin, target) {
        (Origin::Trunk(_), DialTarget::Trunk { number, .. }) if *number != call.dialled => {
            Some(call.dialled.clone())
        }
        _ => None,
    }
}
