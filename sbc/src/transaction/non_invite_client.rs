//! The non-INVITE client transaction.

use tandem_time::Instant;

use super::{Effects, Retransmission, Send, Tell, Timing, earliest};

/// RFC 3261 §17.1.2.2 figure 6.
///
/// | state | input | next | effect |
/// |---|---|---|---|
/// | Trying | timer E | Trying | request sent, E doubled up to T2 |
/// | Proceeding | timer E | Proceeding | request sent, E is T2 |
/// | Trying, Proceeding | timer F, transport error | Terminated | inform user |
/// | Trying, Proceeding | 1xx | Proceeding | 1xx to user |
/// | Trying, Proceeding | 200–699 | Completed | response to user |
/// | Completed | timer K | Terminated | – |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonInviteClient {
    /// The request is out.
    Trying {
        /// Timer E.
        e: Option<Retransmission>,
        /// Timer F.
        f: Instant,
    },
    /// A provisional response came.
    Proceeding {
        /// Timer E.
        e: Option<Retransmission>,
        /// Timer F.
        f: Instant,
    },
    /// A final response came; its retransmissions are absorbed.
    Completed {
        /// Timer K.
        k: Instant,
    },
    /// Gone.
    Terminated,
}

/// What can happen to a non-INVITE client transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonInviteClientInput {
    /// 100 to 199.
    Provisional,
    /// 200 to 699.
    Final,
    /// Something could not be sent.
    TransportError,
    /// Time to send the request again.
    TimerE,
    /// Nobody answered.
    TimerF,
    /// No more retransmissions of the response can come.
    TimerK,
}

impl NonInviteClient {
    /// A transaction whose request is sent by `now`.
    #[must_use]
    pub fn new(now: Instant, timing: &Timing) -> (Self, Effects) {
        let trying = Self::Trying { e: timing.first_retransmission(now), f: timing.b_or_f(now) };
        (trying, Effects::send(Send::Request))
    }

    /// One step of the table.
    #[must_use]
    pub fn step(self, now: Instant, input: NonInviteClientInput, timing: &Timing) -> (Self, Effects) {
        use NonInviteClientInput as In;
        match (self, input) {
            (Self::Trying { e: Some(e), f }, In::TimerE) => {
                let e = Some(e.doubled(now, timing.timers.t2));
                (Self::Trying { e, f }, Effects::send(Send::Request))
            }
            (Self::Proceeding { e: Some(e), f }, In::TimerE) => {
                let e = Some(e.with_interval(now, timing.timers.t2));
                (Self::Proceeding { e, f }, Effects::send(Send::Request))
            }
            (Self::Trying { .. } | Self::Proceeding { .. }, In::TimerF) => {
                (Self::Terminated, Effects::tell(Tell::Timeout))
            }
            (Self::Trying { .. } | Self::Proceeding { .. }, In::TransportError) => {
                (Self::Terminated, Effects::tell(Tell::TransportError))
            }
            (Self::Trying { e, f } | Self::Proceeding { e, f }, In::Provisional) => {
                (Self::Proceeding { e, f }, Effects::tell(Tell::Response))
            }
            (Self::Trying { .. } | Self::Proceeding { .. }, In::Final) => {
                (Self::Completed { k: timing.i_or_k(now) }, Effects::tell(Tell::Response))
            }
            (Self::Completed { .. }, In::TimerK) => (Self::Terminated, Effects::NONE),
            (state, _) => (state, Effects::NONE),
        }
    }

    /// When its next timer fires.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match *self {
            Self::Trying { e, f } | Self::Proceeding { e, f } => Some(earliest(e, f)),
            Self::Completed { k } => Some(k),
            Self::Terminated => None,
        }
    }

    /// The timer that has fired by `now`.
    #[must_use]
    pub fn due(&self, now: Instant) -> Option<NonInviteClientInput> {
        match *self {
            Self::Trying { f, .. } | Self::Proceeding { f, .. } if f <= now => {
                Some(NonInviteClientInput::TimerF)
            }
            Self::Trying { e: Some(e), .. } | Self::Proceeding { e: Some(e), .. } if e.at <= now => {
                Some(NonInviteClientInput::TimerE)
            }
            Self::Completed { k } if k <= now => Some(NonInviteClientInput::TimerK),
            _ => None,
        }
    }
}
