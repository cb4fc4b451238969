//! The relay benchmark: subjects that relay RTP between the two parties of each call, and the traffic through them.
//!
//! Party `2k` and party `2k + 1` are call `k`. Every party has a socket of its own and sends 50 packets a second.

pub mod account;
pub mod bare;
pub mod bencode;
pub mod ours;
pub mod rtpengine;
pub mod traffic;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tandem_media::srtp::SrtpKeys;
use tandem_media_net::sys::{Urgency, make_current_thread_realtime, pin_current_thread};

/// Where the relay's sockets are.
pub const RELAY_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));

/// Where and how threads of a benchmark run.
#[derive(Clone, Copy, Debug)]
pub struct Placement {
    /// Where the parties are.
    pub parties_core: usize,
    /// Where the relay is.
    pub relay_core: usize,
    /// Whether both go before whatever else the host runs, as far as that is allowed.
    pub realtime: bool,
}

impl Placement {
    fn prepare_thread(self, core: usize) -> io::Result<()> {
        if self.realtime {
            make_current_thread_realtime(Urgency::Audio)?;
        }
        pin_current_thread(core)
    }
}

/// Which packets are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// None.
    Neither,
    /// Those between the relay and the second party of each call.
    OneSide,
}

impl Protection {
    /// Whether a party protects what it sends.
    #[must_use]
    pub fn covers(self, party: usize) -> bool {
        self == Self::OneSide && party % 2 == 1
    }
}

/// Something that relays. Dropping it stops it.
pub trait Relay {
    /// Where each party sends to, in the order of the parties.
    fn legs(&self) -> &[SocketAddr];

    /// How a party protects what it sends, and what comes; not at all when there is none.
    fn keys_of(&self, _party: usize) -> Option<&SrtpKeys> {
        None
    }

    /// Processor time used so far by what relays.
    ///
    /// # Errors
    /// When it is gone.
    fn cpu(&self) -> io::Result<Duration>;
}
