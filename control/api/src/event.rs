//! What a control plane is told.

use serde::{Deserialize, Serialize};

use crate::{CallId, CallRecord, CommandId, LegId, ProgressReport};

/// What happened. Events of one call arrive in the order they happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// A new call asks to be answered.
    CallOffered {
        /// The call.
        call: CallId,
        /// The caller's leg.
        leg: LegId,
        /// Where it came from.
        origin: Origin,
        /// Who calls.
        from: Party,
        /// What was dialled: the Request-URI's user part, `+` kept.
        dialled: String,
        /// Who sent the call on before it came to us.
        #[serde(default)]
        redirected: Option<Redirection>,
    },
    /// A command's one outcome.
    Done {
        /// The command.
        command: CommandId,
        /// How it ended.
        outcome: Result<Outcome, CommandError>,
    },
    /// A `Dial` has begun; its leg can be hung up from now on.
    LegCreated {
        /// The call.
        call: CallId,
        /// The new leg.
        leg: LegId,
        /// The `Dial` that made it.
        command: CommandId,
    },
    /// The called party's phone rings (180 or 183).
    LegRinging {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
    },
    /// The called party can be heard although it has not answered: `Bridge` lets the caller hear it, who is not answered
    /// either after `Progress`. Comes before or after `LegRinging`, once.
    LegEarlyMedia {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
    },
    /// The party pressed a key outside a collection, or within one (then also in its outcome).
    Digit {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
        /// `0-9 * # A-D`.
        digit: char,
    },
    /// What answers a leg is known; once for each [`crate::Command::Analyse`].
    ProgressFound {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
        /// What, and why that is thought.
        report: Box<ProgressReport>,
    },
    /// The wait for a machine's beep is over, after [`Event::ProgressFound`]. A beep after a live voice says that it was
    /// a machine nevertheless.
    BeepAwaited {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
        /// Whether it has beeped: a message can be left now.
        heard: bool,
    },
    /// The party wants the one it talks to transferred (REFER, RFC 3515). Answer with [`crate::Command::Transfer`] or
    /// [`crate::Command::RefuseTransfer`], soon; its phone gives up after some seconds.
    TransferAsked {
        /// The call.
        call: CallId,
        /// The party's leg.
        leg: LegId,
        /// To whom: a number or user as it would be dialled. May be empty with `consulted_on`.
        to: String,
        /// Its other leg, to whose party it wants the first one transferred.
        consulted_on: Option<LegId>,
    },
    /// A leg goes on in another call; it is told before the outcome of the [`crate::Command::Transfer`] that did it.
    LegMoved {
        /// The call it is in now.
        call: CallId,
        /// The leg.
        leg: LegId,
        /// The call it was in.
        from: CallId,
    },
    /// Somebody goes on in a leg's place, by a call of its own (Replaces, RFC 3891): another phone of the same party, or
    /// whom the party has transferred it to by itself. The leg, and what it hears, is what it was.
    LegReplaced {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
        /// Who is there now.
        by: Origin,
    },
    /// The party is sent to, and nothing has come from it for some seconds although it should: one-way audio as a rule. Told
    /// again when that happens again.
    LegUnheard {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
    },
    /// A leg's recording cannot be written any more; the call goes on.
    RecordingFailed {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
        /// Why.
        reason: String,
    },
    /// The party put us on hold: it does not listen (RFC 3264 §8.4).
    LegHeld {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
    },
    /// The party listens again.
    LegResumed {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
    },
    /// A leg is over; it takes no commands any more, and every command it had has had its outcome.
    LegEnded {
        /// The call.
        call: CallId,
        /// The leg.
        leg: LegId,
        /// How.
        end: LegEnd,
    },
    /// The last leg has ended, its media is closed and the record is complete. Nothing follows for this call.
    CallEnded {
        /// The call.
        call: CallId,
        /// What is kept of it.
        record: Box<CallRecord>,
    },
    /// A phone became reachable, or ceased to be.
    Registration {
        /// The user name it registered as.
        user: String,
        /// Whether any contact is left.
        reachable: bool,
    },
}

/// What a command achieved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The leg is answered (also the outcome of `Dial`).
    Answered {
        /// The leg.
        leg: LegId,
    },
    /// The play ended.
    Played {
        /// Why.
        end: PlayEnd,
    },
    /// The collection ended.
    Collected {
        /// The digits, without terminator.
        digits: String,
        /// Why.
        end: CollectEnd,
    },
    /// Transferee and target hear each other; with [`crate::TransferTo::Control`] the transferee is for itself.
    Transferred {
        /// The target's leg; the transferee's own with [`crate::TransferTo::Control`], and when its own carrier has
        /// called the target: then it ends.
        leg: LegId,
    },
    /// Done; nothing to add (`Ring`, `Reject`, `Hangup`, `Stop`, `Bridge`, `Unbridge`, `Join`, `SetLevel`, `Analyse`, `Record`,
    /// `SetData`).
    Ok,
}

/// Why a play ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlayEnd {
    /// All of it was heard.
    Finished,
    /// A digit barged in.
    BargedIn,
    /// Stopped or replaced by a command.
    Stopped,
}

/// Why a collection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CollectEnd {
    /// As many digits as asked for.
    MaxDigits,
    /// A terminator.
    Terminator,
    /// No first digit in time.
    FirstDigitTimeout,
    /// No further digit in time.
    InterDigitTimeout,
    /// Stopped or replaced by a command.
    Stopped,
}

/// Why a command was not carried out. The call goes on as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum CommandError {
    /// The call does not exist (any more).
    #[error("no such call")]
    UnknownCall,
    /// The leg does not exist (any more).
    #[error("no such leg")]
    UnknownLeg,
    /// The leg is in a state in which this makes no sense.
    #[error("cannot {command} a leg that is {state}")]
    WrongState {
        /// The command's name.
        command: String,
        /// The leg's state.
        state: String,
    },
    /// The legs to bridge belong to different calls.
    #[error("the legs belong to different calls")]
    DifferentCalls,
    /// No prompt of that name, or a digit string with something else in it.
    #[error("unknown prompt {0}")]
    UnknownPrompt(String),
    /// Nothing of what was to be spoken could be, and there is nothing else to hear.
    #[error("nothing could be spoken")]
    NotSpoken,
    /// The leg ended before the command could be completed.
    #[error("the leg ended")]
    LegEnded,
    /// A `Dial` that was not answered.
    #[error("not answered: {0}")]
    NotAnswered(DialFailure),
    /// A named maximum was reached.
    #[error("limit reached: {0}")]
    Limit(String),
    /// A parameter is out of range.
    #[error("invalid {0}")]
    Invalid(String),
}

/// Why a dialled party did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum DialFailure {
    /// 486, 600.
    #[error("busy")]
    Busy,
    /// 603, 480 and other refusals by the party.
    #[error("declined")]
    Declined,
    /// Rang until the ring timeout, or 408, 480 by the network.
    #[error("no answer")]
    NoAnswer,
    /// Not registered, no trunk of that name, 404, transport failure, 5xx.
    #[error("unreachable")]
    Unreachable,
    /// Hung up by a command, or the call ended.
    #[error("cancelled")]
    Cancelled,
    /// No common codec, or no media port left.
    #[error("no media")]
    Media,
}

/// Where a call came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// A trunk, by its name.
    Trunk(String),
    /// A registered phone, by its user name.
    User(String),
}

/// A party's identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// The number or user; empty when withheld.
    pub number: String,
    /// The display name, if any.
    pub name: Option<String>,
    /// Whether the party wants not to be known (RFC 3323); then it has neither number nor name here.
    #[serde(default)]
    pub withheld: bool,
}

/// Who sent a call on before it came to us (RFC 5806, RFC 7044).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redirection {
    /// Who; the latest when there were several.
    pub by: Party,
    /// Why, in the words of RFC 5806 §4: `unconditional`, `user-busy`, `no-answer`, `unknown`, …
    pub reason: String,
}

/// How a leg ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegEnd {
    /// Who ended it.
    pub by: EndedBy,
    /// The final SIP status, where there was one (`200` for BYE after an answer).
    pub status: u16,
    /// In words, for the record: `normal`, `busy`, `no media`, `session timeout`, …
    pub cause: String,
}

/// Who ended a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndedBy {
    /// The party on the leg.
    Party,
    /// The control plane.
    Control,
    /// The switch: the other side of a call is gone, a timer ran out, media ceased, the node drains.
    Switch,
}
