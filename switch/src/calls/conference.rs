//! Conferences: legs of one call that hear each other, by roles.
//!
//! ```text
//!  members       one                two parties, as loud as they come        any others
//!  media         a room             relayed                                  a room
//! ```
//!
//! How the media goes follows from who is there, and is arranged anew whenever that changes: a room of the worker mixes
//! for each member the others that it may hear; two parties for whom nothing is to be mixed are relayed. A leg that comes
//! from another call moves to this one's worker; until it is there, the others confer without it.
//!
//! A member that puts us on hold stays one: it hears nothing and is not heard, nor is its music.

use tandem_control_api::{CallFact, CallId, CommandError, LegId, Level, Prompt, Role};
use tandem_media as media;
use tandem_media::{Audience, ConferenceId, EndpointId, Gain};
use tandem_time::Instant;

use super::call::Call;
use super::commands::{Begun, wrong_state};
use super::leg::LegState;
use super::{Action, Calls, Progress, translate};

/// Who confers in a call.
#[derive(Debug)]
pub(crate) struct Conference {
    id: ConferenceId,
    members: Vec<Member>,
    shape: Shape,
}

#[derive(Debug)]
struct Member {
    leg: LegId,
    role: Role,
    /// Where it is not as it came.
    gain: Option<Gain>,
    own_gains: Vec<(LegId, Gain)>,
}

/// How its media goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Room,
    Relay(LegId, LegId),
}

impl Conference {
    fn member(&mut self, leg: LegId) -> Option<&mut Member> {
        self.members.iter_mut().find(|member| member.leg == leg)
    }

    fn has(&self, leg: LegId) -> bool {
        self.members.iter().any(|member| member.leg == leg)
    }

    fn is_party(&self, leg: LegId) -> bool {
        self.members.iter().any(|member| member.leg == leg && member.role == Role::Party)
    }

    fn fitting_shape(&self) -> Shape {
        match self.members.as_slice() {
            [a, b] if a.is_plain() && b.is_plain() => Shape::Relay(a.leg, b.leg),
            _ => Shape::Room,
        }
    }

    /// Nothing stays of who has left.
    fn forget(&mut self, leg: LegId) {
        self.members.retain(|member| member.leg != leg);
        for member in &mut self.members {
            member.own_gains.retain(|(hearer, _)| *hearer != leg);
            if member.role == (Role::Coach { leg }) {
                member.role = Role::Monitor;
            }
        }
    }
}

impl Member {
    fn is_plain(&self) -> bool {
        self.role == Role::Party && self.gain.is_none() && self.own_gains.is_empty()
    }
}

impl Calls {
    pub(super) fn join_conference(
        &mut self,
        now: Instant,
        leg: LegId,
        call: CallId,
        role: Role,
        announce: &[Prompt],
    ) -> Begun {
        let (state, from) = self.commanded(leg)?;
        self.check_join(leg, &state, from, call, role)?;
        let announced = match announce {
            [] => None,
            prompts => Some(translate::segments(prompts, &self.prompts)?),
        };
        self.attend(call);
        let is_member = self.conference(call).is_some_and(|conference| conference.has(leg));
        if !is_member {
            self.sit_down(now, leg, from, call);
        }
        let member = self.conference(call).and_then(|conference| conference.member(leg));
        let before = member.map(|member| std::mem::replace(&mut member.role, role));
        let is_news = !is_member || before != Some(role);
        if let Some(call) = self.calls.get_mut(call).filter(|_| is_news) {
            let party = self.legs.get(leg).map(|leg| leg.party.clone()).unwrap_or_default();
            call.add_fact(now, CallFact::ConferenceJoined { leg, party, role: role.name().to_owned() });
        }
        self.arrange(call);
        if let Some(segments) = announced {
            self.announce(call, segments);
        }
        Ok(Progress::Done)
    }

    pub(super) fn set_level(&mut self, leg: LegId, to: Option<LegId>, level: Level) -> Begun {
        let (state, call) = self.commanded(leg)?;
        if !matches!(state, LegState::Conferring { .. }) {
            return Err(wrong_state("set-level", &state));
        }
        let gain = match level {
            Level::Muted => Gain::MUTED,
            Level::Decibels(decibels) => Gain::from_decibels(decibels)
                .ok_or_else(|| CommandError::Invalid("level: from -40 to 20".to_owned()))?,
        };
        let gain = Some(gain).filter(|gain| *gain != Gain::UNITY);
        self.attend(call);
        let Some(conference) = self.conference(call) else { return Ok(Progress::Done) };
        if to.is_some_and(|to| to == leg || !conference.has(to)) {
            return Err(CommandError::Invalid("to".to_owned()));
        }
        if let Some(member) = conference.member(leg) {
            match to {
                None => (member.gain, member.own_gains) = (gain, Vec::new()),
                Some(to) => {
                    member.own_gains.retain(|(hearer, _)| *hearer != to);
                    let differs = gain != member.gain;
                    member.own_gains.extend(differs.then(|| (to, gain.unwrap_or(Gain::UNITY))));
                }
            }
        }
        self.arrange(call);
        Ok(Progress::Done)
    }

    /// A leg leaves the conference it is in, if any, and is for itself.
    pub(super) fn leave_conference(&mut self, now: Instant, leg_id: LegId) {
        let Some(leg) = self.legs.get_mut(leg_id) else { return };
        let LegState::Conferring { session, endpoint } = leg.state else { return };
        leg.state = LegState::Answered { session, endpoint: Some(endpoint), play: None, collect: None };
        let (call_id, party) = (leg.call, leg.party.clone());
        self.command_endpoint(endpoint, |endpoint| media::Command::Unbridge { endpoint });
        let Some(call) = self.calls.get_mut(call_id) else { return };
        call.add_fact(now, CallFact::ConferenceLeft { leg: leg_id, party });
        if let Some(conference) = &mut call.conference {
            conference.forget(leg_id);
            if conference.members.is_empty() {
                call.conference = None;
            } else {
                self.arrange(call_id);
            }
        }
    }

    /// Which other leg one of two is relayed to, when they are all that is left of a conference.
    pub(super) fn relayed_with(&self, leg: LegId) -> Option<LegId> {
        let call = self.calls.get(self.legs.get(leg)?.call)?;
        match call.conference.as_ref()?.shape {
            Shape::Relay(a, b) if a == leg => Some(b),
            Shape::Relay(a, b) if b == leg => Some(a),
            Shape::Relay(..) | Shape::Room => None,
        }
    }

    /// An endpoint has come to the worker of its call: it takes part there.
    pub(super) fn seat_arrived(&mut self, leg: LegId) {
        let Some(call) = self.legs.get(leg).map(|leg| leg.call) else { return };
        match self.conference(call).filter(|conference| conference.has(leg)).map(|it| it.shape) {
            Some(Shape::Room) => self.open_room(call),
            Some(Shape::Relay(a, b)) => self.relay(a, b),
            None => {}
        }
    }

    fn check_join(
        &self,
        leg: LegId,
        state: &LegState,
        from: CallId,
        call_id: CallId,
        role: Role,
    ) -> Result<(), CommandError> {
        let call = self.calls.get(call_id).filter(|call| call.is_up()).ok_or(CommandError::UnknownCall)?;
        let fits = match state {
            LegState::Answered { endpoint: Some(_), .. } | LegState::Conferring { .. } => true,
            LegState::Bridged { endpoint: Some(_), peer, .. } => *peer != leg,
            _ => false,
        };
        if !fits {
            return Err(wrong_state("join", state));
        }
        if [from, call_id].into_iter().any(|id| self.calls.get(id).is_some_and(Call::is_transferring)) {
            let state = "in a call with a transfer under way".to_owned();
            return Err(CommandError::WrongState { command: "join".to_owned(), state });
        }
        let conference = call.conference.as_ref();
        if let Role::Coach { leg: coached } = role
            && (coached == leg || !conference.is_some_and(|conference| conference.is_party(coached)))
        {
            return Err(CommandError::Invalid("role: nobody of that name to coach".to_owned()));
        }
        let members = conference.map_or(0, |conference| conference.members.len());
        if members >= ConferenceId::MAX_MEMBERS && !conference.is_some_and(|it| it.has(leg)) {
            return Err(CommandError::Limit("legs in the conference".to_owned()));
        }
        if from != call_id && call.live >= usize::from(call.config.max_legs_per_call) {
            return Err(CommandError::Limit("legs in the call".to_owned()));
        }
        Ok(())
    }

    /// A leg leaves what it heard, and the call it was in.
    fn sit_down(&mut self, now: Instant, leg_id: LegId, from: CallId, call_id: CallId) {
        self.leave_conference(now, leg_id);
        self.part(leg_id);
        self.move_leg(now, leg_id, from, call_id);
        self.call_left_empty(now, from);
        let Some(leg) = self.legs.get_mut(leg_id) else { return };
        let LegState::Answered { session, endpoint: Some(endpoint), play, collect } = leg.state else {
            return;
        };
        leg.state = LegState::Conferring { session, endpoint };
        self.stopped(play, collect);
        let id = ConferenceId(self.conferences);
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let conference = call.conference.get_or_insert_with(|| {
            self.conferences += 1;
            Box::new(Conference { id, members: Vec::new(), shape: Shape::Room })
        });
        conference.members.push(Member { leg: leg_id, role: Role::Party, gain: None, own_gains: Vec::new() });
    }

    fn conference(&mut self, call: CallId) -> Option<&mut Conference> {
        self.calls.get_mut(call)?.conference.as_deref_mut()
    }

    /// Lets the media go as it should, by who is there.
    fn arrange(&mut self, call: CallId) {
        let Some(conference) = self.conference(call) else { return };
        let shape = conference.fitting_shape();
        let before = std::mem::replace(&mut conference.shape, shape);
        match shape {
            Shape::Relay(a, b) if before != shape => self.relay(a, b),
            Shape::Relay(..) => {}
            Shape::Room => self.open_room(call),
        }
    }

    fn relay(&mut self, a: LegId, b: LegId) {
        if let (Some(a), Some(b)) = (self.endpoint_of(a), self.endpoint_of(b)) {
            self.join_endpoints(a, b);
        }
    }

    /// Seats everybody who is at the worker. To say it again to those who sit there changes nothing.
    fn open_room(&mut self, call_id: CallId) {
        let Some(call) = self.calls.get(call_id) else { return };
        let (Some(conference), Some(at)) = (&call.conference, call.worker) else { return };
        let id = conference.id;
        let endpoint_of = |leg| {
            let endpoint = self.endpoint_of(leg)?;
            (self.endpoints.worker_of_open(endpoint) == Some(at)).then_some(endpoint)
        };
        let mut commands = Vec::new();
        for member in &conference.members {
            let Some(endpoint) = endpoint_of(member.leg) else { continue };
            let audience = match member.role {
                Role::Party => Audience::Everybody,
                Role::Monitor => Audience::Nobody,
                Role::Coach { leg } => endpoint_of(leg).map_or(Audience::Nobody, Audience::One),
            };
            commands.push(media::Command::Join { endpoint, conference: id, audience });
        }
        for member in &conference.members {
            let Some(endpoint) = endpoint_of(member.leg) else { continue };
            let gain = member.gain.unwrap_or(Gain::UNITY);
            commands.push(media::Command::Voice { endpoint, to: None, gain });
            for (hearer, gain) in &member.own_gains {
                let Some(to) = endpoint_of(*hearer) else { continue };
                commands.push(media::Command::Voice { endpoint, to: Some(to), gain: *gain });
            }
        }
        let actions = commands.into_iter().map(|command| Action::Media { worker: at, command });
        self.actions.extend(actions);
    }

    pub(super) fn announce(&mut self, call_id: CallId, segments: std::sync::Arc<[media::Segment]>) {
        let Some(call) = self.calls.get(call_id) else { return };
        let Some((conference, worker)) = call.conference.as_ref().zip(call.worker) else { return };
        if conference.shape == Shape::Room {
            let command = media::Command::Announce { conference: conference.id, segments };
            self.actions.push_back(Action::Media { worker, command });
        }
    }

    fn endpoint_of(&self, leg: LegId) -> Option<EndpointId> {
        self.legs.get(leg)?.state.endpoint()
    }
}
