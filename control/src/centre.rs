//! The control plane: takes the switch's events, and drives each call's flow, the queues and the agents.

mod agents;
mod announcing;
mod conferences;
mod feature_codes;
mod flows;
mod pick_up;
mod queueing;
mod replaced;
mod screening;
mod straight;
mod transfers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tandem_control_api::{
    CallId, Command, CommandError, CommandId, ControlPlane, DialTarget, Event, HangupCause, LegId, MediaPath,
    Origin, Outcome, Party, RejectReason, Request, Route,
};
use tandem_time::Instant;

use self::announcing::{Announcing, Then};
use self::conferences::Conferences;
use self::feature_codes::KeyedCodes;
use self::pick_up::Rung;
use self::straight::Straight;
use crate::agent::{AgentId, AgentState};
use crate::call::{Call, Stage};
use crate::config::{ConfigError, ContactCentreConfig};
use crate::flow::{Flow, Run};
use crate::outbox::{Concern, Outbox, Timer, Timers};
use crate::queue::QueueDepth;
use crate::routing::Routing;

/// What becomes of a call to a number.
#[derive(Debug)]
enum EntryPoint {
    Flow(Arc<Flow>),
    Route(Route),
    Refuse(RejectReason),
}

/// A call that a flow is to answer.
#[derive(Debug)]
struct FlowCall {
    run: Run,
    from: String,
    trunk: Option<String>,
}

/// The contact centre of one node.
///
/// A dialled number names a flow, or where the call goes straight through to; the flow says what the caller hears, and which queue they wait in; the queue
/// offers them to the agent who has been available longest. Everything that was decided ends up as facts in the
/// call's record.
#[derive(Debug)]
pub struct ContactCentre {
    config: ContactCentreConfig,
    /// By dialled number.
    entry_points: BTreeMap<String, EntryPoint>,
    routing: Routing,
    calls: BTreeMap<CallId, Call>,
    /// Calls whose callers hear an announcement before anything else.
    announcing: BTreeMap<CallId, Announcing>,
    /// Calls without a flow, from their offer until the switch has released them.
    straight: BTreeMap<CallId, Straight>,
    /// Whoever holds the other one, and who that is.
    holds: BTreeMap<LegId, LegId>,
    /// Agents whose leg has just moved into a call whose transfer is not told to be done yet.
    moved: BTreeMap<LegId, AgentId>,
    /// Agents by the leg that rings or holds their phone.
    legs: BTreeMap<LegId, AgentId>,
    /// Agents by their leg, as long as it is not known what answers it.
    screened: BTreeMap<LegId, AgentId>,
    /// Phones that are registered, agents' or not: whoever becomes an agent later may be reachable already.
    registered: BTreeSet<String>,
    conferences: Conferences,
    rung: Rung,
    keyed: KeyedCodes,
    outbox: Outbox,
    timers: Timers,
}

impl ContactCentre {
    /// Calls under way at a time; the next one is refused as unavailable.
    pub const MAX_CALLS: usize = 100_000;
    /// Registered phones remembered.
    pub const MAX_REGISTERED: usize = 100_000;

    /// A contact centre without calls; no phone is registered yet.
    ///
    /// # Errors
    /// The first thing in the configuration that does not fit.
    pub fn new(config: ContactCentreConfig) -> Result<Self, ConfigError> {
        let mut centre = Self {
            config: ContactCentreConfig::default(),
            entry_points: BTreeMap::new(),
            routing: Routing::default(),
            calls: BTreeMap::new(),
            announcing: BTreeMap::new(),
            straight: BTreeMap::new(),
            holds: BTreeMap::new(),
            moved: BTreeMap::new(),
            legs: BTreeMap::new(),
            screened: BTreeMap::new(),
            registered: BTreeSet::new(),
            conferences: Conferences::default(),
            rung: Rung::default(),
            keyed: KeyedCodes::new(),
            outbox: Outbox::default(),
            timers: Timers::default(),
        };
        centre.reload(Instant::START, config)?;
        Ok(centre)
    }

    /// Swaps the configuration. Calls keep the flow they are in, callers in a queue keep what it was when they
    /// came, agents on the phone finish; callers in a queue that is gone leave it by the exit `failure`.
    ///
    /// # Errors
    /// The first thing that does not fit; then nothing has changed.
    pub fn reload(&mut self, now: Instant, config: ContactCentreConfig) -> Result<(), ConfigError> {
        config.check()?;
        let flows: BTreeMap<&str, Arc<Flow>> =
            config.flows.iter().map(|flow| (flow.name(), Arc::new(flow.clone()))).collect();
        let answered = config.entry_points.iter().filter_map(|(number, flow)| {
            Some((number.clone(), EntryPoint::Flow(Arc::clone(flows.get(flow.as_str())?))))
        });
        let straight =
            config.routes.iter().map(|(number, route)| (number.clone(), EntryPoint::Route(route.clone())));
        let refused =
            config.refusals.iter().map(|(number, reason)| (number.clone(), EntryPoint::Refuse(*reason)));
        self.entry_points = answered.chain(straight).chain(refused).collect();
        let registered = &self.registered;
        let reachable = |target: &DialTarget| match target {
            DialTarget::User(user) => registered.contains(user),
            DialTarget::Trunk { .. } => true,
        };
        let stranded = self.routing.configure(now, &config.queues, &config.agents, reachable);
        self.config = config;
        for call in stranded {
            self.queue_failed(now, call, "queue-removed");
        }
        self.match_everybody();
        Ok(())
    }

    /// How full the queues are.
    pub fn queue_depths(&self) -> impl Iterator<Item = (&str, QueueDepth)> {
        self.routing.queues.iter().map(|(name, queue)| (name.as_ref(), queue.depth()))
    }

    /// What the agents are doing.
    pub fn agent_states(&self) -> impl Iterator<Item = (&str, &AgentState)> {
        self.routing.agents.iter().map(|(id, agent)| (id.as_ref(), &agent.state))
    }

    /// Calls not yet released.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.len() + self.announcing.len() + self.straight.len()
    }

    fn call_offered(
        &mut self,
        now: Instant,
        (call, leg): (CallId, LegId),
        origin: &Origin,
        from: &Party,
        dialled: &str,
    ) {
        if let Origin::User(user) = origin
            && (self.observation_asked(now, (call, leg), user, dialled)
                || self.pick_up_asked(leg, user, dialled))
        {
            return;
        }
        let (user, trunk) = match origin {
            Origin::User(user) => (Some(user.as_str()), None),
            Origin::Trunk(trunk) => (None, Some(trunk.clone())),
        };
        let refusal = |reason| Command::Reject { leg, reason };
        if self.calls() >= Self::MAX_CALLS {
            self.outbox.send(refusal(RejectReason::Unavailable));
            return;
        }
        let announcement = self.config.announcements.get(dialled).cloned();
        match self.entry_points.get(dialled) {
            Some(EntryPoint::Flow(flow)) => {
                let grammars = Arc::clone(&self.config.grammars);
                let run = Run::new(Arc::clone(flow), grammars, &from.number, dialled, now);
                let flow = FlowCall { run, from: from.number.clone(), trunk };
                match announcement {
                    Some(prompts) => self.announce_early(call, leg, prompts, Then::Flow(flow)),
                    None => self.answer_by_flow(call, leg, flow),
                }
            }
            Some(EntryPoint::Refuse(reason)) => {
                let reason = *reason;
                match announcement {
                    Some(prompts) => self.announce_early(call, leg, prompts, Then::Refuse(reason)),
                    None => drop(self.outbox.send(refusal(reason))),
                }
            }
            Some(EntryPoint::Route(route)) => {
                let route = route.clone();
                self.go_straight(now, call, leg, route, (user, trunk));
            }
            None => match user.and_then(|_| self.target(dialled, None)) {
                Some(target) => {
                    let (ring_timeout, media) = (transfers::RING_TIMEOUT, MediaPath::Anchored);
                    let route = Route { target, ring_timeout, media };
                    self.go_straight(now, call, leg, route, (user, trunk));
                }
                None => drop(self.outbox.send(refusal(RejectReason::NotFound))),
            },
        }
    }

    fn answer_by_flow(&mut self, call: CallId, caller: LegId, flow: FlowCall) {
        let command = self.outbox.ask(Concern::Call(call), Command::Answer { leg: caller });
        self.enter(call, caller, flow, command);
    }

    /// Follows a flow whose caller is answered already, by that command.
    fn begin_flow(
        &mut self,
        now: Instant,
        (call, caller): (CallId, LegId),
        mut flow: FlowCall,
        command: CommandId,
    ) {
        let step = flow.run.begin(now);
        self.enter(call, caller, flow, command);
        self.follow(now, call, step);
    }

    fn enter(&mut self, call: CallId, caller: LegId, flow: FlowCall, command: CommandId) {
        let FlowCall { run, from, trunk } = flow;
        let stage = Stage::Answering { command };
        self.calls.insert(call, Call { caller, from, trunk, run, stage, agents: BTreeSet::new() });
    }

    fn done(&mut self, now: Instant, command: CommandId, outcome: &Result<Outcome, CommandError>) {
        self.rung.done(command, outcome);
        match self.outbox.settle(command) {
            Some(Concern::Dial(call, agent)) => self.dial_done(now, call, &agent, outcome),
            Some(Concern::PickUp(call)) => self.picked_up(call, outcome),
            Some(Concern::Call(call)) => self.call_done(now, call, command, outcome),
            Some(Concern::Announcing(call)) => self.announcing_done(now, call, command, outcome),
            Some(Concern::StraightThrough(call)) => self.straight_done(now, call, command, outcome),
            Some(Concern::Observation(call)) => self.observation_done(call, outcome),
            Some(Concern::Joining(call, leg)) => self.join_done(call, leg, outcome),
            Some(Concern::PickingUp(leg)) => self.picking_up_done(leg, outcome),
            None => {}
        }
    }

    fn call_done(
        &mut self,
        now: Instant,
        call: CallId,
        command: CommandId,
        outcome: &Result<Outcome, CommandError>,
    ) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        match &entry.stage {
            Stage::Answering { command: expected } if *expected == command => match outcome {
                Ok(_) => {
                    let step = entry.run.begin(now);
                    self.follow(now, call, step);
                }
                Err(_) => self.end_call(call, HangupCause::Error),
            },
            Stage::InFlow(_) => self.flow_done(now, call, command, outcome),
            Stage::Queued(_) => self.treatment_done(call, command),
            Stage::Connecting { command: expected, .. } if *expected == command => {
                self.bridge_done(now, call, outcome);
            }
            Stage::Transferring(_) => self.transfer_done(now, call, command, outcome),
            Stage::Answering { .. }
            | Stage::Connecting { .. }
            | Stage::Talking { .. }
            | Stage::Connected { .. }
            | Stage::Leaving => {}
        }
    }

    fn leg_ended(&mut self, now: Instant, call: CallId, leg: LegId) {
        if let Some(agent) = self.legs.remove(&leg) {
            self.agent_leg_ended(now, call, leg, &agent);
            return;
        }
        if self.calls.get(&call).is_some_and(|entry| entry.caller == leg) {
            self.caller_gone(call);
        } else if self.partner_gone(call, leg) && !self.guest_takes_over(call, Duration::ZERO) {
            self.end_call(call, HangupCause::Normal);
        }
    }

    /// The caller's leg has ended, whatever the call was doing.
    fn caller_gone(&mut self, call: CallId) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        match std::mem::replace(&mut entry.stage, Stage::Leaving) {
            Stage::Answering { .. } | Stage::InFlow(_) => entry.run.finish("hang-up"),
            Stage::Queued(visit) => {
                entry.run.finish("hang-up");
                self.leave_queue(call, &visit, "abandoned");
                if let Some(agent) = visit.offer {
                    self.withdraw_offer(&agent);
                }
            }
            Stage::Connecting { visit, agent, .. } => {
                entry.run.finish("hang-up");
                self.leave_queue(call, &visit, "abandoned");
                self.withdraw_offer(&agent);
            }
            Stage::Talking { agent } => self.conversation_over(&agent),
            Stage::Connected { leg } => {
                self.outbox.send(Command::Hangup { leg, cause: HangupCause::Normal });
            }
            // The transfer's outcome came first.
            Stage::Transferring(_) | Stage::Leaving => {}
        }
        self.report(call);
        self.dismiss_guests(call);
    }

    /// Hangs the caller up.
    fn end_call(&mut self, call: CallId, cause: HangupCause) {
        let Some(entry) = self.calls.get_mut(&call) else { return };
        if matches!(entry.stage, Stage::Leaving) {
            return;
        }
        entry.stage = Stage::Leaving;
        let leg = entry.caller;
        self.report(call);
        self.outbox.send(Command::Hangup { leg, cause });
        self.dismiss_guests(call);
    }

    fn call_ended(&mut self, now: Instant, call: CallId) {
        self.timers.cancel(&Timer::MaxWait(call));
        self.timers.cancel(&Timer::Announcement(call));
        self.announcing.remove(&call);
        self.straight_ended(now, call);
        self.conference_ended(now, call);
        let Some(entry) = self.calls.remove(&call) else { return };
        if let Stage::Queued(visit) | Stage::Connecting { visit, .. } = &entry.stage
            && let Some(queue) = self.routing.queues.get_mut(&visit.queue)
        {
            queue.leave(visit.place);
        }
        for agent in entry.agents {
            self.force_release(now, call, &agent);
        }
    }

    /// Sends what the flow has noted since last time.
    fn report(&mut self, call: CallId) {
        if let Some(entry) = self.calls.get_mut(&call) {
            for fact in entry.run.take_facts() {
                self.outbox.note(call, fact);
            }
        }
    }
}

impl ControlPlane for ContactCentre {
    fn handle_event(&mut self, now: Instant, event: &Event) {
        match event {
            Event::CallOffered { call, leg, from, dialled, origin, .. } => {
                self.call_offered(now, (*call, *leg), origin, from, dialled);
            }
            Event::TransferAsked { call, leg, to, consulted_on } => {
                self.transfer_asked(now, *call, *leg, to, *consulted_on);
            }
            Event::LegMoved { call, leg, from } => self.leg_moved(*leg, *from, *call),
            Event::LegReplaced { call, leg, by } => {
                self.rung.over(*leg);
                self.leg_replaced(now, *call, *leg, by);
            }
            Event::LegHeld { call, leg } => self.leg_held(*call, *leg),
            Event::LegResumed { call, leg } => self.leg_resumed(*call, *leg),
            Event::Done { command, outcome } => self.done(now, *command, outcome),
            Event::LegCreated { call, leg, command } => {
                self.rung.leg_created(now, *leg, *command);
                self.leg_created(*leg, *command);
                self.straight_leg_created(*call, *leg, *command);
            }
            Event::LegRinging { call, leg } => self.straight_leg_ringing(*call, *leg),
            Event::LegEarlyMedia { call, leg } => self.straight_leg_early_media(*call, *leg),
            Event::LegEnded { call, leg, end } => {
                if !self.guest_left(now, *call, *leg) {
                    self.leg_ended(now, *call, *leg);
                    self.straight_leg_ended(now, *call, *leg, end);
                    self.stand_by(*call);
                }
                self.rung.over(*leg);
                self.keyed.remove(leg);
                self.screened.remove(leg);
                self.holds.remove(leg);
                self.moved.remove(leg);
            }
            Event::CallEnded { call, .. } => self.call_ended(now, *call),
            Event::Registration { user, reachable } => self.registration(now, user, *reachable),
            Event::ProgressFound { call, leg, report } => self.progress_found(now, *call, *leg, report),
            Event::Digit { call, leg, digit } => self.key_pressed(now, *call, *leg, *digit),
            Event::BeepAwaited { .. } | Event::LegUnheard { .. } | Event::RecordingFailed { .. } => {}
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Agent(agent) => self.pause_over(now, &agent),
                Timer::MaxWait(call) => self.waited_long_enough(now, call),
                Timer::Announcement(call) => self.announce(now, call),
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    fn poll_request(&mut self) -> Option<Request> {
        let request = self.outbox.next()?;
        self.rung.asked(request.id, &request.command);
        Some(request)
    }
}
