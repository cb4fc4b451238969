//! What a rule may speak of.

use super::draft::Line;
use crate::lex;
use crate::message::HeaderName;
use crate::message::limits::MAX_HEADER_NAME;

/// The Request-URI or a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// The Request-URI.
    RequestUri,
    /// A header with a [`HeaderName`].
    Known(HeaderName),
    /// Any other header.
    Extension(String),
}

impl Field {
    /// Reads a name: a header's in any case, long or compact, or `Request-URI`. `None` when it is no token.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("Request-URI") {
            return Some(Self::RequestUri);
        }
        if text.is_empty() || text.len() > MAX_HEADER_NAME || !lex::all(text.as_bytes(), lex::TOKEN) {
            return None;
        }
        Some(match HeaderName::of(text.as_bytes()) {
            HeaderName::Extension => Self::Extension(text.to_owned()),
            name => Self::Known(name),
        })
    }

    /// Whether transactions, dialogs or the body depend on it.
    pub(super) const fn is_protected(&self) -> bool {
        use HeaderName as N;
        matches!(
            self,
            Self::Known(
                N::Via
                    | N::CallId
                    | N::CSeq
                    | N::MaxForwards
                    | N::Route
                    | N::RecordRoute
                    | N::Contact
                    | N::RSeq
                    | N::RAck
                    | N::ContentLength
                    | N::ContentType
                    | N::ContentEncoding
                    | N::ContentDisposition
            )
        )
    }

    /// Whether a message has exactly one, which changes in requests that begin something only.
    pub(super) const fn is_party(&self) -> bool {
        matches!(self, Self::RequestUri | Self::Known(HeaderName::From | HeaderName::To))
    }

    pub(super) fn is_of(&self, line: &Line<'_>) -> bool {
        match self {
            Self::RequestUri => false,
            Self::Known(name) => line.name == *name,
            Self::Extension(name) => {
                line.name == HeaderName::Extension && line.spelled.eq_ignore_ascii_case(name.as_bytes())
            }
        }
    }

    /// The name as we write it.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::RequestUri => "Request-URI",
            Self::Known(name) => name.as_str(),
            Self::Extension(name) => name,
        }
    }
}
