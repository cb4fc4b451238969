//! Telephone numbers in one form.

use std::fmt::Debug;
use std::sync::Arc;

use super::address::{self, User};
use super::draft::Draft;
use super::field::Field;
use crate::message::HeaderName;

/// Numbers of so few digits without `+` are short codes, emergency numbers and extensions, and stay as they are.
pub(super) const SHORT_CODE_DIGITS: usize = 6;

/// Where numbers stand.
const FIELDS: [Field; 9] = [
    Field::RequestUri,
    Field::Known(HeaderName::From),
    Field::Known(HeaderName::To),
    Field::Known(HeaderName::PAssertedIdentity),
    Field::Known(HeaderName::PPreferredIdentity),
    Field::Known(HeaderName::RemotePartyId),
    Field::Known(HeaderName::Diversion),
    Field::Known(HeaderName::HistoryInfo),
    Field::Known(HeaderName::ReferredBy),
];

/// What is known of the world's telephone numbers. It is a function of its inputs.
pub trait NumberingPlan: Debug + Send + Sync {
    /// `+` and the E.164 digits of a number as dialled, when it is a possible one: with `+`, with the international
    /// prefix or the national one, or with neither.
    fn e164(&self, dialled: &str) -> Option<String>;

    /// A number that `e164` gave as it is dialled within its country, when that is ours.
    fn national(&self, e164: &str) -> Option<String>;
}

/// The form that numbers are brought into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberFormat {
    /// `+4930123456`.
    Plus,
    /// `4930123456`.
    Digits,
    /// `004930123456`.
    Zeros,
    /// `030123456` within the country, `004930123456` elsewhere.
    National,
}

/// A numbering plan and the form of its numbers.
#[derive(Clone, Debug)]
pub struct Numbers {
    /// What numbers mean.
    pub plan: Arc<dyn NumberingPlan>,
    /// What they become.
    pub format: NumberFormat,
    /// Whether the country's code comes first even without `+`; else a number is read as it is dialled there.
    pub digits_are_e164: bool,
}

impl Numbers {
    pub(super) fn run(&self, draft: &mut Draft<'_>) {
        for field in &FIELDS {
            let is_uri = *field == Field::RequestUri;
            draft.change(field, |value| address::change_users(value, is_uri, |user| self.user(user)));
        }
    }

    /// A number as it is written for the peer; `None` when it is none, or stays as it is.
    #[must_use]
    pub fn number(&self, dialled: &str) -> Option<String> {
        let other = self.format(&self.e164(dialled)?);
        (other != dialled).then_some(other)
    }

    /// RFC 3966 §5.1.4: a number that is local is one within its context, which may be the number it begins with.
    fn user(&self, user: &User) -> Option<User> {
        let context = user.param("phone-context");
        if context.is_some_and(|context| !context.starts_with('+')) {
            // A number of somebody's own network, which means nothing to the world.
            return None;
        }
        let dialled = match context {
            Some(context) if !user.name.starts_with('+') => format!("{context}{}", user.name),
            _ => user.name.clone(),
        };
        let mut other = User { name: self.format(&self.e164(&dialled)?), params: user.params.clone() };
        if context.is_some() {
            other.without_param("phone-context");
        }
        (other != *user).then_some(other)
    }

    fn e164(&self, dialled: &str) -> Option<String> {
        // RFC 3966 §5.1.1: visual separators mean nothing.
        let digits: String = dialled.chars().filter(|c| !"-.() ".contains(*c)).collect();
        let bare = digits.strip_prefix('+').unwrap_or(&digits);
        let is_number = !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit());
        let is_short = digits.len() <= SHORT_CODE_DIGITS && !digits.starts_with('+');
        if !is_number || is_short {
            return None;
        }
        let lacks_plus =
            self.digits_are_e164 && digits.starts_with(|first: char| ('1'..='9').contains(&first));
        let digits = if lacks_plus { format!("+{digits}") } else { digits };
        // What has its `+` is E.164 already, be it ever so short; the plan may know better how it is written.
        self.plan.e164(&digits).or_else(|| digits.starts_with('+').then_some(digits))
    }

    fn format(&self, e164: &str) -> String {
        let digits = e164.trim_start_matches('+');
        match self.format {
            NumberFormat::Plus => format!("+{digits}"),
            NumberFormat::Digits => digits.to_owned(),
            NumberFormat::Zeros => format!("00{digits}"),
            NumberFormat::National => self.plan.national(e164).unwrap_or_else(|| format!("00{digits}")),
        }
    }
}
