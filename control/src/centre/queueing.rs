//! Callers in queues: entering, hearing music, being offered, leaving.

use std::sync::Arc;

use tandem_control_api::{
    BargeIn, CallFact, CallId, Command, CommandError, CommandId, HangupCause, MediaPath, Outcome, Prompt,
    RecordAction, Repeat, Tone,
};
use tandem_time::Instant;

use super::ContactCentre;
use crate::agent::{AgentId, AgentState, Miss};
use crate::call::{Stage, Treatment, Visit};
use crate::flow::{Exit, Step};
use crate::outbox::{Concern, Timer};
use crate::routing::Claim;

impl ContactCentre {
    /// A caller begins to wait; one who cannot goes on in the flow.
    pub(super) fn enter_queue(&mut self, now: Instant, call: CallId, queue: &str) -> Option<Step> {
        let (place, config) = match self.routing.enter(now, queue, call) {
            Ok(entered) => entered,
            Err(_) => return Some(self.calls.get_mut(&call)?.run.resume(now, Exit::Failure)),
        };
        self.outbox.note(call, CallFact::QueueEntered { queue: queue.to_owned() });
        let visit = Visit {
            queue: Arc::from(queue),
            config,
            place,
            treatment: Treatment::Music,
            offer: None,
            offers: 0,
        };
        self.wait_with_music(now, call, visit);
        if let Some(claim) = self.routing.match_queue(queue) {
            self.offer(claim);
        }
        None
    }

    /// The caller hears music, from now on or again.
    fn wait_with_music(&mut self, now: Instant, call: CallId, mut visit: Visit) {
        visit.treatment = Treatment::Music;
        self.timers.set(Timer::MaxWait(call), visit.place.entered + visit.config.max_wait);
        if let Some(announcement) = &visit.config.announcement {
            self.timers.set(Timer::Announcement(call), now + announcement.every);
        }
        let music = visit.config.music.clone();
        if let Some(entry) = self.calls.get_mut(&call) {
            entry.stage = Stage::Queued(visit);
        }
        self.play_music(call, music);
    }

    fn play_music(&mut self, call: CallId, music: String) {
        let Some(entry) = self.calls.get(&call) else { return };
        self.outbox.send(Command::Play {
            leg: entry.caller,
            prompts: vec![Prompt::Music(music)],
            repeat: Repeat::Forever,
            barge_in: tandem_control_api::BargeIn::Never,
        });
    }

    /// It is time for the comfort announcement.
    pub(super) fn announce(&mut self, now: Instant, call: CallId) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        let Stage::Queued(visit) = &mut entry.stage else { return };
        let Some(announcement) = &visit.config.announcement else { return };
        let command = self.outbox.ask(
            Concern::Call(call),
            Command::Play {
                leg: entry.caller,
                prompts: vec![Prompt::Named(announcement.prompt.clone())],
                repeat: Repeat::Times(1),
                barge_in: tandem_control_api::BargeIn::Never,
            },
        );
        visit.treatment = Treatment::Announcement(command);
        self.timers.set(Timer::Announcement(call), now + announcement.every);
    }

    /// The announcement is over: music again.
    pub(super) fn treatment_done(&mut self, call: CallId, command: CommandId) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        let Stage::Queued(visit) = &mut entry.stage else { return };
        if visit.treatment == Treatment::Announcement(command) {
            visit.treatment = Treatment::Music;
            let music = visit.config.music.clone();
            self.play_music(call, music);
        }
    }

    /// Rings the phone of an agent for a caller; both are claimed already.
    pub(super) fn offer(&mut self, claim: Claim) {
        let Claim { call, agent, available_since, target } = claim;
        let Some(entry) = self.calls.get_mut(&call) else { return };
        let Stage::Queued(visit) = &mut entry.stage else { return };
        visit.offer = Some(Arc::clone(&agent));
        visit.offers += 1;
        entry.agents.insert(Arc::clone(&agent));
        let ring_timeout = visit.config.ring_timeout;
        self.outbox.note(call, CallFact::AgentOffered { agent: agent.to_string() });
        let command = self.outbox.ask(
            Concern::Dial(call, Arc::clone(&agent)),
            Command::Dial { call, target, caller_id: None, ring_timeout, media: MediaPath::Anchored },
        );
        if let Some(agent) = self.routing.agents.get_mut(&agent) {
            agent.state = AgentState::Offered { call, command, leg: None, available_since };
        }
    }

    /// The agent answered: caller and agent are bridged.
    pub(super) fn agent_answered(&mut self, call: CallId, agent: &AgentId, leg: tandem_control_api::LegId) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        match std::mem::replace(&mut entry.stage, Stage::Leaving) {
            Stage::Queued(visit) if visit.offer.as_ref() == Some(agent) => {
                self.timers.cancel(&Timer::MaxWait(call));
                self.timers.cancel(&Timer::Announcement(call));
                self.outbox.note(call, CallFact::AgentAnswered { agent: agent.to_string() });
                let first = if visit.config.zip_tone {
                    let (prompts, repeat) = (vec![Prompt::Tone(Tone::Zip)], Repeat::Times(1));
                    Command::Play { leg, prompts, repeat, barge_in: BargeIn::Never }
                } else {
                    Command::Bridge { a: entry.caller, b: leg }
                };
                let command = self.outbox.ask(Concern::Call(call), first);
                entry.stage = Stage::Connecting { visit, agent: Arc::clone(agent), command };
            }
            other => entry.stage = other,
        }
    }

    /// Caller and agent hear each other, or cannot.
    pub(super) fn bridge_done(
        &mut self,
        now: Instant,
        call: CallId,
        outcome: &Result<Outcome, CommandError>,
    ) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        match (std::mem::replace(&mut entry.stage, Stage::Leaving), outcome) {
            // The agent has heard that somebody comes.
            (Stage::Connecting { visit, agent, command }, Ok(Outcome::Played { .. })) => {
                let state = self.routing.agents.get(&agent).map(|agent| &agent.state);
                let command = match state {
                    Some(AgentState::Connecting { leg, .. }) => {
                        let bridge = Command::Bridge { a: entry.caller, b: *leg };
                        self.outbox.ask(Concern::Call(call), bridge)
                    }
                    _ => command,
                };
                entry.stage = Stage::Connecting { visit, agent, command };
            }
            (Stage::Connecting { visit, agent, .. }, Ok(_)) => {
                entry.stage = Stage::Talking { agent: Arc::clone(&agent) };
                entry.run.finish("answered");
                if visit.config.record {
                    self.outbox.send(Command::Record { leg: entry.caller, action: RecordAction::Begin });
                }
                self.connected(&agent, visit.config.wrap_up);
                self.leave_queue(call, &visit, "answered");
                self.report(call);
            }
            (Stage::Connecting { visit, agent, command }, Err(_)) => {
                entry.stage = Stage::Connecting { visit, agent: Arc::clone(&agent), command };
                self.hang_up_agent(&agent, HangupCause::Error);
                self.offer_missed(now, call, &agent, Miss::NotConnected);
            }
            (other, _) => entry.stage = other,
        }
    }

    /// The agent did not take the call: the caller keeps its place, and the next agent is tried.
    pub(super) fn offer_missed(&mut self, now: Instant, call: CallId, agent: &AgentId, miss: Miss) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        let (mut visit, music) = match std::mem::replace(&mut entry.stage, Stage::Leaving) {
            Stage::Queued(visit) if visit.offer.as_ref() == Some(agent) => (visit, true),
            Stage::Connecting { visit, agent: connecting, .. } if connecting == *agent => (visit, false),
            other => {
                entry.stage = other;
                return;
            }
        };
        let missed = CallFact::AgentMissed { agent: agent.to_string(), reason: miss.as_str().to_owned() };
        self.outbox.note(call, missed);
        visit.offer = None;
        let overdue = now >= visit.place.entered + visit.config.max_wait;
        let place = visit.place;
        let Some(queue) = self.routing.queues.get_mut(&visit.queue) else {
            return self.exit_queue(now, call, &visit, Exit::Failure, "queue-removed");
        };
        if overdue {
            return self.exit_queue(now, call, &visit, Exit::Timeout, "timeout");
        }
        if visit.offers >= Visit::MAX_OFFERS {
            return self.exit_queue(now, call, &visit, Exit::Failure, "too-many-offers");
        }
        queue.wait(place, call);
        let name = Arc::clone(&visit.queue);
        if music {
            entry.stage = Stage::Queued(visit);
        } else {
            self.wait_with_music(now, call, visit);
        }
        if let Some(claim) = self.routing.match_queue(&name) {
            self.offer(claim);
        }
    }

    /// The longest wait is over. A phone that rings may still be answered.
    pub(super) fn waited_long_enough(&mut self, now: Instant, call: CallId) {
        self.exit_if_waiting(now, call, Exit::Timeout, "timeout");
    }

    /// The queue cannot help this caller.
    pub(super) fn queue_failed(&mut self, now: Instant, call: CallId, reason: &str) {
        self.exit_if_waiting(now, call, Exit::Failure, reason);
    }

    fn exit_if_waiting(&mut self, now: Instant, call: CallId, exit: Exit, reason: &str) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        match std::mem::replace(&mut entry.stage, Stage::Leaving) {
            Stage::Queued(visit) if visit.offer.is_none() => self.exit_queue(now, call, &visit, exit, reason),
            other => entry.stage = other,
        }
    }

    /// The caller goes on in the flow.
    fn exit_queue(&mut self, now: Instant, call: CallId, visit: &Visit, exit: Exit, reason: &str) {
        self.leave_queue(call, visit, reason);
        let Some(entry) = self.calls.get_mut(&call) else { return };
        let leg = entry.caller;
        let step = entry.run.resume(now, exit);
        self.outbox.send(Command::Stop { leg });
        self.follow(now, call, step);
    }

    /// The caller gives up its place.
    pub(super) fn leave_queue(&mut self, call: CallId, visit: &Visit, reason: &str) {
        self.timers.cancel(&Timer::MaxWait(call));
        self.timers.cancel(&Timer::Announcement(call));
        if let Some(queue) = self.routing.queues.get_mut(&visit.queue) {
            queue.leave(visit.place);
        }
        let left = CallFact::QueueLeft { queue: visit.queue.to_string(), reason: reason.to_owned() };
        self.outbox.note(call, left);
    }
}
