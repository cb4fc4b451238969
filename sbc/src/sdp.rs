//! Session descriptions (RFC 8866): read leniently, written strictly.
//!
//! Reading takes LF for CRLF, lines out of order, missing `s=` and `t=`, spaces at line ends, and keeps what it does
//! not know. Writing gives the order, the mandatory lines and the line ends of the RFC. Must not know what an offer
//! or an answer is.

mod attribute;
mod crypto;
mod dtls;
mod parse;
mod print;

pub use attribute::{Attribute, Direction, Rtcp, RtpMap};
pub use crypto::{Crypto, SrtpKey, SrtpSuite};
pub use dtls::{Fingerprint, Setup};

use std::net::IpAddr;

/// Lines in a description.
pub const MAX_LINES: usize = 512;
/// Media sections in a description.
pub const MAX_MEDIA: usize = 16;
/// Formats of one media section.
pub const MAX_FORMATS: usize = 64;

/// Types of session lines that are kept unread, in the order they are written: four before `c=`, the others after `t=`.
const OTHER_SESSION_LINES: &str = "iueprzk";
/// Types of media lines that are kept unread: one before `c=`, the other after `b=`.
const OTHER_MEDIA_LINES: &str = "ik";

/// A session description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionDescription {
    /// `o=`.
    pub origin: Origin,
    /// `s=`; written as `-` when empty.
    pub name: String,
    /// `c=` of the session.
    pub connection: Option<Connection>,
    /// `b=` of the session.
    pub bandwidths: Vec<Bandwidth>,
    /// `t=`; written as `0 0` when there is none.
    pub times: Vec<Timing>,
    /// `a=` of the session, in order.
    pub attributes: Vec<Attribute>,
    /// `m=` sections, in order.
    pub media: Vec<Media>,
    /// Other lines of the session (`i u e p r z k`), kept as read.
    pub others: Vec<OtherLine>,
}

/// `o=` (RFC 8866 §5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// `-` when there is none.
    pub username: String,
    /// Names the session; 0 when what came is no number.
    pub session_id: u64,
    /// Grows with each change of the description; 0 when what came is no number.
    pub session_version: u64,
    /// The creator's address.
    pub address: Address,
}

/// Where media goes, or where a description comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An address.
    Ip(IpAddr),
    /// A name; `version_6` says whether it was announced as `IP6`.
    Name {
        /// The name.
        name: String,
        /// `IP6` rather than `IP4`.
        version_6: bool,
    },
}

impl Address {
    /// The address, if it is one.
    #[must_use]
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Name { .. } => None,
        }
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        Self::Ip(address)
    }
}

/// `c=` (RFC 8866 §5.7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The address.
    pub address: Address,
    /// What follows a slash: time to live and number of addresses, for multicast.
    pub multicast: Option<String>,
}

impl From<IpAddr> for Connection {
    fn from(address: IpAddr) -> Self {
        Self { address: address.into(), multicast: None }
    }
}

/// `b=` (RFC 8866 §5.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bandwidth {
    /// Such as `AS`, `TIAS`, `RS`.
    pub kind: String,
    /// In the unit of its kind: kbit/s for `AS`.
    pub value: u64,
}

/// `t=`, in seconds since 1900; both 0 for a session without bounds (RFC 8866 §5.9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// Start.
    pub start: u64,
    /// Stop.
    pub stop: u64,
}

/// A line of a type that we keep but do not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherLine {
    /// Its type letter.
    pub kind: char,
    /// What follows the equals sign.
    pub value: String,
}

/// One `m=` section (RFC 8866 §5.14).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// Such as `audio`.
    pub kind: String,
    /// The port; 0 when refused or unused.
    pub port: u16,
    /// How many port pairs, when given.
    pub port_count: Option<u16>,
    /// Such as `RTP/AVP`.
    pub protocol: String,
    /// Payload types for RTP.
    pub formats: Vec<String>,
    /// `c=` of the section; the session's holds when there is none.
    pub connections: Vec<Connection>,
    /// `b=` of the section.
    pub bandwidths: Vec<Bandwidth>,
    /// `a=` of the section, in order.
    pub attributes: Vec<Attribute>,
    /// Other lines of the section (`i k`), kept as read.
    pub others: Vec<OtherLine>,
}

impl SessionDescription {
    /// Reads a description.
    ///
    /// # Errors
    /// What is wrong, and in which line.
    pub fn parse(bytes: &[u8]) -> Result<Self, SdpError> {
        parse::description(bytes)
    }

    /// A description without media.
    #[must_use]
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            name: String::from("-"),
            connection: None,
            bandwidths: Vec::new(),
            times: vec![Timing::default()],
            attributes: Vec::new(),
            media: Vec::new(),
            others: Vec::new(),
        }
    }

    /// Where a section's media goes: its own `c=`, else the session's.
    #[must_use]
    pub fn connection_of<'a>(&'a self, media: &'a Media) -> Option<&'a Connection> {
        media.connections.first().or(self.connection.as_ref())
    }

    /// Which ways a section's media flows: its own attribute, else the session's, else both (RFC 8866 §6.7).
    #[must_use]
    pub fn direction_of(&self, media: &Media) -> Direction {
        Direction::among(&media.attributes).or_else(|| Direction::among(&self.attributes)).unwrap_or_default()
    }
}

/// What is wrong with a description, and in which line (the first is 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} in line {line} of the session description")]
pub struct SdpError {
    /// What.
    pub kind: SdpErrorKind,
    /// Where.
    pub line: usize,
}

/// What is wrong with a description. All of it is the peer's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SdpErrorKind {
    /// It does not begin with `v=0`.
    #[error("no v=0")]
    Version,
    /// A line that is no letter, equals sign and value.
    #[error("malformed line")]
    Line,
    /// No `o=`, or a malformed one.
    #[error("malformed or missing origin")]
    Origin,
    /// A `c=` that is no Internet address.
    #[error("malformed connection")]
    Connection,
    /// A malformed `b=`.
    #[error("malformed bandwidth")]
    Bandwidth,
    /// A malformed `t=`.
    #[error("malformed timing")]
    Timing,
    /// A malformed `m=`.
    #[error("malformed media section")]
    Media,
    /// More than [`MAX_LINES`].
    #[error("too many lines")]
    TooManyLines,
    /// More than [`MAX_MEDIA`].
    #[error("too many media sections")]
    TooManyMedia,
    /// More than [`MAX_FORMATS`].
    #[error("too many formats")]
    TooManyFormats,
}
