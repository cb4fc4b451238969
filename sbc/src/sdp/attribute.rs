//! Attributes that audio needs; any other is kept as it came.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::{Address, Media};

/// `a=` (RFC 8866 §5.13).
#[derive(Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// What follows the colon, if there is one.
    pub value: Option<String>,
}

impl Attribute {
    /// `a=name`.
    #[must_use]
    pub fn flag(name: impl Into<String>) -> Self {
        Self { name: name.into(), value: None }
    }

    /// `a=name:value`.
    #[must_use]
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: Some(value.into()) }
    }
}

impl fmt::Debug for Attribute {
    /// Without keys and passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(_) if matches!(self.name.as_str(), "crypto" | "ice-pwd") => write!(f, "{}:…", self.name),
            Some(value) => write!(f, "{}:{value}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Which ways media flows, seen from the description's author (RFC 8866 §6.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// From its author.
    SendOnly,
    /// To its author.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// As an attribute's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// The same, seen from the other side.
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            Self::SendOnly => Self::RecvOnly,
            Self::RecvOnly => Self::SendOnly,
            same => same,
        }
    }

    pub(super) fn among(attributes: &[Attribute]) -> Option<Self> {
        const ALL: [Direction; 4] =
            [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive];
        let of = |attribute: &Attribute| ALL.into_iter().find(|d| d.as_str() == attribute.name);
        attributes.iter().find_map(of)
    }
}

/// `a=rtpmap` (RFC 8866 §6.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtpMap {
    /// The payload type.
    pub payload_type: u8,
    /// The encoding name as written; compare without case.
    pub encoding: String,
    /// In Hz.
    pub clock_rate: u32,
    /// What follows the second slash: channels, for audio.
    pub channels: Option<u8>,
}

/// `a=rtcp` (RFC 3605).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rtcp {
    /// The port.
    pub port: u16,
    /// The address, when it differs from the connection's.
    pub address: Option<Address>,
}

impl Media {
    /// A section without attributes.
    #[must_use]
    pub fn new(kind: impl Into<String>, port: u16, protocol: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            port,
            port_count: None,
            protocol: protocol.into(),
            formats: Vec::new(),
            connections: Vec::new(),
            bandwidths: Vec::new(),
            attributes: Vec::new(),
            others: Vec::new(),
        }
    }

    /// The value of the first attribute of that name; `None` also when it has no value.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|a| a.name == name)?.value.as_deref()
    }

    /// The `a=rtpmap` attributes that could be read, in order.
    pub fn rtpmaps(&self) -> impl Iterator<Item = RtpMap> + '_ {
        let values = self.attributes.iter().filter(|a| a.name == "rtpmap").filter_map(|a| a.value.as_deref());
        values.filter_map(RtpMap::parse)
    }

    /// The `a=rtpmap` of a payload type.
    #[must_use]
    pub fn rtpmap(&self, payload_type: u8) -> Option<RtpMap> {
        self.rtpmaps().find(|map| map.payload_type == payload_type)
    }

    /// The `a=fmtp` of a format: its parameters as written.
    #[must_use]
    pub fn fmtp(&self, format: &str) -> Option<&str> {
        let values = self.attributes.iter().filter(|a| a.name == "fmtp").filter_map(|a| a.value.as_deref());
        let mut of_formats = values.filter_map(|v| v.trim_start().split_once(' '));
        of_formats.find(|(of, _)| *of == format).map(|(_, parameters)| parameters.trim())
    }

    /// The payload types among the formats, in order of preference.
    pub fn payload_types(&self) -> impl Iterator<Item = u8> + '_ {
        self.formats.iter().filter_map(|format| format.parse().ok().filter(|pt| *pt < 128))
    }

    /// `a=ptime`; fractions of a millisecond are allowed (RFC 8866 §6.4).
    #[must_use]
    pub fn ptime(&self) -> Option<Duration> {
        self.milliseconds("ptime")
    }

    /// `a=maxptime`.
    #[must_use]
    pub fn maxptime(&self) -> Option<Duration> {
        self.milliseconds("maxptime")
    }

    /// `a=rtcp`.
    #[must_use]
    pub fn rtcp(&self) -> Option<Rtcp> {
        Rtcp::parse(self.attribute("rtcp")?)
    }

    fn milliseconds(&self, name: &str) -> Option<Duration> {
        let text = self.attribute(name)?.trim();
        let well_formed = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let ms = text.parse::<f64>().ok().filter(|ms| well_formed && *ms > 0.0 && *ms <= 10_000.0)?;
        Some(Duration::from_secs_f64(ms / 1000.0))
    }
}

impl RtpMap {
    /// Reads the attribute's value.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let (payload_type, encoding) = value.trim().split_once(' ')?;
        let mut parts = encoding.trim().split('/');
        let encoding = parts.next().filter(|name| !name.is_empty())?;
        let clock_rate = parts.next()?.trim().parse().ok()?;
        let channels = parts.next().and_then(|c| c.trim().parse().ok());
        let payload_type = payload_type.parse().ok().filter(|pt| *pt < 128)?;
        Some(Self { payload_type, encoding: encoding.into(), clock_rate, channels })
    }
}

impl From<RtpMap> for Attribute {
    fn from(map: RtpMap) -> Self {
        let RtpMap { payload_type, encoding, clock_rate, channels } = map;
        let channels = channels.map(|c| format!("/{c}")).unwrap_or_default();
        Self::new("rtpmap", format!("{payload_type} {encoding}/{clock_rate}{channels}"))
    }
}

impl From<Direction> for Attribute {
    fn from(direction: Direction) -> Self {
        Self::flag(direction.as_str())
    }
}

impl Rtcp {
    /// Reads the attribute's value: a port, and perhaps `IN IP4 address`.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let port = words.next()?.parse().ok()?;
        let address = match (words.next(), words.next(), words.next()) {
            (Some("IN"), Some(kind), Some(address)) => super::parse::address(kind, address),
            _ => None,
        };
        Some(Self { port, address })
    }

    /// The address, if it is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.address.as_ref().and_then(Address::ip)
    }
}
