//! A switch without SIP and RTP, in virtual time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tandem_time::Instant;

use super::call::{Call, Ids, Leg, LegState};
use super::rules::{Rules, Violation};
use super::transfer::Going;
use super::world::{Phone, Wish, World};
use crate::{
    CallFact, CallId, CollectEnd, Command, CommandError, CommandId, ControlPlane, DialFailure, DialTarget,
    EndedBy, Event, LegEnd, LegId, Origin, Outcome, Party, PlayEnd, Request, Verdict,
};

/// Somebody who calls.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Their number.
    pub number: String,
    /// What they dial.
    pub dialled: String,
    /// After how long they hang up, whatever happens; never, when absent.
    pub patience: Option<Duration>,
}

/// The model switch: owns a plane, keeps the switch's side of the contract, and watches the plane's.
#[derive(Debug)]
pub struct ModelSwitch<P, W> {
    plane: P,
    pub(super) world: W,
    rules: Rules,
    pub(super) now: Instant,
    pub(super) calls: BTreeMap<CallId, Call>,
    pub(super) legs: BTreeMap<LegId, Leg>,
    /// Transfers under way, by their command.
    pub(super) transfers: BTreeMap<CommandId, Going>,
    ids: Ids,
    schedule: BTreeMap<(Instant, u64), Happening>,
    scheduled: u64,
    pub(super) tell: VecDeque<Event>,
    given_up: bool,
}

/// Something that is going to happen, unless it makes no sense by then.
#[derive(Debug)]
pub(super) enum Happening {
    Offered(Caller, Origin),
    Registration { user: String, reachable: bool },
    Acknowledged { leg: LegId, command: CommandId },
    PlayEnds { leg: LegId, command: CommandId },
    CollectEnds { leg: LegId, command: CommandId, digits: String, end: CollectEnd },
    PhoneRings { leg: LegId, command: CommandId },
    PhoneAnswers { leg: LegId, command: CommandId, talks: Option<Duration> },
    DialFails { leg: LegId, command: CommandId, failure: DialFailure },
    PartyHangsUp { leg: LegId },
    Found { leg: LegId, verdict: Verdict },
    PartyWishes { leg: LegId, wish: Wish },
    LegIsGone { leg: LegId, command: CommandId },
}

impl<P: ControlPlane, W: World> ModelSwitch<P, W> {
    /// How long the network takes to confirm a hang-up: long enough for everything else to cross it.
    pub const HANGUP_DELAY: Duration = Duration::from_millis(50);

    /// A switch without calls, at the start of time.
    pub fn new(plane: P, world: W) -> Self {
        Self {
            plane,
            world,
            rules: Rules::default(),
            now: Instant::START,
            calls: BTreeMap::new(),
            legs: BTreeMap::new(),
            transfers: BTreeMap::new(),
            ids: Ids::default(),
            schedule: BTreeMap::new(),
            scheduled: 0,
            tell: VecDeque::new(),
            given_up: false,
        }
    }

    /// The plane.
    pub const fn plane(&self) -> &P {
        &self.plane
    }

    /// The plane, to reload it; what it asks for is done when time goes on.
    pub const fn plane_mut(&mut self) -> &mut P {
        &mut self.plane
    }

    /// Gives the plane back.
    pub fn into_plane(self) -> P {
        self.plane
    }

    /// The world.
    pub const fn world(&self) -> &W {
        &self.world
    }

    /// The world, to change how it behaves.
    pub const fn world_mut(&mut self) -> &mut W {
        &mut self.world
    }

    /// What time it is.
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// The rules the plane has broken.
    pub fn violations(&self) -> &[Violation] {
        self.rules.violations()
    }

    /// Calls that are not over.
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// Somebody is going to call.
    pub fn call_at(&mut self, at: Instant, caller: Caller) {
        self.schedule(at, Happening::Offered(caller, Origin::Trunk("carrier".to_owned())));
    }

    /// A phone is going to register, or to cease to be registered.
    pub fn register_at(&mut self, at: Instant, user: &str, reachable: bool) {
        self.schedule(at, Happening::Registration { user: user.to_owned(), reachable });
    }

    /// The party of a leg is going to hang up.
    pub fn hang_up_at(&mut self, at: Instant, leg: LegId) {
        self.schedule(at, Happening::PartyHangsUp { leg });
    }

    /// Lets everything happen that is due by `until`; it is `until` then.
    pub fn run_until(&mut self, until: Instant) {
        self.drain();
        while let Some(at) = self.next_at().filter(|at| *at <= until) {
            self.step(at);
        }
        self.now = until;
        self.rules.passed(until);
    }

    /// Lets the next thing happen; false when nothing is left to happen.
    pub fn run_next(&mut self) -> bool {
        self.drain();
        match self.next_at() {
            Some(at) => {
                self.step(at);
                true
            }
            None => false,
        }
    }

    fn next_at(&self) -> Option<Instant> {
        let happening = self.schedule.keys().next().map(|(at, _)| *at);
        happening.into_iter().chain(self.plane_deadline()).min()
    }

    fn plane_deadline(&self) -> Option<Instant> {
        if self.given_up { None } else { self.plane.poll_timeout() }
    }

    fn step(&mut self, at: Instant) {
        self.now = self.now.max(at);
        self.rules.passed(self.now);
        if self.plane_deadline().is_some_and(|due| due <= self.now) {
            self.plane.handle_timeout(self.now);
            if let Some(stuck) = self.plane.poll_timeout().filter(|due| *due <= self.now) {
                self.rules.broken(Violation::StuckDeadline(stuck));
                self.given_up = true;
            }
        } else if let Some((_, happening)) = self.schedule.pop_first() {
            self.happen(happening);
        }
        self.drain();
    }

    pub(super) fn schedule(&mut self, at: Instant, happening: Happening) {
        self.scheduled += 1;
        self.schedule.insert((at, self.scheduled), happening);
    }

    pub(super) fn after(&mut self, delay: Duration, happening: Happening) {
        self.schedule(self.now + delay, happening);
    }

    /// Tells the plane what happened and does what it asks, until both are quiet. A plane that never is, is given
    /// up: nothing happens any more.
    fn drain(&mut self) {
        let mut requests = 0;
        loop {
            if let Some(request) = self.next_request() {
                requests += 1;
                self.rules.asked(self.now, &request);
                self.world.asked(self.now, &request);
                self.execute(request);
            } else if let Some(event) = self.tell.pop_front() {
                self.rules.told(self.now, &event);
                self.world.told(self.now, &event);
                self.plane.handle_event(self.now, &event);
            } else {
                return;
            }
            if requests == Rules::MAX_REQUESTS {
                self.rules.broken(Violation::Endless);
                self.given_up = true;
            }
        }
    }

    fn next_request(&mut self) -> Option<Request> {
        if self.given_up { None } else { self.plane.poll_request() }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Offered(caller, origin) => self.offer(caller, origin),
            Happening::Registration { user, reachable } => {
                self.tell.push_back(Event::Registration { user, reachable });
            }
            Happening::Acknowledged { leg, command } => {
                if self.leaves(leg, LegState::Answering { command }, LegState::IDLE) {
                    self.answered(leg, command);
                }
            }
            Happening::PlayEnds { leg, command } => self.play_ends(leg, command),
            Happening::CollectEnds { leg, command, digits, end } => {
                self.collected(leg, command, digits, end);
            }
            Happening::PhoneRings { leg, command } => self.rings(leg, command),
            Happening::PhoneAnswers { leg, command, talks } => {
                if self.leaves(leg, LegState::Dialling { command }, LegState::IDLE) {
                    self.answered(leg, command);
                    if let Some(talks) = talks {
                        self.after(talks, Happening::PartyHangsUp { leg });
                    }
                }
            }
            Happening::DialFails { leg, command, failure } => {
                if self.state(leg) == Some(LegState::Dialling { command }) {
                    self.end_leg(leg, EndedBy::Party, CommandError::NotAnswered(failure));
                }
            }
            Happening::PartyHangsUp { leg } => {
                self.end_leg(leg, EndedBy::Party, CommandError::NotAnswered(DialFailure::Declined));
            }
            Happening::Found { leg, verdict } => self.found(leg, verdict),
            Happening::PartyWishes { leg, wish } => self.wishes(leg, wish),
            Happening::LegIsGone { leg, command } => {
                if self.state(leg) == Some(LegState::Ending { command }) {
                    self.end_leg(leg, EndedBy::Control, CommandError::LegEnded);
                }
            }
        }
    }

    fn offer(&mut self, caller: Caller, origin: Origin) {
        let (index, generation) = self.ids.take();
        let call = CallId { index, generation };
        let (index, generation) = self.ids.take();
        let leg = LegId { index, generation };
        let from = Party { number: caller.number, ..Party::default() };
        let party = from.number.clone();
        self.calls
            .insert(call, Call::new(call, leg, self.now, from.clone(), origin.clone(), &caller.dialled));
        self.legs.insert(
            leg,
            Leg {
                call,
                party,
                started: self.now,
                answered: None,
                asks: false,
                analysed: None,
                state: LegState::Offered,
            },
        );
        self.tell.push_back(Event::CallOffered {
            call,
            leg,
            origin,
            from,
            dialled: caller.dialled,
            redirected: None,
        });
        if let Some(patience) = caller.patience {
            self.after(patience, Happening::PartyHangsUp { leg });
        }
    }

    fn collected(&mut self, leg: LegId, command: CommandId, digits: String, end: CollectEnd) {
        let Some(LegState::Answered { play, collect }) = self.state_mut(leg) else { return };
        if *collect != Some(command) {
            return;
        }
        *collect = None;
        let barged = if digits.is_empty() { None } else { play.take() };
        if let Some(play) = barged {
            self.done(play, Ok(Outcome::Played { end: PlayEnd::BargedIn }));
        }
        self.done(command, Ok(Outcome::Collected { digits, end }));
    }

    pub(super) fn done(&mut self, command: CommandId, outcome: Result<Outcome, CommandError>) {
        if let Some(going) = self.transfers.remove(&command) {
            return self.target_settled(command, going, outcome);
        }
        self.tell.push_back(Event::Done { command, outcome });
    }

    pub(super) fn state(&self, leg: LegId) -> Option<LegState> {
        self.legs.get(&leg).map(|leg| leg.state)
    }

    pub(super) fn state_mut(&mut self, leg: LegId) -> Option<&mut LegState> {
        self.legs.get_mut(&leg).map(|leg| &mut leg.state)
    }

    fn leaves(&mut self, leg: LegId, from: LegState, to: LegState) -> bool {
        match self.state_mut(leg) {
            Some(state) if *state == from => {
                *state = to;
                true
            }
            _ => false,
        }
    }

    /// Ends what waits on a leg, then the leg, and with the last leg the call.
    pub(super) fn end_leg(&mut self, id: LegId, by: EndedBy, dial: CommandError) {
        let Some(leg) = self.legs.remove(&id) else { return };
        let status = status(leg.state, &dial);
        self.settle(id, leg.state, dial);
        self.leg_leaves_transfer(id);
        self.ids.give_back(id.index, id.generation);
        let end = LegEnd { by, status, cause: "normal".to_owned() };
        let call_id = leg.call;
        self.tell.push_back(Event::LegEnded { call: call_id, leg: id, end: end.clone() });
        if let Some(call) = self.calls.get_mut(&call_id) {
            call.leg_ended(self.now, id, &leg, &end);
        }
        // The record is made when the plane has said what it has to say on hearing of the last leg's end.
        self.drain();
        self.end_if_empty(call_id);
    }

    /// A call without legs is over.
    pub(super) fn end_if_empty(&mut self, call_id: CallId) {
        if self.calls.get(&call_id).is_some_and(|call| call.live.is_empty())
            && let Some(call) = self.calls.remove(&call_id)
        {
            self.ids.give_back(call_id.index, call_id.generation);
            self.tell.push_back(Event::CallEnded { call: call_id, record: Box::new(call.record) });
        }
    }

    /// Gives the commands that wait on a leg their outcome.
    fn settle(&mut self, leg: LegId, state: LegState, dial: CommandError) {
        match state {
            LegState::Offered | LegState::Progressing { play: None } | LegState::Conferring => {}
            LegState::Progressing { play: Some(command) } => self.done(command, Err(CommandError::LegEnded)),
            LegState::Answering { command } => self.done(command, Err(CommandError::LegEnded)),
            LegState::Dialling { command } => self.done(command, Err(dial)),
            LegState::Answered { play, collect } => {
                for command in play.into_iter().chain(collect) {
                    self.done(command, Err(CommandError::LegEnded));
                }
            }
            LegState::Bridged { peer } => {
                self.leaves(peer, LegState::Bridged { peer: leg }, LegState::IDLE);
            }
            LegState::Ending { command } => self.done(command, Ok(Outcome::Ok)),
        }
    }

    fn execute(&mut self, request: Request) {
        let Request { id, command } = request;
        if let Some(error) = self.world.failure(&command) {
            return self.done(id, Err(error));
        }
        match self.begin(id, command) {
            Ok(true) => self.done(id, Ok(Outcome::Ok)),
            Ok(false) => {}
            Err(error) => self.done(id, Err(error)),
        }
    }

    /// Begins a command; true when it is done already.
    fn begin(&mut self, id: CommandId, command: Command) -> Result<bool, CommandError> {
        let name = command.name();
        match command {
            Command::Ring { leg } => {
                self.expect(name, leg, LegState::is_unanswered)?;
                return Ok(true);
            }
            Command::Progress { leg } => {
                self.expect(name, leg, |state| state == LegState::Offered)?;
                self.set(leg, LegState::Progressing { play: None });
                return Ok(true);
            }
            Command::Answer { leg } => {
                self.expect(name, leg, LegState::is_unanswered)?;
                if let Some(LegState::Progressing { play }) = self.state(leg) {
                    self.stopped(play, None);
                }
                self.set(leg, LegState::Answering { command: id });
                let delay = self.world.answer_delay();
                self.after(delay, Happening::Acknowledged { leg, command: id });
            }
            Command::Reject { leg, .. } => {
                self.expect(name, leg, LegState::is_unanswered)?;
                self.hang_up(id, leg);
            }
            Command::Hangup { leg, .. } => {
                self.expect(name, leg, |state| !matches!(state, LegState::Ending { .. }))?;
                self.hang_up(id, leg);
            }
            Command::Play { leg, prompts, repeat, .. } => self.play(id, leg, &prompts, repeat)?,
            Command::Stop { leg } => return self.stop(leg),
            Command::Record { leg, .. } => return self.record(name, leg),
            Command::Analyse { leg, rules } => return self.analyse(name, leg, &rules),
            Command::Collect { leg, rules } => {
                let (play, collect) = self.idle(name, leg)?;
                self.set(leg, LegState::Answered { play, collect: Some(id) });
                self.stopped(None, collect);
                let (delay, digits, end) = self.world.digits(&rules);
                self.after(delay, Happening::CollectEnds { leg, command: id, digits, end });
            }
            Command::Dial { call, target, ring_timeout, .. } => self.dial(id, call, &target, ring_timeout)?,
            Command::Bridge { a, b } => return self.bridge(a, b),
            Command::Unbridge { leg } => return self.unbridge(leg),
            Command::Join { leg, call, role, .. } => return self.join(leg, call, role),
            Command::PickUp { leg, rung } => return self.pick_up(name, leg, rung),
            Command::SetLevel { leg, .. } => return self.set_level(leg),
            Command::Transfer { leg, transferee, to } => self.transfer(id, leg, transferee, to)?,
            Command::RefuseTransfer { leg, .. } => {
                self.expect(name, leg, |_| true)?;
                self.legs.get_mut(&leg).filter(|leg| leg.asks).ok_or(CommandError::UnknownLeg)?.asks = false;
                return Ok(true);
            }
            Command::SetData { call, fact } => {
                self.note(call, fact)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The offered leg's call is over, and its party answers the one that rings.
    fn pick_up(&mut self, name: &str, leg: LegId, rung: LegId) -> Result<bool, CommandError> {
        self.expect(name, leg, |state| state == LegState::Offered)?;
        let LegState::Dialling { command } = self.known(rung)? else { return Err(self.wrong(name, rung)) };
        let call_of = |leg: LegId| self.legs.get(&leg).map(|leg| leg.call);
        let (own, call) = call_of(leg).zip(call_of(rung)).ok_or(CommandError::UnknownLeg)?;
        let by = self.calls.get(&own).map(|call| call.record.origin.clone());
        let by = by.filter(|_| own != call).ok_or_else(|| self.wrong(name, rung))?;
        self.end_leg(leg, EndedBy::Control, CommandError::LegEnded);
        self.tell.push_back(Event::LegReplaced { call, leg: rung, by });
        self.after(Duration::ZERO, Happening::PhoneAnswers { leg: rung, command, talks: None });
        Ok(true)
    }

    fn note(&mut self, call: CallId, fact: CallFact) -> Result<(), CommandError> {
        let now = self.now;
        self.calls.get_mut(&call).ok_or(CommandError::UnknownCall)?.note(now, fact);
        Ok(())
    }

    pub(super) fn known(&self, leg: LegId) -> Result<LegState, CommandError> {
        self.state(leg).ok_or(CommandError::UnknownLeg)
    }

    pub(super) fn wrong(&self, command: &str, leg: LegId) -> CommandError {
        let state = self.state(leg).map_or("over", LegState::name);
        CommandError::WrongState { command: command.to_owned(), state: state.to_owned() }
    }

    pub(super) fn expect(
        &self,
        command: &str,
        leg: LegId,
        fits: fn(LegState) -> bool,
    ) -> Result<(), CommandError> {
        if fits(self.known(leg)?) { Ok(()) } else { Err(self.wrong(command, leg)) }
    }

    fn idle(
        &self,
        command: &str,
        leg: LegId,
    ) -> Result<(Option<CommandId>, Option<CommandId>), CommandError> {
        match self.known(leg)? {
            LegState::Answered { play, collect } => Ok((play, collect)),
            _ => Err(self.wrong(command, leg)),
        }
    }

    pub(super) fn set(&mut self, leg: LegId, to: LegState) {
        if let Some(state) = self.state_mut(leg) {
            *state = to;
        }
    }

    pub(super) fn stopped(&mut self, play: Option<CommandId>, collect: Option<CommandId>) {
        if let Some(play) = play {
            self.done(play, Ok(Outcome::Played { end: PlayEnd::Stopped }));
        }
        if let Some(collect) = collect {
            let outcome = Outcome::Collected { digits: String::new(), end: CollectEnd::Stopped };
            self.done(collect, Ok(outcome));
        }
    }

    fn hang_up(&mut self, id: CommandId, leg: LegId) {
        let Some(state) = self.state(leg) else { return };
        self.set(leg, LegState::Ending { command: id });
        self.settle(leg, state, CommandError::NotAnswered(DialFailure::Cancelled));
        self.after(Self::HANGUP_DELAY, Happening::LegIsGone { leg, command: id });
    }

    pub(super) fn dial(
        &mut self,
        id: CommandId,
        call: CallId,
        target: &DialTarget,
        ring_timeout: Duration,
    ) -> Result<(), CommandError> {
        let entry = self.calls.get_mut(&call).ok_or(CommandError::UnknownCall)?;
        let (index, generation) = self.ids.take();
        let leg = LegId { index, generation };
        entry.live.insert(leg);
        let (DialTarget::User(party) | DialTarget::Trunk { number: party, .. }) = target;
        let (party, started) = (party.clone(), self.now);
        let state = LegState::Dialling { command: id };
        self.legs
            .insert(leg, Leg { call, party, started, answered: None, asks: false, analysed: None, state });
        self.tell.push_back(Event::LegCreated { call, leg, command: id });
        let phone = self.world.phone(target);
        if !matches!(phone, Phone::Answers { after, .. } | Phone::Fails { after, .. } if after.is_zero()) {
            self.after(Duration::ZERO, Happening::PhoneRings { leg, command: id });
        }
        match phone {
            Phone::Answers { after, talks } => {
                self.after(after, Happening::PhoneAnswers { leg, command: id, talks });
            }
            Phone::Fails { after, failure } => {
                self.after(after, Happening::DialFails { leg, command: id, failure });
            }
            Phone::Rings => {}
        }
        let gives_up = Happening::DialFails { leg, command: id, failure: DialFailure::NoAnswer };
        self.after(ring_timeout, gives_up);
        Ok(())
    }

    pub(super) fn bridge(&mut self, a: LegId, b: LegId) -> Result<bool, CommandError> {
        let (play_a, collect_a) = self.idle("bridge", a)?;
        let (play_b, collect_b) = self.idle("bridge", b)?;
        if self.legs.get(&a).map(|leg| leg.call) != self.legs.get(&b).map(|leg| leg.call) {
            return Err(CommandError::DifferentCalls);
        }
        self.set(a, LegState::Bridged { peer: b });
        self.set(b, LegState::Bridged { peer: a });
        self.stopped(play_a, collect_a);
        if a != b {
            self.stopped(play_b, collect_b);
            self.wish_after_bridge(a, b);
        }
        Ok(true)
    }
}

/// The final status of a leg that ends in this state.
const fn status(state: LegState, dial: &CommandError) -> u16 {
    match (state, dial) {
        (LegState::Dialling { .. }, CommandError::NotAnswered(failure)) => match failure {
            DialFailure::Busy => 486,
            DialFailure::Declined => 603,
            DialFailure::NoAnswer => 480,
            DialFailure::Unreachable => 404,
            DialFailure::Cancelled => 487,
            DialFailure::Media => 488,
        },
        (LegState::Offered | LegState::Progressing { .. } | LegState::Dialling { .. }, _) => 487,
        _ => 200,
    }
}
