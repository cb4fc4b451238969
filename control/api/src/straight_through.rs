//! A call that goes straight through: the caller waits, hears that the party rings, or what it lets be heard early, is
//! answered when the party is, and is refused as the party refused.
//!
//! A part for control planes, which hand it what concerns its call; it asks for everything else by itself. It must
//! not be told of anything after its call has ended.

use std::time::Duration;

use crate::{
    CallId, Command, CommandError, CommandId, DialFailure, DialTarget, EndedBy, HangupCause, LegEnd, LegId,
    MediaPath, Outcome, RejectReason, TransferTo,
};

/// Where a call goes straight to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Whom it rings.
    pub target: DialTarget,
    /// How long.
    pub ring_timeout: Duration,
    /// Which way the media goes.
    pub media: MediaPath,
}

/// How a command is sent; gives back the id its outcome will carry.
pub type Ask<'a> = &'a mut dyn FnMut(Command) -> CommandId;

/// One call that goes straight through.
#[derive(Debug)]
pub struct StraightThrough {
    caller: LegId,
    state: State,
}

/// ```text
/// Ringing ──answered──▶ Answering ──▶ Bridging ──▶ Talking ──▶ Over
///    │                                              ▲│ a transfer
///    │                                              │▼
///    │                                           Transferring
///    └──not answered──▶ Refused ──its leg has ended: so is the caller's refused──▲
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The party is rung, the caller waits; or hears it, since it lets itself be heard.
    Ringing { dial: CommandId, party: Option<LegId>, progress: Option<CommandId> },
    /// The party has not answered; with which status, the end of its leg says.
    Refused { party: LegId, failure: DialFailure },
    /// The party has answered; now the caller is.
    Answering { answer: CommandId, party: LegId },
    /// Both are answered.
    Bridging { bridge: CommandId, party: LegId },
    /// Both talk.
    Talking { party: LegId },
    /// One of the two is transferred by the other one, who may leave meanwhile; then whoever stays is the caller.
    Transferring { transfer: CommandId, transferor: Option<LegId> },
    /// Everybody who is left is being hung up, also the party whose leg is still to come.
    Over { dial: Option<CommandId> },
}

impl StraightThrough {
    /// Rings the party.
    pub fn begin(call: CallId, caller: LegId, route: Route, ask: Ask<'_>) -> Self {
        let Route { target, ring_timeout, media } = route;
        let dial = ask(Command::Dial { call, target, caller_id: None, ring_timeout, media });
        Self { caller, state: State::Ringing { dial, party: None, progress: None } }
    }

    /// A leg of the call was made.
    pub fn leg_created(&mut self, leg: LegId, command: CommandId, ask: Ask<'_>) {
        match &mut self.state {
            State::Ringing { dial, party, .. } if *dial == command => *party = Some(leg),
            State::Over { dial } if *dial == Some(command) => {
                *dial = None;
                ask(Command::Hangup { leg, cause: HangupCause::Cancelled });
            }
            _ => {}
        }
    }

    /// A leg of the call rings; so does the caller hear.
    pub fn leg_ringing(&mut self, leg: LegId, ask: Ask<'_>) {
        if matches!(self.state, State::Ringing { party, .. } if party == Some(leg)) {
            ask(Command::Ring { leg: self.caller });
        }
    }

    /// A leg of the call can be heard before it answers; so it is by the caller.
    pub fn leg_early_media(&mut self, leg: LegId, ask: Ask<'_>) {
        if let State::Ringing { party: Some(party), progress, .. } = &mut self.state
            && *party == leg
            && progress.is_none()
        {
            *progress = Some(ask(Command::Progress { leg: self.caller }));
        }
    }

    /// Who talks: the caller and the other one.
    #[must_use]
    pub const fn talkers(&self) -> Option<(LegId, LegId)> {
        match self.state {
            State::Talking { party } => Some((self.caller, party)),
            _ => None,
        }
    }

    /// One of the two who talk goes on with another leg, or somebody else does in its place.
    pub fn substitute(&mut self, old: LegId, new: LegId) {
        if let State::Talking { party } = &mut self.state {
            if *party == old {
                *party = new;
            } else if self.caller == old {
                self.caller = new;
            }
        }
    }

    /// Hangs up the two who talk.
    pub fn break_up(&mut self, ask: Ask<'_>) {
        if let State::Talking { party } = self.state {
            for leg in [self.caller, party] {
                ask(Command::Hangup { leg, cause: HangupCause::Error });
            }
            self.state = State::Over { dial: None };
        }
    }

    /// The transfer under way.
    #[must_use]
    pub const fn transferring(&self) -> Option<CommandId> {
        match self.state {
            State::Transferring { transfer, .. } => Some(transfer),
            _ => None,
        }
    }

    /// Transfers the one that talks to `transferor`; false when nobody does.
    pub fn transfer(&mut self, transferor: LegId, to: TransferTo, ask: Ask<'_>) -> bool {
        let transferee = match self.talkers() {
            Some((caller, party)) if caller == transferor => party,
            Some((caller, party)) if party == transferor => caller,
            _ => return false,
        };
        let transfer = ask(Command::Transfer { leg: transferor, transferee, to });
        self.caller = transferee;
        self.state = State::Transferring { transfer, transferor: Some(transferor) };
        true
    }

    /// One of the two went on in another call, and the switch hangs up the other one.
    pub const fn leg_moved_away(&mut self) {
        self.state = State::Over { dial: None };
    }

    /// A command of the call is done.
    pub fn done(&mut self, command: CommandId, outcome: &Result<Outcome, CommandError>, ask: Ask<'_>) {
        let caller = self.caller;
        if let State::Ringing { party: Some(party), progress, .. } = self.state
            && progress == Some(command)
        {
            // A caller that cannot hear it early hears it when both are answered.
            if outcome.is_ok() {
                ask(Command::Bridge { a: caller, b: party });
            }
            return;
        }
        if !self.state.awaits(command) {
            return;
        }
        self.state = match (self.state, outcome) {
            (State::Ringing { .. }, Ok(Outcome::Answered { leg: party })) => {
                State::Answering { answer: ask(Command::Answer { leg: caller }), party: *party }
            }
            (State::Ringing { party: Some(party), .. }, Err(CommandError::NotAnswered(failure))) => {
                State::Refused { party, failure: *failure }
            }
            (State::Ringing { party: None, .. }, Err(_)) => {
                ask(Command::Reject { leg: caller, reason: RejectReason::Unavailable });
                State::Over { dial: None }
            }
            (State::Answering { party, .. }, Ok(_)) => {
                State::Bridging { bridge: ask(Command::Bridge { a: caller, b: party }), party }
            }
            (State::Bridging { party, .. }, Ok(_)) => State::Talking { party },
            // Its own carrier has done it: whoever is left is on the way out.
            (State::Transferring { .. }, Ok(Outcome::Transferred { leg })) if *leg == caller => {
                State::Over { dial: None }
            }
            (State::Transferring { .. }, Ok(Outcome::Transferred { leg })) => State::Talking { party: *leg },
            // The end of the leg follows, and with it that of the call.
            (state, Err(CommandError::LegEnded)) => state,
            (State::Answering { party, .. } | State::Bridging { party, .. }, Err(_)) => {
                ask(Command::Hangup { leg: party, cause: HangupCause::Error });
                ask(Command::Hangup { leg: caller, cause: HangupCause::Error });
                State::Over { dial: None }
            }
            // Given back, or never taken.
            (State::Transferring { transferor: Some(party), .. }, Err(error)) => {
                if !matches!(error, CommandError::NotAnswered(_)) {
                    ask(Command::RefuseTransfer { leg: party, reason: RejectReason::Unavailable });
                }
                State::Talking { party }
            }
            (_, _) => {
                ask(Command::Hangup { leg: caller, cause: HangupCause::Error });
                State::Over { dial: None }
            }
        };
    }

    /// A leg of the call has ended: whoever is left is refused or hung up.
    pub fn leg_ended(&mut self, ended: LegId, end: &LegEnd, ask: Ask<'_>) {
        let caller_left = ended != self.caller;
        let (party, dial) = match self.state {
            State::Over { .. } => return,
            State::Transferring { transfer, transferor: Some(transferor) } if ended == transferor => {
                self.state = State::Transferring { transfer, transferor: None };
                return;
            }
            // The target, of whose end the transfer's outcome tells; or there is nobody to transfer any more.
            State::Transferring { .. } if caller_left => return,
            State::Transferring { transferor, .. } => (transferor, None),
            State::Refused { party, failure } => {
                if caller_left && ended == party {
                    let reason = refusal(failure, end);
                    ask(Command::Reject { leg: self.caller, reason });
                }
                if !caller_left || ended == party {
                    self.state = State::Over { dial: None };
                }
                return;
            }
            // A transferor that has no part in the call any more, or a target that had none.
            State::Talking { party } if caller_left && ended != party => return,
            State::Ringing { dial, party, .. } => (party, Some(dial)),
            State::Answering { party, .. } | State::Bridging { party, .. } | State::Talking { party } => {
                (Some(party), None)
            }
        };
        self.state = State::Over { dial: if party.is_none() { dial } else { None } };
        if let Some(leg) = if caller_left { Some(self.caller) } else { party } {
            let cause = if dial.is_some() { HangupCause::Cancelled } else { HangupCause::Normal };
            ask(Command::Hangup { leg, cause });
        }
    }
}

impl State {
    fn awaits(self, command: CommandId) -> bool {
        match self {
            Self::Ringing { dial: id, .. }
            | Self::Answering { answer: id, .. }
            | Self::Bridging { bridge: id, .. }
            | Self::Transferring { transfer: id, .. } => id == command,
            Self::Refused { .. } | Self::Talking { .. } | Self::Over { .. } => false,
        }
    }
}

/// What the caller is told: what the party said, else what we know.
const fn refusal(failure: DialFailure, end: &LegEnd) -> RejectReason {
    match (end.by, failure) {
        (EndedBy::Party, _) if end.status >= 300 => RejectReason::Relayed { status: end.status },
        (_, DialFailure::Busy) => RejectReason::Busy,
        (_, DialFailure::Declined) => RejectReason::Declined,
        (_, DialFailure::Unreachable) if end.status >= 300 => RejectReason::Relayed { status: end.status },
        (_, DialFailure::NoAnswer | DialFailure::Unreachable) => RejectReason::NoAnswer,
        // Its answer has nothing that we could speak; else it is we who have no port for it.
        (_, DialFailure::Media) if end.status == 488 => RejectReason::NotAcceptable,
        (_, DialFailure::Cancelled | DialFailure::Media) => RejectReason::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3261 §21.4.26: 488 is for media that cannot be agreed on; that we have no port left says nothing of it.
    #[test]
    fn an_answer_that_nothing_can_be_agreed_on_is_not_acceptable() {
        let ended = |status| LegEnd { by: EndedBy::Switch, status, cause: "no media".to_owned() };
        assert_eq!(refusal(DialFailure::Media, &ended(488)), RejectReason::NotAcceptable);
        assert_eq!(refusal(DialFailure::Media, &ended(0)), RejectReason::Unavailable);
    }
}
