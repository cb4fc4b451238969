//! Messages of `rsip`: made, read, and their identifying parts.

use std::net::{IpAddr, SocketAddr};

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rsip::headers::ToTypedHeader as _;
use rsip::prelude::{HasHeaders, UntypedHeader as _};
use rsip::{Header, Headers, Method, Request, Response, SipMessage, StatusCode, Uri, Version};

use crate::access::Transport;

/// The value of User-Agent and Server headers.
const PRODUCT: &str = "tandem-phone";

/// A random token for tags, branches and Call-IDs.
pub(crate) fn token(rng: &mut ChaCha8Rng) -> String {
    format!("{:016x}", rng.random::<u64>())
}

/// A message, if it can be read.
pub(crate) fn parse(bytes: &[u8]) -> Option<SipMessage> {
    SipMessage::try_from(bytes).ok()
}

/// What every request we make has.
pub(crate) struct RequestHead<'a> {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) transport: Transport,
    pub(crate) local: SocketAddr,
    pub(crate) branch: &'a str,
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    pub(crate) call_id: &'a str,
    pub(crate) cseq: u32,
    /// Of a call whose party knows Session-ID.
    pub(crate) session_id: Option<Header>,
}

/// A request with the headers of RFC 3261 §8.1.1, `more` of them, and a body.
pub(crate) fn request(head: &RequestHead<'_>, more: Vec<Header>, sdp: Option<String>) -> Request {
    let via = format!("SIP/2.0/{} {};branch={};rport", head.transport.in_via(), head.local, head.branch);
    let mut headers = vec![
        Header::Via(via.into()),
        Header::MaxForwards("70".into()),
        Header::From(head.from.into()),
        Header::To(head.to.into()),
        Header::CallId(head.call_id.into()),
        Header::CSeq(format!("{} {}", head.cseq, head.method).into()),
        Header::UserAgent(PRODUCT.into()),
    ];
    headers.extend(head.session_id.clone());
    headers.extend(more);
    let body = with_body(&mut headers, sdp);
    Request {
        method: head.method,
        uri: head.uri.clone(),
        version: Version::V2,
        headers: Headers::from(headers),
        body,
    }
}

/// A response by RFC 3261 §8.2.6.2: Via, From, Call-ID and CSeq copied, To with a tag of ours.
pub(crate) fn response(
    request: &Request,
    status: u16,
    to_tag: Option<&str>,
    more: Vec<Header>,
    sdp: Option<String>,
) -> Response {
    let mut headers: Vec<Header> = Vec::new();
    for header in request.headers.iter() {
        match header {
            Header::To(to) => {
                let tagged = match to_tag {
                    Some(tag) if tag_of(to.value()).is_none() => format!("{};tag={tag}", to.value()),
                    _ => to.value().to_owned(),
                };
                headers.push(Header::To(tagged.into()));
            }
            Header::Via(_)
            | Header::From(_)
            | Header::CallId(_)
            | Header::CSeq(_)
            | Header::RecordRoute(_) => {
                headers.push(header.clone());
            }
            _ => {}
        }
    }
    headers.push(Header::Server(PRODUCT.into()));
    headers.extend(more);
    let body = with_body(&mut headers, sdp);
    Response {
        status_code: StatusCode::from(status),
        version: Version::V2,
        headers: Headers::from(headers),
        body,
    }
}

fn with_body(headers: &mut Vec<Header>, sdp: Option<String>) -> Vec<u8> {
    let body = sdp.unwrap_or_default().into_bytes();
    let is_named = headers.iter().any(|header| matches!(header, Header::ContentType(_)));
    if !body.is_empty() && !is_named {
        headers.push(Header::ContentType("application/sdp".into()));
    }
    headers.push(Header::ContentLength(body.len().to_string().into()));
    body
}

/// The parts of a message that tell where it belongs.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) call_id: String,
    pub(crate) to_tag: Option<String>,
    pub(crate) branch: String,
    pub(crate) cseq: u32,
    pub(crate) method: Method,
}

/// None when one of the headers every message must have is missing or unreadable.
pub(crate) fn identity<M: HasHeaders + rsip::message::HeadersExt>(message: &M) -> Option<Identity> {
    let cseq = message.cseq_header().ok()?.typed().ok()?;
    Some(Identity {
        call_id: message.call_id_header().ok()?.value().to_owned(),
        to_tag: tag_of(message.to_header().ok()?.value()).map(str::to_owned),
        branch: message.via_header().ok()?.typed().ok()?.branch()?.value().to_owned(),
        cseq: cseq.seq,
        method: cseq.method,
    })
}

/// The tag parameter of a From or To value.
pub(crate) fn tag_of(value: &str) -> Option<&str> {
    let parameters = value.rsplit_once('>').map_or(value, |(_, after)| after);
    parameters.split(';').skip(1).find_map(|parameter| parameter.trim().strip_prefix("tag="))
}

/// The user part of a From or To header's URI.
pub(crate) fn user_of(header: &impl std::fmt::Display) -> String {
    let text = header.to_string();
    let uri = text.split_once("sip:").or_else(|| text.split_once("sips:")).map_or("", |(_, uri)| uri);
    uri.split(['@', '>', ';']).next().filter(|_| uri.contains('@')).unwrap_or("").to_owned()
}

/// The URI of the first Contact.
pub(crate) fn contact<M: rsip::message::HeadersExt>(message: &M) -> Option<Uri> {
    Some(message.contact_header().ok()?.typed().ok()?.uri)
}

/// The address of a URI whose host is an IP address.
pub(crate) fn address_of(uri: &Uri) -> Option<SocketAddr> {
    let address = uri.host().to_string().trim_matches(['[', ']']).parse::<IpAddr>().ok()?;
    let port = uri.port().map_or(5060, |port| *port.value());
    Some(SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_tags_beside_uri_parameters_and_display_names() {
        assert_eq!(tag_of("\"a;tag=no\" <sip:x@y;tag=neither>;x=1;tag=yes"), Some("yes"));
        assert_eq!(tag_of("sip:x@y;tag=bare"), Some("bare"));
        assert_eq!(tag_of("<sip:x@y;tag=inside>"), None);
    }
}
