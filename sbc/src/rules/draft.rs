//! A message being rewritten: lines that borrow from it until a rule changes them.

use std::borrow::Cow;

use super::address;
use super::field::Field;
use crate::lex;
use crate::message::limits::{MAX_HEADER, MAX_HEADERS};
use crate::message::{HeaderName, Message, Method, StartLine};

/// What `name`, colon, space and line end add to a value.
const AROUND_VALUE: usize = 4;

/// A message being rewritten.
#[derive(Clone)]
pub(super) struct Draft<'m> {
    message: Message<'m>,
    /// The Request-URI; empty in a response.
    uri: Cow<'m, [u8]>,
    lines: Vec<Line<'m>>,
    is_changed: bool,
}

/// One header line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line<'m> {
    pub(super) name: HeaderName,
    pub(super) spelled: Cow<'m, [u8]>,
    pub(super) value: Cow<'m, [u8]>,
    /// The tag that From and To keep, also while a rule is half way and nothing can be read there.
    tag: Option<String>,
}

impl PartialEq for Draft<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.uri == other.uri && self.lines == other.lines
    }
}

impl<'m> Draft<'m> {
    pub(super) fn of(message: &Message<'m>) -> Self {
        let uri = match message.start() {
            StartLine::Request { uri, .. } => uri,
            StartLine::Response { .. } => b"",
        };
        let lines = message.headers().map(|header| Line {
            name: header.name,
            spelled: header.name_bytes.into(),
            value: header.value.into(),
            tag: tag(header.name, header.value),
        });
        Self { message: *message, uri: uri.into(), lines: lines.collect(), is_changed: false }
    }

    pub(super) const fn message(&self) -> &Message<'m> {
        &self.message
    }

    pub(super) const fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// Whether the Request-URI, From and To may change: in a request that begins something.
    pub(super) fn begins_something(&self) -> bool {
        let is_of_another = |method: Method<'_>| matches!(method, Method::Ack | Method::Cancel);
        self.message.method().is_some_and(|method| !is_of_another(method))
            && self.message.to().is_ok_and(|to| to.tag().is_none())
    }

    /// Each value that a pattern for `field` looks at.
    pub(super) fn values(&self, field: &Field) -> impl Iterator<Item = Cow<'_, [u8]>> {
        let uri = (*field == Field::RequestUri && !self.uri.is_empty()).then(|| Cow::from(&*self.uri));
        let lines = self.lines.iter().filter(|line| field.is_of(line)).map(|line| line.readable());
        uri.into_iter().chain(lines)
    }

    /// Changes each value of `field` for which `change` has another one.
    pub(super) fn change(&mut self, field: &Field, mut change: impl FnMut(&[u8]) -> Option<Vec<u8>>) {
        if field.is_party() && !self.begins_something() {
            return;
        }
        if *field == Field::RequestUri {
            if let Some(uri) = change(&self.uri) {
                self.uri = without_controls(uri).into();
                self.is_changed = true;
            }
            return;
        }
        for line in self.lines.iter_mut().filter(|line| field.is_of(line)) {
            let Some(mut value) = change(&line.readable()) else { continue };
            if field.is_party() {
                // A tag of the rule's own would make another dialog of it.
                value = address::without_tag(&value).unwrap_or(value);
            }
            if let Some(tag) = &line.tag {
                value.extend_from_slice(b";tag=");
                value.extend_from_slice(tag.as_bytes());
            }
            if line.spelled.len() + value.len() + AROUND_VALUE <= MAX_HEADER {
                line.value = without_controls(value).into();
                self.is_changed = true;
            }
        }
    }

    /// Takes out the lines of `field` that `goes` is for.
    pub(super) fn remove(&mut self, field: &Field, goes: impl Fn(&[u8]) -> bool) {
        let before = self.lines.len();
        self.lines.retain(|line| !(field.is_of(line) && goes(&line.readable())));
        self.is_changed |= self.lines.len() != before;
    }

    /// Adds a line after the last one of that name, or at the end.
    pub(super) fn add(&mut self, field: &Field, value: Vec<u8>) {
        let spelled = field.as_str();
        let name = match field {
            Field::Known(name) => *name,
            _ => HeaderName::Extension,
        };
        let is_too_long = spelled.len() + value.len() + AROUND_VALUE > MAX_HEADER;
        if is_too_long || self.lines.len() >= MAX_HEADERS {
            return;
        }
        let last = self.lines.iter().rposition(|line| field.is_of(line));
        let spelled = spelled.as_bytes().to_vec().into();
        let line = Line { name, spelled, value: without_controls(value).into(), tag: None };
        self.lines.insert(last.map_or(self.lines.len(), |at| at + 1), line);
        self.is_changed = true;
    }

    /// The draft with From and To as `message` has them; `None` when they are the same.
    pub(super) fn with_parties_of(&self, message: &Message<'m>) -> Option<Self> {
        let mut restored = self.clone();
        for name in [HeaderName::From, HeaderName::To] {
            let own = message.value(name);
            for line in restored.lines.iter_mut().filter(|line| line.name == name) {
                line.value = own.unwrap_or_default().into();
            }
        }
        (restored != *self).then_some(restored)
    }

    /// The message's bytes.
    pub(super) fn print(&self) -> Vec<u8> {
        let body = self.message.body();
        let mut bytes = Vec::with_capacity(self.message.bytes().len() + 256);
        match self.message.start() {
            StartLine::Request { method, .. } => {
                bytes.extend_from_slice(method.as_str().as_bytes());
                bytes.push(b' ');
                bytes.extend_from_slice(&self.uri);
                bytes.extend_from_slice(b" SIP/2.0\r\n");
            }
            StartLine::Response { status, reason } => {
                bytes.extend_from_slice(format!("SIP/2.0 {status} ").as_bytes());
                bytes.extend_from_slice(reason);
                bytes.extend_from_slice(b"\r\n");
            }
        }
        for line in &self.lines {
            bytes.extend_from_slice(&line.spelled);
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(&line.value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
        bytes
    }
}

impl Line<'_> {
    /// The value on one line, without a tag.
    fn readable(&self) -> Cow<'_, [u8]> {
        let value = unfolded(&self.value);
        if !matches!(self.name, HeaderName::From | HeaderName::To) {
            return value;
        }
        if let Some(untagged) = address::without_tag(&value) {
            return untagged.into();
        }
        let tag = self.tag.as_ref().map(|tag| format!(";tag={tag}"));
        match tag.and_then(|tag| value.strip_suffix(tag.as_bytes()).map(<[u8]>::to_vec)) {
            Some(untagged) => untagged.into(),
            None => value,
        }
    }
}

fn tag(name: HeaderName, value: &[u8]) -> Option<String> {
    if !matches!(name, HeaderName::From | HeaderName::To) {
        return None;
    }
    let address = crate::header::NameAddr::parse(value).ok()?;
    address.tag().map(str::to_owned)
}

/// RFC 3261 §7.3.1: a fold is one space.
fn unfolded(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\n', value).is_none() {
        return value.into();
    }
    let lines: Vec<&[u8]> = value.split(|&byte| byte == b'\n').map(lex::trim).collect();
    lines.join(&b' ').into()
}

/// What a rule writes stays in its line.
fn without_controls(mut value: Vec<u8>) -> Vec<u8> {
    for byte in &mut value {
        if *byte < b' ' || *byte == 0x7f {
            *byte = b' ';
        }
    }
    value.trim_ascii().to_vec()
}
