//! The grammar of RFC 3261 §25 as carriers and phones use it, beyond what the torture messages show.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use tandem_sbc::header::{Contact, Credentials, MediaType, NameAddr, Parameterised, RAck, Via, ViaTransport};
use tandem_sbc::message::{ErrorKind, HeaderName, Method, OwnedMessage, ParseError, StartLine};
use tandem_sbc::uri::{Host, Uri};

fn message(headers: &str) -> OwnedMessage {
    OwnedMessage::parse(format!("OPTIONS sip:b@example.com SIP/2.0\r\n{headers}\r\n").as_bytes()).unwrap()
}

fn refused(bytes: &[u8]) -> ParseError {
    OwnedMessage::parse(bytes).unwrap_err()
}

#[test]
fn headers_keep_their_order_their_spelling_and_their_bytes() {
    let owned = message("s: \u{e9}t\u{e9}\r\nX-b :  2 \r\nVIA: x\r\nx-B:\t3\r\nSubject:\r\n");
    let found: Vec<_> = owned.view().headers().map(|h| (h.name, h.name_bytes, h.value)).collect();
    assert_eq!(
        found,
        [
            (HeaderName::Subject, &b"s"[..], "\u{e9}t\u{e9}".as_bytes()),
            (HeaderName::Extension, b"X-b", b"2"),
            (HeaderName::Via, b"VIA", b"x"),
            (HeaderName::Extension, b"x-B", b"3"),
            (HeaderName::Subject, b"Subject", b""),
        ]
    );
    let extensions: Vec<_> = owned.view().extensions("X-B").map(|h| h.value).collect();
    assert_eq!(extensions, [b"2", b"3"]);
}

#[test]
fn bytes_that_are_no_utf8_are_kept() {
    let bytes = b"SIP/2.0 200 \xff\xfe\r\nSubject: \xe9\r\nTo: \"\xe9\" <sip:a@b>\r\n\r\n";
    let owned = OwnedMessage::parse(bytes).unwrap();
    assert_eq!(owned.view().bytes(), bytes);
    assert_eq!(owned.view().value(HeaderName::Subject), Some(&b"\xe9"[..]));
    assert_eq!(owned.view().start(), StartLine::Response { status: 200, reason: b"\xff\xfe" });
    assert_eq!(owned.view().to().unwrap().display_name().unwrap(), "\u{fffd}");
}

/// RFC 3261 §7.3.1: several lines and several values a line are the same; empty lines have no values.
#[test]
fn lists_run_over_lines_and_commas() {
    let owned = message(
        "Route: <sip:a;lr>,<sip:b,c@x;lr>\r\nSupported:\r\nk: 100rel , timer\r\nRoute: \"x, y\" <sip:d>;p=\"1,2\"\r\n\
         Supported: replaces\r\n",
    );
    let routes: Vec<_> = owned.view().addresses(HeaderName::Route).map(|r| r.unwrap().uri_bytes).collect();
    assert_eq!(routes, [&b"sip:a;lr"[..], b"sip:b,c@x;lr", b"sip:d"]);
    let supported: Vec<_> = owned.view().values(HeaderName::Supported).collect();
    assert_eq!(supported, [&b"100rel"[..], b"timer", b"replaces"]);
    assert!(owned.view().lists(HeaderName::Supported, "TIMER"));
    assert!(!owned.view().lists(HeaderName::Supported, "time"));
}

#[test]
fn a_malformed_value_is_reported_where_it_stands() {
    let text = "Contact: <sip:a@b>, <sip:c@d>;x=\r\n";
    let owned = message(text);
    let contacts: Vec<_> = owned.view().contacts().collect();
    assert!(contacts[0].is_ok());
    let error = contacts[1].unwrap_err();
    let expected = "OPTIONS sip:b@example.com SIP/2.0\r\n".len() + text.len() - 2;
    assert_eq!(
        (error.kind, error.header, error.offset),
        (ErrorKind::Value, Some(HeaderName::Contact), expected)
    );
    assert_eq!(error.to_string(), format!("malformed header value in Contact at byte {expected}"));
}

#[test]
fn lines_end_in_crlf_and_nothing_else() {
    let kind = |bytes: &[u8]| refused(bytes).kind;
    assert_eq!(kind(b"OPTIONS sip:a SIP/2.0\nVia: x\n\n"), ErrorKind::BareLineEnd);
    assert_eq!(kind(b"OPTIONS sip:a SIP/2.0\r\nVia: x\nTo: y\r\n\r\n"), ErrorKind::BareLineEnd);
    assert_eq!(kind(b"OPTIONS sip:a SIP/2.0\r\nVia: x\rTo: y\r\n\r\n"), ErrorKind::BareLineEnd);
    assert_eq!(kind(b"OPTIONS sip:a SIP/2.0\r\nVia: x\r\n"), ErrorKind::Truncated);
    assert_eq!(kind(b"OPTIONS sip:a SIP/2.0\r\nVia: x\r"), ErrorKind::Truncated);
    assert_eq!(kind(b""), ErrorKind::Truncated);
    assert_eq!(kind(b"\r\n\r\n"), ErrorKind::Truncated);
}

#[test]
fn a_line_that_is_no_header_is_refused() {
    for line in ["Via", "Via x", ": x", "V(ia: x", "Via\r\n : x", " folded: into the start line"] {
        let error = refused(format!("OPTIONS sip:a SIP/2.0\r\n{line}\r\n\r\n").as_bytes());
        assert_eq!(error.kind, ErrorKind::HeaderName, "{line:?}");
    }
}

/// RFC 3261 §7.5: empty lines before the start line are ignored.
#[test]
fn empty_lines_before_the_start_line_are_ignored() {
    let owned = OwnedMessage::parse(b"\r\n\r\nOPTIONS sip:a SIP/2.0\r\nl: 0\r\n\r\n").unwrap();
    assert!(owned.view().bytes().starts_with(b"OPTIONS"));
    assert_eq!(owned.view().content_length(), Ok(Some(0)));
}

/// RFC 3261 §7.1: case matters in methods and not in the version.
#[test]
fn start_lines_are_read_to_the_letter() {
    let start = |line: &str| OwnedMessage::parse(format!("{line}\r\n\r\n").as_bytes()).map_err(|e| e.kind);
    assert_eq!(start("invite sip:a sip/2.0").unwrap().view().method(), Some(Method::Other("invite")));
    assert_eq!(start("SIP/2.0 099 x").unwrap_err(), ErrorKind::StatusCode);
    assert_eq!(start("SIP/2.0 700 x").unwrap_err(), ErrorKind::StatusCode);
    assert_eq!(start("SIP/2.0 0200 x").unwrap_err(), ErrorKind::StartLine);
    assert_eq!(start("SIP/2.0 200OK").unwrap_err(), ErrorKind::StatusCode);
    assert_eq!(start("SIP/3.0 200 OK").unwrap_err(), ErrorKind::Version);
    assert_eq!(start("INVITE sip:a").unwrap_err(), ErrorKind::StartLine);
    assert_eq!(start("INVITE").unwrap_err(), ErrorKind::StartLine);
    assert_eq!(start("IN(VITE sip:a SIP/2.0").unwrap_err(), ErrorKind::Method);
    assert_eq!(start("INVITE sip:a HTTP/1.1").unwrap_err(), ErrorKind::StartLine);
}

#[test]
fn an_ack_is_never_answered() {
    let broken = |method: &str| {
        let bytes =
            format!("{method} sip:a SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nCSeq: 1 {method}\r\nl: 9\r\n\r\n");
        let mut index = tandem_sbc::message::HeaderIndex::new();
        let error = tandem_sbc::message::Message::parse(bytes.as_bytes(), &mut index).unwrap_err();
        error.answerable().is_some()
    };
    assert!(broken("BYE"));
    assert!(!broken("ACK"));
}

#[test]
fn essentials_name_what_is_missing_repeated_or_out_of_range() {
    const ALL: &str = "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\n\
                       CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n";
    let error = |from: &str, to: &str| {
        message(&ALL.replace(from, to))
            .view()
            .essentials()
            .map(|_| ())
            .map_err(|e| (e.kind, e.header.unwrap().as_str()))
    };
    assert_eq!(error("", ""), Ok(()));
    assert_eq!(error("Via: ", "X: "), Err((ErrorKind::Missing, "Via")));
    assert_eq!(error("From: ", "X: "), Err((ErrorKind::Missing, "From")));
    assert_eq!(error("To: ", "X: "), Err((ErrorKind::Missing, "To")));
    assert_eq!(error("Call-ID: ", "X: "), Err((ErrorKind::Missing, "Call-ID")));
    assert_eq!(error("CSeq: ", "X: "), Err((ErrorKind::Missing, "CSeq")));
    assert_eq!(error("Max-Forwards: 70\r\n", ""), Ok(()));
    assert_eq!(error("Max-Forwards: 70", "t: <sip:e@f>"), Err((ErrorKind::Repeated, "To")));
    assert_eq!(error("Max-Forwards: 70", "Max-Forwards: 255"), Ok(()));
    assert_eq!(error("Max-Forwards: 70", "Max-Forwards: 256"), Err((ErrorKind::Number, "Max-Forwards")));
    assert_eq!(error("CSeq: 1 ", "CSeq: 2147483647 "), Ok(()));
    assert_eq!(error("CSeq: 1 ", "CSeq: 2147483648 "), Err((ErrorKind::Number, "CSeq")));
    assert_eq!(error("CSeq: 1 OPTIONS", "CSeq: 1"), Err((ErrorKind::Value, "CSeq")));
    assert_eq!(error("CSeq: 1 OPTIONS", "CSeq: 1 options"), Err((ErrorKind::CSeqMethod, "CSeq")));
    assert_eq!(error("Call-ID: x", "Call-ID: x y"), Err((ErrorKind::Value, "Call-ID")));
}

#[test]
fn vias_of_every_shape() {
    let via =
        Via::parse(b"SIP/2.0/WSS [2001:db8::1] : 5061 ; Branch = z9hG4bK1;rport=5;received=192.0.2.1;ttl=1")
            .unwrap();
    assert_eq!(
        (via.transport, via.host, via.port),
        (ViaTransport::Wss, Host::parse(b"[2001:db8::1]").unwrap(), Some(5061))
    );
    assert_eq!((via.branch(), via.has_rport(), via.rport()), (Some("z9hG4bK1"), true, Some(5)));
    assert_eq!(via.received().unwrap().to_string(), "192.0.2.1");
    for broken in [
        "SIP/2.0/UDP",
        "SIP/2.0 host",
        "SIP/2.0/UDP host:99999",
        "SIP/2.0/UDP [::1",
        "SIP/2.0/UDPhost x=y",
        "",
        "SIP/2.0/UDP host;",
        "SIP/2.0/UDP host;a=\"",
        "SIP/2.0/UDP 2001:db8::1",
    ] {
        assert!(Via::parse(broken.as_bytes()).is_err(), "{broken:?}");
    }
}

#[test]
fn display_names_may_be_tokens_quoted_escaped_or_absent() {
    let name = |value: &'static str| NameAddr::parse(value.as_bytes()).unwrap().display_name();
    assert_eq!(name("Bob Smith <sip:b@x>").as_deref(), Some("Bob Smith"));
    assert_eq!(name(r#""Smith, \"Bob\" <B>" <sip:b@x>"#).as_deref(), Some(r#"Smith, "Bob" <B>"#));
    assert_eq!(name("\"\" <sip:b@x>"), None);
    assert_eq!(name("<sip:b@x>"), None);
    assert_eq!(name("sip:b@x"), None);
    assert_eq!(name("J\u{f6}rg <sip:b@x>").as_deref(), Some("J\u{f6}rg"), "raw UTF-8, as carriers send it");
    for broken in
        ["\"Bob", "\"Bob\" sip:b@x", "Bob <sip:b@x", "Bob", "", "<sip:a@b> x", "sip:a@b?x=y", "sip:a@b,c"]
    {
        assert!(NameAddr::parse(broken.as_bytes()).is_err(), "{broken:?}");
    }
}

#[test]
fn contacts_have_expiry_and_weight_and_may_be_a_star() {
    let contact = |value: &'static str| Contact::parse(value.as_bytes()).unwrap();
    assert_eq!(contact("*"), Contact::Star);
    assert_eq!(contact("<sip:a@b>;expires=60;q=0.5").expires(), Some(60));
    assert_eq!(contact("<sip:a@b>;expires=never").expires(), None);
    let q = |text: &'static str| contact(text).q_thousandths();
    assert_eq!(q("<sip:a@b>;q=0.5"), Some(500));
    assert_eq!(q("<sip:a@b>;q=1"), Some(1000));
    assert_eq!(q("<sip:a@b>;q=1.000"), Some(1000));
    assert_eq!(q("<sip:a@b>;q=0.007"), Some(7));
    assert_eq!(q("<sip:a@b>;q=1.1"), None);
    assert_eq!(q("<sip:a@b>;q=0.0001"), None);
    assert_eq!(q("<sip:a@b>"), None);
}

#[test]
fn uris_of_every_scheme() {
    let sip = Uri::parse(b"sips:alice:secret@example.com:5061;transport=TCP;lr?Subject=x&a=b").unwrap();
    let parts = *sip.as_sip().unwrap();
    assert!(parts.secure && parts.is_loose_router());
    assert_eq!((parts.user_bytes, parts.password), (Some(&b"alice"[..]), Some(&b"secret"[..])));
    assert_eq!(
        (parts.host, parts.port, parts.transport()),
        (Host::Name("example.com"), Some(5061), Some("TCP"))
    );
    assert_eq!(parts.headers, Some(&b"Subject=x&a=b"[..]));
    let Uri::Tel(tel) = Uri::parse(b"tel:+1-555-(0100);phone-context=example.com").unwrap() else {
        panic!("tel")
    };
    assert_eq!((tel.number, tel.digits().as_str()), ("+1-555-(0100)", "+15550100"));
    assert!(tel.params.has("phone-context"));
    assert_eq!(Uri::parse(b"tel:*31#").unwrap().user().unwrap(), "*31#");
    let urn = Uri::parse(b"urn:service:sos").unwrap();
    assert_eq!((urn.scheme(), urn.user()), ("urn", None));
    assert_eq!(Uri::parse(b"SIP:a@B").unwrap().as_sip().unwrap().host, Host::Name("B"));
}

#[test]
fn malformed_uris_are_refused() {
    for broken in [
        "",
        "sip",
        "sip:",
        "sip:@host",
        "sip:a b@c",
        "sip:a@",
        "sip:a@b:99999",
        "sip:a@b:",
        "sip:a@[::1",
        "sip:a@b;",
        "sip:a@b;=x",
        "sip:a@b;x;X=1",
        "tel:+1;x;x",
        "sip:a@b?",
        "sip:a@b?x&&y",
        "sip:%zz@b",
        "sip:a@b@c",
        "sip:a@b;x=%4",
        "<sip:a@b>",
        "1sip:a",
        "urn:",
        "urn:a b",
        "tel:",
        "tel:+",
        "tel:+1x",
        "tel:abcx",
        "sip:\"a\"@b",
        "sip:a@b:5060x",
        "sip:a@2001:db8::1",
    ] {
        assert_eq!(Uri::parse(broken.as_bytes()).map_err(|e| e.kind), Err(ErrorKind::Uri), "{broken:?}");
    }
}

/// The examples of RFC 3261 §19.1.4.
#[test]
fn uris_compare_as_the_rfc_has_it() {
    let same = |a: &'static str, b: &'static str| {
        let [a, b] = [a, b].map(|text| *Uri::parse(text.as_bytes()).unwrap().as_sip().unwrap());
        assert_eq!(a.is_equivalent(&b), b.is_equivalent(&a), "symmetric");
        a.is_equivalent(&b)
    };
    assert!(same("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"));
    assert!(same("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"));
    assert!(same("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"));
    assert!(!same("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"));
    assert!(!same("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"));
    assert!(!same("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"));
    assert!(!same("sip:bob@biloxi.com", "sips:bob@biloxi.com"));
    assert!(!same("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"));
    assert!(!same("sip:bob@biloxi.com:6000;transport=tcp", "sip:bob@biloxi.com:6000"));
    assert!(!same("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"));
    assert!(!same("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"));
}

#[test]
fn credentials_read_quoted_and_bare_parameters() {
    let value = b"Digest username=\"al\\\"ice\", realm=\"a, b\",nonce = \"x\" , nc=00000001,qop=auth, response=\"0f\"";
    let credentials = Credentials::parse(value).unwrap();
    assert!(credentials.is_digest());
    let params: Vec<_> = ["username", "REALM", "nonce", "nc", "qop", "opaque"]
        .map(|name| credentials.param(name))
        .into_iter()
        .collect();
    let expected = [Some("al\"ice"), Some("a, b"), Some("x"), Some("00000001"), Some("auth"), None];
    assert_eq!(params.iter().map(|p| p.as_deref()).collect::<Vec<_>>(), expected);
    for broken in [
        "Digest",
        "Digest ",
        "Digest a",
        "Digest a=",
        "Digest a=\"x",
        "Digest a=b,,c=d",
        "Digest a=b c=d",
        "",
    ] {
        assert!(Credentials::parse(broken.as_bytes()).is_err(), "{broken:?}");
    }
}

#[test]
fn words_with_parameters() {
    let expires = Parameterised::parse(b"1800 ;refresher=uas").unwrap();
    assert_eq!((expires.value, expires.params.token("refresher")), ("1800", Some("uas")));
    let replaces = Parameterised::parse(b"98732@sip.example.com;from-tag=r33th4x0r;to-tag=ff87ff").unwrap();
    assert_eq!((replaces.value, replaces.params.token("to-tag")), ("98732@sip.example.com", Some("ff87ff")));
    let reason = Parameterised::parse(b"Q.850 ;cause=16 ;text=\"Terminated\"").unwrap();
    assert_eq!(reason.params.unquoted("text").unwrap(), &b"Terminated"[..]);
    assert!(Parameterised::parse(b";x=y").is_err());
    let rack = RAck::parse(b"776656 1 INVITE").unwrap();
    assert_eq!((rack.rseq, rack.cseq.number, rack.cseq.method), (776_656, 1, Method::Invite));
    let multipart = MediaType::parse(b"multipart/mixed; boundary=\"a b\"").unwrap();
    assert_eq!(multipart.boundary().unwrap(), &b"a b"[..]);
    assert!(MediaType::parse(b"sdp").is_err());
}

/// RFC 3261 §18.3: on a datagram the body is Content-Length bytes, and the rest of the datagram without one.
#[test]
fn content_length_bounds_the_body() {
    let body = |headers: &str| {
        OwnedMessage::parse(format!("OPTIONS sip:a SIP/2.0\r\n{headers}\r\n12345").as_bytes())
            .map(|owned| owned.view().body().to_vec())
            .map_err(|error| error.kind)
    };
    assert_eq!(body(""), Ok(b"12345".to_vec()));
    assert_eq!(body("l: 5\r\n"), Ok(b"12345".to_vec()));
    assert_eq!(body("Content-Length:3\r\n"), Ok(b"123".to_vec()));
    assert_eq!(body("l: 3\r\nl: 3\r\n"), Ok(b"123".to_vec()));
    assert_eq!(body("l: 6\r\n"), Err(ErrorKind::BodyTooShort));
    assert_eq!(body("l: 3\r\nl: 4\r\n"), Err(ErrorKind::Repeated));
    assert_eq!(body("l: 4294967296\r\n"), Err(ErrorKind::Number));
    assert_eq!(body("l:\r\n"), Err(ErrorKind::Number));
}
