//! Which transaction a message belongs to (RFC 3261 §17.1.3, §17.2.3).

use std::fmt::Write;

use crate::message::{Essentials, Message, Method, StartLine};

/// How a branch of RFC 3261 begins (§8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

/// What all messages of one transaction have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(Box<str>);

impl Key {
    /// Of a request we send with this branch, and of its responses (§17.1.3).
    pub(crate) fn client(branch: &str, method: Method<'_>) -> Self {
        Self(format!("{branch} {method}").into())
    }

    /// Of a request we received; an ACK has the key of its INVITE, a CANCEL one of its own.
    pub(crate) fn server(request: &Message<'_>, essentials: &Essentials<'_>) -> Self {
        let method = match essentials.cseq.method {
            Method::Ack => Method::Invite,
            method => method,
        };
        Self::server_of(request, essentials, method)
    }

    /// Of the INVITE that a CANCEL means (§9.2).
    pub(crate) fn cancelled(request: &Message<'_>, essentials: &Essentials<'_>) -> Self {
        Self::server_of(request, essentials, Method::Invite)
    }

    fn server_of(request: &Message<'_>, essentials: &Essentials<'_>, method: Method<'_>) -> Self {
        let via = &essentials.via;
        let mut key = String::with_capacity(96);
        // Writing to a string cannot fail.
        let _ = match via.branch() {
            Some(branch) if is_rfc3261(branch) => write!(key, "{branch} "),
            // RFC 2543 clients: the whole request tells (§17.2.3). The To tag is left out, since the ACK has one
            // that the INVITE had not; the CSeq number tells the requests of a dialog apart.
            branch => {
                let uri = match request.start() {
                    StartLine::Request { uri, .. } => uri,
                    StartLine::Response { .. } => &[],
                };
                write!(
                    key,
                    "{} {} {} {} {} ",
                    branch.unwrap_or_default(),
                    uri.escape_ascii(),
                    essentials.from.tag().unwrap_or_default(),
                    essentials.call_id,
                    essentials.cseq.number
                )
            }
        };
        let _ = write!(key, "{}:{} {method}", via.host, via.port.unwrap_or(5060));
        key.make_ascii_lowercase();
        Self(key.into())
    }

    /// What a request has in common with itself on another path (§8.2.2.2); only without a To tag.
    pub(crate) fn merged(essentials: &Essentials<'_>) -> Option<Self> {
        if essentials.to.tag().is_some() {
            return None;
        }
        let from_tag = essentials.from.tag().unwrap_or_default();
        let cseq = essentials.cseq;
        Some(Self(format!("{from_tag} {} {} {}", essentials.call_id, cseq.number, cseq.method).into()))
    }
}

/// §8.1.1.7: the cookie is compared without regard to case, as all of a token is.
fn is_rfc3261(branch: &str) -> bool {
    branch
        .get(..MAGIC_COOKIE.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(MAGIC_COOKIE) && branch.len() > MAGIC_COOKIE.len())
}
