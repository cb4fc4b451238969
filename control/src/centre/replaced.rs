//! Somebody goes on in a party's place by a call of its own (RFC 3891): what that means for agents.

use std::sync::Arc;

use tandem_control_api::{CallFact, CallId, DialTarget, LegId, Origin};
use tandem_time::Instant;

use super::ContactCentre;
use crate::agent::{AgentId, AgentState, NextState};
use crate::call::Stage;

impl ContactCentre {
    /// Another phone of the same agent changes nothing. Else the agent who was there is done with the call, and
    /// whoever is there now is the agent of that phone, or nobody's.
    pub(super) fn leg_replaced(&mut self, now: Instant, call: CallId, leg: LegId, by: &Origin) {
        let agent = match by {
            Origin::User(user) => self.routing.agent_at(&DialTarget::User(user.clone())),
            Origin::Trunk(_) => None,
        };
        if self.straight.contains_key(&call) {
            self.replaced_straight(now, call, leg, agent);
        } else if let Some(old) = self.legs.get(&leg).cloned().filter(|old| Some(old) != agent.as_ref()) {
            self.replaced_agent(now, call, leg, &old, agent);
        }
    }

    fn replaced_straight(&mut self, now: Instant, call: CallId, leg: LegId, agent: Option<AgentId>) {
        let Some(straight) = self.straight.get_mut(&call) else { return };
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

    /// Only of a conversation: what rings is replaced by the same agent's phones alone.
    fn replaced_agent(
        &mut self,
        now: Instant,
        call: CallId,
        leg: LegId,
        old: &AgentId,
        agent: Option<AgentId>,
    ) {
        let state = self.routing.agents.get(old).map(|entry| entry.state.clone());
        let Some(AgentState::Talking { wrap_up, .. }) = state else { return };
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
}
