//! Where the rules of a trunk see its messages: before the user agent reads what came, and last of all before a
//! message of ours is handed to its transaction, so that it leaves the same each time it is sent again.

use tandem_time::Instant;

use super::session::Peer;
use super::{Role, SessionId, UserAgent};
use crate::message::{HeaderIndex, Message};
use crate::rules::{Rewritten, RuleSet, TrunkRules};
use crate::source::SourceClass;
use crate::transaction::{Outgoing, Routed, TransactionId};
use crate::transport::{Hop, Packet};

impl UserAgent {
    /// What the rules of a trunk make of a message from it; `None` when it stays as it is.
    pub(super) fn rewritten(&self, class: SourceClass, message: &Message<'_>) -> Option<Rewritten> {
        let SourceClass::Trunk(index) = class else { return None };
        self.config.trunks.get(index)?.rules.as_ref()?.inbound.apply(message)
    }

    /// Reads a message that rules have changed.
    pub(super) fn handle_rewritten(
        &mut self,
        now: Instant,
        packet: &Packet<'_>,
        peer: &Peer,
        rewritten: &Rewritten,
    ) {
        self.count_rewritten(rewritten);
        let (mut index, mut parties_index) = (HeaderIndex::new(), HeaderIndex::new());
        let bytes = rewritten.with_own_parties.as_ref().unwrap_or(&rewritten.bytes);
        let packet = Packet { bytes, ..*packet };
        // Rules give away nothing that cannot be read; were it otherwise, the packet would be one of no use.
        let (Ok(message), Ok(parties)) =
            (Message::parse(bytes, &mut index), Message::parse(&rewritten.bytes, &mut parties_index))
        else {
            self.counters.parse_errors += 1;
            return;
        };
        self.handle_message(now, &packet, peer, &message, &parties);
    }

    /// Begins the transaction of a request of ours.
    pub(super) fn send(&mut self, now: Instant, peer: &Peer, outgoing: Outgoing<'_, Role>) -> TransactionId {
        let id = outgoing.user.session();
        let first = self.ready(peer, id, outgoing.first);
        let fallback = outgoing.fallback.map(|fallback| self.ready(peer, id, fallback));
        let timers = self.timers(peer);
        self.transactions.request(now, timers, Outgoing { first, fallback, ..outgoing })
    }

    fn ready(&mut self, peer: &Peer, id: Option<SessionId>, routed: Routed) -> Routed {
        Routed { bytes: self.ruled(peer, self.identified(id, routed.bytes)), ..routed }
    }

    /// A message of ours to a peer.
    pub(super) fn ruled(&mut self, peer: &Peer, bytes: Vec<u8>) -> Vec<u8> {
        let Peer::Trunk(name) = peer else { return bytes };
        let rewritten = self
            .trunk(name)
            .and_then(|trunk| trunk.rules.as_ref())
            .and_then(|rules| rewrite(&rules.outbound, &bytes));
        self.taken(rewritten, bytes)
    }

    /// How long a message of ours to a peer will be.
    pub(super) fn ruled_len(&self, peer: &Peer, bytes: &[u8]) -> usize {
        let Peer::Trunk(name) = peer else { return bytes.len() };
        let rules = self.trunk(name).and_then(|trunk| trunk.rules.as_ref());
        let rewritten = rules.and_then(|rules| rewrite(&rules.outbound, bytes));
        rewritten.map_or(bytes.len(), |rewritten| rewritten.bytes.len())
    }

    /// A response of ours to a request under way.
    pub(super) fn ruled_for(&mut self, transaction: TransactionId, bytes: Vec<u8>) -> Vec<u8> {
        let id = self.transactions.user(transaction).and_then(Role::session);
        let bytes = self.identified(id, bytes);
        match self.transactions.sent(transaction).map(|(_, hop)| hop) {
            Some(hop) => self.ruled_response(hop, bytes),
            None => bytes,
        }
    }

    /// A response of ours on its way.
    pub(super) fn ruled_response(&mut self, hop: Hop, bytes: Vec<u8>) -> Vec<u8> {
        let rewritten = self.rules_at(hop).and_then(|rules| rewrite(&rules.outbound, &bytes));
        self.taken(rewritten, bytes)
    }

    /// Responses go to where their requests came from.
    fn rules_at(&self, hop: Hop) -> Option<&TrunkRules> {
        match self.allow_list.class(hop.destination.ip())? {
            SourceClass::Trunk(index) => self.config.trunks.get(index)?.rules.as_deref(),
            SourceClass::Phone => None,
        }
    }

    fn taken(&mut self, rewritten: Option<Rewritten>, bytes: Vec<u8>) -> Vec<u8> {
        let Some(rewritten) = rewritten else { return bytes };
        self.count_rewritten(&rewritten);
        rewritten.bytes
    }

    fn count_rewritten(&mut self, rewritten: &Rewritten) {
        self.counters.messages_rewritten += 1;
        self.counters.rules_passed_over += u64::from(rewritten.passed_over);
    }
}

fn rewrite(rules: &RuleSet, bytes: &[u8]) -> Option<Rewritten> {
    if rules.is_empty() {
        return None;
    }
    let mut index = HeaderIndex::new();
    rules.apply(&Message::parse(bytes, &mut index).ok()?)
}
