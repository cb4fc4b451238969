//! Which calls are let in: limits, overload, and the emergency calls that pass both.
//!
//! A new INVITE that would be refused is refused before anything is made for it: no transaction, no session, no
//! look at its credentials or its body (RFC 3261 §8.2.7, §21.5.4).

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tandem_time::Instant;

use super::session::Peer;
use super::{InviteTarget, RETRY_AFTER, Received, SessionError, TrunkUse, UserAgent};
use crate::message::{HeaderName, Message, Method};
use crate::trunk::{Admission, Claim, SourceLimits, TrunkLimits};
use crate::uri::{Scheme, Uri};

/// Sessions and transactions beyond their maximum that emergency calls may take: even they are bounded.
pub(super) const EMERGENCY_ROOM: usize = 1_000;

/// Whether we are behind with our work, by how long messages wait for us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Overload {
    /// New calls are taken.
    #[default]
    None,
    /// New calls are refused; what is under way goes on.
    Shedding,
}

impl Overload {
    /// Refusing starts beyond `max_delay` and stops at half of it, so that it does not flutter.
    fn after(self, delay: Duration, max_delay: Duration) -> Self {
        match self {
            Self::None if delay > max_delay => Self::Shedding,
            Self::Shedding if delay <= max_delay / 2 => Self::None,
            unchanged => unchanged,
        }
    }
}

/// Calls that were refused and forgotten, remembered by a hash for as long as copies of them may come: a copy must not
/// be let in when there is room again, since its caller has gone elsewhere (RFC 3261 §17.2.1 without its state).
#[derive(Debug, Default)]
pub(super) struct Shed {
    by_age: VecDeque<(Instant, u64)>,
    known: BTreeMap<u64, Refused>,
}

/// The most calls that are remembered; of a longer storm the oldest are not.
const SHED_MAX: usize = 4_096;

impl Shed {
    fn find(&mut self, now: Instant, call: u64) -> Option<Refused> {
        while let Some((until, old)) = self.by_age.front().copied()
            && until <= now
        {
            self.by_age.pop_front();
            self.known.remove(&old);
        }
        self.known.get(&call).copied()
    }

    fn remember(&mut self, until: Instant, call: u64, refused: Refused) {
        self.known.insert(call, refused);
        self.by_age.push_back((until, call));
        if self.by_age.len() > SHED_MAX
            && let Some((_, oldest)) = self.by_age.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

/// Why a call is not admitted, and when to try again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused {
    pub(super) retry_after: Duration,
}

impl UserAgent {
    /// Takes how long the next packet has waited for us since it came: what new calls are admitted by.
    pub fn handle_queue_delay(&mut self, delay: Duration) {
        self.overload = self.overload.after(delay, self.config.limits.max_queue_delay);
    }

    /// Whether new calls are refused since messages wait too long.
    #[must_use]
    pub fn is_overloaded(&self) -> bool {
        self.overload == Overload::Shedding
    }

    /// What each trunk carries.
    pub fn trunk_uses(&self) -> impl Iterator<Item = TrunkUse> {
        self.admissions.trunks()
    }

    /// Whether a new INVITE was answered with 503 and forgotten.
    pub(super) fn shed(&mut self, now: Instant, received: Received<'_>) -> bool {
        if received.essentials.cseq.method != Method::Invite || received.essentials.to.tag().is_some() {
            return false;
        }
        let call = call_hash(received);
        if let Some(Refused { retry_after }) = self.shed_calls.find(now, call) {
            self.counters.retransmissions_received += 1;
            self.refuse_without_state(received, retry_after);
            return true;
        }
        let is_emergency = self.is_emergency(received);
        let refused = if self.is_overloaded() && !is_emergency {
            self.counters.calls_shed_by_overload += 1;
            Err(Refused { retry_after: RETRY_AFTER })
        } else {
            self.check_sessions(is_emergency).and_then(|()| {
                let claim = claim(&self.config, received.peer, received.packet.source, is_emergency);
                let checked = self.admissions.check(now, &claim?);
                checked.map_err(|limit| Refused { retry_after: limit.retry_after() })
            })
        };
        let Err(Refused { retry_after }) = refused else { return false };
        self.counters.calls_over_limit += 1;
        let until = now + self.config.timers.transaction_timeout();
        self.shed_calls.remember(until, call, Refused { retry_after });
        self.refuse_without_state(received, retry_after);
        true
    }

    /// 503, made again when its request comes again.
    pub(super) fn refuse_without_state(&mut self, received: Received<'_>, retry_after: Duration) {
        let tag = stateless_tag(received);
        let builder =
            self.reply(received, 503, Some(&tag)).header(HeaderName::RetryAfter, retry_after.as_secs());
        let hop = super::serving::way_back(received.packet, &received.essentials.via);
        self.answer_without_state(hop, 503, builder);
    }

    /// Takes what a call that came holds while it lasts.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        received: Received<'_>,
        is_emergency: bool,
    ) -> Result<Admission, Refused> {
        self.check_sessions(is_emergency)?;
        let claim = claim(&self.config, received.peer, received.packet.source, is_emergency)?;
        let admitted = self.admissions.admit(now, &claim);
        admitted.map_err(|limit| Refused { retry_after: limit.retry_after() })
    }

    /// The same for a call of ours.
    pub(super) fn reserve(
        &mut self,
        now: Instant,
        peer: &Peer,
        is_emergency: bool,
    ) -> Result<Admission, SessionError> {
        let claim = Claim {
            trunk: trunk_of(&self.config, peer).map_err(|_| SessionError::UnknownTrunk)?,
            source: None,
            max_calls_per_second: self.config.limits.max_calls_per_second,
            is_emergency,
        };
        self.admissions.reserve(now, &claim).map_err(|_| SessionError::Limit)
    }

    fn check_sessions(&self, is_emergency: bool) -> Result<(), Refused> {
        let room = if is_emergency { EMERGENCY_ROOM } else { 0 };
        let is_full = self.sessions.len() >= self.config.limits.max_sessions as usize + room;
        if is_full { Err(Refused { retry_after: RETRY_AFTER }) } else { Ok(()) }
    }

    /// Whether there is no room for a call of ours.
    pub(super) fn is_full(&self, is_emergency: bool) -> bool {
        let room = if is_emergency { EMERGENCY_ROOM } else { 0 };
        self.check_sessions(is_emergency).is_err()
            || self.transactions.len() >= self.config.limits.max_transactions as usize + room
    }

    /// Whether a request is about an emergency: by whom it asks for, or since a carrier says so (`Priority:
    /// emergency`, RFC 3261 §20.26). What a phone says of itself does not count.
    pub(super) fn is_emergency(&self, received: Received<'_>) -> bool {
        let is_said_so = || {
            let mut priorities = received.message.values(HeaderName::Priority);
            !received.peer.is_phone()
                && priorities.any(|priority| priority.eq_ignore_ascii_case(b"emergency"))
        };
        self.is_emergency_number(&dialled(received.message))
            || emergency_service(&self.config.emergency, received.message).is_some()
            || is_said_so()
    }

    /// Whether a call of ours is about an emergency.
    pub(super) fn is_emergency_target(&self, target: &InviteTarget) -> bool {
        match target {
            InviteTarget::Trunk { number, .. } => self.is_emergency_number(number),
            InviteTarget::User(_) => false,
        }
    }

    fn is_emergency_number(&self, number: &str) -> bool {
        !number.is_empty() && self.config.emergency.iter().any(|known| known == number)
    }

    /// The number or name that a request asks for; of an emergency service, its entry in the configuration.
    pub(super) fn dialled(&self, request: &Message<'_>) -> String {
        emergency_service(&self.config.emergency, request).map_or_else(|| dialled(request), str::to_owned)
    }

    /// Whether the Request-URI is one that we understand (§8.2.2.1): sips where it came as sips must (§26.2.2); of URNs
    /// only the emergency services of the configuration.
    pub(super) fn is_scheme_known(&self, received: Received<'_>) -> bool {
        match received.message.request_uri() {
            Ok(Uri::Sip(uri)) => Scheme::of(uri.bytes).allows(received.packet.transport),
            Ok(Uri::Tel(_)) => true,
            Ok(Uri::Other(_)) => emergency_service(&self.config.emergency, received.message).is_some(),
            Err(_) => false,
        }
    }
}

/// Free of the user agent, so that admissions may be changed while the claim borrows the configuration.
fn claim<'a>(
    config: &'a super::UserAgentConfig,
    peer: &'a Peer,
    source: SocketAddr,
    is_emergency: bool,
) -> Result<Claim<'a>, Refused> {
    let limits = match peer {
        Peer::Trunk(name) => {
            let trunk = config.trunks.iter().find(|trunk| *trunk.name == **name);
            let max_calls = trunk.map_or(0, |trunk| trunk.max_calls_per_source);
            // What a carrier begins a second is counted for all of its addresses together.
            SourceLimits { max_calls, max_calls_per_second: u32::MAX }
        }
        Peer::Phone | Peer::Browser => SourceLimits {
            max_calls: config.phones.max_calls_per_source,
            max_calls_per_second: config.phones.max_calls_per_second_per_source,
        },
    };
    Ok(Claim {
        trunk: trunk_of(config, peer)?,
        source: Some((source.ip().to_canonical(), limits)),
        max_calls_per_second: config.limits.max_calls_per_second,
        is_emergency,
    })
}

/// A trunk and its limits; nothing for phones, and an error for a trunk that is configured no more.
fn trunk_of<'a>(
    config: &super::UserAgentConfig,
    peer: &'a Peer,
) -> Result<Option<(&'a Arc<str>, TrunkLimits)>, Refused> {
    let Peer::Trunk(name) = peer else { return Ok(None) };
    let trunk = config.trunks.iter().find(|trunk| *trunk.name == **name);
    let trunk = trunk.ok_or(Refused { retry_after: RETRY_AFTER })?;
    let limits = TrunkLimits {
        max_calls: trunk.max_calls,
        max_calls_per_second: trunk.max_calls_per_second,
        max_calls_per_second_out: trunk.max_calls_per_second_out,
    };
    Ok(Some((name, limits)))
}

/// The configured service that a URN asks for: itself, or one above it (RFC 5031 §4: `sos.fire` is a kind of
/// `sos`). URNs of services are case-insensitive.
fn emergency_service<'a>(configured: &'a [String], request: &Message<'_>) -> Option<&'a str> {
    let Ok(Uri::Other(uri)) = request.request_uri() else { return None };
    let stands_for = |service: &&String| {
        let (own, below) = (uri.bytes.get(..service.len()), uri.bytes.get(service.len()));
        own.is_some_and(|own| own.eq_ignore_ascii_case(service.as_bytes()))
            && matches!(below, None | Some(b'.'))
    };
    let services = configured.iter().filter(|entry| entry.starts_with("urn:"));
    services.filter(stands_for).max_by_key(|service| service.len()).map(String::as_str)
}

/// The number or name that a request asks for.
fn dialled(request: &Message<'_>) -> String {
    match request.request_uri() {
        Ok(Uri::Tel(tel)) => tel.digits(),
        Ok(uri) => {
            let user = uri.user().unwrap_or_default();
            // §19.1.6: parameters of a telephone number do not belong to the number.
            user.split(';').next().unwrap_or_default().to_owned()
        }
        Err(_) => String::new(),
    }
}

/// §8.2.7: the same To tag for each copy of a request, without remembering one.
fn stateless_tag(received: Received<'_>) -> String {
    format!("{:016x}", call_hash(received))
}

/// Names a request among those that may come at a time: the same for each copy of it.
fn call_hash(received: Received<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    received.essentials.via.branch().hash(&mut hasher);
    received.essentials.call_id.hash(&mut hasher);
    received.essentials.cseq.number.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_refused_calls_are_remembered_for_so_long_and_no_more() {
        let (now, later) = (Instant::START, Instant::START + Duration::from_secs(32));
        let mut shed = Shed::default();
        for call in 0..=SHED_MAX as u64 {
            shed.remember(later, call, Refused { retry_after: RETRY_AFTER });
        }
        assert!(shed.find(now, 0).is_none(), "one too many");
        assert!(shed.find(now, 1).is_some() && shed.find(now, SHED_MAX as u64).is_some());
        assert!(shed.find(later, 1).is_none() && shed.by_age.is_empty() && shed.known.is_empty());
    }

    #[test]
    fn refusing_starts_beyond_the_delay_and_stops_at_half_of_it() {
        let max = Duration::from_millis(200);
        let ms = Duration::from_millis;
        let mut state = Overload::None;
        for (delay, expected) in [
            (ms(200), Overload::None),
            (ms(201), Overload::Shedding),
            (ms(150), Overload::Shedding),
            (ms(101), Overload::Shedding),
            (ms(100), Overload::None),
            (ms(150), Overload::None),
        ] {
            state = state.after(delay, max);
            assert_eq!(state, expected, "{delay:?}");
        }
    }
}
