//! Why a leg ended: from statuses and commands to one short list.

use tandem_control_api::{DialFailure, Direction, EndedBy, HangupCause, LegEnd, RejectReason};
use tandem_sbc::user_agent::{Ender, SessionEnd, SessionError};

/// Why a leg ended, as records and metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndCause {
    /// The conversation or flow was over.
    Normal,
    /// Nothing answers at that number.
    NotFound,
    /// Busy.
    Busy,
    /// Not wanted.
    Declined,
    /// Could not be taken now.
    Unavailable,
    /// No common codec, no port, no endpoint; or nothing was heard for the media timeout.
    NoMedia,
    /// Media was to be protected, and there are no keys for it.
    NoKeys,
    /// Rang too long.
    NoAnswer,
    /// Given up before an answer.
    Cancelled,
    /// Nobody to send it to, or nothing came back.
    Unreachable,
    /// The call lasted as long as it may.
    TooLong,
    /// The caller had gone and the control plane said nothing about this leg.
    CallerGone,
    /// Transferred: somebody else talks in its place.
    Transferred,
    /// Its party has picked up a call that rang elsewhere, and goes on there.
    PickedUp,
    /// The node stops and waited long enough.
    NodeStops,
    /// The control plane could not go on.
    ControlError,
    /// A SIP timer or the transport; the record has the user agent's words.
    SignallingFailure,
}

impl EndCause {
    /// As records, metrics and the Reason header (RFC 3326) show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::NotFound => "not found",
            Self::Busy => "busy",
            Self::Declined => "declined",
            Self::Unavailable => "unavailable",
            Self::NoMedia => "no media",
            Self::NoKeys => "no keys",
            Self::NoAnswer => "no answer",
            Self::Cancelled => "cancelled",
            Self::Unreachable => "unreachable",
            Self::TooLong => "too long",
            Self::CallerGone => "caller gone",
            Self::Transferred => "transferred",
            Self::PickedUp => "picked up another",
            Self::NodeStops => "node stops",
            Self::ControlError => "control error",
            Self::SignallingFailure => "signalling failure",
        }
    }

    /// What a caller is told whose call ends before it was answered (RFC 3261 §21): that nobody is there now, unless
    /// there is more to say. 6xx would say that it need not try anywhere else.
    pub(crate) const fn refusal_status(self) -> u16 {
        match self {
            Self::NotFound | Self::Unreachable => 404,
            Self::Busy => 486,
            Self::NoMedia | Self::NoKeys => 488,
            Self::Declined => 603,
            Self::Unavailable | Self::NodeStops => 503,
            Self::ControlError | Self::SignallingFailure => 500,
            Self::Normal
            | Self::NoAnswer
            | Self::Cancelled
            | Self::TooLong
            | Self::CallerGone
            | Self::Transferred
            | Self::PickedUp => 480,
        }
    }
}

impl From<HangupCause> for EndCause {
    fn from(cause: HangupCause) -> Self {
        match cause {
            HangupCause::Normal => Self::Normal,
            HangupCause::NoAnswer => Self::NoAnswer,
            HangupCause::Cancelled => Self::Cancelled,
            HangupCause::Error => Self::ControlError,
        }
    }
}

impl From<RejectReason> for EndCause {
    fn from(reason: RejectReason) -> Self {
        match reason {
            RejectReason::NotFound => Self::NotFound,
            RejectReason::Busy => Self::Busy,
            RejectReason::Declined => Self::Declined,
            RejectReason::Unavailable => Self::Unavailable,
            RejectReason::NotAcceptable => Self::NoMedia,
            RejectReason::NoAnswer => Self::NoAnswer,
            RejectReason::Relayed { status } => status_failure(status, false).into(),
        }
    }
}

impl From<DialFailure> for EndCause {
    fn from(failure: DialFailure) -> Self {
        match failure {
            DialFailure::Busy => Self::Busy,
            DialFailure::Declined => Self::Declined,
            DialFailure::NoAnswer => Self::NoAnswer,
            DialFailure::Unreachable => Self::Unreachable,
            DialFailure::Cancelled => Self::Cancelled,
            DialFailure::Media => Self::NoMedia,
        }
    }
}

/// The final response to an offered call that the control plane refuses (RFC 3261 §21).
pub(crate) const fn reject_status(reason: RejectReason) -> u16 {
    match reason {
        RejectReason::NotFound => 404,
        RejectReason::Busy => 486,
        RejectReason::Declined => 603,
        RejectReason::Unavailable => 503,
        RejectReason::NotAcceptable => 488,
        RejectReason::NoAnswer => 480,
        RejectReason::Relayed { status } => relayed_status(status),
    }
}

/// What a caller is told when the party that was rung for it was told or said `status`. A response about the request
/// that we made ourselves says nothing of the caller's, so that it becomes 500; and:
///
/// - 3xx: the caller cannot go where only we were sent (480, RFC 3261 §21.4.18),
/// - 401, 407, 403 to us: we were not let through (403),
/// - 503: it would tell the caller that we take no calls at all (RFC 3261 §16.7 step 6),
/// - 408 is what silence comes to (RFC 3261 §16.8), 487 is nobody's wish but the party's.
pub(crate) const fn relayed_status(status: u16) -> u16 {
    match status {
        300..=399 => 480,
        401 | 407 => 403,
        403 | 404 | 408 | 410 | 433 | 480 | 483 | 484 | 485 | 486 | 488 => status,
        415 => 488,
        416 => 404,
        487 => 480,
        500 | 502 | 504 => status,
        600 | 603 | 604 | 606 | 607 | 608 => status,
        601.. => 603,
        _ => 500,
    }
}

/// What a final response to our INVITE means for who dialled (RFC 3261 §21). 480 is the network's "no answer" when
/// the phone had rung, and a refusal ("do not disturb") when it had not.
pub(crate) const fn dial_failure(end: &SessionEnd, rang: bool) -> DialFailure {
    if matches!(end.by, Ender::Failure) {
        return match end.status {
            488 => DialFailure::Media,
            _ if rang => DialFailure::NoAnswer,
            _ => DialFailure::Unreachable,
        };
    }
    status_failure(end.status, rang)
}

const fn status_failure(status: u16, rang: bool) -> DialFailure {
    match status {
        486 | 600 => DialFailure::Busy,
        408 => DialFailure::NoAnswer,
        480 if rang => DialFailure::NoAnswer,
        487 => DialFailure::Cancelled,
        415 | 488 | 606 => DialFailure::Media,
        401 | 404 | 407 | 410 | 416 | 484 | 604 | 300..=399 | 500..=599 => DialFailure::Unreachable,
        _ => DialFailure::Declined,
    }
}

/// What a transferor is told when the target did not answer.
pub(super) const fn failure_status(failure: DialFailure) -> u16 {
    match failure {
        DialFailure::Busy => 486,
        DialFailure::Declined => 603,
        DialFailure::NoAnswer => 480,
        DialFailure::Unreachable => 404,
        DialFailure::Cancelled => 487,
        DialFailure::Media => 488,
    }
}

/// What it means that no INVITE could be sent.
pub(crate) const fn invite_failure(error: SessionError) -> DialFailure {
    match error {
        SessionError::NoCommonCodec => DialFailure::Media,
        SessionError::NotRegistered
        | SessionError::NoOffer
        | SessionError::UnknownTrunk
        | SessionError::Nowhere
        | SessionError::NotSecure
        | SessionError::OutOfReach
        | SessionError::Limit
        | SessionError::UnknownSession
        | SessionError::WrongState => DialFailure::Unreachable,
    }
}

/// How a leg ended that nobody here had asked to end.
pub(crate) fn unasked_end(
    end: SessionEnd,
    direction: Direction,
    answered: bool,
    rang: bool,
) -> (LegEnd, EndCause) {
    let (by, cause) = match (end.by, answered, direction) {
        (Ender::Failure, true, _) | (Ender::Failure, false, Direction::Inbound) => {
            (EndedBy::Switch, EndCause::SignallingFailure)
        }
        (Ender::Failure, false, Direction::Outbound) => (EndedBy::Switch, dial_failure(&end, rang).into()),
        (Ender::Owner, ..) => (EndedBy::Switch, EndCause::Normal),
        (Ender::Peer, true, _) => (EndedBy::Party, EndCause::Normal),
        (Ender::Peer, false, Direction::Inbound) => (EndedBy::Party, EndCause::Cancelled),
        (Ender::Peer, false, Direction::Outbound) => (EndedBy::Party, dial_failure(&end, rang).into()),
    };
    let words = if cause == EndCause::SignallingFailure { end.reason } else { cause.name().to_owned() };
    (LegEnd { by, status: end.status, cause: words }, cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16) -> SessionEnd {
        SessionEnd { by: Ender::Peer, status, reason: String::new() }
    }

    #[test]
    fn callers_are_told_what_concerns_them() {
        const SAID: [u16; 52] = [
            300, 301, 302, 305, 380, 400, 401, 402, 403, 404, 405, 406, 407, 408, 410, 412, 413, 414, 415,
            416, 420, 421, 422, 433, 480, 481, 482, 483, 484, 485, 486, 487, 488, 489, 491, 493, 494, 500,
            501, 502, 503, 504, 505, 513, 580, 600, 603, 604, 606, 607, 608, 699,
        ];
        let table = SAID.map(|status| format!("{status} → {}", relayed_status(status)));
        insta::assert_snapshot!(table.join("\n"));
    }

    /// RFC 3261 §21.4.18: 480 says that the callee was reached but "is currently unavailable"; RFC 3261 §21.6.2 and
    /// the documentation of [`DialFailure`] name the others.
    #[test]
    fn final_responses_tell_who_dialled_why() {
        let table = [
            (486, DialFailure::Busy),
            (600, DialFailure::Busy),
            (603, DialFailure::Declined),
            (403, DialFailure::Declined),
            (480, DialFailure::Declined),
            (408, DialFailure::NoAnswer),
            (404, DialFailure::Unreachable),
            (302, DialFailure::Unreachable),
            (503, DialFailure::Unreachable),
            (599, DialFailure::Unreachable),
            (488, DialFailure::Media),
            (487, DialFailure::Cancelled),
        ];
        for (status, failure) in table {
            assert_eq!(dial_failure(&refused(status), false), failure, "{status}");
        }
        assert_eq!(dial_failure(&refused(480), true), DialFailure::NoAnswer, "480 after ringing");
    }

    /// An answer that has no codec of ours, or no description at all, is no silence.
    #[test]
    fn an_answer_without_a_codec_in_common_is_no_media_whether_the_phone_had_rung_or_not() {
        let answered = SessionEnd { by: Ender::Failure, status: 488, reason: "no common codec".to_owned() };
        for rang in [false, true] {
            assert_eq!(dial_failure(&answered, rang), DialFailure::Media);
        }
    }

    #[test]
    fn silence_is_unreachable_unless_the_phone_had_rung() {
        let timeout = SessionEnd { by: Ender::Failure, status: 408, reason: "timer B".to_owned() };
        assert_eq!(dial_failure(&timeout, false), DialFailure::Unreachable);
        assert_eq!(dial_failure(&timeout, true), DialFailure::NoAnswer);
    }
}
