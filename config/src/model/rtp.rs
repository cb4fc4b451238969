//! Media: where it comes in.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

/// How packets are given to the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RtpIo {
    /// By io_uring where it can be had.
    #[default]
    Auto,
    /// By send, sendto and sendmmsg.
    Mmsg,
    /// By io_uring, or no start.
    IoUring,
}

/// Media.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rtp {
    /// Our address in SDP, and where sockets are bound.
    pub address: IpAddr,
    /// The same of the other family, for peers who speak that.
    pub other_address: Option<IpAddr>,
    /// RTP on even ports, RTCP on the odd one above.
    pub ports: RangeInclusive<u16>,
    /// How long a port rests after a call before another one may have it.
    pub port_rest: Duration,
    /// Media threads; one a core when absent.
    pub threads: Option<usize>,
    /// Whether they run in the kernel's real-time class, where it lets them.
    pub realtime: bool,
    /// How packets are given to the kernel.
    pub io: RtpIo,
    /// A leg from which nothing is heard for so long is ended; never when absent.
    pub media_timeout: Option<Duration>,
    /// Whether a phone may send RTP from where its signalling comes.
    pub phones_behind_nat: bool,
    /// One more address that RTP of phones behind NAT may come from.
    pub phone_gateway: Option<IpAddr>,
}
