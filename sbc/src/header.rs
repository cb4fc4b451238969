//! Typed views of header values, read when asked for.
//!
//! Each `parse` takes one value (of a list header: one of [`Message::values`](crate::message::Message::values)),
//! checks its grammar and borrows from it. Must not allocate, except where a result says so by being a `Cow`.

mod auth;
mod media_type;
mod name_addr;
mod params;
mod via;

pub use auth::{AuthParams, Credentials};
pub use media_type::{MediaType, Part, parts};
pub use name_addr::{Contact, NameAddr};
pub use params::{Param, Params};
pub use via::{Via, ViaTransport};

use crate::lex::{self, LWS};
use crate::message::{ErrorKind, Method};

/// What is wrong with a value, and where in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset} of the value")]
pub struct ValueError {
    /// What.
    pub kind: ErrorKind,
    /// Offset in bytes from the value's first byte.
    pub offset: usize,
}

impl ValueError {
    pub(crate) const fn value(offset: usize) -> Self {
        Self { kind: ErrorKind::Value, offset }
    }

    pub(crate) const fn moved(self, by: usize) -> Self {
        Self { kind: self.kind, offset: self.offset + by }
    }
}

/// A CSeq value (RFC 3261 §20.16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// The sequence number, below 2^31.
    pub number: u32,
    /// The method.
    pub method: Method<'a>,
}

impl<'a> CSeq<'a> {
    /// Reads a value.
    ///
    /// # Errors
    /// [`ErrorKind::Number`] or [`ErrorKind::Value`].
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        let end = value.iter().position(|&b| lex::is(b, LWS)).ok_or(ValueError::value(value.len()))?;
        let number = sequence_number(&value[..end])?;
        let method = Method::parse(lex::trim_start(&value[end..])).ok_or(ValueError::value(end))?;
        Ok(Self { number, method })
    }
}

/// A RAck value (RFC 3262 §7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RAck<'a> {
    /// The RSeq acknowledged.
    pub rseq: u32,
    /// The CSeq of the request that the reliable response answered.
    pub cseq: CSeq<'a>,
}

impl<'a> RAck<'a> {
    /// Reads a value.
    ///
    /// # Errors
    /// [`ErrorKind::Number`] or [`ErrorKind::Value`].
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        let end = value.iter().position(|&b| lex::is(b, LWS)).ok_or(ValueError::value(value.len()))?;
        let rseq = decimal(&value[..end])?;
        let start = end + lex::span(&value[end..], LWS);
        let cseq = CSeq::parse(&value[start..]).map_err(|e| e.moved(start))?;
        Ok(Self { rseq, cseq })
    }
}

/// A number: Max-Forwards, Expires, Min-Expires, RSeq, Content-Length.
///
/// # Errors
/// [`ErrorKind::Number`].
pub fn decimal(value: &[u8]) -> Result<u32, ValueError> {
    lex::decimal(value).ok_or(ValueError { kind: ErrorKind::Number, offset: 0 })
}

/// RFC 3261 §8.1.1.5: the sequence number is less than 2**31.
fn sequence_number(value: &[u8]) -> Result<u32, ValueError> {
    decimal(value).ok().filter(|n| *n < 1 << 31).ok_or(ValueError { kind: ErrorKind::Number, offset: 0 })
}

/// A Call-ID: `word [ "@" word ]` (RFC 3261 §20.8).
///
/// # Errors
/// [`ErrorKind::Value`].
pub fn call_id(value: &[u8]) -> Result<&str, ValueError> {
    match value.iter().position(|&b| !lex::is(b, lex::WORD)) {
        Some(at) => Err(ValueError::value(at)),
        None if value.is_empty() => Err(ValueError::value(0)),
        None => Ok(lex::ascii(value)),
    }
}

/// A value that begins with a token and may go on with parameters: Event, Session-Expires, Reason, Subscription-State,
/// Content-Disposition, Replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameterised<'a> {
    /// What stands before the first semicolon.
    pub value: &'a str,
    /// The parameters.
    pub params: Params<'a>,
}

impl<'a> Parameterised<'a> {
    /// Reads a value.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] or [`ErrorKind::Unbalanced`].
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        let end = memchr::memchr(b';', value).unwrap_or(value.len());
        let head = lex::trim_end(&value[..end]);
        if !lex::all(head, lex::WORD) {
            return Err(ValueError::value(0));
        }
        let params = Params::parse(&value[end..]).map_err(|e| e.moved(end))?;
        Ok(Self { value: lex::ascii(head), params })
    }
}
