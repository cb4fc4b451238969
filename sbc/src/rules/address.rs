//! Addresses inside header values.

use crate::header::NameAddr;
use crate::lex;
use crate::uri::{self, Uri};

/// The user part of a URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct User {
    /// Unescaped, up to its first semicolon.
    pub(super) name: String,
    /// Its own parameters as they were, with their first semicolon: those of a telephone number (RFC 3966 §3, RFC
    /// 3261 §19.1.6).
    pub(super) params: String,
}

impl User {
    /// The value of a parameter.
    pub(super) fn param(&self, name: &str) -> Option<&str> {
        self.params
            .split(';')
            .filter_map(|param| param.split_once('='))
            .find_map(|(found, value)| found.eq_ignore_ascii_case(name).then_some(value))
    }

    /// Takes a parameter out.
    pub(super) fn without_param(&mut self, name: &str) {
        let kept = self.params.split(';').filter(|param| {
            let found = param.split('=').next().unwrap_or_default();
            !param.is_empty() && !found.eq_ignore_ascii_case(name)
        });
        self.params = kept.map(|param| format!(";{param}")).collect();
    }
}

/// The users of a value: of a URI, or of every address in a header's line.
pub(super) fn users(value: &[u8], is_uri: bool) -> Vec<User> {
    let mut users = Vec::new();
    change_users(value, is_uri, |user| {
        users.push(user.clone());
        None
    });
    users
}

/// The value with each user that `change` has another one for; `None` when there is none.
pub(super) fn change_users(
    value: &[u8],
    is_uri: bool,
    mut change: impl FnMut(&User) -> Option<User>,
) -> Option<Vec<u8>> {
    if is_uri {
        return change_user(value, &mut change);
    }
    let mut changed = Vec::with_capacity(value.len() + 16);
    let mut is_changed = false;
    let mut rest = Some(value);
    while let Some(line) = rest {
        let (one, after) = lex::split_outside(line, b',').unwrap_or((line, None));
        match change_address(one, &mut change) {
            Some(other) => {
                changed.extend_from_slice(&other);
                is_changed = true;
            }
            None => changed.extend_from_slice(one),
        }
        if after.is_some() {
            changed.push(b',');
        }
        rest = after;
    }
    is_changed.then_some(changed)
}

fn change_address(value: &[u8], change: &mut impl FnMut(&User) -> Option<User>) -> Option<Vec<u8>> {
    let trimmed = lex::trim(value);
    let address = NameAddr::parse(trimmed).ok()?;
    let uri = change_user(address.uri_bytes, change)?;
    Some(replaced(value, address.uri_bytes, &uri))
}

fn change_user(uri: &[u8], change: &mut impl FnMut(&User) -> Option<User>) -> Option<Vec<u8>> {
    let changed = match Uri::parse(uri).ok()? {
        Uri::Sip(sip) => {
            let bytes = sip.user_bytes?;
            let (name, params) = split_params(bytes);
            let name = String::from_utf8_lossy(&lex::unescape(name)).into_owned();
            let params = String::from_utf8_lossy(params).into_owned();
            let user = change(&User { name, params })?;
            let text = format!("{}{}", uri::escaped_user(&user.name), user.params);
            replaced(uri, bytes, text.as_bytes())
        }
        Uri::Tel(tel) => {
            let at = tel.number.as_bytes();
            let params: Vec<u8> = uri.split_at(uri.len() - params_len(uri)).1.to_vec();
            let params = String::from_utf8_lossy(&params).into_owned();
            let user = change(&User { name: tel.number.to_owned(), params: params.clone() })?;
            let end = uri.len() - params.len();
            let mut text = replaced(&uri[..end], at, user.name.as_bytes());
            text.extend_from_slice(user.params.as_bytes());
            text
        }
        Uri::Other(_) => return None,
    };
    Uri::parse(&changed).is_ok().then_some(changed)
}

fn split_params(user: &[u8]) -> (&[u8], &[u8]) {
    let at = memchr::memchr(b';', user).unwrap_or(user.len());
    user.split_at(at)
}

fn params_len(uri: &[u8]) -> usize {
    memchr::memchr(b';', uri).map_or(0, |at| uri.len() - at)
}

/// `whole` with its `part`, a slice of it, replaced.
fn replaced(whole: &[u8], part: &[u8], by: &[u8]) -> Vec<u8> {
    let start = part.as_ptr().addr().saturating_sub(whole.as_ptr().addr()).min(whole.len());
    let end = (start + part.len()).min(whole.len());
    [&whole[..start], by, &whole[end..]].concat()
}

/// An address without its `tag`; `None` when it has none.
pub(super) fn without_tag(value: &[u8]) -> Option<Vec<u8>> {
    let address = NameAddr::parse(value).ok()?;
    if !address.params.has("tag") {
        return None;
    }
    let uri_end =
        address.uri_bytes.as_ptr().addr().saturating_sub(value.as_ptr().addr()) + address.uri_bytes.len();
    let after = value.get(uri_end..)?;
    let params_at = uri_end + memchr::memchr(b';', after)?;
    let mut kept = lex::trim_end(&value[..params_at]).to_vec();
    for param in address.params.iter().filter(|param| !param.name.eq_ignore_ascii_case(b"tag")) {
        kept.push(b';');
        kept.extend_from_slice(param.name);
        if let Some(value) = param.value {
            kept.push(b'=');
            kept.extend_from_slice(value);
        }
    }
    Some(kept)
}
