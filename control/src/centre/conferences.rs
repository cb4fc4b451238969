//! More than two in a call: three-way calls out of a consultation, and supervisors who listen, coach and join in.
//!
//! ```text
//!  agent ══ caller      agent keys the code          caller
//!  agent ══ colleague   on either of the two    ▶    agent ═╬═ colleague     its other leg is hung up
//!
//!  agent ══ caller      supervisor dials a code      agent ══ caller
//!                       and the agent           ▶         ╚═ supervisor      hears both; 4, 5, 6: monitor, coach, party
//! ```
//!
//! Two of them are the call's talkers, as in a call without a conference; the others are its guests. When a talker
//! leaves, a guest that is heard by all takes its place; supervisors that only listen leave with the call. When the caller
//! of a flow leaves, all do.

use std::collections::BTreeMap;
use std::time::Duration;

use tandem_control_api::{
    CallFact, CallId, Command, CommandError, DialTarget, HangupCause, LegId, Outcome, Prompt, RejectReason,
    Role, Tone,
};
use tandem_time::Instant;

use super::ContactCentre;
use crate::agent::{AgentId, AgentState};
use crate::call::Stage;
use crate::config::Supervision;
use crate::outbox::Concern;

/// Somebody in a call besides the two who talk.
#[derive(Debug)]
pub(super) struct Guest {
    role: Role,
    /// The agent whose phone that is.
    agent: Option<AgentId>,
    is_leaving: bool,
}

/// A supervisor who is being answered.
#[derive(Debug)]
pub(super) struct Observation {
    leg: LegId,
    of: AgentId,
    how: Supervision,
    /// The agent that the supervisor is.
    agent: Option<AgentId>,
}

/// All that there is of conferences.
#[derive(Debug, Default)]
pub(super) struct Conferences {
    guests: BTreeMap<CallId, BTreeMap<LegId, Guest>>,
    /// By the call that the supervisor made.
    observations: BTreeMap<CallId, Observation>,
    /// Calls whose talkers are in a conference.
    conferring: std::collections::BTreeSet<CallId>,
}

impl Guest {
    fn talks(&self) -> bool {
        self.role == Role::Party && !self.is_leaving
    }
}

impl Conferences {
    /// Whether more than two talk.
    pub(super) fn is_full(&self, call: CallId) -> bool {
        self.guests.get(&call).is_some_and(|guests| guests.values().any(Guest::talks))
    }

    pub(super) fn is_conferring(&self, call: CallId) -> bool {
        self.conferring.contains(&call)
    }

    /// A guest's leg is in the call now, and that agent's.
    pub(super) fn is_agent(&mut self, call: CallId, leg: LegId, agent: &AgentId) -> bool {
        let guest = self.guests.get_mut(&call).and_then(|guests| guests.get_mut(&leg));
        guest.map(|guest| guest.agent = Some(agent.clone())).is_some()
    }
}

impl ContactCentre {
    /// A key of a guest, if it is one: a supervisor listens, coaches or joins in.
    pub(super) fn guest_pressed(&mut self, call: CallId, leg: LegId, digit: char) -> bool {
        let guest = self.conferences.guests.get(&call).and_then(|guests| guests.get(&leg));
        let Some(guest) = guest else { return false };
        if !guest.is_leaving {
            self.change_role(call, leg, digit);
        }
        true
    }

    fn change_role(&mut self, call: CallId, leg: LegId, digit: char) {
        let how = match digit {
            '4' => Supervision::Monitor,
            '5' => Supervision::Coach,
            '6' => Supervision::Barge,
            _ => return,
        };
        let Some((_, agent_leg)) = self.talkers(call) else { return };
        let guest = self.conferences.guests.get_mut(&call).and_then(|guests| guests.get_mut(&leg));
        let Some(guest) = guest else { return };
        guest.role = how.role(agent_leg);
        let role = guest.role;
        self.join(call, leg, role, Vec::new());
    }

    // Three-way calls.

    /// Brings together whom a phone talks to in two calls. The leg on which the code was keyed stays, since that is
    /// the one its user listens to; the call of a flow stays, since its caller is whom it is all about.
    pub(super) fn merge(&mut self, call: CallId, leg: LegId) {
        let Some(user) = self.phone_of(call, leg) else { return };
        let Some((other_call, other_leg)) = self.other_conversation(&user, call) else { return };
        let keeps_this = self.calls.contains_key(&call);
        let (kept, left) = if keeps_this { (call, other_call) } else { (other_call, call) };
        let is_conference = self.conferences.guests.contains_key(&left);
        let pair = self.opposite(call, leg).zip(self.opposite(other_call, other_leg));
        let Some((here, there)) = pair.filter(|_| !is_conference) else { return };
        let (stays, comes) = if keeps_this { (here, there) } else { (there, here) };
        if !keeps_this {
            self.substitute(kept, other_leg, leg);
        }
        for held in [leg, other_leg, stays, comes] {
            self.holds.remove(&held);
        }
        self.conferences.conferring.insert(kept);
        let guest = Guest { role: Role::Party, agent: None, is_leaving: false };
        self.conferences.guests.entry(kept).or_default().insert(comes, guest);
        let announce = if self.config.features.entry_tone { vec![Prompt::Tone(Tone::Entry)] } else { vec![] };
        self.join(kept, stays, Role::Party, Vec::new());
        self.join(kept, leg, Role::Party, Vec::new());
        self.join(kept, comes, Role::Party, announce);
        self.outbox.send(Command::Hangup { leg: other_leg, cause: HangupCause::Normal });
    }

    /// A phone goes on in a call with another of its legs.
    fn substitute(&mut self, call: CallId, old: LegId, new: LegId) {
        if let Some(straight) = self.straight.get_mut(&call) {
            straight.substitute(old, new);
        } else if let Some(agent) = self.legs.remove(&old) {
            if let Some(entry) = self.routing.agents.get_mut(&agent)
                && let AgentState::Talking { leg, .. } = &mut entry.state
            {
                *leg = new;
            }
            self.legs.insert(new, agent);
        }
    }

    /// The user whose phone a leg leads to, of somebody who talks.
    pub(super) fn phone_of(&self, call: CallId, leg: LegId) -> Option<String> {
        if let Some(straight) = self.straight.get(&call) {
            return straight.users.get(&leg).cloned();
        }
        match &self.routing.agents.get(self.legs.get(&leg)?)?.target {
            DialTarget::User(user) => Some(user.clone()),
            DialTarget::Trunk { .. } => None,
        }
    }

    /// Another call in which a phone talks. Three-way calls are few, calls are many: no index is kept for them.
    fn other_conversation(&self, user: &str, except: CallId) -> Option<(CallId, LegId)> {
        let of_agent = self.routing.phones.get(user).and_then(|agent| self.routing.agents.get(agent));
        let in_flow = match of_agent.map(|agent| &agent.state) {
            Some(AgentState::Talking { call, leg, .. }) => Some((*call, *leg)),
            _ => None,
        };
        let straight = self.straight.iter().flat_map(|(call, straight)| {
            let legs = straight.users.iter().filter(|(_, of)| *of == user).map(|(leg, _)| *leg);
            legs.map(|leg| (*call, leg))
        });
        let mut all = in_flow.into_iter().chain(straight);
        all.find(|(call, leg)| *call != except && self.opposite(*call, *leg).is_some())
    }

    // Supervisors.

    /// Whether a phone dialled the code of supervisors; then that is seen to.
    pub(super) fn observation_asked(
        &mut self,
        now: Instant,
        (call, leg): (CallId, LegId),
        user: &str,
        dialled: &str,
    ) -> bool {
        let Some((how, who)) = self.config.features.supervision(dialled) else { return false };
        let of =
            self.routing.phones.get(who).or_else(|| self.routing.agents.get_key_value(who).map(|(id, _)| id));
        let refusal = if !self.config.supervisors.contains(user) {
            Err(RejectReason::Relayed { status: 403 })
        } else if self.calls() >= Self::MAX_CALLS {
            Err(RejectReason::Unavailable)
        } else {
            of.cloned().ok_or(RejectReason::NotFound)
        };
        let refusal = refusal.and_then(|of| match self.conversation_of(&of) {
            Some(_) => Ok(of),
            None => Err(RejectReason::NoAnswer),
        });
        match refusal {
            Err(reason) => {
                self.outbox.send(Command::Reject { leg, reason });
            }
            Ok(of) => {
                let agent = self.routing.phones.get(user).cloned();
                let agent = agent.filter(|agent| self.occupy(now, call, agent));
                self.outbox.ask(Concern::Observation(call), Command::Answer { leg });
                self.conferences.observations.insert(call, Observation { leg, of, how, agent });
            }
        }
        true
    }

    /// The supervisor is answered, or could not be.
    pub(super) fn observation_done(&mut self, call: CallId, outcome: &Result<Outcome, CommandError>) {
        let Some(observation) = self.conferences.observations.get(&call) else { return };
        let (leg, how) = (observation.leg, observation.how);
        let found = outcome.is_ok().then(|| self.conversation_of(&observation.of)).flatten();
        let Some((target, agent_leg)) = found else {
            let cause = if outcome.is_ok() { HangupCause::Normal } else { HangupCause::Error };
            self.outbox.send(Command::Hangup { leg, cause });
            return;
        };
        let Some((caller, party)) = self.talkers(target) else { return };
        let Some(Observation { agent, .. }) = self.conferences.observations.remove(&call) else { return };
        if let Some(entry) = agent.as_ref().and_then(|agent| self.routing.agents.get_mut(agent))
            && let AgentState::OnCall { call, .. } = &mut entry.state
        {
            *call = target;
        }
        if self.conferences.conferring.insert(target) {
            self.join(target, caller, Role::Party, Vec::new());
            self.join(target, party, Role::Party, Vec::new());
        }
        let role = how.role(agent_leg);
        let guest = Guest { role, agent, is_leaving: false };
        self.conferences.guests.entry(target).or_default().insert(leg, guest);
        self.join(target, leg, role, Vec::new());
    }

    /// Where an agent talks, and on which leg.
    fn conversation_of(&self, agent: &AgentId) -> Option<(CallId, LegId)> {
        match self.routing.agents.get(agent)?.state {
            AgentState::Talking { call, leg, .. } => self.talkers(call).map(|_| (call, leg)),
            AgentState::OnCall { call, .. } => {
                let straight = self.straight.get(&call)?;
                let (leg, _) = straight.agents.iter().find(|(_, of)| *of == agent)?;
                self.opposite(call, *leg).map(|_| (call, *leg))
            }
            _ => None,
        }
    }

    // Coming and going.

    fn join(&mut self, call: CallId, leg: LegId, role: Role, announce: Vec<Prompt>) {
        self.outbox.ask(Concern::Joining(call, leg), Command::Join { leg, call, role, announce });
    }

    /// Somebody could not join: it is hung up, and with a talker the call.
    pub(super) fn join_done(&mut self, call: CallId, leg: LegId, outcome: &Result<Outcome, CommandError>) {
        if outcome.is_ok() {
            return;
        }
        let guest = self.conferences.guests.get_mut(&call).and_then(|guests| guests.get_mut(&leg));
        match guest {
            Some(guest) if guest.is_leaving => {}
            Some(guest) => {
                guest.is_leaving = true;
                self.outbox.send(Command::Hangup { leg, cause: HangupCause::Error });
            }
            None => self.break_up(call),
        }
    }

    /// A talker could not join, so that nobody is where it should be.
    fn break_up(&mut self, call: CallId) {
        if self.talkers(call).is_none() {
            return;
        }
        self.break_up_straight(call);
        let over = match self.calls.get(&call).map(|entry| &entry.stage) {
            Some(Stage::Talking { agent }) => Ok(agent.clone()),
            Some(Stage::Connected { leg }) => Err(*leg),
            _ => return,
        };
        match over {
            Ok(agent) => self.conversation_over(&agent),
            Err(leg) => {
                self.outbox.send(Command::Hangup { leg, cause: HangupCause::Error });
            }
        }
        self.end_call(call, HangupCause::Error);
    }

    /// A leg has ended: true when it was a guest's, or a supervisor's on its way.
    pub(super) fn guest_left(&mut self, now: Instant, call: CallId, leg: LegId) -> bool {
        let is_observer = self.conferences.observations.get(&call).is_some_and(|it| it.leg == leg);
        let agent = if is_observer {
            self.conferences.observations.remove(&call).and_then(|observation| observation.agent)
        } else {
            let Some(guests) = self.conferences.guests.get_mut(&call) else { return false };
            let Some(guest) = guests.remove(&leg) else { return false };
            if guests.is_empty() {
                self.conferences.guests.remove(&call);
            }
            guest.agent
        };
        if let Some(agent) = agent {
            self.vacate(now, call, &agent);
        }
        true
    }

    /// A talker of a call in a flow has left: whether a guest goes on in its place. An agent who does is that call's,
    /// and has `wrap_up` when it is over.
    pub(super) fn guest_takes_over(&mut self, call: CallId, wrap_up: Duration) -> bool {
        let Some((leg, guest)) = self.take_guest(call) else { return false };
        let Some(entry) = self.calls.get_mut(&call) else { return false };
        let Some(agent) = guest.agent else {
            entry.stage = Stage::Connected { leg };
            return true;
        };
        entry.stage = Stage::Talking { agent: agent.clone() };
        entry.agents.insert(agent.clone());
        self.legs.insert(leg, agent.clone());
        self.outbox.note(call, CallFact::AgentAnswered { agent: agent.to_string() });
        if let Some(entry) = self.routing.agents.get_mut(&agent) {
            entry.state = AgentState::Talking { call, leg, wrap_up };
        }
        true
    }

    /// The same in a call without a flow.
    pub(super) fn guest_takes_over_straight(&mut self, now: Instant, call: CallId, left: LegId) -> bool {
        if self.opposite(call, left).is_none() {
            return false;
        }
        let Some((leg, guest)) = self.take_guest(call) else { return false };
        let Some(straight) = self.straight.get_mut(&call) else { return false };
        let agent = straight.agents.remove(&left);
        straight.users.remove(&left);
        straight.substitute(left, leg);
        if let Some(agent) = guest.agent {
            straight.agents.insert(leg, agent);
        }
        if let Some(agent) = agent {
            self.vacate(now, call, &agent);
        }
        true
    }

    /// A call may be without the leg that began it, and is cared for as long as two confer in it.
    pub(super) fn stand_by(&mut self, call: CallId) {
        let is_straight = self.straight.contains_key(&call) && self.conferences.is_conferring(call);
        if let Some((leg, _)) = self.talkers(call).filter(|_| is_straight) {
            self.join(call, leg, Role::Party, Vec::new());
        }
    }

    fn take_guest(&mut self, call: CallId) -> Option<(LegId, Guest)> {
        let guests = self.conferences.guests.get_mut(&call)?;
        let (leg, _) = guests.iter().find(|(_, guest)| guest.talks())?;
        let leg = *leg;
        let guest = guests.remove(&leg)?;
        if guests.is_empty() {
            self.conferences.guests.remove(&call);
        }
        Some((leg, guest))
    }

    /// The call is over, or goes on without a conference: guests are hung up.
    pub(super) fn dismiss_guests(&mut self, call: CallId) {
        let Some(guests) = self.conferences.guests.get_mut(&call) else { return };
        for (leg, guest) in guests {
            if !std::mem::replace(&mut guest.is_leaving, true) {
                self.outbox.send(Command::Hangup { leg: *leg, cause: HangupCause::Normal });
            }
        }
    }

    /// The two talkers are for themselves again, so that one of them can be transferred.
    pub(super) fn leave_conference(&mut self, call: CallId) {
        if !self.conferences.conferring.contains(&call) {
            return;
        }
        self.dismiss_guests(call);
        if let Some((a, b)) = self.talkers(call) {
            self.conferences.conferring.remove(&call);
            for leg in [a, b] {
                // Who hears music while the other one holds is out of it already.
                if !self.holds.values().any(|held| *held == leg) {
                    self.outbox.send(Command::Unbridge { leg });
                }
            }
        }
    }

    /// Takes a talker who was put on hold back into the conference of its call.
    pub(super) fn rejoin(&mut self, call: CallId, leg: LegId) {
        self.join(call, leg, Role::Party, Vec::new());
    }

    /// The call is released.
    pub(super) fn conference_ended(&mut self, now: Instant, call: CallId) {
        self.conferences.conferring.remove(&call);
        let guests = self.conferences.guests.remove(&call).unwrap_or_default();
        let observer = self.conferences.observations.remove(&call).and_then(|it| it.agent);
        for agent in guests.into_values().filter_map(|guest| guest.agent).chain(observer) {
            self.vacate(now, call, &agent);
        }
    }
}
