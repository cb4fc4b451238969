//! Legs whose media does not pass us: the caller's and the one dialled for it, each without an endpoint.

use tandem_control_api::{CallId, CommandError, CommandId, DialTarget, Event, LegId, MediaPath};
use tandem_sbc::user_agent::SessionId;
use tandem_time::Instant;

use super::commands::{Begun, wrong_state};
use super::leg::{Leg, LegState};
use super::timers::Timer;
use super::translate::{self, PeerKind};
use super::{Action, Calls, Progress};

impl Calls {
    /// Dials for a caller who is not answered, with the caller's own description.
    pub(super) fn dial_direct(
        &mut self,
        now: Instant,
        id: CommandId,
        call_id: CallId,
        target: DialTarget,
        caller_id: Option<String>,
        ring_until: Instant,
    ) -> Begun {
        let from = self.dials_from(now, call_id, &target, caller_id, ring_until)?;
        let call = self.calls.get_mut(call_id).ok_or(CommandError::UnknownCall)?;
        let caller = self.legs.get(call.caller).ok_or(CommandError::UnknownLeg)?;
        let LegState::Offered { session } = caller.state else {
            return Err(wrong_state("dial", &caller.state));
        };
        if call.direct.is_some() {
            return Err(wrong_state("dial", &caller.state));
        }
        let (party, peer) = match &target {
            DialTarget::User(user) => (user.clone(), PeerKind::phone(&call.config)),
            DialTarget::Trunk { number, .. } => (number.clone(), PeerKind::Trunk),
        };
        let (state, ordinal) =
            (LegState::Dialling { endpoint: None, dial: id, attempts: 0, ring_until }, call.legs_made());
        let leg = self.legs.insert_with(|_| {
            let leg = Leg::new(call_id, ordinal, state, peer, party, now);
            Some(Leg { media_path: MediaPath::Direct, ..leg })
        });
        let leg = leg.ok_or_else(|| CommandError::Limit("legs".to_owned()))?;
        call.add_leg(leg);
        call.direct = Some(leg);
        self.remember_phone(leg);
        self.timers.set(ring_until, Timer::RingTimeout(leg));
        self.attend(call_id);
        self.tell(Event::LegCreated { call: call_id, leg, command: id });
        let target = translate::invite_target(target);
        self.actions.push_back(Action::InviteThrough { leg, caller: session, target, from });
        Ok(Progress::UnderWay)
    }

    /// Answers the caller as `called` was answered.
    pub(super) fn answer_direct(
        &mut self,
        id: CommandId,
        leg_id: LegId,
        session: SessionId,
        called: LegId,
    ) -> Begun {
        let Some(state) = self.legs.get(called).map(|leg| leg.state) else {
            return Err(CommandError::UnknownLeg);
        };
        if !matches!(state, LegState::Answered { .. }) {
            return Err(wrong_state("answer", &state));
        }
        let leg = self.legs.get_mut(leg_id).ok_or(CommandError::UnknownLeg)?;
        leg.state = LegState::Accepting { session, endpoint: None, answer: id, peer: None };
        leg.media_path = MediaPath::Direct;
        let call = leg.call;
        self.attend(call);
        self.actions.push_back(Action::AcceptThrough { leg: leg_id, session });
        Ok(Progress::UnderWay)
    }
}
