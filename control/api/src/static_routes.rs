//! The fallback plane: dialled numbers with a fixed treatment, and nothing else to go wrong.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tandem_time::Instant;

use crate::{
    CallId, Command, CommandError, CommandId, ControlPlane, DialFailure, DialTarget, Event, HangupCause,
    LegId, Outcome, Prompt, RejectReason, Repeat, Request,
};

/// What happens to calls for a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// The party is rung; when it answers, so is the caller, and both talk until one hangs up.
    Connect {
        /// Whom.
        target: DialTarget,
        /// How long it is rung.
        ring_timeout: Duration,
    },
    /// The caller is answered, hears the prompts, and is hung up.
    Play {
        /// Played one after the other.
        prompts: Vec<Prompt>,
        /// How often.
        repeat: Repeat,
    },
    /// The caller is refused.
    Reject(RejectReason),
}

/// A control plane that looks the dialled number up in a table. A number that is not in it is refused as not
/// found.
#[derive(Debug)]
pub struct StaticRoutes {
    routes: BTreeMap<String, Treatment>,
    calls: BTreeMap<CallId, Call>,
    /// The calls that wait for commands.
    awaited: BTreeMap<CommandId, CallId>,
    requests: VecDeque<Request>,
    issued: u64,
}

#[derive(Debug)]
struct Call {
    caller: LegId,
    state: State,
}

/// ```text
/// Ringing ─► Answering ─► Bridging ─► Talking ─► Over
///            Greeting  ─► Playing ───────────────► Over
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// The party is rung, the caller waits.
    Ringing { dial: CommandId, party: Option<LegId> },
    /// The party has answered; now the caller is.
    Answering { answer: CommandId, party: LegId },
    /// Both are answered.
    Bridging { bridge: CommandId, party: LegId },
    /// Both talk.
    Talking { party: LegId },
    /// The caller is answered, to hear a prompt.
    Greeting { answer: CommandId, prompts: Vec<Prompt>, repeat: Repeat },
    /// The caller hears it.
    Playing { play: CommandId },
    /// Everybody who is left is being hung up, also the party whose leg is still to come.
    Over { dial: Option<CommandId> },
}

impl StaticRoutes {
    /// Calls under way at a time; the next one is refused as unavailable.
    pub const MAX_CALLS: usize = 100_000;

    /// A plane with these routes, by dialled number.
    #[must_use]
    pub fn new(routes: BTreeMap<String, Treatment>) -> Self {
        Self {
            routes,
            calls: BTreeMap::new(),
            awaited: BTreeMap::new(),
            requests: VecDeque::new(),
            issued: 0,
        }
    }

    fn ask(&mut self, call: CallId, command: Command) -> CommandId {
        self.issued += 1;
        let id = CommandId(self.issued);
        self.requests.push_back(Request { id, command });
        self.awaited.insert(id, call);
        id
    }

    fn call_offered(&mut self, call: CallId, caller: LegId, dialled: &str) {
        let full = self.calls.len() >= Self::MAX_CALLS;
        let treatment = match self.routes.get(dialled).cloned() {
            None => Treatment::Reject(RejectReason::NotFound),
            Some(_) if full => Treatment::Reject(RejectReason::Unavailable),
            Some(treatment) => treatment,
        };
        let state = match treatment {
            Treatment::Reject(reason) => {
                self.ask(call, Command::Reject { leg: caller, reason });
                State::Over { dial: None }
            }
            Treatment::Play { prompts, repeat } => {
                State::Greeting { answer: self.ask(call, Command::Answer { leg: caller }), prompts, repeat }
            }
            Treatment::Connect { target, ring_timeout } => {
                let dial = self.ask(call, Command::Dial { call, target, caller_id: None, ring_timeout });
                State::Ringing { dial, party: None }
            }
        };
        if !full {
            self.calls.insert(call, Call { caller, state });
        }
    }

    fn leg_created(&mut self, call: CallId, leg: LegId, command: CommandId) {
        match self.calls.get_mut(&call).map(|call| &mut call.state) {
            Some(State::Ringing { dial, party }) if *dial == command => *party = Some(leg),
            Some(State::Over { dial }) if *dial == Some(command) => {
                *dial = None;
                self.ask(call, Command::Hangup { leg, cause: HangupCause::Cancelled });
            }
            _ => {}
        }
    }

    fn done(&mut self, command: CommandId, outcome: &Result<Outcome, CommandError>) {
        let Some(id) = self.awaited.remove(&command) else { return };
        let Some(call) = self.calls.get(&id).filter(|call| call.state.awaits(command)) else { return };
        let (caller, state) = (call.caller, call.state.clone());
        let next = match (state, outcome) {
            (State::Ringing { .. }, Ok(Outcome::Answered { leg: party })) => {
                State::Answering { answer: self.ask(id, Command::Answer { leg: caller }), party: *party }
            }
            (State::Ringing { .. }, Err(CommandError::NotAnswered(failure))) => {
                self.ask(id, Command::Reject { leg: caller, reason: reason(*failure) });
                State::Over { dial: None }
            }
            (State::Answering { party, .. }, Ok(_)) => {
                State::Bridging { bridge: self.ask(id, Command::Bridge { a: caller, b: party }), party }
            }
            (State::Bridging { party, .. }, Ok(_)) => State::Talking { party },
            (State::Greeting { prompts, repeat, .. }, Ok(_)) => {
                let play = Command::Play { leg: caller, prompts, repeat, barge_in: false };
                State::Playing { play: self.ask(id, play) }
            }
            (State::Playing { .. }, Ok(_)) => {
                self.ask(id, Command::Hangup { leg: caller, cause: HangupCause::Normal });
                State::Over { dial: None }
            }
            // The end of the leg follows, and with it that of the call.
            (state, Err(CommandError::LegEnded)) => state,
            (State::Answering { party, .. } | State::Bridging { party, .. }, Err(_)) => {
                self.ask(id, Command::Hangup { leg: party, cause: HangupCause::Error });
                self.ask(id, Command::Hangup { leg: caller, cause: HangupCause::Error });
                State::Over { dial: None }
            }
            (_, _) => {
                self.ask(id, Command::Hangup { leg: caller, cause: HangupCause::Error });
                State::Over { dial: None }
            }
        };
        if let Some(call) = self.calls.get_mut(&id) {
            call.state = next;
        }
    }

    /// Whoever is left of the two is hung up.
    fn leg_ended(&mut self, call: CallId, ended: LegId) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        let caller = entry.caller;
        let (party, dial) = match std::mem::replace(&mut entry.state, State::Over { dial: None }) {
            State::Over { dial } => {
                entry.state = State::Over { dial };
                return;
            }
            // The outcome of the dial, which comes first, decided already; or the caller has gone.
            State::Ringing { dial, party } if party != Some(ended) => (party, Some(dial)),
            State::Ringing { dial, .. } => {
                entry.state = State::Ringing { dial, party: None };
                return;
            }
            State::Answering { party, .. } | State::Bridging { party, .. } | State::Talking { party } => {
                (Some(party), None)
            }
            State::Greeting { .. } | State::Playing { .. } => (None, None),
        };
        let pending = if party.is_none() { dial } else { None };
        entry.state = State::Over { dial: pending };
        let left = if ended == caller { party } else { Some(caller) };
        if let Some(leg) = left {
            self.ask(call, Command::Hangup { leg, cause: HangupCause::Normal });
        }
    }
}

impl State {
    fn awaits(&self, command: CommandId) -> bool {
        match self {
            Self::Ringing { dial: id, .. }
            | Self::Answering { answer: id, .. }
            | Self::Bridging { bridge: id, .. }
            | Self::Greeting { answer: id, .. }
            | Self::Playing { play: id } => *id == command,
            Self::Talking { .. } | Self::Over { .. } => false,
        }
    }
}

const fn reason(failure: DialFailure) -> RejectReason {
    match failure {
        DialFailure::Busy => RejectReason::Busy,
        DialFailure::Declined => RejectReason::Declined,
        DialFailure::NoAnswer | DialFailure::Unreachable | DialFailure::Cancelled | DialFailure::Media => {
            RejectReason::Unavailable
        }
    }
}

impl ControlPlane for StaticRoutes {
    fn handle_event(&mut self, _now: Instant, event: &Event) {
        match event {
            Event::CallOffered { call, leg, dialled, .. } => self.call_offered(*call, *leg, dialled),
            Event::Done { command, outcome } => self.done(*command, outcome),
            Event::LegCreated { call, leg, command } => self.leg_created(*call, *leg, *command),
            Event::LegEnded { call, leg, .. } => self.leg_ended(*call, *leg),
            Event::CallEnded { call, .. } => {
                self.calls.remove(call);
            }
            Event::LegRinging { .. } | Event::Digit { .. } | Event::Registration { .. } => {}
        }
    }

    fn handle_timeout(&mut self, _now: Instant) {}

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn poll_request(&mut self) -> Option<Request> {
        self.requests.pop_front()
    }
}
