//! A dialog: what two user agents know of each other once they talk (RFC 3261 §12).
//!
//! Owner thread: the signalling core. This module must not know sessions or media: it makes requests of a dialog and
//! judges those that come in one.

mod failure;

pub(crate) use failure::{Ends, ends};

use crate::header::Contact;
use crate::message::{Builder, Essentials, HeaderName, Message, Method};
use crate::transport::Hop;
use crate::uri::{Scheme, Uri, escaped_header};

/// The most entries of a route set; what follows is left out.
const ROUTES_MAX: usize = 16;

/// What RFC 3261 §20.22 recommends.
const MAX_FORWARDS: u8 = 70;

/// One dialog.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    pub(crate) call_id: String,
    pub(crate) local_tag: String,
    /// Empty with an RFC 2543 peer, which need not have one.
    pub(crate) remote_tag: String,
    /// Our side as From has it, tag included.
    local: Vec<u8>,
    /// Their side as To has it, tag included.
    remote: Vec<u8>,
    /// The URI of their Contact.
    remote_target: String,
    /// Route values, the nearest first.
    route_set: Vec<String>,
    local_cseq: u32,
    remote_cseq: Option<u32>,
    /// Of our requests.
    pub(crate) max_forwards: u8,
    /// Whether we made the Call-ID.
    pub(crate) is_call_id_ours: bool,
    /// What our Contact asks of the peer's requests (§12.1.1, §12.1.2: the secure flag).
    pub(crate) scheme: Scheme,
    /// The way that the request or response took which made the dialog.
    pub(crate) hop: Hop,
}

/// A request came late: one with a higher CSeq came before (§12.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutOfOrder;

impl Dialog {
    /// The dialog that an INVITE from the peer makes (§12.1.1). `None` without a Contact we can use, which for a
    /// `sips:` Request-URI is one that keeps to TLS (§8.1.1.8).
    pub(crate) fn of_request(
        invite: &Message<'_>,
        essentials: &Essentials<'_>,
        local_tag: String,
        hop: Hop,
    ) -> Option<Self> {
        let mut local = invite.value(HeaderName::To)?.to_vec();
        local.extend_from_slice(format!(";tag={local_tag}").as_bytes());
        let remote_target = contact_uri(invite).or_else(|| from_uri_of_old(invite, essentials))?;
        let route_set: Vec<String> = record_routes(invite).collect();
        let asked = Scheme::of(invite.request_uri().map(|uri| uri.bytes()).unwrap_or_default());
        let back = Scheme::of(next_hop_of(&route_set, &remote_target).as_bytes());
        if asked == Scheme::Sips && back != Scheme::Sips {
            return None;
        }
        Some(Self {
            call_id: essentials.call_id.to_owned(),
            local_tag,
            remote_tag: essentials.from.tag().unwrap_or_default().to_owned(),
            local,
            remote: invite.value(HeaderName::From)?.to_vec(),
            remote_target,
            route_set,
            // §12.2.1.1 lets us choose; small numbers leave room for 2^31 requests.
            local_cseq: 0,
            remote_cseq: Some(essentials.cseq.number),
            is_call_id_ours: false,
            max_forwards: MAX_FORWARDS,
            scheme: if back.allows(hop.transport) { back } else { Scheme::Sip },
            hop,
        })
    }

    /// The dialog that a response to our INVITE makes (§12.1.2). Without a usable Contact, `hop` alone tells where
    /// requests go.
    pub(crate) fn of_response(response: &Message<'_>, essentials: &Essentials<'_>, hop: Hop) -> Self {
        let mut route_set: Vec<String> = record_routes(response).collect();
        route_set.reverse();
        let tag = |tag: Option<&str>| tag.unwrap_or_default().to_owned();
        Self {
            call_id: essentials.call_id.to_owned(),
            local_tag: tag(essentials.from.tag()),
            remote_tag: tag(essentials.to.tag()),
            local: response.value(HeaderName::From).unwrap_or_default().to_vec(),
            remote: response.value(HeaderName::To).unwrap_or_default().to_vec(),
            remote_target: contact_uri(response).unwrap_or_else(|| format!("sip:{}", hop.destination)),
            route_set,
            local_cseq: essentials.cseq.number,
            remote_cseq: None,
            is_call_id_ours: true,
            max_forwards: MAX_FORWARDS,
            scheme: Scheme::Sip,
            hop,
        }
    }

    /// Goes on where the early dialog of the same tags stood; the 2xx's route set and Contact hold (§13.2.2.4).
    pub(crate) fn continue_from(&mut self, early: &Self) {
        self.local_cseq = self.local_cseq.max(early.local_cseq);
        self.remote_cseq = early.remote_cseq;
    }

    /// Whether a message from the peer belongs to it (§12.2.2).
    pub(crate) fn is_of(&self, essentials: &Essentials<'_>) -> bool {
        self.call_id == essentials.call_id
            && self.remote_tag == essentials.from.tag().unwrap_or_default()
            && self.local_tag == essentials.to.tag().unwrap_or_default()
    }

    /// Judges the CSeq of a request in the dialog, other than ACK and CANCEL, and remembers it.
    pub(crate) fn check_order(&mut self, cseq: u32) -> Result<(), OutOfOrder> {
        if self.remote_cseq.is_some_and(|last| cseq <= last) {
            return Err(OutOfOrder);
        }
        self.remote_cseq = Some(cseq);
        Ok(())
    }

    /// The CSeq of our latest request.
    pub(crate) const fn local_cseq(&self) -> u32 {
        self.local_cseq
    }

    /// A request of ours went out again under this CSeq (§22.2); the next one needs a higher one.
    pub(crate) fn advance_cseq(&mut self, cseq: u32) {
        self.local_cseq = self.local_cseq.max(cseq);
    }

    /// Takes the Contact of a target refresh (§12.2.2); not one that would leave TLS (RFC 5630 §5.1.1.2).
    pub(crate) fn refresh_target(&mut self, request: &Message<'_>) {
        if let Some(uri) = contact_uri(request)
            && (self.scheme == Scheme::Sip || Scheme::of(uri.as_bytes()) == Scheme::Sips)
        {
            self.remote_target = uri;
        }
    }

    /// The URI whose host a request goes to: the first route, else the peer itself (§12.2.1.1, §8.1.2).
    pub(crate) fn next_hop(&self) -> &str {
        next_hop_of(&self.route_set, &self.remote_target)
    }

    /// A URI by which a third party calls the peer in this dialog's place: the peer is the one with `to-tag`
    /// (RFC 3891 §3, escaped as RFC 3261 §19.1.1 wants it).
    pub(crate) fn replacing_uri(&self) -> String {
        let target = self.remote_target.split('?').next().unwrap_or_default();
        // RFC 3891 §3: a peer without a tag is named by zero.
        let remote_tag = if self.remote_tag.is_empty() { "0" } else { &self.remote_tag };
        let replaces = format!("{};to-tag={remote_tag};from-tag={}", self.call_id, self.local_tag);
        format!("{target}?Replaces={}", escaped_header(&replaces))
    }

    /// A new request in the dialog, up to its CSeq (§12.2.1.1).
    pub(crate) fn request(&mut self, method: Method<'_>, via: &str) -> Builder {
        self.local_cseq += 1;
        self.with_cseq(method, via, self.local_cseq)
    }

    /// The ACK of a 2xx (§13.2.2.4).
    pub(crate) fn ack(&self, via: &str, cseq: u32) -> Builder {
        self.with_cseq(Method::Ack, via, cseq)
    }

    fn with_cseq(&self, method: Method<'_>, via: &str, cseq: u32) -> Builder {
        let is_strict = self.route_set.first().is_some_and(|route| !is_loose(route));
        let request_uri = if is_strict { self.next_hop() } else { &self.remote_target };
        let mut builder = Builder::request(method, request_uri).header(HeaderName::Via, via);
        for route in self.route_set.iter().skip(usize::from(is_strict)) {
            builder = builder.header(HeaderName::Route, route);
        }
        if is_strict {
            builder = builder.header(HeaderName::Route, format_args!("<{}>", self.remote_target));
        }
        builder
            .header(HeaderName::MaxForwards, self.max_forwards)
            .raw(HeaderName::From, &self.local)
            .raw(HeaderName::To, &self.remote)
            .header(HeaderName::CallId, &self.call_id)
            .header(HeaderName::CSeq, format_args!("{cseq} {method}"))
    }
}

/// A peer of RFC 2543's days, whose From has no tag, need not tell a Contact either: requests go to its From (RFC 4475
/// §3.4.1).
fn from_uri_of_old(invite: &Message<'_>, essentials: &Essentials<'_>) -> Option<String> {
    let is_old = essentials.from.tag().is_none() && !invite.has(HeaderName::Contact);
    std::str::from_utf8(essentials.from.uri_bytes).ok().filter(|_| is_old).map(str::to_owned)
}

/// The URI of the first Contact, if it is one that can be called.
fn contact_uri(message: &Message<'_>) -> Option<String> {
    match message.contacts().next()?.ok()? {
        Contact::Address(address) => {
            let uri = address.uri().ok()?;
            std::str::from_utf8(uri.as_sip()?.without_headers()).ok().map(str::to_owned)
        }
        Contact::Star => None,
    }
}

fn record_routes<'a>(message: &Message<'a>) -> impl Iterator<Item = String> + use<'a> {
    message
        .addresses(HeaderName::RecordRoute)
        .filter_map(|route| route.ok())
        .filter(|route| matches!(route.uri(), Ok(Uri::Sip(_))))
        .filter_map(|route| std::str::from_utf8(route.uri_bytes).ok())
        .map(|uri| format!("<{uri}>"))
        .take(ROUTES_MAX)
}

fn next_hop_of<'a>(route_set: &'a [String], remote_target: &'a str) -> &'a str {
    route_set.first().map_or(remote_target, |route| uri_of_route(route))
}

/// The URI of a Route value.
pub(crate) fn uri_of_route(route: &str) -> &str {
    route.trim_start_matches('<').trim_end_matches('>')
}

fn is_loose(route: &str) -> bool {
    Uri::parse(uri_of_route(route).as_bytes())
        .is_ok_and(|uri| uri.as_sip().is_some_and(crate::uri::SipUri::is_loose_router))
}

#[cfg(test)]
mod tests;
