//! Sessions that last only as long as they are refreshed (RFC 4028), by us or by the peer.
//!
//! ```text
//! 2xx with Session-Expires ──▶ running ──half the interval, when we refresh──▶ UPDATE or re-INVITE ──2xx──▶ running
//!                                 │                                                  │ refused: tried again
//!                                 └──────── the margin before its end ──▶ BYE ◀──────┘ 408, 481
//! ```

use std::time::Duration;

use tandem_time::Instant;

use super::profile::{PreferredRefresher, SessionTimerPolicy, SessionTimers};
use super::session::{Phase, Session};
use super::{Received, Role, SessionId, UserAgent};
use crate::message::{Builder, HeaderIndex, HeaderName, Message};
use crate::session_timer::{self, Agreement, Refresher, Refusal, SessionExpires, USUAL_MIN_SE};
use crate::transaction::TransactionId;

/// How often a refresh that was refused is tried again before the session is left to its end.
const ATTEMPTS_MAX: u8 = 4;

/// How long a session lasts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expiry {
    interval: Duration,
    is_ours: bool,
    /// When we are to refresh it; not while that is under way.
    refresh_at: Option<Instant>,
    /// When it is given up.
    ends_at: Instant,
    /// Refreshes refused since it was refreshed last.
    refused: u8,
}

impl Expiry {
    fn new(now: Instant, interval: Duration, is_ours: bool) -> Self {
        let refresh_at = is_ours.then(|| now + interval / 2);
        let ends_at = now + (interval - session_timer::margin(interval));
        Self { interval, is_ours, refresh_at, ends_at, refused: 0 }
    }

    pub(super) fn of_our_answer(now: Instant, agreement: Agreement) -> Self {
        Self::new(now, agreement.interval, agreement.refresher == Refresher::Uas)
    }

    pub(super) fn deadline(&self) -> Instant {
        self.refresh_at.map_or(self.ends_at, |at| at.min(self.ends_at))
    }

    /// A refresh was refused: the next one goes when half of what is left has passed.
    fn note_refusal(&mut self, now: Instant) {
        self.refused += 1;
        let left = self.ends_at.saturating_duration_since(now);
        self.refresh_at = (self.is_ours && self.refused <= ATTEMPTS_MAX).then(|| now + left / 2);
    }
}

/// What a session has learned of its peer's sessions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Refreshing {
    /// The largest Min-SE that a 422 asked for.
    least: Option<Duration>,
    /// Whether the peer takes UPDATE.
    pub(super) takes_update: bool,
}

impl Refreshing {
    /// What the peer's Allow says, when it says something.
    pub(super) fn note_allowed(&mut self, message: &Message<'_>) {
        if message.has(HeaderName::Allow) {
            self.takes_update = message.lists(HeaderName::Allow, "UPDATE");
        }
    }
}

impl UserAgent {
    fn session_timers(&self, id: SessionId) -> SessionTimers {
        self.profile_for(id).session_timers
    }

    /// §9: 421 to who does not know what we require, 422 to who wants to refresh more often than we allow. Whether the
    /// request was refused.
    pub(super) fn refuse_interval(&mut self, now: Instant, received: Received<'_>) -> bool {
        let terms = self.profile(received.peer).session_timers;
        match session_timer::refusal(&terms, received.message) {
            None => return false,
            Some(Refusal::Unknown) => {
                self.respond_with(now, received, 421, |builder| {
                    builder.header(HeaderName::Require, session_timer::TIMER)
                });
            }
            Some(Refusal::TooSmall) => {
                self.counters.session_intervals_refused += 1;
                self.respond_with(now, received, 422, |builder| {
                    builder.header(HeaderName::MinSe, terms.min_se.as_secs())
                });
            }
        }
        true
    }

    /// What our 2xx to a request of the peer's says, from which time on it holds.
    pub(super) fn agree_on_expiry(
        &mut self,
        now: Instant,
        id: SessionId,
        request: &Message<'_>,
    ) -> Option<Agreement> {
        let terms = self.session_timers(id);
        let session = self.sessions.get_mut(id)?;
        session.refreshing.note_allowed(request);
        let running = session
            .expiry
            .map(|expiry| (expiry.interval, if expiry.is_ours { Refresher::Uas } else { Refresher::Uac }));
        let agreement = session_timer::answer(&terms, running, request);
        if session.expiry.is_some() {
            self.counters.sessions_refreshed += 1;
        }
        session.expiry = agreement.map(|agreed| Expiry::of_our_answer(now, agreed));
        agreement
    }

    /// What a 2xx to a request of ours says; a response in which nothing is agreed ends what was (§7.2).
    pub(super) fn take_expiry(&mut self, now: Instant, id: SessionId, response: &Message<'_>) {
        let terms = self.session_timers(id);
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.refreshing.note_allowed(response);
        let least = session.refreshing.least.unwrap_or_default();
        let agreed = session_timer::answered(&terms, least, response);
        if session.expiry.is_some() {
            self.counters.sessions_refreshed += 1;
        }
        session.expiry = agreed.map(|(interval, who)| Expiry::new(now, interval, who == Refresher::Uac));
    }

    /// Session-Expires and Min-SE of a request of ours that makes or refreshes a session (§7.1, §7.4).
    pub(super) fn with_interval(&self, id: SessionId, builder: Builder) -> Builder {
        let terms = self.session_timers(id);
        let session = self.sessions.get(id);
        let running = session.and_then(|session| session.expiry);
        let refreshing = session.map(|session| session.refreshing).unwrap_or_default();
        let interval = match running {
            Some(expiry) => expiry.interval,
            None if terms.asks() => terms.interval,
            None => return builder,
        };
        let refresher = match (running, terms.refresher) {
            (Some(expiry), _) if expiry.is_ours => Some(Refresher::Uac),
            (Some(_), _) | (None, PreferredRefresher::Peer) => Some(Refresher::Uas),
            (None, PreferredRefresher::Us) => Some(Refresher::Uac),
            (None, PreferredRefresher::Either) => None,
        };
        let least = refreshing.least.unwrap_or_default().max(terms.min_se);
        let said = SessionExpires { interval: interval.max(least), refresher };
        let builder = builder.header(HeaderName::SessionExpires, said);
        // §5: what it means when it is left out, and the least that may be said.
        if least <= USUAL_MIN_SE { builder } else { builder.header(HeaderName::MinSe, least.as_secs()) }
    }

    /// §7.3: a request of ours whose interval was too small goes again with a larger one. Whether it did.
    pub(super) fn lengthen(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        role: Role,
        received: Received<'_>,
    ) -> bool {
        let Some(id) = self.session_to_send_again(role, transaction) else { return false };
        if self.session_timers(id).policy == SessionTimerPolicy::Off {
            return false;
        }
        let Some((sent, _)) = self.transactions.sent(transaction) else { return false };
        let mut index = HeaderIndex::new();
        let Ok(request) = Message::parse(sent, &mut index) else { return false };
        let before = SessionExpires::of(&request);
        let interval = before.map(|before| before.interval);
        let Some(least) = session_timer::lengthened(interval, received.message) else { return false };
        let refresher = before.and_then(|before| before.refresher);
        let said = SessionExpires { interval: least, refresher };
        let headers = [
            (HeaderName::SessionExpires, said.to_string()),
            (HeaderName::MinSe, least.as_secs().to_string()),
        ];
        if let Some(session) = self.sessions.get_mut(id) {
            session.refreshing.least = session.refreshing.least.max(Some(least));
        }
        self.send_again(now, id, transaction, role, received, &headers)
    }

    /// Refreshes a session that is due, or ends one that was not refreshed in time (§10).
    pub(super) fn keep_session(&mut self, now: Instant, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        if !matches!(session.phase, Phase::Confirmed(_)) {
            return;
        }
        let Some(expiry) = &mut session.expiry else { return };
        if expiry.ends_at <= now {
            self.counters.sessions_expired += 1;
            return self.end_dialog(now, id, 408, "session expired");
        }
        if expiry.refresh_at.is_some_and(|at| at <= now) {
            // What is under way already refreshes it too.
            expiry.refresh_at = None;
            self.begin_refresh(now, id);
        }
    }

    /// A request of ours that would have refreshed the session was refused.
    pub(super) fn note_refused_refresh(&mut self, now: Instant, id: SessionId) {
        if let Some(expiry) = self.sessions.get_mut(id).and_then(|session| session.expiry.as_mut()) {
            expiry.note_refusal(now);
        }
    }
}

impl Session {
    /// When it is to be refreshed or given up: once both sides know that they talk.
    pub(super) fn expiry_deadline(&self) -> Option<Instant> {
        let is_confirmed = matches!(self.phase, Phase::Confirmed(_));
        self.expiry.filter(|_| is_confirmed).map(|expiry| expiry.deadline())
    }
}

/// Session-Expires of our 2xx, and Require when it is the client's to refresh, or may be (§9).
pub(super) fn with_agreement(builder: Builder, agreement: Option<Agreement>) -> Builder {
    let Some(Agreement { interval, refresher, is_required }) = agreement else { return builder };
    let said = SessionExpires { interval, refresher: Some(refresher) };
    let builder = builder.header(HeaderName::SessionExpires, said);
    if is_required { builder.header(HeaderName::Require, session_timer::TIMER) } else { builder }
}
