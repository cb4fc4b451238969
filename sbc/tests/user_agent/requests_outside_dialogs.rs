//! What is answered to requests that begin nothing (RFC 3261 §8.2, §11).

use crate::support::{CARRIER, PHONE, Request, SDP, World, contact};

const HERE: &str = "sip:127.0.0.1";
const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, REFER, SUBSCRIBE, NOTIFY, PRACK, UPDATE";

/// §8.2.1 and §21.5.2.
#[test]
fn methods_we_do_not_serve() {
    for (method, status) in [
        ("MESSAGE", 405),
        ("PUBLISH", 405),
        ("UPDATE", 481),
        ("PRACK", 481),
        ("BREW", 501),
        ("BYE", 481),
        ("INFO", 481),
    ] {
        let mut world = World::new();
        world.receive(CARRIER, &Request::new(method, HERE).text());
        let response = world.expect(&format!("{status} {method}"));
        if status != 481 {
            assert_eq!(response.header("Allow"), ALLOW);
        }
        assert!(!response.tag("To").is_empty(), "§8.2.6.2");
        world.rest();
    }
}

/// RFC 3515 §2.4.2, RFC 6665 §4.1.3 and §4.2.1.1: what makes sense in a dialog only, or about a call only.
#[test]
fn subscriptions_begin_with_a_refer_in_a_call_only() {
    let headers = "Refer-To: <sip:1002@127.0.0.1>\r\nEvent: refer\r\nSubscription-State: active\r\n";
    for (method, status) in [("REFER", 403), ("NOTIFY", 481), ("SUBSCRIBE", 489)] {
        let mut world = World::new();
        let request = Request::new(method, HERE).with(|request| request.headers = headers.into());
        world.receive(CARRIER, &request.text());
        let response = world.expect(&format!("{status} {method}"));
        assert_eq!(response.header("Allow-Events"), if status == 489 { "refer" } else { "" });
        assert_eq!(world.events(), []);
        world.rest();
    }
}

/// §11.2.
#[test]
fn options_tells_what_we_can() {
    let mut world = World::new();
    for from in [CARRIER, PHONE] {
        let options = Request::new("OPTIONS", HERE).with(|options| options.call_id = from.to_owned());
        world.receive(from, &options.with(|options| options.branch.push_str(from)).text());
        let ok = world.expect("200 OPTIONS");
        assert_eq!(ok.header("Allow"), ALLOW);
        assert_eq!(ok.header("Accept"), "application/sdp");
        assert_eq!(ok.headers("Supported"), ["100rel, timer, norefersub, replaces"]);
        assert_eq!(ok.header("Allow-Events"), "refer");
    }
    assert_eq!(world.events(), []);
    world.rest();
}

/// Its name, what is wrong with the INVITE, the response, and a line of it.
type Refusal = (&'static str, fn(&mut Request), &'static str, &'static str);

/// What is refused with which status, and which header says why.
#[test]
fn refusals_of_an_invite() {
    let cases: [Refusal; 8] = [
        ("§8.2.2.1 scheme", |i| i.uri = "urn:service:counseling".into(), "416 INVITE", ""),
        ("§8.2.2.1 sips", |i| i.uri = "sips:100@127.0.0.1".into(), "416 INVITE", ""),
        (
            "§8.2.2.3 extension",
            |i| i.headers.push_str("Require: foo, bar\r\n"),
            "420 INVITE",
            "Unsupported: foo, bar",
        ),
        (
            "§8.2.3 encoding",
            |i| i.headers.push_str("Content-Encoding: gzip\r\n"),
            "415 INVITE",
            "Accept-Encoding: identity",
        ),
        ("§8.1.1.8 no Contact", |i| i.headers.clear(), "400 INVITE", ""),
        ("§8.1.1.8 a Contact to nobody", |i| i.headers = "Contact: <tel:+1555>\r\n".into(), "400 INVITE", ""),
        ("§12.2.2 unknown dialog", |i| i.to.push_str(";tag=unknown"), "481 INVITE", ""),
        ("§19.1.1 headers in the Request-URI", |i| i.uri = "sip:100@127.0.0.1?a=b".into(), "400 INVITE", ""),
    ];
    for (name, change, what, line) in cases {
        let mut world = World::new();
        world.receive(CARRIER, &Request::invite().with(change).text());
        let response = world.expect(what);
        assert!(response.text.contains(line), "{name}: {}", response.text);
        assert_eq!(world.events(), [], "{name}");
        world.rest();
    }
}

/// §8.2.3.
#[test]
fn a_body_that_is_no_session_description_is_415() {
    let mut world = World::new();
    world.receive(CARRIER, &Request::invite().text().replace("application/sdp", "application/isup"));
    assert_eq!(world.expect("415 INVITE").header("Accept"), "application/sdp");
}

/// RFC 5621 §3.1: the description may be a part of the body.
#[test]
fn a_multipart_body_is_searched_for_the_description() {
    let mut world = World::new();
    let body = format!(
        "--b\r\nContent-Type: application/isup\r\n\r\nx\r\n--b\r\nContent-Type: application/sdp\r\n\r\n{SDP}\r\n--b--\r\n"
    );
    let invite = Request::invite().with(|invite| invite.body = body).text();
    world.receive(
        CARRIER,
        &invite.replace(
            "Content-Type: application/sdp\r\nContent-Length",
            "Content-Type: multipart/mixed;boundary=b\r\nContent-Length",
        ),
    );
    let session = world.incoming();
    world.own(|agent, now| agent.accept(now, session, crate::support::media())).expect("a codec in common");
}

/// RFC 7332 §3: a call that has no hops left goes no further.
#[test]
fn max_forwards_at_zero_is_483() {
    let mut world = World::new();
    world.receive(CARRIER, &Request::invite().text().replace("Max-Forwards: 70", "Max-Forwards: 0"));
    world.expect("483 INVITE");
    world.receive(
        CARRIER,
        &Request::new("OPTIONS", HERE).text().replace("Max-Forwards: 70", "Max-Forwards: 0"),
    );
    world.expect("200 OPTIONS");
}

/// §16.3 step 4: our own INVITE comes back.
#[test]
fn a_call_of_ours_that_comes_back_is_a_loop() {
    let mut world = World::new();
    world.call_carrier();
    let invite = world.expect("INVITE");
    let ours = format!("Via: {}\r\n", invite.header("Via"));
    let back = Request::invite().with(|back| back.headers.push_str(&ours));
    world.receive(CARRIER, &back.text());
    world.expect("482 INVITE");
    assert_eq!(world.events(), []);
}

/// §21.4.1: what can be answered is, though it cannot be read.
#[test]
fn malformed_requests_are_answered_where_their_via_says() {
    for (found, put, expected) in [
        ("CSeq: 1 INVITE", "CSeq: 99999999999 INVITE", Some("400")),
        ("CSeq: 1 INVITE", "CSeq: 1 BYE", Some("400")),
        ("INVITE sip:+15550100@127.0.0.1 SIP/2.0", "INVITE sip:+15550100@127.0.0.1 SIP/7.0", Some("505")),
        ("Content-Length: ", "Content-Length: 9", Some("400")),
        ("Call-ID: call-1\r\n", "", Some("400")),
        ("CSeq: 1 INVITE\r\n", "", None),
        ("Via: ", "Vio: ", None),
    ] {
        let mut world = World::new();
        world.receive(CARRIER, &Request::invite().text().replace(found, put));
        match expected {
            Some(status) => {
                let sent = world.sent();
                assert!(
                    matches!(sent.as_slice(), [(_, what)] if what.starts_with(status)),
                    "{put}: {sent:?}"
                );
            }
            None => world.expect_silence(),
        }
        assert_eq!(world.counters().parse_errors, 1, "{put}");
        assert_eq!(world.events(), []);
        world.rest();
    }
}

#[test]
fn noise_is_counted_and_ignored() {
    let mut world = World::new();
    world.receive(CARRIER, "\r\n\r\n");
    world.receive(CARRIER, "\0");
    assert_eq!(world.counters().keep_alives, 2);
    world.receive(CARRIER, "GET / HTTP/1.1\r\n\r\n");
    world.receive(
        CARRIER,
        &Request::invite().text().replace("INVITE sip", "ACK sip").replace("1 INVITE", "one ACK"),
    );
    assert_eq!(world.counters().parse_errors, 2);
    world.expect_silence();
    world.rest();
}

/// RFC 3966: a number may come as a tel URI.
#[test]
fn a_tel_uri_is_a_number() {
    let mut world = World::new();
    world.receive(CARRIER, &Request::invite().with(|invite| invite.uri = "tel:+1-555-0100".into()).text());
    let events = world.events();
    let [tandem_sbc::user_agent::Event::Incoming { dialled, .. }] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(dialled, "+15550100");
}

/// RFC 3323 §4.1.1.3.
#[test]
fn a_withheld_caller_has_no_name() {
    let mut world = World::new();
    let invite = Request::invite().with(|invite| {
        invite.from = "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=them".into();
        invite.headers = contact(CARRIER);
    });
    world.receive(CARRIER, &invite.text());
    let events = world.events();
    let [tandem_sbc::user_agent::Event::Incoming { from, .. }] = events.as_slice() else {
        panic!("{events:?}")
    };
    let nobody = tandem_sbc::user_agent::Identity::default();
    assert_eq!(*from, tandem_sbc::user_agent::Identity { restricted: true, ..nobody });
}

#[test]
fn an_offer_without_a_codec_of_ours_is_told_and_cannot_be_accepted() {
    let mut world = World::new();
    let invite = Request::invite().with(|invite| invite.body = SDP.replace("AVP 0 101", "AVP 18"));
    world.receive(CARRIER, &invite.text());
    let events = world.events();
    let [tandem_sbc::user_agent::Event::Incoming { session, acceptable: false, .. }] = events.as_slice()
    else {
        panic!("{events:?}")
    };
    let refused = world.own(|agent, now| agent.accept(now, *session, crate::support::media()));
    assert_eq!(refused, Err(tandem_sbc::user_agent::SessionError::NoCommonCodec));
    world.own(|agent, now| agent.reject(now, *session, 488)).expect("still unanswered");
    world.expect("100 INVITE");
    world.expect("488 INVITE");
}
