//! Who calls, by the headers that say so: P-Asserted-Identity (RFC 3325), From (RFC 3261 §8.1.1.3), Privacy
//! (RFC 3323), Remote-Party-ID (its draft, which many carriers still speak), Diversion (RFC 5806) and History-Info
//! (RFC 7044).
//!
//! Owner thread: the signalling core. This module must not know sessions. What a peer asserts counts only when it is
//! one that we trust (RFC 3325 §5): anybody can write a header.

use std::fmt::Write;

use crate::header::NameAddr;
use crate::lex;
use crate::message::{Builder, HeaderName, Message};
use crate::uri::{Uri, escaped_user};
use crate::user_agent::{Identity, RedirectReason, Redirection};

/// The most asserted identities that are looked at: RFC 3325 §9.1 allows a sip and a tel URI.
const ASSERTED_MAX: usize = 4;
/// The most entries of a History-Info that are looked at.
const HISTORY_MAX: usize = 32;
/// RFC 3323 §4.1.1.3.
const ANONYMOUS_HOST: &str = "anonymous.invalid";
const ANONYMOUS_URI: &str = "sip:anonymous@anonymous.invalid";
const ANONYMOUS: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";

/// Where a peer wants to see who calls, besides From.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdentityHeader {
    /// Nowhere else. Who withholds the number is anonymous to the peer.
    #[default]
    From,
    /// P-Asserted-Identity: the peer is of our trust domain, and sees a withheld number with its Privacy.
    PAssertedIdentity,
    /// P-Preferred-Identity: the peer chooses among the numbers it knows us by (RFC 3325 §9.2).
    PPreferredIdentity,
    /// Remote-Party-ID, for peers from before RFC 3325; of our trust domain too.
    RemotePartyId,
}

/// How a peer is told that a call was for somebody else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DiversionHeader {
    /// Not at all.
    #[default]
    Off,
    /// RFC 5806.
    Diversion,
    /// RFC 7044.
    HistoryInfo,
}

/// Who sent a request: as asserted when the peer is trusted, else by From.
pub(crate) fn caller(request: &Message<'_>, is_trusted: bool) -> Identity {
    let wants_privacy = is_private(request);
    let from = request.from().ok().map(|from| of_address(&from)).unwrap_or_default();
    let asserted = is_trusted.then(|| asserted(request)).flatten();
    match asserted {
        Some(asserted) => Identity {
            // From may hide what the trust domain knows.
            restricted: wants_privacy || asserted.restricted || from.restricted,
            ..asserted
        },
        None => Identity { restricted: wants_privacy || from.restricted, ..from },
    }
}

/// Who sent a call on before it came to us, and why: the topmost Diversion is the latest (RFC 5806 §4.2), and else the
/// History-Info has it.
pub(crate) fn redirection(request: &Message<'_>) -> Option<Redirection> {
    let diverting = request.addresses(HeaderName::Diversion).flatten().next();
    let says_who = |it: &Redirection| it.by.restricted || !it.by.user.is_empty();
    let by_diversion = diverting.map(|diverting| of_diversion(&diverting)).filter(says_who);
    by_diversion.or_else(|| of_history(request).filter(says_who))
}

fn of_diversion(diverting: &NameAddr<'_>) -> Redirection {
    let param = |name| diverting.params.unquoted(name);
    let reason = param("reason").map(|reason| RedirectReason::of_diversion(&reason)).unwrap_or_default();
    let wants_privacy = param("privacy").is_some_and(|it| !it.eq_ignore_ascii_case(b"off"));
    let by = of_address(diverting);
    Redirection { by: Identity { restricted: wants_privacy || by.restricted, ..by }, reason }
}

/// RFC 7044 §5: the last entry that another user's stood before, by `mp` or, with RFC 4244, by the cause of RFC 4458. A
/// call sent on has the entry that it came from in `mp`, else before it.
fn of_history(request: &Message<'_>) -> Option<Redirection> {
    let entries: Vec<NameAddr<'_>> =
        request.addresses(HeaderName::HistoryInfo).take(HISTORY_MAX).flatten().collect();
    let (at, target) = entries
        .iter()
        .enumerate()
        .rev()
        .find(|(at, entry)| *at > 0 && (entry.params.has("mp") || cause_of(entry).is_some()))?;
    let index_of = |entry: &NameAddr<'_>| entry.params.token("index").map(str::to_owned);
    let named = target
        .params
        .token("mp")
        .and_then(|mp| entries.iter().find(|entry| index_of(entry).as_deref() == Some(mp)));
    let diverting = named.or_else(|| entries.get(at.checked_sub(1)?))?;
    let cause = cause_of(target).or_else(|| embedded_cause(diverting));
    let is_private = |value: &[u8]| {
        let mut tokens = value.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        tokens.any(|token| token.eq_ignore_ascii_case(b"history") || token.eq_ignore_ascii_case(b"header"))
    };
    let wants_privacy = request.lines(HeaderName::Privacy).any(|line| is_private(line.value))
        || embedded(diverting, b"Privacy").is_some_and(|value| is_private(&value));
    let by = of_address(diverting);
    let by = Identity { restricted: wants_privacy || by.restricted, display_name: None, ..by };
    Some(Redirection { by, reason: cause.map(RedirectReason::of_cause).unwrap_or_default() })
}

/// RFC 4458 §2: why a call was sent to this URI.
fn cause_of(entry: &NameAddr<'_>) -> Option<u16> {
    let uri = entry.uri().ok()?;
    uri.as_sip()?.params.token("cause")?.parse().ok()
}

/// RFC 7044 §5.1: `?Reason=SIP%3Bcause%3D486`, what came of the call to this URI.
fn embedded_cause(entry: &NameAddr<'_>) -> Option<u16> {
    let reason = embedded(entry, b"Reason")?;
    let reason = std::str::from_utf8(&reason).ok()?;
    let cause = reason
        .split(';')
        .filter_map(|part| part.trim().split_once('='))
        .find(|(name, _)| *name == "cause")?;
    cause.1.trim().parse().ok()
}

/// A header in an entry's URI.
fn embedded(entry: &NameAddr<'_>, wanted: &[u8]) -> Option<Vec<u8>> {
    let uri = entry.uri().ok()?;
    let mut headers = uri.as_sip()?.headers?.split(|byte| *byte == b'&');
    headers.find_map(|header| {
        let equals = memchr::memchr(b'=', header)?;
        let (name, value) = (header.get(..equals)?, header.get(equals + 1..)?);
        lex::unescape(name).eq_ignore_ascii_case(wanted).then(|| lex::unescape(value).into_owned())
    })
}

/// RFC 3323 §4.2 and RFC 3325 §9.3; `full` is of the Remote-Party-ID drafts.
fn is_private(request: &Message<'_>) -> bool {
    let tokens = request.lines(HeaderName::Privacy).flat_map(|line| line.value.split(|byte| *byte == b';'));
    tokens.map(<[u8]>::trim_ascii).any(|token| {
        ["id", "user", "header", "full"].iter().any(|private| token.eq_ignore_ascii_case(private.as_bytes()))
    })
}

fn asserted(request: &Message<'_>) -> Option<Identity> {
    let asserted = request.addresses(HeaderName::PAssertedIdentity).take(ASSERTED_MAX);
    let asserted = asserted.flatten().map(|address| of_address(&address)).find(|it| !it.user.is_empty());
    asserted.or_else(|| {
        let parties = request.addresses(HeaderName::RemotePartyId).take(ASSERTED_MAX).flatten();
        let calling = |address: &NameAddr<'_>| {
            address.params.token("party").is_none_or(|party| party.eq_ignore_ascii_case("calling"))
        };
        let party = parties.filter(calling).find(|address| !of_address(address).user.is_empty())?;
        let privacy = party.params.token("privacy").unwrap_or("off");
        let restricted = ["full", "uri"].iter().any(|private| privacy.eq_ignore_ascii_case(private));
        Some(Identity { restricted, ..of_address(&party) })
    })
}

/// RFC 3323 §4.1.1.3: a withheld caller is `anonymous`, at `anonymous.invalid` or elsewhere.
fn of_address(address: &NameAddr<'_>) -> Identity {
    let Ok(uri) = address.uri() else { return Identity::default() };
    let user = match uri {
        Uri::Tel(tel) => tel.digits(),
        Uri::Sip(_) | Uri::Other(_) => {
            let user = uri.user().unwrap_or_default();
            // §19.1.6: parameters of a telephone number do not belong to the number.
            user.split(';').next().unwrap_or_default().to_owned()
        }
    };
    let host = uri.as_sip().map(|sip| sip.host.to_string()).unwrap_or_default();
    if host.eq_ignore_ascii_case(ANONYMOUS_HOST) || user.eq_ignore_ascii_case("anonymous") {
        return Identity { restricted: true, ..Identity::default() };
    }
    let display_name = address.display_name().map(std::borrow::Cow::into_owned);
    Identity { user, display_name, ..Identity::default() }
}

/// How a caller is shown to a peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'a> {
    pub(crate) caller: &'a Identity,
    /// Our host in its URIs.
    pub(crate) host: &'a str,
    pub(crate) identity: IdentityHeader,
    pub(crate) diversion: DiversionHeader,
    /// Who is called.
    pub(crate) callee: &'a str,
}

impl Shown<'_> {
    /// From, without a tag.
    pub(crate) fn from(&self) -> String {
        if self.caller.restricted || self.caller.user.is_empty() {
            ANONYMOUS.to_owned()
        } else {
            self.address()
        }
    }

    /// Adds what stands beside From.
    pub(crate) fn add_to(&self, mut builder: Builder) -> Builder {
        if !self.caller.user.is_empty() {
            builder = self.add_identity(builder);
        }
        if self.caller.restricted || self.caller.user.is_empty() {
            builder = builder.header(HeaderName::Privacy, "id");
        }
        match self.diversion {
            DiversionHeader::Off => builder,
            DiversionHeader::Diversion => self.add_diversion(builder),
            DiversionHeader::HistoryInfo => self.add_history(builder),
        }
    }

    /// Who sent the call on, the earliest first: before it came to us, and we.
    fn diverting(&self) -> impl DoubleEndedIterator<Item = (String, bool, RedirectReason)> {
        let before = self.caller.redirection.as_ref().map(|before| {
            let is_hidden = before.by.restricted || before.by.user.is_empty();
            let uri = format!("sip:{}@{}", escaped_user(&before.by.user), self.host);
            (if is_hidden { ANONYMOUS_URI.to_owned() } else { uri }, is_hidden, before.reason)
        });
        let ours = self.caller.diverting.as_ref().map(|number| {
            let uri = format!("sip:{}@{}", escaped_user(number), self.host);
            (uri, false, RedirectReason::Unconditional)
        });
        before.into_iter().chain(ours)
    }

    fn add_identity(&self, builder: Builder) -> Builder {
        match self.identity {
            IdentityHeader::From => builder,
            IdentityHeader::PAssertedIdentity => {
                builder.header(HeaderName::PAssertedIdentity, self.address())
            }
            IdentityHeader::PPreferredIdentity => {
                builder.header(HeaderName::PPreferredIdentity, self.address())
            }
            IdentityHeader::RemotePartyId => {
                let privacy = if self.caller.restricted { "full" } else { "off" };
                let address = self.address();
                let party = format_args!("{address};party=calling;screen=yes;privacy={privacy}");
                builder.header(HeaderName::RemotePartyId, party)
            }
        }
    }

    /// RFC 5806 §4: the latest on top. Who is not to be known is anonymous, whoever asks.
    fn add_diversion(&self, builder: Builder) -> Builder {
        self.diverting().rev().fold(builder, |builder, (uri, is_hidden, reason)| {
            let privacy = if is_hidden { "full" } else { "off" };
            let reason = reason.name();
            builder.header(
                HeaderName::Diversion,
                format_args!("<{uri}>;reason={reason};privacy={privacy};screen=yes"),
            )
        })
    }

    /// RFC 7044 §10.1, each target mapped from the one before, for the cause of RFC 4458.
    fn add_history(&self, builder: Builder) -> Builder {
        let (mut history, mut index, mut why) = (String::new(), "1".to_owned(), None::<RedirectReason>);
        let callee = format!("sip:{}@{}", escaped_user(self.callee), self.host);
        let diverting = self.diverting().map(|(uri, _, reason)| (uri, Some(reason)));
        for (uri, reason) in diverting.chain([(callee, None)]) {
            // Writing to memory cannot fail.
            let _ = match why {
                None => write!(history, "<{uri}>;index={index}"),
                Some(why) => {
                    let before = index.clone();
                    index.push_str(".1");
                    write!(history, ", <{uri};cause={}>;index={index};mp={before}", why.cause())
                }
            };
            why = reason;
        }
        // The callee alone has no history.
        if index == "1" { builder } else { builder.header(HeaderName::HistoryInfo, history) }
    }

    fn address(&self) -> String {
        let mut address = String::new();
        if let Some(name) = &self.caller.display_name {
            let name = name.replace('\\', "\\\\").replace('"', "\\\"");
            // Writing to memory cannot fail.
            let _ = write!(address, "\"{name}\" ");
        }
        let _ = write!(address, "<sip:{}@{}>", escaped_user(&self.caller.user), self.host);
        address
    }
}
