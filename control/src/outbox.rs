//! Commands on their way to the switch, and what is to come of them; what is to be done later.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tandem_control_api::{CallFact, CallId, Command, CommandId, LegId, Request};
use tandem_time::Instant;

use crate::agent::AgentId;

/// Whom a command's outcome concerns. Outcomes that concern nobody are not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Concern {
    /// The call that waits for it.
    Call(CallId),
    /// The call that goes straight through.
    StraightThrough(CallId),
    /// The call whose caller hears an announcement first.
    Announcing(CallId),
    /// The call of a supervisor who is being answered.
    Observation(CallId),
    /// The call, and the leg that joins its conference.
    Joining(CallId, LegId),
    /// The leg of who picks up a call that rings elsewhere.
    PickingUp(LegId),
    /// The call, and the agent who is rung.
    Dial(CallId, AgentId),
    /// The call, which somebody has picked up who is no agent.
    PickUp(CallId),
}

/// Commands with fresh ids, in order.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    issued: u64,
    requests: VecDeque<Request>,
    concerns: BTreeMap<CommandId, Concern>,
}

impl Outbox {
    /// Sends a command whose outcome changes nothing.
    pub(crate) fn send(&mut self, command: Command) -> CommandId {
        self.issued += 1;
        let id = CommandId(self.issued);
        self.requests.push_back(Request { id, command });
        id
    }

    /// Sends a command whose outcome somebody waits for.
    pub(crate) fn ask(&mut self, concern: Concern, command: Command) -> CommandId {
        let id = self.send(command);
        self.concerns.insert(id, concern);
        id
    }

    /// Adds a fact to a call's record.
    pub(crate) fn note(&mut self, call: CallId, fact: CallFact) {
        self.send(Command::SetData { call, fact });
    }

    pub(crate) fn concern(&self, command: CommandId) -> Option<&Concern> {
        self.concerns.get(&command)
    }

    /// Somebody else waits for a command's outcome from now on.
    pub(crate) fn hand_over(&mut self, command: CommandId, concern: Concern) {
        if let Some(entry) = self.concerns.get_mut(&command) {
            *entry = concern;
        }
    }

    pub(crate) fn settle(&mut self, command: CommandId) -> Option<Concern> {
        self.concerns.remove(&command)
    }

    pub(crate) fn next(&mut self) -> Option<Request> {
        self.requests.pop_front()
    }
}

/// What is to be done later.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// Wrap-up or the pause after a missed offer ends.
    Agent(AgentId),
    /// A caller has waited long enough.
    MaxWait(CallId),
    /// A caller is to hear the comfort announcement.
    Announcement(CallId),
}

/// Timers in the order they are due; each is set once.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    due: BTreeSet<(Instant, Timer)>,
    set: BTreeMap<Timer, Instant>,
}

impl Timers {
    pub(crate) fn set(&mut self, timer: Timer, at: Instant) {
        self.cancel(&timer);
        self.due.insert((at, timer.clone()));
        self.set.insert(timer, at);
    }

    pub(crate) fn cancel(&mut self, timer: &Timer) {
        if let Some(at) = self.set.remove(timer) {
            self.due.remove(&(at, timer.clone()));
        }
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        let (_, timer) = self.due.pop_first()?;
        self.set.remove(&timer);
        Some(timer)
    }
}
