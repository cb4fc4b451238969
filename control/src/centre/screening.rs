//! Agents at numbers of carriers that are listened to: the caller is connected when a person answers, not to a machine.
//!
//! The agent's state is as if it had not answered (`Offered`) or as if it were being connected (`Connecting`), and the
//! caller's still `Queued`, until it is known.

use std::sync::Arc;

use tandem_control_api::{CallId, Command, DialTarget, HangupCause, LegId, ProgressReport, ProgressRules};
use tandem_time::Instant;

use super::ContactCentre;
use crate::agent::{AgentId, AgentState, Miss, NextState};

impl ContactCentre {
    /// What calls to that target are listened to for.
    pub(super) fn progress_rules(&self, target: &DialTarget) -> Option<ProgressRules> {
        match target {
            DialTarget::User(_) => None,
            DialTarget::Trunk { trunk, .. } => self.config.call_progress.get(trunk).copied(),
        }
    }

    /// A leg to an agent was made: it is listened to, if it goes where that is done.
    pub(super) fn screen(&mut self, leg: LegId, agent: &AgentId) {
        let target = self.routing.agents.get(agent).map(|agent| &agent.target);
        if let Some(rules) = target.and_then(|target| self.progress_rules(target)) {
            self.screened.insert(leg, Arc::clone(agent));
            self.outbox.send(Command::Analyse { leg, rules });
        }
    }

    /// It is known what has answered a leg.
    pub(super) fn progress_found(
        &mut self,
        now: Instant,
        call: CallId,
        found: LegId,
        report: &ProgressReport,
    ) {
        let Some(id) = self.screened.remove(&found) else { return };
        let Some(agent) = self.routing.agents.get_mut(&id) else { return };
        match agent.state {
            AgentState::Connecting { leg, .. } if leg == found && report.verdict.may_be_person() => {
                self.agent_answered(call, &id, leg);
            }
            AgentState::Connecting { leg, .. } if leg == found => {
                self.hang_up_agent(&id, HangupCause::Normal);
                self.offer_missed(now, call, &id, Miss::Nobody(report.verdict));
            }
            // A tone of the network before any answer.
            AgentState::Offered { call, command, leg: Some(leg), .. } if leg == found => {
                let next = NextState::NotResponding(self.config.not_responding_pause);
                agent.state = AgentState::Releasing { call, command: Some(command), leg: Some(leg), next };
                self.outbox.send(Command::Hangup { leg, cause: HangupCause::Cancelled });
                self.offer_missed(now, call, &id, Miss::Nobody(report.verdict));
            }
            _ => {}
        }
    }
}
