//! The INVITE server transaction.

use tandem_time::Instant;

use super::{Effects, Retransmission, Send, Tell, Timing, earliest};

/// RFC 3261 §17.2.1 figure 7, as RFC 6026 §8.7 redraws it.
///
/// | state | input | next | effect |
/// |---|---|---|---|
/// | Proceeding | INVITE | Proceeding | response sent again |
/// | Proceeding | 1xx from user | Proceeding | response sent |
/// | Proceeding | 2xx from user | Accepted | response sent |
/// | Proceeding | 300–699 from user | Completed | response sent |
/// | Proceeding, Accepted, Completed | transport error | same | inform user |
/// | Accepted | INVITE | Accepted | – |
/// | Accepted | 2xx from user | Accepted | response sent |
/// | Accepted | ACK | Accepted | ACK to user |
/// | Accepted | timer L | Terminated | – |
/// | Completed | INVITE | Completed | response sent again |
/// | Completed | timer G | Completed | response sent again, G doubled up to T2 |
/// | Completed | ACK | Confirmed | – |
/// | Completed | timer H | Terminated | inform user |
/// | Confirmed | timer I | Terminated | – |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InviteServer {
    /// The INVITE is with the user; 100 is out.
    Proceeding,
    /// The user sent a 2xx, and sends it again by itself until the ACK comes.
    Accepted {
        /// Timer L.
        l: Instant,
    },
    /// The user refused; the response is sent again until the ACK comes.
    Completed {
        /// Timer G.
        g: Option<Retransmission>,
        /// Timer H.
        h: Instant,
    },
    /// The ACK came; more of them are absorbed.
    Confirmed {
        /// Timer I.
        i: Instant,
    },
    /// Gone.
    Terminated,
}

/// What can happen to an INVITE server transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InviteServerInput {
    /// The INVITE came again.
    Request,
    /// An ACK came.
    Ack,
    /// The user sends 101 to 199.
    Provisional,
    /// The user sends 200 to 299.
    Success,
    /// The user sends 300 to 699.
    Failure,
    /// Something could not be sent.
    TransportError,
    /// Time to send the response again.
    TimerG,
    /// No ACK came.
    TimerH,
    /// No more ACKs can come.
    TimerI,
    /// No more retransmissions of the INVITE can come.
    TimerL,
}

impl InviteServer {
    /// A transaction whose INVITE goes to the user; the 100 the user sends with it keeps the peer quiet.
    #[must_use]
    pub fn new() -> Self {
        Self::Proceeding
    }

    /// One step of the table.
    #[must_use]
    pub fn step(self, now: Instant, input: InviteServerInput, timing: &Timing) -> (Self, Effects) {
        use InviteServerInput as In;
        match (self, input) {
            (Self::Proceeding, In::Request | In::Provisional) => (self, Effects::send(Send::Response)),
            (Self::Proceeding, In::Success) => {
                (Self::Accepted { l: timing.timeout(now) }, Effects::send(Send::Response))
            }
            (Self::Proceeding, In::Failure) => {
                let completed =
                    Self::Completed { g: timing.first_retransmission(now), h: timing.timeout(now) };
                (completed, Effects::send(Send::Response))
            }
            (Self::Proceeding | Self::Accepted { .. } | Self::Completed { .. }, In::TransportError) => {
                (self, Effects::tell(Tell::TransportError))
            }
            (Self::Accepted { .. }, In::Success) => (self, Effects::send(Send::Response)),
            (Self::Accepted { .. }, In::Ack) => (self, Effects::tell(Tell::Ack)),
            (Self::Completed { .. }, In::Request) => (self, Effects::send(Send::Response)),
            (Self::Completed { g: Some(g), h }, In::TimerG) => {
                let g = Some(g.doubled(now, timing.timers.t2));
                (Self::Completed { g, h }, Effects::send(Send::Response))
            }
            (Self::Completed { .. }, In::Ack) => (Self::Confirmed { i: timing.i_or_k(now) }, Effects::NONE),
            (Self::Completed { .. }, In::TimerH) => (Self::Terminated, Effects::tell(Tell::Timeout)),
            (Self::Accepted { .. }, In::TimerL) | (Self::Confirmed { .. }, In::TimerI) => {
                (Self::Terminated, Effects::NONE)
            }
            (state, _) => (state, Effects::NONE),
        }
    }

    /// When its next timer fires.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match *self {
            Self::Accepted { l } => Some(l),
            Self::Completed { g, h } => Some(earliest(g, h)),
            Self::Confirmed { i } => Some(i),
            Self::Proceeding | Self::Terminated => None,
        }
    }

    /// The timer that has fired by `now`.
    #[must_use]
    pub fn due(&self, now: Instant) -> Option<InviteServerInput> {
        match *self {
            Self::Completed { h, .. } if h <= now => Some(InviteServerInput::TimerH),
            Self::Completed { g: Some(g), .. } if g.at <= now => Some(InviteServerInput::TimerG),
            Self::Confirmed { i } if i <= now => Some(InviteServerInput::TimerI),
            Self::Accepted { l } if l <= now => Some(InviteServerInput::TimerL),
            _ => None,
        }
    }
}

impl Default for InviteServer {
    fn default() -> Self {
        Self::new()
    }
}
