//! Content-Type (RFC 3261 §20.15) and multipart bodies (RFC 2046 §5.1, RFC 5621).

use std::borrow::Cow;

use super::{Params, ValueError};
use crate::lex::{self, TOKEN};
use crate::message::limits::MAX_BODY_PARTS;

/// A media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaType<'a> {
    /// Such as `application`, as written.
    pub kind: &'a str,
    /// Such as `sdp`, as written.
    pub subtype: &'a str,
    /// The parameters.
    pub params: Params<'a>,
}

impl<'a> MediaType<'a> {
    /// Reads a value.
    ///
    /// # Errors
    /// [`ErrorKind::Value`](crate::message::ErrorKind::Value) or
    /// [`ErrorKind::Unbalanced`](crate::message::ErrorKind::Unbalanced).
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        let end = memchr::memchr(b';', value).unwrap_or(value.len());
        let slash = memchr::memchr(b'/', &value[..end]).ok_or(ValueError::value(end))?;
        let (kind, subtype) = (lex::trim(&value[..slash]), lex::trim(&value[slash + 1..end]));
        if !lex::all(kind, TOKEN) || !lex::all(subtype, TOKEN) {
            return Err(ValueError::value(0));
        }
        let params = Params::parse(&value[end..]).map_err(|e| e.moved(end))?;
        Ok(Self { kind: lex::ascii(kind), subtype: lex::ascii(subtype), params })
    }

    /// Whether it is that type, in any case and with any parameters.
    #[must_use]
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }

    /// The boundary of a multipart type.
    #[must_use]
    pub fn boundary(&self) -> Option<Cow<'a, [u8]>> {
        self.kind.eq_ignore_ascii_case("multipart").then(|| self.params.unquoted("boundary")).flatten()
    }
}

/// One part of a multipart body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// Its header lines, unparsed.
    pub headers: &'a [u8],
    /// Its body.
    pub body: &'a [u8],
}

impl<'a> Part<'a> {
    /// The value of one of its headers, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers.split(|&b| b == b'\n').find_map(|line| {
            let colon = memchr::memchr(b':', line)?;
            let matches = lex::trim(&line[..colon]).eq_ignore_ascii_case(name.as_bytes());
            matches.then(|| lex::trim(&line[colon + 1..]))
        })
    }
}

/// The parts of a multipart body, at most [`MAX_BODY_PARTS`]. Preamble and epilogue are left out; a part that the
/// closing boundary does not end is left out too.
pub fn parts<'a>(body: &'a [u8], boundary: &[u8]) -> impl Iterator<Item = Part<'a>> {
    let delimiter = [b"--", boundary].concat();
    let mut rest = after_delimiter(body, &delimiter, true);
    let part = move || {
        let from = rest?;
        let end = find_delimiter(from, &delimiter, false)?;
        rest = after_delimiter(from, &delimiter, false);
        let section = from.get(..end).unwrap_or_default();
        // No headers at all: the section begins with the empty line.
        if let Some(body) = section.strip_prefix(b"\r\n") {
            return Some(Part { headers: b"", body });
        }
        let blank = memchr::memmem::find(section, b"\r\n\r\n");
        let (headers, body) = match blank {
            Some(at) => (&section[..at], &section[at + 4..]),
            None => (section, &b""[..]),
        };
        Some(Part { headers, body })
    };
    std::iter::from_fn(part).take(MAX_BODY_PARTS)
}

/// Where the CRLF before the next delimiter line stands; with `at_start`, that CRLF may be missing.
fn find_delimiter(bytes: &[u8], delimiter: &[u8], at_start: bool) -> Option<usize> {
    if at_start && bytes.starts_with(delimiter) {
        return Some(0);
    }
    let mut from = 0;
    loop {
        let at = from + memchr::memmem::find(bytes.get(from..)?, delimiter)?;
        match at.checked_sub(2) {
            Some(line_end) if bytes.get(line_end..at) == Some(b"\r\n") => return Some(line_end),
            _ => from = at + 1,
        }
    }
}

/// What follows the next delimiter line; `None` after the closing one.
fn after_delimiter<'a>(bytes: &'a [u8], delimiter: &[u8], at_start: bool) -> Option<&'a [u8]> {
    let at = find_delimiter(bytes, delimiter, at_start)?;
    let line = bytes.get(at..)?;
    let line = line.strip_prefix(b"\r\n").unwrap_or(line).get(delimiter.len()..)?;
    if line.starts_with(b"--") {
        return None;
    }
    line.get(memchr::memchr(b'\n', line)? + 1..)
}
