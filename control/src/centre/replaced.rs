//! Somebody goes on in a party's place by a call of its own (RFC 3891): what that means for agents.

use std::sync::Arc;

use tandem_control_api::{
    CallFact, CallId, Command, CommandError, CommandId, DialTarget, HangupCause, LegId, Origin, Outcome,
};
use tandem_time::Instant;

use super::ContactCentre;
use crate::agent::{AgentId, AgentState, NextState};
use crate::call::Stage;
use crate::outbox::Concern;

impl ContactCentre {
    /// Another phone of the same agent changes nothing. A call that rings goes to who picks it up. Else the agent who was there is done with the call, and
    /// whoever is there now is the agent of that phone, or nobody's.
    pub(super) fn leg_replaced(&mut self, now: Instant, call: CallId, leg: LegId, by: &Origin) {
        let agent = match by {
            Origin::User(user) => self.routing.agent_at(&DialTarget::User(user.clone())),
            Origin::Trunk(_) => None,
        };
        if self.straight.contains_key(&call) {
            self.replaced_straight(now, call, leg, by, agent);
        } else if let Some(old) = self.legs.get(&leg).cloned().filter(|old| Some(old) != agent.as_ref()) {
            self.replaced_agent(now, call, leg, &old, agent);
        }
    }

    fn replaced_straight(
        &mut self,
        now: Instant,
        call: CallId,
        leg: LegId,
        by: &Origin,
        agent: Option<AgentId>,
    ) {
        let Some(straight) = self.straight.get_mut(&call) else { return };
        match by {
            Origin::User(user) => straight.users.insert(leg, user.clone()),
            Origin::Trunk(_) => straight.users.remove(&leg),
        };
        if straight.agents.get(&leg) == agent.as_ref() {
            return;
        }
        if let Some(old) = straight.agents.remove(&leg) {
            self.vacate(now, call, &old);
        }
        let agent = agent.filter(|agent| self.occupy(now, call, agent));
        if let (Some(straight), Some(agent)) = (self.straight.get_mut(&call), agent) {
            straight.agents.insert(leg, agent);
        }
    }

    fn replaced_agent(
        &mut self,
        now: Instant,
        call: CallId,
        leg: LegId,
        old: &AgentId,
        agent: Option<AgentId>,
    ) {
        let wrap_up = match self.routing.agents.get(old).map(|entry| entry.state.clone()) {
            Some(AgentState::Talking { wrap_up, .. }) => wrap_up,
            Some(AgentState::Offered { command, leg: Some(rung), available_since, .. }) if rung == leg => {
                return self.offer_picked_up(now, call, (leg, command), (old, available_since), agent);
            }
            _ => return,
        };
        self.legs.remove(&leg);
        self.release(now, call, old, NextState::WrapUp(wrap_up));
        let agent = agent.filter(|agent| self.occupy(now, call, agent));
        let Some(entry) = self.calls.get_mut(&call) else { return };
        let Some(agent) = agent else {
            entry.stage = Stage::Connected { leg };
            return;
        };
        entry.stage = Stage::Talking { agent: Arc::clone(&agent) };
        entry.agents.insert(Arc::clone(&agent));
        self.legs.insert(leg, Arc::clone(&agent));
        self.outbox.note(call, CallFact::AgentAnswered { agent: agent.to_string() });
        if let Some(entry) = self.routing.agents.get_mut(&agent) {
            entry.state = AgentState::Talking { call, leg, wrap_up };
        }
    }

    /// A call of a queue is picked up while it rings (RFC 5359 §2.16): the agent who was rung is as available as before,
    /// and it is offered to the one who is about to answer. The outcome of the `Dial` is on its way.
    fn offer_picked_up(
        &mut self,
        now: Instant,
        call: CallId,
        (leg, command): (LegId, CommandId),
        (old, since): (&AgentId, Instant),
        agent: Option<AgentId>,
    ) {
        self.legs.remove(&leg);
        self.screened.remove(&leg);
        let agent = agent.filter(|agent| self.occupy(now, call, agent));
        let concern = agent.clone().map_or(Concern::PickUp(call), |agent| Concern::Dial(call, agent));
        self.outbox.hand_over(command, concern);
        if let Some(Stage::Queued(visit)) = self.calls.get_mut(&call).map(|entry| &mut entry.stage)
            && let Some(agent) = &agent
        {
            visit.offer = Some(Arc::clone(agent));
        }
        if let Some(agent) = agent
            && let Some(entry) = self.routing.agents.get_mut(&agent)
            && let AgentState::OnCall { since, .. } = entry.state
        {
            entry.state = AgentState::Offered { call, command, leg: Some(leg), available_since: since };
            self.legs.insert(leg, Arc::clone(&agent));
            self.outbox.note(call, CallFact::AgentOffered { agent: agent.to_string() });
            if let Some(entry) = self.calls.get_mut(&call) {
                entry.agents.insert(agent);
            }
        }
        self.release(now, call, old, NextState::Available { since });
    }

    /// Somebody who is no agent has picked up a call of a queue: the two talk, and the caller has left the queue.
    pub(super) fn picked_up(&mut self, call: CallId, outcome: &Result<Outcome, CommandError>) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        let Stage::Queued(_) = &entry.stage else { return };
        let Ok(Outcome::Answered { leg }) = *outcome else { return self.end_call(call, HangupCause::Error) };
        let Stage::Queued(visit) = std::mem::replace(&mut entry.stage, Stage::Connected { leg }) else {
            return;
        };
        let caller = entry.caller;
        entry.run.finish("answered");
        self.outbox.send(Command::Bridge { a: caller, b: leg });
        self.leave_queue(call, &visit, "answered");
        self.report(call);
    }
}
