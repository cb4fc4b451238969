//! What the model switch does not decide: how callers, phones and media behave.

use std::time::Duration;

use tandem_time::Instant;

use crate::{
    CollectEnd, CollectRules, Command, CommandError, DialFailure, DialTarget, Event, ProgressRules, Prompt,
    Request, Verdict,
};

/// How a dialled phone behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phone {
    /// It is answered.
    Answers {
        /// After ringing so long.
        after: Duration,
        /// And hung up after talking so long; never, when absent.
        talks: Option<Duration>,
    },
    /// The call fails.
    Fails {
        /// After so long.
        after: Duration,
        /// For this reason.
        failure: DialFailure,
    },
    /// It rings until somebody gives up.
    Rings,
}

/// What a party that talks does besides talking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Puts the other one on hold.
    Hold,
    /// Takes it back.
    Resume,
    /// Wants it transferred.
    Transfer {
        /// To whom.
        to: String,
    },
    /// Presses keys, one after the other.
    Keys(String),
}

/// Everybody the switch deals with. It also sees what passes between switch and plane, so that a test can keep
/// its own account.
pub trait World {
    /// How long an answered caller takes to acknowledge.
    fn answer_delay(&mut self) -> Duration {
        Duration::ZERO
    }

    /// How long the prompts last when played once.
    fn play_length(&mut self, prompts: &[Prompt]) -> Duration {
        Duration::from_secs(1).saturating_mul(u32::try_from(prompts.len()).unwrap_or(u32::MAX))
    }

    /// What comes of a collection, and after how long.
    fn digits(&mut self, rules: &CollectRules) -> (Duration, String, CollectEnd) {
        (rules.first_digit_timeout, String::new(), CollectEnd::FirstDigitTimeout)
    }

    /// What is found to have answered, and how long after the answer.
    fn progress(&mut self, rules: &ProgressRules) -> (Duration, Verdict) {
        (rules.max_time, Verdict::LiveVoice)
    }

    /// How the phone behaves that is dialled now.
    fn phone(&mut self, target: &DialTarget) -> Phone;

    /// What one of two parties that were just bridged, or one that joined a conference, does, and after how long.
    fn wish(&mut self) -> Option<(Duration, Wish)> {
        None
    }

    /// Why a command that makes sense fails nevertheless.
    fn failure(&mut self, _command: &Command) -> Option<CommandError> {
        None
    }

    /// The plane is told of this event.
    fn told(&mut self, _now: Instant, _event: &Event) {}

    /// The plane asks for this.
    fn asked(&mut self, _now: Instant, _request: &Request) {}
}
