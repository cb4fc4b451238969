//! From, To, Contact, Route and the like: `name-addr / addr-spec` with parameters (RFC 3261 §20.10).

use std::borrow::Cow;

use super::{Params, ValueError};
use crate::lex::{self, LWS, TOKEN};
use crate::message::ErrorKind;
use crate::uri::Uri;

/// An address with its display name and parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// The display name as written, quotes included; see [`NameAddr::display_name`].
    pub display: Option<&'a [u8]>,
    /// The URI, unparsed; see [`NameAddr::uri`].
    pub uri_bytes: &'a [u8],
    /// The header's parameters.
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Reads a value. The URI's own grammar is checked by [`NameAddr::uri`].
    ///
    /// # Errors
    /// [`ErrorKind::Value`], [`ErrorKind::Unbalanced`] or [`ErrorKind::Uri`].
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        let (display, open) = display_name(value)?;
        let Some(open) = open else { return Self::parse_addr_spec(value) };
        let unbalanced = ValueError { kind: ErrorKind::Unbalanced, offset: open };
        let close = open + memchr::memchr(b'>', &value[open..]).ok_or(unbalanced)?;
        // White space inside the brackets breaks the grammar and harms nobody (RFC 4475 §3.1.2.14).
        let uri_bytes = lex::trim(&value[open + 1..close]);
        let params = Params::parse(&value[close + 1..]).map_err(|e| e.moved(close + 1))?;
        Ok(Self { display, uri_bytes, params })
    }

    /// Without brackets, parameters belong to the header, and the URI may hold no comma, semicolon or question mark.
    fn parse_addr_spec(value: &'a [u8]) -> Result<Self, ValueError> {
        let end = value.iter().position(|&b| b == b';' || lex::is(b, LWS)).unwrap_or(value.len());
        let uri_bytes = &value[..end];
        if let Some(at) = memchr::memchr2(b'?', b',', uri_bytes) {
            return Err(ValueError { kind: ErrorKind::Uri, offset: at });
        }
        if memchr::memchr(b':', uri_bytes).is_none() {
            return Err(ValueError { kind: ErrorKind::Uri, offset: end });
        }
        let params = Params::parse(&value[end..]).map_err(|e| e.moved(end))?;
        Ok(Self { display: None, uri_bytes, params })
    }

    /// The URI.
    ///
    /// # Errors
    /// [`ErrorKind::Uri`].
    pub fn uri(&self) -> Result<Uri<'a>, ValueError> {
        Uri::parse(self.uri_bytes)
    }

    /// The display name without quotes and backslashes; bytes that are no UTF-8 are replaced. `None` when empty.
    #[must_use]
    pub fn display_name(&self) -> Option<Cow<'a, str>> {
        let name = match lex::unquote(self.display?) {
            Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
            Cow::Owned(bytes) => String::from_utf8_lossy(&bytes).into_owned().into(),
        };
        Some(name).filter(|name| !name.is_empty())
    }

    /// The `tag` parameter.
    #[must_use]
    pub fn tag(&self) -> Option<&'a str> {
        self.params.token("tag")
    }
}

/// The display name, and where the `<` stands; `None` for both when there is neither.
fn display_name(value: &[u8]) -> Result<(Option<&[u8]>, Option<usize>), ValueError> {
    if value.first() == Some(&b'"') {
        let unbalanced = ValueError { kind: ErrorKind::Unbalanced, offset: 0 };
        let end = lex::quoted_len(value).ok_or(unbalanced)?;
        let open = end + lex::span(&value[end..], LWS);
        return match value.get(open) {
            Some(b'<') => Ok((Some(&value[..end]), Some(open))),
            _ => Err(ValueError::value(open)),
        };
    }
    let Some(open) = memchr::memchr(b'<', value) else { return Ok((None, None)) };
    let name = &value[..open];
    // `*(token LWS)`, and raw UTF-8, which carriers send.
    if let Some(at) = name.iter().position(|&b| !lex::is(b, TOKEN | LWS) && b < 0x80) {
        // The bracket may stand in a parameter of an addr-spec; that one cannot be well-formed either.
        return Err(ValueError::value(at));
    }
    Ok((Some(lex::trim(name)).filter(|name| !name.is_empty()), Some(open)))
}

/// A Contact value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact<'a> {
    /// `*`: all bindings, in a REGISTER that removes them.
    Star,
    /// An address.
    Address(NameAddr<'a>),
}

impl<'a> Contact<'a> {
    /// Reads a value.
    ///
    /// # Errors
    /// As [`NameAddr::parse`].
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        if value == b"*" { Ok(Self::Star) } else { NameAddr::parse(value).map(Self::Address) }
    }

    /// The address, if it is one.
    #[must_use]
    pub const fn address(&self) -> Option<&NameAddr<'a>> {
        match self {
            Self::Star => None,
            Self::Address(address) => Some(address),
        }
    }

    /// The `expires` parameter in seconds; `None` also when malformed, which RFC 3261 §10.3 treats as absent.
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        self.address()?.params.value("expires").and_then(lex::decimal)
    }

    /// The `q` parameter in thousandths; `None` when absent or malformed.
    #[must_use]
    pub fn q_thousandths(&self) -> Option<u16> {
        let text = self.address()?.params.token("q")?;
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        if !matches!(whole, "0" | "1" | "")
            || fraction.len() > 3
            || !fraction.bytes().all(|b| b.is_ascii_digit())
        {
            return None;
        }
        let mut thousandths = if whole == "1" { 1 } else { 0 };
        for place in 0..3 {
            thousandths =
                thousandths * 10 + fraction.as_bytes().get(place).map_or(0, |b| u16::from(b - b'0'));
        }
        Some(thousandths).filter(|q| *q <= 1000)
    }
}
