//! A control plane that notes what the one within is told and asks.

use std::collections::BTreeMap;

use tandem_control::ContactCentre;
use tandem_control_api::{CallFact, CallId, Command, ControlPlane, Event, Request};
use tandem_time::Instant;

/// The contact centre, watched.
#[derive(Debug)]
pub(super) struct Witness {
    centre: ContactCentre,
    now: Instant,
    notes: Vec<(Instant, String)>,
    /// Digits by call. Those of sensitive collections are not told to a control plane one by one.
    digits: BTreeMap<CallId, String>,
}

impl Witness {
    pub(super) const fn new(centre: ContactCentre) -> Self {
        Self { centre, now: Instant::START, notes: Vec::new(), digits: BTreeMap::new() }
    }

    /// What was noted since last time, for the ladder.
    pub(super) fn take_notes(&mut self) -> Vec<(Instant, String)> {
        std::mem::take(&mut self.notes)
    }

    /// The digits a call's parties pressed.
    pub(super) fn digits(&self, call: CallId) -> &str {
        self.digits.get(&call).map_or("", String::as_str)
    }
}

impl ControlPlane for Witness {
    fn handle_event(&mut self, now: Instant, event: &Event) {
        self.now = now;
        match event {
            Event::CallOffered { call, from, dialled, .. } => {
                self.notes.push((now, format!("{call}: {} calls {dialled}", from.number)));
            }
            Event::Digit { call, digit, .. } => {
                self.notes.push((now, format!("{call}: digit {digit}")));
                self.digits.entry(*call).or_default().push(*digit);
            }
            Event::CallEnded { call, record } => {
                self.notes.push((now, format!("{call}: ended by {:?}, {}", record.end.by, record.end.cause)));
            }
            Event::Registration { user, reachable } => {
                let now_is = if *reachable { "registered" } else { "gone" };
                self.notes.push((now, format!("{user} is {now_is}")));
            }
            Event::Done { .. }
            | Event::LegCreated { .. }
            | Event::LegRinging { .. }
            | Event::LegEarlyMedia { .. }
            | Event::TransferAsked { .. }
            | Event::LegMoved { .. }
            | Event::LegReplaced { .. }
            | Event::ProgressFound { .. }
            | Event::LegUnheard { .. }
            | Event::RecordingFailed { .. }
            | Event::BeepAwaited { .. }
            | Event::LegHeld { .. }
            | Event::LegResumed { .. }
            | Event::LegEnded { .. } => {}
        }
        self.centre.handle_event(now, event);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.centre.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.centre.poll_timeout()
    }

    fn poll_request(&mut self) -> Option<Request> {
        let request = self.centre.poll_request()?;
        if let Command::SetData { call, fact } = &request.command
            && let Some(words) = words(fact)
        {
            self.notes.push((self.now, format!("{call}: {words}")));
        }
        Some(request)
    }
}

fn words(fact: &CallFact) -> Option<String> {
    match fact {
        CallFact::Announced { prompts, .. } => Some(format!("announced: {}", prompts.join(", "))),
        CallFact::FlowStarted { flow } => Some(format!("flow {flow}")),
        CallFact::FlowStep { activity, exit } => Some(format!("{activity} -> {exit}")),
        CallFact::QueueEntered { queue } => Some(format!("waits in {queue}")),
        CallFact::QueueLeft { queue, reason } => Some(format!("leaves {queue}: {reason}")),
        CallFact::AgentOffered { agent } => Some(format!("offered to {agent}")),
        CallFact::AgentMissed { agent, reason } => Some(format!("missed by {agent}: {reason}")),
        CallFact::NotSpoken { language } => Some(format!("nothing said in {language}")),
        CallFact::AgentAnswered { agent } => Some(format!("answered by {agent}")),
        CallFact::Transferred { by, to, outcome } => Some(format!("{by} transfers to {to}: {outcome}")),
        CallFact::Referred { leg, outcome } => Some(format!("{leg} is its carrier's: {outcome}")),
        CallFact::LegJoined { leg, from } => Some(format!("{leg} joins from {from}")),
        CallFact::ConferenceJoined { leg, role, .. } => Some(format!("{leg} confers as {role}")),
        CallFact::ConferenceLeft { leg, .. } => Some(format!("{leg} confers no more")),
        CallFact::ProgressFound { leg, report } => Some(format!("{leg}: {report}")),
        CallFact::RecordingStarted { leg, .. } => Some(format!("{leg} is recorded")),
        CallFact::RecordingPaused { leg } => Some(format!("the recording of {leg} pauses")),
        CallFact::RecordingResumed { leg } => Some(format!("the recording of {leg} goes on")),
        CallFact::RecordingEnded { leg } => Some(format!("{leg} is recorded no more")),
        CallFact::RecordingFailed { leg, reason } => Some(format!("{leg} cannot be recorded: {reason}")),
        CallFact::LegUnheard { leg } => Some(format!("nothing comes from {leg}")),
        CallFact::BeepAwaited { leg, heard } => {
            Some(format!("{leg}: {}", if *heard { "beep" } else { "no beep" }))
        }
        CallFact::LegReplaced { leg, party, .. } => Some(format!("{leg} is {party} no more")),
        CallFact::LegLeft { leg, to } => Some(format!("{leg} goes to {to}")),
        CallFact::Variable { .. } => None,
    }
}
