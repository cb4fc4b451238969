//! Transfers of the model, and what parties do that lead to them.

use super::call::LegState;
use super::model::{Happening, ModelSwitch};
use super::world::{Wish, World};
use crate::{
    CallId, CommandError, CommandId, ControlPlane, DialFailure, EndedBy, Event, LegId, Outcome, TransferTo,
};

/// A transfer under way: the target is being rung.
#[derive(Clone, Copy, Debug)]
pub(super) struct Going {
    transferor: LegId,
    transferee: LegId,
    target: LegId,
    was_bridged: bool,
}

impl Going {
    pub(super) const fn transferee(&self) -> LegId {
        self.transferee
    }
}

impl<P: ControlPlane, W: World> ModelSwitch<P, W> {
    /// One of two parties that talk may want something, soon.
    pub(super) fn wish_after_bridge(&mut self, a: LegId, b: LegId) {
        for leg in [a, b] {
            if let Some((after, wish)) = self.world.wish() {
                self.after(after, Happening::PartyWishes { leg, wish });
            }
        }
    }

    pub(super) fn wishes(&mut self, leg: LegId, wish: Wish) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        let call = entry.call;
        let is_talking = matches!(
            entry.state,
            LegState::Answered { .. } | LegState::Bridged { .. } | LegState::Conferring
        );
        match wish {
            Wish::Hold if is_talking => self.tell.push_back(Event::LegHeld { call, leg }),
            Wish::Resume if is_talking => self.tell.push_back(Event::LegResumed { call, leg }),
            Wish::Keys(keys) if is_talking => {
                let pressed = keys.chars().map(|digit| Event::Digit { call, leg, digit });
                self.tell.extend(pressed);
            }
            Wish::Transfer { to } if is_talking && !entry.asks => {
                entry.asks = true;
                self.tell.push_back(Event::TransferAsked { call, leg, to, consulted_on: None });
            }
            _ => {}
        }
    }

    pub(super) fn transfer(
        &mut self,
        id: CommandId,
        transferor: LegId,
        transferee: LegId,
        to: TransferTo,
    ) -> Result<(), CommandError> {
        let call = self.couple(transferor, transferee)?;
        match to {
            TransferTo::Dial { target, ring_timeout, .. } => {
                let was_bridged = matches!(self.known(transferor)?, LegState::Bridged { .. });
                self.dial(id, call, &target, ring_timeout)?;
                let target = self.newest_leg(call).ok_or(CommandError::UnknownCall)?;
                self.part(transferor);
                self.idle_now(transferee);
                self.transfers.insert(id, Going { transferor, transferee, target, was_bridged });
            }
            TransferTo::Party { leg: party, consulted_on } => {
                let other = self.couple(consulted_on, party)?;
                self.part(transferor);
                self.part(consulted_on);
                self.move_leg(party, other, call);
                self.bridge(transferee, party)?;
                self.done(id, Ok(Outcome::Transferred { leg: party }));
                self.let_go(transferor, transferee);
                self.let_go(consulted_on, party);
            }
            TransferTo::Control => {
                self.part(transferor);
                self.done(id, Ok(Outcome::Transferred { leg: transferee }));
                self.let_go(transferor, transferee);
            }
        }
        if let Some(leg) = self.legs.get_mut(&transferor) {
            leg.asks = false;
        }
        Ok(())
    }

    fn couple(&self, a: LegId, b: LegId) -> Result<CallId, CommandError> {
        for (leg, peer) in [(a, b), (b, a)] {
            match self.known(leg)? {
                LegState::Answered { .. } => {}
                LegState::Bridged { peer: found } if found == peer => {}
                _ => return Err(self.wrong("transfer", leg)),
            }
        }
        let call = |leg| self.legs.get(&leg).map(|leg| leg.call);
        if call(a) != call(b) {
            return Err(CommandError::DifferentCalls);
        }
        if self.transfers.values().any(|going| call(going.transferee) == call(a)) {
            return Err(self.wrong("transfer", a));
        }
        call(a).ok_or(CommandError::UnknownLeg)
    }

    /// A dial that a transfer began has its outcome.
    pub(super) fn target_settled(
        &mut self,
        id: CommandId,
        going: Going,
        outcome: Result<Outcome, CommandError>,
    ) {
        let Going { transferor, transferee, target, was_bridged } = going;
        let is_idle = |model: &Self, leg| matches!(model.state(leg), Some(LegState::Answered { .. }));
        let outcome = match outcome {
            Ok(_) if is_idle(self, transferee) => {
                let joined = self.bridge(transferee, target);
                joined.map(|_| Outcome::Transferred { leg: target })
            }
            Ok(_) => Err(self.wrong("transfer", transferee)),
            Err(error) => {
                if was_bridged && is_idle(self, transferee) && is_idle(self, transferor) {
                    self.join_again(transferor, transferee);
                }
                let is_gone = matches!(self.state(transferee), None | Some(LegState::Ending { .. }));
                Err(if is_gone { CommandError::LegEnded } else { error })
            }
        };
        let is_done = outcome.is_ok();
        self.tell.push_back(Event::Done { command: id, outcome });
        if is_done {
            self.let_go(transferor, transferee);
        }
    }

    fn join_again(&mut self, a: LegId, b: LegId) {
        self.idle_now(a);
        self.idle_now(b);
        self.set(a, LegState::Bridged { peer: b });
        self.set(b, LegState::Bridged { peer: a });
    }

    /// A leg leaves: the transferor may, without the transferee there is nobody to transfer.
    pub(super) fn leg_leaves_transfer(&mut self, leg: LegId) {
        let found =
            self.transfers.iter().find(|(_, going)| going.transferor == leg || going.transferee == leg);
        let Some((id, going)) = found.map(|(id, going)| (*id, *going)) else { return };
        if leg == going.transferor {
            self.pass_on(leg, going.transferee);
        } else {
            self.transfers.remove(&id);
            self.set(going.target, LegState::IDLE);
            self.after(Self::HANGUP_DELAY, Happening::PartyHangsUp { leg: going.target });
            self.done(id, Err(CommandError::LegEnded));
        }
    }

    /// The transferor has no part in the call any more, and ends.
    fn let_go(&mut self, transferor: LegId, to: LegId) {
        self.pass_on(transferor, to);
        if self.legs.contains_key(&transferor) {
            self.end_leg(transferor, EndedBy::Switch, CommandError::NotAnswered(DialFailure::Cancelled));
        }
    }

    fn pass_on(&mut self, from: LegId, to: LegId) {
        let call = self.legs.get(&to).map(|leg| leg.call);
        if let Some(call) = call.and_then(|call| self.calls.get_mut(&call))
            && call.caller == from
        {
            call.caller = to;
        }
    }

    pub(super) fn move_leg(&mut self, leg: LegId, from: CallId, to: CallId) {
        if from == to {
            return;
        }
        if let Some(left) = self.calls.get_mut(&from) {
            left.live.remove(&leg);
            if left.caller == leg {
                left.caller = left.live.first().copied().unwrap_or(leg);
            }
        }
        if let (Some(call), Some(entry)) = (self.calls.get_mut(&to), self.legs.get_mut(&leg)) {
            call.live.insert(leg);
            entry.call = to;
            self.tell.push_back(Event::LegMoved { call: to, leg, from });
        }
    }

    fn newest_leg(&self, call: CallId) -> Option<LegId> {
        let created = |event: &Event| match event {
            Event::LegCreated { call: of, leg, .. } if *of == call => Some(*leg),
            _ => None,
        };
        self.tell.iter().rev().find_map(created)
    }

    fn part(&mut self, leg: LegId) {
        if let Some(LegState::Bridged { peer }) = self.state(leg) {
            self.set(leg, LegState::IDLE);
            self.set(peer, LegState::IDLE);
        }
    }

    fn idle_now(&mut self, leg: LegId) {
        if let Some(LegState::Answered { play, collect }) = self.state(leg) {
            self.set(leg, LegState::IDLE);
            self.stopped(play, collect);
        }
    }
}
