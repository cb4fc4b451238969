//! `*( SEMI generic-param )` (RFC 3261 §25.1).

use std::borrow::Cow;

use super::ValueError;
use crate::lex::{self, LWS, PARAM_VALUE, TOKEN};
use crate::message::ErrorKind;

/// Parameters, checked when they were read and found by walking them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a> {
    /// Without the first semicolon.
    bytes: &'a [u8],
}

/// One parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param<'a> {
    /// Its name as written.
    pub name: &'a [u8],
    /// Its value as written, quotes included; `None` without `=`.
    pub value: Option<&'a [u8]>,
}

impl<'a> Params<'a> {
    /// Reads what follows a value: nothing, or parameters that each begin with a semicolon.
    ///
    /// # Errors
    /// [`ErrorKind::Value`] or [`ErrorKind::Unbalanced`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ValueError> {
        let mut at = 0;
        let skip = |at: usize| at + lex::span(&bytes[at..], LWS);
        loop {
            at = skip(at);
            match bytes.get(at) {
                None => break,
                Some(b';') => at = skip(at + 1),
                Some(_) => return Err(ValueError::value(at)),
            }
            let name_len = lex::span(&bytes[at..], TOKEN);
            if name_len == 0 {
                return Err(ValueError::value(at));
            }
            at += name_len;
            let after = skip(at);
            if bytes.get(after) != Some(&b'=') {
                continue;
            }
            at = skip(after + 1);
            at += match bytes.get(at) {
                Some(b'"') => {
                    let open = ValueError { kind: ErrorKind::Unbalanced, offset: at };
                    lex::quoted_len(&bytes[at..]).ok_or(open)?
                }
                _ => match lex::span(&bytes[at..], PARAM_VALUE) {
                    0 => return Err(ValueError::value(at)),
                    len => len,
                },
            };
        }
        let list = lex::trim_start(bytes);
        Ok(Self { bytes: list.strip_prefix(b";").unwrap_or(list) })
    }

    /// Parameters that somebody else checked, without their first semicolon.
    pub(crate) const fn checked(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = Param<'a>> + use<'a> {
        let mut rest = Some(self.bytes).filter(|b| !b.is_empty());
        std::iter::from_fn(move || {
            let (param, next) = lex::split_outside(rest?, b';').unwrap_or((rest?, None));
            rest = next;
            let equals = memchr::memchr(b'=', param);
            let name = lex::trim(&param[..equals.unwrap_or(param.len())]);
            Some(Param { name, value: equals.map(|at| lex::trim(&param[at + 1..])) })
        })
    }

    /// The first of that name, in any case.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<Param<'a>> {
        self.iter().find(|param| param.name.eq_ignore_ascii_case(name))
    }

    /// Whether there is one of that name, with or without a value.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.find(name.as_bytes()).is_some()
    }

    /// The value of the first of that name, as written.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&'a [u8]> {
        self.find(name.as_bytes())?.value
    }

    /// The value without quotes and backslashes.
    #[must_use]
    pub fn unquoted(&self, name: &str) -> Option<Cow<'a, [u8]>> {
        self.value(name).map(lex::unquote)
    }

    /// The value as a token: `None` when it is quoted or not ASCII.
    #[must_use]
    pub fn token(&self, name: &str) -> Option<&'a str> {
        let value = self.value(name)?;
        lex::all(value, TOKEN).then(|| lex::ascii(value))
    }
}
