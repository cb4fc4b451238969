//! All transactions, with what they have to send and when their timers are due.

use std::collections::{BTreeSet, VecDeque};

use tandem_time::Instant;

use super::index::Index;
use super::machine::{Input, Machine};
use super::matching::{Key, Keys};
use super::{
    Effects, InviteClient, InviteServer, NonInviteClient, NonInviteServer, Send, Tell, Timers, Timing,
};
use crate::message::{Builder, Essentials, HeaderIndex, HeaderName, Message, Method, StartLine};
use crate::slab::{Slab, Slot};
use crate::transport::{Hop, Transmit, TransportFailure};

/// The most dialogs that one INVITE of ours may make; a 2xx of a further one is acknowledged each time it comes
/// and ended each time.
const DIALOGS_PER_INVITE_MAX: usize = 16;

/// Names a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TransactionId(pub(super) Slot);

/// A request to send.
#[derive(Debug)]
pub(crate) struct Outgoing<'a, U> {
    pub(crate) method: Method<'a>,
    pub(crate) branch: &'a str,
    pub(crate) first: Routed,
    /// What to try when the first fails (RFC 3261 §18.1.1).
    pub(crate) fallback: Option<Routed>,
    pub(crate) user: U,
}

/// A message and its way.
#[derive(Debug)]
pub(crate) struct Routed {
    pub(crate) hop: Hop,
    pub(crate) bytes: Vec<u8>,
}

/// What a response was to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResponseMatch<U> {
    /// No transaction of ours: late or forged.
    Stray,
    /// Seen before, and dealt with.
    Absorbed,
    /// For the transaction's user.
    Deliver {
        transaction: TransactionId,
        user: U,
        /// A 2xx whose To tag came before.
        repeated: bool,
    },
}

/// What a request was to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestMatch {
    /// Not seen before.
    New,
    /// The same request on another path (RFC 3261 §8.2.2.2).
    Merged,
    /// Seen before, and dealt with.
    Absorbed,
}

/// Something a transaction's user must know, and no message tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Notice<U> {
    pub(crate) transaction: TransactionId,
    pub(crate) user: U,
    pub(crate) tell: Tell,
}

/// How often things happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LayerCounters {
    pub(crate) retransmissions_sent: u64,
    pub(crate) retransmissions_received: u64,
    pub(crate) timeouts: u64,
    pub(crate) transport_errors: u64,
}

#[derive(Debug)]
struct Transaction<U> {
    key: Key,
    merged: Option<Key>,
    machine: Machine,
    hop: Hop,
    timers: Timers,
    user: U,
    /// The request of a client, the latest response of a server, for as long as it may have to be sent again.
    message: Vec<u8>,
    /// Of an INVITE client that was refused.
    ack: Vec<u8>,
    fallback: Option<Box<Routed>>,
    /// The To tags of the 2xx that came.
    accepted_tags: Vec<Box<str>>,
    /// How often the request went before, in transactions that were answered by asking for another one.
    sent_again: u8,
}

/// All transactions. `U` is what their user knows them by.
#[derive(Debug)]
pub(crate) struct Transactions<U> {
    keys: Keys,
    transactions: Slab<Transaction<U>>,
    clients: Index,
    servers: Index,
    merged: Index,
    deadlines: BTreeSet<(Instant, TransactionId)>,
    transmits: VecDeque<Transmit>,
    notices: VecDeque<Notice<U>>,
    counters: LayerCounters,
}

#[derive(Clone, Copy, Debug)]
enum Side {
    Client,
    Server,
}

impl<U: Copy> Transactions<U> {
    /// None yet. `secrets` are nobody else's: see [`Keys`].
    pub(crate) fn new(secrets: [u64; 2]) -> Self {
        Self {
            keys: Keys::new(secrets),
            transactions: Slab::default(),
            clients: Index::new(),
            servers: Index::new(),
            merged: Index::new(),
            deadlines: BTreeSet::new(),
            transmits: VecDeque::new(),
            notices: VecDeque::new(),
            counters: LayerCounters::default(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.transactions.len()
    }

    pub(crate) fn counters(&self) -> LayerCounters {
        self.counters
    }

    /// Sends a request.
    pub(crate) fn request(
        &mut self,
        now: Instant,
        timers: Timers,
        outgoing: Outgoing<'_, U>,
    ) -> TransactionId {
        let Outgoing { method, branch, first: Routed { hop, bytes }, fallback, user } = outgoing;
        let (machine, effects) = begin_client(now, timers, method, hop);
        let id = self.insert(
            Side::Client,
            Transaction {
                key: self.keys.client(branch, method),
                merged: None,
                machine,
                hop,
                timers,
                user,
                message: bytes,
                ack: Vec::new(),
                fallback: fallback.map(Box::new),
                accepted_tags: Vec::new(),
                sent_again: 0,
            },
        );
        self.settle(now, id, None, effects);
        id
    }

    /// Takes a response (§17.1.3). A transaction that ends with it (timers D and K are zero on reliable transports) can
    /// be asked about until the next [`Transactions::handle_timeout`]: whoever answers a challenge needs the request.
    pub(crate) fn response(
        &mut self,
        now: Instant,
        response: &Message<'_>,
        essentials: &Essentials<'_>,
        status: u16,
    ) -> ResponseMatch<U> {
        let branch = essentials.via.branch().unwrap_or_default();
        let key = self.keys.client(branch, essentials.cseq.method);
        let Some(id) = self.clients.get(key) else { return ResponseMatch::Stray };
        let timing = self.timing(id);
        let Some(transaction) = self.transactions.get_mut(id.0) else { return ResponseMatch::Stray };
        let before = transaction.machine.deadline();
        let user = transaction.user;
        let effects = transaction.machine.step(now, Input::Response { status }, &timing);
        if effects.send == Some(Send::Ack) && transaction.ack.is_empty() {
            transaction.ack = ack_of_refusal(&transaction.message, response).unwrap_or_default();
        }
        let is_success = (200..300).contains(&status);
        let delivered = effects.tell == Some(Tell::Response);
        let repeated = delivered && is_success && !transaction.is_first_of_its_tag(essentials);
        if is_success {
            transaction.forget_request();
        }
        if effects.tell.is_none() || repeated {
            self.counters.retransmissions_received += 1;
        }
        self.perform(id, Effects { send: effects.send, tell: None });
        self.file(id, before);
        if delivered {
            ResponseMatch::Deliver { transaction: id, user, repeated }
        } else {
            ResponseMatch::Absorbed
        }
    }

    /// Takes a request other than one that begins a transaction (§17.2.3).
    pub(crate) fn repeat(
        &mut self,
        now: Instant,
        request: &Message<'_>,
        essentials: &Essentials<'_>,
    ) -> RequestMatch {
        let key = self.keys.server(request, essentials);
        let Some(id) = self.servers.get(key) else {
            let known = self.keys.merged(essentials).is_some_and(|merged| self.merged.get(merged).is_some());
            let starts_one = !matches!(essentials.cseq.method, Method::Ack | Method::Cancel);
            return if known && starts_one { RequestMatch::Merged } else { RequestMatch::New };
        };
        let input = match essentials.cseq.method {
            Method::Ack => Input::Ack,
            _ => Input::Request,
        };
        let timing = self.timing(id);
        let Some(transaction) = self.transactions.get_mut(id.0) else { return RequestMatch::New };
        let before = transaction.machine.deadline();
        let effects = transaction.machine.step(now, input, &timing);
        if matches!(input, Input::Request) {
            self.counters.retransmissions_received += 1;
        }
        self.settle(now, id, before, Effects { send: effects.send, tell: None });
        match effects.tell {
            // The ACK of a 2xx in an RFC 2543 client's transaction: its dialog knows what to do.
            Some(Tell::Ack) => RequestMatch::New,
            _ => RequestMatch::Absorbed,
        }
    }

    /// Begins the transaction of a request that came; `hop` is the way its responses go (§18.2.2).
    pub(crate) fn accept(
        &mut self,
        request: &Message<'_>,
        essentials: &Essentials<'_>,
        timers: Timers,
        hop: Hop,
        user: U,
    ) -> TransactionId {
        let machine = match essentials.cseq.method {
            Method::Invite => Machine::InviteServer(InviteServer::new()),
            _ => Machine::NonInviteServer(NonInviteServer::new()),
        };
        self.insert(
            Side::Server,
            Transaction {
                key: self.keys.server(request, essentials),
                merged: self.keys.merged(essentials),
                machine,
                hop,
                timers,
                user,
                message: Vec::new(),
                ack: Vec::new(),
                fallback: None,
                accepted_tags: Vec::new(),
                sent_again: 0,
            },
        )
    }

    /// Sends a response in a server transaction; nothing happens when it is gone.
    pub(crate) fn respond(&mut self, now: Instant, id: TransactionId, status: u16, bytes: Vec<u8>) {
        let timing = self.timing(id);
        let Some(transaction) = self.transactions.get_mut(id.0) else { return };
        transaction.message = bytes;
        let before = transaction.machine.deadline();
        let effects = transaction.machine.step(now, Input::Response { status }, &timing);
        self.settle(now, id, before, effects);
    }

    /// The INVITE server transaction that a CANCEL means (§9.2).
    pub(crate) fn cancelled(
        &self,
        request: &Message<'_>,
        essentials: &Essentials<'_>,
    ) -> Option<(TransactionId, U)> {
        let id = self.servers.get(self.keys.cancelled(request, essentials))?;
        self.transactions.get(id.0).map(|transaction| (id, transaction.user))
    }

    /// Whether a request of ours went out under this branch and is still under way: it came back to us.
    pub(crate) fn is_ours(&self, branch: &str, method: Method<'_>) -> bool {
        self.clients.get(self.keys.client(branch, method)).is_some()
    }

    /// The request of a client transaction, and its way.
    pub(crate) fn sent(&self, id: TransactionId) -> Option<(&[u8], Hop)> {
        self.transactions.get(id.0).map(|transaction| (transaction.message.as_slice(), transaction.hop))
    }

    /// The timers of a transaction.
    pub(crate) fn timers(&self, id: TransactionId) -> Timers {
        self.timing(id).timers
    }

    /// How often the request of a transaction went before, in others (§22.2).
    pub(crate) fn times_sent_again(&self, id: TransactionId) -> u8 {
        self.transactions.get(id.0).map_or(0, |transaction| transaction.sent_again)
    }

    /// Says so of a request that was just sent.
    pub(crate) fn set_times_sent_again(&mut self, id: TransactionId, times: u8) {
        if let Some(transaction) = self.transactions.get_mut(id.0) {
            transaction.sent_again = times;
        }
    }

    /// Who waits for what comes of a transaction.
    pub(crate) fn user(&self, id: TransactionId) -> Option<U> {
        self.transactions.get(id.0).map(|transaction| transaction.user)
    }

    /// Lets another user have what comes of a transaction.
    pub(crate) fn hand_over(&mut self, id: TransactionId, user: U) {
        if let Some(transaction) = self.transactions.get_mut(id.0) {
            transaction.user = user;
        }
    }

    /// Sends an INVITE no more, whose answer is still waited for.
    pub(crate) fn hush(&mut self, now: Instant, id: TransactionId) {
        let Some(transaction) = self.transactions.get_mut(id.0) else { return };
        let before = transaction.machine.deadline();
        if let Machine::InviteClient(machine) = &mut transaction.machine {
            *machine = machine.hushed();
        }
        self.settle(now, id, before, Effects::NONE);
    }

    /// Gives a transaction up.
    pub(crate) fn abandon(&mut self, id: TransactionId) {
        let before = self.transactions.get(id.0).and_then(|transaction| transaction.machine.deadline());
        self.remove(id, before);
    }

    pub(crate) fn handle_transport_failure(&mut self, now: Instant, failure: &TransportFailure) {
        let hit: Vec<TransactionId> = self
            .transactions
            .iter()
            .filter(|(_, transaction)| transaction.hop.is_hit_by(failure))
            .map(|(slot, _)| TransactionId(slot))
            .collect();
        for id in hit {
            self.fail(now, id);
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(due, id)) = self.deadlines.first()
            && due <= now
        {
            let timing = self.timing(id);
            let Some(transaction) = self.transactions.get_mut(id.0) else {
                self.deadlines.remove(&(due, id));
                continue;
            };
            let effects = transaction.machine.fire(now, &timing).unwrap_or_default();
            if effects.send.is_some() {
                self.counters.retransmissions_sent += 1;
            }
            self.settle(now, id, Some(due), effects);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(due, _)| *due)
    }

    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    pub(crate) fn poll_notice(&mut self) -> Option<Notice<U>> {
        self.notices.pop_front()
    }

    fn fail(&mut self, now: Instant, id: TransactionId) {
        self.counters.transport_errors += 1;
        let timing = self.timing(id);
        let Some(transaction) = self.transactions.get_mut(id.0) else { return };
        let before = transaction.machine.deadline();
        if let Some(Routed { hop, bytes }) = transaction.fallback.take().map(|fallback| *fallback) {
            transaction.hop = hop;
            transaction.message = bytes;
            let is_invite = matches!(transaction.machine, Machine::InviteClient(_));
            let method = if is_invite { Method::Invite } else { Method::Bye };
            let (machine, effects) = begin_client(now, timing.timers, method, hop);
            if let Some(transaction) = self.transactions.get_mut(id.0) {
                transaction.machine = machine;
            }
            return self.settle(now, id, before, effects);
        }
        let effects = transaction.machine.step(now, Input::TransportError, &timing);
        self.settle(now, id, before, effects);
    }

    fn timing(&self, id: TransactionId) -> Timing {
        match self.transactions.get(id.0) {
            Some(it) => Timing { timers: it.timers, reliable: it.hop.transport.is_reliable() },
            None => Timing { timers: Timers::default(), reliable: false },
        }
    }

    fn insert(&mut self, side: Side, transaction: Transaction<U>) -> TransactionId {
        let (key, merged) = (transaction.key, transaction.merged);
        let id = TransactionId(self.transactions.insert(transaction));
        if let Some(merged) = merged {
            self.merged.insert(merged, id);
        }
        self.of_side(side).insert(key, id);
        id
    }

    /// Does what a step asks for, files the next deadline, and lets a terminated transaction go. Timers that are
    /// zero fire at once.
    fn settle(&mut self, now: Instant, id: TransactionId, before: Option<Instant>, effects: Effects) {
        self.perform(id, effects);
        let timing = self.timing(id);
        loop {
            let Some(transaction) = self.transactions.get_mut(id.0) else { return };
            match transaction.machine.fire(now, &timing) {
                Some(effects) => self.perform(id, effects),
                None => break,
            }
        }
        self.file(id, before);
    }

    /// Files a transaction under its next deadline, or lets go of it.
    fn file(&mut self, id: TransactionId, before: Option<Instant>) {
        let Some(transaction) = self.transactions.get(id.0) else { return };
        if transaction.machine.is_terminated() {
            return self.remove(id, before);
        }
        let after = transaction.machine.deadline();
        if before != after {
            if let Some(transaction) = self.transactions.get_mut(id.0) {
                transaction.forget_what_is_never_sent_again();
            }
            before.map(|due| self.deadlines.remove(&(due, id)));
            after.map(|due| self.deadlines.insert((due, id)));
        }
    }

    fn perform(&mut self, id: TransactionId, effects: Effects) {
        let Some(transaction) = self.transactions.get_mut(id.0) else { return };
        let kept = effects.send.map(|send| match send {
            Send::Request | Send::Response => &mut transaction.message,
            Send::Ack => &mut transaction.ack,
        });
        if let Some(kept) = kept.filter(|kept| !kept.is_empty()) {
            // The copy has no room to spare, and it is what stays.
            let copy = kept.clone();
            let bytes = std::mem::replace(kept, copy);
            self.transmits.push_back(transaction.hop.carry(bytes));
        }
        if let Some(tell) = effects.tell {
            if tell == Tell::Timeout {
                self.counters.timeouts += 1;
            }
            self.notices.push_back(Notice { transaction: id, user: transaction.user, tell });
        }
    }

    fn remove(&mut self, id: TransactionId, before: Option<Instant>) {
        let Some(transaction) = self.transactions.remove(id.0) else { return };
        if let Some(due) = before {
            self.deadlines.remove(&(due, id));
        }
        let side = match transaction.machine {
            Machine::InviteClient(_) | Machine::NonInviteClient(_) => Side::Client,
            Machine::InviteServer(_) | Machine::NonInviteServer(_) => Side::Server,
        };
        self.of_side(side).remove(transaction.key, id);
        if let Some(merged) = transaction.merged {
            self.merged.remove(merged, id);
        }
    }

    const fn of_side(&mut self, side: Side) -> &mut Index {
        match side {
            Side::Client => &mut self.clients,
            Side::Server => &mut self.servers,
        }
    }
}

fn begin_client(now: Instant, timers: Timers, method: Method<'_>, hop: Hop) -> (Machine, Effects) {
    let timing = Timing { timers, reliable: hop.transport.is_reliable() };
    if method == Method::Invite {
        let (machine, effects) = InviteClient::new(now, &timing);
        return (Machine::InviteClient(machine), effects);
    }
    let (machine, effects) = NonInviteClient::new(now, &timing);
    (Machine::NonInviteClient(machine), effects)
}

impl<U> Transaction<U> {
    /// What an INVITE's transaction has sent a 2xx or got an ACK for is not its to send again (RFC 6026 §7.1).
    fn forget_what_is_never_sent_again(&mut self) {
        let is_done = matches!(
            self.machine,
            Machine::InviteServer(InviteServer::Accepted { .. } | InviteServer::Confirmed { .. })
        );
        if is_done {
            self.message = Vec::new();
        }
    }

    /// A request that was granted goes out no more, but for the credentials that its ACK repeats (§22.1).
    fn forget_request(&mut self) {
        self.fallback = None;
        if !has_credentials(&self.message) {
            self.message = Vec::new();
        }
    }

    fn is_first_of_its_tag(&mut self, essentials: &Essentials<'_>) -> bool {
        let tag = essentials.to.tag().unwrap_or_default();
        if self.accepted_tags.iter().any(|known| **known == *tag) {
            return false;
        }
        if self.accepted_tags.len() < DIALOGS_PER_INVITE_MAX {
            self.accepted_tags.push(tag.into());
        }
        true
    }
}

fn has_credentials(request: &[u8]) -> bool {
    let mut index = HeaderIndex::new();
    let has = |request: Message<'_>| {
        request.has(HeaderName::Authorization) || request.has(HeaderName::ProxyAuthorization)
    };
    Message::parse(request, &mut index).is_ok_and(has)
}

/// §17.1.1.3: the ACK of a refusal has the INVITE's Request-URI, top Via, From, Call-ID, Route and CSeq number, and
/// the response's To.
fn ack_of_refusal(invite: &[u8], response: &Message<'_>) -> Option<Vec<u8>> {
    let mut index = HeaderIndex::new();
    let invite = Message::parse(invite, &mut index).ok()?;
    let StartLine::Request { uri, .. } = invite.start() else { return None };
    let uri = std::str::from_utf8(uri).ok()?;
    let cseq = invite.cseq().ok()?;
    let builder = Builder::request(Method::Ack, uri)
        .copy(&invite, HeaderName::Via)
        .copy(&invite, HeaderName::Route)
        .header(HeaderName::MaxForwards, 70)
        .copy(&invite, HeaderName::From)
        .copy(response, HeaderName::To)
        .copy(&invite, HeaderName::CallId)
        .header(HeaderName::CSeq, format_args!("{} ACK", cseq.number))
        // RFC 7989.
        .copy(&invite, HeaderName::SessionId);
    Some(builder.finish())
}

#[cfg(test)]
mod tests;
