//! Authorization, WWW-Authenticate and their Proxy forms, Authentication-Info (RFC 3261 §20.7, §20.44, RFC 8760).

use std::borrow::Cow;

use super::ValueError;
use crate::lex::{self, LWS, PARAM_VALUE, TOKEN};
use crate::message::ErrorKind;

/// A challenge or credentials: a scheme and comma-separated parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials<'a> {
    /// The scheme as written, such as `Digest`.
    pub scheme: &'a str,
    /// The parameters.
    pub params: AuthParams<'a>,
}

/// `auth-param *( COMMA auth-param )`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuthParams<'a> {
    bytes: &'a [u8],
}

impl<'a> Credentials<'a> {
    /// Reads the value of Authorization, Proxy-Authorization, WWW-Authenticate or Proxy-Authenticate.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] or [`ErrorKind::Unbalanced`].
    pub fn parse(value: &'a [u8]) -> Result<Self, ValueError> {
        let scheme_len = lex::span(value, TOKEN);
        let start = scheme_len + lex::span(&value[scheme_len..], LWS);
        if scheme_len == 0 || start == scheme_len {
            return Err(ValueError::value(scheme_len));
        }
        let params = AuthParams::parse(&value[start..]).map_err(|e| e.moved(start))?;
        Ok(Self { scheme: lex::ascii(&value[..scheme_len]), params })
    }

    /// Whether the scheme is Digest.
    #[must_use]
    pub fn is_digest(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("Digest")
    }

    /// The value of a parameter without quotes and backslashes; `None` also when it is not UTF-8.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<Cow<'a, str>> {
        self.params.param(name)
    }
}

impl<'a> AuthParams<'a> {
    /// Reads parameters without a scheme before them: Authentication-Info.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] or [`ErrorKind::Unbalanced`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ValueError> {
        let mut at = 0;
        loop {
            at += one(&bytes[at..]).map_err(|e| e.moved(at))?;
            match bytes.get(at) {
                None => return Ok(Self { bytes }),
                Some(b',') => at += 1,
                Some(_) => return Err(ValueError::value(at)),
            }
        }
    }

    /// Name and value as written, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut rest = Some(self.bytes).filter(|b| !b.is_empty());
        std::iter::from_fn(move || {
            let (param, next) = lex::split_outside(rest?, b',').unwrap_or((rest?, None));
            rest = next;
            let equals = memchr::memchr(b'=', param).unwrap_or(param.len());
            Some((lex::trim(&param[..equals]), lex::trim(param.get(equals + 1..).unwrap_or_default())))
        })
    }

    /// The value of a parameter without quotes and backslashes; `None` also when it is not UTF-8.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<Cow<'a, str>> {
        let (_, value) = self.iter().find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()))?;
        match lex::unquote(value) {
            Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
        }
    }
}

/// The length of `name = value`, white space around it included.
fn one(bytes: &[u8]) -> Result<usize, ValueError> {
    let skip = |at: usize| at + lex::span(bytes.get(at..).unwrap_or_default(), LWS);
    let name = skip(0);
    let name_end = name + lex::span(&bytes[name..], TOKEN);
    let equals = skip(name_end);
    if name_end == name || bytes.get(equals) != Some(&b'=') {
        return Err(ValueError::value(equals));
    }
    let value = skip(equals + 1);
    let len = match bytes.get(value) {
        Some(b'"') => {
            let open = ValueError { kind: ErrorKind::Unbalanced, offset: value };
            lex::quoted_len(&bytes[value..]).ok_or(open)?
        }
        _ => lex::span(bytes.get(value..).unwrap_or_default(), PARAM_VALUE),
    };
    if len == 0 {
        return Err(ValueError::value(value));
    }
    Ok(skip(value + len))
}
