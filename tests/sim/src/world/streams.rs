//! Messages that travel on connections: the shell's part of TCP and TLS, and what breaks.

use std::time::Duration;

use tandem_phone::Phone;
use tandem_sbc::user_agent::{FlowId, Transport, TransportFailure};

use super::{Happening, World};
use crate::configuration::phone_address;
use crate::connection::{self, Connection, End};
use crate::node::{self, Departure};
use crate::tap::Way;

impl World {
    /// A phone connects, unless it uses datagrams.
    pub(super) fn connects(&mut self, n: usize) {
        let Some(plan) = self.seen.scenario.phones.get(n) else { return };
        let Some(transport) = connection::as_stream(plan.over) else { return };
        let flow = FlowId(self.next_flow);
        self.next_flow += 1;
        self.connections.insert(n + 1, Connection::new(flow, transport));
        self.trace.line(self.now, format_args!("{} connects, {flow:?}", phone_address(plan.host)));
    }

    /// Whatever is under way on a phone's connection is lost, half messages too; both ends are told.
    pub(super) fn connection_breaks(&mut self, n: usize) {
        let Some(Connection { flow, transport, .. }) = self.connections.remove(&(n + 1)) else { return };
        self.trace.line(self.now, format_args!("{flow:?} breaks"));
        let Some(destination) = self.parties.get(n + 1).map(|party| party.phone.config().address) else {
            return;
        };
        let failure = TransportFailure { transport, destination, flow: Some(flow) };
        self.node.handle_stream_failure(self.now, failure);
        self.drain_node();
        self.act(n + 1, Phone::connection_lost);
    }

    /// A message goes out on a party's connection in two pieces; lost when there is none.
    pub(super) fn stream(&mut self, party: usize, end: End, bytes: &[u8]) {
        let Some(host) = self.parties.get(party).map(|it| it.phone.config().address.ip()) else { return };
        let Some(connection) = self.connections.get_mut(&party) else { return };
        let (first, second) = bytes.split_at(self.network.cut(bytes.len()));
        let flow = connection.flow;
        for piece in [first, second] {
            let at = self.network.stream_arrival(self.now, host, node::ADDRESS);
            let at = connection.in_order(end, at);
            self.sequence += 1;
            let piece = Happening::Piece { party, flow, end, bytes: piece.to_vec() };
            self.queue.insert((at, self.sequence), piece);
        }
    }

    pub(super) fn piece_arrives(&mut self, party: usize, flow: FlowId, end: End, piece: &[u8]) {
        let Some(connection) = self.connections.get_mut(&party).filter(|it| it.flow == flow) else { return };
        let transport = connection.transport;
        let Some(address) = self.parties.get(party).map(|it| it.phone.config().address) else { return };
        for message in connection.arrive(end, piece) {
            match end {
                End::Node => {
                    self.tap(Way::In, address, &message);
                    self.node.handle_stream(self.now, address, (transport, flow), &message);
                    self.drain_node();
                }
                End::Phone => self.act(party, |phone, now| phone.handle_sip(now, node::SIP, &message)),
            }
        }
    }

    /// On the connection that is meant, if it is there; the phone takes no others.
    pub(super) fn depart_by_stream(
        &mut self,
        departure: &Departure,
        transport: Transport,
        flow: Option<FlowId>,
    ) {
        let destination = departure.destination;
        let party = self.by_host.get(&destination.ip()).copied();
        let is_up = |party: &usize| self.connections.get(party).is_some_and(|it| Some(it.flow) == flow);
        match party.filter(is_up) {
            Some(party) => self.stream(party, End::Phone, &departure.bytes),
            None => {
                let at = self.now + Duration::from_millis(2);
                self.at(at, Happening::Refused(TransportFailure { transport, destination, flow }));
            }
        }
    }

    /// Whether a party's SIP goes over connections.
    pub(super) fn is_on_connection(&self, party: usize) -> bool {
        let plan = party.checked_sub(1).and_then(|n| self.seen.scenario.phones.get(n));
        plan.is_some_and(|plan| plan.over != tandem_phone::Transport::Udp)
    }
}
