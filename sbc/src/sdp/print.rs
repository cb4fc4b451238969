//! Writes descriptions in the order of RFC 8866 §9, with CRLF. Line ends and NUL in
//! values become spaces, white space within words a dash.

use std::fmt::{self, Display, Formatter};
use std::net::IpAddr;

use super::{
    Address, Attribute, Bandwidth, Connection, Media, OTHER_MEDIA_LINES, OTHER_SESSION_LINES, OtherLine,
    SessionDescription,
};

impl Display for SessionDescription {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let origin = &self.origin;
        f.write_str("v=0\r\n")?;
        write!(f, "o={} ", Word(or_dash(&origin.username)))?;
        write!(f, "{} {} IN {}\r\n", origin.session_id, origin.session_version, origin.address)?;
        write!(f, "s={}\r\n", Text(or_dash(&self.name)))?;
        others(f, &self.others, &OTHER_SESSION_LINES[..4])?;
        if let Some(connection) = &self.connection {
            write!(f, "{connection}")?;
        }
        bandwidths(f, &self.bandwidths)?;
        if self.times.is_empty() {
            f.write_str("t=0 0\r\n")?;
        }
        for time in &self.times {
            write!(f, "t={} {}\r\n", time.start, time.stop)?;
        }
        others(f, &self.others, &OTHER_SESSION_LINES[4..])?;
        attributes(f, &self.attributes)?;
        self.media.iter().try_for_each(|media| write!(f, "{media}"))
    }
}

impl Display for Media {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "m={} {}", Word(&self.kind), self.port)?;
        if let Some(count) = self.port_count {
            write!(f, "/{count}")?;
        }
        write!(f, " {}", Word(&self.protocol))?;
        // The grammar asks for one format at least.
        if self.formats.is_empty() {
            f.write_str(" 0")?;
        }
        for format in &self.formats {
            write!(f, " {}", Word(format))?;
        }
        f.write_str("\r\n")?;
        others(f, &self.others, &OTHER_MEDIA_LINES[..1])?;
        self.connections.iter().try_for_each(|connection| write!(f, "{connection}"))?;
        bandwidths(f, &self.bandwidths)?;
        others(f, &self.others, &OTHER_MEDIA_LINES[1..])?;
        attributes(f, &self.attributes)
    }
}

impl Display for Connection {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "c=IN {}", self.address)?;
        if let Some(multicast) = &self.multicast {
            write!(f, "/{}", Word(multicast))?;
        }
        f.write_str("\r\n")
    }
}

impl Display for Address {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V4(address)) => write!(f, "IP4 {address}"),
            Self::Ip(IpAddr::V6(address)) => write!(f, "IP6 {address}"),
            Self::Name { name, version_6: true } => write!(f, "IP6 {}", Word(name)),
            Self::Name { name, version_6: false } => write!(f, "IP4 {}", Word(name)),
        }
    }
}

fn others(f: &mut Formatter<'_>, lines: &[OtherLine], kinds: &str) -> fmt::Result {
    for kind in kinds.chars() {
        for line in lines.iter().filter(|line| line.kind == kind) {
            write!(f, "{kind}={}\r\n", Text(&line.value))?;
        }
    }
    Ok(())
}

fn bandwidths(f: &mut Formatter<'_>, bandwidths: &[Bandwidth]) -> fmt::Result {
    bandwidths.iter().try_for_each(|b| write!(f, "b={}:{}\r\n", Word(&b.kind), b.value))
}

fn attributes(f: &mut Formatter<'_>, attributes: &[Attribute]) -> fmt::Result {
    for Attribute { name, value } in attributes {
        match value {
            Some(value) => write!(f, "a={}:{}\r\n", Word(name), Text(value))?,
            None => write!(f, "a={}\r\n", Word(name))?,
        }
    }
    Ok(())
}

fn or_dash(text: &str) -> &str {
    if text.trim().is_empty() { "-" } else { text }
}

/// Text that cannot end its line.
struct Text<'a>(&'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        joined(f, self.0.split(['\r', '\n', '\0']), " ")
    }
}

/// Text that cannot become two words either.
struct Word<'a>(&'a str);

impl Display for Word<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        joined(f, self.0.split(|c: char| c == '\0' || c.is_ascii_whitespace()), "-")
    }
}

fn joined<'a>(f: &mut Formatter<'_>, mut pieces: impl Iterator<Item = &'a str>, by: &str) -> fmt::Result {
    f.write_str(pieces.next().unwrap_or_default())?;
    pieces.try_for_each(|piece| write!(f, "{by}{piece}"))
}
