//! REFERs of ours (RFC 3515): a peer is asked to call somebody by itself, and tells by NOTIFY what came of it.
//!
//! ```text
//! Asked ──2xx──▶ Accepted ──a NOTIFY of a final status, or the last one, or time is up──▶ (told)
//!    └── refused, or no answer ──▶ (told)
//! ```
//!
//! A NOTIFY may overtake the answer to the REFER (§2.4.4), and some peers say no more than that they accept.
//!
//! Owner thread: the signalling core. This module must not end the session: that is the owner's, once it has heard.

use std::time::Duration;

use tandem_time::Instant;

use super::compose;
use super::session::Phase;
use super::{Event, Received, Role, SessionError, SessionId, UserAgent};
use crate::message::{HeaderName, Message, Method};

/// What stands for a subscription that ends without a final status.
const NO_WORD: u16 = 480;

/// A REFER of ours.
#[derive(Debug)]
pub(super) struct Deflection {
    /// It has no final response.
    pub(super) is_out: bool,
    /// Until when the owner waits to hear what came of it; none when it has heard.
    pub(super) until: Option<Instant>,
}

impl UserAgent {
    /// Asks the peer of an established session to call a number by itself (REFER). [`Event::Referred`] tells what came
    /// of it within `wait`.
    ///
    /// # Errors
    /// When the session is not established, or was asked before and has not said.
    pub fn refer(
        &mut self,
        now: Instant,
        session: SessionId,
        number: &str,
        wait: Duration,
    ) -> Result<(), SessionError> {
        let kept = self.sessions.get_mut(session).ok_or(SessionError::UnknownSession)?;
        let is_busy = kept.deflection.as_ref().is_some_and(|it| it.is_out || it.until.is_some());
        let (scheme, hop) = match &kept.phase {
            Phase::Confirmed(confirmed) if !is_busy => (confirmed.dialog.scheme, confirmed.dialog.hop),
            _ => return Err(SessionError::WrongState),
        };
        kept.deflection = Some(Deflection { is_out: true, until: Some(now + wait) });
        let refer_to =
            compose::name_addr(None, compose::sip_uri(scheme, number, compose::host(hop.destination)));
        self.request_in_dialog(
            now,
            session,
            Method::Refer,
            Role::Refer(session),
            |builder| {
                builder
                    .header(HeaderName::ReferTo, refer_to)
                    // RFC 3892 §2.1: who asks, which is us.
                    .header(HeaderName::ReferredBy, compose::contact(scheme, &hop))
                    .header(HeaderName::Supported, "norefersub")
            },
            None,
        );
        self.settle(session);
        Ok(())
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
        if let Some(deflection) = &mut session.deflection {
            deflection.is_out = false;
        }
        // RFC 4488 §4: nothing will follow.
        let is_silent = response
            .is_some_and(|it| it.extensions("Refer-Sub").any(|sub| sub.value.eq_ignore_ascii_case(b"false")));
        match status {
            200..300 if !is_silent => self.tell_referred(now, id, 202),
            200..300 => self.tell_referred(now, id, 200),
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
