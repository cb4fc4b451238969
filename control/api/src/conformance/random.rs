//! A world made from a seed: failures of every kind, hang-ups at every point.

use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tandem_time::Instant;

use super::model::{Caller, ModelSwitch};
use super::rules::Violation;
use super::world::{Phone, Wish, World};
use crate::{CollectEnd, CollectRules, Command, CommandError, ControlPlane, DialFailure, DialTarget, Prompt};

/// Callers, phones and media that do whatever the seed says.
#[derive(Debug)]
pub struct RandomWorld {
    rng: ChaCha8Rng,
    /// Commands in a thousand that fail although they make sense.
    failures_per_thousand: u32,
}

impl RandomWorld {
    /// A world in which so many commands in a thousand fail.
    #[must_use]
    pub const fn new(rng: ChaCha8Rng, failures_per_thousand: u32) -> Self {
        Self { rng, failures_per_thousand }
    }

    fn up_to(&mut self, longest: Duration) -> Duration {
        let longest = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.rng.random_range(0..=longest))
    }

    fn dial_failure(&mut self) -> DialFailure {
        const ALL: [DialFailure; 5] = [
            DialFailure::Busy,
            DialFailure::Declined,
            DialFailure::NoAnswer,
            DialFailure::Unreachable,
            DialFailure::Media,
        ];
        ALL[self.rng.random_range(0..ALL.len())]
    }
}

impl World for RandomWorld {
    fn answer_delay(&mut self) -> Duration {
        self.up_to(Duration::from_millis(500))
    }

    fn play_length(&mut self, _prompts: &[Prompt]) -> Duration {
        self.up_to(Duration::from_secs(5))
    }

    fn digits(&mut self, rules: &CollectRules) -> (Duration, String, CollectEnd) {
        let typed: String = (0..self.rng.random_range(0..=rules.max_digits))
            .map(|_| char::from(b"0123456789*#"[self.rng.random_range(0..12)]))
            .collect();
        let end = match typed.len() {
            0 if self.rng.random_bool(0.5) => CollectEnd::FirstDigitTimeout,
            length if length == usize::from(rules.max_digits) => CollectEnd::MaxDigits,
            _ if self.rng.random_bool(0.5) => CollectEnd::Terminator,
            _ => CollectEnd::InterDigitTimeout,
        };
        (self.up_to(rules.first_digit_timeout), typed, end)
    }

    fn phone(&mut self, _target: &DialTarget) -> Phone {
        let after = self.up_to(Duration::from_secs(20));
        match self.rng.random_range(0..10) {
            0..=5 => {
                // Most callers hang up first; but one that transferred its party is not there to do so.
                let longest = if self.rng.random_bool(0.7) { 60 } else { 200 };
                let talks = Some(self.up_to(Duration::from_secs(longest)));
                Phone::Answers { after, talks }
            }
            6 => Phone::Fails { after: Duration::ZERO, failure: DialFailure::Unreachable },
            7..=8 => Phone::Fails { after, failure: self.dial_failure() },
            _ => Phone::Rings,
        }
    }

    fn wish(&mut self) -> Option<(Duration, Wish)> {
        const TARGETS: [&str; 5] = ["1001", "1002", "+15550100", "+15550199", "nobody"];
        let after = self.up_to(Duration::from_secs(30));
        let wish = match self.rng.random_range(0..10) {
            0..3 => Wish::Transfer { to: TARGETS[self.rng.random_range(0..TARGETS.len())].to_owned() },
            3 => Wish::Hold,
            4 => Wish::Resume,
            5..8 => Wish::Keys(["*3", "5", "6"][self.rng.random_range(0..3)].to_owned()),
            _ => return None,
        };
        Some((after, wish))
    }

    fn failure(&mut self, command: &Command) -> Option<CommandError> {
        let fails = self.rng.random_ratio(self.failures_per_thousand, 1_000);
        // Whoever asks for a leg's end gets it; and of a leg that has ended the plane is told.
        if !fails || matches!(command, Command::Hangup { .. } | Command::Reject { .. }) {
            return None;
        }
        Some(match self.rng.random_range(0..6) {
            0 => CommandError::UnknownLeg,
            1 => CommandError::WrongState { command: command.name().to_owned(), state: "odd".to_owned() },
            2 => CommandError::UnknownPrompt("lost".to_owned()),
            3 => CommandError::Limit("model".to_owned()),
            4 => CommandError::Invalid("model".to_owned()),
            _ if matches!(command, Command::Dial { .. }) => CommandError::NotAnswered(self.dial_failure()),
            _ => CommandError::DifferentCalls,
        })
    }
}

/// Runs a plane through random calls to some of its numbers, and for as long again without calls: every call must
/// have ended, and no rule been broken.
///
/// # Errors
/// The rules that were broken, or the number of calls that never ended.
pub fn run_random_calls<P: ControlPlane>(
    plane: P,
    numbers: &[&str],
    users: &[&str],
    mut rng: ChaCha8Rng,
) -> Result<P, String> {
    const CALLS: u32 = 40;
    const BUSY: Duration = Duration::from_secs(300);
    let mut plan = rng.clone();
    let failures = rng.random_range(0..100);
    let mut switch = ModelSwitch::new(plane, RandomWorld::new(rng, failures));
    let mut at = |until: Duration| {
        let until = u64::try_from(until.as_millis()).unwrap_or(u64::MAX);
        Instant::from_millis(plan.random_range(0..until))
    };
    for user in users {
        for index in 0..6 {
            switch.register_at(at(BUSY), user, index % 2 == 0);
        }
    }
    for index in 0..CALLS {
        let patience = (at(Duration::from_secs(120))).since_start();
        let dialled = numbers.get(usize::try_from(index).unwrap_or(0) % numbers.len().max(1));
        let dialled = dialled.copied().unwrap_or_default().to_owned();
        let caller = Caller { number: format!("+1555{index:04}"), dialled, patience: Some(patience) };
        switch.call_at(at(BUSY), caller);
    }
    for index in 0..CALLS {
        let patience = (at(Duration::from_secs(120))).since_start();
        let nth = |names: &[&str], index: u32| {
            names
                .get(usize::try_from(index).unwrap_or(0) % names.len().max(1))
                .copied()
                .unwrap_or_default()
                .to_owned()
        };
        let dialled = match index % 3 {
            0 => format!("*5{}{}", 1 + index % 4, nth(users, index / 3)),
            _ => nth(users, index / 2),
        };
        let caller = Caller { number: nth(users, index), dialled, patience: Some(patience) };
        switch.phone_calls_at(at(BUSY), caller);
    }
    switch.run_until(Instant::START + BUSY + BUSY);
    match (switch.violations(), switch.calls()) {
        ([], 0) => Ok(switch.into_plane()),
        ([], calls) => Err(format!("{calls} calls never ended")),
        (violations, _) => Err(violations.iter().map(Violation::to_string).collect::<Vec<_>>().join("; ")),
    }
}
