//! Header and number rules: what the messages of a trunk become before the user agent reads them, and what ours
//! become before they leave.
//!
//! Owner thread: the signalling core; rules are compiled by whoever reads the configuration. This module must not
//! know sessions, and it never gives away a message that our own parser would refuse: a rule that would make one is
//! passed over.
//!
//! What belongs to transactions and dialogs stays as it was, whatever a rule says: Via, Call-ID, CSeq, Max-Forwards,
//! Route, Record-Route, Contact, RSeq, RAck, the tags, the body and its headers. The Request-URI, From and To change
//! only in requests that begin something: in a dialog they are what the peers agreed on (RFC 3261 §12.2.1.1), in
//! CANCEL and ACK those of the INVITE (§9.1, §17.1.1.3), in responses those of the request (§8.2.6.2).

mod address;
mod compile;
mod draft;
mod field;
mod number;
mod rule;
mod template;

pub use compile::{ActionText, ConditionText, RuleError, RuleText, TestText, Text};
pub use number::{NumberFormat, NumberingPlan, Numbers};

use crate::message::{HeaderIndex, Message};
use draft::Draft;
use rule::Rule;

/// The most rules of one trunk in one direction.
pub const MAX_RULES: usize = 100;
/// The most conditions of a rule, and the most things it may do.
pub const MAX_PARTS: usize = 32;
/// The longest pattern and the longest value, in bytes.
pub const MAX_TEXT: usize = 1_024;
/// The most memory that a compiled pattern may take, in bytes.
pub const MAX_COMPILED: usize = 1 << 18;

/// Which way a trunk's messages go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// From the trunk to us.
    #[default]
    In,
    /// From us to the trunk.
    Out,
}

/// What kind of message a rule is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum On {
    /// Requests.
    #[default]
    Request,
    /// Responses.
    Response,
}

/// What of a header a pattern looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Each line's value, folds as one space; without the tag of From and To.
    Value,
    /// The user part of each address, unescaped and without its parameters.
    User,
}

/// The rules of a trunk.
#[derive(Clone, Debug, Default)]
pub struct TrunkRules {
    /// For what comes.
    pub inbound: RuleSet,
    /// For what leaves.
    pub outbound: RuleSet,
}

/// The rules of one direction, in their order. Numbers are brought into one form after the rules have seen what
/// came, and before they see what leaves.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    direction: Direction,
    rules: Vec<Rule>,
    numbers: Option<Numbers>,
}

/// A message after the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The same with From and To as they came, when they were changed: what responses and the dialog go by.
    pub with_own_parties: Option<Vec<u8>>,
    /// Rules passed over, since the message could not have been read any more.
    pub passed_over: u32,
}

/// What one rule made of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The rule's name; `numbers` for the numbering plan.
    pub rule: String,
    /// The message after it.
    pub bytes: Vec<u8>,
    /// Whether the rule was passed over, since the message could not have been read any more.
    pub passed_over: bool,
}

impl RuleSet {
    /// Compiles rules.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn compile(
        direction: Direction,
        texts: &[RuleText],
        numbers: Option<Numbers>,
    ) -> Result<Self, Vec<RuleError>> {
        let rules = compile::rules(texts)?;
        Ok(Self { direction, rules, numbers })
    }

    /// Whether it leaves every message as it is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.numbers.is_none()
    }

    /// The message after the rules; `None` when it stays as it is.
    #[must_use]
    pub fn apply(&self, message: &Message<'_>) -> Option<Rewritten> {
        if self.is_empty() {
            return None;
        }
        let mut draft = Draft::of(message);
        self.each(|step| step.run(&mut draft));
        if !draft.is_changed() {
            return None;
        }
        let mut passed_over = 0;
        if !is_sound(&draft.print(), message) {
            draft = self.one_by_one(message, |_, _, sound| passed_over += u32::from(!sound));
        }
        let with_own_parties = draft.with_parties_of(message).map(|draft| draft.print());
        Some(Rewritten { bytes: draft.print(), with_own_parties, passed_over })
    }

    /// What each rule that changes something makes of the message, in turn.
    #[must_use]
    pub fn stages(&self, message: &Message<'_>) -> Vec<Stage> {
        let mut stages = Vec::new();
        let mut note = |step: Step<'_>, draft: &Draft<'_>, sound: bool| {
            stages.push(Stage { rule: step.name().to_owned(), bytes: draft.print(), passed_over: !sound });
        };
        let mut draft = Draft::of(message);
        self.each(|step| step.run(&mut draft));
        if !is_sound(&draft.print(), message) {
            self.one_by_one(message, note);
            return stages;
        }
        let mut draft = Draft::of(message);
        self.each(|step| {
            let before = draft.clone();
            let goes_on = step.run(&mut draft);
            if draft != before {
                note(step, &draft, true);
            }
            goes_on
        });
        stages
    }

    /// Takes the steps one by one, and only those after which the message can be read: for when it could not be
    /// after all of them. Tells of each that changes something, with whether it was taken.
    fn one_by_one<'m>(
        &self,
        message: &Message<'m>,
        mut tell: impl FnMut(Step<'_>, &Draft<'m>, bool),
    ) -> Draft<'m> {
        let mut draft = Draft::of(message);
        self.each(|step| {
            let mut after = draft.clone();
            let goes_on = step.run(&mut after);
            if after == draft {
                return goes_on;
            }
            let sound = is_sound(&after.print(), message);
            if sound {
                draft = after;
            }
            tell(step, &draft, sound);
            // A rule that is passed over does not stop the others either.
            goes_on || !sound
        });
        draft
    }

    /// Takes the steps in order until one says that it was the last.
    fn each(&self, mut take: impl FnMut(Step<'_>) -> bool) {
        let numbers = self.numbers.as_ref();
        if let Some(numbers) = numbers.filter(|_| self.direction == Direction::Out) {
            take(Step::Numbers(numbers));
        }
        for rule in &self.rules {
            if !take(Step::Rule(rule)) {
                break;
            }
        }
        if let Some(numbers) = numbers.filter(|_| self.direction == Direction::In) {
            take(Step::Numbers(numbers));
        }
    }
}

/// A rule, or what is done to all numbers.
#[derive(Clone, Copy)]
enum Step<'r> {
    Rule(&'r Rule),
    Numbers(&'r Numbers),
}

impl Step<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Rule(rule) => rule.name(),
            Self::Numbers(_) => "numbers",
        }
    }

    /// Whether the rules after it are for this message too.
    fn run(&self, draft: &mut Draft<'_>) -> bool {
        match self {
            Self::Rule(rule) => rule.run(draft),
            Self::Numbers(numbers) => {
                numbers.run(draft);
                true
            }
        }
    }
}

/// Whether bytes are a message as good as the one that they were made of.
fn is_sound(bytes: &[u8], origin: &Message<'_>) -> bool {
    let mut index = HeaderIndex::new();
    let Ok(message) = Message::parse(bytes, &mut index) else { return false };
    match (message.essentials(), message.validate()) {
        (Ok(_), Ok(())) => true,
        (Ok(_), Err(_)) => origin.validate().is_err(),
        (Err(_), _) => origin.essentials().is_err(),
    }
}
