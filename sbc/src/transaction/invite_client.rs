//! The INVITE client transaction.

use tandem_time::Instant;

use super::{Effects, Retransmission, Send, Tell, Timing, earliest};

/// RFC 3261 §17.1.1.2 figure 5, as RFC 6026 §8.4 redraws it.
///
/// | state | input | next | effect |
/// |---|---|---|---|
/// | Calling | timer A | Calling | INVITE sent, A doubled |
/// | Calling | timer B, transport error | Terminated | inform user |
/// | Calling, Proceeding | 1xx | Proceeding | 1xx to user |
/// | Calling, Proceeding | 2xx | Accepted | 2xx to user |
/// | Calling, Proceeding | 300–699 | Completed | ACK sent, response to user |
/// | Completed | 300–699 | Completed | ACK sent |
/// | Completed | transport error | Terminated | inform user |
/// | Completed | timer D | Terminated | – |
/// | Accepted | 2xx | Accepted | 2xx to user |
/// | Accepted | timer M | Terminated | – |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InviteClient {
    /// The INVITE is out.
    Calling {
        /// Timer A.
        a: Option<Retransmission>,
        /// Timer B.
        b: Instant,
    },
    /// A provisional response came.
    Proceeding,
    /// A final response other than 2xx came; its retransmissions are acknowledged again.
    Completed {
        /// Timer D.
        d: Instant,
    },
    /// A 2xx came; more of them go to the user, who acknowledges them.
    Accepted {
        /// Timer M.
        m: Instant,
    },
    /// Gone.
    Terminated,
}

/// What can happen to an INVITE client transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InviteClientInput {
    /// 100 to 199.
    Provisional,
    /// 200 to 299.
    Success,
    /// 300 to 699.
    Failure,
    /// Something could not be sent.
    TransportError,
    /// Time to send the INVITE again.
    TimerA,
    /// Nobody answered.
    TimerB,
    /// No more retransmissions of the response can come.
    TimerD,
    /// No more 2xx can come.
    TimerM,
}

impl InviteClient {
    /// A transaction whose INVITE is sent by `now`.
    #[must_use]
    pub fn new(now: Instant, timing: &Timing) -> (Self, Effects) {
        let calling = Self::Calling { a: timing.first_retransmission(now), b: timing.b_or_f(now) };
        (calling, Effects::send(Send::Request))
    }

    /// One step of the table.
    #[must_use]
    pub fn step(self, now: Instant, input: InviteClientInput, timing: &Timing) -> (Self, Effects) {
        use InviteClientInput as In;
        match (self, input) {
            (Self::Calling { a: Some(a), b }, In::TimerA) => {
                // §17.1.1.2: A doubles without a cap; B ends it.
                let a = a.doubled(now, timing.timers.transaction_timeout());
                (Self::Calling { a: Some(a), b }, Effects::send(Send::Request))
            }
            (Self::Calling { .. }, In::TimerB) => (Self::Terminated, Effects::tell(Tell::Timeout)),
            (Self::Calling { .. } | Self::Completed { .. }, In::TransportError) => {
                (Self::Terminated, Effects::tell(Tell::TransportError))
            }
            (Self::Calling { .. } | Self::Proceeding, In::Provisional) => {
                (Self::Proceeding, Effects::tell(Tell::Response))
            }
            (Self::Calling { .. } | Self::Proceeding, In::Success) => {
                (Self::Accepted { m: timing.timeout(now) }, Effects::tell(Tell::Response))
            }
            (Self::Calling { .. } | Self::Proceeding, In::Failure) => {
                (Self::Completed { d: timing.d(now) }, Effects::both(Send::Ack, Tell::Response))
            }
            (Self::Completed { .. }, In::Failure) => (self, Effects::send(Send::Ack)),
            (Self::Accepted { .. }, In::Success) => (self, Effects::tell(Tell::Response)),
            (Self::Completed { .. }, In::TimerD) | (Self::Accepted { .. }, In::TimerM) => {
                (Self::Terminated, Effects::NONE)
            }
            (state, _) => (state, Effects::NONE),
        }
    }

    /// Without timer A: the INVITE is sent no more. No RFC has this; it is for a client that tries another server.
    #[must_use]
    pub const fn hushed(self) -> Self {
        match self {
            Self::Calling { b, .. } => Self::Calling { a: None, b },
            other => other,
        }
    }

    /// When its next timer fires.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match *self {
            Self::Calling { a, b } => Some(earliest(a, b)),
            Self::Completed { d } => Some(d),
            Self::Accepted { m } => Some(m),
            Self::Proceeding | Self::Terminated => None,
        }
    }

    /// The timer that has fired by `now`.
    #[must_use]
    pub fn due(&self, now: Instant) -> Option<InviteClientInput> {
        match *self {
            Self::Calling { b, .. } if b <= now => Some(InviteClientInput::TimerB),
            Self::Calling { a: Some(a), .. } if a.at <= now => Some(InviteClientInput::TimerA),
            Self::Completed { d } if d <= now => Some(InviteClientInput::TimerD),
            Self::Accepted { m } if m <= now => Some(InviteClientInput::TimerM),
            _ => None,
        }
    }
}
