//! Reads descriptions line by line.

use super::{
    Address, Attribute, Bandwidth, Connection, MAX_FORMATS, MAX_LINES, MAX_MEDIA, Media, Origin, OtherLine,
    SdpError, SdpErrorKind as Kind, SessionDescription, Timing,
};

pub(super) fn description(bytes: &[u8]) -> Result<SessionDescription, SdpError> {
    let mut reader = Reader::default();
    let mut count = 0;
    for line in bytes.split(|&b| b == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        count += 1;
        let fail = |kind| SdpError { kind, line: count };
        if line.is_empty() {
            continue;
        }
        if count > MAX_LINES {
            return Err(fail(Kind::TooManyLines));
        }
        if line.contains(&0) {
            return Err(fail(Kind::Line));
        }
        let text = String::from_utf8_lossy(line);
        let (kind, value) =
            split_line(&text).ok_or(fail(if count == 1 { Kind::Version } else { Kind::Line }))?;
        reader.line(kind, value).map_err(fail)?;
    }
    reader.finish().map_err(|kind| SdpError { kind, line: count })
}

/// `<type>=<value>`: one letter, no space before the equals sign.
fn split_line(line: &str) -> Option<(char, &str)> {
    let (kind, value) = line.split_once('=')?;
    let mut letters = kind.chars();
    let letter = letters.next().filter(char::is_ascii_alphabetic)?;
    letters.next().is_none().then_some((letter, value))
}

#[derive(Default)]
struct Reader {
    version_seen: bool,
    origin: Option<Origin>,
    name: String,
    connection: Option<Connection>,
    bandwidths: Vec<Bandwidth>,
    times: Vec<Timing>,
    attributes: Vec<Attribute>,
    media: Vec<Media>,
    others: Vec<OtherLine>,
}

impl Reader {
    fn line(&mut self, kind: char, value: &str) -> Result<(), Kind> {
        if !self.version_seen {
            self.version_seen = kind == 'v' && value.trim() == "0";
            return if self.version_seen { Ok(()) } else { Err(Kind::Version) };
        }
        match kind {
            'm' => self.media(value)?,
            'c' => {
                let connection = connection(value).ok_or(Kind::Connection)?;
                match self.media.last_mut() {
                    Some(media) => media.connections.push(connection),
                    None => self.connection = Some(connection),
                }
            }
            'b' => {
                let bandwidth = bandwidth(value).ok_or(Kind::Bandwidth)?;
                self.media.last_mut().map_or(&mut self.bandwidths, |m| &mut m.bandwidths).push(bandwidth);
            }
            'a' => {
                let attribute = attribute(value);
                self.media.last_mut().map_or(&mut self.attributes, |m| &mut m.attributes).push(attribute);
            }
            'o' => self.origin = Some(origin(value).ok_or(Kind::Origin)?),
            's' => self.name = value.into(),
            't' => self.times.push(timing(value).ok_or(Kind::Timing)?),
            'v' => return Err(Kind::Version),
            _ => self.other(kind, value),
        }
        Ok(())
    }

    /// RFC 8866 §5: lines of a type that is not defined are ignored.
    fn other(&mut self, kind: char, value: &str) {
        let (others, known) = match self.media.last_mut() {
            Some(media) => (&mut media.others, super::OTHER_MEDIA_LINES),
            None => (&mut self.others, super::OTHER_SESSION_LINES),
        };
        if known.contains(kind) {
            others.push(OtherLine { kind, value: value.into() });
        }
    }

    fn media(&mut self, value: &str) -> Result<(), Kind> {
        if self.media.len() == MAX_MEDIA {
            return Err(Kind::TooManyMedia);
        }
        let mut words = value.split_ascii_whitespace();
        let (Some(kind), Some(ports), Some(protocol)) = (words.next(), words.next(), words.next()) else {
            return Err(Kind::Media);
        };
        let (port, port_count) = match ports.split_once('/') {
            None => (ports, None),
            Some((port, count)) => (port, Some(count.parse().map_err(|_| Kind::Media)?)),
        };
        let mut media = Media::new(kind, port.parse().map_err(|_| Kind::Media)?, protocol);
        media.port_count = port_count;
        for format in words {
            if media.formats.len() == MAX_FORMATS {
                return Err(Kind::TooManyFormats);
            }
            media.formats.push(format.into());
        }
        self.media.push(media);
        Ok(())
    }

    fn finish(self) -> Result<SessionDescription, Kind> {
        if !self.version_seen {
            return Err(Kind::Version);
        }
        Ok(SessionDescription {
            origin: self.origin.ok_or(Kind::Origin)?,
            name: self.name,
            connection: self.connection,
            bandwidths: self.bandwidths,
            times: self.times,
            attributes: self.attributes,
            media: self.media,
            others: self.others,
        })
    }
}

/// `o=<username> <sess-id> <sess-version> <nettype> <addrtype> <unicast-address>`.
fn origin(value: &str) -> Option<Origin> {
    let mut words = value.split_ascii_whitespace();
    let username = words.next()?.into();
    let session_id = words.next()?.parse().unwrap_or_default();
    let session_version = words.next()?.parse().unwrap_or_default();
    let (_nettype, kind, host) = (words.next()?, words.next()?, words.next()?);
    Some(Origin { username, session_id, session_version, address: address(kind, host)? })
}

/// `c=<nettype> <addrtype> <connection-address>`.
fn connection(value: &str) -> Option<Connection> {
    let mut words = value.split_ascii_whitespace();
    let (nettype, kind, host) = (words.next()?, words.next()?, words.next()?);
    if !nettype.eq_ignore_ascii_case("IN") {
        return None;
    }
    let (host, multicast) = match host.split_once('/') {
        None => (host, None),
        Some((host, multicast)) => (host, Some(multicast.into())),
    };
    Some(Connection { address: address(kind, host)?, multicast })
}

/// An address of type `IP4` or `IP6`. The literal decides when the two disagree.
pub(super) fn address(kind: &str, host: &str) -> Option<Address> {
    let version_6 = if kind.eq_ignore_ascii_case("IP6") {
        true
    } else if kind.eq_ignore_ascii_case("IP4") {
        false
    } else {
        return None;
    };
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    Some(bare.parse().map_or_else(|_| Address::Name { name: host.into(), version_6 }, Address::Ip))
}

/// `b=<bwtype>:<bandwidth>`.
fn bandwidth(value: &str) -> Option<Bandwidth> {
    let (kind, value) = value.split_once(':')?;
    Some(Bandwidth { kind: kind.trim().into(), value: value.trim().parse().ok()? })
}

/// `t=<start-time> <stop-time>`.
fn timing(value: &str) -> Option<Timing> {
    let mut words = value.split_ascii_whitespace();
    let start = words.next()?.parse().ok()?;
    Some(Timing { start, stop: words.next().unwrap_or("0").parse().ok()? })
}

/// `a=<attribute>` or `a=<attribute>:<value>`.
fn attribute(value: &str) -> Attribute {
    match value.split_once(':') {
        Some((name, value)) => Attribute::new(name.trim(), value.trim_end()),
        None => Attribute::flag(value.trim()),
    }
}
