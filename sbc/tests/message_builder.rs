//! What the builder writes: responses as RFC 3261 §8.2.6 and §18.2.1 have them, and nothing that a value could smuggle in.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;

use tandem_sbc::message::{
    Builder, HeaderIndex, HeaderName, Message, Method, OwnedMessage, Reply, StartLine,
};

const INVITE: &str = "INVITE sip:bob@192.0.2.10 SIP/2.0\r\n\
    v: SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bKtop;rport, SIP/2.0/TCP first.example.com;branch=z9hG4bKfirst\r\n\
    Via: SIP/2.0/UDP 203.0.113.9;branch=z9hG4bKlast\r\n\
    Max-Forwards: 70\r\n\
    f: \"Caf\u{e9}\"\r\n <sip:alice@example.com>;tag=abc\r\n\
    To: <sip:bob@192.0.2.10>\r\n\
    Record-Route: <sip:p1.example.com;lr>, <sip:p2.example.com;lr>\r\n\
    i: call@example.com\r\n\
    CSeq: 7 INVITE\r\n\
    X-Trace: 1\r\n\
    Content-Length: 0\r\n\r\n";

fn reply(status: u16, to_tag: Option<&str>, source: Option<SocketAddr>) -> Reply<'_> {
    Reply { status, reason: None, to_tag, source }
}

fn respond(request: &str, reply: &Reply<'_>) -> String {
    let request = OwnedMessage::parse(request.as_bytes()).unwrap();
    String::from_utf8(Builder::response(&request.view(), reply).finish()).unwrap()
}

/// RFC 3261 §8.2.6.2: From, Call-ID, CSeq and the Vias in their order are the request's; To gets a tag.
#[test]
fn a_response_carries_what_identifies_its_request() {
    let source = Some("198.51.100.7:40000".parse().unwrap());
    assert_eq!(
        respond(INVITE, &reply(180, Some("xyz"), source)),
        "SIP/2.0 180 Ringing\r\n\
         Via: SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bKtop;received=198.51.100.7;rport=40000, \
         SIP/2.0/TCP first.example.com;branch=z9hG4bKfirst\r\n\
         Via: SIP/2.0/UDP 203.0.113.9;branch=z9hG4bKlast\r\n\
         From: \"Caf\u{e9}\"   <sip:alice@example.com>;tag=abc\r\n\
         To: <sip:bob@192.0.2.10>;tag=xyz\r\n\
         Call-ID: call@example.com\r\n\
         CSeq: 7 INVITE\r\n\
         Content-Length: 0\r\n\r\n"
    );
}

#[test]
fn a_to_that_has_a_tag_keeps_it() {
    let request = INVITE.replace("To: <sip:bob@192.0.2.10>", "To: <sip:bob@192.0.2.10>;tag=theirs");
    assert!(
        respond(&request, &reply(200, Some("ours"), None))
            .contains("\r\nTo: <sip:bob@192.0.2.10>;tag=theirs\r\n")
    );
}

/// RFC 3261 §18.2.1: received is added where sent-by is a name or another address; RFC 3581 §4: with rport always.
#[test]
fn received_and_rport_tell_where_the_request_came_from() {
    let via = |sent_by: &str, source: &str| {
        let request = INVITE.replace(
            "10.0.0.5:5060;branch=z9hG4bKtop;rport, SIP/2.0/TCP first.example.com;branch=z9hG4bKfirst",
            sent_by,
        );
        let response = respond(&request, &reply(200, None, Some(source.parse().unwrap())));
        response.lines().nth(1).unwrap().trim_start_matches("Via: SIP/2.0/UDP ").to_owned()
    };
    assert_eq!(via("192.0.2.1;branch=b", "192.0.2.1:5060"), "192.0.2.1;branch=b");
    assert_eq!(via("192.0.2.1;branch=b", "192.0.2.2:5060"), "192.0.2.1;branch=b;received=192.0.2.2");
    assert_eq!(via("host.example;branch=b", "192.0.2.2:5060"), "host.example;branch=b;received=192.0.2.2");
    assert_eq!(
        via("192.0.2.1;rport;branch=b", "192.0.2.1:1024"),
        "192.0.2.1;branch=b;received=192.0.2.1;rport=1024"
    );
    assert_eq!(
        via("[2001:db8::1]:5060;rport;branch=b", "[2001:db8::2]:1024"),
        "[2001:db8::1]:5060;branch=b;received=2001:db8::2;rport=1024"
    );
    // What a sender claims about itself does not stand.
    assert_eq!(
        via("192.0.2.1;received=203.0.113.1;branch=b", "192.0.2.2:5060"),
        "192.0.2.1;branch=b;received=192.0.2.2"
    );
}

#[test]
fn a_broken_request_is_answered_with_the_bytes_it_came_with() {
    let request =
        INVITE.replace("CSeq: 7 INVITE", "CSeq: x INVITE").replace("Content-Length: 0", "Content-Length: 9");
    let mut index = HeaderIndex::new();
    let malformed = Message::parse(request.as_bytes(), &mut index).unwrap_err();
    let answer =
        Builder::response(&malformed.answerable().unwrap(), &reply(malformed.error.status(), None, None));
    let answer = String::from_utf8(answer.finish()).unwrap();
    assert!(answer.starts_with("SIP/2.0 400 Bad Request\r\n") && answer.contains("\r\nCSeq: x INVITE\r\n"));
}

#[test]
fn a_request_is_written_in_the_order_asked_for() {
    let request = Builder::request(Method::Options, "sip:bob@example.com;transport=tcp")
        .header(HeaderName::Via, "SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1")
        .header(HeaderName::MaxForwards, 70)
        .extension("X-Odd", format_args!("{}-{}", 1, 2))
        .body("text/plain", b"hi\r\n");
    assert_eq!(
        String::from_utf8(request).unwrap(),
        "OPTIONS sip:bob@example.com;transport=tcp SIP/2.0\r\n\
         Via: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK1\r\n\
         Max-Forwards: 70\r\n\
         X-Odd: 1-2\r\n\
         Content-Type: text/plain\r\n\
         Content-Length: 4\r\n\r\nhi\r\n"
    );
}

#[test]
fn lines_are_copied_with_their_order_and_spelling() {
    let from = OwnedMessage::parse(INVITE.as_bytes()).unwrap();
    let bytes = Builder::request(Method::Bye, "sip:a@b").copy(&from.view(), HeaderName::RecordRoute);
    let trace = from.view().extensions("x-trace").next().unwrap();
    let bytes = bytes.copy_header(&trace).finish();
    let copied = OwnedMessage::parse(&bytes).unwrap();
    assert_eq!(copied.view().values(HeaderName::RecordRoute).count(), 2);
    assert_eq!(copied.view().headers().nth(1).unwrap().name_bytes, b"X-Trace");
}

/// A display name, a reason or a header name from outside cannot begin a header of its own, nor end the headers.
#[test]
fn no_value_can_begin_a_header() {
    let evil = "x\r\nContact: <sip:evil@example.com>\r\n\r\nv=0";
    let request = OwnedMessage::parse(INVITE.as_bytes()).unwrap();
    let reply = Reply { status: 403, reason: Some(evil), to_tag: Some(evil), source: None };
    let bytes = Builder::response(&request.view(), &reply)
        .header(HeaderName::Warning, evil)
        .extension("X-Fine", evil)
        .extension(evil, "y")
        .raw(HeaderName::Subject, evil.as_bytes())
        .body(evil, b"");
    let written = OwnedMessage::parse(&bytes).unwrap();
    assert!(!written.view().has(HeaderName::Contact));
    assert_eq!(written.view().body(), b"");
    assert_eq!(written.view().headers().count(), 11);
}

#[test]
fn an_owned_message_reads_like_the_one_it_was_made_of() {
    let mut index = HeaderIndex::new();
    for bytes in [INVITE, "SIP/2.0 200 = 2**3\r\nCSeq: 1 BYE\r\n\r\nbody", "SIP/2.0 100\r\n\r\n"] {
        let message = Message::parse(bytes.as_bytes(), &mut index).unwrap();
        let owned = message.to_owned();
        assert_eq!(owned.view().start(), message.start());
        assert!(owned.view().headers().eq(message.headers()));
        assert_eq!(owned.view().body(), message.body());
    }
    let odd = OwnedMessage::parse(b"NEWMETHOD urn:x:y SIP/2.0\r\n\r\n").unwrap();
    assert_eq!(
        odd.view().start(),
        StartLine::Request { method: Method::Other("NEWMETHOD"), uri: b"urn:x:y" }
    );
}
