//! Which dialog a Replaces names (RFC 3891): in the URI of a Refer-To, or in an INVITE; and who may take one over.
//!
//! Owner thread: the signalling core. This module must not end or make sessions; it finds them.

use std::borrow::Cow;

use super::serving::user_of;
use super::session::{Phase, Session};
use super::{Received, SessionId, Source, UserAgent};
use crate::header::Parameterised;
use crate::lex;
use crate::message::HeaderName;
use crate::uri::SipUri;

/// The dialog that a Replaces value names, as we see it: `to-tag` is ours (RFC 3891 §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Replaces {
    call_id: String,
    local_tag: String,
    remote_tag: String,
    /// Only a dialog that is not answered may be replaced.
    pub(super) early_only: bool,
}

impl Replaces {
    /// Reads a value; `None` when a tag is missing or given twice, or the grammar is broken (RFC 3891 §6.1).
    pub(super) fn parse(value: &[u8]) -> Option<Self> {
        let value = Parameterised::parse(value).ok()?;
        let once = |name: &str| {
            let found = |param: &crate::header::Param<'_>| param.name.eq_ignore_ascii_case(name.as_bytes());
            (value.params.iter().filter(found).count() == 1).then(|| value.params.token(name))?
        };
        Some(Self {
            call_id: value.value.to_owned(),
            local_tag: once("to-tag")?.to_owned(),
            remote_tag: once("from-tag")?.to_owned(),
            early_only: value.params.has("early-only"),
        })
    }

    /// That of a URI's headers (RFC 3261 §19.1.1); the inner `None` when it is malformed.
    pub(super) fn in_uri(uri: &SipUri<'_>) -> Option<Option<Self>> {
        let headers = uri.headers?.split(|byte| *byte == b'&');
        let mut values = headers.filter_map(|header| {
            let equals = memchr::memchr(b'=', header)?;
            let (name, value) = (header.get(..equals)?, header.get(equals + 1..)?);
            lex::unescape(name).eq_ignore_ascii_case(b"Replaces").then(|| lex::unescape(value))
        });
        let first: Cow<'_, [u8]> = values.next()?;
        // RFC 3891 §3: not more than one.
        Some(values.next().is_none().then(|| Self::parse(&first)).flatten())
    }
}

impl UserAgent {
    /// The session whose dialog is named, answered or not, ended or not.
    pub(super) fn named_by(&self, replaces: &Replaces) -> Option<(SessionId, &Session)> {
        let id = self.sessions.by_tag(&replaces.local_tag)?;
        let session = self.sessions.get(id).filter(|session| session.call_id == replaces.call_id)?;
        let is_remote = match &session.phase {
            Phase::Calling(calling) => {
                calling.early.iter().any(|early| early.dialog.remote_tag == replaces.remote_tag)
            }
            _ => session.dialog().is_none_or(|dialog| {
                dialog.remote_tag == replaces.remote_tag
                    // §3: an RFC 2543 peer without a tag is named by zero.
                    || (dialog.remote_tag.is_empty() && replaces.remote_tag == "0")
            }),
        };
        is_remote.then_some((id, session))
    }

    /// The session that an INVITE takes over, if it wants one, or the status that it is refused with (RFC 3891 §3).
    pub(super) fn replaced_by(
        &self,
        received: Received<'_>,
        source: &Source,
    ) -> Result<Option<Replaced>, u16> {
        let mut lines = received.message.lines(HeaderName::Replaces);
        let Some(line) = lines.next() else { return Ok(None) };
        // Two of them are a contradiction, and so is a Join beside it (RFC 3911 §4).
        let is_alone = lines.next().is_none() && received.message.extensions("Join").next().is_none();
        let replaces = Replaces::parse(line.value).filter(|_| is_alone).ok_or(400_u16)?;
        let (id, session) = self.named_by(&replaces).ok_or(481_u16)?;
        let early_only = replaces.early_only;
        let picks_up = early_only && self.may_pick_up(source, session);
        if !picks_up && !may_replace(received, source, session) {
            return Err(403);
        }
        match &session.phase {
            // Not ours to give away: nobody here has answered it.
            Phase::Offered(_) => Err(481),
            Phase::Answered(_) | Phase::Confirmed(_) if early_only => Err(486),
            Phase::Calling(_) | Phase::Confirmed(_) => Ok(Some(Replaced { session: id, early_only })),
            // Its ACK is on the way.
            Phase::Answered(_) => Err(480),
            Phase::Leaving(_) | Phase::Over => Err(603),
        }
    }

    /// Whether the phone that rings is one of a colleague's (RFC 5359 §2.16), and nothing but ringing is asked for.
    fn may_pick_up(&self, source: &Source, session: &Session) -> bool {
        match (source, &session.user) {
            (Source::User(user), Some(whose)) => {
                session.peer.is_phone() && self.config.phones.may_pick_up(user, whose)
            }
            _ => false,
        }
    }
}

/// The session that an INVITE takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Replaced {
    pub(super) session: SessionId,
    pub(super) early_only: bool,
}

/// Whether who sends an INVITE may take over a session (RFC 3891 §3): it is the one that the session is with, or was
/// sent by that one (RFC 3892). Nothing proves the latter but that it knows the tags of the dialog; so it must be
/// somebody we know all the same, and a phone's conversation, not one that still rings.
fn may_replace(received: Received<'_>, source: &Source, session: &Session) -> bool {
    let is_same = match source {
        Source::Trunk(_) => session.peer == *received.peer,
        Source::User(user) => session.peer.is_phone() && session.user.as_ref() == Some(user),
    };
    let referred_by = || received.message.address(HeaderName::ReferredBy).ok().flatten();
    let is_sent = || referred_by().and_then(|by| user_of(&by)).is_some_and(|by| session.user == Some(by));
    is_same || (!matches!(session.phase, Phase::Calling(_)) && is_sent())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uri::Uri;

    fn parse(value: &str) -> Option<Replaces> {
        Replaces::parse(value.as_bytes())
    }

    /// RFC 3891 §6.1.
    #[test]
    fn a_value_has_a_call_id_and_two_tags() {
        let found = parse("98732@sip.example.com;from-tag=r33th4x0r;to-tag=ff87ff").expect("well-formed");
        assert_eq!((found.call_id.as_str(), found.early_only), ("98732@sip.example.com", false));
        assert_eq!((found.local_tag.as_str(), found.remote_tag.as_str()), ("ff87ff", "r33th4x0r"));
        assert!(parse("x;from-tag=1;to-tag=2;early-only").is_some_and(|found| found.early_only));
        for wrong in
            ["x", "x;from-tag=1", "x;to-tag=2", ";from-tag=1;to-tag=2", "x;from-tag=1;from-tag=1;to-tag=2"]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    /// RFC 3891 §4.2: escaped, in the URI of a Refer-To.
    #[test]
    fn a_uri_carries_it_escaped() {
        let find = |uri: &str| {
            let uri = Uri::parse(uri.as_bytes()).expect("a URI");
            Replaces::in_uri(uri.as_sip().expect("sip"))
        };
        let one = "sip:bob@127.0.0.1?Subject=x&replaces=12%40a%3Bto-tag%3D7%3Bfrom-tag%3D8";
        assert_eq!(find(one), Some(parse("12@a;to-tag=7;from-tag=8")));
        assert_eq!(find("sip:bob@127.0.0.1"), None);
        assert_eq!(find("sip:bob@127.0.0.1?Subject=x"), None);
        assert_eq!(find("sip:bob@127.0.0.1?Replaces=12"), Some(None), "no tags");
        let two =
            "sip:bob@127.0.0.1?Replaces=1%3Bto-tag%3D7%3Bfrom-tag%3D8&Replaces=2%3Bto-tag%3D7%3Bfrom-tag%3D8";
        assert_eq!(find(two), Some(None), "two of them");
    }
}
