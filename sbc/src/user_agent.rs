//! The user agent core: everything between packets on one side and sessions on the other.
//!
//! It checks the source of a packet before looking into it, runs transactions and dialogs, registers phones,
//! admits calls from trunks, makes and answers offers. Its owner sees sessions, never messages.

mod config;
mod event;

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use tandem_time::Instant;

pub use config::{Limits, ListenAddress, PhoneConfig, TrunkConfig, UserAgentConfig, UserCredentials};
pub use event::{
    AudioCodec, Ender, Event, Identity, Invite, InviteTarget, LocalMedia, MediaDirection, NegotiatedAudio,
    SessionEnd, SessionError, SessionId, Source, Usage,
};

pub use crate::source::IpPrefix;
pub use crate::transaction::Timers;
pub use crate::transport::{FlowId, Packet, Transmit, Transport, TransportFailure};

/// A SIP user agent, client and server, with its registrar.
#[derive(Debug)]
pub struct UserAgent {
    _config: Arc<UserAgentConfig>,
    _rng: ChaCha8Rng,
}

impl UserAgent {
    /// A user agent without sessions. `rng` gives tags, branches, Call-IDs and nonces.
    #[must_use]
    pub fn new(config: Arc<UserAgentConfig>, rng: ChaCha8Rng) -> Self {
        Self { _config: config, _rng: rng }
    }

    /// Swaps the configuration; sessions under way keep what they began with.
    pub fn reload(&mut self, _config: Arc<UserAgentConfig>) {}

    /// Takes one datagram, or one message framed from a stream.
    pub fn handle_packet(&mut self, _now: Instant, _packet: Packet<'_>) {}

    /// Takes the news that something could not be sent, or that a connection is gone.
    pub fn handle_transport_failure(&mut self, _now: Instant, _failure: TransportFailure) {}

    /// Does what is due by `now`.
    pub fn handle_timeout(&mut self, _now: Instant) {}

    /// When [`UserAgent::handle_timeout`] should be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// The next packet to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        None
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }

    /// Calls a registered user or a number over a trunk. Ends in [`Event::Answered`] or [`Event::Ended`].
    ///
    /// # Errors
    /// When there is nobody to send it to, or a limit is reached; then there is no session and no event.
    pub fn invite(&mut self, _now: Instant, _invite: Invite) -> Result<SessionId, SessionError> {
        Err(SessionError::NotRegistered)
    }

    /// Tells an incoming session's caller that it rings (180).
    ///
    /// # Errors
    /// When the session is not an unanswered incoming one.
    pub fn ring(&mut self, _now: Instant, _session: SessionId) -> Result<(), SessionError> {
        Err(SessionError::UnknownSession)
    }

    /// Answers an incoming session (200) with our side of the media. [`Event::Media`] and [`Event::Confirmed`]
    /// follow.
    ///
    /// # Errors
    /// When the session is not an unanswered incoming one, or its offer has no codec of ours.
    pub fn accept(
        &mut self,
        _now: Instant,
        _session: SessionId,
        _media: LocalMedia,
    ) -> Result<(), SessionError> {
        Err(SessionError::UnknownSession)
    }

    /// Refuses an incoming session with a final status of 300 to 699. [`Event::Ended`] follows.
    ///
    /// # Errors
    /// When the session is not an unanswered incoming one.
    pub fn reject(&mut self, _now: Instant, _session: SessionId, _status: u16) -> Result<(), SessionError> {
        Err(SessionError::UnknownSession)
    }

    /// Ends a session in whatever state it is: 603 (or 487), CANCEL, or BYE. [`Event::Ended`] follows at once.
    /// `cause` goes into a Reason header (RFC 3326).
    ///
    /// # Errors
    /// When the session is unknown or already ended.
    pub fn hang_up(&mut self, _now: Instant, _session: SessionId, _cause: &str) -> Result<(), SessionError> {
        Err(SessionError::UnknownSession)
    }

    /// The Call-ID of a session that is not yet released.
    #[must_use]
    pub fn call_id(&self, _session: SessionId) -> Option<&str> {
        None
    }

    /// What is in use; all zero at rest.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage::default()
    }
}
