//! Endpoints that go to another worker, and those that come from one.

use std::net::SocketAddr;

use super::{IoRequest, Slot, Worker, opened};
use crate::{EndpointId, Event, Parcel};

impl Worker {
    pub(super) fn hand_over(&mut self, id: EndpointId) -> Option<()> {
        opened(&mut self.slots, id)?;
        self.part(id);
        let slot = self.slots.get_mut(id.index as usize)?;
        let Slot::Opened(mut endpoint) = std::mem::replace(slot, Slot::Free) else { return None };
        endpoint.queued = false;
        self.free(id);
        self.requests.push_back(IoRequest::Unbind { endpoint: id });
        self.events.push(Event::HandedOver { endpoint: id, parcel: Parcel(endpoint) });
        Some(())
    }

    pub(super) fn take_over(&mut self, id: EndpointId, local: SocketAddr, parcel: Parcel) -> Option<()> {
        match self.slots.get_mut(id.index as usize) {
            Some(slot @ Slot::Free) if parcel.0.id == id => {
                *slot = Slot::Arriving(parcel.0);
                self.taken += 1;
                self.requests.push_back(IoRequest::Bind { endpoint: id, local });
            }
            _ => self.events.push(Event::Closed { endpoint: id, statistics: parcel.0.statistics(self.now) }),
        }
        Some(())
    }

    /// One that another worker had is bound, or not.
    pub(super) fn arrive(&mut self, id: EndpointId, bound: bool) {
        let Some(slot) = self.slots.get_mut(id.index as usize) else { return };
        let Slot::Arriving(mut endpoint) = std::mem::replace(slot, Slot::Free) else { return };
        if !bound {
            self.free(id);
            return self
                .events
                .push(Event::Closed { endpoint: id, statistics: endpoint.statistics(self.now) });
        }
        // A handshake that was not done has lost its other half.
        if endpoint.dtls().is_some() && endpoint.handshake_destination().is_some() {
            self.requests.push_back(IoRequest::Handshake { endpoint: id });
        }
        endpoint.arrive();
        if endpoint.has_packet() {
            endpoint.queued = true;
            self.outbox.push_back(id.index);
        }
        self.deadlines.set(id.index, endpoint.deadline());
        *slot = Slot::Opened(endpoint);
        self.events.push(Event::Opened { endpoint: id });
    }
}
