//! Call flows: what is said, asked and decided before a caller talks to somebody.
//!
//! [`parse()`] reads a flow file, [`Flow`] is a flow that is sound in itself, [`Flow::check`] holds it against the
//! queues and prompts of a node. A flow decides; it must not send commands nor know a leg.

mod check;
mod error;
mod parse;
mod run;
mod template;
mod value;

use std::collections::BTreeMap;
use std::fmt;

use tandem_control_api::{BargeIn, CollectRules, Prompt, RecordAction, Repeat};

pub use check::Inventory;
pub use error::{FlowError, FlowProblem};
pub use parse::parse;
pub(crate) use run::{Run, Step};
pub(crate) use template::Template;
pub use value::{Type, Value};

use crate::say::Manner;

/// A flow whose exits all lead somewhere, whose activities can all be reached, and whose variables have types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    pub(crate) name: String,
    pub(crate) start: usize,
    pub(crate) activities: Vec<Activity>,
    /// The built-in ones first: [`Flow::ANI`], [`Flow::DNIS`].
    pub(crate) variables: Vec<Variable>,
}

impl Flow {
    /// Activities a flow may have.
    pub const MAX_ACTIVITIES: usize = 1_000;
    /// Variables a flow may declare, the built-in ones included.
    pub const MAX_VARIABLES: usize = 100;
    /// Prompts an activity may name.
    pub const MAX_PROMPTS: usize = 20;

    /// The variable that holds the caller's number, empty when withheld.
    pub(crate) const ANI: usize = 0;
    /// The variable that holds the dialled number.
    pub(crate) const DNIS: usize = 1;

    /// The flow's name: its file's name without `.toml`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A variable as declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    /// Its value when the call begins; its type for good.
    pub(crate) initial: Value,
    /// Never in facts, logs or records.
    pub(crate) sensitive: bool,
}

/// One box of the flow and the ways out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Activity {
    pub(crate) name: String,
    /// Where it stands in the file, counted from 1.
    pub(crate) line: usize,
    pub(crate) kind: Kind,
    pub(crate) exits: BTreeMap<Exit, usize>,
}

/// What an activity does. Variables are indices into [`Flow::variables`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Play {
        prompts: Vec<Utterance>,
        repeat: Repeat,
        interruptible: BargeIn,
    },
    Menu {
        prompts: Vec<Utterance>,
        interruptible: BargeIn,
        /// One digit.
        rules: CollectRules,
    },
    Collect {
        prompts: Vec<Utterance>,
        interruptible: BargeIn,
        rules: CollectRules,
        /// Takes the digits.
        variable: usize,
    },
    Set {
        variable: usize,
        assignment: Assignment,
    },
    Condition {
        variable: usize,
        operator: Operator,
        value: Value,
    },
    Queue {
        queue: String,
    },
    PlayDigits {
        variable: usize,
    },
    Record {
        action: RecordAction,
    },
    Echo,
    Disconnect,
}

/// Something to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Utterance {
    /// The same in every call.
    Prompt(Prompt),
    /// A value, by the grammar of a language.
    Say { value: Template, manner: Manner, language: Template },
    /// Words, by the node's provider of speech.
    Speak { text: Template, language: Template },
}

/// What a variable is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Assignment {
    Literal(Value),
    Template(Template),
    /// Adds to an integer.
    Add(i64),
}

/// How a variable is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    Greater,
}

impl Operator {
    pub(crate) fn holds(self, left: &Value, right: &Value) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::Greater => left > right,
        }
    }
}

/// A way out of an activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    Done,
    Digit(char),
    Timeout,
    Invalid,
    Failure,
    True,
    False,
    Error,
}

impl Exit {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let mut characters = name.chars();
        match (name, characters.next(), characters.next()) {
            ("done", ..) => Some(Self::Done),
            ("timeout", ..) => Some(Self::Timeout),
            ("invalid", ..) => Some(Self::Invalid),
            ("failure", ..) => Some(Self::Failure),
            ("true", ..) => Some(Self::True),
            ("false", ..) => Some(Self::False),
            ("error", ..) => Some(Self::Error),
            (_, Some(digit @ ('0'..='9' | '*' | '#')), None) => Some(Self::Digit(digit)),
            _ => None,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Digit(digit) => write!(f, "{digit}"),
            Self::Timeout => f.write_str("timeout"),
            Self::Invalid => f.write_str("invalid"),
            Self::Failure => f.write_str("failure"),
            Self::True => f.write_str("true"),
            Self::False => f.write_str("false"),
            Self::Error => f.write_str("error"),
        }
    }
}
