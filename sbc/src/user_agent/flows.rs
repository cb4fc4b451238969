//! Connections as the user agent knows them: what is lost with one, which are to be closed, and which are our own flows to a
//! carrier (RFC 5626).

use tandem_time::Instant;

use super::session::Peer;
use super::{FlowId, TransportFailure, UserAgent, compose};
use crate::transport::Hop;
use crate::uri::Scheme;

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

    /// The next connection to close, before anything else is sent.
    pub fn poll_closing(&mut self) -> Option<FlowId> {
        self.closings.pop_front()
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
