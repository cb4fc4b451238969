//! What sessions are called from end to end (Session-ID, RFC 7989): who says it to whom, and who talks to whom.
//!
//! We end both legs of a call, and name in each who is at the end of the other one: us, as long as nobody is. What
//! a leg said last is said until it talks to somebody else.

use tandem_time::Instant;

use super::calling::{Side, Wanted};
use super::profile::SessionIdPolicy;
use super::session::{Phase, Session};
use super::{Invite, Received, Role, SessionError, SessionId, UserAgent};
use crate::message::{Builder, HeaderName, Message};
use crate::session_id::{self, Identification};
use crate::uri::Scheme;

impl UserAgent {
    /// The parties of two sessions talk to each other from now on.
    pub fn pair(&mut self, one: SessionId, other: SessionId) {
        for (session, partner) in [(one, other), (other, one)] {
            self.show(session, partner);
            if let Some(session) = self.sessions.get_mut(session) {
                session.partner = Some(partner);
            }
        }
    }

    /// What a session is called, as its last message of ours said or would have: our side, then the peer's; none when
    /// neither side says anything.
    #[must_use]
    pub fn session_id(&self, session: SessionId) -> Option<String> {
        let kept = self.sessions.get(session)?;
        let is_said = kept.identification.is_heard() || self.session_id_for(session).is_some();
        is_said.then(|| kept.identification.to_string())
    }

    pub(super) fn identification(&mut self) -> Identification {
        Identification::new(&mut self.identifiers)
    }

    /// As [`UserAgent::invite`], for somebody who is to talk to whoever is called, and hears something else until then.
    ///
    /// # Errors
    /// When there is nobody to send it to, or a limit is reached; then there is no session and no event.
    pub fn invite_of(
        &mut self,
        now: Instant,
        party: SessionId,
        invite: Invite,
    ) -> Result<SessionId, SessionError> {
        let Invite { target, from, media } = invite;
        let (side, scheme) = (Side::Ours(media), Scheme::Sip);
        self.call(now, Wanted { target, from, side, scheme, party: Some(party) })
    }

    /// Somebody is called whom a party is to talk to. One that waits for that hears whom, one that has been answered hears
    /// something else until then.
    pub(super) fn introduce(&mut self, party: SessionId, called: SessionId) {
        if self.sessions.get(party).is_some_and(Session::waits_for_owner) {
            return self.pair(party, called);
        }
        self.show(called, party);
    }

    /// Who a session's peer hears that it talks to.
    fn show(&mut self, session: SessionId, partner: SessionId) {
        let Some(other) = self.sessions.get(partner).map(|other| other.identification) else { return };
        if let Some(session) = self.sessions.get_mut(session) {
            session.identification.show(&other);
        }
    }

    /// Takes what a message of a session's peer says of it, and lets its partner know.
    pub(super) fn hear(&mut self, id: SessionId, message: &Message<'_>) {
        let Some(said) = session_id::said_in(message) else { return };
        if self.profile_for(id).session_id == SessionIdPolicy::Off {
            return;
        }
        let Some(session) = self.sessions.get_mut(id) else { return };
        session.identification.hear(said);
        if let Some(partner) = session.partner
            && self.sessions.get(partner).is_some_and(|partner| partner.partner == Some(id))
        {
            self.show(partner, id);
        }
    }

    /// The same of a response. Of several called phones those that lost say nothing any more.
    pub(super) fn hear_response(&mut self, role: Role, received: Received<'_>) {
        let Some(id) = role.session() else { return };
        let is_calling = |session: &Session| matches!(session.phase, Phase::Calling(_));
        if !matches!(role, Role::Fork(_)) || self.sessions.get(id).is_some_and(is_calling) {
            self.hear(id, received.message);
        }
    }

    /// A message of ours in a session, with its Session-ID unless it has one.
    pub(super) fn identified(&self, id: Option<SessionId>, mut bytes: Vec<u8>) -> Vec<u8> {
        let Some(value) = id.and_then(|id| self.session_id_for(id)) else { return bytes };
        let Some(end) = memchr::memmem::find(&bytes, b"\r\n\r\n") else { return bytes };
        let head = bytes.get(..end).unwrap_or_default();
        if memchr::memmem::find(head, b"\r\nSession-ID:").is_none() {
            bytes.splice(end..end, format!("\r\nSession-ID: {value}").into_bytes());
        }
        bytes
    }

    /// A message of ours that is not finished.
    pub(super) fn with_session_id(&self, id: SessionId, builder: Builder) -> Builder {
        match self.session_id_for(id) {
            Some(value) => builder.header(HeaderName::SessionId, value),
            None => builder,
        }
    }

    /// A response to a request that came: of its dialog's session, or of none yet.
    pub(super) fn with_session_id_of(&self, received: Received<'_>, builder: Builder) -> Builder {
        if let Some(tag) = received.essentials.to.tag() {
            return match self.sessions.by_tag(tag) {
                Some(id) => self.with_session_id(id, builder),
                None => builder,
            };
        }
        let is_off = self.profile(received.peer).session_id == SessionIdPolicy::Off;
        match session_id::said_in(received.message).filter(|_| !is_off) {
            Some(said) => builder.header(HeaderName::SessionId, said.answered()),
            None => builder,
        }
    }

    fn session_id_for(&self, id: SessionId) -> Option<String> {
        let session = self.sessions.get(id)?;
        let is_said = match self.profile(&session.peer).session_id {
            SessionIdPolicy::Off => false,
            SessionIdPolicy::Accept => session.identification.is_heard(),
            SessionIdPolicy::Send => true,
        };
        is_said.then(|| session.identification.to_string())
    }
}
