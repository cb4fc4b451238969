//! The messages of RFC 5118, SIP torture tests for IPv6, with the verdict it asks of a parser.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{IpAddr, Ipv6Addr};

use tandem_sbc::message::{ErrorKind, HeaderIndex, Message, Method, ParseError};
use tandem_sbc::sdp::SessionDescription;
use tandem_sbc::uri::Host;

type Verdict = Result<fn(&Message<'_>), ErrorKind>;

macro_rules! table {
    ($($section:literal $name:literal => $verdict:expr;)*) => {
        const TABLE: &[(&str, &str, &[u8], Verdict)] = &[
            $(($section, $name, include_bytes!(concat!("torture/rfc5118/", $name, ".sip")), $verdict),)*
        ];
    };
}

table! {
    "4.1"  "ipv6-good"                    => Ok(ipv6_good);
    "4.2"  "ipv6-bad"                     => Err(ErrorKind::Uri);
    "4.3"  "port-ambiguous"               => Ok(port_ambiguous);
    "4.4"  "port-unambiguous"             => Ok(port_unambiguous);
    "4.5"  "via-received-param-with-delim" => Ok(received);
    "4.5"  "via-received-param-no-delim"  => Ok(received);
    "4.6"  "ipv6-in-sdp"                  => Ok(ipv6_in_sdp);
    "4.7"  "mult-ip-in-header"            => Ok(mult_ip_in_header);
    "4.8"  "mult-ip-in-sdp"               => Ok(mult_ip_in_sdp);
    "4.9"  "ipv4-mapped-ipv6"             => Ok(ipv4_mapped_ipv6);
    // May be taken for the address that was meant.
    "4.10" "ipv6-bug-abnf-3-colons"       => Ok(embedded_ipv4);
    "4.10" "ipv6-correct-abnf-2-colons"   => Ok(embedded_ipv4);
}

#[test]
fn every_message_gets_the_verdict_of_the_rfc() {
    for (section, name, bytes, verdict) in TABLE {
        let case = format!("RFC 5118 §{section} {name}");
        let mut index = HeaderIndex::new();
        let message = Message::parse(bytes, &mut index).unwrap_or_else(|e| panic!("{case}: {}", e.error));
        assert_eq!(message.bytes(), *bytes, "{case}: prints as it came");
        match (verdict, message.validate()) {
            (Ok(facts), Ok(())) => facts(&message),
            (Err(expected), Err(ParseError { kind, header, offset })) => {
                assert_eq!((kind, header), (*expected, None), "{case}");
                assert!(bytes[offset..].starts_with(b"2001:db8::10"), "{case}: at byte {offset}");
                assert!(message.is_answerable(), "{case}: answered 400");
            }
            (Ok(_), Err(error)) => panic!("{case} must be accepted: {error}"),
            (Err(_), Ok(())) => panic!("{case} must be refused"),
        }
    }
}

fn ipv6_good(m: &Message<'_>) {
    assert_eq!(request_host(m), (ip("2001:db8::10"), None));
    assert_eq!(m.top_via().unwrap().host, Host::Ip(ip("2001:db8::9:1")));
    let contact = *m.contacts().next().unwrap().unwrap().address().unwrap();
    assert_eq!(contact.display_name().unwrap(), "Caller");
    assert_eq!(contact.uri().unwrap().as_sip().unwrap().host, Host::Ip(ip("2001:db8::1")));
}

/// Not what was meant, yet what it says: 5070 is the last group of the address.
fn port_ambiguous(m: &Message<'_>) {
    assert_eq!(request_host(m), (ip("2001:db8::10:5070"), None));
}

fn port_unambiguous(m: &Message<'_>) {
    assert_eq!(request_host(m), (ip("2001:db8::10"), Some(5070)));
}

fn received(m: &Message<'_>) {
    let via = m.top_via().unwrap();
    assert_eq!(via.received(), Some(ip("2001:db8::9:255")));
    assert!(via.branch().unwrap().starts_with("z9hG4bKas3"));
}

fn ipv6_in_sdp(m: &Message<'_>) {
    let sdp = SessionDescription::parse(m.body()).unwrap();
    assert_eq!(sdp.origin.address.ip(), Some(ip("2001:db8::20")));
    assert_eq!(sdp.connection_of(&sdp.media[0]).unwrap().address.ip(), Some(ip("2001:db8::20")));
    assert_eq!(sdp.media[1].rtpmap(107).unwrap().encoding, "H263-1998");
}

fn mult_ip_in_header(m: &Message<'_>) {
    let vias: Vec<_> = m.vias().map(|via| via.unwrap()).collect();
    assert_eq!((vias[0].host, vias[0].port), (Host::Ip(ip("2001:db8::9:1")), Some(6050)));
    assert_eq!(vias[1].host, Host::Ip(ip("192.0.2.1")));
    assert_eq!(
        (vias[2].host, vias[2].received()),
        (Host::Ip(ip("2001:db8::9:255")), Some(ip("192.0.2.200")))
    );
}

fn mult_ip_in_sdp(m: &Message<'_>) {
    let sdp = SessionDescription::parse(m.body()).unwrap();
    let addresses: Vec<_> =
        sdp.media.iter().map(|media| sdp.connection_of(media).unwrap().address.ip().unwrap()).collect();
    assert_eq!(addresses, [ip("192.0.2.1"), ip("2001:db8::1")]);
}

fn ipv4_mapped_ipv6(m: &Message<'_>) {
    let via = m.top_via().unwrap();
    assert_eq!((via.host, via.port), (Host::Ip(ip("::ffff:192.0.2.10")), Some(19823)));
    let sdp = SessionDescription::parse(m.body()).unwrap();
    assert_eq!(sdp.connection.as_ref().unwrap().address.ip(), Some(ip("::ffff:192.0.2.2")));
}

fn embedded_ipv4(m: &Message<'_>) {
    assert_eq!(m.method(), Some(Method::Options));
    let expected = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0xc000, 0x0201);
    assert_eq!(request_host(m), (expected.into(), None));
}

fn request_host(m: &Message<'_>) -> (IpAddr, Option<u16>) {
    let uri = m.request_uri().unwrap();
    let sip = uri.as_sip().unwrap();
    (sip.host.ip().unwrap(), sip.port)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}
