//! Connections of a peer that may carry our requests to it (RFC 5923).
//!
//! A peer that connects to us from some port, proves by certificate who it is, and puts `alias` into its Via is reached
//! on that connection as if we had connected to its sent-by port.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::session::Peer;
use super::{Received, UserAgent};
use crate::transport::{FlowId, Hop, Transport};

/// The most aliases; one more is not taken, and a connection of our own is made.
const ALIASES_MAX: usize = 1_024;

impl UserAgent {
    /// RFC 5923 §6: notes that the connection of a request may carry ours, when its trunk has shown a certificate
    /// (§8.2: nobody else may claim an address).
    pub(super) fn learn_alias(&mut self, received: Received<'_>) {
        let (Peer::Trunk(name), Some(flow)) = (received.peer, received.packet.flow) else { return };
        let via = &received.essentials.via;
        if received.packet.transport != Transport::Tls || !via.params.has("alias") {
            return;
        }
        if self.trunk(name).is_some_and(|trunk| trunk.is_authenticated) {
            let port = via.port.unwrap_or(Transport::Tls.default_port());
            self.aliases.insert(SocketAddr::new(received.packet.source.ip(), port), flow);
        }
    }
}

/// The newest connection from each address that may be used in its place.
#[derive(Debug, Default)]
pub(super) struct Aliases {
    flows: BTreeMap<SocketAddr, FlowId>,
}

impl Aliases {
    fn insert(&mut self, address: SocketAddr, flow: FlowId) {
        if self.flows.len() < ALIASES_MAX || self.flows.contains_key(&address) {
            self.flows.insert(address, flow);
        }
    }

    /// The way to a destination: on its own connection when there is one.
    pub(super) fn apply(&self, hop: Hop) -> Hop {
        if hop.transport != Transport::Tls || hop.flow.is_some() {
            return hop;
        }
        Hop { flow: self.flows.get(&hop.destination).copied(), ..hop }
    }

    pub(super) fn forget(&mut self, gone: FlowId) {
        self.flows.retain(|_, flow| *flow != gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_taken_up_to_the_maximum_and_not_past_it() {
        let mut aliases = Aliases::default();
        let address = |port: usize| SocketAddr::from(([192, 0, 2, 1], u16::try_from(port).expect("a port")));
        for port in 1..=ALIASES_MAX {
            aliases.insert(address(port), FlowId(1));
        }
        aliases.insert(address(ALIASES_MAX + 1), FlowId(2));
        aliases.insert(address(1), FlowId(3));
        assert_eq!(aliases.flows.len(), ALIASES_MAX);
        assert_eq!(aliases.flows.get(&address(1)), Some(&FlowId(3)), "a newer connection of the same peer");
        aliases.forget(FlowId(3));
        aliases.insert(address(ALIASES_MAX + 1), FlowId(2));
        assert_eq!(aliases.flows.get(&address(ALIASES_MAX + 1)), Some(&FlowId(2)), "there is room again");
    }
}
