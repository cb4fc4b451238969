//! Calls that go straight through, without a flow: to where an entry point leads, or from phone to phone.

use std::collections::BTreeMap;

use tandem_control_api::{
    CallFact, CallId, Command, CommandError, CommandId, DialTarget, LegEnd, LegId, MediaPath, Outcome,
    ProgressRules, Route, StraightThrough, TransferTo,
};
use tandem_time::Instant;

use super::ContactCentre;
use crate::agent::AgentId;
use crate::outbox::{Concern, Outbox};

/// A call without a flow.
#[derive(Debug)]
pub(super) struct Straight {
    pub(super) machine: StraightThrough,
    /// The trunk it came from.
    pub(super) trunk: Option<String>,
    /// What whom it rings is listened to for.
    pub(super) rules: Option<ProgressRules>,
    /// The agents whose phones it holds, by their legs.
    pub(super) agents: BTreeMap<LegId, AgentId>,
    /// The users whose phones they are, by their legs.
    pub(super) users: BTreeMap<LegId, String>,
    /// The user who is dialled and has no leg yet.
    pub(super) dialled: Option<String>,
    /// The agent who is dialled and has no leg yet.
    pub(super) pending: Option<AgentId>,
    /// The transfer under way: by whom, and to whom.
    pub(super) transfer: Option<(String, String)>,
}

impl Straight {
    /// Somebody goes on with another leg, or in another one's place.
    pub(super) fn substitute(&mut self, old: LegId, new: LegId) {
        self.machine.substitute(old, new);
        if let Some(agent) = self.agents.remove(&old) {
            self.agents.insert(new, agent);
        }
        if let Some(user) = self.users.remove(&old) {
            self.users.insert(new, user);
        }
    }
}

impl ContactCentre {
    /// Rings whom the number leads to. `user` is whose phone calls.
    pub(super) fn go_straight(
        &mut self,
        now: Instant,
        call: CallId,
        caller: LegId,
        mut route: Route,
        (user, trunk): (Option<&str>, Option<String>),
    ) {
        // What does not pass us cannot be recorded.
        if trunk.as_ref().is_some_and(|trunk| self.config.recorded_trunks.contains(trunk)) {
            route.media = MediaPath::Anchored;
        }
        let pending = self.routing.agent_at(&route.target).filter(|agent| self.occupy(now, call, agent));
        let calls = user.and_then(|user| self.routing.phones.get(user).cloned());
        let calls = calls.filter(|agent| self.occupy(now, call, agent));
        let agents = calls.into_iter().map(|agent| (caller, agent)).collect();
        let users = user.map(|user| (caller, user.to_owned())).into_iter().collect();
        let dialled = match &route.target {
            DialTarget::User(user) => Some(user.clone()),
            DialTarget::Trunk { .. } => None,
        };
        let rules = self.progress_rules(&route.target).filter(|_| route.media == MediaPath::Anchored);
        let machine = StraightThrough::begin(call, caller, route, &mut asks(&mut self.outbox, call));
        self.straight.insert(
            call,
            Straight { machine, trunk, rules, agents, users, dialled, pending, transfer: None },
        );
    }

    pub(super) fn straight_done(
        &mut self,
        now: Instant,
        call: CallId,
        command: CommandId,
        outcome: &Result<Outcome, CommandError>,
    ) {
        let Some(straight) = self.straight.get_mut(&call) else { return };
        let was_transferring = straight.machine.transferring();
        straight.machine.done(command, outcome, &mut asks(&mut self.outbox, call));
        let is_over = was_transferring.is_some() && straight.machine.transferring().is_none();
        if outcome.is_err()
            && let Some(agent) = straight.pending.take()
        {
            self.vacate(now, call, &agent);
        }
        if is_over {
            self.straight_transferred(call, outcome);
        }
    }

    fn straight_transferred(&mut self, call: CallId, outcome: &Result<Outcome, CommandError>) {
        let Some(straight) = self.straight.get_mut(&call) else { return };
        let talkers = straight.machine.talkers();
        if let Some((by, to)) = straight.transfer.take() {
            let outcome = if outcome.is_ok() { "answered" } else { "failed" }.to_owned();
            self.outbox.note(call, CallFact::Transferred { by, to, outcome });
        }
        if let (Some((transferee, transferor)), Err(error)) = (talkers, outcome) {
            self.given_back(transferor, transferee, Some(error));
        }
    }

    pub(super) fn transfer_straight(&mut self, call: CallId, leg: LegId, to: TransferTo) {
        if let Some(straight) = self.straight.get_mut(&call) {
            straight.machine.transfer(leg, to, &mut asks(&mut self.outbox, call));
        }
    }

    /// Everybody in the call is hung up.
    pub(super) fn break_up_straight(&mut self, call: CallId) {
        if let Some(straight) = self.straight.get_mut(&call) {
            straight.machine.break_up(&mut asks(&mut self.outbox, call));
            self.dismiss_guests(call);
        }
    }

    pub(super) fn straight_leg_created(&mut self, call: CallId, leg: LegId, command: CommandId) {
        if let Some(straight) = self.straight.get_mut(&call) {
            if let Some(agent) = straight.pending.take() {
                straight.agents.insert(leg, agent);
            }
            if let Some(user) = straight.dialled.take() {
                straight.users.insert(leg, user);
            }
            straight.machine.leg_created(leg, command, &mut asks(&mut self.outbox, call));
            if let Some(rules) = straight.rules.take() {
                self.outbox.send(Command::Analyse { leg, rules });
            }
        }
    }

    pub(super) fn straight_leg_ringing(&mut self, call: CallId, leg: LegId) {
        if let Some(straight) = self.straight.get_mut(&call) {
            straight.machine.leg_ringing(leg, &mut asks(&mut self.outbox, call));
        }
    }

    pub(super) fn straight_leg_early_media(&mut self, call: CallId, leg: LegId) {
        if let Some(straight) = self.straight.get_mut(&call) {
            straight.machine.leg_early_media(leg, &mut asks(&mut self.outbox, call));
        }
    }

    pub(super) fn straight_leg_ended(&mut self, now: Instant, call: CallId, leg: LegId, end: &LegEnd) {
        if self.guest_takes_over_straight(now, call, leg) {
            return;
        }
        let Some(straight) = self.straight.get_mut(&call) else { return };
        straight.machine.leg_ended(leg, end, &mut asks(&mut self.outbox, call));
        straight.users.remove(&leg);
        let is_over = straight.machine.talkers().is_none();
        if let Some(agent) = straight.agents.remove(&leg) {
            self.vacate(now, call, &agent);
        }
        if is_over {
            self.dismiss_guests(call);
        }
    }

    /// The call is released, and with it whatever it held.
    pub(super) fn straight_ended(&mut self, now: Instant, call: CallId) {
        let Some(straight) = self.straight.remove(&call) else { return };
        for agent in straight.agents.into_values().chain(straight.pending) {
            self.vacate(now, call, &agent);
        }
    }
}

fn asks(outbox: &mut Outbox, call: CallId) -> impl FnMut(Command) -> CommandId {
    move |command| outbox.ask(Concern::StraightThrough(call), command)
}
