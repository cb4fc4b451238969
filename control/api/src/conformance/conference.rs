//! Conferences of the model, and phones that call.

use tandem_time::Instant;

use super::call::LegState;
use super::model::{Caller, Happening, ModelSwitch};
use super::world::World;
use crate::{CallId, CommandError, ControlPlane, LegId, Origin, Role};

impl<P: ControlPlane, W: World> ModelSwitch<P, W> {
    /// A registered phone is going to call; its user is the caller's number.
    pub fn phone_calls_at(&mut self, at: Instant, caller: Caller) {
        let origin = Origin::User(caller.number.clone());
        self.schedule(at, Happening::Offered(caller, origin));
    }

    pub(super) fn join(&mut self, leg: LegId, call: CallId, role: Role) -> Result<bool, CommandError> {
        let state = self.known(leg)?;
        if !self.calls.contains_key(&call) {
            return Err(CommandError::UnknownCall);
        }
        if let Role::Coach { leg: coached } = role
            && self.state(coached) != Some(LegState::Conferring)
        {
            return Err(CommandError::Invalid("role".to_owned()));
        }
        let from = self.legs.get(&leg).map(|leg| leg.call).ok_or(CommandError::UnknownLeg)?;
        if self.transfers.values().any(|going| {
            let of = self.legs.get(&going.transferee()).map(|leg| leg.call);
            of == Some(from) || of == Some(call)
        }) {
            return Err(self.wrong("join", leg));
        }
        match state {
            LegState::Conferring => {}
            LegState::Answered { play, collect } => self.stopped(play, collect),
            LegState::Bridged { peer } if peer != leg => self.set(peer, LegState::IDLE),
            _ => return Err(self.wrong("join", leg)),
        }
        self.set(leg, LegState::Conferring);
        self.move_leg(leg, from, call);
        self.end_if_empty(from);
        if let Some((after, wish)) = self.world.wish() {
            self.after(after, Happening::PartyWishes { leg, wish });
        }
        Ok(true)
    }

    pub(super) fn set_level(&self, leg: LegId) -> Result<bool, CommandError> {
        match self.known(leg)? {
            LegState::Conferring => Ok(true),
            _ => Err(self.wrong("set-level", leg)),
        }
    }

    pub(super) fn unbridge(&mut self, leg: LegId) -> Result<bool, CommandError> {
        match self.known(leg)? {
            LegState::Conferring => self.set(leg, LegState::IDLE),
            LegState::Bridged { peer } => {
                self.set(leg, LegState::IDLE);
                self.set(peer, LegState::IDLE);
            }
            _ => return Err(self.wrong("unbridge", leg)),
        }
        Ok(true)
    }
}
