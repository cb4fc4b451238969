//! One rule: which messages it is for, and what it does to them.

use regex::bytes::Regex;

use super::address::{self, User};
use super::draft::Draft;
use super::field::Field;
use super::template::{Named, Template};
use super::{On, Subject};
use crate::message::StartLine;

/// A compiled rule.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) on: On,
    /// Any when empty.
    pub(super) methods: Vec<String>,
    /// Any when empty.
    pub(super) statuses: Vec<Statuses>,
    pub(super) when: Vec<Condition>,
    pub(super) actions: Vec<Action>,
    pub(super) stop: bool,
}

/// One status, or a class of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Statuses {
    One(u16),
    /// `4` for 4xx.
    Class(u16),
}

/// What must hold of a message.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    pub(super) field: Field,
    pub(super) subject: Subject,
    pub(super) test: Test,
}

#[derive(Clone, Debug)]
pub(super) enum Test {
    Present,
    Absent,
    /// Some value matches.
    Matches(Regex),
    /// No value matches.
    Differs(Regex),
}

/// What is done to a message.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// Takes out every line, or those whose value matches.
    Remove { field: Field, matching: Option<Regex> },
    /// Puts `with` in place of what the pattern matches first, in each value.
    Replace { field: Field, subject: Subject, pattern: Regex, with: Template },
    /// Gives every address another user.
    SetUser { field: Field, value: Template },
    /// Adds a line.
    Add { field: Field, value: Template },
}

impl Rule {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Does what it says to a message that it is for. Whether the rules after it are for the message too.
    pub(super) fn run(&self, draft: &mut Draft<'_>) -> bool {
        let Some(named) = self.fits(draft) else { return true };
        for action in &self.actions {
            action.run(draft, &named);
        }
        !self.stop
    }

    /// Whether it is for the message; with what its conditions captured.
    fn fits(&self, draft: &Draft<'_>) -> Option<Named> {
        let is_fitting = match draft.message().start() {
            StartLine::Request { .. } => self.on == On::Request,
            StartLine::Response { status, .. } => {
                self.on == On::Response
                    && (self.statuses.is_empty() || self.statuses.iter().any(|it| it.has(status)))
            }
        };
        if !is_fitting || !self.is_for_method(draft) {
            return None;
        }
        let mut named = Named::new();
        self.when.iter().all(|condition| condition.holds(draft, &mut named)).then_some(named)
    }

    /// A response's method is that of its CSeq.
    fn is_for_method(&self, draft: &Draft<'_>) -> bool {
        if self.methods.is_empty() {
            return true;
        }
        let Ok(cseq) = draft.message().cseq() else { return false };
        self.methods.iter().any(|method| method == cseq.method.as_str())
    }
}

impl Statuses {
    pub(super) const fn has(self, status: u16) -> bool {
        match self {
            Self::One(one) => one == status,
            Self::Class(class) => status / 100 == class,
        }
    }
}

impl Condition {
    fn holds(&self, draft: &Draft<'_>, named: &mut Named) -> bool {
        let mut values = self.values(draft).into_iter();
        match &self.test {
            Test::Present => values.next().is_some(),
            Test::Absent => values.next().is_none(),
            Test::Differs(pattern) => !values.any(|value| pattern.is_match(&value)),
            Test::Matches(pattern) => values.any(|value| {
                let Some(captures) = pattern.captures(&value) else { return false };
                let names = pattern.capture_names().flatten();
                named
                    .extend(names.filter_map(|name| {
                        Some((name.to_owned(), captures.name(name)?.as_bytes().to_vec()))
                    }));
                true
            }),
        }
    }

    fn values(&self, draft: &Draft<'_>) -> Vec<Vec<u8>> {
        let values = draft.values(&self.field);
        match self.subject {
            Subject::Value => values.map(std::borrow::Cow::into_owned).collect(),
            Subject::User => {
                let is_uri = self.field == Field::RequestUri;
                values
                    .flat_map(|value| address::users(&value, is_uri))
                    .map(|user| user.name.into_bytes())
                    .collect()
            }
        }
    }
}

impl Action {
    fn run(&self, draft: &mut Draft<'_>, named: &Named) {
        match self {
            Self::Remove { field, matching } => {
                draft.remove(field, |value| matching.as_ref().is_none_or(|pattern| pattern.is_match(value)));
            }
            Self::Replace { field, subject: Subject::Value, pattern, with } => {
                draft.change(field, |value| replaced(value, pattern, with, named));
            }
            Self::Replace { field, subject: Subject::User, pattern, with } => {
                let change = |user: &User| {
                    let name = replaced(user.name.as_bytes(), pattern, with, named)?;
                    let name = String::from_utf8_lossy(&name).into_owned();
                    Some(User { name, params: user.params.clone() })
                };
                let is_uri = *field == Field::RequestUri;
                draft.change(field, |value| address::change_users(value, is_uri, change));
            }
            Self::SetUser { field, value } => {
                let name = String::from_utf8_lossy(&value.expand(None, named)).into_owned();
                let other = User { name, params: String::new() };
                let change = |user: &User| (*user != other).then(|| other.clone());
                let is_uri = *field == Field::RequestUri;
                draft.change(field, |value| address::change_users(value, is_uri, change));
            }
            Self::Add { field, value } => draft.add(field, value.expand(None, named)),
        }
    }
}

/// `None` when the pattern matches nothing, or nothing changes.
fn replaced(value: &[u8], pattern: &Regex, with: &Template, named: &Named) -> Option<Vec<u8>> {
    let captures = pattern.captures(value)?;
    let found = captures.get(0)?;
    let by = with.expand(Some(&captures), named);
    let after = [&value[..found.start()], &by, &value[found.end()..]].concat();
    (after != value).then_some(after)
}
