//! SIP messages: a view of bytes that stay where they are, with an index of their headers.
//!
//! [`Message::parse`] finds the start line, the header lines and the body and allocates nothing; header values are
//! read only when asked for. Headers keep their order, their bytes and their spelling, so that printing a message
//! is copying its bytes. [`Builder`] writes new ones. Must not know transactions or dialogs.

mod builder;
mod error;
pub mod limits;
mod method;
mod name;
mod owned;
mod parse;
mod reason;
mod typed;

use crate::lex;

pub use builder::{Builder, Reply};
pub use error::{ErrorKind, Malformed, ParseError};
pub use method::Method;
pub use name::HeaderName;
pub use owned::OwnedMessage;
pub use reason::reason_phrase;
pub use typed::{Essentials, Values};

/// Where one header stands in the message's bytes.
#[derive(Clone, Copy, Debug)]
struct Entry {
    name_start: u16,
    value_start: u16,
    value_end: u16,
    name_len: u8,
    name: HeaderName,
}

impl Entry {
    const NONE: Self =
        Self { name_start: 0, value_start: 0, value_end: 0, name_len: 0, name: HeaderName::Extension };
}

/// Room for the headers of one message, lent to [`Message::parse`]; about one KiB, reusable.
#[derive(Clone, Debug)]
pub struct HeaderIndex {
    entries: [Entry; limits::MAX_HEADERS],
}

impl HeaderIndex {
    /// Empty.
    #[must_use]
    pub const fn new() -> Self {
        Self { entries: [Entry::NONE; limits::MAX_HEADERS] }
    }
}

impl Default for HeaderIndex {
    fn default() -> Self {
        Self::new()
    }
}

/// A parsed message.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    bytes: &'a [u8],
    entries: &'a [Entry],
    start: StartLine<'a>,
    body_start: usize,
}

/// The first line of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartLine<'a> {
    /// Of a request.
    Request {
        /// The method.
        method: Method<'a>,
        /// The Request-URI, unparsed: see [`Message::request_uri`].
        uri: &'a [u8],
    },
    /// Of a response.
    Response {
        /// 100 to 699.
        status: u16,
        /// The reason phrase; may be empty and need not be UTF-8.
        reason: &'a [u8],
    },
}

/// One header line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Its name.
    pub name: HeaderName,
    /// Its name as spelled.
    pub name_bytes: &'a [u8],
    /// Its value without white space at the ends. Folds inside are kept: CRLF in a value is always white space.
    pub value: &'a [u8],
    /// The value's offset in the message.
    pub offset: usize,
}

impl<'a> Message<'a> {
    /// Reads one message: a datagram, or what [`StreamFramer`](crate::framing::StreamFramer) cut from a stream.
    /// Empty lines before the start line are skipped, bytes after Content-Length are ignored (RFC 3261 §7.5, §18.3).
    ///
    /// Checks lines, header names and Content-Length; [`Message::essentials`] and [`Message::validate`] check values.
    ///
    /// # Errors
    /// The first thing found wrong, with as much of the message as can still be answered.
    pub fn parse(bytes: &'a [u8], index: &'a mut HeaderIndex) -> Result<Self, Malformed<'a>> {
        parse::message(bytes, index)
    }

    /// The message's bytes, from the start line to the end of the body: what printing it gives.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The start line.
    #[must_use]
    pub const fn start(&self) -> StartLine<'a> {
        self.start
    }

    /// The request's method; `None` for a response.
    #[must_use]
    pub const fn method(&self) -> Option<Method<'a>> {
        match self.start {
            StartLine::Request { method, .. } => Some(method),
            StartLine::Response { .. } => None,
        }
    }

    /// The response's status; `None` for a request.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self.start {
            StartLine::Request { .. } => None,
            StartLine::Response { status, .. } => Some(status),
        }
    }

    /// The header lines in order.
    pub fn headers(
        &self,
    ) -> impl DoubleEndedIterator<Item = Header<'a>> + ExactSizeIterator + Clone + use<'a> {
        let bytes = self.bytes;
        self.entries.iter().map(move |entry| Header::of(bytes, entry))
    }

    /// The header lines of one name, in order.
    pub fn lines(&self, name: HeaderName) -> impl DoubleEndedIterator<Item = Header<'a>> + Clone + use<'a> {
        let bytes = self.bytes;
        self.entries.iter().filter(move |entry| entry.name == name).map(move |entry| Header::of(bytes, entry))
    }

    /// The header lines of a name that has no [`HeaderName`], in any case.
    pub fn extensions<'n>(
        &self,
        name: &'n str,
    ) -> impl DoubleEndedIterator<Item = Header<'a>> + Clone + use<'a, 'n> {
        self.lines(HeaderName::Extension)
            .filter(move |header| header.name_bytes.eq_ignore_ascii_case(name.as_bytes()))
    }

    /// The value of the first line of that name.
    #[must_use]
    pub fn value(&self, name: HeaderName) -> Option<&'a [u8]> {
        self.lines(name).next().map(|header| header.value)
    }

    /// Whether there is a header of that name.
    #[must_use]
    pub fn has(&self, name: HeaderName) -> bool {
        self.lines(name).next().is_some()
    }

    /// The values of a list header, split at commas, over all its lines in order.
    #[must_use]
    pub fn values(&self, name: HeaderName) -> Values<'a> {
        Values::new(*self, name)
    }

    /// The body, of Content-Length bytes when that is given.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.bytes.get(self.body_start..).unwrap_or_default()
    }

    /// An owned copy, for what outlives the packet.
    #[must_use]
    pub fn to_owned(&self) -> OwnedMessage {
        OwnedMessage::of(self)
    }
}

impl<'a> Header<'a> {
    fn of(bytes: &'a [u8], entry: &Entry) -> Self {
        let (start, end) = (usize::from(entry.value_start), usize::from(entry.value_end));
        let name_start = usize::from(entry.name_start);
        Self {
            name: entry.name,
            name_bytes: bytes.get(name_start..name_start + usize::from(entry.name_len)).unwrap_or_default(),
            value: bytes.get(start..end).unwrap_or_default(),
            offset: start,
        }
    }

    /// The value with each fold replaced by one space (RFC 3261 §7.3.1).
    #[must_use]
    pub fn unfolded(&self) -> std::borrow::Cow<'a, [u8]> {
        if memchr::memchr(b'\n', self.value).is_none() {
            return self.value.into();
        }
        let mut plain = Vec::with_capacity(self.value.len());
        for line in self.value.split(|&b| b == b'\n') {
            if !plain.is_empty() {
                plain.push(b' ');
            }
            plain.extend_from_slice(lex::trim(line));
        }
        plain.into()
    }
}

impl std::fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Message({})", self.bytes.escape_ascii())
    }
}
