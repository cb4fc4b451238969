//! What a party says, and what it can tell of a call afterwards.

use std::net::SocketAddr;
use std::time::Duration;

use crate::ear::Heard;
use crate::naming::Named;
use crate::stream::{Received, Sent};

/// Names a call of one phone, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallKey(pub u64);

/// What a phone wants done, or tells.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send a SIP datagram from the phone's address.
    Sip {
        /// To whom.
        destination: SocketAddr,
        /// What.
        bytes: Vec<u8>,
    },
    /// Packets to `local` (RTP) and the port after it (RTCP) are wanted from now on, and some may leave from there.
    OpenMedia {
        /// The even port.
        local: SocketAddr,
    },
    /// No more.
    CloseMedia {
        /// The even port.
        local: SocketAddr,
    },
    /// Send an RTP packet, or an RTCP packet when the local port is odd.
    Rtp {
        /// From this address of ours.
        local: SocketAddr,
        /// To whom.
        destination: SocketAddr,
        /// What.
        bytes: Vec<u8>,
    },
    /// Something happened.
    Event(Event),
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The registrar granted a registration, or a refresh.
    Registered {
        /// For how long.
        expires: Duration,
    },
    /// It did not; tried again later, unless the phone was told to unregister.
    RegistrationFailed {
        /// The final status; none after a timeout.
        status: Option<u16>,
    },
    /// Somebody calls.
    Incoming {
        /// The call.
        call: CallKey,
        /// The caller's user part.
        from: String,
        /// The called user part.
        to: String,
    },
    /// The called party makes progress (180, 183).
    Progress {
        /// The call.
        call: CallKey,
        /// The provisional status.
        status: u16,
    },
    /// The call is answered: the 200 has come, or left.
    Answered {
        /// The call.
        call: CallKey,
    },
    /// A step of a call was taken; each is told once.
    Step {
        /// The call.
        call: CallKey,
        /// Which.
        step: Step,
        /// How long it took.
        took: Duration,
    },
    /// The BYE we sent is answered, or nobody answers it.
    Released {
        /// The call.
        call: CallKey,
        /// The final status; none after a timeout.
        status: Option<u16>,
        /// From the BYE until then.
        took: Duration,
    },
    /// Our REFER has its final response.
    TransferAnswered {
        /// The call that it was in.
        call: CallKey,
        /// None after a timeout.
        status: Option<u16>,
    },
    /// What becomes of our REFER, as the other side tells (NOTIFY).
    TransferProgress {
        /// The call that it was in.
        call: CallKey,
        /// The status of the response that is told of.
        status: u16,
        /// Whether nothing more will be told.
        is_last: bool,
    },
    /// The answer to something asked outside any dialog, such as OPTIONS.
    Inquired {
        /// What [`crate::Phone::ask_options`] returned.
        inquiry: CallKey,
        /// The final status; none after a timeout.
        status: Option<u16>,
        /// From the request until then.
        took: Duration,
    },
    /// The registrar answered one REGISTER of ours with this status; what it means is told besides.
    RegisterAnswered {
        /// The final status.
        status: u16,
        /// From the REGISTER until then.
        took: Duration,
    },
    /// The registrar removed our contact.
    Unregistered,
    /// The call is over.
    Ended {
        /// The call.
        call: CallKey,
        /// What there is to tell.
        report: Box<Report>,
    },
}

/// A step of a call, and what its duration is counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// INVITE until the first provisional response, usually 100.
    Trying,
    /// INVITE until the first 180 or 183.
    Ringing,
    /// INVITE until its 200.
    Answered,
    /// As the called party: our 200 until its ACK.
    Acknowledged,
}

/// Which side of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// This party.
    Ours,
    /// The other.
    Theirs,
    /// Nobody: a timer ran out.
    Nobody,
}

/// What a party can tell of a call.
#[derive(Clone, Debug)]
pub struct Report {
    /// The Call-ID.
    pub sip_call_id: String,
    /// Whether this party placed the call.
    pub caller: bool,
    /// The caller's user part.
    pub from: String,
    /// The called user part.
    pub to: String,
    /// The frequency this party spoke with.
    pub hz: u16,
    /// When the INVITE left or came.
    pub began: Duration,
    /// When the first 180 or 183 left or came.
    pub ringing: Option<Duration>,
    /// When the 200 left or came.
    pub answered: Option<Duration>,
    /// When it was over: the final answer or BYE left or came.
    pub ended: Duration,
    /// Who ended it.
    pub by: Side,
    /// The final status of the INVITE; 0 when there was none.
    pub status: u16,
    /// As a caller: every final status the INVITE got, each (status, To tag) once.
    pub finals: Vec<u16>,
    /// As a called party: whether the ACK came.
    pub acknowledged: bool,
    /// What it called itself, and heard of the other end (Session-ID).
    pub named: Named,
    /// What left.
    pub sent: Sent,
    /// What came.
    pub received: Received,
    /// What was heard.
    pub heard: Heard,
}
