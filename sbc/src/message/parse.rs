//! The one pass over a message's bytes.

use super::limits::{MAX_HEADER, MAX_HEADER_NAME, MAX_MESSAGE};
use super::{Entry, ErrorKind, HeaderIndex, HeaderName, Malformed, Message, Method, ParseError, StartLine};
use crate::lex::{self, LWS, TOKEN};

const VERSION: &[u8] = b"SIP/2.0";

pub(super) fn message<'a>(bytes: &'a [u8], index: &'a mut HeaderIndex) -> Result<Message<'a>, Malformed<'a>> {
    let fail = |kind, offset| Malformed { error: ParseError::new(kind, None, offset), partial: None };
    if bytes.len() > MAX_MESSAGE {
        return Err(fail(ErrorKind::MessageTooLarge, MAX_MESSAGE));
    }
    // RFC 3261 §7.5: CRLFs before the start line are ignored.
    let blank = bytes.iter().take_while(|&&b| b == b'\r' || b == b'\n').count();
    let bytes = &bytes[blank..];

    let (line, after) = match line(bytes, 0) {
        Ok(found) => found,
        Err(error) => return Err(fail(error.kind, error.offset)),
    };
    let (start, mut first_error) = match start_line(line) {
        Ok(start) => (start, None),
        Err((Some(start), error)) => (start, Some(error)),
        Err((None, error)) => return Err(Malformed { error, partial: None }),
    };
    let mut scan = Scan { bytes, at: after, entries: &mut index.entries, count: 0 };
    let headers = scan.headers(&mut first_error);
    let Scan { at: body_start, count, .. } = scan;
    let mut message =
        Message { bytes, entries: index.entries.get(..count).unwrap_or_default(), start, body_start };
    if let Err(error) = headers {
        first_error.get_or_insert(error);
    } else if let Err(error) = cut_body(&mut message) {
        first_error.get_or_insert(error);
    }
    match first_error {
        None => Ok(message),
        Some(error) => Err(Malformed { error, partial: Some(message) }),
    }
}

/// The bytes of the line at `at` without its line end, and where the next begins. Folds are not looked at.
#[inline]
fn line(bytes: &[u8], at: usize) -> Result<(&[u8], usize), ParseError> {
    let rest = bytes.get(at..).unwrap_or_default();
    let Some(end) = memchr::memchr2(b'\r', b'\n', rest) else {
        return Err(ParseError::new(ErrorKind::Truncated, None, bytes.len()));
    };
    match rest[end..] {
        [b'\r', b'\n', ..] => Ok((&rest[..end], at + end + 2)),
        [b'\r'] => Err(ParseError::new(ErrorKind::Truncated, None, bytes.len())),
        _ => Err(ParseError::new(ErrorKind::BareLineEnd, None, at + end)),
    }
}

type StartError<'a> = (Option<StartLine<'a>>, ParseError);

/// RFC 3261 §7.1 and §7.2. An error comes with what can still be answered.
fn start_line(line: &[u8]) -> Result<StartLine<'_>, StartError<'_>> {
    let error = |kind, offset| ParseError::new(kind, None, offset);
    if line.len() > MAX_HEADER {
        return Err((None, error(ErrorKind::HeaderTooLong, MAX_HEADER)));
    }
    let Some(space) = memchr::memchr(b' ', line) else {
        return Err((None, error(ErrorKind::StartLine, 0)));
    };
    let (first, rest) = (&line[..space], &line[space + 1..]);
    if first.len() >= 4 && first[..4].eq_ignore_ascii_case(b"SIP/") {
        return status_line(first, rest).map_err(|(kind, offset)| (None, error(kind, offset)));
    }
    let method = Method::parse(first).ok_or((None, error(ErrorKind::Method, 0)))?;
    // The last space, since a broken Request-URI may hold some and can still be answered.
    let Some(last) = memchr::memrchr(b' ', rest) else {
        return Err((None, error(ErrorKind::StartLine, line.len())));
    };
    let (uri, version) = (&rest[..last], &rest[last + 1..]);
    let start = StartLine::Request { method, uri };
    if !version.eq_ignore_ascii_case(VERSION) {
        let kind = if is_version(version) { ErrorKind::Version } else { ErrorKind::StartLine };
        return Err((Some(start), error(kind, space + 1 + last + 1)));
    }
    if uri.is_empty() || uri.iter().any(|&b| lex::is(b, LWS)) {
        return Err((Some(start), error(ErrorKind::StartLine, space + 1)));
    }
    Ok(start)
}

fn status_line<'a>(version: &[u8], rest: &'a [u8]) -> Result<StartLine<'a>, (ErrorKind, usize)> {
    let at = version.len() + 1;
    if !version.eq_ignore_ascii_case(VERSION) {
        return Err((ErrorKind::Version, 0));
    }
    let digits = lex::span(rest, TOKEN);
    let status = lex::decimal(&rest[..digits]).ok_or((ErrorKind::StatusCode, at))?;
    let status = u16::try_from(status).ok().filter(|s| (100..700).contains(s));
    let status = status.ok_or((ErrorKind::StatusCode, at))?;
    // The space before an empty reason phrase is often left out.
    match &rest[digits..] {
        [] => Ok(StartLine::Response { status, reason: b"" }),
        [b' ', reason @ ..] if digits == 3 => Ok(StartLine::Response { status, reason }),
        _ => Err((ErrorKind::StartLine, at + digits)),
    }
}

fn is_version(bytes: &[u8]) -> bool {
    bytes.len() > 4
        && bytes[..4].eq_ignore_ascii_case(b"SIP/")
        && bytes[4..].iter().all(|b| b.is_ascii_digit() || *b == b'.')
}

struct Scan<'a, 'i> {
    bytes: &'a [u8],
    at: usize,
    entries: &'i mut [Entry],
    count: usize,
}

impl Scan<'_, '_> {
    /// Reads header lines up to the empty line. A line that is broken by itself is noted in `first_error` and left
    /// out, so that the rest can still be answered.
    fn headers(&mut self, first_error: &mut Option<ParseError>) -> Result<(), ParseError> {
        loop {
            let begin = self.at;
            if self.bytes.get(begin) == Some(&b'\r') && self.bytes.get(begin + 1) == Some(&b'\n') {
                self.at = begin + 2;
                return Ok(());
            }
            let (name_len, name) = self.name(begin);
            let end = self.end_of_header(begin + name_len)?;
            if let Err(error) = self.header(begin, name_len, name, end) {
                if error.kind == ErrorKind::TooManyHeaders {
                    return Err(error);
                }
                first_error.get_or_insert(error);
            }
        }
    }

    /// The length of the name at `begin`, and the name. A known one needs no check of its bytes.
    #[inline]
    fn name(&self, begin: usize) -> (usize, HeaderName) {
        /// Longer than any known name with a few spaces after it.
        const NEAR: usize = 32;
        let rest = self.bytes.get(begin..).unwrap_or_default();
        let near = rest.get(..NEAR).unwrap_or(rest);
        if let Some(colon) = memchr::memchr(b':', near) {
            let name_bytes = near[..colon].trim_ascii_end();
            let name = HeaderName::of(name_bytes);
            if name != HeaderName::Extension {
                return (name_bytes.len(), name);
            }
        }
        (lex::span(rest, TOKEN), HeaderName::Extension)
    }

    /// Where the header's last line ends, before its CRLF; moves past that.
    #[inline]
    fn end_of_header(&mut self, from: usize) -> Result<usize, ParseError> {
        let mut at = from;
        loop {
            let (line, next) = line(self.bytes, at)?;
            if matches!(self.bytes.get(next), Some(b' ' | b'\t')) {
                at = next;
                continue;
            }
            self.at = next;
            return Ok(at + line.len());
        }
    }

    #[inline]
    fn header(
        &mut self,
        begin: usize,
        name_len: usize,
        name: HeaderName,
        end: usize,
    ) -> Result<(), ParseError> {
        let error = |kind, offset| Err(ParseError::new(kind, Some(name), offset));
        // HCOLON is *( SP / HTAB ) ":" SWS: no fold before the colon.
        let mut colon = begin + name_len;
        while matches!(self.bytes.get(colon), Some(b' ' | b'\t')) {
            colon += 1;
        }
        if name_len == 0 || name_len > MAX_HEADER_NAME || self.bytes.get(colon) != Some(&b':') {
            return error(ErrorKind::HeaderName, colon);
        }
        if end - begin > MAX_HEADER {
            return error(ErrorKind::HeaderTooLong, begin + MAX_HEADER);
        }
        let mut value_start = colon + 1;
        while value_start < end && lex::is(self.bytes[value_start], LWS) {
            value_start += 1;
        }
        let mut value_end = end;
        while value_end > value_start && lex::is(self.bytes[value_end - 1], LWS) {
            value_end -= 1;
        }
        let Some(entry) = self.entries.get_mut(self.count) else {
            return error(ErrorKind::TooManyHeaders, begin);
        };
        // No truncation: all are offsets in a message of at most MAX_MESSAGE bytes.
        *entry = Entry {
            name_start: begin as u16,
            value_start: value_start as u16,
            value_end: value_end as u16,
            name_len: name_len as u8,
            name,
        };
        self.count += 1;
        Ok(())
    }
}

/// RFC 3261 §18.3: bytes beyond Content-Length are discarded, too few are an error; without one the body is the
/// rest of the datagram.
fn cut_body(message: &mut Message<'_>) -> Result<(), ParseError> {
    let Some(length) = message.content_length()? else { return Ok(()) };
    let whole = message.bytes;
    match whole.get(..message.body_start.saturating_add(length)) {
        Some(cut) => {
            message.bytes = cut;
            Ok(())
        }
        None => Err(ParseError::new(ErrorKind::BodyTooShort, Some(HeaderName::ContentLength), whole.len())),
    }
}
