//! What an operator decides about those who guess, scan and flood.

use std::time::Duration;

use crate::IpPrefix;

/// What is done about those who guess, scan and flood. A threshold of 0 is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protection {
    /// How long a first ban lasts; nobody is banned when it is zero.
    pub ban: Duration,
    /// How long one lasts at most.
    pub max_ban: Duration,
    /// Within which offences count together.
    pub window: Duration,
    /// Wrong passwords.
    pub authentication_failures: u32,
    /// Different users that do not exist.
    pub unknown_users: u32,
    /// Different numbers that do not exist.
    pub unknown_numbers: u32,
    /// Messages that cannot be read.
    pub malformed: u32,
    /// Packets beyond `packets_per_second`.
    pub packets_over_rate: u32,
    /// Bans that are remembered.
    pub max_bans: u32,
    /// Whether trunks can be banned too.
    pub ban_trunks: bool,
    /// Who is never banned.
    pub exempt: Vec<IpPrefix>,
    /// Datagrams a second that are read of one address.
    pub packets_per_second: u32,
    /// The same of a trunk's address.
    pub trunk_packets_per_second: u32,
}
