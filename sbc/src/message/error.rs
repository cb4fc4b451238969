//! What can be wrong with a message, where, and what to answer.

use super::{HeaderName, Message};

/// What is wrong with a message. All of it is the sender's fault; none of it is worth a retry unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Longer than [`limits::MAX_MESSAGE`](super::limits::MAX_MESSAGE).
    #[error("message too large")]
    MessageTooLarge,
    /// The start line is neither a request line nor a status line.
    #[error("malformed start line")]
    StartLine,
    /// A version other than SIP/2.0.
    #[error("unsupported SIP version")]
    Version,
    /// The method is no token.
    #[error("malformed method")]
    Method,
    /// A URI that does not follow its scheme's grammar.
    #[error("malformed URI")]
    Uri,
    /// A status code outside 100 to 699.
    #[error("status code out of range")]
    StatusCode,
    /// CR without LF, or LF without CR.
    #[error("bare CR or LF")]
    BareLineEnd,
    /// A header line without a colon, or with a name that is no token.
    #[error("malformed header name")]
    HeaderName,
    /// A header longer than [`limits::MAX_HEADER`](super::limits::MAX_HEADER).
    #[error("header too long")]
    HeaderTooLong,
    /// More than [`limits::MAX_HEADERS`](super::limits::MAX_HEADERS).
    #[error("too many headers")]
    TooManyHeaders,
    /// More values than [`limits::MAX_VIAS`](super::limits::MAX_VIAS).
    #[error("too many Via hops")]
    TooManyVias,
    /// No empty line ends the headers.
    #[error("headers do not end")]
    Truncated,
    /// Content-Length is larger than what came.
    #[error("body shorter than Content-Length")]
    BodyTooShort,
    /// A stream's message without Content-Length.
    #[error("Content-Length missing on a stream")]
    NoContentLength,
    /// A header that every message must have.
    #[error("mandatory header missing")]
    Missing,
    /// A header that may come once only.
    #[error("header repeated")]
    Repeated,
    /// A header's value does not follow its grammar.
    #[error("malformed header value")]
    Value,
    /// A quote or bracket is left open.
    #[error("unbalanced quote or bracket")]
    Unbalanced,
    /// A number that is none, or too large.
    #[error("number out of range")]
    Number,
    /// The CSeq method is not the request's (RFC 3261 §8.1.1.5).
    #[error("CSeq method differs from the request's")]
    CSeqMethod,
}

/// What is wrong with a message, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ParseError {
    /// What.
    pub kind: ErrorKind,
    /// The header it is in, or that is missing; `None` for the start line and for framing.
    pub header: Option<HeaderName>,
    /// Offset in bytes from the message's first byte.
    pub offset: usize,
}

impl ParseError {
    pub(crate) const fn new(kind: ErrorKind, header: Option<HeaderName>, offset: usize) -> Self {
        Self { kind, header, offset }
    }

    /// The status to answer a request with: 400, or a more precise one.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self.kind {
            ErrorKind::Version => 505,
            ErrorKind::MessageTooLarge
            | ErrorKind::HeaderTooLong
            | ErrorKind::TooManyHeaders
            | ErrorKind::TooManyVias => 513,
            _ => 400,
        }
    }
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.kind)?;
        match self.header {
            Some(HeaderName::Extension) => write!(f, " in an extension header")?,
            Some(header) => write!(f, " in {}", header.as_str())?,
            None => {}
        }
        write!(f, " at byte {}", self.offset)
    }
}

/// A message that could not be read whole, with what could be read of it.
#[derive(Clone, Copy, Debug)]
pub struct Malformed<'a> {
    /// The first thing found wrong.
    pub error: ParseError,
    /// What could be read.
    pub(super) partial: Option<Message<'a>>,
}

impl<'a> Malformed<'a> {
    /// The request, when enough of it could be read to answer it with [`ParseError::status`]
    /// (see [`Message::is_answerable`]).
    #[must_use]
    pub fn answerable(&self) -> Option<Message<'a>> {
        self.partial.filter(Message::is_answerable)
    }
}
