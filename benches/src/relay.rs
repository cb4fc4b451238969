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

/// Where the relay's sockets are.
pub const RELAY_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));

/// Something that relays. Dropping it stops it.
pub trait Relay {
    /// Where each party sends to, in the order of the parties.
    fn legs(&self) -> &[SocketAddr];

    /// Processor time used so far by what relays.
    ///
    /// # Errors
    /// When it is gone.
    fn cpu(&self) -> io::Result<Duration>;
}
