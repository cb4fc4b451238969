//! Agents' phones: rung, answered, missed, hung up, registered.

use std::sync::Arc;
use std::time::Duration;

use tandem_control_api::{
    CallId, Command, CommandError, CommandId, DialFailure, HangupCause, LegId, Outcome,
};
use tandem_time::Instant;

use super::ContactCentre;
use crate::agent::{AgentId, AgentState, Miss, NextState};
use crate::outbox::{Concern, Timer};

impl ContactCentre {
    /// A `Dial` has a leg now. When its caller has gone meanwhile, it is hung up at once.
    pub(super) fn leg_created(&mut self, new_leg: LegId, command: CommandId) {
        let Some(Concern::Dial(_, id)) = self.outbox.concern(command) else { return };
        let id = Arc::clone(id);
        let Some(agent) = self.routing.agents.get_mut(&id) else { return };
        let is_offered = matches!(agent.state, AgentState::Offered { .. });
        match &mut agent.state {
            AgentState::Offered { command: dial, leg, .. } if *dial == command => *leg = Some(new_leg),
            AgentState::Releasing { command: Some(dial), leg, .. } if *dial == command => {
                *leg = Some(new_leg);
                self.outbox.send(Command::Hangup { leg: new_leg, cause: HangupCause::Cancelled });
            }
            _ => return,
        }
        self.legs.insert(new_leg, Arc::clone(&id));
        if is_offered {
            self.screen(new_leg, &id);
        }
    }

    /// A `Dial` came to its end.
    pub(super) fn dial_done(
        &mut self,
        now: Instant,
        call: CallId,
        agent: &AgentId,
        outcome: &Result<Outcome, CommandError>,
    ) {
        let Some(entry) = self.routing.agents.get_mut(agent) else { return };
        match (entry.state.clone(), outcome) {
            (AgentState::Offered { available_since, .. }, Ok(Outcome::Answered { leg })) => {
                entry.state = AgentState::Connecting { call, leg: *leg, available_since };
                self.legs.insert(*leg, Arc::clone(agent));
                if !self.screened.contains_key(leg) {
                    self.agent_answered(call, agent, *leg);
                }
            }
            (AgentState::Offered { leg, .. }, outcome) => {
                let next = NextState::NotResponding(self.config.not_responding_pause);
                entry.state = AgentState::Releasing { call, command: None, leg, next };
                self.release_if_free(now, agent);
                self.offer_missed(now, call, agent, miss(outcome));
            }
            // Answered as the caller left: the hang-up is on its way.
            (AgentState::Releasing { call, leg, next, .. }, _) => {
                entry.state = AgentState::Releasing { call, command: None, leg, next };
                self.release_if_free(now, agent);
            }
            _ => {}
        }
    }

    /// The caller has gone before being connected: the agent is as available as before.
    pub(super) fn withdraw_offer(&mut self, agent: &AgentId) {
        let Some(entry) = self.routing.agents.get_mut(agent) else { return };
        let (call, command, leg, since, cause) = match entry.state {
            AgentState::Offered { call, command, leg, available_since } => {
                (call, Some(command), leg, available_since, HangupCause::Cancelled)
            }
            AgentState::Connecting { call, leg, available_since } => {
                (call, None, Some(leg), available_since, HangupCause::Normal)
            }
            _ => return,
        };
        entry.state = AgentState::Releasing { call, command, leg, next: NextState::Available { since } };
        if let Some(leg) = leg {
            self.outbox.send(Command::Hangup { leg, cause });
        }
    }

    /// The agent's answer could not be used.
    pub(super) fn hang_up_agent(&mut self, agent: &AgentId, cause: HangupCause) {
        let Some(entry) = self.routing.agents.get_mut(agent) else { return };
        let AgentState::Connecting { call, leg, .. } = entry.state else { return };
        let next = NextState::NotResponding(self.config.not_responding_pause);
        entry.state = AgentState::Releasing { call, command: None, leg: Some(leg), next };
        self.outbox.send(Command::Hangup { leg, cause });
    }

    /// Caller and agent hear each other.
    pub(super) fn connected(&mut self, agent: &AgentId, wrap_up: Duration) {
        if let Some(entry) = self.routing.agents.get_mut(agent)
            && let AgentState::Connecting { call, leg, .. } = entry.state
        {
            entry.state = AgentState::Talking { call, leg, wrap_up };
        }
    }

    /// The caller has left the conversation.
    pub(super) fn conversation_over(&mut self, agent: &AgentId) {
        let Some(entry) = self.routing.agents.get_mut(agent) else { return };
        let AgentState::Talking { call, leg, wrap_up } = entry.state else { return };
        let next = NextState::WrapUp(wrap_up);
        entry.state = AgentState::Releasing { call, command: None, leg: Some(leg), next };
        self.outbox.send(Command::Hangup { leg, cause: HangupCause::Normal });
    }

    /// An agent's leg is over.
    pub(super) fn agent_leg_ended(&mut self, now: Instant, call: CallId, ended: LegId, agent: &AgentId) {
        let Some(entry) = self.routing.agents.get_mut(agent) else { return };
        match entry.state.clone() {
            AgentState::Talking { leg, wrap_up, .. } if leg == ended => {
                self.release(now, call, agent, NextState::WrapUp(wrap_up));
                if !self.left_during_transfer(call, ended) && !self.guest_takes_over(call, wrap_up) {
                    self.end_call(call, HangupCause::Normal);
                }
            }
            AgentState::Connecting { leg, .. } if leg == ended => {
                let next = NextState::NotResponding(self.config.not_responding_pause);
                self.release(now, call, agent, next);
                self.offer_missed(now, call, agent, Miss::NotConnected);
            }
            AgentState::Releasing { call, command, leg: Some(leg), next } if leg == ended => {
                entry.state = AgentState::Releasing { call, command, leg: None, next };
                self.release_if_free(now, agent);
            }
            // Its `Dial` has no outcome yet; that will say why.
            AgentState::Offered { call, command, leg: Some(leg), available_since } if leg == ended => {
                entry.state = AgentState::Offered { call, command, leg: None, available_since };
            }
            _ => {}
        }
    }

    fn release_if_free(&mut self, now: Instant, agent: &AgentId) {
        if let Some(entry) = self.routing.agents.get(agent)
            && let AgentState::Releasing { call, command: None, leg: None, next } = entry.state
        {
            self.release(now, call, agent, next);
        }
    }

    /// The agent's phone is free.
    pub(super) fn release(&mut self, now: Instant, call: CallId, agent: &AgentId, next: NextState) {
        if let Some(entry) = self.calls.get_mut(&call) {
            entry.agents.remove(agent);
        }
        let Some(entry) = self.routing.agents.get_mut(agent) else { return };
        match next {
            NextState::Available { since } => self.make_available(agent, since),
            NextState::WrapUp(Duration::ZERO) => self.make_available(agent, now),
            NextState::WrapUp(pause) => {
                entry.state = AgentState::WrapUp { until: now + pause };
                self.timers.set(Timer::Agent(Arc::clone(agent)), now + pause);
            }
            NextState::NotResponding(pause) => {
                entry.state = AgentState::NotResponding { until: now + pause };
                self.timers.set(Timer::Agent(Arc::clone(agent)), now + pause);
            }
        }
    }

    /// The call is released, so whatever it held is free, whether the switch said so or not.
    pub(super) fn force_release(&mut self, now: Instant, call: CallId, agent: &AgentId) {
        let Some(entry) = self.routing.agents.get(agent) else { return };
        if entry.state.call() != Some(call) {
            return;
        }
        let next = match entry.state {
            AgentState::Releasing { next, .. } => next,
            AgentState::Talking { wrap_up, .. } => NextState::WrapUp(wrap_up),
            AgentState::OnCall { since, .. } => NextState::Available { since },
            _ => NextState::NotResponding(self.config.not_responding_pause),
        };
        self.legs.retain(|_, owner| owner != agent);
        self.release(now, call, agent, next);
    }

    /// Wrap-up, or the pause after a missed offer, is over.
    pub(super) fn pause_over(&mut self, now: Instant, agent: &AgentId) {
        let Some(entry) = self.routing.agents.get(agent) else { return };
        if matches!(entry.state, AgentState::WrapUp { .. } | AgentState::NotResponding { .. }) {
            self.make_available(agent, now);
        }
    }

    pub(super) fn make_available(&mut self, agent: &AgentId, since: Instant) {
        self.routing.make_available(agent, since);
        if let Some(claim) = self.routing.match_agent(agent) {
            self.offer(claim);
        }
    }

    /// Offers whatever can be offered, the agent who has been available longest first.
    pub(super) fn match_everybody(&mut self) {
        let mut available: Vec<(Instant, AgentId)> = self
            .routing
            .agents
            .iter()
            .filter_map(|(id, agent)| match agent.state {
                AgentState::Available { since } => Some((since, Arc::clone(id))),
                _ => None,
            })
            .collect();
        available.sort();
        for (_, agent) in available {
            if let Some(claim) = self.routing.match_agent(&agent) {
                self.offer(claim);
            }
        }
    }

    /// A phone became reachable, or ceased to be.
    pub(super) fn registration(&mut self, now: Instant, user: &str, reachable: bool) {
        if !reachable {
            self.registered.remove(user);
        } else if self.registered.len() < Self::MAX_REGISTERED {
            self.registered.insert(user.to_owned());
        }
        let Some(id) = self.routing.phones.get(user).map(Arc::clone) else { return };
        let Some(agent) = self.routing.agents.get_mut(&id) else { return };
        agent.reachable = reachable;
        match agent.state {
            AgentState::LoggedOut if reachable => self.make_available(&id, now),
            AgentState::Available { .. } if !reachable => self.routing.log_out(&id),
            _ => {}
        }
    }
}

fn miss(outcome: &Result<Outcome, CommandError>) -> Miss {
    match outcome {
        Err(CommandError::NotAnswered(DialFailure::Busy)) => Miss::Busy,
        Err(CommandError::NotAnswered(DialFailure::Declined)) => Miss::Declined,
        Err(CommandError::NotAnswered(DialFailure::NoAnswer)) => Miss::NoAnswer,
        _ => Miss::Unreachable,
    }
}
