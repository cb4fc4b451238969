//! What waits to leave a phone, and what it answered before.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use crate::manner::{Habit, Manner};
use crate::message::Identity;
use crate::report::{Event, Output};

/// Answers remembered, so that a repeated request gets the same one (RFC 3261 §17.2).
const MAX_ANSWERS: usize = 32_768;

/// Messages that may wait because their sender is slow.
const MAX_DELAYED: usize = 10_000;

/// A transaction: branch and method.
type TransactionKey = (String, String);

/// Outputs in order, slow ones by time, and the last answer to each request.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    ready: VecDeque<Output>,
    delayed: BTreeMap<(Duration, u64), (SocketAddr, Vec<u8>)>,
    sequence: u64,
    answers: BTreeMap<TransactionKey, (SocketAddr, Vec<u8>)>,
    answer_order: VecDeque<TransactionKey>,
}

impl Outbox {
    pub(crate) fn push(&mut self, output: Output) {
        self.ready.push_back(output);
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.push(Output::Event(event));
    }

    /// Sends a message as somebody of this manner does: at once, late, or twice.
    pub(crate) fn sip(&mut self, now: Duration, manner: &Manner, destination: SocketAddr, bytes: Vec<u8>) {
        let copies = if manner.has(Habit::RepeatsEverything) { 2 } else { 1 };
        let slowness = manner.slowness();
        for _ in 0..copies {
            if slowness.is_zero() {
                self.push(Output::Sip { destination, bytes: bytes.clone() });
            } else if self.delayed.len() < MAX_DELAYED {
                self.sequence += 1;
                self.delayed.insert((now + slowness, self.sequence), (destination, bytes.clone()));
            }
        }
    }

    /// Sends an answer and remembers it.
    pub(crate) fn answer(
        &mut self,
        now: Duration,
        manner: &Manner,
        request: &Identity,
        destination: SocketAddr,
        bytes: Vec<u8>,
    ) {
        let key = (request.branch.clone(), request.method.to_string());
        if self.answers.insert(key.clone(), (destination, bytes.clone())).is_none() {
            self.answer_order.push_back(key);
        }
        if self.answer_order.len() > MAX_ANSWERS
            && let Some(oldest) = self.answer_order.pop_front()
        {
            self.answers.remove(&oldest);
        }
        self.sip(now, manner, destination, bytes);
    }

    /// Repeats the answer to a request that came again; false when it was not answered yet.
    pub(crate) fn answer_again(&mut self, request: &Identity) -> bool {
        let key = (request.branch.clone(), request.method.to_string());
        let Some((destination, bytes)) = self.answers.get(&key).cloned() else { return false };
        self.push(Output::Sip { destination, bytes });
        true
    }

    pub(crate) fn handle_timeout(&mut self, now: Duration) {
        while let Some(entry) = self.delayed.first_entry() {
            if entry.key().0 > now {
                return;
            }
            let (destination, bytes) = entry.remove();
            self.push(Output::Sip { destination, bytes });
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        self.delayed.first_key_value().map(|((at, _), _)| *at)
    }

    pub(crate) fn poll(&mut self) -> Option<Output> {
        self.ready.pop_front()
    }
}
