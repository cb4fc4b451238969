//! Requests of ours that a peer challenges are sent again with credentials (RFC 3261 §22.2, §22.3).
//!
//! A challenge is answered when it brings a nonce that the request has not answered, and, once the request had an
//! answer for that realm, only when the server says that the nonce was merely too old (RFC 7616 §3.3).

use tandem_time::Instant;

use super::compose;
use super::session::{ForkState, Peer, Phase};
use super::{Received, Role, SessionId, TrunkCredentials, UserAgent};
use crate::auth::{Asked, Challenge, Challenger};
use crate::header::Credentials;
use crate::message::{HeaderIndex, HeaderName, Message, StartLine};
use crate::transaction::{Outgoing, TransactionId};

/// How often one request goes again: for a proxy's challenge and the peer's, each stale once, or for another interval
/// of its session.
pub(super) const SENT_AGAIN_MAX: u8 = 4;

/// The most challengers and realms that a session remembers.
const REALMS_MAX: usize = 4;

impl UserAgent {
    /// Answers 401 or 407 to a request of ours; whether it was sent again.
    pub(super) fn answer_challenge(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        role: Role,
        received: Received<'_>,
    ) -> bool {
        let Some(id) = self.session_to_send_again(role, transaction) else { return false };
        let answered = self.transactions.times_sent_again(transaction);
        let is_answered = self.take_challenges(id, transaction, received.message, answered > 0)
            && self.send_again(now, id, transaction, role, received, &[]);
        if is_answered {
            self.counters.challenges_answered += 1;
        } else {
            self.counters.challenges_refused += 1;
        }
        is_answered
    }

    /// The session whose request may be sent again: not an INVITE that was cancelled meanwhile.
    pub(super) fn session_to_send_again(&self, role: Role, transaction: TransactionId) -> Option<SessionId> {
        let id = role.session()?;
        let session = self.sessions.get(id)?;
        if let Role::Fork(_) = role {
            let fork = session.forks.iter().find(|fork| fork.transaction == transaction)?;
            let is_wanted = matches!(session.phase, Phase::Calling(_))
                && matches!(fork.state, ForkState::Calling | ForkState::Proceeding);
            return is_wanted.then_some(id);
        }
        Some(id)
    }

    /// Remembers the challenges of a response; whether there are any, and all of them can be answered.
    fn take_challenges(
        &mut self,
        id: SessionId,
        transaction: TransactionId,
        response: &Message<'_>,
        is_second: bool,
    ) -> bool {
        let Some(credentials) = self.credentials_for(id) else { return false };
        let realm = credentials.realm.clone();
        let Some((sent, _)) = self.transactions.sent(transaction) else { return false };
        let Some(session) = self.sessions.get_mut(id) else { return false };
        remember_challenges(&mut session.challenges, realm.as_deref(), sent, response, is_second)
    }

    /// Sends the request of a transaction again, under a new branch and the next CSeq, with other `headers`; false when
    /// it has gone too often, or cannot.
    pub(super) fn send_again(
        &mut self,
        now: Instant,
        id: SessionId,
        transaction: TransactionId,
        role: Role,
        received: Received<'_>,
        headers: &[(HeaderName, String)],
    ) -> bool {
        let answered = self.transactions.times_sent_again(transaction);
        if answered >= SENT_AGAIN_MAX {
            return false;
        }
        let Some((sent, hop)) = self.transactions.sent(transaction) else { return false };
        let sent = sent.to_vec();
        let mut index = HeaderIndex::new();
        let Ok(request) = Message::parse(&sent, &mut index) else { return false };
        let cseq = received.essentials.cseq;
        let Some(next) = cseq.number.checked_add(1) else { return false };
        let mut changed = self.answers_for(id, &request);
        changed.extend_from_slice(headers);
        let branch = self.branch();
        // The rules of a trunk have been at the request that this one repeats.
        let (first, fallback) = self.by_size(&Peer::Phone, hop, |_, hop| {
            let via = compose::via(hop, &branch);
            compose::with_headers(&request, Some((&via, next)), &changed).unwrap_or_default()
        });
        let outgoing = Outgoing { method: cseq.method, branch: &branch, first, fallback, user: role };
        let timers = self.transactions.timers(transaction);
        let again = self.transactions.request(now, timers, outgoing);
        self.transactions.set_times_sent_again(again, answered + 1);
        if let Some(session) = self.sessions.get_mut(id) {
            if let Some(fork) = session.forks.iter_mut().find(|fork| fork.transaction == transaction) {
                fork.transaction = again;
                fork.branch = super::late::number_of(&branch);
                fork.state = ForkState::Calling;
            }
            if let Phase::Calling(calling) = &mut session.phase
                && let Some(plan) = &mut calling.plan
            {
                plan.note_cseq(next);
            }
            if let Some(change) = &mut session.change {
                change.is_sent_again(transaction, again);
            }
            if let Some(through) = &mut session.through {
                through.is_sent_again(transaction, again);
            }
            session.early_cseq = session.early_cseq.max(next);
            let tag = received.essentials.to.tag().unwrap_or_default();
            if let Some(dialog) = session.dialog_with(tag) {
                dialog.advance_cseq(next);
            }
        }
        self.settle(id);
        true
    }

    /// A request of a session with what its challengers want to see, once they have asked (RFC 7616 §3.6); as it
    /// is when nobody has.
    pub(super) fn authorised(&mut self, id: SessionId, bytes: Vec<u8>) -> Vec<u8> {
        if self.sessions.get(id).is_none_or(|session| session.challenges.is_empty()) {
            return bytes;
        }
        let mut index = HeaderIndex::new();
        let Ok(request) = Message::parse(&bytes, &mut index) else { return bytes };
        let credentials = self.answers_for(id, &request);
        compose::with_headers(&request, None, &credentials).unwrap_or_else(|| bytes.clone())
    }

    fn answers_for(&mut self, id: SessionId, request: &Message<'_>) -> Vec<(HeaderName, String)> {
        let Some(credentials) = self.credentials_for(id).cloned() else { return Vec::new() };
        let StartLine::Request { method, uri, .. } = request.start() else { return Vec::new() };
        let Ok(uri) = std::str::from_utf8(uri) else { return Vec::new() };
        let asked = Asked { method: method.as_str(), uri };
        let Some(session) = self.sessions.get_mut(id) else { return Vec::new() };
        let who = (credentials.username.as_str(), credentials.password.as_str());
        let rng = &mut self.rng;
        let answer = |challenge: &mut Challenge| {
            (answer_header(challenge.challenger), challenge.answer(rng, who, asked))
        };
        session.challenges.iter_mut().map(answer).collect()
    }

    fn credentials_for(&self, id: SessionId) -> Option<&TrunkCredentials> {
        let Peer::Trunk(name) = &self.sessions.get(id)?.peer else { return None };
        self.trunk(name)?.credentials.as_ref()
    }
}

/// Puts the challenges of a response to the request `sent` among those known; whether there are any, and none of them
/// refuses what the request had.
pub(super) fn remember_challenges(
    known: &mut Vec<Challenge>,
    realm: Option<&str>,
    sent: &[u8],
    response: &Message<'_>,
    is_second: bool,
) -> bool {
    let challenges = challenges_of(response, realm);
    let mut index = HeaderIndex::new();
    let Ok(request) = Message::parse(sent, &mut index) else { return false };
    let is_refusal = |challenge: &Challenge| {
        answers_in(&request, challenge.challenger)
            .filter(|answer| answer.param("realm").as_deref() == Some(challenge.realm.as_str()))
            .any(|answer| {
                let is_same = answer.param("nonce").as_deref() == Some(challenge.nonce.as_str());
                is_same || (is_second && !challenge.stale)
            })
    };
    if challenges.is_empty() || challenges.iter().any(is_refusal) {
        return false;
    }
    for challenge in challenges {
        let is_same = |it: &Challenge| it.challenger == challenge.challenger && it.realm == challenge.realm;
        known.retain(|it| !is_same(it));
        if known.len() == REALMS_MAX {
            known.remove(0);
        }
        known.push(challenge);
    }
    true
}

/// One challenge of each challenger and realm: the topmost that we can answer (RFC 8760 §2.4).
fn challenges_of(response: &Message<'_>, only: Option<&str>) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    for challenger in [Challenger::Peer, Challenger::Proxy] {
        let name = match challenger {
            Challenger::Peer => HeaderName::WwwAuthenticate,
            Challenger::Proxy => HeaderName::ProxyAuthenticate,
        };
        let offered = response.credentials(name).flatten();
        let known = offered.filter_map(|value| Challenge::of(&value, challenger));
        for challenge in known.filter(|challenge| only.is_none_or(|only| only == challenge.realm)) {
            let is_known = |it: &Challenge| it.challenger == challenger && it.realm == challenge.realm;
            if challenges.len() < REALMS_MAX && !challenges.iter().any(is_known) {
                challenges.push(challenge);
            }
        }
    }
    challenges
}

fn answers_in<'a>(
    request: &Message<'a>,
    challenger: Challenger,
) -> impl Iterator<Item = Credentials<'a>> + use<'a> {
    request.credentials(answer_header(challenger)).flatten()
}

pub(super) const fn answer_header(challenger: Challenger) -> HeaderName {
    match challenger {
        Challenger::Peer => HeaderName::Authorization,
        Challenger::Proxy => HeaderName::ProxyAuthorization,
    }
}
