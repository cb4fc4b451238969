//! A control plane as small as can be: greets the caller, takes one digit, rings alice, joins the two, and ends a call
//! when one of the two has left.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tandem_control_api::{
    CallId, CollectRules, Command, CommandError, CommandId, ControlPlane, DialTarget, Event, HangupCause,
    LegId, MediaPath, Outcome, Prompt, Repeat, Request,
};
use tandem_time::Instant;

pub(crate) const RING_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(crate) struct Script {
    /// All that it was told.
    pub(crate) told: Vec<(Instant, Event)>,
    requests: VecDeque<Request>,
    commands: u64,
    waiting: BTreeMap<CommandId, (CallId, Step)>,
    calls: BTreeMap<CallId, Call>,
}

/// Whom a call has.
#[derive(Debug, Default)]
struct Call {
    caller: Option<LegId>,
    agent: Option<LegId>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Answering,
    Collecting,
    Dialling,
    Other,
}

impl Script {
    /// The outcomes that were errors.
    pub(crate) fn errors(&self) -> Vec<CommandError> {
        let error = |(_, event): &'_ (Instant, Event)| match event {
            Event::Done { outcome: Err(error), .. } => Some(error.clone()),
            _ => None,
        };
        self.told.iter().filter_map(error).collect()
    }

    /// When the first event that fits came.
    pub(crate) fn when(&self, fits: impl Fn(&Event) -> bool) -> Option<Instant> {
        self.told.iter().find(|(_, event)| fits(event)).map(|(at, _)| *at)
    }

    fn ask(&mut self, call: CallId, step: Step, command: Command) {
        self.commands += 1;
        let id = CommandId(self.commands);
        self.waiting.insert(id, (call, step));
        self.requests.push_back(Request { id, command });
    }

    fn hang_up(&mut self, call: CallId, leg: Option<LegId>) {
        if let Some(leg) = leg {
            self.ask(call, Step::Other, Command::Hangup { leg, cause: HangupCause::Normal });
        }
    }

    /// Whoever is left is hung up.
    fn leg_ended(&mut self, call: CallId, leg: LegId) {
        let Some(legs) = self.calls.get_mut(&call) else { return };
        let left = if legs.caller == Some(leg) {
            legs.caller = None;
            legs.agent
        } else {
            legs.agent = None;
            legs.caller
        };
        self.hang_up(call, left);
    }

    fn done(&mut self, call: CallId, step: Step, outcome: &Result<Outcome, CommandError>) {
        let Some(leg) = self.calls.get(&call).and_then(|call| call.caller) else { return };
        match (step, outcome) {
            (Step::Answering, Ok(_)) => {
                let prompts = vec![Prompt::Named("welcome".to_owned())];
                let play = Command::Play {
                    leg,
                    prompts,
                    repeat: Repeat::Forever,
                    barge_in: tandem_control_api::BargeIn::Digit,
                };
                self.ask(call, Step::Other, play);
                self.ask(call, Step::Collecting, Command::Collect { leg, rules: rules() });
            }
            (Step::Collecting, Ok(Outcome::Collected { digits, .. })) if digits == "1" => {
                let target = DialTarget::User("alice".to_owned());
                let ring_timeout = RING_TIMEOUT;
                let dial =
                    Command::Dial { call, target, caller_id: None, ring_timeout, media: MediaPath::Anchored };
                self.ask(call, Step::Dialling, dial);
            }
            (Step::Dialling, Ok(Outcome::Answered { leg: agent })) => {
                self.ask(call, Step::Other, Command::Bridge { a: leg, b: *agent });
            }
            (Step::Collecting, _) => self.hang_up(call, Some(leg)),
            (Step::Answering | Step::Dialling | Step::Other, _) => {}
        }
    }
}

impl ControlPlane for Script {
    fn handle_event(&mut self, now: Instant, event: &Event) {
        self.told.push((now, event.clone()));
        match event {
            Event::CallOffered { call, leg, .. } => {
                self.calls.insert(*call, Call { caller: Some(*leg), agent: None });
                self.ask(*call, Step::Answering, Command::Answer { leg: *leg });
            }
            Event::LegCreated { call, leg, .. } => self.calls.entry(*call).or_default().agent = Some(*leg),
            Event::Done { command, outcome } => {
                if let Some((call, step)) = self.waiting.remove(command) {
                    self.done(call, step, outcome);
                }
            }
            Event::LegEnded { call, leg, .. } => self.leg_ended(*call, *leg),
            Event::CallEnded { call, .. } => {
                self.calls.remove(call);
            }
            Event::LegRinging { .. }
            | Event::LegEarlyMedia { .. }
            | Event::TransferAsked { .. }
            | Event::LegMoved { .. }
            | Event::LegReplaced { .. }
            | Event::ProgressFound { .. }
            | Event::LegUnheard { .. }
            | Event::RecordingFailed { .. }
            | Event::BeepAwaited { .. }
            | Event::LegHeld { .. }
            | Event::LegResumed { .. }
            | Event::Digit { .. }
            | Event::Registration { .. } => {}
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

fn rules() -> CollectRules {
    CollectRules {
        min_digits: 1,
        max_digits: 1,
        terminators: String::new(),
        first_digit_timeout: Duration::from_secs(10),
        inter_digit_timeout: Duration::from_secs(3),
        clear_typeahead: false,
        sensitive: false,
    }
}
