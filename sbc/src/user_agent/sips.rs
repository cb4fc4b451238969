//! Callers who ask for TLS on every hop (`sips:`, RFC 3261 §26.2.2, RFC 5630): whoever is called while they wait is called
//! that way too, or not at all. Once we have answered, we are whom they asked for.

use super::session::Phase;
use super::{SessionError, SessionId, UserAgent};
use crate::uri::Scheme;

impl UserAgent {
    /// What a caller who is not answered asks of the way.
    pub(super) fn scheme_asked_by(&self, caller: SessionId) -> Scheme {
        match self.sessions.get(caller).map(|session| &session.phase) {
            Some(Phase::Offered(offered)) => {
                let invite = offered.invite.view();
                Scheme::of(invite.request_uri().map(|uri| uri.bytes()).unwrap_or_default())
            }
            _ => Scheme::Sip,
        }
    }

    /// Remembers why nobody was called for a caller.
    pub(super) fn note_not_secure<T>(&mut self, caller: SessionId, called: &Result<T, SessionError>) {
        if matches!(called, Err(SessionError::NotSecure))
            && let Some(session) = self.sessions.get_mut(caller)
        {
            session.found_no_tls = true;
        }
    }
}
