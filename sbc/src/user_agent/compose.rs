//! What our messages have in common.

use std::borrow::Cow;
use std::fmt::Display;
use std::net::SocketAddr;

use super::config::Target;
use super::event::{Reason, ReasonProtocol};
use super::profile::{Profile, ReliableProvisional, SessionTimerPolicy};
use crate::header::{MediaType, parts};
use crate::message::{Builder, HeaderIndex, HeaderName, Message, Method, Reply, StartLine};
use crate::session_timer::TIMER;
use crate::transport::{Hop, Transport};
use crate::uri::{Scheme, SipUri, Uri};

/// The methods we know what to do with (RFC 3261 §20.5).
pub(super) const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, REFER, SUBSCRIBE, NOTIFY, PRACK, UPDATE";

/// RFC 3262.
pub(super) const RELIABLE: &str = "100rel";

/// The extensions we know with a peer (RFC 3261 §20.37).
pub(super) fn supported(profile: &Profile) -> Vec<&'static str> {
    let reliable = (profile.reliable_provisional != ReliableProvisional::Off).then_some(RELIABLE);
    let timer = (profile.session_timers.policy != SessionTimerPolicy::Off).then_some(TIMER);
    reliable.into_iter().chain(timer).chain(["norefersub", "replaces"]).collect()
}

/// Those that a peer whom we call must know.
pub(super) fn required(profile: &Profile) -> Vec<&'static str> {
    let reliable = (profile.reliable_provisional == ReliableProvisional::Required).then_some(RELIABLE);
    let timer = (profile.session_timers.policy == SessionTimerPolicy::Require).then_some(TIMER);
    reliable.into_iter().chain(timer).collect()
}

/// The bodies we read.
pub(super) const ACCEPT: &str = "application/sdp";

/// A Via value for a request of ours; RFC 3581 §3: we ask for `rport` always.
pub(super) fn via(hop: &Hop, branch: &str) -> String {
    // RFC 5923 §5: the connection that we make may carry the peer's requests too.
    let alias = if hop.transport == Transport::Tls && hop.flow.is_none() { ";alias" } else { "" };
    format!("SIP/2.0/{} {};branch={branch};rport{alias}", hop.transport.via_name(), hop.local)
}

/// A Contact value that leads back to us.
pub(super) fn contact(scheme: Scheme, hop: &Hop) -> String {
    format!("<{}:{}{}>", scheme.name(), hop.local, transport_parameter(scheme, hop.transport))
}

/// The `transport` parameter of a URI, with its semicolon; none where the scheme says as much (RFC 3261 §19.1.2: TLS
/// over TCP is what sips means, and RFC 5630 §3.1.4 has no other name for it).
fn transport_parameter(scheme: Scheme, transport: Transport) -> String {
    let is_said = scheme == Scheme::Sips && transport == Transport::Tls;
    transport
        .uri_parameter()
        .filter(|_| !is_said)
        .map_or_else(String::new, |transport| format!(";transport={transport}"))
}

/// A Contact value that leads back to us, under a name that the peer calls us by.
pub(super) fn contact_of(scheme: Scheme, user: &str, hop: &Hop) -> String {
    let name = scheme.name();
    contact(scheme, hop).replacen(
        &format!("{name}:"),
        &format!("{name}:{}@", crate::uri::escaped_user(user)),
        1,
    )
}

/// A name-addr (RFC 3261 §25.1) without a tag.
pub(super) fn name_addr(display_name: Option<&str>, uri: impl Display) -> String {
    match display_name {
        Some(name) => format!("\"{}\" <{uri}>", name.replace('\\', "\\\\").replace('"', "\\\"")),
        None => format!("<{uri}>"),
    }
}

/// A URI of somebody at an address.
pub(super) fn sip_uri(scheme: Scheme, user: &str, host: impl Display) -> String {
    format!("{}:{}@{host}", scheme.name(), crate::uri::escaped_user(user))
}

/// The same with its transport, when that is known.
pub(super) fn sip_uri_by(scheme: Scheme, user: &str, host: impl Display, by: Option<Transport>) -> String {
    let parameter = by.map(|transport| transport_parameter(scheme, transport)).unwrap_or_default();
    sip_uri(scheme, user, host) + &parameter
}

/// A URI of a destination itself.
pub(super) fn sip_uri_of(scheme: Scheme, target: &Target) -> String {
    let (host, transport) = match target {
        Target::Address { address, transport } => (address.to_string(), Some(*transport)),
        Target::Domain(domain) => (domain.to_string(), domain.transport),
    };
    let parameter = transport.map(|transport| transport_parameter(scheme, transport)).unwrap_or_default();
    format!("{}:{host}{parameter}", scheme.name())
}

/// The address as a URI's host.
pub(super) fn host(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(address) => address.ip().to_string(),
        SocketAddr::V6(address) => format!("[{}]", address.ip()),
    }
}

/// A response to a request, up to what is its own; without Server when `product` is empty.
pub(super) fn reply(
    request: &Message<'_>,
    source: SocketAddr,
    status: u16,
    to_tag: Option<&str>,
    product: &str,
) -> Builder {
    let reply = Reply { status, reason: None, to_tag, source: Some(source) };
    let builder = Builder::response(request, &reply);
    if status == 100 || product.is_empty() { builder } else { builder.header(HeaderName::Server, product) }
}

/// A registered URI as a request goes there.
pub(super) fn request_uri(contact: &str) -> String {
    let uri = Uri::parse(contact.as_bytes()).ok();
    let bare = uri.as_ref().and_then(Uri::as_sip).map(SipUri::without_headers);
    bare.and_then(|bare| std::str::from_utf8(bare).ok()).unwrap_or(contact).to_owned()
}

/// Adds User-Agent, unless `product` is empty.
pub(super) fn with_user_agent(builder: Builder, product: &str) -> Builder {
    if product.is_empty() { builder } else { builder.header(HeaderName::UserAgent, product) }
}

/// The CANCEL of an INVITE of ours (RFC 3261 §9.1).
pub(super) fn cancel(invite: &[u8], cause: Cause, reason: Option<&str>) -> Option<Vec<u8>> {
    let mut index = HeaderIndex::new();
    let invite = Message::parse(invite, &mut index).ok()?;
    let StartLine::Request { uri, .. } = invite.start() else { return None };
    let cseq = invite.cseq().ok()?;
    let builder = Builder::request(Method::Cancel, std::str::from_utf8(uri).ok()?)
        .copy(&invite, HeaderName::Via)
        .copy(&invite, HeaderName::Route)
        .copy(&invite, HeaderName::MaxForwards)
        .copy(&invite, HeaderName::From)
        .copy(&invite, HeaderName::To)
        .copy(&invite, HeaderName::CallId)
        .header(HeaderName::CSeq, format_args!("{} CANCEL", cseq.number))
        // RFC 7989: that of the INVITE.
        .copy(&invite, HeaderName::SessionId);
    Some(with_reason(builder, cause, reason).finish())
}

/// §22.1: the ACK of a 2xx has the credentials of its INVITE, since it cannot be challenged.
pub(super) fn with_credentials_of(ack: Builder, invite: &[u8]) -> Builder {
    let mut index = HeaderIndex::new();
    match Message::parse(invite, &mut index) {
        Ok(invite) => {
            ack.copy(&invite, HeaderName::Authorization).copy(&invite, HeaderName::ProxyAuthorization)
        }
        Err(_) => ack,
    }
}

/// A request of ours with other credentials, with other `headers` and, when it goes out again, another Via and CSeq
/// (§22.2: same Call-ID, From and To, a higher CSeq).
pub(super) fn with_headers(
    request: &Message<'_>,
    again: Option<(&str, u32)>,
    headers: &[(HeaderName, String)],
) -> Option<Vec<u8>> {
    let StartLine::Request { method, uri, .. } = request.start() else { return None };
    let mut builder = Builder::request(method, std::str::from_utf8(uri).ok()?);
    for header in request.headers() {
        builder = match (header.name, again) {
            (HeaderName::Authorization | HeaderName::ProxyAuthorization, _) => builder,
            (name, _) if headers.iter().any(|(other, _)| *other == name) => builder,
            // The builder writes them with the body.
            (HeaderName::ContentType | HeaderName::ContentLength, _) => builder,
            (HeaderName::Via, Some((via, _))) => builder.header(HeaderName::Via, via),
            (HeaderName::CSeq, Some((_, cseq))) => {
                builder.header(HeaderName::CSeq, format_args!("{cseq} {method}"))
            }
            _ => builder.copy_header(&header),
        };
    }
    for (name, value) in headers {
        builder = builder.header(*name, value);
    }
    let content_type =
        request.value(HeaderName::ContentType).and_then(|value| std::str::from_utf8(value).ok());
    Some(match content_type {
        Some(content_type) => builder.body(content_type, request.body()),
        None => builder.finish(),
    })
}

/// Why a session ends, as Q.850 numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// 16, normal call clearing.
    Clearing,
    /// 102, recovery on timer expiry.
    Recovery,
    /// What the peer of another session said.
    Stated(Reason),
}

/// Adds a Reason (RFC 3326), in the owner's words.
pub(super) fn with_reason(builder: Builder, cause: Cause, text: Option<&str>) -> Builder {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return builder };
    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
    let q850 = |cause| Reason { protocol: ReasonProtocol::Q850, cause };
    let reason = match cause {
        Cause::Clearing => q850(16),
        Cause::Recovery => q850(102),
        Cause::Stated(reason) => reason,
    };
    builder.header(HeaderName::Reason, format_args!("{reason};text=\"{text}\""))
}

/// The number that a peer gives for why (RFC 3326): the telephone network's, which tells most, before SIP's.
pub(super) fn stated(message: &Message<'_>) -> Option<Reason> {
    let numbered = |value| {
        let reason = crate::header::Parameterised::parse(value).ok()?;
        let protocol = match reason.value {
            name if name.eq_ignore_ascii_case("Q.850") => ReasonProtocol::Q850,
            name if name.eq_ignore_ascii_case("SIP") => ReasonProtocol::Sip,
            _ => return None,
        };
        let cause = std::str::from_utf8(&reason.params.unquoted("cause")?).ok()?.parse().ok()?;
        Some(Reason { protocol, cause })
    };
    let all = || message.values(HeaderName::Reason).filter_map(numbered);
    all().find(|reason| reason.protocol == ReasonProtocol::Q850).or_else(|| all().next())
}

/// What a peer says why (RFC 3326), if it says.
pub(super) fn reason(message: &Message<'_>) -> Option<String> {
    let value = message.values(HeaderName::Reason).next()?;
    let reason = crate::header::Parameterised::parse(value).ok()?;
    match reason.params.unquoted("text") {
        Some(text) => Some(String::from_utf8_lossy(&text).into_owned()),
        None => Some(String::from_utf8_lossy(value).into_owned()),
    }
}

/// The session description of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Description<'a> {
    /// No body.
    None,
    /// This one.
    Sdp(&'a [u8]),
    /// A body that we do not read: 415.
    Unsupported,
}

/// Finds the session description: the body, or a part of it (RFC 5621 §3.1).
pub(super) fn description<'a>(message: &Message<'a>) -> Description<'a> {
    let body = message.body();
    if body.is_empty() {
        return Description::None;
    }
    let is_encoded = message
        .values(HeaderName::ContentEncoding)
        .any(|encoding| !encoding.eq_ignore_ascii_case(b"identity"));
    let Ok(Some(media_type)) = message.content_type() else { return Description::Unsupported };
    if is_encoded {
        return Description::Unsupported;
    }
    if media_type.is("application", "sdp") {
        return Description::Sdp(body);
    }
    let Some(boundary) = media_type.boundary() else { return Description::Unsupported };
    let is_sdp = |value: &[u8]| MediaType::parse(value).is_ok_and(|kind| kind.is("application", "sdp"));
    parts(body, &boundary)
        .find(|part| part.header("Content-Type").is_some_and(is_sdp))
        .map_or(Description::Unsupported, |part| Description::Sdp(part.body))
}

/// The address that a URI names by itself; names would need DNS, which is not ours to ask.
pub(super) fn address_of(uri: &str) -> Option<SocketAddr> {
    let uri = Uri::parse(uri.as_bytes()).ok()?;
    let sip = uri.as_sip()?;
    let maddr = sip.params.value("maddr").and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
    let is_tls =
        sip.secure || sip.params.value("transport").is_some_and(|value| value.eq_ignore_ascii_case(b"tls"));
    let default = if is_tls { Transport::Tls } else { Transport::Udp };
    Some(SocketAddr::new(maddr.or(sip.host.ip())?, sip.port.unwrap_or(default.default_port())))
}

/// What an INVITE of ours asks of the way to its target (§12.1.2), and its Contact of the way back (§8.1.1.8).
pub(super) fn scheme_asked(invite: &[u8]) -> Scheme {
    const ROUTE: &[u8] = b"\r\nRoute: <";
    let head =
        memchr::memmem::find(invite, b"\r\n\r\n").map_or(invite, |end| invite.get(..end).unwrap_or_default());
    let route = memchr::memmem::find(head, ROUTE).and_then(|start| head.get(start + ROUTE.len()..));
    let request_uri = invite.strip_prefix(b"INVITE ").unwrap_or_default();
    Scheme::of(request_uri).max(Scheme::of(route.unwrap_or_default()))
}

/// A Route value as a request to a URI of that scheme has it (RFC 5630 §5.1.1): who is called with TLS on every hop is so
/// by these as well.
pub(super) fn route_by(scheme: Scheme, route: &str) -> Cow<'_, str> {
    match route.strip_prefix("<sip:").filter(|_| scheme == Scheme::Sips) {
        Some(rest) => format!("<sips:{rest}").into(),
        None => route.into(),
    }
}

/// The branch of a request of ours.
pub(super) fn branch_of(request: &[u8]) -> Option<String> {
    let mut index = HeaderIndex::new();
    let request = Message::parse(request, &mut index).ok()?;
    request.top_via().ok()?.branch().map(str::to_owned)
}
