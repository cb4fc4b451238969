//! Writes messages.
//!
//! What is written is well-formed whatever was handed in: line ends in values become spaces, so that nobody's text
//! can begin a header of its own.

use std::fmt::{self, Display, Write};
use std::net::SocketAddr;

use super::{Header, HeaderName, Message, Method, reason_phrase};
use crate::lex;

/// A message being written: start line, headers in the order given, then [`Builder::finish`] or [`Builder::body`].
#[derive(Clone, Debug)]
pub struct Builder {
    bytes: Vec<u8>,
}

/// How to answer a request.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// 100 to 699.
    pub status: u16,
    /// The reason phrase; [`reason_phrase`] when `None`.
    pub reason: Option<&'a str>,
    /// The tag to add to To, when the request's To has none.
    pub to_tag: Option<&'a str>,
    /// Where the request came from. The topmost Via then says so in `received` where its host does not (RFC 3261
    /// §18.2.1), and in `rport` where that was asked for (RFC 3581 §4).
    pub source: Option<SocketAddr>,
}

/// Bytes set aside for what is added to a copied request: one allocation is enough for most messages.
const ROOM: usize = 512;

impl Builder {
    /// A request, so far without headers.
    #[must_use]
    pub fn request(method: Method<'_>, uri: impl Display) -> Self {
        let mut builder = Self { bytes: Vec::with_capacity(2 * ROOM) };
        builder.write(format_args!("{method} {uri} SIP/2.0"));
        builder.end_line()
    }

    /// A response to a request, with its Vias, From, To, Call-ID and CSeq (RFC 3261 §8.2.6.2).
    #[must_use]
    pub fn response(request: &Message<'_>, reply: &Reply<'_>) -> Self {
        let copied = |name| {
            matches!(
                name,
                HeaderName::Via | HeaderName::From | HeaderName::To | HeaderName::CallId | HeaderName::CSeq
            )
        };
        let length: usize = request
            .headers()
            .filter(|h| copied(h.name))
            .map(|h| h.name_bytes.len() + h.value.len() + 4)
            .sum();
        let mut builder = Self { bytes: Vec::with_capacity(length + ROOM) };
        let reason = reply.reason.unwrap_or(reason_phrase(reply.status));
        builder.write(format_args!("SIP/2.0 {} {reason}", reply.status));
        builder = builder.end_line();
        let mut top = true;
        for header in request.headers().filter(|h| copied(h.name)) {
            builder = match header.name {
                HeaderName::Via if std::mem::take(&mut top) => builder.top_via(&header, reply.source),
                HeaderName::To => builder.to(request, &header, reply.to_tag),
                name => builder.raw(name, header.value),
            };
        }
        builder
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl Display) -> Self {
        self.bytes.extend_from_slice(name.as_str().as_bytes());
        self.bytes.extend_from_slice(b": ");
        self.write(value);
        self.end_line()
    }

    /// Adds a header that has no [`HeaderName`]. Left out when the name is no token.
    #[must_use]
    pub fn extension(mut self, name: &str, value: impl Display) -> Self {
        if !lex::all(name.as_bytes(), lex::TOKEN) {
            return self;
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(b": ");
        self.write(value);
        self.end_line()
    }

    /// Adds a header whose value may be any bytes.
    #[must_use]
    pub fn raw(mut self, name: HeaderName, value: &[u8]) -> Self {
        self.bytes.extend_from_slice(name.as_str().as_bytes());
        self.bytes.extend_from_slice(b": ");
        self.push_value(value);
        self.end_line()
    }

    /// Adds all lines of that name from another message, in order.
    #[must_use]
    pub fn copy(mut self, from: &Message<'_>, name: HeaderName) -> Self {
        for header in from.lines(name) {
            self = self.copy_header(&header);
        }
        self
    }

    /// Adds one line of another message; its name keeps its spelling.
    #[must_use]
    pub fn copy_header(mut self, header: &Header<'_>) -> Self {
        self.bytes.extend_from_slice(header.name_bytes);
        self.bytes.extend_from_slice(b": ");
        self.push_value(header.value);
        self.end_line()
    }

    /// Ends the message without a body.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        let mut bytes = self.header(HeaderName::ContentLength, 0).bytes;
        bytes.extend_from_slice(b"\r\n");
        bytes
    }

    /// Ends the message with a body, and says its type and length.
    #[must_use]
    pub fn body(self, content_type: &str, body: &[u8]) -> Vec<u8> {
        let with_type = self.header(HeaderName::ContentType, content_type);
        let mut bytes = with_type.header(HeaderName::ContentLength, body.len()).bytes;
        bytes.reserve_exact(2 + body.len());
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
        bytes
    }

    fn top_via(self, header: &Header<'_>, source: Option<SocketAddr>) -> Self {
        let Some(source) = source else { return self.raw(header.name, header.value) };
        // The line may hold further Vias after a comma.
        let (top, rest) = lex::split_outside(header.value, b',').unwrap_or((header.value, None));
        let mut builder = self;
        builder.bytes.extend_from_slice(b"Via: ");
        builder.push_top_via(lex::trim_end(top), source);
        if let Some(rest) = rest {
            builder.bytes.push(b',');
            builder.push_value(rest);
        }
        builder.end_line()
    }

    fn push_top_via(&mut self, value: &[u8], source: SocketAddr) {
        let Ok(via) = crate::header::Via::parse(value) else { return self.push_value(value) };
        let asked = via.has_rport();
        // Everything before the parameters, then those we do not write ourselves.
        let head = memchr::memchr(b';', value).map_or(value, |at| &value[..at]);
        self.push_value(lex::trim_end(head));
        for param in via.params.iter() {
            if param.name.eq_ignore_ascii_case(b"received") || param.name.eq_ignore_ascii_case(b"rport") {
                continue;
            }
            self.bytes.push(b';');
            self.push_value(param.name);
            if let Some(value) = param.value {
                self.bytes.push(b'=');
                self.push_value(value);
            }
        }
        if asked || via.host.ip() != Some(source.ip()) {
            self.write(format_args!(";received={}", source.ip()));
        }
        if asked {
            self.write(format_args!(";rport={}", source.port()));
        }
    }

    fn to(mut self, request: &Message<'_>, header: &Header<'_>, tag: Option<&str>) -> Self {
        self.bytes.extend_from_slice(b"To: ");
        self.push_value(header.value);
        if let Some(tag) = tag
            && request.to().is_ok_and(|to| to.tag().is_none())
        {
            self.write(format_args!(";tag={tag}"));
        }
        self.end_line()
    }

    fn write(&mut self, value: impl Display) {
        // Writing to memory cannot fail; a `Display` that fails by itself leaves a shorter value.
        let _ = write!(Sink(&mut self.bytes), "{value}");
    }

    fn push_value(&mut self, value: &[u8]) {
        push_without_line_ends(&mut self.bytes, value);
    }

    fn end_line(mut self) -> Self {
        self.bytes.extend_from_slice(b"\r\n");
        self
    }
}

struct Sink<'a>(&'a mut Vec<u8>);

impl Write for Sink<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        push_without_line_ends(self.0, text.as_bytes());
        Ok(())
    }
}

fn push_without_line_ends(bytes: &mut Vec<u8>, value: &[u8]) {
    let start = bytes.len();
    bytes.extend_from_slice(value);
    if memchr::memchr2(b'\r', b'\n', value).is_some() {
        for b in &mut bytes[start..] {
            if matches!(b, b'\r' | b'\n') {
                *b = b' ';
            }
        }
    }
}
