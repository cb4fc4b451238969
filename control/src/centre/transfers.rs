//! Transfers: who may have one, where it goes, and what becomes of caller and agents.
//!
//! ```text
//! Talking, Connected ── asked ──▶ Transferring ── answered ──▶ Talking (an agent), Connected (anybody else)
//!        ▲                              │
//!        └── not answered, and the      └── not answered, and the transferor has left: the flow goes on by the
//!            transferor is still there      queue's exit `failure`
//! ```
//!
//! An agent who transfers a caller goes into wrap-up as soon as its phone is free. An agent who is rung for a transfer,
//! or is on the phone without a queue, is offered no call meanwhile.

use std::sync::Arc;
use std::time::Duration;

use tandem_control_api::{
    CallFact, CallId, Command, CommandError, CommandId, DialTarget, LegId, Outcome, Prompt, RejectReason,
    Repeat, Tone, TransferTo,
};
use tandem_time::Instant;

use super::{ContactCentre, EntryPoint};
use crate::agent::{AgentId, AgentState, NextState};
use crate::call::{Stage, Transferring};
use crate::flow::{Exit, Flow, Run};
use crate::outbox::{Concern, Timer};

/// How long a party is rung to whom a call is transferred, or whom a phone calls.
pub(super) const RING_TIMEOUT: Duration = Duration::from_secs(30);
/// The shortest number that goes to the telephone network.
const NUMBER_DIGITS_MIN: usize = 7;

/// Where a transfer goes.
enum Destination {
    /// A party, and the agent that it is.
    Party(TransferTo, Option<AgentId>),
    /// A flow, by its number.
    Flow(Arc<Flow>, String),
}

impl ContactCentre {
    /// A party wants the one it talks to transferred.
    pub(super) fn transfer_asked(
        &mut self,
        now: Instant,
        call: CallId,
        leg: LegId,
        to: &str,
        consulted_on: Option<LegId>,
    ) {
        let destination = match self.partner(call, leg) {
            Some(_) if self.is_caller_of_flow(call, leg) => Err(RejectReason::Declined),
            Some(_) => self.destination(call, to, consulted_on),
            None => Err(RejectReason::Declined),
        };
        let by = self.name_of(leg);
        match destination {
            Ok(destination) => self.begin_transfer(now, call, leg, to, destination),
            Err(reason) => {
                self.outbox.send(Command::RefuseTransfer { leg, reason });
                let outcome = "refused".to_owned();
                self.outbox.note(call, CallFact::Transferred { by, to: to.to_owned(), outcome });
            }
        }
    }

    fn destination(
        &self,
        call: CallId,
        to: &str,
        consulted_on: Option<LegId>,
    ) -> Result<Destination, RejectReason> {
        if let Some(consulted_on) = consulted_on {
            let leg = self.partner_of(consulted_on).ok_or(RejectReason::NotFound)?;
            return Ok(Destination::Party(TransferTo::Party { leg, consulted_on }, None));
        }
        if let Some(EntryPoint::Flow(flow)) = self.entry_points.get(to) {
            if self.straight.contains_key(&call) {
                return Err(RejectReason::NotFound);
            }
            return Ok(Destination::Flow(Arc::clone(flow), to.to_owned()));
        }
        let target = self.target(to, self.trunk_of(call)).ok_or(RejectReason::NotFound)?;
        let agent = self.routing.agent_at(&target);
        if agent.as_ref().is_some_and(|agent| self.routing.is_on_the_phone(agent)) {
            return Err(RejectReason::Busy);
        }
        let prompts = vec![Prompt::Tone(Tone::Ringback)];
        let ring_timeout = RING_TIMEOUT;
        Ok(Destination::Party(TransferTo::Dial { target, caller_id: None, ring_timeout, prompts }, agent))
    }

    /// Whom a number reaches that is not a flow's: a route, a phone, the telephone network.
    pub(super) fn target(&self, to: &str, trunk: Option<&str>) -> Option<DialTarget> {
        if let Some(EntryPoint::Route(route)) = self.entry_points.get(to) {
            return Some(route.target.clone());
        }
        if self.registered.contains(to) || self.routing.phones.contains_key(to) {
            return Some(DialTarget::User(to.to_owned()));
        }
        let digits = to.strip_prefix('+')?;
        let is_number = digits.len() >= NUMBER_DIGITS_MIN && digits.bytes().all(|b| b.is_ascii_digit());
        let trunk = trunk.or(self.config.outbound_trunk.as_deref()).filter(|_| is_number)?;
        Some(DialTarget::Trunk { trunk: trunk.to_owned(), number: to.to_owned() })
    }

    fn begin_transfer(&mut self, now: Instant, call: CallId, leg: LegId, to: &str, destination: Destination) {
        let by = self.name_of(leg);
        self.leave_conference(call);
        let (command, flow, agent) = match destination {
            Destination::Party(to, agent) => (to, None, agent),
            Destination::Flow(flow, number) => (TransferTo::Control, Some((flow, number)), None),
        };
        if let Some(agent) = &agent {
            self.occupy(now, call, agent);
        }
        if let Some(straight) = self.straight.get_mut(&call) {
            straight.transfer = Some((by, to.to_owned()));
            straight.pending = agent;
            return self.transfer_straight(call, leg, command);
        }
        let Some(entry) = self.calls.get_mut(&call) else { return };
        let transfer = Command::Transfer { leg, transferee: entry.caller, to: command };
        let command = self.outbox.ask(Concern::Call(call), transfer);
        let from = match std::mem::replace(&mut entry.stage, Stage::Leaving) {
            Stage::Talking { agent } => Some(agent),
            _ => None,
        };
        let (transferor, to) = (Some(leg), to.to_owned());
        entry.stage =
            Stage::Transferring(Box::new(Transferring { command, by, to, from, transferor, agent, flow }));
    }

    /// A transfer of a call in a flow has come to its end.
    pub(super) fn transfer_done(
        &mut self,
        now: Instant,
        call: CallId,
        command: CommandId,
        outcome: &Result<Outcome, CommandError>,
    ) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        let transfer = match std::mem::replace(&mut entry.stage, Stage::Leaving) {
            Stage::Transferring(transfer) if transfer.command == command => transfer,
            other => {
                entry.stage = other;
                return;
            }
        };
        let words = outcome_words(outcome);
        let (by, to) = (transfer.by.clone(), transfer.to.clone());
        self.outbox.note(call, CallFact::Transferred { by, to, outcome: words });
        match outcome {
            Ok(Outcome::Transferred { leg }) => self.transferred(now, call, *transfer, *leg),
            outcome => self.transfer_failed(now, call, *transfer, outcome.as_ref().err()),
        }
    }

    fn transferred(&mut self, now: Instant, call: CallId, transfer: Transferring, leg: LegId) {
        let wrap_up =
            transfer.from.as_ref().and_then(|agent| self.transferor_done(agent)).unwrap_or_default();
        if let Some(transferor) = transfer.transferor {
            self.holds.remove(&transferor);
        }
        let Some(entry) = self.calls.get_mut(&call) else { return };
        if let Some((flow, number)) = transfer.flow {
            entry.run = Run::new(flow, Arc::clone(&self.config.grammars), &entry.from, &number, now);
            let step = entry.run.begin(now);
            return self.follow(now, call, step);
        }
        if leg == entry.caller {
            // Its own carrier has called the other party: the caller leaves us, and nobody is rung from here.
            entry.run.finish("transferred");
            entry.stage = Stage::Leaving;
            if let Some(agent) = transfer.agent {
                self.vacate(now, call, &agent);
            }
            return self.report(call);
        }
        let agent = transfer.agent.or_else(|| self.moved.remove(&leg));
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

    /// The agent who transferred is on the way to its wrap-up; how long that is, unless it is there already.
    fn transferor_done(&mut self, agent: &AgentId) -> Option<Duration> {
        let entry = self.routing.agents.get_mut(agent)?;
        let AgentState::Talking { call, leg, wrap_up } = entry.state else { return None };
        let next = NextState::WrapUp(wrap_up);
        entry.state = AgentState::Releasing { call, command: None, leg: Some(leg), next };
        Some(wrap_up)
    }

    fn transfer_failed(
        &mut self,
        now: Instant,
        call: CallId,
        transfer: Transferring,
        error: Option<&CommandError>,
    ) {
        let Transferring { from, transferor, agent, .. } = transfer;
        if let Some(agent) = agent {
            self.vacate(now, call, &agent);
        }
        let Some(entry) = self.calls.get_mut(&call) else { return };
        let caller = entry.caller;
        let Some(leg) = transferor else {
            // The caller, if it is still there, is for itself.
            if error != Some(&CommandError::LegEnded) {
                let step = entry.run.resume(now, Exit::Failure);
                self.follow(now, call, step);
            }
            return;
        };
        entry.stage = match from {
            Some(agent) => Stage::Talking { agent },
            None => Stage::Connected { leg },
        };
        self.given_back(leg, caller, error);
    }

    /// A transfer came to nothing: the two are together again, on hold if they were.
    pub(super) fn given_back(&mut self, transferor: LegId, transferee: LegId, error: Option<&CommandError>) {
        match error {
            Some(CommandError::LegEnded) => {}
            Some(CommandError::NotAnswered(_)) if self.holds.contains_key(&transferor) => {
                self.play_hold_music(transferee);
            }
            Some(CommandError::NotAnswered(_)) => {
                self.outbox.send(Command::Bridge { a: transferee, b: transferor });
            }
            _ => {
                let reason = RejectReason::Unavailable;
                self.outbox.send(Command::RefuseTransfer { leg: transferor, reason });
            }
        }
    }

    /// A leg of a call in a flow has ended that is neither the caller's nor an agent's: whether that was who the
    /// caller talked to.
    pub(super) fn partner_gone(&mut self, call: CallId, leg: LegId) -> bool {
        let is_partner = match self.calls.get(&call).map(|entry| &entry.stage) {
            Some(Stage::Connected { leg: partner }) => *partner == leg,
            _ => false,
        };
        self.left_during_transfer(call, leg);
        is_partner
    }

    /// Whether a leg that has ended was that of a transferor who does not wait for the end.
    pub(super) fn left_during_transfer(&mut self, call: CallId, leg: LegId) -> bool {
        match self.calls.get_mut(&call).map(|entry| &mut entry.stage) {
            Some(Stage::Transferring(transfer)) if transfer.transferor == Some(leg) => {
                transfer.transferor = None;
                true
            }
            _ => false,
        }
    }

    /// A leg went on in another call: what it leaves behind ends by itself.
    pub(super) fn leg_moved(&mut self, leg: LegId, from: CallId, to: CallId) {
        if let Some(straight) = self.straight.get_mut(&from) {
            straight.machine.leg_moved_away();
            if let Some(agent) = straight.agents.remove(&leg) {
                self.moved(leg, to, agent);
            }
        }
        if let Some(agent) = self.legs.get(&leg).cloned() {
            self.moved(leg, to, agent);
        }
        if let Some(entry) = self.calls.get_mut(&from) {
            entry.run.finish("transferred");
            entry.stage = Stage::Leaving;
            self.report(from);
        }
    }

    /// An agent's leg is in another call now.
    fn moved(&mut self, leg: LegId, to: CallId, id: AgentId) {
        let Some(agent) = self.routing.agents.get_mut(&id) else { return };
        match &mut agent.state {
            AgentState::Talking { call, .. } | AgentState::OnCall { call, .. } => *call = to,
            _ => {}
        }
        if self.conferences.is_agent(to, leg, &id) {
            return;
        }
        match self.straight.get_mut(&to) {
            Some(straight) => {
                straight.agents.insert(leg, id);
            }
            None => {
                self.moved.insert(leg, id);
            }
        }
    }

    /// Who talks to whom in a call of two.
    pub(super) fn partner(&self, call: CallId, leg: LegId) -> Option<LegId> {
        if self.conferences.is_full(call) { None } else { self.opposite(call, leg) }
    }

    /// The other one of the two who talk in a call, whoever else is there.
    pub(super) fn opposite(&self, call: CallId, leg: LegId) -> Option<LegId> {
        match self.talkers(call)? {
            (caller, other) if leg == caller => Some(other),
            (caller, other) if leg == other => Some(caller),
            _ => None,
        }
    }

    /// The two who talk in a call: the caller, and the other one.
    pub(super) fn talkers(&self, call: CallId) -> Option<(LegId, LegId)> {
        if let Some(straight) = self.straight.get(&call) {
            return straight.machine.talkers();
        }
        let entry = self.calls.get(&call)?;
        match &entry.stage {
            Stage::Talking { agent } => match self.routing.agents.get(agent)?.state {
                AgentState::Talking { leg, .. } => Some((entry.caller, leg)),
                _ => None,
            },
            Stage::Connected { leg } => Some((entry.caller, *leg)),
            _ => None,
        }
    }

    /// The same, in whatever call. Attended transfers are few, calls are many: no index is kept for them.
    fn partner_of(&self, leg: LegId) -> Option<LegId> {
        let calls = self.calls.keys().chain(self.straight.keys());
        calls.copied().find_map(|call| self.partner(call, leg))
    }

    fn is_caller_of_flow(&self, call: CallId, leg: LegId) -> bool {
        self.calls.get(&call).is_some_and(|entry| entry.caller == leg)
    }

    fn trunk_of(&self, call: CallId) -> Option<&str> {
        let flow = self.calls.get(&call).and_then(|entry| entry.trunk.as_deref());
        flow.or_else(|| self.straight.get(&call)?.trunk.as_deref())
    }

    fn name_of(&self, leg: LegId) -> String {
        self.legs.get(&leg).map_or_else(|| leg.to_string(), |agent| agent.to_string())
    }

    /// An agent's phone is in use, or about to be, for something that is no queue's.
    pub(super) fn occupy(&mut self, now: Instant, call: CallId, agent: &AgentId) -> bool {
        let is_occupied = self.routing.occupy(agent, call, now);
        if is_occupied {
            self.timers.cancel(&Timer::Agent(Arc::clone(agent)));
        }
        is_occupied
    }

    /// It is free again.
    pub(super) fn vacate(&mut self, now: Instant, call: CallId, agent: &AgentId) {
        let state = self.routing.agents.get(agent).map(|entry| entry.state.clone());
        if let Some(AgentState::OnCall { call: held, since }) = state
            && held == call
        {
            self.make_available(agent, since.min(now));
        }
    }

    // Hold (RFC 5359 §2.1).

    /// A party does not listen: the other one hears music, if there is any.
    pub(super) fn leg_held(&mut self, call: CallId, leg: LegId) {
        let Some(other) = self.partner(call, leg).filter(|_| self.config.hold_music.is_some()) else {
            return;
        };
        if self.holds.insert(leg, other).is_some() {
            return;
        }
        if !self.holds.contains_key(&other) {
            let parted = if self.conferences.is_conferring(call) { other } else { leg };
            self.outbox.send(Command::Unbridge { leg: parted });
            self.play_hold_music(other);
        }
    }

    /// It listens again; the other one may not.
    pub(super) fn leg_resumed(&mut self, call: CallId, leg: LegId) {
        if self.holds.remove(&leg).is_none() {
            return;
        }
        let Some(other) = self.partner(call, leg) else { return };
        if self.holds.contains_key(&other) {
            self.play_hold_music(leg);
        } else if self.conferences.is_conferring(call) {
            self.rejoin(call, other);
        } else {
            self.outbox.send(Command::Bridge { a: other, b: leg });
        }
    }

    fn play_hold_music(&mut self, leg: LegId) {
        let Some(music) = self.config.hold_music.clone() else { return };
        let prompts = vec![Prompt::Music(music)];
        self.outbox.send(Command::Play {
            leg,
            prompts,
            repeat: Repeat::Forever,
            barge_in: tandem_control_api::BargeIn::Never,
        });
    }
}

fn outcome_words(outcome: &Result<Outcome, CommandError>) -> String {
    match outcome {
        Ok(_) => "answered".to_owned(),
        Err(CommandError::NotAnswered(failure)) => failure.to_string(),
        Err(CommandError::LegEnded) => "hung up".to_owned(),
        Err(error) => error.to_string(),
    }
}
