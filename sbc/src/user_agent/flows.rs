//! Connections as the user agent knows them: what is lost with one, how long one stays, and which are our own flows to a
//! carrier (RFC 5626).

use std::time::Duration;

use tandem_time::Instant;

use super::session::Peer;
use super::{FlowOrder, Received, TransportFailure, UserAgent, compose};
use crate::registrar::Binding;
use crate::transport::Hop;
use crate::uri::Scheme;

/// How late a keep-alive, or the next REGISTER, may come.
const LATE_MAX: Duration = Duration::from_secs(30);

impl UserAgent {
    /// Takes the news that something could not be sent, or that a connection is gone.
    pub fn handle_transport_failure(&mut self, now: Instant, failure: TransportFailure) {
        if let Some(flow) = failure.flow {
            self.aliases.forget(flow);
            for change in self.registrar.forget_flow(flow) {
                self.tell_reachability(change);
            }
        }
        self.transactions.handle_transport_failure(now, &failure);
        self.lose_registrations(now, &failure);
        self.handle_notices(now);
    }

    /// What is to become of a connection, before anything else is sent.
    pub fn poll_flow_order(&mut self) -> Option<FlowOrder> {
        self.flow_orders.pop_front()
    }

    /// A phone has registered on a connection, which is how it is reached: who is to keep that alive is gone when it does
    /// not (RFC 5626 §4.4.1), anybody else need say nothing before its registration ends.
    pub(super) fn keep_flow_of(
        &mut self,
        now: Instant,
        received: Received<'_>,
        user: &str,
        keeps_alive: bool,
    ) {
        let Some(flow) = received.packet.flow.filter(|_| !received.packet.transport.is_websocket()) else {
            return;
        };
        let is_on_it = |binding: &&Binding| binding.hop.flow == Some(flow);
        let until = self.registrar.bindings(user).iter().filter(is_on_it).map(|it| it.expires).max();
        let Some(until) = until else { return };
        let promised = self.config.phones.flow_timer.filter(|_| keeps_alive);
        self.flow_orders.push_back(match promised {
            Some(interval) => FlowOrder::Expect(flow, interval + LATE_MAX),
            None => FlowOrder::Keep(flow, until - now + LATE_MAX),
        });
    }

    /// A way to a trunk: on our flow, when that leads there (RFC 5626 §4.3).
    pub(super) fn on_own_flow(&self, trunk: &str, hop: Hop) -> Hop {
        self.registrants.flow_like(trunk, &hop).unwrap_or(hop)
    }

    /// A Contact that leads back to us. RFC 5626 §4.3: `ob` asks for later requests of the dialog on the same flow.
    pub(super) fn contact_for(&self, peer: &Peer, scheme: Scheme, hop: &Hop) -> String {
        let contact = compose::contact(scheme, hop);
        match peer {
            Peer::Trunk(name) if self.registrants.flow_like(name, hop).is_some() => {
                contact.replacen('>', ";ob>", 1)
            }
            _ => contact,
        }
    }
}
