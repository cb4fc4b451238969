//! Callers who ask for TLS on every hop (`sips:`, RFC 3261 §26.2.2, RFC 5630): whoever is called while they wait is called
//! that way too, or not at all. Once we have answered, we are whom they asked for.

use tandem_time::Instant;

use super::calling::{Side, Wanted};
use super::session::Phase;
use super::{Invite, SessionError, SessionId, UserAgent};
use crate::transaction::TransactionId;
use crate::uri::Scheme;

impl UserAgent {
    /// As [`UserAgent::invite_of`], with TLS on every hop to whoever is called, for who asked for that (`sips:` in a
    /// Refer-To, RFC 5630 §5.1.1.3).
    ///
    /// # Errors
    /// When there is nobody to send it to, or not that way, or a limit is reached; then there is no session and no event.
    pub fn invite_securely(
        &mut self,
        now: Instant,
        party: Option<SessionId>,
        invite: Invite,
    ) -> Result<SessionId, SessionError> {
        let Invite { target, from, media } = invite;
        let (side, scheme) = (Side::Ours(media), Scheme::Sips);
        self.call(now, Wanted { target, from, side, scheme, party })
    }

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

    /// What an INVITE of ours that is under way has asked of the way back.
    pub(super) fn scheme_of_fork(&self, id: SessionId, transaction: TransactionId) -> Scheme {
        let forks = self.sessions.get(id).map(|session| session.forks.iter());
        let fork = forks.into_iter().flatten().find(|fork| fork.transaction == transaction);
        fork.map_or(Scheme::Sip, |fork| fork.scheme)
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
