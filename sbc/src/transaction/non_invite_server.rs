//! The non-INVITE server transaction.

use tandem_time::Instant;

use super::{Effects, Send, Tell, Timing};

/// RFC 3261 §17.2.2 figure 8.
///
/// | state | input | next | effect |
/// |---|---|---|---|
/// | Trying | request | Trying | – |
/// | Trying, Proceeding | 1xx from user | Proceeding | response sent |
/// | Trying, Proceeding | 200–699 from user | Completed | response sent |
/// | Proceeding | request | Proceeding | response sent again |
/// | Completed | request | Completed | response sent again |
/// | Proceeding, Completed | transport error | Terminated | inform user |
/// | Completed | timer J | Terminated | – |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonInviteServer {
    /// The request is with the user.
    Trying,
    /// The user sent a provisional response.
    Proceeding,
    /// The user sent a final response; it is sent again for each retransmission of the request.
    Completed {
        /// Timer J.
        j: Instant,
    },
    /// Gone.
    Terminated,
}

/// What can happen to a non-INVITE server transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NonInviteServerInput {
    /// The request came again.
    Request,
    /// The user sends 100 to 199.
    Provisional,
    /// The user sends 200 to 699.
    Final,
    /// Something could not be sent.
    TransportError,
    /// No more retransmissions of the request can come.
    TimerJ,
}

impl NonInviteServer {
    /// A transaction whose request goes to the user.
    #[must_use]
    pub fn new() -> Self {
        Self::Trying
    }

    /// One step of the table.
    #[must_use]
    pub fn step(self, now: Instant, input: NonInviteServerInput, timing: &Timing) -> (Self, Effects) {
        use NonInviteServerInput as In;
        match (self, input) {
            (Self::Trying | Self::Proceeding, In::Provisional) => {
                (Self::Proceeding, Effects::send(Send::Response))
            }
            (Self::Trying | Self::Proceeding, In::Final) => {
                (Self::Completed { j: timing.j(now) }, Effects::send(Send::Response))
            }
            (Self::Proceeding | Self::Completed { .. }, In::Request) => (self, Effects::send(Send::Response)),
            (Self::Proceeding | Self::Completed { .. }, In::TransportError) => {
                (Self::Terminated, Effects::tell(Tell::TransportError))
            }
            (Self::Completed { .. }, In::TimerJ) => (Self::Terminated, Effects::NONE),
            (state, _) => (state, Effects::NONE),
        }
    }

    /// When its next timer fires.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match *self {
            Self::Completed { j } => Some(j),
            Self::Trying | Self::Proceeding | Self::Terminated => None,
        }
    }

    /// The timer that has fired by `now`.
    #[must_use]
    pub fn due(&self, now: Instant) -> Option<NonInviteServerInput> {
        match *self {
            Self::Completed { j } if j <= now => Some(NonInviteServerInput::TimerJ),
            _ => None,
        }
    }
}

impl Default for NonInviteServer {
    fn default() -> Self {
        Self::new()
    }
}
