//! Cuts messages out of a stream (RFC 3261 §18.3, §7.5) and finds keep-alives between them (RFC 5626 §4.4.1, §3.5.1).
//!
//! Owner: whoever reads the connection. After an error the stream has lost its frame and must be closed.

use crate::lex;
use crate::message::limits::MAX_MESSAGE;
use crate::message::{ErrorKind, HeaderName, ParseError};

/// What came on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A whole message.
    Message(&'a [u8]),
    /// A double CRLF: answer with [`PONG`].
    Ping,
    /// A single CRLF: an answer to our ping, or the first half of a ping in two pieces. Answer nothing.
    Pong,
}

/// What answers a [`Frame::Ping`].
pub const PONG: &[u8] = b"\r\n";

/// Holds what came on one connection until it is a whole message. Holds at most one message of
/// [`MAX_MESSAGE`] bytes and one read.
#[derive(Debug, Default)]
pub struct StreamFramer {
    buffer: Vec<u8>,
    /// Where the unread bytes begin.
    start: usize,
    /// How far behind `start` the end of the headers was looked for in vain.
    searched: usize,
    /// The last frame was the first half of a ping.
    half_ping: bool,
}

impl StreamFramer {
    /// For a fresh connection.
    #[must_use]
    pub const fn new() -> Self {
        Self { buffer: Vec::new(), start: 0, searched: 0, half_ping: false }
    }

    /// Takes what was read. Call [`StreamFramer::next_frame`] until it gives `None` before pushing more.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether part of a frame waits for the rest, once [`StreamFramer::next_frame`] has given `None`.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.start < self.buffer.len()
    }

    /// The next whole frame, if there is one.
    ///
    /// # Errors
    /// [`ErrorKind::NoContentLength`], [`ErrorKind::MessageTooLarge`] or what is wrong with Content-Length: close the
    /// connection.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, ParseError> {
        let unread = self.buffer.get(self.start..).unwrap_or_default();
        match unread {
            [b'\r', b'\n', b'\r', b'\n', ..] if !self.half_ping => {
                self.start += 4;
                return Ok(Some(Frame::Ping));
            }
            [b'\r', b'\n', ..] => {
                self.start += 2;
                self.half_ping = !self.half_ping;
                return Ok(Some(if self.half_ping { Frame::Pong } else { Frame::Ping }));
            }
            [] | [b'\r'] => return Ok(None),
            _ => {}
        }
        self.half_ping = false;
        // The blank line may straddle two reads: look again at the last three bytes.
        let from = self.searched.saturating_sub(3);
        let Some(blank) = unread.get(from..).and_then(|rest| memchr::memmem::find(rest, b"\r\n\r\n")) else {
            if unread.len() > MAX_MESSAGE {
                return Err(ParseError::new(ErrorKind::MessageTooLarge, None, MAX_MESSAGE));
            }
            self.searched = unread.len();
            return Ok(None);
        };
        let headers_end = from + blank + 4;
        self.searched = headers_end - 1;
        let length = content_length(&unread[..headers_end])?;
        let whole = headers_end.saturating_add(length);
        if whole > MAX_MESSAGE {
            return Err(ParseError::new(
                ErrorKind::MessageTooLarge,
                Some(HeaderName::ContentLength),
                MAX_MESSAGE,
            ));
        }
        if unread.len() < whole {
            return Ok(None);
        }
        let message = self.start..self.start + whole;
        self.start += whole;
        self.searched = 0;
        Ok(self.buffer.get(message).map(Frame::Message))
    }
}

/// The Content-Length of a header block; RFC 3261 §20.14 requires one on streams.
fn content_length(headers: &[u8]) -> Result<usize, ParseError> {
    let error = |kind, offset| ParseError::new(kind, Some(HeaderName::ContentLength), offset);
    let mut found: Option<usize> = None;
    let mut at = 0;
    while let Some(line) = headers.get(at..).and_then(folded_line) {
        let (name, value) = line.split_at(lex::span(line, lex::TOKEN));
        if HeaderName::of(name) == HeaderName::ContentLength
            && let Some(value) = lex::trim_start(value).strip_prefix(b":")
        {
            let length = lex::decimal(lex::trim(value)).and_then(|n| usize::try_from(n).ok());
            let length = length.ok_or(error(ErrorKind::Number, at))?;
            if found.is_some_and(|other| other != length) {
                return Err(error(ErrorKind::Repeated, at));
            }
            found = Some(length);
        }
        at += line.len();
    }
    found.ok_or(error(ErrorKind::NoContentLength, headers.len()))
}

/// The first line with its line end and the folded lines that belong to it; `None` when there is none.
fn folded_line(headers: &[u8]) -> Option<&[u8]> {
    let mut end = 0;
    loop {
        end += memchr::memchr(b'\n', headers.get(end..)?)? + 1;
        if !matches!(headers.get(end), Some(b' ' | b'\t')) {
            return headers.get(..end);
        }
    }
}
