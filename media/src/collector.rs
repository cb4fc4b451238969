//! Digit collection: what a caller keys, gathered by rules.
//!
//! - Digits keyed while nothing is collected are kept (typed ahead), at most [`CollectRules::MAX_DIGITS`]; the next
//!   collection takes them first.
//! - While something plays, the time for the first digit does not run; it starts when the play ends.
//! - The time for a further digit starts when the key goes up, so holding a key long is no timeout.
//! - Who keys `1234#` to a collection of four digits means `#` as its end, although the fourth digit already ended
//!   it: a terminator that directly follows, within the inter-digit timeout and at most
//!   [`TRAILING_TERMINATOR`], is swallowed rather than given to the next menu. Any other key ends that wait.

use std::time::Duration;

use tandem_time::Instant;

use crate::{CollectEnd, CollectId, CollectRules, Digit, DigitString, Terminators};

/// The longest time in which a terminator after a collection full by count is taken for its end.
pub(crate) const TRAILING_TERMINATOR: Duration = Duration::from_secs(2);

/// ```text
///        start                 digit                 digit: not the last
/// Idle ─────────► First ────────────────► Further ◄──────────────┐
///  ▲                │ timeout, terminator    │ ─────────────────┘
///  └────────────────┴───────────────────────┴ full, terminator, timeout, stopped
/// ```
#[derive(Debug, Default)]
enum State {
    #[default]
    Idle,
    /// Waiting for the first digit; without a deadline while something plays.
    First { collection: Box<Collection>, deadline: Option<Instant> },
    /// Waiting for a further digit.
    Further { collection: Box<Collection>, deadline: Instant },
}

#[derive(Debug)]
struct Collection {
    collect: CollectId,
    rules: CollectRules,
    digits: DigitString,
}

/// How a collection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) collect: CollectId,
    pub(crate) digits: DigitString,
    pub(crate) end: CollectEnd,
}

/// The terminator that may still follow a full collection.
#[derive(Clone, Copy, Debug)]
struct Trailing {
    terminators: Terminators,
    sensitive: bool,
    until: Instant,
}

/// The collections of one endpoint, one at a time.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    typed_ahead: DigitString,
    trailing: Option<Trailing>,
    state: State,
}

/// What became of a key press.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keyed {
    /// It belongs to a collection, and ended it perhaps. `told` is whether it may be reported by itself.
    Collected { told: bool, outcome: Option<Outcome> },
    /// It was the terminator of the collection before.
    Swallowed { told: bool },
    /// Kept for the next collection.
    TypedAhead,
    /// No collection wants it, or there is no room to keep it.
    Passed,
}

impl Collector {
    /// Starts a collection; an outcome when what was typed ahead already ends it. One under way must be stopped first.
    pub(crate) fn start(
        &mut self,
        now: Instant,
        collect: CollectId,
        rules: CollectRules,
        playing: bool,
    ) -> Option<Outcome> {
        if rules.clear_typeahead {
            self.typed_ahead = DigitString::default();
        }
        let deadline = (!playing).then(|| now + rules.first_digit_timeout);
        let collection = Box::new(Collection { collect, rules, digits: DigitString::default() });
        if collection.is_full() {
            return Some(collection.ended(CollectEnd::MaxDigits));
        }
        self.state = State::First { collection, deadline };
        while let Some(digit) = self.typed_ahead.pop_first() {
            let outcome = self.collect(now, digit);
            if outcome.is_some() {
                self.drop_trailing_typed_ahead(now);
                return outcome;
            }
        }
        None
    }

    /// Takes a key press; `keep` is whether it is typed ahead when nothing is collected.
    pub(crate) fn digit(&mut self, now: Instant, digit: Digit, keep: bool) -> Keyed {
        if let Some(trailing) = self.trailing.take()
            && trailing.terminators.contains(digit)
            && now < trailing.until
        {
            return Keyed::Swallowed { told: !trailing.sensitive };
        }
        let told = match &self.state {
            State::Idle if keep && self.typed_ahead.push(digit) => return Keyed::TypedAhead,
            State::Idle => return Keyed::Passed,
            State::First { collection, .. } | State::Further { collection, .. } => {
                !collection.rules.sensitive
            }
        };
        Keyed::Collected { told, outcome: self.collect(now, digit) }
    }

    /// The key of the latest digit is still down: the time for the next one starts again.
    pub(crate) fn held(&mut self, now: Instant) {
        if let State::Further { collection, deadline } = &mut self.state {
            *deadline = now + collection.rules.inter_digit_timeout;
        }
    }

    /// A play started: the time for the first digit stands still.
    pub(crate) fn play_started(&mut self) {
        if let State::First { deadline, .. } = &mut self.state {
            *deadline = None;
        }
    }

    /// The play ended: the time for the first digit starts.
    pub(crate) fn play_ended(&mut self, now: Instant) {
        if let State::First { collection, deadline } = &mut self.state {
            *deadline = Some(now + collection.rules.first_digit_timeout);
        }
    }

    /// Ends the collection under way.
    pub(crate) fn stop(&mut self) -> Option<Outcome> {
        self.end(CollectEnd::Stopped)
    }

    /// Forgets what was typed ahead: keys of a bridged party are meant for the other one.
    pub(crate) fn forget_typed_ahead(&mut self) {
        self.typed_ahead = DigitString::default();
        self.trailing = None;
    }

    /// Ends the collection if its time is up.
    pub(crate) fn timeout(&mut self, now: Instant) -> Option<Outcome> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        match self.state {
            State::Idle => None,
            State::First { .. } => self.end(CollectEnd::FirstDigitTimeout),
            State::Further { .. } => self.end(CollectEnd::InterDigitTimeout),
        }
    }

    /// When [`Collector::timeout`] has something to do.
    pub(crate) const fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Idle => None,
            State::First { deadline, .. } => deadline,
            State::Further { deadline, .. } => Some(deadline),
        }
    }

    /// Whether a key pressed now belongs to a collection that nobody may watch.
    pub(crate) fn is_sensitive(&self, now: Instant) -> bool {
        match &self.state {
            State::Idle => self.trailing.is_some_and(|trailing| trailing.sensitive && now < trailing.until),
            State::First { collection, .. } | State::Further { collection, .. } => collection.rules.sensitive,
        }
    }

    /// Whether a collection is under way that has a digit.
    pub(crate) const fn has_digit(&self) -> bool {
        matches!(self.state, State::Further { .. })
    }

    fn collect(&mut self, now: Instant, digit: Digit) -> Option<Outcome> {
        let mut collection = match std::mem::take(&mut self.state) {
            State::Idle => return None,
            State::First { collection, .. } | State::Further { collection, .. } => collection,
        };
        if collection.rules.terminators.contains(digit) {
            return Some(collection.ended(CollectEnd::Terminator));
        }
        collection.digits.push(digit);
        let wait = collection.rules.inter_digit_timeout;
        if collection.is_full() {
            self.trailing = Some(Trailing {
                terminators: collection.rules.terminators,
                sensitive: collection.rules.sensitive,
                until: now + wait.min(TRAILING_TERMINATOR),
            });
            return Some(collection.ended(CollectEnd::MaxDigits));
        }
        self.state = State::Further { collection, deadline: now + wait };
        None
    }

    /// What was typed ahead directly after a full collection may be its terminator too.
    fn drop_trailing_typed_ahead(&mut self, now: Instant) {
        let Some(first) = self.typed_ahead.iter().next() else { return };
        if let Some(trailing) = self.trailing.take()
            && trailing.terminators.contains(first)
            && now < trailing.until
        {
            self.typed_ahead.pop_first();
        }
    }

    fn end(&mut self, end: CollectEnd) -> Option<Outcome> {
        match std::mem::take(&mut self.state) {
            State::Idle => None,
            State::First { collection, .. } | State::Further { collection, .. } => {
                Some(collection.ended(end))
            }
        }
    }
}

impl Collection {
    fn is_full(&self) -> bool {
        self.digits.len() >= usize::from(self.rules.max_digits.min(CollectRules::MAX_DIGITS))
    }

    fn ended(self, end: CollectEnd) -> Outcome {
        Outcome { collect: self.collect, digits: self.digits, end }
    }
}
