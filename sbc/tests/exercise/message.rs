//! Any bytes as a datagram.

use super::session_description;
use tandem_sbc::header::{AuthParams, Contact, NameAddr, parts};
use tandem_sbc::message::limits::MAX_BODY_PARTS;
use tandem_sbc::message::{Builder, HeaderIndex, HeaderName, Message, Reply};
use tandem_sbc::uri::Uri;

/// Reads bytes as a datagram.
pub(crate) fn read(bytes: &[u8]) {
    let mut index = HeaderIndex::new();
    match Message::parse(bytes, &mut index) {
        Ok(message) => {
            let valid = message.validate().is_ok();
            typed(&message);
            prints_as_it_came(bytes, &message);
            if valid && message.method().is_some() {
                let mut index = HeaderIndex::new();
                let answer = answer(&message);
                let answer =
                    Message::parse(&answer, &mut index).expect("an answer to a valid request is well-formed");
                let essentials = answer.essentials().expect("an answer has what the request had");
                assert_eq!(Ok(essentials.call_id), message.call_id());
                assert_eq!(answer.vias().count(), message.vias().count());
            }
        }
        Err(malformed) => {
            assert!(malformed.error.offset <= bytes.len());
            assert!(!malformed.error.to_string().is_empty());
            if let Some(request) = malformed.answerable() {
                typed(&request);
                assert!(answer(&request).starts_with(b"SIP/2.0 400 "));
            }
        }
    }
}

fn answer(request: &Message<'_>) -> Vec<u8> {
    let source = Some(([192, 0, 2, 1], 5060).into());
    Builder::response(request, &Reply { status: 400, reason: None, to_tag: Some("x"), source }).finish()
}

/// Printing is copying, and what was printed reads the same.
fn prints_as_it_came(bytes: &[u8], message: &Message<'_>) {
    let printed = message.bytes();
    let start = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    assert!(bytes[start..].starts_with(printed));
    let mut index = HeaderIndex::new();
    let again = Message::parse(printed, &mut index).expect("what was printed parses");
    assert_eq!(again.start(), message.start());
    assert!(again.headers().eq(message.headers()));
    assert_eq!(again.body(), message.body());
    assert!(message.headers().all(|header| printed[header.offset..].starts_with(header.value)));
}

/// Every typed view of every header.
fn typed(message: &Message<'_>) {
    _ = message.essentials();
    _ = message.request_uri().map(|uri| uri_views(&uri));
    for via in message.vias().flatten() {
        _ = (via.branch(), via.received(), via.maddr(), via.rport(), via.host.to_string());
    }
    for contact in message.contacts().flatten() {
        _ = (contact.expires(), contact.q_thousandths());
        if let Contact::Address(address) = contact {
            address_views(&address);
        }
    }
    use HeaderName as N;
    for name in [N::From, N::To, N::ReferTo, N::ReplyTo] {
        _ = message.address(name).map(|address| address.as_ref().map(address_views));
    }
    for name in [N::Route, N::RecordRoute, N::PAssertedIdentity, N::Diversion] {
        message.addresses(name).flatten().for_each(|address| address_views(&address));
    }
    for name in [N::Authorization, N::ProxyAuthorization, N::WwwAuthenticate, N::ProxyAuthenticate] {
        for credentials in message.credentials(name).flatten() {
            _ = (credentials.is_digest(), credentials.param("nonce"), credentials.params.iter().count());
        }
    }
    for name in [N::Expires, N::RSeq, N::MinExpires, N::ContentLength] {
        _ = message.number(name);
    }
    for name in [N::Event, N::SessionExpires, N::Replaces, N::Reason] {
        _ = message.parameterised(name).map(|value| value.map(|v| v.params.iter().count()));
    }
    _ = (message.rack(), message.lists(N::Require, "100rel"));
    for header in message.headers() {
        _ = header.unfolded();
        _ = AuthParams::parse(header.value).map(|params| params.param("realm"));
    }
    body(message);
}

fn body(message: &Message<'_>) {
    let Ok(Some(content_type)) = message.content_type() else { return };
    if let Some(boundary) = content_type.boundary() {
        let parts: Vec<_> = parts(message.body(), &boundary).collect();
        assert!(parts.len() <= MAX_BODY_PARTS);
        parts.iter().for_each(|part| _ = part.header("content-type"));
    } else {
        session_description::read(message.body());
    }
}

fn address_views(address: &NameAddr<'_>) {
    _ = (address.display_name(), address.tag(), address.params.iter().count());
    _ = address.uri().map(|uri| uri_views(&uri));
}

fn uri_views(uri: &Uri<'_>) {
    _ = (uri.scheme(), uri.user());
    match uri {
        Uri::Sip(sip) => {
            _ = (sip.transport(), sip.is_loose_router(), sip.host.to_string());
            assert!(sip.is_equivalent(sip), "a URI is equivalent to itself");
        }
        Uri::Tel(tel) => _ = tel.digits(),
        Uri::Other(_) => {}
    }
}
