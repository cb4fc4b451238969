//! At which media worker a call is: all its endpoints share one, and so do all calls of one phone, so that one of
//! them can be transferred to the other.

use tandem_control_api::{CallId, LegId};

use super::Calls;
use super::translate::PeerKind;
use crate::WorkerIndex;

impl Calls {
    /// The worker of a call, chosen now if it has none; `user` is somebody who is about to be dialled for it.
    pub(super) fn worker_of(&mut self, call_id: CallId, user: Option<&str>) -> Option<WorkerIndex> {
        let call = self.calls.get(call_id)?;
        if let Some(worker) = call.worker {
            return Some(worker);
        }
        let parties = call.legs.iter().filter_map(|leg| self.user_of(*leg));
        let near = user.into_iter().chain(parties).find_map(|user| self.worker_near(user));
        let worker = near.unwrap_or_else(|| self.endpoints.idlest_worker());
        self.calls.get_mut(call_id)?.worker = Some(worker);
        Some(worker)
    }

    /// Where a phone has another call.
    fn worker_near(&self, user: &str) -> Option<WorkerIndex> {
        let legs = self.phones.get(user)?;
        legs.iter().find_map(|leg| self.calls.get(self.legs.get(*leg)?.call)?.worker)
    }

    fn user_of(&self, leg: LegId) -> Option<&str> {
        let leg = self.legs.get(leg)?;
        matches!(leg.peer, PeerKind::Phone { .. }).then_some(leg.party.as_str())
    }

    pub(super) fn remember_phone(&mut self, leg: LegId) {
        if let Some(user) = self.user_of(leg).map(str::to_owned) {
            self.phones.entry(user).or_default().push(leg);
        }
    }

    pub(super) fn forget_phone(&mut self, leg: LegId) {
        let Some(user) = self.user_of(leg).map(str::to_owned) else { return };
        if let Some(legs) = self.phones.get_mut(&user) {
            legs.retain(|other| *other != leg);
            if legs.is_empty() {
                self.phones.remove(&user);
            }
        }
    }
}
