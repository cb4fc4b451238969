//! Somebody who has called us takes a leg that rings elsewhere: its own call is over, and its session goes on in that leg's
//! place, as if it had named it by Replaces with `early-only` (RFC 3891, [`super::replace`]).
//!
//! ```text
//!  call X: offered leg ── session S                call X: over
//!  call Y: caller ┄┄ leg that rings ── session R   call Y: caller ══ leg ── session S      R is cancelled
//! ```

use tandem_control_api::{CommandError, DialFailure, EndedBy, LegEnd, LegId};
use tandem_time::Instant;

use super::cause::EndCause;
use super::commands::{Begun, wrong_state};
use super::ending::Over;
use super::leg::LegState;
use super::replace::Replacement;
use super::{Action, Calls, Progress, translate};

impl Calls {
    pub(super) fn pick_up(&mut self, now: Instant, leg_id: LegId, rung: LegId) -> Begun {
        let (state, call) = self.commanded(leg_id)?;
        let LegState::Offered { session } = state else { return Err(wrong_state("pick-up", &state)) };
        let (other, other_call) = self.commanded(rung)?;
        // Media that does not pass us is between the two that there are.
        let endpoint = other.endpoint().filter(|_| other.is_rung() && other_call != call);
        let rtp = endpoint
            .zip(self.calls.get(other_call))
            .and_then(|(endpoint, call)| self.endpoints.address_of(endpoint, call.config.media_address));
        let rtp = rtp.ok_or_else(|| wrong_state("pick-up", &other))?;
        if self.is_being_replaced(rung) {
            return Err(CommandError::WrongState {
                command: "pick-up".to_owned(),
                state: "being picked up".to_owned(),
            });
        }
        let (Some(leg), Some(origin)) =
            (self.legs.get(leg_id), self.calls.get(call).map(|call| call.origin.clone()))
        else {
            return Err(CommandError::UnknownLeg);
        };
        let replacement = Replacement {
            leg: rung,
            early_only: true,
            by: origin,
            party: leg.party.clone(),
            sip_call_id: leg.sip_call_id.clone(),
        };
        self.attend(call);
        self.let_go(now, leg_id);
        self.replacements.insert(session, replacement);
        let preferred = self.legs.get(rung).and_then(|leg| leg.audio.as_ref()).map(|audio| audio.codec);
        let media = Box::new(translate::local_media(rtp, preferred));
        self.actions.push_back(Action::Accept { leg: rung, session, media });
        Ok(Progress::Done)
    }

    /// An offered leg is over, and its session is not: it is somebody else's from now on.
    fn let_go(&mut self, now: Instant, leg_id: LegId) {
        let session = self.legs.get(leg_id).and_then(|leg| leg.state.session());
        let cause = EndCause::PickedUp;
        let end = LegEnd { by: EndedBy::Control, status: 200, cause: cause.name().to_owned() };
        self.end_leg(now, leg_id, Over { asked: None, end, cause, dial_failure: DialFailure::Cancelled });
        if let Some(session) = session {
            self.sessions.remove(&session);
        }
        self.session_released(leg_id);
    }
}
