//! One line at a call's start, at each answer and at its end: a control plane that logs what passes and changes nothing.

use std::collections::BTreeMap;

use tandem_control_api::{
    CallFact, CallId, CallRecord, Command, ControlPlane, Event, LegId, Origin, Outcome, Request,
};
use tandem_time::Instant;

/// Logs the calls of the plane within.
#[derive(Debug)]
pub(crate) struct CallLog<P> {
    plane: P,
    /// The legs that have not been answered yet: as many as the switch has at most.
    unanswered: BTreeMap<LegId, Unanswered>,
}

#[derive(Clone, Copy, Debug)]
enum Unanswered {
    Caller(CallId),
    Called(CallId),
}

impl<P> CallLog<P> {
    pub(crate) const fn new(plane: P) -> Self {
        Self { plane, unanswered: BTreeMap::new() }
    }

    pub(crate) const fn plane(&self) -> &P {
        &self.plane
    }

    pub(crate) const fn plane_mut(&mut self) -> &mut P {
        &mut self.plane
    }

    fn log(&mut self, event: &Event) {
        match event {
            Event::CallOffered { call, leg, origin, from, dialled, .. } => {
                self.unanswered.insert(*leg, Unanswered::Caller(*call));
                let (kind, origin) = match origin {
                    Origin::Trunk(name) => ("trunk", name),
                    Origin::User(name) => ("user", name),
                };
                let from = &from.number;
                tracing::info!(%call, %kind, %origin, %from, %dialled, "call offered");
            }
            Event::LegCreated { call, leg, .. } => {
                self.unanswered.insert(*leg, Unanswered::Called(*call));
            }
            Event::Done { outcome: Ok(Outcome::Answered { leg }), .. } => match self.unanswered.remove(leg) {
                Some(Unanswered::Caller(call)) => tracing::info!(%call, "call answered"),
                Some(Unanswered::Called(call)) => tracing::info!(%call, %leg, "called party answered"),
                None => {}
            },
            Event::LegEnded { leg, .. } => drop(self.unanswered.remove(leg)),
            Event::CallEnded { call, record } => log_end(*call, record),
            Event::Registration { user, reachable: true } => tracing::info!(%user, "phone registered"),
            Event::Registration { user, reachable: false } => tracing::info!(%user, "phone gone"),
            Event::Done { .. }
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
            | Event::Digit { .. } => {}
        }
    }
}

fn log_fact(call: CallId, fact: &CallFact) {
    match fact {
        CallFact::AgentAnswered { agent } => tracing::info!(%call, %agent, "agent answered"),
        CallFact::AgentMissed { agent, reason } => tracing::info!(%call, %agent, %reason, "agent missed"),
        CallFact::Transferred { by, to, outcome } => {
            tracing::info!(%call, %by, %to, %outcome, "transfer");
        }
        CallFact::Referred { leg, outcome } => {
            tracing::info!(%call, %leg, %outcome, "carrier asked to transfer")
        }
        CallFact::LegJoined { leg, from } => tracing::debug!(%call, %leg, %from, "leg joined"),
        CallFact::ProgressFound { leg, report } => tracing::info!(%call, %leg, %report, "call progress"),
        CallFact::LegUnheard { leg } => {
            tracing::warn!(%call, %leg, "one-way audio: nothing comes from the party")
        }
        CallFact::RecordingStarted { leg, file } => tracing::info!(%call, %leg, %file, "recording started"),
        CallFact::RecordingPaused { leg } => tracing::debug!(%call, %leg, "recording paused"),
        CallFact::RecordingResumed { leg } => tracing::debug!(%call, %leg, "recording resumed"),
        CallFact::RecordingEnded { leg } => tracing::debug!(%call, %leg, "recording ended"),
        CallFact::RecordingFailed { leg, reason } => {
            tracing::error!(%call, %leg, %reason, "recording failed; the call goes on")
        }
        CallFact::BeepAwaited { leg, heard } => tracing::debug!(%call, %leg, heard, "beep"),
        CallFact::LegReplaced { leg, party, .. } => tracing::debug!(%call, %leg, %party, "leg replaced"),
        CallFact::ConferenceJoined { leg, role, .. } => {
            tracing::debug!(%call, %leg, %role, "conference joined");
        }
        CallFact::ConferenceLeft { leg, .. } => tracing::debug!(%call, %leg, "conference left"),
        CallFact::LegLeft { leg, to } => tracing::debug!(%call, %leg, %to, "leg left"),
        CallFact::NotSpoken { language } => tracing::warn!(%call, %language, "speech could not be rendered"),
        CallFact::Announced { is_answered, .. } => tracing::debug!(%call, is_answered, "announced"),
        CallFact::FlowStarted { flow } => tracing::debug!(%call, %flow, "flow started"),
        CallFact::FlowStep { activity, exit } => tracing::debug!(%call, %activity, %exit, "flow step"),
        CallFact::QueueEntered { queue } => tracing::debug!(%call, %queue, "queue entered"),
        CallFact::QueueLeft { queue, reason } => tracing::debug!(%call, %queue, %reason, "queue left"),
        CallFact::AgentOffered { agent } => tracing::debug!(%call, %agent, "agent offered"),
        // Its value is the caller's business.
        CallFact::Variable { name, .. } => tracing::debug!(%call, %name, "variable set"),
    }
}

fn log_end(call: CallId, record: &CallRecord) {
    let duration_ms = (record.ended - record.offered).as_millis();
    let (by, status, cause) = (record.end.by, record.end.status, &record.end.cause);
    let legs = record.legs.len();
    let session_id = record.legs.first().and_then(|leg| leg.session_id.as_deref());
    tracing::info!(%call, duration_ms, ?by, status, %cause, legs, session_id, "call ended");
}

impl<P: ControlPlane> ControlPlane for CallLog<P> {
    fn handle_event(&mut self, now: Instant, event: &Event) {
        self.log(event);
        self.plane.handle_event(now, event);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.plane.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.plane.poll_timeout()
    }

    fn poll_request(&mut self) -> Option<Request> {
        let request = self.plane.poll_request()?;
        if let Command::SetData { call, fact } = &request.command {
            log_fact(*call, fact);
        }
        Some(request)
    }
}
