//! How legs and calls end, and what is freed when.

use tandem_control_api::{CallId, DialFailure, EndedBy, Event, LegEnd, LegId};
use tandem_media::{Command, EndpointStatistics};
use tandem_sbc::user_agent::SessionId;
use tandem_time::Instant;

use super::call::CallPhase;
use super::cause::EndCause;
use super::endpoints::Close;
use super::leg::{Asked, LegState};
use super::recording::Recording;
use super::timers::Timer;
use super::{Action, CALLER_GONE_GRACE, Calls};

/// How we end a leg.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hangup {
    /// The command that is done with it.
    pub(super) asked: Option<Asked>,
    pub(super) by: EndedBy,
    pub(super) cause: EndCause,
    /// What a `Dial` that this ends is told.
    pub(super) dial_failure: DialFailure,
}

impl Hangup {
    pub(super) const fn by_switch(cause: EndCause) -> Self {
        Self { asked: None, by: EndedBy::Switch, cause, dial_failure: DialFailure::Cancelled }
    }
}

/// How a leg ended.
#[derive(Clone, Debug)]
pub(super) struct Over {
    /// The command that is done with it, unless its state says so.
    pub(super) asked: Option<Asked>,
    pub(super) end: LegEnd,
    pub(super) cause: EndCause,
    /// What a `Dial` that this ends is told.
    pub(super) dial_failure: DialFailure,
}

impl Calls {
    /// Ends a leg in whatever state it is; the commands that waited on it are answered first.
    pub(super) fn end_by_us(&mut self, now: Instant, leg_id: LegId, hangup: Hangup) {
        let Some(leg) = self.legs.get(leg_id) else { return };
        let (state, call) = (leg.state, leg.call);
        if matches!(state, LegState::Ending { .. } | LegState::Ended { .. }) {
            return;
        }
        let Hangup { asked, by, cause, dial_failure } = hangup;
        let Some(session) = state.session() else {
            let end = LegEnd { by, status: 0, cause: cause.name().to_owned() };
            return self.end_leg(now, leg_id, Over { asked, end, cause, dial_failure });
        };
        self.leave_conference(now, leg_id);
        self.part(leg_id);
        self.cancel_ring_timeout(leg_id, &state);
        let endpoint = state.endpoint();
        self.set_state(leg_id, LegState::Ending { session, endpoint, asked, by, cause });
        for settled in state.settle(dial_failure) {
            self.settled(now, call, settled);
        }
        self.pass_reason(now, leg_id, session);
        self.actions.push_back(match state {
            // A caller who is not answered is told why.
            LegState::Offered { .. } | LegState::Preparing { .. } | LegState::Progressing { .. } => {
                Action::Reject { session, status: cause.refusal_status() }
            }
            _ => Action::HangUp { session, cause: cause.name() },
        });
        self.leg_leaves_transfer(now, call, leg_id);
    }

    /// A leg that ends at the moment in which another one did, ends because of it, and its party is told why (RFC 3326 §1).
    pub(super) fn pass_reason(&mut self, now: Instant, leg: LegId, session: SessionId) {
        let stated = self.legs.get(leg).and_then(|leg| self.calls.get(leg.call)?.stated);
        if let Some((_, _, reason)) = stated.filter(|(at, from, _)| *at == now && *from != leg) {
            self.actions.push_back(Action::StateReason { session, reason });
        }
    }

    /// Refuses an incoming leg that cannot be answered, by no fault of the control plane.
    pub(super) fn refuse(&mut self, leg_id: LegId, status: u16, cause: EndCause) {
        let Some(leg) = self.legs.get(leg_id) else { return };
        let state = leg.state;
        let (LegState::Offered { session }
        | LegState::Preparing { session, .. }
        | LegState::Progressing { session, .. }
        | LegState::Accepting { session, .. }) = state
        else {
            return;
        };
        let (endpoint, by) = (state.endpoint(), EndedBy::Switch);
        self.set_state(leg_id, LegState::Ending { session, endpoint, asked: None, by, cause });
        for settled in state.settle(DialFailure::Media) {
            self.done(settled);
        }
        self.actions.push_back(Action::Reject { session, status });
    }

    /// A leg is over: answers its commands, closes its endpoint, tells the control plane.
    pub(super) fn end_leg(&mut self, now: Instant, leg_id: LegId, over: Over) {
        let Over { asked, end, cause, dial_failure } = over;
        self.leave_conference(now, leg_id);
        self.part(leg_id);
        let Some(leg) = self.legs.get_mut(leg_id) else { return };
        let (state, call) = (leg.state, leg.call);
        if state.is_ended() {
            return;
        }
        let endpoint = state.endpoint();
        let beep_at = leg.recording.as_mut().and_then(Recording::take_beep);
        leg.state = LegState::Ended { session: state.session(), endpoint };
        leg.end = Some(Box::new((now, end.clone())));
        self.cancel_ring_timeout(leg_id, &state);
        if let Some(at) = beep_at {
            self.timers.cancel(at, Timer::RecordingBeep(leg_id));
        }
        for settled in state.settle(dial_failure).chain(asked.map(Asked::settled)) {
            self.settled(now, call, settled);
        }
        self.leg_leaves_transfer(now, call, leg_id);
        self.abandon_replacement(leg_id);
        self.forget_phone(leg_id);
        self.counters.leg_ended(cause);
        self.tell(Event::LegEnded { call, leg: leg_id, end: end.clone() });
        self.leg_left_call(now, call, leg_id, end);
        match endpoint.map(|endpoint| self.endpoints.close(endpoint)) {
            Some(Close::Now(worker, endpoint)) => {
                let command = Command::Close { endpoint };
                self.actions.push_back(Action::Media { worker, command });
            }
            Some(Close::WhenOpened | Close::UnderWay) => {}
            Some(Close::Gone) | None => self.endpoint_gone(leg_id, None),
        }
    }

    /// Parts a bridged leg from its peer; both are then for themselves.
    pub(super) fn part(&mut self, leg_id: LegId) {
        let Some(leg) = self.legs.get(leg_id) else { return };
        let endpoint = leg.state.endpoint();
        let Some(peer) = leg.state.peer() else { return };
        for joined in [leg_id, peer] {
            if let Some(leg) = self.legs.get_mut(joined) {
                leg.state = leg.state.parted();
            }
        }
        if let Some(endpoint) = endpoint {
            self.command_endpoint(endpoint, |endpoint| Command::Unbridge { endpoint });
        }
    }

    fn cancel_ring_timeout(&mut self, leg: LegId, state: &LegState) {
        if let Some(at) = state.ring_until() {
            self.timers.cancel(at, Timer::RingTimeout(leg));
        }
    }

    /// A call has one leg fewer that is up.
    fn leg_left_call(&mut self, now: Instant, call_id: CallId, leg: LegId, end: LegEnd) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        call.live = call.live.saturating_sub(1);
        call.direct = call.direct.filter(|direct| *direct != leg);
        if call.caller == leg {
            let grace = call.is_up().then(|| now + CALLER_GONE_GRACE);
            if let Some(at) = grace {
                self.timers.set(at, Timer::CallerGone(call_id));
            }
            call.phase = CallPhase::CallerGone { end, grace };
        }
        if !call.is_up() {
            self.call_over(now, call_id);
        }
    }

    /// The last leg of a call went on in another one: it is over.
    pub(super) fn call_left_empty(&mut self, now: Instant, call_id: CallId) {
        let Some(call) = self.calls.get_mut(call_id).filter(|call| !call.is_up()) else { return };
        if matches!(call.phase, CallPhase::CallerUp) {
            let end = LegEnd { by: EndedBy::Control, status: 200, cause: "moved".to_owned() };
            call.phase = CallPhase::CallerGone { end, grace: None };
        }
        self.call_over(now, call_id);
        if self.calls.get(call_id).is_some_and(super::call::Call::is_complete) {
            self.settling.push_back(call_id);
        }
    }

    /// No leg of a call is up any more.
    fn call_over(&mut self, now: Instant, call_id: CallId) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        if let CallPhase::CallerGone { end, grace } = &mut call.phase {
            if let Some(at) = grace.take() {
                self.timers.cancel(at, Timer::CallerGone(call_id));
            }
            let end = std::mem::replace(end, LegEnd { by: EndedBy::Switch, status: 0, cause: String::new() });
            call.phase = CallPhase::Over { end, at: now };
        }
        self.timers.cancel(call.too_long_at, Timer::CallTooLong(call_id));
        self.calls_up = self.calls_up.saturating_sub(1);
    }

    /// The control plane cares for a call: what remains of it is not hung up for want of a word.
    pub(super) fn attend(&mut self, call_id: CallId) {
        if let Some(call) = self.calls.get_mut(call_id)
            && let CallPhase::CallerGone { grace, .. } = &mut call.phase
            && let Some(at) = grace.take()
        {
            self.timers.cancel(at, Timer::CallerGone(call_id));
        }
    }

    /// A leg has no endpoint any more: what is kept of it, once it has ended, goes to its call.
    pub(super) fn endpoint_gone(&mut self, leg_id: LegId, totals: Option<&EndpointStatistics>) {
        let Some(leg) = self.legs.get_mut(leg_id) else { return };
        match leg.state {
            LegState::Ended { session, .. } => leg.state = LegState::Ended { session, endpoint: None },
            LegState::Ending { session, asked, by, cause, .. } => {
                leg.state = LegState::Ending { session, endpoint: None, asked, by, cause };
                return;
            }
            _ => return,
        }
        let (ordinal, call_id) = (leg.ordinal, leg.call);
        if let (Some(record), Some(call)) = (leg.record(leg_id, totals), self.calls.get_mut(call_id)) {
            call.add_record(ordinal, record);
            if call.is_complete() {
                self.settling.push_back(call_id);
            }
        }
        self.free_leg(leg_id);
    }

    /// Frees a leg that SIP, media and the control plane have let go, and its call with the last one.
    pub(super) fn free_leg(&mut self, leg_id: LegId) {
        let Some(leg) = self.legs.get(leg_id) else { return };
        let call_id = leg.call;
        if leg.state != (LegState::Ended { session: None, endpoint: None }) {
            return;
        }
        self.legs.remove(leg_id);
        self.recordings.retain(|_, leg| *leg != leg_id);
        if let Some(call) = self.calls.get_mut(call_id) {
            call.legs.retain(|leg| *leg != leg_id);
        }
        self.free_call(call_id);
    }

    fn free_call(&mut self, call_id: CallId) {
        let free = |call: &super::call::Call| call.legs.is_empty() && call.is_recorded();
        if self.calls.get(call_id).is_some_and(free) {
            self.calls.remove(call_id);
        }
    }

    /// Makes the record of one complete call; false when there is none. To be called when the control plane is
    /// quiet, so that what it adds on hearing of the last leg's end is in the record.
    pub(crate) fn settle(&mut self) -> bool {
        let Some(call_id) = self.settling.pop_front() else { return false };
        let record = self.calls.get_mut(call_id).and_then(|call| call.take_record(call_id));
        if let Some(record) = record.map(Box::new) {
            self.counters.calls_ended += 1;
            self.tell(Event::CallEnded { call: call_id, record });
            self.free_call(call_id);
        }
        true
    }

    /// A dialled leg has rung long enough.
    pub(super) fn ring_timeout(&mut self, now: Instant, leg: LegId) {
        let hangup = Hangup { dial_failure: DialFailure::NoAnswer, ..Hangup::by_switch(EndCause::NoAnswer) };
        self.end_by_us(now, leg, hangup);
    }

    /// Hangs up every leg of every call.
    pub(crate) fn hang_up_everybody(&mut self, now: Instant) {
        for call in self.calls.keys().collect::<Vec<_>>() {
            self.hang_up_all(now, call, EndCause::NodeStops);
        }
    }

    /// Hangs up whoever is left in a call.
    pub(super) fn hang_up_all(&mut self, now: Instant, call_id: CallId, cause: EndCause) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        if let CallPhase::CallerGone { grace, .. } = &mut call.phase
            && cause == EndCause::CallerGone
        {
            *grace = None;
        }
        for leg in call.legs.clone() {
            self.end_by_us(now, leg, Hangup::by_switch(cause));
        }
    }
}
