//! The fallback plane: dialled numbers with a fixed treatment, and nothing else to go wrong.

use std::collections::{BTreeMap, VecDeque};

use tandem_time::Instant;

use crate::{
    CallId, Command, CommandError, CommandId, ControlPlane, Event, HangupCause, LegEnd, LegId, Outcome,
    Prompt, RejectReason, Repeat, Request, Route, StraightThrough, Tone, TransferTo,
};

/// What happens to calls for a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// The party is rung; when it answers, so is the caller, and both talk until one hangs up.
    Connect(Route),
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
    outbox: Outbox,
}

/// Commands on their way.
#[derive(Debug, Default)]
struct Outbox {
    /// The calls that wait for commands.
    awaited: BTreeMap<CommandId, CallId>,
    requests: VecDeque<Request>,
    issued: u64,
}

/// ```text
/// Connected ─────────────────────► Over
/// Greeting ─► Playing ───────────► Over
/// ```
#[derive(Debug)]
enum Call {
    /// It goes straight through.
    Connected(StraightThrough),
    /// The caller is answered, to hear a prompt.
    Greeting { caller: LegId, answer: CommandId, prompts: Vec<Prompt>, repeat: Repeat },
    /// The caller hears it.
    Playing { caller: LegId, play: CommandId },
    /// The caller is refused or hung up.
    Over,
}

impl StaticRoutes {
    /// Calls under way at a time; the next one is refused as unavailable.
    pub const MAX_CALLS: usize = 100_000;

    /// A plane with these routes, by dialled number.
    #[must_use]
    pub fn new(routes: BTreeMap<String, Treatment>) -> Self {
        Self { routes, calls: BTreeMap::new(), outbox: Outbox::default() }
    }

    fn call_offered(&mut self, call: CallId, caller: LegId, dialled: &str) {
        let full = self.calls.len() >= Self::MAX_CALLS;
        let treatment = match self.routes.get(dialled).cloned() {
            None => Treatment::Reject(RejectReason::NotFound),
            Some(_) if full => Treatment::Reject(RejectReason::Unavailable),
            Some(treatment) => treatment,
        };
        let ask = &mut self.outbox.asks_for(call);
        let entry = match treatment {
            Treatment::Reject(reason) => {
                ask(Command::Reject { leg: caller, reason });
                Call::Over
            }
            Treatment::Play { prompts, repeat } => {
                Call::Greeting { caller, answer: ask(Command::Answer { leg: caller }), prompts, repeat }
            }
            Treatment::Connect(route) => Call::Connected(StraightThrough::begin(call, caller, route, ask)),
        };
        if !full {
            self.calls.insert(call, entry);
        }
    }

    fn done(&mut self, command: CommandId, outcome: &Result<Outcome, CommandError>) {
        let Some(id) = self.outbox.awaited.remove(&command) else { return };
        let Some(call) = self.calls.get_mut(&id) else { return };
        let ask = &mut self.outbox.asks_for(id);
        match call {
            Call::Connected(connected) => connected.done(command, outcome, ask),
            Call::Greeting { caller, answer, prompts, repeat } if *answer == command && outcome.is_ok() => {
                let (leg, prompts) = (*caller, std::mem::take(prompts));
                let play =
                    ask(Command::Play { leg, prompts, repeat: *repeat, barge_in: crate::BargeIn::Never });
                *call = Call::Playing { caller: leg, play };
            }
            // The end of the leg follows.
            Call::Greeting { .. } | Call::Playing { .. } if *outcome == Err(CommandError::LegEnded) => {}
            Call::Greeting { caller, answer: id, .. } | Call::Playing { caller, play: id }
                if *id == command =>
            {
                let cause = if outcome.is_ok() { HangupCause::Normal } else { HangupCause::Error };
                ask(Command::Hangup { leg: *caller, cause });
                *call = Call::Over;
            }
            Call::Greeting { .. } | Call::Playing { .. } | Call::Over => {}
        }
    }

    fn leg_created(&mut self, call: CallId, leg: LegId, command: CommandId) {
        if let Some(Call::Connected(connected)) = self.calls.get_mut(&call) {
            connected.leg_created(leg, command, &mut self.outbox.asks_for(call));
        }
    }

    fn leg_ringing(&mut self, call: CallId, leg: LegId) {
        if let Some(Call::Connected(connected)) = self.calls.get_mut(&call) {
            connected.leg_ringing(leg, &mut self.outbox.asks_for(call));
        }
    }

    fn leg_early_media(&mut self, call: CallId, leg: LegId) {
        if let Some(Call::Connected(connected)) = self.calls.get_mut(&call) {
            connected.leg_early_media(leg, &mut self.outbox.asks_for(call));
        }
    }

    fn leg_ended(&mut self, call: CallId, leg: LegId, end: &LegEnd) {
        match self.calls.get_mut(&call) {
            Some(Call::Connected(connected)) => {
                connected.leg_ended(leg, end, &mut self.outbox.asks_for(call));
            }
            Some(other) => *other = Call::Over,
            None => {}
        }
    }
}

impl StaticRoutes {
    /// A party wants the other one to talk to somebody else: to whom the table leads, or to the party of its other
    /// call.
    fn transfer_asked(&mut self, call: CallId, leg: LegId, to: &str, consulted_on: Option<LegId>) {
        let to = match consulted_on {
            Some(consulted_on) => {
                self.party_of(consulted_on).map(|leg| TransferTo::Party { leg, consulted_on })
            }
            None => self.route(to).map(|Route { target, ring_timeout, .. }| TransferTo::Dial {
                target,
                caller_id: None,
                ring_timeout,
                prompts: vec![Prompt::Tone(Tone::Ringback)],
            }),
        };
        let ask = &mut self.outbox.asks_for(call);
        let is_begun = match (self.calls.get_mut(&call), to) {
            (Some(Call::Connected(connected)), Some(to)) => connected.transfer(leg, to, ask),
            _ => false,
        };
        if !is_begun {
            ask(Command::RefuseTransfer { leg, reason: RejectReason::NotFound });
        }
    }

    fn route(&self, to: &str) -> Option<Route> {
        match self.routes.get(to) {
            Some(Treatment::Connect(route)) => Some(route.clone()),
            _ => None,
        }
    }

    /// Who talks to a leg.
    fn party_of(&self, leg: LegId) -> Option<LegId> {
        self.calls.values().find_map(|call| match call {
            Call::Connected(connected) => match connected.talkers()? {
                (caller, party) if caller == leg => Some(party),
                (caller, party) if party == leg => Some(caller),
                _ => None,
            },
            _ => None,
        })
    }

    fn leg_moved(&mut self, from: CallId) {
        if let Some(Call::Connected(connected)) = self.calls.get_mut(&from) {
            connected.leg_moved_away();
        }
    }
}

impl Outbox {
    fn asks_for(&mut self, call: CallId) -> impl FnMut(Command) -> CommandId {
        move |command| {
            self.issued += 1;
            let id = CommandId(self.issued);
            self.requests.push_back(Request { id, command });
            self.awaited.insert(id, call);
            id
        }
    }
}

impl ControlPlane for StaticRoutes {
    fn handle_event(&mut self, _now: Instant, event: &Event) {
        match event {
            Event::CallOffered { call, leg, dialled, .. } => self.call_offered(*call, *leg, dialled),
            Event::Done { command, outcome } => self.done(*command, outcome),
            Event::LegCreated { call, leg, command } => self.leg_created(*call, *leg, *command),
            Event::LegRinging { call, leg } => self.leg_ringing(*call, *leg),
            Event::LegEarlyMedia { call, leg } => self.leg_early_media(*call, *leg),
            Event::LegEnded { call, leg, end } => self.leg_ended(*call, *leg, end),
            Event::CallEnded { call, .. } => {
                self.calls.remove(call);
            }
            Event::TransferAsked { call, leg, to, consulted_on } => {
                self.transfer_asked(*call, *leg, to, *consulted_on);
            }
            Event::LegMoved { from, .. } => self.leg_moved(*from),
            Event::LegReplaced { .. }
            | Event::ProgressFound { .. }
            | Event::LegUnheard { .. }
            | Event::RecordingFailed { .. }
            | Event::BeepAwaited { .. }
            | Event::Digit { .. }
            | Event::LegHeld { .. }
            | Event::LegResumed { .. }
            | Event::Registration { .. } => {}
        }
    }

    fn handle_timeout(&mut self, _now: Instant) {}

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    fn poll_request(&mut self) -> Option<Request> {
        self.outbox.requests.pop_front()
    }
}
