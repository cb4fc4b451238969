//! A call in one line: what its timeline and legs come to.

use std::time::Duration;

use tandem_control_api::{CallFact, CallRecord, Direction};
use tandem_time::Instant;

/// What the columns of `calls` say beyond the record's own fields.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// The first flow.
    pub(crate) flow: Option<String>,
    /// The last queue.
    pub(crate) queue: Option<String>,
    /// In queues, all together.
    pub(crate) wait: Duration,
    /// The last agent who answered.
    pub(crate) agent: Option<String>,
    /// With agents, all together.
    pub(crate) talk: Duration,
}

impl Summary {
    pub(crate) fn of(record: &CallRecord) -> Self {
        let mut summary = Self::default();
        let mut waiting_since: Option<Instant> = None;
        for entry in &record.timeline {
            match &entry.fact {
                CallFact::FlowStarted { flow } => {
                    summary.flow.get_or_insert_with(|| flow.clone());
                }
                CallFact::QueueEntered { queue } => {
                    summary.queue = Some(queue.clone());
                    waiting_since = Some(entry.at);
                }
                CallFact::QueueLeft { .. } => {
                    summary.wait += waiting_since.take().map_or(Duration::ZERO, |since| entry.at - since);
                }
                CallFact::AgentAnswered { agent } => {
                    summary.agent = Some(agent.clone());
                    summary.talk += talk_from(record, entry.at);
                }
                CallFact::Announced { .. }
                | CallFact::FlowStep { .. }
                | CallFact::Variable { .. }
                | CallFact::AgentOffered { .. }
                | CallFact::NotSpoken { .. }
                | CallFact::AgentMissed { .. }
                | CallFact::Transferred { .. }
                | CallFact::Referred { .. }
                | CallFact::LegJoined { .. }
                | CallFact::LegReplaced { .. }
                | CallFact::ProgressFound { .. }
                | CallFact::LegUnheard { .. }
                | CallFact::RecordingStarted { .. }
                | CallFact::RecordingPaused { .. }
                | CallFact::RecordingResumed { .. }
                | CallFact::RecordingEnded { .. }
                | CallFact::RecordingFailed { .. }
                | CallFact::BeepAwaited { .. }
                | CallFact::LegLeft { .. }
                | CallFact::ConferenceJoined { .. }
                | CallFact::ConferenceLeft { .. } => {}
            }
        }
        // A caller who was still waiting when the call ended waited until then.
        summary.wait += waiting_since.map_or(Duration::ZERO, |since| record.ended - since);
        summary
    }
}

/// How long the agent who answered at `at` was on the line: the agent's leg is the last that had been answered by then.
fn talk_from(record: &CallRecord, at: Instant) -> Duration {
    let agents_leg = record
        .legs
        .iter()
        .filter(|leg| {
            leg.direction == Direction::Outbound && leg.answered.is_some_and(|answered| answered <= at)
        })
        .max_by_key(|leg| leg.answered);
    agents_leg.map_or(Duration::ZERO, |leg| leg.ended.min(record.ended) - at)
}
