//! Where calls to a carrier go: its destinations in the order of RFC 2782, those of several trunks in the order of a
//! route set, and the next one when an attempt fails (RFC 3263 §4.3).
//!
//! One call is never made twice at a time: an attempt that is left is cancelled, and ended by ACK and BYE if it is
//! answered all the same.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use tandem_time::Instant;

use super::calling::{Call, Destination, Offer, Side, Wanted};
use super::compose;
use super::session::{Peer, Phase, Refusal, Session};
use super::{Ender, Identity, Received, RouteConfig, SessionError, SessionId, TrunkConfig, UserAgent};
use crate::dns::Domain;
use crate::message::HeaderName;
use crate::transaction::TransactionId;
use crate::transport::Hop;
use crate::trunk::Admission;
use crate::uri::Scheme;

/// The most destinations that one call tries.
const ATTEMPTS_MAX: u8 = 8;

/// How long 100 Trying may be all that is heard before the next destination is tried; slow gateways take ten seconds.
const TRYING_MAX: Duration = Duration::from_secs(15);

/// How long a destination is left alone that could not be reached.
const REST_UNREACHABLE: Duration = Duration::from_secs(30);

/// The longest rest that a Retry-After is granted.
const REST_MAX: Duration = Duration::from_secs(300);

/// What is left to try of a call to a trunk.
#[derive(Debug)]
pub(super) struct Plan {
    from: Identity,
    number: String,
    side: Side,
    /// What the caller asks of the way.
    scheme: Scheme,
    is_emergency: bool,
    left: VecDeque<Way>,
    attempts: u8,
    /// The way of the attempt under way.
    hop: Hop,
    /// CSeq of the INVITE sent last.
    cseq: u32,
    /// When the attempt under way is left for the next destination.
    pub(super) fails_over_at: Option<Instant>,
    /// What the attempt under way has heard.
    heard: Heard,
    /// How often it was redirected.
    redirections: u8,
    /// Whether the attempt under way was, and is to go on.
    is_redirected: bool,
    /// The numbers that were called, and where: no redirection leads there again.
    visited: BTreeSet<(String, SocketAddr)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Nothing,
    Trying,
    /// A provisional response that speaks of the callee: whoever is called is called by this attempt.
    Progress,
}

/// One destination of one trunk.
#[derive(Clone, Debug)]
pub(super) struct Way {
    trunk: Arc<str>,
    hop: Hop,
    /// The name that led there.
    domain: Option<Domain>,
    failover_after: Duration,
    /// Who is called there, when that is somebody else than the call was for.
    number: Option<String>,
    scheme: Scheme,
}

impl Plan {
    /// Notes a CSeq used within the attempt under way.
    pub(super) fn note_cseq(&mut self, cseq: u32) {
        self.cseq = self.cseq.max(cseq);
    }
}

impl Session {
    /// Whether an INVITE of ours was left for another destination, or cancelled.
    pub(super) fn is_left(&self, transaction: TransactionId) -> bool {
        self.forks.iter().any(|fork| fork.transaction == transaction && fork.state.is_cancelled())
    }

    fn plan_mut(&mut self) -> Option<&mut Plan> {
        match &mut self.phase {
            Phase::Calling(calling) => calling.plan.as_deref_mut(),
            _ => None,
        }
    }
}

impl UserAgent {
    /// The destinations for a call over a trunk or a route set, the one to begin with, and its place on the trunk.
    pub(super) fn plan(
        &mut self,
        now: Instant,
        name: &str,
        number: &str,
        invite: &Wanted,
        is_emergency: bool,
    ) -> Result<(Plan, Way, Admission), SessionError> {
        let all = self.ways(now, name);
        let is_known = |name: &str| {
            self.config.trunks.iter().any(|trunk| trunk.name == name)
                || self.config.route_sets.iter().any(|set| set.name == name)
        };
        let error = if is_known(name) { SessionError::Nowhere } else { SessionError::UnknownTrunk };
        let is_somewhere = !all.is_empty();
        let left: VecDeque<Way> = all.into_iter().filter_map(|way| way.with(invite.scheme)).collect();
        let error = match (is_somewhere, left.is_empty()) {
            (true, true) => SessionError::NotSecure,
            (true, false) => SessionError::OutOfReach,
            (false, _) => error,
        };
        let is_reached = |way: &Way| self.is_reached_from(&invite.side, way.hop.destination);
        let left: VecDeque<Way> = left.into_iter().filter(is_reached).collect();
        let first = left.front().ok_or(error)?.clone();
        let mut plan = Plan {
            from: invite.from.clone(),
            number: number.to_owned(),
            side: invite.side.clone(),
            scheme: invite.scheme,
            is_emergency,
            left,
            attempts: 0,
            hop: first.hop,
            cseq: 1,
            fails_over_at: None,
            heard: Heard::Nothing,
            redirections: 0,
            is_redirected: false,
            visited: BTreeSet::new(),
        };
        let (way, admission) = self.next_way(now, &mut plan)?;
        plan.begin(now, &way);
        Ok((plan, way, admission))
    }

    /// Every destination of a trunk, or of the trunks of a route set, in the order to be tried. Those that rest or are
    /// down are left out, unless all of them do or are: a call that may fail is better than one that must.
    fn ways(&mut self, now: Instant, name: &str) -> VecDeque<Way> {
        let config = Arc::clone(&self.config);
        let set = config.route_sets.iter().find(|set| set.name == name);
        let names = set.map_or_else(|| vec![name], |set| set.trunks.iter().map(String::as_str).collect());
        let mut ways = VecDeque::new();
        for trunk in names.into_iter().filter_map(|name| config.trunks.iter().find(|it| it.name == name)) {
            let routes = in_order(trunk.destinations(), |it| (it.priority, it.weight), &mut self.rng);
            for route in routes {
                ways.extend(self.ways_to(trunk, &route));
            }
        }
        let is_usable = |way: &Way| self.destinations.is_usable(now, &way.trunk, &way.hop);
        if ways.iter().any(is_usable) {
            ways.retain(is_usable);
        }
        ways
    }

    pub(super) fn ways_to(&mut self, trunk: &TrunkConfig, route: &RouteConfig) -> Vec<Way> {
        let hops = self.hops_to(trunk, route);
        let way = |hop| Way {
            trunk: trunk.name.as_str().into(),
            hop: self.on_own_flow(&trunk.name, self.aliases.apply(hop)),
            domain: route.to.domain().cloned(),
            failover_after: route.failover_after,
            number: None,
            scheme: route.scheme,
        };
        hops.into_iter().filter(|hop| route.scheme.allows(hop.transport)).map(way).collect()
    }

    /// The next destination whose trunk has room.
    fn next_way(&mut self, now: Instant, plan: &mut Plan) -> Result<(Way, Admission), SessionError> {
        let mut error = SessionError::Limit;
        while plan.attempts < ATTEMPTS_MAX
            && let Some(way) = plan.left.pop_front()
        {
            let peer = Peer::Trunk(Arc::clone(&way.trunk));
            match self.reserve(now, &peer, plan.is_emergency) {
                Ok(admission) => return Ok((way, admission)),
                Err(refused) => error = refused,
            }
        }
        Err(error)
    }

    /// Whether a session whose last attempt ended that way has begun another one.
    pub(super) fn fails_over(&mut self, now: Instant, id: SessionId, refusal: &Refusal) -> bool {
        let Some(session) = self.sessions.get(id) else { return false };
        let Peer::Trunk(name) = &session.peer else { return false };
        let Some(trunk) = self.trunk(name) else { return false };
        let speaks_for_the_callee = refusal.by == Ender::Peer
            && !trunk.failover_on.iter().any(|statuses| statuses.contains(&refusal.status));
        let Phase::Calling(calling) = &session.phase else { return false };
        let Some(plan) = &calling.plan else { return false };
        let has_rung_out = plan.heard == Heard::Progress && refusal.status == 408;
        if refusal.by == Ender::Failure {
            self.destinations.rest(now, &plan.hop, REST_UNREACHABLE);
        }
        if plan.is_redirected {
            return self.try_next(now, id);
        }
        !speaks_for_the_callee && !has_rung_out && self.try_next(now, id)
    }

    /// The attempt under way has taken too long: leaves it, if there is another destination.
    pub(super) fn leave_attempt(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(plan) = session.plan_mut() else { return };
        plan.fails_over_at = None;
        let was_silent = plan.heard == Heard::Nothing;
        let left: Vec<TransactionId> =
            session.forks.iter().filter(|it| !it.state.is_cancelled()).map(|it| it.transaction).collect();
        if !self.try_next(now, id) {
            return;
        }
        for transaction in left {
            if was_silent {
                self.rest_of(now, transaction, REST_UNREACHABLE);
                // What it has not heard yet it shall not hear.
                self.transactions.hush(now, transaction);
            }
            self.cancel_fork(now, id, transaction, None);
        }
    }

    /// Sends the INVITE to the next destination, as a new transaction of the same session.
    fn try_next(&mut self, now: Instant, id: SessionId) -> bool {
        let Some(session) = self.sessions.get_mut(id) else { return false };
        let Phase::Calling(calling) = &mut session.phase else { return false };
        let Some(mut plan) = calling.plan.take() else { return false };
        let next = self.next_way(now, &mut plan);
        let Some(session) = self.sessions.get_mut(id) else { return false };
        let Phase::Calling(calling) = &mut session.phase else { return false };
        let Ok((way, admission)) = next else {
            plan.fails_over_at = None;
            calling.plan = Some(plan);
            return false;
        };
        calling.early.clear();
        let peer = Peer::Trunk(Arc::clone(&way.trunk));
        let Offer { media, through, description: offer } = self.offer_of(&plan.side, &peer, way.hop);
        let Some(session) = self.sessions.get_mut(id) else { return false };
        let Phase::Calling(calling) = &mut session.phase else { return false };
        let was_redirected = std::mem::take(&mut plan.is_redirected);
        if was_redirected {
            // What it was refused with is not what becomes of it.
            calling.refusal = None;
        }
        calling.media = media;
        session.through = through;
        session.peer = peer;
        // Who is asked next need not know what the one before knows (Session-ID).
        session.identification.begin_anew(&mut self.identifiers);
        session.challenges.clear();
        let before = session.admission.replace(admission);
        plan.begin(now, &way);
        plan.cseq += 1;
        let (call_id, local_tag) = (session.call_id.clone(), session.local_tag.clone());
        if let Some(before) = before {
            self.admissions.release(&before);
        }
        self.counters.failovers += u64::from(!was_redirected);
        let destination = way.destination(&plan.number);
        let call = Call {
            session: id,
            from: &plan.from,
            call_id: &call_id,
            local_tag: &local_tag,
            callee: &plan.number,
            offer: &offer,
            cseq: plan.cseq,
        };
        self.send_invite(now, &call, &destination);
        if let Some(session) = self.sessions.get_mut(id)
            && let Phase::Calling(calling) = &mut session.phase
        {
            calling.plan = Some(plan);
        }
        true
    }

    /// A provisional response came to the attempt under way: how long it may go on.
    pub(super) fn note_progress(&mut self, now: Instant, id: SessionId, status: u16) {
        let Some(plan) = self.sessions.get_mut(id).and_then(Session::plan_mut) else { return };
        if status > 100 {
            plan.heard = Heard::Progress;
            plan.fails_over_at = None;
        } else if plan.heard == Heard::Nothing {
            plan.heard = Heard::Trying;
            plan.fails_over_at = plan.fails_over_at.map(|_| now + TRYING_MAX);
        }
    }

    /// §20.33 and §21.5.4: a destination that says when to come again is left alone until then.
    pub(super) fn rest_as_asked(&mut self, now: Instant, transaction: TransactionId, received: Received<'_>) {
        let value = received.message.value(HeaderName::RetryAfter).unwrap_or_default();
        let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let seconds = std::str::from_utf8(value.get(..digits).unwrap_or_default()).ok();
        if let Some(seconds) = seconds.and_then(|text| text.parse::<u64>().ok()) {
            self.rest_of(now, transaction, Duration::from_secs(seconds).min(REST_MAX));
        }
    }

    fn rest_of(&mut self, now: Instant, transaction: TransactionId, rest: Duration) {
        if let Some((_, hop)) = self.transactions.sent(transaction) {
            self.destinations.rest(now, &hop, rest);
        }
    }
}

impl Plan {
    fn begin(&mut self, now: Instant, way: &Way) {
        self.attempts += 1;
        self.hop = way.hop;
        let number = way.number.as_ref().unwrap_or(&self.number).clone();
        self.visited.insert((number, way.hop.destination));
        self.heard = Heard::Nothing;
        self.fails_over_at = (!self.left.is_empty()).then(|| now + way.failover_after);
    }
}

impl Plan {
    /// Goes on by these ways and no others; whether there is one that may be gone.
    pub(super) fn redirect(&mut self, max: u8, ways: Vec<Way>) -> bool {
        let has_been = |way: &Way| {
            let number = way.number.as_ref().unwrap_or(&self.number).clone();
            self.visited.contains(&(number, way.hop.destination))
        };
        // RFC 5630 §5.1.1, §5.3: who was called as sips is not sought elsewhere as sip.
        let fits = |way: &Way| self.scheme == Scheme::Sip || way.scheme == Scheme::Sips;
        let left: VecDeque<Way> = ways.into_iter().filter(|way| !has_been(way) && fits(way)).collect();
        if self.redirections >= max || left.is_empty() {
            return false;
        }
        self.left = left;
        self.redirections += 1;
        self.is_redirected = true;
        self.from.diverting.get_or_insert_with(|| self.number.clone());
        true
    }
}

impl Way {
    /// The same to somebody else.
    pub(super) fn to(self, number: String) -> Self {
        Self { number: Some(number), ..self }
    }

    /// The same, asking for TLS on every hop if `scheme` does; none when it does not begin with one.
    pub(super) fn with(self, scheme: Scheme) -> Option<Self> {
        let scheme = if scheme == Scheme::Sips { scheme } else { self.scheme };
        scheme.allows(self.hop.transport).then_some(Self { scheme, ..self })
    }

    pub(super) fn peer(&self) -> Peer {
        Peer::Trunk(Arc::clone(&self.trunk))
    }

    pub(super) fn destination(&self, number: &str) -> Destination {
        let number = self.number.as_deref().unwrap_or(number);
        let uri = match &self.domain {
            Some(domain) => compose::sip_uri_by(self.scheme, number, domain, domain.transport),
            None => {
                let by = Some(self.hop.transport);
                compose::sip_uri_by(self.scheme, number, self.hop.destination, by)
            }
        };
        let host = self.domain.as_ref().map(|domain| domain.name.clone());
        Destination { uri, hop: self.hop, host, routes: Vec::new() }
    }
}

/// RFC 2782: by priority, the lowest first; among equals by lot, each as likely as its weight.
pub(super) fn in_order<T>(
    mut routes: Vec<T>,
    priority_and_weight: impl Fn(&T) -> (u16, u16),
    rng: &mut ChaCha8Rng,
) -> Vec<T> {
    // Those without weight come first, so that the running sum gives them a small chance.
    routes.sort_by_key(&priority_and_weight);
    let weight = |route: &T| u32::from(priority_and_weight(route).1);
    let mut ordered = Vec::new();
    while let Some(priority) = routes.first().map(|route| priority_and_weight(route).0) {
        let equals = routes.iter().take_while(|route| priority_and_weight(route).0 == priority);
        let total: u32 = equals.clone().map(weight).sum();
        let drawn = if total == 0 { 0 } else { rng.random_range(0..=total) };
        let chosen = equals
            .scan(0, |sum, route| {
                *sum += weight(route);
                Some(*sum)
            })
            .position(|sum| sum >= drawn);
        ordered.push(routes.remove(chosen.unwrap_or(0)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    /// RFC 2782, "Weight": proportional among equals, never before a lower priority.
    #[test]
    fn the_order_follows_priority_and_the_lot_follows_weight() {
        let routes = vec![(3, 2, 100), (1, 1, 30), (2, 1, 10)];
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut first = [0_u32; 4];
        for _ in 0..10_000 {
            let order = in_order(routes.clone(), |(_, priority, weight)| (*priority, *weight), &mut rng);
            assert_eq!(order[2].0, 3);
            first[order[0].0] += 1;
        }
        assert!((7_300..7_700).contains(&first[1]), "{first:?}");
        assert_eq!(first[1] + first[2], 10_000);
    }
}
