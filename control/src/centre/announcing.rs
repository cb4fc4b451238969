//! Announcements before the answer: callers hear them as early media (RFC 3960), for which nobody charges, and are answered by
//! a flow or refused afterwards.
//!
//! ```text
//! offered ─► Progressing ─► Playing ─────► the flow answers, or the caller is refused
//!                 │            ▲
//!                 │            └─ Answering      a flow's caller, who hears nothing so early, hears it first thing;
//!                 └────► not heard so early ─►   one to be refused is refused at once
//! ```

use tandem_control_api::{
    BargeIn, CallFact, CallId, Command, CommandError, CommandId, LegId, Outcome, Prompt, RejectReason, Repeat,
};
use tandem_time::Instant;

use super::{ContactCentre, FlowCall};
use crate::outbox::Concern;

/// A call whose caller hears an announcement first.
#[derive(Debug)]
pub(super) struct Announcing {
    caller: LegId,
    prompts: Vec<String>,
    /// What comes of it then.
    then: Then,
    step: Step,
    /// What is waited for.
    command: CommandId,
}

/// What comes after an announcement.
#[derive(Debug)]
pub(super) enum Then {
    /// A flow answers.
    Flow(FlowCall),
    /// The caller is refused.
    Refuse(RejectReason),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Progressing,
    Answering,
    Playing { is_answered: bool },
}

impl ContactCentre {
    /// Lets a caller hear these prompts before anything else.
    pub(super) fn announce_early(&mut self, call: CallId, caller: LegId, prompts: Vec<String>, then: Then) {
        let command = self.outbox.ask(Concern::Announcing(call), Command::Progress { leg: caller });
        let announcing = Announcing { caller, prompts, then, step: Step::Progressing, command };
        self.announcing.insert(call, announcing);
    }

    pub(super) fn announcing_done(
        &mut self,
        now: Instant,
        call: CallId,
        command: CommandId,
        outcome: &Result<Outcome, CommandError>,
    ) {
        let Some(entry) = self.announcing.get_mut(&call).filter(|entry| entry.command == command) else {
            return;
        };
        let leg = entry.caller;
        match (entry.step, outcome) {
            // What there was to say is in the record already.
            (_, Err(CommandError::LegEnded)) => drop(self.announcing.remove(&call)),
            (Step::Progressing, Ok(_)) => self.play_announcement(call, false),
            (Step::Answering, Ok(_)) => self.play_announcement(call, true),
            (Step::Progressing, Err(_)) if matches!(entry.then, Then::Flow(_)) => {
                entry.step = Step::Answering;
                entry.command = self.outbox.ask(Concern::Announcing(call), Command::Answer { leg });
            }
            (Step::Progressing, Err(_)) => self.announced(now, call, false),
            (Step::Answering, Err(_)) => {
                self.announcing.remove(&call);
                self.outbox.send(Command::Reject { leg, reason: RejectReason::Unavailable });
            }
            (Step::Playing { is_answered }, _) => self.announced(now, call, is_answered),
        }
    }

    fn play_announcement(&mut self, call: CallId, is_answered: bool) {
        let Some(entry) = self.announcing.get_mut(&call) else { return };
        let prompts = entry.prompts.iter().cloned().map(Prompt::Named).collect();
        let (leg, repeat, barge_in) = (entry.caller, Repeat::Times(1), BargeIn::Never);
        let play = Command::Play { leg, prompts, repeat, barge_in };
        entry.step = Step::Playing { is_answered };
        entry.command = self.outbox.ask(Concern::Announcing(call), play);
        let fact = CallFact::Announced { prompts: entry.prompts.clone(), is_answered };
        self.outbox.note(call, fact);
    }

    /// The announcement is over, or cannot be heard.
    fn announced(&mut self, now: Instant, call: CallId, is_answered: bool) {
        let Some(Announcing { caller, then, command, .. }) = self.announcing.remove(&call) else { return };
        match then {
            Then::Flow(flow) if is_answered => self.begin_flow(now, (call, caller), flow, command),
            Then::Flow(flow) => self.answer_by_flow(call, caller, flow),
            Then::Refuse(reason) => drop(self.outbox.send(Command::Reject { leg: caller, reason })),
        }
    }
}
