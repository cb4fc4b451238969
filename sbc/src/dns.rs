//! Names of carriers and the addresses behind them (RFC 3263), found by questions to DNS that somebody else asks.
//!
//! Names are known ahead, from the configuration, so that no call waits for DNS: what they need is asked at once and
//! again whenever it is out of date. Until a new answer comes the old one stands, however old it is.
//!
//! Owner thread: the signalling core. This module must not know sockets, trunks or messages.

mod locate;
mod record;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tandem_time::Instant;

pub(crate) use locate::{IpVersion, Located, Server, locate};
pub use record::{Answer, Domain, LookupFailed, Question, Record, RecordKind};

/// The most questions whose answers are kept.
pub(crate) const QUESTIONS_MAX: usize = 4_096;

/// The most records kept of an answer; the rest are not looked at.
pub(crate) const RECORDS_MAX: usize = 32;

/// How long nothing is asked again after the first failure; each further one doubles it.
const RETRY_MIN: Duration = Duration::from_secs(2);

/// The longest it is doubled to.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// A question that has no answer by then has none: who asks gives up sooner.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// How long answers are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameLimits {
    /// However soon an answer says it is out of date.
    pub min_ttl: Duration,
    /// However long it says it is good for.
    pub max_ttl: Duration,
    /// The same of an answer that there is nothing (RFC 2308).
    pub max_negative_ttl: Duration,
}

impl Default for NameLimits {
    fn default() -> Self {
        Self {
            min_ttl: Duration::from_secs(10),
            max_ttl: Duration::from_secs(3_600),
            max_negative_ttl: Duration::from_secs(300),
        }
    }
}

/// ```text
///   Asking ──answer──► Fresh ──out of date──► Asking
///      └────failure───► Failed ──after a while──► Asking
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Asking { give_up: Instant },
    Fresh { until: Instant },
    Failed { again: Instant },
}

impl State {
    const fn deadline(self) -> Instant {
        match self {
            Self::Asking { give_up: at } | Self::Fresh { until: at } | Self::Failed { again: at } => at,
        }
    }
}

#[derive(Debug)]
struct Entry {
    state: State,
    /// The latest answer, however old; empty when it was that there is nothing.
    records: Option<Vec<Record>>,
    /// In a row.
    failures: u32,
}

/// What became of a question, when that is news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The answer is not the one that was known.
    Changed,
    /// The first failure after an answer, or at all.
    Lost,
    /// The first answer after a failure.
    Regained,
}

/// How often things happened; they only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lookups {
    pub(crate) asked: u64,
    pub(crate) failed: u64,
    /// Failures after which an older answer stood in.
    pub(crate) stale: u64,
}

/// What DNS has said.
#[derive(Debug, Default)]
pub(crate) struct Names {
    entries: BTreeMap<Question, Entry>,
    /// To be asked by the owner; each stands here once, since it is `Asking` meanwhile.
    questions: VecDeque<Question>,
    /// The first of all deadlines.
    due: Option<Instant>,
    lookups: Lookups,
}

impl Names {
    /// The latest answer to a question, if there ever was one.
    pub(crate) fn known(&self, question: &Question) -> Option<&[Record]> {
        self.entries.get(question)?.records.as_deref()
    }

    /// Whether a question was asked, and nobody ever answered.
    pub(crate) fn is_unanswered(&self, question: &Question) -> bool {
        let failed = |entry: &Entry| entry.records.is_none() && entry.failures > 0;
        self.entries.get(question).is_some_and(failed)
    }

    /// Keeps the answers to these questions up to date, and forgets all others.
    pub(crate) fn need(&mut self, now: Instant, needed: impl IntoIterator<Item = Question>) {
        let mut kept = BTreeMap::new();
        for question in needed {
            if let Some(entry) = self.entries.remove(&question) {
                kept.insert(question, entry);
            } else if kept.len() < QUESTIONS_MAX && !kept.contains_key(&question) {
                let state = State::Failed { again: now };
                kept.insert(question, Entry { state, records: None, failures: 0 });
            }
        }
        self.entries = kept;
        self.questions.retain(|question| self.entries.contains_key(question));
        self.ask_what_is_due(now);
    }

    /// Does what is due by `now`. The questions that nobody answered in time.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Vec<Question> {
        let unanswered = |entry: &Entry| matches!(entry.state, State::Asking { give_up } if give_up <= now);
        let lost = self.entries.iter().filter(|(_, entry)| unanswered(entry));
        let lost: Vec<Question> = lost.map(|(question, _)| question.clone()).collect();
        self.ask_what_is_due(now);
        lost
    }

    fn ask_what_is_due(&mut self, now: Instant) {
        for (question, entry) in &mut self.entries {
            let is_due = match entry.state {
                State::Asking { .. } => false,
                State::Fresh { until: at } | State::Failed { again: at } => at <= now,
            };
            if is_due {
                entry.state = State::Asking { give_up: now + ANSWER_MAX };
                self.questions.push_back(question.clone());
                self.lookups.asked += 1;
            }
        }
        self.note_due();
    }

    fn note_due(&mut self) {
        self.due = self.entries.values().map(|entry| entry.state.deadline()).min();
    }

    /// When the next answer is out of date, or a question is to be asked again.
    pub(crate) const fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// The next question to ask.
    pub(crate) fn poll_question(&mut self) -> Option<Question> {
        self.questions.pop_front()
    }

    /// Takes an answer, with the time for which it is good, or that there was none.
    pub(crate) fn handle_answer(
        &mut self,
        now: Instant,
        question: &Question,
        answer: Result<Answer, LookupFailed>,
        limits: &NameLimits,
    ) -> Option<Turn> {
        let turn = self.entries.get_mut(question)?.take(now, answer, limits, &mut self.lookups);
        self.note_due();
        turn
    }

    pub(crate) const fn lookups(&self) -> Lookups {
        self.lookups
    }
}

impl Entry {
    fn take(
        &mut self,
        now: Instant,
        answer: Result<Answer, LookupFailed>,
        limits: &NameLimits,
        lookups: &mut Lookups,
    ) -> Option<Turn> {
        let Ok(Answer { mut records, ttl }) = answer else {
            lookups.failed += 1;
            lookups.stale += u64::from(self.records.is_some());
            let again = now + RETRY_MIN.saturating_mul(1 << self.failures.min(8)).min(RETRY_MAX);
            self.state = State::Failed { again };
            self.failures = self.failures.saturating_add(1);
            return (self.failures == 1).then_some(Turn::Lost);
        };
        let longest = if records.is_empty() { limits.max_negative_ttl } else { limits.max_ttl };
        self.state = State::Fresh { until: now + ttl.min(longest).max(limits.min_ttl) };
        records.truncate(RECORDS_MAX);
        // Servers turn their answers round and round.
        records.sort();
        records.dedup();
        let is_changed = self.records.as_ref() != Some(&records);
        self.records = Some(records);
        match std::mem::take(&mut self.failures) {
            0 => is_changed.then_some(Turn::Changed),
            _ => Some(Turn::Regained),
        }
    }
}

#[cfg(test)]
mod tests;
