//! What a flow asks for is asked of the switch, and what comes of it is given back to the flow.

use tandem_control_api::{
    BargeIn, CallId, CollectRules, Command, CommandError, CommandId, HangupCause, LegId, Outcome, Prompt,
    Repeat,
};
use tandem_time::Instant;

use super::ContactCentre;
use crate::call::{Stage, Waiting};
use crate::flow::{Exit, Step};
use crate::outbox::Concern;

/// What a command's outcome means for the flow that waits.
enum Verdict {
    /// Goes on waiting.
    Wait,
    /// The prompt has ended: now the digits.
    Collect(CollectRules),
    /// Leaves the activity. Whatever else it had under way is stopped first.
    Leave { exit: Exit, stop: bool },
    /// The leg is going; the end of it will follow.
    LegGone,
}

impl ContactCentre {
    /// Does what a flow wants next.
    pub(super) fn follow(&mut self, now: Instant, call: CallId, step: Step) {
        let mut next = Some(step);
        while let Some(step) = next {
            self.report(call);
            next = self.begin_step(now, call, step);
        }
    }

    /// Begins a step. What fails at once leads to the next step.
    fn begin_step(&mut self, now: Instant, call: CallId, step: Step) -> Option<Step> {
        let leg = self.calls.get(&call)?.caller;
        let waiting = match step {
            Step::Play { prompts, repeat, interruptible } => {
                Waiting::Play { command: self.play(call, leg, prompts, repeat, interruptible) }
            }
            Step::Collect { prompts, rules, .. } if prompts.is_empty() => {
                Waiting::Digits { play: None, collect: self.collect(call, leg, rules) }
            }
            Step::Collect { prompts, interruptible: BargeIn::Never, rules } => {
                let command = self.play(call, leg, prompts, Repeat::Times(1), BargeIn::Never);
                Waiting::Prompt { command, rules }
            }
            Step::Collect { prompts, interruptible, rules } => {
                let play = self.play(call, leg, prompts, Repeat::Times(1), interruptible);
                Waiting::Digits { play: Some(play), collect: self.collect(call, leg, rules) }
            }
            Step::Echo => {
                let command = self.outbox.ask(Concern::Call(call), Command::Bridge { a: leg, b: leg });
                Waiting::Echo { command }
            }
            Step::Record { action } => {
                let command = self.outbox.ask(Concern::Call(call), Command::Record { leg, action });
                Waiting::Recording { command }
            }
            Step::Queue { queue } => return self.enter_queue(now, call, &queue),
            Step::Disconnect => {
                self.calls.get_mut(&call)?.run.finish("disconnect");
                self.end_call(call, HangupCause::Normal);
                return None;
            }
            Step::Fault(fault) => {
                self.calls.get_mut(&call)?.run.finish(fault.as_str());
                self.end_call(call, HangupCause::Error);
                return None;
            }
        };
        self.calls.get_mut(&call)?.stage = Stage::InFlow(waiting);
        None
    }

    fn play(
        &mut self,
        call: CallId,
        leg: LegId,
        prompts: Vec<Prompt>,
        repeat: Repeat,
        barge_in: BargeIn,
    ) -> CommandId {
        self.outbox.ask(Concern::Call(call), Command::Play { leg, prompts, repeat, barge_in })
    }

    fn collect(&mut self, call: CallId, leg: LegId, rules: CollectRules) -> CommandId {
        self.outbox.ask(Concern::Call(call), Command::Collect { leg, rules })
    }

    /// Something a flow may wait for has come to its end.
    pub(super) fn flow_done(
        &mut self,
        now: Instant,
        call: CallId,
        command: CommandId,
        outcome: &Result<Outcome, CommandError>,
    ) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        let Stage::InFlow(waiting) = &entry.stage else { return };
        let verdict = if matches!(outcome, Err(CommandError::LegEnded)) {
            Verdict::LegGone
        } else {
            judge(waiting, command, outcome, |digits, end| entry.run.collected(digits, end))
        };
        match verdict {
            Verdict::Wait | Verdict::LegGone => {}
            Verdict::Collect(rules) => {
                let leg = entry.caller;
                let collect = self.collect(call, leg, rules);
                if let Some(entry) = self.calls.get_mut(&call) {
                    entry.stage = Stage::InFlow(Waiting::Digits { play: None, collect });
                }
            }
            Verdict::Leave { exit, stop } => {
                let leg = entry.caller;
                let step = entry.run.resume(now, exit);
                if stop {
                    self.outbox.send(Command::Stop { leg });
                }
                self.follow(now, call, step);
            }
        }
    }
}

/// Reads an outcome against what is waited for; outcomes of earlier commands mean nothing.
fn judge(
    waiting: &Waiting,
    command: CommandId,
    outcome: &Result<Outcome, CommandError>,
    collected: impl FnOnce(&str, tandem_control_api::CollectEnd) -> Exit,
) -> Verdict {
    match (waiting, outcome) {
        (Waiting::Play { command: expected } | Waiting::Recording { command: expected }, outcome)
            if *expected == command =>
        {
            let exit = if outcome.is_ok() { Exit::Done } else { Exit::Error };
            Verdict::Leave { exit, stop: false }
        }
        (Waiting::Prompt { command: expected, rules }, outcome) if *expected == command => match outcome {
            Ok(_) => Verdict::Collect(rules.clone()),
            Err(_) => Verdict::Leave { exit: Exit::Error, stop: false },
        },
        (Waiting::Digits { collect, .. }, Ok(Outcome::Collected { digits, end })) if *collect == command => {
            Verdict::Leave { exit: collected(digits, *end), stop: false }
        }
        (Waiting::Digits { play, collect }, Err(_)) if *collect == command || *play == Some(command) => {
            Verdict::Leave { exit: Exit::Error, stop: true }
        }
        (Waiting::Echo { command: expected }, Err(_)) if *expected == command => {
            Verdict::Leave { exit: Exit::Error, stop: false }
        }
        _ => Verdict::Wait,
    }
}
