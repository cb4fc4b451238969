//! What the switch counts, for metrics.

use std::collections::BTreeMap;

use tandem_control_api::{CommandError, Outcome};

use crate::calls::EndCause;

/// Totals since the switch began; none ever falls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Calls that the control plane was told of.
    pub calls_offered: u64,
    /// Calls whose caller was answered.
    pub calls_answered: u64,
    /// Calls whose record was made.
    pub calls_ended: u64,
    /// Calls refused before the control plane was told, by reason.
    pub calls_refused: BTreeMap<Refusal, u64>,
    /// Legs ended, by cause.
    pub legs_ended: BTreeMap<EndCause, u64>,
    /// Commands by name and by how they ended: `ok`, or the name of the error.
    pub commands: BTreeMap<(&'static str, &'static str), u64>,
    /// Transfers that carriers were asked for (REFER), by their last word.
    pub refers: BTreeMap<&'static str, u64>,
    /// Media events for an endpoint, play or collection that is gone: they had crossed a command.
    pub media_events_stale: u64,
    /// Digits for a peer that takes them in SIP, when too many waited for their turn.
    pub digits_not_sent: u64,
    /// Parties that were asked for another codec, so that they need not be transcoded.
    pub codecs_asked: u64,
    /// Utterances that the provider of speech was asked for.
    pub speech_asked: u64,
    /// Utterances that it failed to render.
    pub speech_failed: u64,
    /// Plays that gave up waiting for words.
    pub speech_late: u64,
    /// What was found to answer, by verdict.
    pub verdicts: BTreeMap<&'static str, u64>,
    /// How often nothing had come for some seconds from a party that was sent to.
    pub legs_unheard: u64,
    /// Recordings begun.
    pub recordings: u64,
    /// Recordings that could not be written, or not to their end.
    pub recordings_failed: u64,
    /// Endpoints that could not be opened.
    pub endpoints_failed: u64,
}

impl Counters {
    pub(crate) fn refused(&mut self, refusal: Refusal) {
        *self.calls_refused.entry(refusal).or_default() += 1;
    }

    pub(crate) fn leg_ended(&mut self, cause: EndCause) {
        *self.legs_ended.entry(cause).or_default() += 1;
    }

    pub(crate) fn command_done(&mut self, command: &'static str, outcome: &Result<Outcome, CommandError>) {
        let how = outcome.as_ref().map_or_else(error_name, |_| "ok");
        *self.commands.entry((command, how)).or_default() += 1;
    }
}

/// Why a call was refused before the control plane was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// `max_calls` was reached (503).
    Limit,
    /// The switch drains (503).
    Draining,
    /// No codec of ours in the offer (488).
    NotAcceptable,
}

impl Refusal {
    /// As metrics show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Draining => "draining",
            Self::NotAcceptable => "not-acceptable",
        }
    }

    /// The final response (RFC 3261 §21.4.26 and §21.5.4).
    pub(crate) const fn status(self) -> u16 {
        match self {
            Self::Limit | Self::Draining => 503,
            Self::NotAcceptable => 488,
        }
    }
}

/// An error as metrics show it.
pub(crate) const fn error_name(error: &CommandError) -> &'static str {
    match error {
        CommandError::UnknownCall => "unknown-call",
        CommandError::UnknownLeg => "unknown-leg",
        CommandError::WrongState { .. } => "wrong-state",
        CommandError::DifferentCalls => "different-calls",
        CommandError::UnknownPrompt(_) => "unknown-prompt",
        CommandError::NotSpoken => "not-spoken",
        CommandError::LegEnded => "leg-ended",
        CommandError::NotAnswered(_) => "not-answered",
        CommandError::Limit(_) => "limit",
        CommandError::Invalid(_) => "invalid",
    }
}
