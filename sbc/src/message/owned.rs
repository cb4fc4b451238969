//! Messages that own their bytes.

use super::{Entry, HeaderIndex, Malformed, Message, Method, ParseError, StartLine};

/// A message with its own bytes and index: two allocations.
#[derive(Clone)]
pub struct OwnedMessage {
    bytes: Box<[u8]>,
    entries: Box<[Entry]>,
    start: OwnedStart,
    body_start: usize,
}

/// A start line as offsets.
#[derive(Clone, Copy)]
enum OwnedStart {
    Request { method_end: usize, uri_end: usize },
    Response { status: u16, reason_start: usize, reason_end: usize },
}

impl OwnedMessage {
    /// Reads a message and keeps a copy.
    ///
    /// # Errors
    /// As [`Message::parse`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let mut index = HeaderIndex::new();
        Message::parse(bytes, &mut index)
            .map(|message| message.to_owned())
            .map_err(|Malformed { error, .. }| error)
    }

    pub(super) fn of(message: &Message<'_>) -> Self {
        let start = match message.start {
            StartLine::Request { method, uri } => {
                let method_end = method.as_str().len();
                OwnedStart::Request { method_end, uri_end: method_end + 1 + uri.len() }
            }
            StartLine::Response { status, reason } => {
                let line = memchr::memchr(b'\r', message.bytes).unwrap_or_default();
                OwnedStart::Response {
                    status,
                    reason_start: line.saturating_sub(reason.len()),
                    reason_end: line,
                }
            }
        };
        Self {
            bytes: message.bytes.into(),
            entries: message.entries.into(),
            start,
            body_start: message.body_start,
        }
    }

    /// The message.
    #[must_use]
    pub fn view(&self) -> Message<'_> {
        let range = |from: usize, to: usize| self.bytes.get(from..to).unwrap_or_default();
        let start = match self.start {
            OwnedStart::Request { method_end, uri_end } => StartLine::Request {
                method: Method::parse(range(0, method_end)).unwrap_or(Method::Other("")),
                uri: range(method_end + 1, uri_end),
            },
            OwnedStart::Response { status, reason_start, reason_end } => {
                StartLine::Response { status, reason: range(reason_start, reason_end) }
            }
        };
        Message { bytes: &self.bytes, entries: &self.entries, start, body_start: self.body_start }
    }
}

impl std::fmt::Debug for OwnedMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.view().fmt(f)
    }
}
