//! Digits and bounded strings of them.

use std::fmt;

use crate::CollectRules;

/// One of `0-9 * # A-D`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digit(u8);

const SYMBOLS: &[u8; 16] = b"0123456789*#ABCD";

impl Digit {
    /// The digit of a character; lower-case letters count.
    #[must_use]
    pub fn from_char(symbol: char) -> Option<Self> {
        let symbol = u8::try_from(symbol).ok()?.to_ascii_uppercase();
        (0..16).zip(SYMBOLS).find(|(_, known)| **known == symbol).map(|(code, _)| Self(code))
    }

    /// The digit of an event code of RFC 4733 §3.2 (0 to 15).
    #[must_use]
    pub const fn from_event(code: u8) -> Option<Self> {
        if code < 16 { Some(Self(code)) } else { None }
    }

    /// The event code of RFC 4733 §3.2.
    #[must_use]
    pub const fn event(self) -> u8 {
        self.0
    }

    /// The character.
    #[must_use]
    pub const fn as_char(self) -> char {
        SYMBOLS[(self.0 & 15) as usize] as char
    }
}

impl fmt::Debug for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_char())
    }
}

/// A set of digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terminators(u16);

impl Terminators {
    /// The set of a string's digits; none when something else is in it.
    #[must_use]
    pub fn parse(digits: &str) -> Option<Self> {
        let mut set = 0;
        for symbol in digits.chars() {
            set |= 1 << Digit::from_char(symbol)?.event();
        }
        Some(Self(set))
    }

    /// Whether `digit` is in the set.
    #[must_use]
    pub const fn contains(self, digit: Digit) -> bool {
        self.0 & (1 << digit.event()) != 0
    }
}

/// Up to [`CollectRules::MAX_DIGITS`] digits, kept in place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DigitString {
    digits: [Digit; CollectRules::MAX_DIGITS as usize],
    len: u8,
}

impl Default for DigitString {
    fn default() -> Self {
        Self { digits: [Digit(0); CollectRules::MAX_DIGITS as usize], len: 0 }
    }
}

impl DigitString {
    /// Adds a digit; false, and nothing added, when full.
    pub fn push(&mut self, digit: Digit) -> bool {
        match self.digits.get_mut(usize::from(self.len)) {
            Some(slot) => {
                *slot = digit;
                self.len += 1;
                true
            }
            None => false,
        }
    }

    /// Takes the first digit.
    pub(crate) fn pop_first(&mut self) -> Option<Digit> {
        let first = self.iter().next()?;
        self.digits.rotate_left(1);
        self.len -= 1;
        Some(first)
    }

    /// The digits in order.
    pub fn iter(&self) -> impl Iterator<Item = Digit> + '_ {
        self.digits.iter().copied().take(usize::from(self.len))
    }

    /// How many.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl fmt::Display for DigitString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|digit| write!(f, "{}", digit.as_char()))
    }
}

impl fmt::Debug for DigitString {
    /// Shows how many, never which: a digit string may be a card number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DigitString({} digits)", self.len)
    }
}
