//! REFERs of ours (RFC 3515): a peer is asked to call somebody by itself, and tells by NOTIFY what came of it.
//!
//! ```text
//! Asked ──2xx──▶ Accepted ──a NOTIFY of a final status, or the last one, or time is up──▶ (told)
//!    └── refused, or no answer ──▶ (told)
//! ```
//!
//! A NOTIFY may overtake the answer to the REFER (§2.4.4), and some peers say no more than that they accept. A peer may be
//! asked to say no more (RFC 4488); one that was to call a number is then taken to have done it, while what becomes of a
//! call that another one is to replace is seen by its end.
//!
//! Owner thread: the signalling core. This module must not end the session: that is the owner's, once it has heard.

use std::time::Duration;

use tandem_time::Instant;

use super::compose;
use super::refer::{REFER_SUB, says_no_subscription};
use super::session::Phase;
use super::{Event, Received, Role, SessionError, SessionId, UserAgent};
use crate::message::{HeaderName, Message, Method};

/// What stands for a subscription that ends without a final status.
const NO_WORD: u16 = 480;

/// Whom a peer is to call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferTarget {
    /// A number.
    Number(String),
    /// The party of another established session with the same peer, in the place of that session (Replaces, RFC 5589
    /// §7.3).
    Party(SessionId),
}

/// A REFER of ours.
#[derive(Debug)]
pub(super) struct Deflection {
    /// What it asks for is seen by the end of the session that is replaced.
    pub(super) is_attended: bool,
    /// It has no final response.
    pub(super) is_out: bool,
    /// Until when the owner waits to hear what came of it; none when it has heard.
    pub(super) until: Option<Instant>,
}

impl UserAgent {
    /// Asks the peer of an established session to call somebody by itself (REFER). [`Event::Referred`] tells what came
    /// of it within `wait`.
    ///
    /// # Errors
    /// When the session is not established, or was asked before and has not said; or the one that is to be replaced is
    /// not, or is with somebody else.
    pub fn refer(
        &mut self,
        now: Instant,
        session: SessionId,
        target: &ReferTarget,
        wait: Duration,
    ) -> Result<(), SessionError> {
        let kept = self.sessions.get(session).ok_or(SessionError::UnknownSession)?;
        let is_busy = kept.deflection.as_ref().is_some_and(|it| it.is_out || it.until.is_some());
        let (scheme, hop) = match &kept.phase {
            Phase::Confirmed(confirmed) if !is_busy => (confirmed.dialog.scheme, confirmed.dialog.hop),
            _ => return Err(SessionError::WrongState),
        };
        let (uri, is_attended) = match target {
            ReferTarget::Number(number) => {
                (compose::sip_uri(scheme, number, compose::host(hop.destination)), false)
            }
            ReferTarget::Party(other) => (self.replacing_uri(session, *other)?, true),
        };
        let refer_to = compose::name_addr(None, uri);
        let wants_word = self.profile_for(session).refer_subscription;
        let kept = self.sessions.get_mut(session).ok_or(SessionError::UnknownSession)?;
        kept.deflection = Some(Deflection { is_attended, is_out: true, until: Some(now + wait) });
        self.request_in_dialog(
            now,
            session,
            Method::Refer,
            Role::Refer(session),
            |builder| {
                let builder = builder
                    .header(HeaderName::ReferTo, refer_to)
                    // RFC 3892 §2.1: who asks, which is us.
                    .header(HeaderName::ReferredBy, compose::contact(scheme, &hop))
                    .header(HeaderName::Supported, "norefersub");
                if wants_word { builder } else { builder.extension(REFER_SUB, "false") }
            },
            None,
        );
        self.settle(session);
        Ok(())
    }

    /// By which URI the peer of a session calls that of another one in its place.
    fn replacing_uri(&self, session: SessionId, other: SessionId) -> Result<String, SessionError> {
        let asked = self.sessions.get(session).ok_or(SessionError::UnknownSession)?;
        let replaced = self.sessions.get(other).ok_or(SessionError::UnknownSession)?;
        match &replaced.phase {
            Phase::Confirmed(confirmed) if other != session && replaced.peer == asked.peer => {
                Ok(confirmed.dialog.replacing_uri())
            }
            _ => Err(SessionError::WrongState),
        }
    }

    /// A REFER of ours has its final response; `response` is none when none came.
    pub(super) fn handle_refer_answered(
        &mut self,
        now: Instant,
        id: SessionId,
        status: u16,
        response: Option<&Message<'_>>,
    ) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(deflection) = &mut session.deflection else { return };
        deflection.is_out = false;
        // RFC 4488 §4: nothing will follow.
        let is_done = !deflection.is_attended && response.is_some_and(says_no_subscription);
        match status {
            200..300 if is_done => self.tell_referred(now, id, 200),
            200..300 => self.tell_referred(now, id, 202),
            _ => self.tell_referred(now, id, status),
        }
        self.settle(id);
    }

    /// RFC 3515 §2.4.5: how far the peer is, as a fragment of the response it got.
    pub(super) fn handle_notify(&mut self, now: Instant, id: SessionId, received: Received<'_>) {
        let message = received.message;
        // RFC 6665 §4.1.3: else we have subscribed to nothing.
        if self.sessions.get(id).is_none_or(|session| session.deflection.is_none()) {
            return self.refuse(now, received, 481);
        }
        let event = message.parameterised(HeaderName::Event).ok().flatten();
        if !event.is_some_and(|event| event.value.eq_ignore_ascii_case(super::refer::EVENT)) {
            return self.refuse_event(now, received);
        }
        let Ok(Some(state)) = message.parameterised(HeaderName::SubscriptionState) else {
            return self.refuse(now, received, 400);
        };
        let is_last = state.value.eq_ignore_ascii_case("terminated");
        self.refuse(now, received, 200);
        match status_in(message.body()) {
            Some(200..300) => self.tell_referred(now, id, 200),
            Some(status @ 300..) => self.tell_referred(now, id, status),
            _ if is_last => self.tell_referred(now, id, NO_WORD),
            Some(status @ 101..200) => self.tell_referred(now, id, status),
            _ => {}
        }
        self.settle(id);
    }

    /// The owner has waited long enough.
    pub(super) fn expire_deflection(&mut self, now: Instant, id: SessionId) {
        let deflection = self.sessions.get(id).and_then(|session| session.deflection.as_ref());
        if deflection.and_then(|deflection| deflection.until).is_some_and(|until| until <= now) {
            self.tell_referred(now, id, 408);
        }
    }

    /// Tells the owner, while it waits to hear.
    fn tell_referred(&mut self, now: Instant, id: SessionId, status: u16) {
        let Some(session) = self.sessions.get_mut(id) else { return };
        let is_up = matches!(session.phase, Phase::Confirmed(_));
        let Some(deflection) = session.deflection.as_mut().filter(|it| it.until.is_some()) else { return };
        let is_final = status >= 200 && status != 202;
        if is_final || deflection.until.is_some_and(|until| until <= now) {
            deflection.until = None;
        }
        if is_up {
            self.events.push_back(Event::Referred { session: id, status });
        }
    }
}

/// The status of a fragment `SIP/2.0 200 OK` (RFC 3420).
fn status_in(fragment: &[u8]) -> Option<u16> {
    let line = fragment.split(|octet| *octet == b'\r' || *octet == b'\n').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let status = words.next().filter(|version| version.eq_ignore_ascii_case("SIP/2.0")).and(words.next())?;
    status.parse().ok().filter(|status| (100..700).contains(status))
}
