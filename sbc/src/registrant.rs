//! What is known of our own registrations with carriers: when to register, to register again, to ask whether the
//! connection lives, and how long to wait after a failure (RFC 3261 §10.2, RFC 5626 §4.4 and §4.5).
//!
//! Owner thread: the signalling core. This module must not know messages; it is told what became of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use tandem_time::Instant;

use crate::auth::Challenge;
use crate::transaction::TransactionId;
use crate::transport::{FlowId, Hop};
use crate::user_agent::RegisterConfig;

/// The most registrations of a node; those beyond are not made.
pub(crate) const REGISTRATIONS_MAX: usize = 4_096;

/// RFC 5626 §4.5: twice this is what the wait after the first failure is drawn from, when no other flow is there.
const RETRY_BASE: Duration = Duration::from_secs(30);

/// RFC 5626 §4.5: the longest wait.
const RETRY_MAX: Duration = Duration::from_secs(1_800);

/// DNS has not said yet where the registrar is.
const RETRY_NOWHERE: Duration = Duration::from_secs(2);

/// RFC 5626 §4.4.1: how long an answer to a keep-alive on a stream may take.
const PONG_MAX: Duration = Duration::from_secs(10);

/// RFC 5626 §4.4.1: how often a stream is kept alive when nobody says.
const KEEP_STREAM: Duration = Duration::from_secs(120);

/// RFC 5626 §4.4.2: the same of datagrams, for which a NAT may have half a minute.
const KEEP_DATAGRAMS: Duration = Duration::from_secs(29);

/// RFC 8489 §6.2.1: how long the answer to a STUN request is waited for before the same is sent again, each time twice as long, how
/// often it is sent, and how long the last is waited for.
const STUN_RTO: Duration = Duration::from_millis(500);
const STUN_SENT_MAX: u8 = 7;
const STUN_LAST: Duration = Duration::from_secs(8);

/// The longest lifetime that a registrar may ask for (423).
pub(crate) const EXPIRES_MAX: Duration = Duration::from_secs(86_400);

/// How long a registrar is waited for when we leave.
const LEAVE_MAX: Duration = Duration::from_secs(4);

/// ```text
///              due                 2xx                   nearly over
///   Waiting ─────────► Asking ──────────────► Registered ──────────► Asking
///      ▲                  │                        │
///      └─────failure──────┴──────flow is gone──────┘         any ──► Leaving ──► (forgotten)
/// ```
#[derive(Debug)]
pub(crate) enum State {
    /// Until it is tried, or tried again.
    Waiting {
        at: Instant,
    },
    /// A REGISTER is out; what it renews stands meanwhile.
    Asking {
        transaction: TransactionId,
        bound: Option<Bound>,
    },
    Registered(Bound),
    /// A REGISTER is out that takes the binding away.
    Leaving {
        transaction: TransactionId,
        give_up: Instant,
    },
}

/// A binding that the registrar has.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    /// With the connection, for streams.
    pub(crate) hop: Hop,
    /// How long the registrar keeps it.
    until: Instant,
    refresh_at: Instant,
    keep_alive: Option<KeepAlive>,
    /// Where requests go first (RFC 3608).
    pub(crate) service_route: Vec<String>,
    /// Whether the registrar knows it for a flow of ours (RFC 5626).
    pub(crate) is_outbound: bool,
}

/// What keeps a NAT's mapping, and finds out whether a flow lives.
#[derive(Clone, Copy, Debug)]
struct KeepAlive {
    /// The longest between two.
    interval: Duration,
    ping_at: Instant,
    asking: Asking,
    pong_by: Option<Instant>,
}

/// How it is asked whether a flow lives; a registrar that knows of `outbound` answers.
#[derive(Clone, Copy, Debug)]
enum Asking {
    /// With line ends to which there is no answer.
    Nobody,
    /// With line ends, on a connection (RFC 5626 §4.4.1).
    LineEnds,
    /// With datagrams (RFC 5626 §4.4.2).
    Stun(Stun),
}

/// A STUN request, and where the last answer has seen us.
#[derive(Clone, Copy, Debug, Default)]
struct Stun {
    id: [u8; 12],
    /// How often it was sent without an answer.
    sent: u8,
    mapped: Option<SocketAddr>,
}

/// One registration of ours.
#[derive(Debug)]
pub(crate) struct Registrant {
    pub(crate) trunk: Arc<str>,
    pub(crate) config: Arc<RegisterConfig>,
    pub(crate) call_id: String,
    pub(crate) tag: String,
    pub(crate) cseq: u32,
    pub(crate) challenges: Vec<Challenge>,
    /// What is asked for; longer than configured when the registrar wants that.
    pub(crate) expires: Duration,
    /// In a row.
    failures: u32,
    /// Which of the registrar's addresses is tried.
    pub(crate) attempt: usize,
    pub(crate) state: State,
    /// The last final status; 0 when there was none, or no answer.
    pub(crate) status: u16,
    pub(crate) since: Instant,
    /// As told.
    pub(crate) was_registered: bool,
    is_failure_told: bool,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Register,
    Ping,
    /// The connection does not answer.
    FlowLost,
    /// The registrar has not answered our leave.
    Forget,
}

/// What a registrar granted.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) hop: Hop,
    pub(crate) expires: Duration,
    /// Flow-Timer (RFC 5626 §4.4.1).
    pub(crate) flow_timer: Option<Duration>,
    /// Whether it knows of `outbound` and says so.
    pub(crate) is_outbound: bool,
    pub(crate) service_route: Vec<String>,
}

impl Registrant {
    pub(crate) fn new(
        now: Instant,
        trunk: Arc<str>,
        config: Arc<RegisterConfig>,
        (call_id, tag): (String, String),
        first: Duration,
    ) -> Self {
        Self {
            trunk,
            call_id,
            tag,
            cseq: 0,
            challenges: Vec::new(),
            expires: config.expires,
            config,
            failures: 0,
            attempt: 0,
            state: State::Waiting { at: now + first },
            status: 0,
            since: now,
            was_registered: false,
            is_failure_told: false,
        }
    }

    pub(crate) fn bound(&self) -> Option<&Bound> {
        match &self.state {
            State::Asking { bound, .. } => bound.as_ref(),
            State::Registered(bound) => Some(bound),
            State::Waiting { .. } | State::Leaving { .. } => None,
        }
    }

    fn bound_mut(&mut self) -> Option<&mut Bound> {
        match &mut self.state {
            State::Asking { bound, .. } => bound.as_mut(),
            State::Registered(bound) => Some(bound),
            State::Waiting { .. } | State::Leaving { .. } => None,
        }
    }

    pub(crate) fn is_registered(&self, now: Instant) -> bool {
        self.bound().is_some_and(|bound| bound.until > now)
    }

    pub(crate) fn is_leaving(&self) -> bool {
        matches!(self.state, State::Leaving { .. })
    }

    pub(crate) fn is_asked_by(&self, id: TransactionId) -> bool {
        match self.state {
            State::Asking { transaction, .. } | State::Leaving { transaction, .. } => transaction == id,
            State::Waiting { .. } | State::Registered(_) => false,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let first = match &self.state {
            State::Waiting { at } => Some(*at),
            State::Registered(bound) => Some(bound.refresh_at),
            // The transaction has a timer of its own.
            State::Asking { bound, .. } => bound.as_ref().map(|bound| bound.until),
            State::Leaving { give_up, .. } => Some(*give_up),
        };
        let keep_alive = self.bound().and_then(|bound| bound.keep_alive);
        let keep_alive = keep_alive.map(|it| it.pong_by.unwrap_or(it.ping_at));
        first.into_iter().chain(keep_alive).min()
    }

    pub(crate) fn due(&mut self, now: Instant) -> Option<Due> {
        match &mut self.state {
            State::Waiting { at } if *at <= now => return Some(Due::Register),
            State::Leaving { give_up, .. } if *give_up <= now => return Some(Due::Forget),
            State::Registered(bound) if bound.refresh_at <= now => return Some(Due::Register),
            // What was bound is so no more, and the registrar has still not answered.
            State::Asking { bound, .. } if bound.as_ref().is_some_and(|bound| bound.until <= now) => {
                *bound = None;
                return None;
            }
            _ => {}
        }
        let keep_alive = self.bound_mut()?.keep_alive.as_mut()?;
        match (keep_alive.pong_by, keep_alive.asking) {
            (Some(by), Asking::Stun(stun)) if by <= now && stun.sent < STUN_SENT_MAX => Some(Due::Ping),
            (Some(by), _) => (by <= now).then_some(Due::FlowLost),
            (None, _) => (keep_alive.ping_at <= now).then_some(Due::Ping),
        }
    }

    /// The next keep-alive, which is sent now: the id of a STUN request, or none of line ends.
    pub(crate) fn ping(&mut self, now: Instant, rng: &mut ChaCha8Rng) -> Option<[u8; 12]> {
        let keep_alive = self.bound_mut()?.keep_alive.as_mut()?;
        if keep_alive.pong_by.is_none() {
            // RFC 5626 §4.4: another time each time.
            keep_alive.ping_at = now + keep_alive.interval.mul_f64(rng.random_range(0.8..1.0));
        }
        match &mut keep_alive.asking {
            Asking::Nobody => None,
            Asking::LineEnds => {
                keep_alive.pong_by = Some(now + PONG_MAX);
                None
            }
            Asking::Stun(stun) => {
                if stun.sent == 0 {
                    stun.id = rng.random();
                }
                stun.sent += 1;
                let is_last = stun.sent == STUN_SENT_MAX;
                let wait = if is_last { STUN_LAST } else { STUN_RTO * (1 << (stun.sent - 1)) };
                keep_alive.pong_by = Some(now + wait);
                Some(stun.id)
            }
        }
    }

    /// Notes that the connection lives.
    pub(crate) fn ponged(&mut self, flow: FlowId) {
        if let Some(bound) = self.bound_mut().filter(|bound| bound.hop.flow == Some(flow))
            && let Some(keep_alive) = &mut bound.keep_alive
        {
            keep_alive.pong_by = None;
        }
    }

    /// Takes the answer to a STUN request, when it is to that of this flow: it lives, unless it is refused or we are seen
    /// elsewhere now (RFC 5626 §4.4.2), of which [`Due::FlowLost`] comes.
    pub(crate) fn seen_at(
        &mut self,
        now: Instant,
        source: SocketAddr,
        id: [u8; 12],
        mapped: Option<SocketAddr>,
    ) -> bool {
        let Some(bound) = self.bound_mut().filter(|bound| bound.hop.destination == source) else {
            return false;
        };
        let Some(keep_alive) = &mut bound.keep_alive else { return false };
        let Asking::Stun(stun) = &mut keep_alive.asking else { return false };
        if stun.sent == 0 || stun.id != id {
            return false;
        }
        let is_same = mapped.is_some() && stun.mapped.is_none_or(|before| mapped == Some(before));
        *stun = Stun { id, sent: if is_same { 0 } else { STUN_SENT_MAX }, mapped };
        keep_alive.pong_by = (!is_same).then_some(now);
        true
    }

    /// Notes that a REGISTER is out.
    pub(crate) fn asked(&mut self, transaction: TransactionId) {
        let bound = self.bound().cloned();
        if let State::Leaving { transaction: leaving, .. } = &mut self.state {
            *leaving = transaction;
        } else {
            self.state = State::Asking { transaction, bound };
        }
    }

    /// Notes that a REGISTER is out that takes the binding away.
    pub(crate) fn left(&mut self, now: Instant, transaction: TransactionId) {
        self.state = State::Leaving { transaction, give_up: now + LEAVE_MAX };
    }

    /// The registrar has bound us.
    pub(crate) fn granted(&mut self, now: Instant, grant: Grant, rng: &mut ChaCha8Rng) {
        let keep_alive = self.keep_alive(now, &grant, rng);
        let Grant { hop, expires, service_route, is_outbound, .. } = grant;
        // Early enough for a few attempts, and not all of a carrier's customers at once.
        let refresh_at = now + expires.mul_f64(rng.random_range(0.75..0.9));
        let until = now + expires;
        self.state =
            State::Registered(Bound { hop, until, refresh_at, keep_alive, service_route, is_outbound });
        (self.failures, self.attempt, self.status) = (0, 0, 200);
    }

    /// RFC 5626 §4.4: between 80 % and 100 % of what the registrar, or else the operator or the RFC, says.
    fn keep_alive(&self, now: Instant, grant: &Grant, rng: &mut ChaCha8Rng) -> Option<KeepAlive> {
        let is_stream = grant.hop.transport.is_reliable();
        let asking = match (grant.is_outbound, is_stream) {
            (true, true) => Asking::LineEnds,
            (true, false) => Asking::Stun(Stun { mapped: self.mapped_before(&grant.hop), ..Stun::default() }),
            (false, _) => Asking::Nobody,
        };
        let usual = match (is_stream, self.config.outbound.is_some()) {
            (true, true) => Some(KEEP_STREAM),
            (false, true) if grant.is_outbound => Some(KEEP_DATAGRAMS),
            _ => None,
        };
        let interval = grant.flow_timer.or(self.config.keep_alive).or(usual)?.max(Duration::from_secs(1));
        let ping_at = now + interval.mul_f64(rng.random_range(0.8..1.0));
        Some(KeepAlive { interval, ping_at, asking, pong_by: None })
    }

    /// Where we were seen by the way that a renewed binding has, too.
    fn mapped_before(&self, hop: &Hop) -> Option<SocketAddr> {
        let bound = self.bound().filter(|bound| bound.hop == *hop)?;
        match bound.keep_alive?.asking {
            Asking::Stun(stun) => stun.mapped,
            Asking::Nobody | Asking::LineEnds => None,
        }
    }

    /// It did not work, or works no more: waits, longer each time (RFC 5626 §4.5), but tries the registrar's next
    /// address at once. `others` is how many it has beside this one.
    pub(crate) fn failed(
        &mut self,
        now: Instant,
        status: u16,
        asked_wait: Duration,
        others: usize,
        rng: &mut ChaCha8Rng,
    ) {
        self.status = status;
        let has_answered = !matches!(status, 0 | 408 | 503);
        if !has_answered && self.attempt < others {
            self.attempt += 1;
            self.state = State::Waiting { at: now };
            return;
        }
        self.attempt = 0;
        self.failures = self.failures.saturating_add(1);
        let longest = RETRY_BASE.saturating_mul(1 << self.failures.min(10)).min(RETRY_MAX);
        let wait = longest.mul_f64(rng.random_range(0.5..1.0)).max(asked_wait.min(RETRY_MAX));
        self.state = State::Waiting { at: now + wait };
    }

    /// A connection that is gone is made anew at once (RFC 5626 §4.5).
    pub(crate) fn flow_lost(&mut self, now: Instant) {
        self.state = State::Waiting { at: now };
    }

    /// Whether it fails, and nobody was told.
    pub(crate) const fn is_first_failure(&self) -> bool {
        self.failures > 0 && !self.is_failure_told
    }

    pub(crate) const fn failure_is_told(&mut self) {
        self.is_failure_told = self.failures > 0;
    }

    /// Nobody knows yet where the registrar is.
    pub(crate) fn nowhere(&mut self, now: Instant) {
        self.status = 0;
        self.state = State::Waiting { at: now + RETRY_NOWHERE };
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    fn registrant() -> Registrant {
        let config = Arc::new(RegisterConfig::new("sip:us@carrier.example"));
        let ids = ("call".to_owned(), "tag".to_owned());
        Registrant::new(Instant::from_millis(0), "carrier-a".into(), config, ids, Duration::ZERO)
    }

    /// RFC 5626 §4.5: half to all of 30 s times two to the failures, at most 1,800 s.
    #[test]
    fn the_wait_after_failures_doubles_up_to_half_an_hour() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut it = registrant();
        let now = Instant::from_millis(0);
        for longest in [60, 120, 240, 480, 960, 1_800, 1_800] {
            it.failed(now, 403, Duration::ZERO, 0, &mut rng);
            let wait = it.deadline().expect("it waits") - now;
            let range = Duration::from_secs(longest / 2)..=Duration::from_secs(longest);
            assert!(range.contains(&wait), "{wait:?} is not in {range:?}");
        }
    }

    /// The next address of a registrar that does not answer is tried at once, each once.
    #[test]
    fn other_addresses_are_tried_before_any_wait() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut it = registrant();
        let now = Instant::from_millis(0);
        for attempt in [1, 2] {
            it.failed(now, 0, Duration::ZERO, 2, &mut rng);
            assert_eq!((it.attempt, it.deadline()), (attempt, Some(now)));
        }
        it.failed(now, 0, Duration::ZERO, 2, &mut rng);
        assert_eq!(it.attempt, 0);
        assert!(it.deadline() >= Some(now + Duration::from_secs(30)));
        it.failed(now, 503, Duration::from_secs(400), 0, &mut rng);
        assert_eq!(it.deadline(), Some(now + Duration::from_secs(400)), "as the registrar asks");
    }
}
