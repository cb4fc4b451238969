//! Somebody goes on in a leg's place by a call of its own (INVITE with Replaces, RFC 3891).
//!
//! ```text
//!  leg ══ old session          leg ══ new session
//!         new session  ──audio agreed──▶  old session is hung up
//!         (accepted at the leg's own endpoint)
//! ```
//!
//! The leg stays what it is to the control plane, to its call and to whom it hears: it keeps its endpoint, and its media
//! goes elsewhere, as after a re-INVITE. Until audio is agreed nothing has changed, so that whoever cannot be accepted
//! leaves the old session as it was (RFC 3891 §3). The old session is then nobody's any more: what it still says of
//! itself is not heard.

use std::sync::Arc;

use tandem_control_api::{CallFact, Event, LegId, Origin};
use tandem_sbc::user_agent::{Identity, NegotiatedAudio, SessionId, Source};
use tandem_time::Instant;

use super::leg::{CodecAsked, LegState};
use super::session_events::trunk_of;
use super::translate::{self, PeerKind};
use super::{Action, Calls};

/// In the Reason header of what ends the old session.
const REPLACED: &str = "replaced";

/// A session that is accepted and takes a leg's place as soon as its audio is agreed.
#[derive(Debug)]
pub(crate) struct Replacement {
    pub(super) leg: LegId,
    pub(super) early_only: bool,
    pub(super) by: Origin,
    pub(super) party: String,
    pub(super) sip_call_id: String,
}

/// A session that wants to take the place of another one.
pub(super) struct Newcomer {
    pub(super) session: SessionId,
    /// It takes over what rings, and nothing else.
    pub(super) early_only: bool,
    pub(super) source: Source,
    pub(super) from: Identity,
    pub(super) sip_call_id: String,
    pub(super) acceptable: bool,
}

impl Calls {
    pub(super) fn replacing(&mut self, newcomer: Newcomer, replaced: SessionId) {
        let session = newcomer.session;
        if let Err(status) = self.accept_replacement(newcomer, replaced) {
            self.actions.push_back(Action::Reject { session, status });
        }
    }

    fn accept_replacement(&mut self, newcomer: Newcomer, replaced: SessionId) -> Result<(), u16> {
        // RFC 3891 §3: gone, or just going.
        let leg_id = *self.sessions.get(&replaced).ok_or(481_u16)?;
        let leg = self.legs.get(leg_id).filter(|leg| can_be_replaced(&leg.state)).ok_or(603_u16)?;
        let call = self.calls.get(leg.call).ok_or(481_u16)?;
        if newcomer.early_only && !leg.state.is_rung() {
            return Err(486);
        }
        if !newcomer.acceptable {
            return Err(488);
        }
        if self.is_being_replaced(leg_id) {
            return Err(486);
        }
        // Media that does not pass us is between the two that there are.
        let endpoint = leg.state.endpoint().ok_or(488_u16)?;
        let rtp = self.endpoints.address_of(endpoint, call.config.media_address).ok_or(603_u16)?;
        let preferred = leg.audio.as_ref().map(|audio| audio.codec);
        let (by, party) = match newcomer.source {
            Source::Trunk(trunk) => (Origin::Trunk(trunk), newcomer.from.user),
            Source::User(user) => (Origin::User(user.clone()), user),
        };
        let (early_only, sip_call_id) = (newcomer.early_only, newcomer.sip_call_id);
        let replacement = Replacement { leg: leg_id, early_only, by, party, sip_call_id };
        let session = newcomer.session;
        self.replacements.insert(session, replacement);
        let media = Box::new(translate::local_media(rtp, preferred));
        self.actions.push_back(Action::Accept { leg: leg_id, session, media });
        Ok(())
    }

    /// A session that was to take a leg's place is over before it did, or could not be accepted. Whether there was one.
    pub(super) fn drop_replacement(&mut self, session: SessionId) -> bool {
        self.replacements.remove(&session).is_some()
    }

    /// Audio is agreed with a session: if it is to take a leg's place, it does. Whether it was.
    pub(super) fn replace(&mut self, now: Instant, session: SessionId, audio: &Arc<NegotiatedAudio>) -> bool {
        let Some(replacement) = self.replacements.remove(&session) else { return false };
        let leg_id = replacement.leg;
        let is_late = |state: &LegState| replacement.early_only && !state.is_rung();
        let old = self.legs.get(leg_id).filter(|leg| can_be_replaced(&leg.state) && !is_late(&leg.state));
        let Some(old) = old.and_then(|leg| leg.state.session()) else {
            self.actions.push_back(Action::HangUp { session, cause: REPLACED });
            return true;
        };
        self.forget_phone(leg_id);
        self.take_place(now, session, replacement);
        self.remember_phone(leg_id);
        self.sessions.remove(&old);
        self.sessions.insert(session, leg_id);
        self.actions.push_back(Action::HangUp { session: old, cause: REPLACED });
        self.audio_agreed(now, leg_id, audio.clone());
        // One that rang is answered by this.
        self.party_answered(now, leg_id);
        let peer = self.legs.get(leg_id).and_then(|leg| self.legs.get(leg.state.peer()?)?.state.session());
        if let Some(other) = peer {
            self.actions.push_back(Action::Pair { one: session, other });
        }
        self.spare_transcoding(leg_id);
        true
    }

    pub(super) fn is_being_replaced(&self, leg: LegId) -> bool {
        self.replacements.values().any(|replacement| replacement.leg == leg)
    }

    fn take_place(&mut self, now: Instant, session: SessionId, replacement: Replacement) {
        let Replacement { leg: leg_id, by, party, sip_call_id, .. } = replacement;
        let Some(leg) = self.legs.get_mut(leg_id) else { return };
        let Some(call) = self.calls.get_mut(leg.call) else { return };
        let kind = match by {
            Origin::Trunk(_) => PeerKind::Trunk,
            Origin::User(_) => PeerKind::phone(&call.config),
        };
        leg.state = leg.state.with_session(session);
        leg.peer = kind;
        leg.trunk = trunk_of(&by);
        // What the old session asked for has nobody to be told.
        leg.refer = None;
        leg.codec_asked = CodecAsked::default();
        let party = std::mem::replace(&mut leg.party, party);
        let sip_call_id = std::mem::replace(&mut leg.sip_call_id, sip_call_id);
        call.add_fact(now, CallFact::LegReplaced { leg: leg_id, party, sip_call_id });
        let call = leg.call;
        self.tell(Event::LegReplaced { call, leg: leg_id, by });
    }

    /// Hangs up whoever was to take the place of a leg that is over.
    pub(super) fn abandon_replacement(&mut self, leg: LegId) {
        let found = self.replacements.iter().find(|(_, replacement)| replacement.leg == leg);
        if let Some(session) = found.map(|(session, _)| *session) {
            self.replacements.remove(&session);
            self.actions.push_back(Action::HangUp { session, cause: REPLACED });
        }
    }
}

/// A leg that we dialled, from the INVITE on, and any that talks.
const fn can_be_replaced(state: &LegState) -> bool {
    matches!(
        state,
        LegState::Inviting { .. }
            | LegState::Ringing { .. }
            | LegState::Early { .. }
            | LegState::Agreeing { .. }
            | LegState::Answered { .. }
            | LegState::Bridged { .. }
            | LegState::Conferring { .. }
    )
}
