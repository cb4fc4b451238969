//! Keys of a party that may be a code for us: held back from whom it talks to until they are known to be none.
//!
//! ```text
//!             a code begins so             it is a code
//! (nothing) ──────────────────▶ held ──────────────────────▶ (nothing): the other one never hears of it
//!                                │ no code begins so, or PATIENCE is over
//!                                ▼
//!                            let go: pressed for the other one
//! ```
//!
//! Keys told as telephone-events or in signalling are held back whole. Of tones in the audio, where those are keys, the other
//! one may hear the first hundredths of a second, before they are known for what they are; then nothing until they end.
//! What was no code it hears as new presses.

use std::sync::Arc;
use std::time::Duration;

use tandem_time::Instant;

use super::{Endpoint, Inbound, Payload};
use crate::event_queue::EventQueue;
use crate::{Digit, DigitString, Event};

/// So long the next key of a code may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// The codes, and what may become one.
#[derive(Debug)]
pub(super) struct Codes {
    codes: Arc<[DigitString]>,
    held: DigitString,
    until: Instant,
    let_go: DigitString,
}

impl Codes {
    fn press(&mut self, now: Instant, digit: Digit) {
        self.until = now + PATIENCE;
        if !self.held.push(digit) {
            self.let_go = std::mem::take(&mut self.held);
            self.held.push(digit);
        }
        while !self.held.is_empty() {
            let begins = |code: &DigitString| self.held.iter().zip(code.iter()).all(|(key, of)| key == of);
            let codes = || self.codes.iter().filter(|code| code.len() >= self.held.len() && begins(code));
            if codes().any(|code| code.len() == self.held.len()) {
                self.held = DigitString::default();
            } else if codes().next().is_some() {
                return;
            } else if let Some(first) = self.held.pop_first() {
                self.let_go.push(first);
            }
        }
    }
}

impl Endpoint {
    /// From now on keys of these codes are held back; none of them when there are none.
    pub(crate) fn hold_back(&mut self, codes: Arc<[DigitString]>) {
        if self.codes.as_ref().is_some_and(|same| same.codes == codes) {
            return;
        }
        let (held, let_go) = (DigitString::default(), DigitString::default());
        let some = Codes { codes, held, until: Instant::START, let_go };
        self.codes = (!some.codes.is_empty()).then(|| Box::new(some));
    }

    /// Takes a key that the other one is to hear, if it may be of a code; false when it need not wait.
    pub(crate) fn holds_back(&mut self, now: Instant, digit: Digit) -> bool {
        let Some(codes) = &mut self.codes else { return false };
        codes.press(now, digit);
        true
    }

    /// Whether there are keys that may be for us.
    #[inline]
    pub(super) const fn has_codes(&self) -> bool {
        self.codes.is_some()
    }

    /// Whether a packet is a key that [`Endpoint::holds_back`] has in its care.
    #[inline]
    pub(crate) fn keeps(&self, inbound: &Inbound) -> bool {
        self.has_codes() && (inbound.is_key || matches!(inbound.payload, Payload::TelephoneEvent(_)))
    }

    /// The next key that was no code after all, for the other one to hear.
    pub(crate) fn let_go(&mut self, events: &mut EventQueue) -> Option<Digit> {
        let digit = self.codes.as_mut()?.let_go.pop_first()?;
        events.push(Event::KeyPassed { endpoint: self.id, digit });
        Some(digit)
    }

    /// When a key is to go on that is pressed for the party, or one of its own that is held back.
    pub(super) fn keys_deadline(&self) -> Option<Instant> {
        let held = self.codes.as_ref().filter(|codes| !codes.held.is_empty()).map(|codes| codes.until);
        self.keying.deadline().into_iter().chain(held).min()
    }

    pub(super) fn time_keys(&mut self, now: Instant) {
        self.keying.handle_timeout(now);
        self.lose_patience(now);
    }

    /// Nobody keys a code so slowly.
    fn lose_patience(&mut self, now: Instant) {
        if let Some(codes) = &mut self.codes
            && codes.until <= now
        {
            while let Some(digit) = codes.held.pop_first() {
                codes.let_go.push(digit);
            }
        }
    }

    /// What was keyed was for somebody else.
    pub(super) fn forget_codes(&mut self) {
        if let Some(codes) = &mut self.codes {
            (codes.held, codes.let_go) = Default::default();
        }
    }

    /// A packet of the other one's is not for this party, and is not missing either.
    pub(crate) fn skip_relayed(&mut self) {
        if self.conversation.is_none() && !self.keying.is_down() {
            self.outgoing.resynchronise();
        }
    }
}
