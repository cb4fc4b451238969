//! One call's way through a flow.

use std::sync::Arc;
use std::time::Duration;

use tandem_control_api::{BargeIn, CallFact, CollectEnd, CollectRules, Prompt, RecordAction, Repeat};
use tandem_time::Instant;

use super::{Activity, Assignment, Exit, Flow, Kind, Utterance, Value};
use crate::say::Grammars;

/// Where a call stands in its flow, and what its variables hold.
#[derive(Debug)]
pub(crate) struct Run {
    flow: Arc<Flow>,
    grammars: Arc<Grammars>,
    at: usize,
    entered: Instant,
    values: Vec<Value>,
    /// How often each activity was entered.
    visits: Vec<u32>,
    /// Steps since the flow last waited for something.
    steps: u32,
    facts: Vec<CallFact>,
}

/// What the flow wants, and then waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Play {
        prompts: Vec<Prompt>,
        repeat: Repeat,
        interruptible: BargeIn,
    },
    Collect {
        prompts: Vec<Prompt>,
        interruptible: BargeIn,
        rules: CollectRules,
    },
    Queue {
        queue: String,
    },
    Record {
        action: RecordAction,
    },
    Echo,
    Disconnect,
    /// The flow cannot go on.
    Fault(Fault),
}

/// Why a flow cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// An exit that is not wired.
    Unwired,
    /// [`Run::MAX_STEPS`] without a wait.
    TooManySteps,
    /// An activity entered more than [`Run::MAX_VISITS`] times.
    TooManyVisits,
}

impl Fault {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Unwired => "unwired-exit",
            Self::TooManySteps => "too-many-steps",
            Self::TooManyVisits => "too-many-visits",
        }
    }
}

impl Run {
    /// Steps a flow may take without waiting: more is a loop.
    pub(crate) const MAX_STEPS: u32 = 1_000;
    /// How often one call may enter the same menu, collection or queue.
    pub(crate) const MAX_VISITS: u32 = 100;
    /// What ends sooner was no wait: an activity that fails at once, over and over, is a loop too.
    const SHORTEST_WAIT: Duration = Duration::from_millis(20);

    /// A call at the flow's start; [`Run::begin`] takes the first step.
    pub(crate) fn new(flow: Arc<Flow>, grammars: Arc<Grammars>, ani: &str, dnis: &str, now: Instant) -> Self {
        let mut values: Vec<Value> = flow.variables.iter().map(|variable| variable.initial.clone()).collect();
        for (index, number) in [(Flow::ANI, ani), (Flow::DNIS, dnis)] {
            if let (Some(slot), Some(value)) =
                (values.get_mut(index), Value::read(super::Type::String, number))
            {
                *slot = value;
            }
        }
        let facts = vec![CallFact::FlowStarted { flow: flow.name.clone() }];
        let visits = vec![0; flow.activities.len()];
        Self { at: flow.start, entered: now, values, visits, steps: 0, facts, flow, grammars }
    }

    /// What happened in the flow since it was asked last, for the call's record.
    pub(crate) fn take_facts(&mut self) -> Vec<CallFact> {
        std::mem::take(&mut self.facts)
    }

    /// Goes from the start to the first activity that waits.
    pub(crate) fn begin(&mut self, now: Instant) -> Step {
        let start = self.flow.start;
        self.proceed(now, Ok(start))
    }

    /// Leaves the activity that waited, and goes to the next one that waits.
    pub(crate) fn resume(&mut self, now: Instant, exit: Exit) -> Step {
        if now - self.entered >= Self::SHORTEST_WAIT {
            self.steps = 0;
        }
        let next = self.leave(exit);
        self.proceed(now, next)
    }

    /// The call goes where the flow does not follow: it is connected, or the caller has gone.
    pub(crate) fn finish(&mut self, reason: &str) {
        let activity = self.activity().name.clone();
        self.facts.push(CallFact::FlowStep { activity, exit: reason.to_owned() });
    }

    /// Keeps what a collection brought, and says by which exit the activity ends.
    pub(crate) fn collected(&mut self, digits: &str, end: CollectEnd) -> Exit {
        let first_timeout = end == CollectEnd::FirstDigitTimeout;
        match self.activity().kind {
            _ if end == CollectEnd::Stopped => Exit::Error,
            Kind::Menu { .. } if first_timeout => Exit::Timeout,
            Kind::Menu { .. } => self.chosen(digits),
            Kind::Collect { ref rules, .. } if digits.len() < usize::from(rules.min_digits) => {
                if first_timeout {
                    Exit::Timeout
                } else {
                    Exit::Invalid
                }
            }
            Kind::Collect { variable, .. } => {
                self.assign(variable, Value::String(digits.to_owned()));
                Exit::Done
            }
            _ => Exit::Error,
        }
    }

    fn chosen(&self, digits: &str) -> Exit {
        let exit = digits.chars().next().map(Exit::Digit);
        exit.filter(|exit| self.activity().exits.contains_key(exit)).unwrap_or(Exit::Invalid)
    }

    fn activity(&self) -> &Activity {
        &self.flow.activities[self.at]
    }

    /// The activity behind an exit. A queue without an exit for its longest wait fails instead, and a call that cannot be
    /// recorded goes on where nothing else is said.
    fn leave(&mut self, exit: Exit) -> Result<usize, Fault> {
        let activity = &self.flow.activities[self.at];
        let fallback = match (exit, &activity.kind) {
            (Exit::Timeout, _) => Some(Exit::Failure),
            (Exit::Error, Kind::Record { .. }) => Some(Exit::Done),
            _ => None,
        };
        let target = activity.exits.get(&exit).or_else(|| activity.exits.get(&fallback?));
        self.facts.push(CallFact::FlowStep { activity: activity.name.clone(), exit: exit.to_string() });
        target.copied().ok_or(Fault::Unwired)
    }

    fn proceed(&mut self, now: Instant, next: Result<usize, Fault>) -> Step {
        let mut next = next;
        loop {
            if let Err(fault) = next.and_then(|target| self.enter(now, target)) {
                return Step::Fault(fault);
            }
            match self.execute() {
                Execution::Waits(step) => return step,
                Execution::Leaves(exit) => next = self.leave(exit),
            }
        }
    }

    fn enter(&mut self, now: Instant, target: usize) -> Result<(), Fault> {
        self.at = target;
        self.entered = now;
        self.steps += 1;
        self.visits[target] = self.visits[target].saturating_add(1);
        let limited = match self.activity().kind {
            Kind::Menu { .. } | Kind::Collect { .. } | Kind::Queue { .. } => true,
            Kind::Play { .. }
            | Kind::PlayDigits { .. }
            | Kind::Set { .. }
            | Kind::Condition { .. }
            | Kind::Record { .. }
            | Kind::Echo
            | Kind::Disconnect => false,
        };
        if limited && self.visits[target] > Self::MAX_VISITS {
            return Err(Fault::TooManyVisits);
        }
        if self.steps > Self::MAX_STEPS {
            return Err(Fault::TooManySteps);
        }
        Ok(())
    }

    /// Does what the activity does at once, or says what it waits for.
    fn execute(&mut self) -> Execution {
        let flow = Arc::clone(&self.flow);
        match &flow.activities[self.at].kind {
            Kind::Set { variable, assignment } => Execution::Leaves(self.set(*variable, assignment)),
            Kind::Condition { variable, operator, value } => {
                let holds = operator.holds(&self.values[*variable], value);
                Execution::Leaves(if holds { Exit::True } else { Exit::False })
            }
            Kind::Play { prompts, repeat, interruptible } => {
                let (repeat, interruptible) = (*repeat, *interruptible);
                self.waits(prompts, |prompts| Step::Play { prompts, repeat, interruptible })
            }
            Kind::PlayDigits { variable } => Execution::Waits(Step::Play {
                prompts: vec![Prompt::Digits(self.values[*variable].to_string())],
                repeat: Repeat::Times(1),
                interruptible: BargeIn::Never,
            }),
            Kind::Menu { prompts, interruptible, rules }
            | Kind::Collect { prompts, interruptible, rules, .. } => {
                let (interruptible, rules) = (*interruptible, rules.clone());
                self.waits(prompts, |prompts| Step::Collect { prompts, interruptible, rules })
            }
            Kind::Queue { queue } => Execution::Waits(Step::Queue { queue: queue.clone() }),
            Kind::Record { action } => Execution::Waits(Step::Record { action: *action }),
            Kind::Echo => Execution::Waits(Step::Echo),
            Kind::Disconnect => Execution::Waits(Step::Disconnect),
        }
    }

    /// Waits while something is heard; what cannot be said is an error.
    fn waits(&self, heard: &[Utterance], step: impl FnOnce(Vec<Prompt>) -> Step) -> Execution {
        let mut prompts = Vec::new();
        for utterance in heard {
            match utterance {
                Utterance::Prompt(prompt) => prompts.push(prompt.clone()),
                Utterance::Speak { text, language } => {
                    let rendered = text.render(&self.values).zip(language.render(&self.values));
                    let Some((text, language)) = rendered else { return Execution::Leaves(Exit::Error) };
                    prompts.push(Prompt::Speech { text, language });
                }
                Utterance::Say { value, manner, language } => {
                    let said = value
                        .render(&self.values)
                        .zip(language.render(&self.values))
                        .and_then(|(value, language)| self.grammars.get(&language)?.say(manner, &value).ok());
                    let Some(words) = said else { return Execution::Leaves(Exit::Error) };
                    prompts.extend(words.into_iter().map(Prompt::Named));
                }
            }
        }
        // Of a value may be nothing to say, where more is said.
        if prompts.is_empty() && !heard.is_empty() {
            return Execution::Leaves(Exit::Error);
        }
        Execution::Waits(step(prompts))
    }

    fn set(&mut self, variable: usize, assignment: &Assignment) -> Exit {
        let current = &self.values[variable];
        let value = match assignment {
            Assignment::Literal(value) => Some(value.clone()),
            Assignment::Template(template) => {
                template.render(&self.values).and_then(|text| Value::read(current.kind(), &text))
            }
            Assignment::Add(amount) => match current {
                Value::Integer(number) => number.checked_add(*amount).map(Value::Integer),
                Value::String(_) | Value::Boolean(_) => None,
            },
        };
        match value {
            Some(value) => {
                self.assign(variable, value);
                Exit::Done
            }
            None => Exit::Error,
        }
    }

    fn assign(&mut self, variable: usize, value: Value) {
        let declared = &self.flow.variables[variable];
        if !declared.sensitive {
            self.facts.push(CallFact::Variable { name: declared.name.clone(), value: value.to_string() });
        }
        self.values[variable] = value;
    }
}

/// What came of an activity.
enum Execution {
    Leaves(Exit),
    Waits(Step),
}
