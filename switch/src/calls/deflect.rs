//! Transfers that the transferee's own carrier makes: it is asked by REFER (RFC 3515) to call the target, so that the
//! call leaves us. When it does not want to, cannot, or says nothing, we call the target ourselves.
//!
//! ```text
//!  transferor    transferee ♪ ──REFER──▶ its carrier
//!        ├─ the target has answered ─▶ transferor and transferee are hung up
//!        ├─ the transferee is gone, the REFER was accepted ─▶ the same
//!        └─ anything else ─▶ the target is dialled, see [`super::transfer`]
//! ```

use std::sync::Arc;
use std::time::Duration;

use tandem_control_api::{CallFact, CallId, CommandError, CommandId, DialTarget, LegId};
use tandem_media as media;
use tandem_sbc::user_agent::{ReferTarget, SessionId};
use tandem_time::Instant;

use super::cause::EndCause;
use super::ending::Hangup;
use super::leg::{LegState, Settled};
use super::transfer::{Parties, Transfer};
use super::{Action, Calls};

/// A transfer that the transferee's carrier is asked for.
#[derive(Debug)]
pub(crate) struct Deflection {
    parties: Parties,
    /// Whom we dial when it comes to nothing.
    target: DialTarget,
    caller_id: Option<String>,
    ring_timeout: Duration,
    /// The carrier has said that it will try.
    is_accepted: bool,
}

/// What a carrier's last word was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// It has done it.
    Taken,
    /// It would, and said no more.
    Accepted,
    Refused(u16),
    None,
}

impl Word {
    pub(super) const fn of(status: u16) -> Self {
        match status {
            ..300 => Self::Taken,
            408 => Self::None,
            _ => Self::Refused(status),
        }
    }

    /// As metrics show it.
    const fn name(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Accepted => "accepted",
            Self::Refused(_) => "refused",
            Self::None => "no word",
        }
    }
}

/// A transfer to somebody who is rung.
pub(super) struct Wish {
    pub(super) command: CommandId,
    pub(super) transferor: LegId,
    pub(super) transferee: LegId,
    pub(super) target: DialTarget,
    pub(super) caller_id: Option<String>,
    pub(super) ring_timeout: Duration,
}

impl Calls {
    /// The session of a transferee whose carrier can be asked to call the target, and the number: one over its own
    /// trunk, which takes REFER.
    pub(super) fn carrier_for(&self, transferee: LegId, target: &DialTarget) -> Option<(SessionId, String)> {
        let DialTarget::Trunk { trunk, number } = target else { return None };
        let leg = self.legs.get(transferee)?;
        let is_its_own = leg.trunk.as_ref() == Some(trunk) && self.config.refer_out.contains(trunk);
        Some((leg.state.session().filter(|_| is_its_own)?, number.clone()))
    }

    /// Asks the transferee's carrier.
    pub(super) fn deflect(
        &mut self,
        call_id: CallId,
        wish: Wish,
        (session, number): (SessionId, String),
        segments: Arc<[media::Segment]>,
    ) {
        let Wish { command, transferor, transferee, target, caller_id, ring_timeout } = wish;
        let parties = self.set_apart(command, transferor, transferee, segments);
        self.attend(call_id);
        if let Some(call) = self.calls.get_mut(call_id) {
            let deflection = Deflection { parties, target, caller_id, ring_timeout, is_accepted: false };
            call.deflection = Some(Box::new(deflection));
        }
        let target = ReferTarget::Number(number);
        self.actions.push_back(Action::Deflect { session, target, wait: ring_timeout });
    }

    /// The carrier of a leg has said how far it is: 202 that it tries, else what the target said.
    pub(super) fn referred(&mut self, now: Instant, leg_id: LegId, status: u16) {
        let Some(call_id) = self.legs.get(leg_id).map(|leg| leg.call) else { return };
        self.hand_back_referred(now, call_id, leg_id, status);
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let Some(deflection) = call.deflection.as_mut().filter(|it| it.parties.transferee == leg_id) else {
            return;
        };
        match status {
            202 => deflection.is_accepted = true,
            ..200 => {
                let refer = deflection.parties.refer;
                self.report(refer, status);
            }
            _ => {
                let Some(deflection) = call.deflection.take() else { return };
                self.note_referred(now, call_id, leg_id, Word::of(status));
                if status < 300 {
                    self.deflected(now, deflection.parties);
                } else {
                    self.dial_instead(now, call_id, *deflection);
                }
            }
        }
    }

    /// What a leg's carrier made of a REFER goes into the record.
    pub(super) fn note_referred(&mut self, now: Instant, call: CallId, leg: LegId, word: Word) {
        *self.counters.refers.entry(word.name()).or_default() += 1;
        let outcome = match word {
            Word::Refused(status) => format!("refused {status}"),
            word => word.name().to_owned(),
        };
        if let Some(call) = self.calls.get_mut(call) {
            call.add_fact(now, CallFact::Referred { leg, outcome });
        }
    }

    fn deflected(&mut self, now: Instant, parties: Parties) {
        let Parties { command, transferor, transferee, refer, .. } = parties;
        self.report(refer, 200);
        self.pass_on(transferor, transferee);
        self.transferred(command, transferee);
        for leg in [transferor, transferee] {
            self.end_by_us(now, leg, Hangup::by_switch(EndCause::Transferred));
        }
    }

    fn dial_instead(&mut self, now: Instant, call_id: CallId, deflection: Deflection) {
        let Deflection { parties, target, caller_id, ring_timeout, .. } = deflection;
        let is_waiting = |state: LegState| matches!(state, LegState::Answered { .. });
        if !self.legs.get(parties.transferee).is_some_and(|leg| is_waiting(leg.state)) {
            let state = "taken elsewhere".to_owned();
            let error = CommandError::WrongState { command: "transfer".to_owned(), state };
            return self.target_failed(parties, error);
        }
        match self.begin_dial(now, parties.command, call_id, target, caller_id, now + ring_timeout) {
            Ok(target) => {
                if let Some(call) = self.calls.get_mut(call_id) {
                    call.transfer = Some(Transfer { parties, target });
                }
            }
            Err(error) => self.target_failed(parties, error),
        }
    }

    /// A leg leaves a call in which a carrier was asked: the transferor may; without the transferee it is over, and
    /// well if the carrier had said that it tries, since some hang up and say no more.
    pub(super) fn leg_leaves_deflection(&mut self, now: Instant, call_id: CallId, leg: LegId) {
        let Some(call) = self.calls.get_mut(call_id) else { return };
        let Some(Parties { transferor, transferee, .. }) = call.deflection.as_ref().map(|it| it.parties)
        else {
            return;
        };
        if leg == transferor {
            self.pass_on(leg, transferee);
        } else if leg == transferee
            && let Some(deflection) = call.deflection.take()
        {
            let Parties { command, refer, .. } = deflection.parties;
            if deflection.is_accepted {
                self.note_referred(now, call_id, leg, Word::Accepted);
            }
            let status = if deflection.is_accepted { 200 } else { 487 };
            self.report(refer, status);
            if deflection.is_accepted {
                self.transferred(command, transferee);
                self.end_by_us(now, transferor, Hangup::by_switch(EndCause::Transferred));
            } else {
                self.done(Settled::new("transfer", command, Err(CommandError::LegEnded)));
            }
        }
    }
}
