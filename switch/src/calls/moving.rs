//! Endpoints move to the media worker of the call that their leg has come to: endpoints are bridged within one worker
//! only, and all those of a call share it.
//!
//! ```text
//! switch          worker of the old call        worker of the new call
//!   ├─ HandOver ─────────▶│                               │
//!   │◀─────── HandedOver ─┤ (its state, sockets closed)   │
//!   ├─ TakeOver ──────────────────────────────────────────▶│ (the same port)
//!   │◀───────────────────────────────────────────── Opened ─┤
//!   ├─ what it was told meanwhile; Bridge, when its leg talks to somebody ─▶│
//! ```
//!
//! The peer notices nothing: the port, the stream's numbers and the keys stay what they were. Should another program take
//! the port in between, the leg ends for want of media.

use tandem_control_api::LegId;
use tandem_media as media;
use tandem_media::EndpointId;

use super::{Action, Calls};
use crate::WorkerIndex;

impl Calls {
    /// Takes a leg's endpoint to where its call is.
    pub(super) fn move_endpoint(&mut self, leg_id: LegId) {
        let Some(leg) = self.legs.get(leg_id) else { return };
        let (call, endpoint) = (leg.call, leg.state.endpoint());
        let (Some(to), Some(endpoint)) = (self.worker_of(call, None), endpoint) else { return };
        if let Some((worker, command)) = self.endpoints.move_to(endpoint, to) {
            self.actions.push_back(Action::Media { worker, command });
        }
    }

    pub(super) fn handed_over(
        &mut self,
        worker: WorkerIndex,
        endpoint: EndpointId,
        parcel: media::Parcel,
    ) -> Option<()> {
        let leg = self.endpoints.owner(endpoint, worker)?;
        let address = self.calls.get(self.legs.get(leg)?.call)?.config.media_address;
        let (worker, command) = self.endpoints.handed_over(endpoint, address, parcel)?;
        self.actions.push_back(Action::Media { worker, command });
        Some(())
    }

    /// An endpoint is open: if it has moved, it is told what waited, and joined to whom its leg talks.
    pub(super) fn arrived(&mut self, leg_id: LegId, endpoint: EndpointId) {
        for command in self.endpoints.take_waiting(endpoint) {
            self.command_endpoint(endpoint, |_| command);
        }
        // Its leg may have gone on to yet another call meanwhile.
        self.move_endpoint(leg_id);
        let peer = self.legs.get(leg_id).and_then(|leg| leg.state.peer());
        let other = peer.and_then(|peer| self.legs.get(peer)).and_then(|peer| peer.state.endpoint());
        if let Some(other) = other {
            self.join_endpoints(endpoint, other);
        }
        self.seat_arrived(leg_id);
    }

    /// Bridges two endpoints that are at one worker; of those that move, the last to arrive is bridged then.
    pub(super) fn join_endpoints(&mut self, a: EndpointId, b: EndpointId) {
        let worker = |endpoint| self.endpoints.worker_of_open(endpoint);
        if worker(a).is_some() && worker(a) == worker(b) {
            self.command_endpoint(a, |a| media::Command::Bridge { a, b });
        }
    }
}
