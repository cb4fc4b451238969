//! Who calls, by the headers that say so: P-Asserted-Identity (RFC 3325), From (RFC 3261 §8.1.1.3), Privacy
//! (RFC 3323), Remote-Party-ID (its draft, which many carriers still speak), Diversion (RFC 5806) and History-Info
//! (RFC 7044).
//!
//! Owner thread: the signalling core. This module must not know sessions. What a peer asserts counts only when it is
//! one that we trust (RFC 3325 §5): anybody can write a header.

use std::fmt::Write;

use crate::header::NameAddr;
use crate::message::{Builder, HeaderName, Message};
use crate::uri::{Uri, escaped_user};
use crate::user_agent::Identity;

/// The most asserted identities that are looked at: RFC 3325 §9.1 allows a sip and a tel URI.
const ASSERTED_MAX: usize = 4;
/// RFC 3323 §4.1.1.3.
const ANONYMOUS_HOST: &str = "anonymous.invalid";
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
        match &self.caller.diverting {
            Some(diverting) => self.add_diversion(builder, diverting),
            None => builder,
        }
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

    /// RFC 5806 §4; RFC 7044 §10.1 with the target mapped from the one before.
    fn add_diversion(&self, builder: Builder, diverting: &str) -> Builder {
        let (host, diverting) = (self.host, escaped_user(diverting));
        match self.diversion {
            DiversionHeader::Off => builder,
            DiversionHeader::Diversion => builder.header(
                HeaderName::Diversion,
                format_args!("<sip:{diverting}@{host}>;reason=unconditional;privacy=off;screen=yes"),
            ),
            DiversionHeader::HistoryInfo => {
                let callee = escaped_user(self.callee);
                builder.header(
                    HeaderName::HistoryInfo,
                    format_args!("<sip:{diverting}@{host}>;index=1, <sip:{callee}@{host}>;index=1.1;mp=1"),
                )
            }
        }
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
