//! Questions to DNS and what it answers, as far as SIP needs it.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::transport::Transport;

/// A host name that stands for a carrier, and what is said beside it about the way there (RFC 3263 §4).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Domain {
    /// The name, in small letters, without a dot at the end.
    pub name: String,
    /// The port; when there is one, only the addresses of the name are asked for.
    pub port: Option<u16>,
    /// The transport; DNS chooses between UDP and TCP when it is not said.
    pub transport: Option<Transport>,
}

impl fmt::Display for Domain {
    /// As the host part of a URI, with its port.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// What DNS is asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Question {
    /// The name, without a dot at the end.
    pub name: String,
    /// What about it.
    pub kind: RecordKind,
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.name(), self.name)
    }
}

/// Kinds of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// RFC 3403.
    Naptr,
    /// RFC 2782.
    Srv,
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
}

impl RecordKind {
    /// As zone files have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Naptr => "NAPTR",
            Self::Srv => "SRV",
            Self::A => "A",
            Self::Aaaa => "AAAA",
        }
    }
}

/// One record of an answer. Names are in small letters, without a dot at the end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Record {
    /// Where a service of a domain is described (RFC 3403 §4.1).
    Naptr {
        /// The lowest is meant.
        order: u16,
        /// Among those of one order, the lowest is preferred.
        preference: u16,
        /// `s` when the replacement has SRV records; others are not followed.
        flags: String,
        /// `SIP+D2U` and the like.
        service: String,
        /// Where to ask on.
        replacement: String,
    },
    /// A host of a service.
    Srv {
        /// The lowest is tried first.
        priority: u16,
        /// Among those of one priority, how likely it is the first.
        weight: u16,
        /// Its port.
        port: u16,
        /// Its name; empty when the service is decidedly not there.
        target: String,
    },
    /// An address of a host.
    Address(IpAddr),
}

/// What DNS answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The records; none when there are none, or no such name.
    pub records: Vec<Record>,
    /// For how long that is so.
    pub ttl: Duration,
}

/// Nobody answered, or nobody could.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookupFailed;
