//! Whether the peer of a session is still there when nothing would tell: one on hold sends no audio, one whose media does
//! not pass us sends us none, and without a session timer (RFC 4028) neither has to say a word until somebody hangs up. It
//! is asked by OPTIONS in the dialog (RFC 3261 §11), which every peer answers somehow.
//!
//! ```text
//!            every interval                 any answer but one that ends the dialog
//! Next ────────────────────────▶ Asked ──────────────────────────────────────────────▶ Next
//!   │  ▲                           └── none in time, 408, 480, 481, …: BYE (RFC 5057 §5.1)
//!   └──┘ it is heard, or refreshes the session
//! ```
//!
//! Owner thread: the signalling core. This module must not ask peers that are heard: the media worker misses those sooner.

use tandem_time::Instant;

use super::session::{Confirmed, Phase};
use super::{MediaDirection, Role, SessionId, UserAgent};
use crate::dialog::{self, Dialog, Ends};
use crate::message::{HeaderName, Method};
use crate::offer_answer::Negotiation;

/// When it is looked again whether the peer is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watch {
    /// Never.
    Off,
    Next(Instant),
    /// An OPTIONS is out.
    Asked,
}

impl Watch {
    pub(super) const fn deadline(self) -> Option<Instant> {
        match self {
            Self::Next(at) => Some(at),
            Self::Off | Self::Asked => None,
        }
    }
}

impl UserAgent {
    /// Both sides of a session know that they talk.
    pub(super) fn begin_confirmed(
        &mut self,
        now: Instant,
        id: SessionId,
        dialog: Dialog,
        media: Option<Negotiation>,
    ) {
        let watch = self.next_watch(now, id);
        if let Some(session) = self.sessions.get_mut(id) {
            let success = None;
            session.phase = Phase::Confirmed(Box::new(Confirmed { dialog, media, success, watch }));
        }
    }

    fn next_watch(&self, now: Instant, id: SessionId) -> Watch {
        self.profile_for(id).alive_check.map_or(Watch::Off, |interval| Watch::Next(now + interval))
    }

    /// Asks the peer of a session, when it is time and nothing else tells.
    pub(super) fn watch_peer(&mut self, now: Instant, id: SessionId) {
        let next = self.next_watch(now, id);
        let Some(session) = self.sessions.get_mut(id) else { return };
        let is_refreshed = session.expiry.is_some();
        let Phase::Confirmed(confirmed) = &mut session.phase else { return };
        if confirmed.watch.deadline().is_none_or(|at| now < at) {
            return;
        }
        let agreed = confirmed.media.as_ref().and_then(Negotiation::agreed);
        let is_heard = agreed.is_some_and(|audio| audio.direction == MediaDirection::SendReceive);
        if is_refreshed || is_heard {
            confirmed.watch = next;
            return;
        }
        confirmed.watch = Watch::Asked;
        let accept = |builder: crate::message::Builder| builder.header(HeaderName::Accept, "application/sdp");
        self.request_in_dialog(now, id, Method::Options, Role::Watch(id), accept, None);
    }

    /// The peer has answered, or has not.
    pub(super) fn handle_watched(&mut self, now: Instant, id: SessionId, status: u16) {
        let next = self.next_watch(now, id);
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Phase::Confirmed(confirmed) = &mut session.phase else { return };
        if dialog::ends(Method::Options, status) != Ends::Transaction {
            self.counters.peers_gone += 1;
            return self.end_lost(now, id, Method::Options, status);
        }
        confirmed.watch = next;
        self.settle(id);
    }
}
