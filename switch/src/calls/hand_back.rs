//! Two calls of one carrier that an attended transfer has put together: it is asked by REFER with Replaces (RFC 5589 §7) to
//! join them by itself, so that both leave us.
//!
//! ```text
//!  a ══ us ══ b, transferred to each other
//!   ├─ REFER in the call of a, to replace that of b
//!   ├─ both have been joined ─▶ what is left of them here is hung up
//!   ├─ the call of b ends, the REFER was accepted ─▶ the carrier's word on a is waited for: it has replaced b's
//!   └─ refused, failed, no word in [`WAIT`] ─▶ all goes on through us
//! ```
//!
//! They talk through us from the first moment, and nobody waits for the carrier: whatever it says, or does not, nothing
//! is interrupted.

use std::time::Duration;

use tandem_control_api::{CallId, LegId};
use tandem_sbc::user_agent::ReferTarget;
use tandem_time::Instant;

use super::cause::EndCause;
use super::deflect::Word;
use super::ending::Hangup;
use super::leg::LegState;
use super::{Action, Calls};

/// How long a carrier may take to join two calls of its own, both of which are answered.
const WAIT: Duration = Duration::from_secs(20);

/// What a carrier was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HandBack {
    /// The leg in whose call it was asked.
    asked: LegId,
    /// The one that is to be replaced.
    replaced: LegId,
    /// It has said that it will try.
    is_accepted: bool,
}

impl Calls {
    /// Asks the carrier of two parties who talk to each other to join them, if both are with one that does so.
    pub(super) fn hand_back(&mut self, call_id: CallId, asked: LegId, replaced: LegId) {
        let trunk = |leg: LegId| self.legs.get(leg)?.trunk.as_ref();
        let is_one = trunk(asked).is_some_and(|trunk| self.config.refer_out_attended.contains(trunk));
        if !is_one || trunk(asked) != trunk(replaced) {
            return;
        }
        let session = |leg: LegId| match self.legs.get(leg)?.state {
            LegState::Bridged { session, .. } => Some(session),
            _ => None,
        };
        let Some((session, other)) = session(asked).zip(session(replaced)) else { return };
        let Some(call) = self.calls.get_mut(call_id) else { return };
        call.hand_back = Some(HandBack { asked, replaced, is_accepted: false });
        let target = ReferTarget::Party(other);
        self.actions.push_back(Action::Deflect { session, target, wait: WAIT });
    }

    /// The carrier has said how far it is.
    pub(super) fn hand_back_referred(&mut self, now: Instant, call_id: CallId, leg: LegId, status: u16) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let Some(hand_back) = call.hand_back.as_mut().filter(|it| it.asked == leg) else { return };
        match status {
            202 => hand_back.is_accepted = true,
            ..200 => {}
            _ => {
                let HandBack { asked, replaced, .. } = *hand_back;
                call.hand_back = None;
                self.note_referred(now, call_id, asked, Word::of(status));
                if status < 300 {
                    for leg in [asked, replaced] {
                        self.end_by_us(now, leg, Hangup::by_switch(EndCause::Transferred));
                    }
                }
            }
        }
    }

    /// A leg leaves a call whose carrier was asked: without the one that it was asked by, no word will come.
    pub(super) fn leg_leaves_hand_back(&mut self, now: Instant, call_id: CallId, leg: LegId) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let Some(hand_back) = call.hand_back.take_if(|it| it.asked == leg) else { return };
        let word = if hand_back.is_accepted { Word::Accepted } else { Word::None };
        self.note_referred(now, call_id, leg, word);
    }

    /// Whether a party that hangs up has most likely been joined by its carrier to the other one.
    pub(super) fn is_handed_back(&self, leg: LegId) -> bool {
        let hand_back = self.legs.get(leg).and_then(|leg| self.calls.get(leg.call)?.hand_back);
        hand_back.is_some_and(|it| it.is_accepted && [it.asked, it.replaced].contains(&leg))
    }
}
