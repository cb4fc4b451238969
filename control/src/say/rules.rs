//! Rule sets: how a number becomes words, after Unicode's rule-based number formats (UTS #35 part 3).
//!
//! The rule with the largest base that is not larger than the number applies. Its text is made of words and of
//! ```text
//! <<  <set<   what the number is when divided by the rule's divisor, said by the same set or another one
//! >>  >set>   the remainder
//! =set=       the number itself, by another set
//! #           the number as a word: prompts named 1, 2, 3 …
//! [ … ]       left out when the remainder is 0
//! !           there are no words for it
//! ```
//! The divisor is the largest power of ten in the base, unless the rule says `base/divisor`. Every step makes the number
//! smaller, but `=set=`, which may not lead back to where it came from: so there is an end to it.

use std::collections::BTreeSet;

use super::{Grammar, Unsayable};

/// Steps into each other: sets that pass a number on to each other, digit by digit.
const MAX_DEPTH: u32 = 64;

/// All rule sets of a grammar; they name each other by index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sets(pub(super) Vec<Set>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Set {
    pub(super) name: String,
    /// By base; the first one's is 0.
    pub(super) rules: Vec<Rule>,
    /// The word before a number below zero.
    pub(super) minus: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) base: u64,
    pub(super) divisor: u64,
    pub(super) pieces: Vec<Piece>,
    /// The base of the next rule.
    pub(super) until: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Word(String),
    Numeral,
    Whole(usize),
    Quotient(usize),
    Remainder(usize),
    Optional(Vec<Self>),
    Wordless,
}

impl Sets {
    pub(super) fn index(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|set| set.name == name)
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.0.iter().map(|set| set.name.clone()).collect()
    }

    pub(super) fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.0.iter().flat_map(|set| &set.rules)
    }

    /// The words before numbers below zero.
    pub(super) fn minus(&self) -> impl Iterator<Item = &String> {
        self.0.iter().filter_map(|set| set.minus.as_ref())
    }

    /// Says a number by a set.
    pub(super) fn say(&self, set: usize, number: i64, words: &mut Vec<String>) -> Result<(), Unsayable> {
        if number < 0 {
            self.say_minus(set, words)?;
        }
        self.apply(set, number.unsigned_abs(), MAX_DEPTH, words)
    }

    /// Says that a number is below zero.
    pub(super) fn say_minus(&self, set: usize, words: &mut Vec<String>) -> Result<(), Unsayable> {
        let minus = self.0.get(set).and_then(|set| set.minus.clone());
        words.push(minus.ok_or(Unsayable::Grammar)?);
        Ok(())
    }

    fn apply(&self, set: usize, number: u64, depth: u32, words: &mut Vec<String>) -> Result<(), Unsayable> {
        let depth = depth.checked_sub(1).ok_or(Unsayable::TooLong)?;
        let rules = self.0.get(set).map(|set| set.rules.as_slice()).unwrap_or_default();
        let after = rules.partition_point(|rule| rule.base <= number);
        let rule = after.checked_sub(1).and_then(|index| rules.get(index)).ok_or(Unsayable::Grammar)?;
        self.follow(&rule.pieces, number, rule.divisor.max(1), depth, words)
    }

    fn follow(
        &self,
        pieces: &[Piece],
        number: u64,
        divisor: u64,
        depth: u32,
        words: &mut Vec<String>,
    ) -> Result<(), Unsayable> {
        for piece in pieces {
            match piece {
                Piece::Word(word) => words.push(word.clone()),
                Piece::Numeral => words.push(number.to_string()),
                Piece::Wordless => return Err(Unsayable::Grammar),
                Piece::Whole(set) => self.apply(*set, number, depth, words)?,
                Piece::Quotient(set) => self.apply(*set, number / divisor, depth, words)?,
                Piece::Remainder(set) => self.apply(*set, number % divisor, depth, words)?,
                Piece::Optional(_) if number.is_multiple_of(divisor) => {}
                Piece::Optional(pieces) => self.follow(pieces, number, divisor, depth, words)?,
            }
            if words.len() > Grammar::MAX_WORDS {
                return Err(Unsayable::TooLong);
            }
        }
        Ok(())
    }
}

impl Rule {
    /// Adds every word of the rule.
    pub(super) fn words(&self, words: &mut BTreeSet<String>) {
        self.add_words(&self.pieces, words);
    }

    fn add_words(&self, pieces: &[Piece], words: &mut BTreeSet<String>) {
        for piece in pieces {
            match piece {
                Piece::Word(word) => drop(words.insert(word.clone())),
                Piece::Numeral => {
                    let until = self.until.unwrap_or(self.base);
                    words.extend((self.base..until).map(|number| number.to_string()));
                }
                Piece::Optional(pieces) => self.add_words(pieces, words),
                Piece::Whole(_) | Piece::Quotient(_) | Piece::Remainder(_) | Piece::Wordless => {}
            }
        }
    }
}
