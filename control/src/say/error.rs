//! What can be wrong with a grammar file, and what to write instead.

use std::fmt;

use super::Grammar;

/// The first thing wrong with a grammar file. The author's fault; nothing of the grammar is used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct GrammarError {
    /// Its file's name without `.toml`.
    pub language: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The fault.
    pub problem: GrammarProblem,
}

impl fmt::Display for GrammarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.toml:{}: {}", self.language, self.line, self.problem)
    }
}

/// What is wrong, in words that say what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrammarProblem {
    /// Not TOML.
    #[error("{0}")]
    Syntax(String),
    /// A key that means nothing here.
    #[error("unknown key `{key}`; known here: {}", known.join(", "))]
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
    /// A value of another type, or out of its range.
    #[error("`{key}` must be {wanted}")]
    Wrong {
        /// The key.
        key: String,
        /// What it should be.
        wanted: String,
    },
    /// A key among rules that is no base.
    #[error(
        "`{0}` is no rule; write the least number that it is for, as `20`, `\"1100/100\"` with its divisor, or `minus`"
    )]
    BadBase(String),
    /// A set that does not begin with 0.
    #[error("`{0}` has no rule for 0, the first that every set needs; write `0 = \"…\"`")]
    NoZero(String),
    /// Two rules for the same base.
    #[error("there are two rules for {0}; remove one")]
    TwiceTheSame(u64),
    /// A rule set that is not there.
    #[error("there is no rule set `{name}`; write one of: {}", known.join(", "))]
    UnknownSet {
        /// The name.
        name: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// A piece of a rule or template that means nothing.
    #[error("`{found}` means nothing here; write {wanted}")]
    BadPiece {
        /// What stands there.
        found: String,
        /// What may stand there.
        wanted: String,
    },
    /// `[` without `]` or the other way round, or one in another.
    #[error("`[` and `]` do not match; write one pair around what is left out when nothing remains")]
    Brackets,
    /// Parts of a number that cannot be divided.
    #[error("a rule with divisor 1 has neither `<<` nor `>>` nor `[ ]`; write `{base}/10` or another base")]
    Indivisible {
        /// The base.
        base: u64,
    },
    /// `#` in a rule that stands for too many numbers.
    #[error(
        "`#` stands for more than {} numbers here; add a rule that begins where they end",
        Grammar::MAX_NUMERALS
    )]
    TooManyNumerals,
    /// Sets that pass a number round.
    #[error("`={name}=` leads back to `{name}`; break the circle")]
    Circle {
        /// The set.
        name: String,
    },
    /// Too many of something.
    #[error("more than {limit} {what}")]
    TooMany {
        /// `rule sets`, `rules`.
        what: &'static str,
        /// The most there may be.
        limit: usize,
    },
}
