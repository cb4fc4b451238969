//! How values are said: numbers, digits, dates, times and amounts of money as sequences of prompts, by a grammar per
//! language.
//!
//! [`parse()`] reads a grammar file, [`Grammar::prompts`] names every prompt that it can ask for, [`Grammar::say`] says a
//! value. A grammar knows words and their order; it must not know what they sound like.

mod error;
mod parse;
mod rules;
mod template;
mod value;

use std::collections::{BTreeMap, BTreeSet};

pub use error::{GrammarError, GrammarProblem};
pub use parse::parse;
use rules::{Rule, Sets};
use template::Template;
use value::{Amount, Date, Time};

/// The grammars of a node, by language: `en`, `de-AT`.
pub type Grammars = BTreeMap<String, Grammar>;

/// How values are said in one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grammar {
    language: String,
    /// Before the name of every prompt: `en/`.
    prefix: String,
    sets: Sets,
    number: usize,
    ordinal: Option<usize>,
    /// The word between a number and its decimals.
    decimal_point: Option<String>,
    /// The words of `+`, `*` and `#` among digits.
    signs: BTreeMap<char, String>,
    date: Option<Template>,
    time: Option<Template>,
    money: Option<Money>,
}

/// How amounts of money are said.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Money {
    /// Without a part of the unit.
    whole: Template,
    /// Less than a unit.
    part: Template,
    both: Template,
    /// By their code (ISO 4217).
    currencies: BTreeMap<String, Currency>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Currency {
    decimals: u8,
    /// The rule sets that say an amount with its unit.
    unit: usize,
    subunit: Option<usize>,
}

/// As what a value is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manner {
    /// A number, with decimals or without: `-1`, `3.14`.
    Number,
    /// A place in a row: `3` is the third.
    Ordinal,
    /// One digit after the other: `+15550100`.
    Digits,
    /// A date, `2026-11-21`.
    Date,
    /// A time of day, `17:30` or `17:30:00`.
    Time,
    /// An amount of money, `12.50`, in a currency by its code (ISO 4217).
    Money(String),
}

impl Manner {
    /// Their names in flows.
    pub const NAMES: [&'static str; 6] = ["number", "ordinal", "digits", "date", "time", "money"];

    /// What is said so.
    pub(crate) const fn plural(&self) -> &'static str {
        match self {
            Self::Number => "numbers",
            Self::Ordinal => "ordinals",
            Self::Digits => "digits",
            Self::Date => "dates",
            Self::Time => "times",
            Self::Money(_) => "money",
        }
    }
}

/// Why a value cannot be said. The flow's author's fault, or of whoever gave the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsayable {
    /// It is no number, date, or whatever it is to be said as.
    #[error("the value is not of that form")]
    Value,
    /// The grammar has no words for it.
    #[error("the grammar does not say how")]
    Grammar,
    /// More than [`Grammar::MAX_WORDS`].
    #[error("it takes more than {} words", Grammar::MAX_WORDS)]
    TooLong,
}

impl Grammar {
    /// The most words of a value.
    pub const MAX_WORDS: usize = 128;
    /// The most rule sets of a grammar.
    pub const MAX_SETS: usize = 100;
    /// The most rules of a set.
    pub const MAX_RULES: usize = 1_000;
    /// The most numerals that one rule stands for with `#`.
    pub const MAX_NUMERALS: u64 = 1_000;

    /// Its file's name without `.toml`.
    #[must_use]
    pub fn language(&self) -> &str {
        &self.language
    }

    /// The prompts that say a value, in order.
    ///
    /// # Errors
    /// [`Unsayable`] says whose fault it is.
    pub fn say(&self, manner: &Manner, value: &str) -> Result<Vec<String>, Unsayable> {
        let mut words = Vec::new();
        match manner {
            Manner::Number => self.say_number(value, &mut words)?,
            Manner::Ordinal => {
                let set = self.ordinal.ok_or(Unsayable::Grammar)?;
                let number = value.trim().parse().map_err(|_| Unsayable::Value)?;
                self.sets.say(set, number, &mut words)?;
            }
            Manner::Digits => self.say_digits(value, &mut words)?,
            Manner::Date => {
                let date = Date::parse(value).ok_or(Unsayable::Value)?;
                let template = self.date.as_ref().ok_or(Unsayable::Grammar)?;
                template.say(&self.sets, |field| date.field(field), &mut words)?;
            }
            Manner::Time => {
                let time = Time::parse(value).ok_or(Unsayable::Value)?;
                let template = self.time.as_ref().ok_or(Unsayable::Grammar)?;
                template.say(&self.sets, |field| time.field(field), &mut words)?;
            }
            Manner::Money(currency) => self.say_money(currency, value, &mut words)?,
        }
        if words.len() > Self::MAX_WORDS {
            return Err(Unsayable::TooLong);
        }
        Ok(words.into_iter().map(|word| format!("{}{word}", self.prefix)).collect())
    }

    fn say_number(&self, value: &str, words: &mut Vec<String>) -> Result<(), Unsayable> {
        let value = value.trim();
        let Some((whole, decimals)) = value.split_once('.') else {
            let number = value.parse().map_err(|_| Unsayable::Value)?;
            return self.sets.say(self.number, number, words);
        };
        let point = self.decimal_point.as_ref().ok_or(Unsayable::Grammar)?;
        let number: i64 = whole.parse().map_err(|_| Unsayable::Value)?;
        if decimals.is_empty() || !decimals.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(Unsayable::Value);
        }
        if number == 0 && whole.starts_with('-') {
            self.sets.say_minus(self.number, words)?;
        }
        self.sets.say(self.number, number, words)?;
        words.push(point.clone());
        self.say_digits(decimals, words)
    }

    /// Blanks and hyphens are passed over.
    fn say_digits(&self, value: &str, words: &mut Vec<String>) -> Result<(), Unsayable> {
        for symbol in value.chars().filter(|symbol| !matches!(symbol, ' ' | '-')) {
            match (symbol.to_digit(10), self.signs.get(&symbol)) {
                (Some(digit), _) => self.sets.say(self.number, i64::from(digit), words)?,
                (None, Some(word)) => words.push(word.clone()),
                (None, None) if matches!(symbol, '+' | '*' | '#') => return Err(Unsayable::Grammar),
                (None, None) => return Err(Unsayable::Value),
            }
        }
        if words.is_empty() { Err(Unsayable::Value) } else { Ok(()) }
    }

    fn say_money(&self, code: &str, value: &str, words: &mut Vec<String>) -> Result<(), Unsayable> {
        let money = self.money.as_ref().ok_or(Unsayable::Grammar)?;
        let currency = money.currencies.get(code).ok_or(Unsayable::Grammar)?;
        let amount = Amount::parse(value, currency.decimals).ok_or(Unsayable::Value)?;
        let template = match (amount.units, amount.subunits) {
            (_, 0) => &money.whole,
            (0, _) => &money.part,
            _ => &money.both,
        };
        if amount.is_negative {
            self.sets.say_minus(self.number, words)?;
        }
        template.say_amount(&self.sets, currency, &amount, words)
    }

    /// Whether it has words for amounts in that currency.
    #[must_use]
    pub fn has_currency(&self, code: &str) -> bool {
        self.money.as_ref().is_some_and(|money| money.currencies.contains_key(code))
    }

    /// Whether it says values in that manner.
    #[must_use]
    pub const fn has(&self, manner: &Manner) -> bool {
        match manner {
            Manner::Number | Manner::Digits => true,
            Manner::Ordinal => self.ordinal.is_some(),
            Manner::Date => self.date.is_some(),
            Manner::Time => self.time.is_some(),
            Manner::Money(_) => self.money.is_some(),
        }
    }

    /// Every prompt that it can ask for.
    #[must_use]
    pub fn prompts(&self) -> BTreeSet<String> {
        let mut words = BTreeSet::new();
        self.sets.rules().for_each(|rule: &Rule| rule.words(&mut words));
        let money = self.money.iter().flat_map(|money| [&money.whole, &money.part, &money.both]);
        let templates = self.date.iter().chain(&self.time).chain(money);
        words.extend(templates.flat_map(Template::words).cloned());
        words.extend(self.signs.values().chain(&self.decimal_point).chain(self.sets.minus()).cloned());
        words.into_iter().map(|word| format!("{}{word}", self.prefix)).collect()
    }
}

#[cfg(test)]
mod tests;
