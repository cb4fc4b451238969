//! The rules that hold for every control plane.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tandem_time::Instant;

use crate::{CallId, Command, CommandId, DialTarget, Event, LegId, Request, Role, TransferTo};

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// An id was used for a second command before the first one's outcome.
    #[error("{0:?} is still in use")]
    ReusedCommandId(CommandId),
    /// A command for a leg that had ended, or never was.
    #[error("{command} for {leg}, which the plane knows to be over")]
    DeadLeg {
        /// The command's name.
        command: &'static str,
        /// The leg.
        leg: LegId,
    },
    /// A command for a call that had ended, or never was.
    #[error("{command} for {call}, which the plane knows to be over")]
    DeadCall {
        /// The command's name.
        command: &'static str,
        /// The call.
        call: CallId,
    },
    /// One call rings one phone twice at a time.
    #[error("{call} dials {target:?} while it is dialling it")]
    DialledTwice {
        /// The call.
        call: CallId,
        /// The phone.
        target: DialTarget,
    },
    /// Nothing was asked for an offered call.
    #[error("{0} was offered and nothing was asked for it")]
    Unanswered(CallId),
    /// The caller has gone, and nothing was asked for the legs that are left.
    #[error("{0} is without its caller and nothing was asked for the rest of it")]
    Abandoned(CallId),
    /// After [`Rules::MAX_REQUESTS`] requests there were still more.
    #[error("requests without end")]
    Endless,
    /// A deadline that does not pass.
    #[error("the deadline {0} had passed and stayed")]
    StuckDeadline(Instant),
}

/// Watches what passes between switch and plane.
#[derive(Debug, Default)]
pub struct Rules {
    calls: BTreeMap<CallId, Watched>,
    legs: BTreeMap<LegId, CallId>,
    live: BTreeMap<CommandId, Option<CallId>>,
    /// Transferor and transferee of the transfers under way.
    transfers: BTreeMap<CommandId, (LegId, LegId)>,
    /// The calls for which something must be asked, and by when.
    due: BTreeSet<(Instant, CallId)>,
    violations: Vec<Violation>,
}

#[derive(Debug)]
struct Watched {
    caller: LegId,
    legs: BTreeSet<LegId>,
    dials: BTreeMap<CommandId, DialTarget>,
    due: Option<Instant>,
}

impl Rules {
    /// Requests that may follow one input.
    pub const MAX_REQUESTS: usize = 100_000;
    /// How soon something must be asked for an offered call, or for what a caller who has gone left behind.
    pub const PATIENCE: Duration = Duration::from_secs(10);
    /// Violations kept.
    const MAX_VIOLATIONS: usize = 100;

    /// What was broken so far.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    pub(super) fn broken(&mut self, violation: Violation) {
        if self.violations.len() < Self::MAX_VIOLATIONS {
            self.violations.push(violation);
        }
    }

    /// The plane is told of an event.
    pub fn told(&mut self, now: Instant, event: &Event) {
        match event {
            Event::CallOffered { call, leg, .. } => {
                let watched =
                    Watched { caller: *leg, legs: BTreeSet::from([*leg]), dials: BTreeMap::new(), due: None };
                self.calls.insert(*call, watched);
                self.legs.insert(*leg, *call);
                self.expect(*call, now + Self::PATIENCE);
            }
            Event::LegCreated { call, leg, .. } => {
                self.legs.insert(*leg, *call);
                if let Some(watched) = self.calls.get_mut(call) {
                    watched.legs.insert(*leg);
                }
            }
            Event::Done { command, outcome } => {
                if let Some((transferor, transferee)) = self.transfers.remove(command)
                    && outcome.is_ok()
                {
                    self.pass_on(transferor, transferee);
                }
                let call = self.live.remove(command).flatten();
                if let Some(watched) = call.and_then(|call| self.calls.get_mut(&call)) {
                    watched.dials.remove(command);
                }
            }
            Event::LegEnded { call, leg, .. } => self.leg_ended(now, *call, *leg),
            Event::CallEnded { call, .. } => {
                self.forgive(*call);
                self.calls.remove(call);
            }
            Event::TransferAsked { call, .. } => self.expect(*call, now + Self::PATIENCE),
            Event::LegMoved { call, leg, from } => self.moved(*leg, *from, *call),
            Event::LegReplaced { .. }
            | Event::ProgressFound { .. }
            | Event::LegUnheard { .. }
            | Event::RecordingFailed { .. }
            | Event::BeepAwaited { .. }
            | Event::LegRinging { .. }
            | Event::LegEarlyMedia { .. }
            | Event::LegHeld { .. }
            | Event::LegResumed { .. }
            | Event::Digit { .. }
            | Event::Registration { .. } => {}
        }
    }

    /// The call goes on without the leg that began it.
    fn pass_on(&mut self, from: LegId, to: LegId) {
        let call = self.legs.get(&to).copied();
        if let Some(watched) = call.and_then(|call| self.calls.get_mut(&call))
            && watched.caller == from
        {
            watched.caller = to;
        }
    }

    fn moved(&mut self, leg: LegId, from: CallId, to: CallId) {
        self.legs.insert(leg, to);
        if let Some(left) = self.calls.get_mut(&from) {
            left.legs.remove(&leg);
            if left.caller == leg {
                left.caller = left.legs.first().copied().unwrap_or(leg);
            }
        }
        if let Some(watched) = self.calls.get_mut(&to) {
            watched.legs.insert(leg);
        }
    }

    fn leg_ended(&mut self, now: Instant, call: CallId, leg: LegId) {
        let pair = self.transfers.values().find(|(transferor, _)| *transferor == leg).copied();
        if let Some((transferor, transferee)) = pair {
            self.pass_on(transferor, transferee);
        }
        self.legs.remove(&leg);
        let Some(watched) = self.calls.get_mut(&call) else { return };
        watched.legs.remove(&leg);
        if watched.legs.is_empty() {
            self.forgive(call);
        } else if watched.caller == leg {
            self.expect(call, now + Self::PATIENCE);
        }
    }

    fn expect(&mut self, call: CallId, by: Instant) {
        self.forgive(call);
        if let Some(watched) = self.calls.get_mut(&call) {
            watched.due = Some(by);
            self.due.insert((by, call));
        }
    }

    fn forgive(&mut self, call: CallId) {
        if let Some(by) = self.calls.get_mut(&call).and_then(|watched| watched.due.take()) {
            self.due.remove(&(by, call));
        }
    }

    /// The plane asks for something.
    pub fn asked(&mut self, _now: Instant, request: &Request) {
        let command = request.command.name();
        let mut concerned = None;
        for leg in legs(&request.command) {
            match self.legs.get(&leg).copied() {
                None => self.broken(Violation::DeadLeg { command, leg }),
                Some(call) => {
                    self.forgive(call);
                    concerned = Some(call);
                }
            }
        }
        if let Command::Dial { call, .. } | Command::SetData { call, .. } | Command::Join { call, .. } =
            &request.command
        {
            concerned = Some(*call);
            if !self.calls.contains_key(call) {
                self.broken(Violation::DeadCall { command, call: *call });
            }
        }
        if let Command::Dial { call, target, .. } = &request.command {
            self.forgive(*call);
            self.dialled(*call, request.id, target);
        }
        if let Command::Transfer { leg, transferee, to } = &request.command {
            self.transfers.insert(request.id, (*leg, *transferee));
            if let (Some(call), TransferTo::Dial { target, .. }) = (concerned, to) {
                self.dialled(call, request.id, target);
            }
        }
        if self.live.insert(request.id, concerned).is_some() {
            self.broken(Violation::ReusedCommandId(request.id));
        }
    }

    fn dialled(&mut self, call: CallId, command: CommandId, target: &DialTarget) {
        let Some(watched) = self.calls.get_mut(&call) else { return };
        let twice = watched.dials.values().any(|dialled| dialled == target);
        watched.dials.insert(command, target.clone());
        if twice {
            self.broken(Violation::DialledTwice { call, target: target.clone() });
        }
    }

    /// Time has passed.
    pub fn passed(&mut self, now: Instant) {
        while let Some((by, call)) = self.due.first().copied()
            && by <= now
        {
            self.forgive(call);
            let caller_gone = self.calls.get(&call).is_some_and(|call| !call.legs.contains(&call.caller));
            self.broken(if caller_gone { Violation::Abandoned(call) } else { Violation::Unanswered(call) });
        }
    }

    /// Calls that are not over.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.len()
    }
}

/// The legs a command names.
fn legs(command: &Command) -> Vec<LegId> {
    match command {
        Command::Ring { leg }
        | Command::Progress { leg }
        | Command::Answer { leg }
        | Command::Reject { leg, .. }
        | Command::Hangup { leg, .. }
        | Command::Play { leg, .. }
        | Command::Stop { leg }
        | Command::Analyse { leg, .. }
        | Command::Record { leg, .. }
        | Command::Collect { leg, .. }
        | Command::RefuseTransfer { leg, .. }
        | Command::Join { leg, role: Role::Party | Role::Monitor, .. }
        | Command::SetLevel { leg, to: None, .. }
        | Command::Unbridge { leg } => vec![*leg],
        Command::Bridge { a, b } | Command::PickUp { leg: a, rung: b } => vec![*a, *b],
        Command::Join { leg, role: Role::Coach { leg: other }, .. }
        | Command::SetLevel { leg, to: Some(other), .. } => vec![*leg, *other],
        Command::Transfer { leg, transferee, to: TransferTo::Party { leg: party, consulted_on } } => {
            vec![*leg, *transferee, *party, *consulted_on]
        }
        Command::Transfer { leg, transferee, .. } => vec![*leg, *transferee],
        Command::Dial { .. } | Command::SetData { .. } => Vec::new(),
    }
}
