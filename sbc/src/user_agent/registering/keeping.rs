//! Keep-alives of our own registrations, and what is done when the flow that one is on has gone (RFC 5626 §4.4 and §4.5).

use std::net::SocketAddr;

use tandem_time::Instant;

use super::UserAgent;
use crate::framing::PONG;
use crate::registrant::State;
use crate::slab::Slot;
use crate::stun;
use crate::transport::{FlowId, FlowOrder, Hop, TransportFailure};

/// RFC 5626 §3.5.1: asks whether a connection lives. Over UDP it only keeps a NAT's mapping, and is for registrars that know
/// nothing of `outbound` (§4.4.1 has it for no others).
const PING: &[u8] = b"\r\n\r\n";

impl UserAgent {
    pub(super) fn ping(&mut self, now: Instant, slot: Slot) {
        let Some(registrant) = self.registrants.slab.get_mut(slot) else { return };
        let Some(hop) = registrant.bound().map(|bound| bound.hop) else { return };
        let ping = registrant.ping(now, &mut self.rng).map_or_else(|| PING.to_vec(), stun::request);
        self.transmits.push_back(hop.carry(ping));
        self.counters.keep_alives_sent += 1;
    }

    /// Takes the answer to a STUN request: it is to a keep-alive of ours, or to nothing.
    pub(in crate::user_agent) fn handle_stun(
        &mut self,
        now: Instant,
        source: SocketAddr,
        id: [u8; 12],
        mapped: Option<SocketAddr>,
    ) {
        let slots: Vec<Slot> = self.registrants.slots().collect();
        let registrants = &mut self.registrants.slab;
        let mut takes = |slot: &Slot| {
            registrants.get_mut(*slot).is_some_and(|registrant| registrant.seen_at(now, source, id, mapped))
        };
        if slots.iter().any(&mut takes) {
            self.counters.keep_alives += 1;
            self.registrants.note_due();
        } else {
            self.counters.stray_responses += 1;
        }
    }

    /// Takes line ends that came on a connection: the answer to a keep-alive of ours, if it was one.
    pub(in crate::user_agent) fn handle_keep_alive(&mut self, bytes: &[u8], flow: Option<FlowId>) {
        self.counters.keep_alives += 1;
        let Some(flow) = flow.filter(|_| bytes == PONG) else { return };
        let slots: Vec<Slot> = self.registrants.slots().collect();
        for slot in slots {
            if let Some(registrant) = self.registrants.slab.get_mut(slot) {
                registrant.ponged(flow);
            }
        }
        self.registrants.note_due();
    }

    /// RFC 5626 §4.4.1: a connection that does not answer is dead, though nobody has told us; whatever is on it is lost, and the
    /// next REGISTER must not be.
    pub(super) fn close_flow(&mut self, now: Instant, slot: Slot) {
        let Some(registrant) = self.registrants.slab.get(slot) else { return };
        let hop = registrant.bound().map(|bound| bound.hop);
        if let State::Asking { transaction, .. } = registrant.state {
            self.transactions.abandon(transaction);
        }
        self.lose_flow(now, slot);
        if let Some(Hop { transport, destination, flow: Some(flow), .. }) = hop {
            self.flow_orders.push_back(FlowOrder::Close(flow));
            self.handle_transport_failure(now, TransportFailure { transport, destination, flow: Some(flow) });
        }
    }

    fn lose_flow(&mut self, now: Instant, slot: Slot) {
        self.counters.flows_lost += 1;
        if let Some(registrant) = self.registrants.slab.get_mut(slot) {
            registrant.flow_lost(now);
        }
    }

    /// RFC 5626 §4.5: a connection that is gone takes its registration with it.
    pub(in crate::user_agent) fn lose_registrations(&mut self, now: Instant, failure: &TransportFailure) {
        let is_hit = |slot: &Slot| {
            let registrant = self.registrants.slab.get(*slot);
            let hop = registrant.filter(|it| matches!(it.state, State::Registered(_)));
            let hop = hop.and_then(|it| it.bound()).map(|bound| bound.hop);
            hop.is_some_and(|hop| hop.transport.is_reliable() && hop.is_hit_by(failure))
        };
        let hit: Vec<Slot> = self.registrants.slots().filter(is_hit).collect();
        for slot in &hit {
            self.lose_flow(now, *slot);
            self.tell_registration(now, *slot);
        }
        if !hit.is_empty() {
            self.registrants.note_due();
        }
    }
}
