//! What can be wrong with a flow file, and what to write instead.

use std::fmt;

use super::{Flow, Type};

/// The first thing wrong with a flow file. The author's fault; nothing of the flow is used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct FlowError {
    /// The flow's name: its file's name without `.toml`.
    pub flow: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The activity, when the fault is in one.
    pub activity: Option<String>,
    /// The fault.
    pub problem: Box<FlowProblem>,
}

impl fmt::Display for FlowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.toml:{}: ", self.flow, self.line)?;
        if let Some(activity) = &self.activity {
            write!(f, "activity `{activity}`: ")?;
        }
        write!(f, "{}", self.problem)
    }
}

/// What is wrong, in words that say what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlowProblem {
    /// Not TOML.
    #[error("{0}")]
    Syntax(String),
    /// A key that means nothing here.
    #[error("unknown key `{key}`; known here: {}", list(known))]
    UnknownKey {
        /// The key.
        key: String,
        /// Those that would mean something.
        known: Vec<String>,
    },
    /// A key that must be there.
    #[error("`{key}` is missing; write `{example}`")]
    MissingKey {
        /// The key.
        key: String,
        /// A line that would do.
        example: String,
    },
    /// A value of another type.
    #[error("`{key}` is {found}; write {wanted}")]
    WrongType {
        /// The key.
        key: String,
        /// What stands there.
        found: String,
        /// What should.
        wanted: String,
    },
    /// A number outside its range, or a list too short or too long.
    #[error("`{key}` must be {wanted}")]
    OutOfRange {
        /// The key.
        key: String,
        /// The range.
        wanted: String,
    },
    /// No such type of activity.
    #[error("there is no activity type `{found}`; write one of: {}", list(known))]
    UnknownType {
        /// What stands there.
        found: String,
        /// The types there are.
        known: Vec<String>,
    },
    /// An exit, or `start`, that leads nowhere.
    #[error("`{from}` leads to `{target}`, which is no activity; write one of: {}", list(known))]
    Dangling {
        /// The exit, or `start`.
        from: String,
        /// Where it leads.
        target: String,
        /// The activities there are.
        known: Vec<String>,
    },
    /// An exit that must be wired.
    #[error("exit `{exit}` is missing; write `exits = {{ {exit} = \"…\" }}` with the activity that follows")]
    MissingExit {
        /// The exit.
        exit: String,
    },
    /// An exit that this type of activity does not have.
    #[error("it has no exit `{exit}`; it has: {}", list(known))]
    UnknownExit {
        /// The exit.
        exit: String,
        /// Those it has.
        known: Vec<String>,
    },
    /// No path from `start` leads here.
    #[error("nothing leads to it; name it in another activity's exits, or remove it")]
    Unreachable,
    /// Characters that are no keys of a telephone.
    #[error("`{key}` is `{found}`; write {wanted}")]
    BadDigits {
        /// The key.
        key: String,
        /// What stands there.
        found: String,
        /// What should.
        wanted: String,
    },
    /// A variable that is not declared.
    #[error("there is no variable `{name}`; declare it in `[variables]`, or write one of: {}", list(known))]
    UnknownVariable {
        /// The name.
        name: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// A variable that cannot have that name, or cannot be set.
    #[error("variable `{name}`: {why}")]
    BadVariable {
        /// The name.
        name: String,
        /// Why not.
        why: String,
    },
    /// A variable of another type than is needed.
    #[error("variable `{variable}` is of type {found}; this needs {wanted}")]
    WrongVariable {
        /// The variable.
        variable: String,
        /// Its type.
        found: Type,
        /// The type it should have.
        wanted: String,
    },
    /// A sensitive value would be copied to where it is shown.
    #[error("sensitive `{from}` would become visible in `{to}`; declare `{to}` with `sensitive = true`")]
    Leak {
        /// The sensitive variable.
        from: String,
        /// The one that is not.
        to: String,
    },
    /// A template without its closing braces.
    #[error("`{key}` has `{{{{` without `}}}}`; write `{{{{name}}}}`")]
    BadTemplate {
        /// The key.
        key: String,
    },
    /// A queue that the node does not have.
    #[error("there is no queue `{name}`; write one of: {}", list(known))]
    UnknownQueue {
        /// The name.
        name: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// A prompt that the node does not have.
    #[error("there is no prompt `{name}`; write one of: {}", list(known))]
    UnknownPrompt {
        /// The name.
        name: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// A language without a grammar.
    #[error("there is no grammar for language `{name}`; write one of: {}", list(known))]
    UnknownLanguage {
        /// The name.
        name: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// Something that a grammar does not say.
    #[error("the grammar of language `{language}` has no words for {what}; add them, or say something else")]
    Wordless {
        /// The language.
        language: String,
        /// What.
        what: String,
    },
    /// Words, on a node without a provider of speech.
    #[error("the node speaks no text; add [speech] to its configuration, or record a prompt")]
    Speechless,
    /// A recording, on a node that keeps none.
    #[error("the node keeps no recordings; add [recording] with folder = \"…\" to its configuration")]
    Unrecorded,
    /// A sensitive value would be handed to the provider of speech.
    #[error(
        "sensitive `{name}` would be told to the provider of speech; say it with `say`, by prompts of the node's own"
    )]
    Told {
        /// The sensitive variable.
        name: String,
    },
    /// More activities than [`Flow::MAX_ACTIVITIES`].
    #[error("more than {} activities; split the flow", Flow::MAX_ACTIVITIES)]
    TooManyActivities,
    /// More variables than [`Flow::MAX_VARIABLES`].
    #[error("more than {} variables, built-in ones included", Flow::MAX_VARIABLES)]
    TooManyVariables,
}

/// `a, b, c`, or a word for nothing.
fn list(names: &[String]) -> String {
    if names.is_empty() { "(there are none)".to_owned() } else { names.join(", ") }
}
