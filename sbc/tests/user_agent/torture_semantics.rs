//! RFC 4475 §3.2 to §3.4: what the transaction layer and the user agent make of messages beyond their first answer,
//! which is in `torture.rs`.

use tandem_sbc::user_agent::Counters;

use crate::support::{CARRIER, PHONE, Request, Sent, World, credentials, media};

macro_rules! message {
    ($name:literal) => {
        include_str!(concat!("../torture/rfc4475/", $name, ".sip"))
    };
}

/// §3.3.10: a response with a second Via went astray, and nothing is sent because of it, least of all to everybody.
#[test]
fn a_response_that_went_astray_is_dropped() {
    let mut world = World::new();
    world.receive(CARRIER, message!("bcast"));
    world.expect_silence();
    let expected = Counters { responses_2xx: 1, stray_responses: 1, ..Counters::default() };
    assert_eq!(world.counters(), expected);
}

/// §3.4.1: a caller of RFC 2543's days has no branch, no tag, no Max-Forwards, no Contact and no Content-Length; its
/// call is answered, and a copy of its INVITE is no second call.
#[test]
fn a_caller_of_rfc_2543_is_answered() {
    let mut world = World::new();
    world.receive(CARRIER, message!("inv2543"));
    world.expect("100 INVITE");
    let session = world.incoming();
    world.own(|agent, now| agent.accept(now, session, media())).expect("accepted");
    let ok = world.expect("200 INVITE");
    assert_eq!(ok.header("Record-Route"), "<sip:UserB@example.com;maddr=ss1.example.com>");
    world.receive(CARRIER, message!("inv2543"));
    world.expect_silence();
    assert_eq!(world.event_names(), ["Media"]);
    let ack = format!(
        "ACK sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP iftgw.example.com\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\n\
         CSeq: 56 ACK\r\n\r\n",
        ok.header("From"),
        ok.header("To"),
        ok.header("Call-ID"),
    );
    world.receive(CARRIER, &ack);
    assert_eq!(world.event_names(), ["Confirmed"]);
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    let bye = world.expect("BYE");
    // Its proxy is a strict router (RFC 3261 §12.2.1.1): itself the Request-URI, the caller the end of the route.
    assert_eq!(bye.request_uri(), "sip:UserB@example.com;maddr=ss1.example.com");
    assert_eq!(bye.header("Route"), "<sip:+13035551111@ift.client.example.net;user=phone>");
}

/// §3.2.1: a branch that is nothing but the magic cookie does not tell transactions apart; the INVITE is taken, and
/// another one under it is another call.
#[test]
fn a_branch_of_nothing_but_the_cookie() {
    let mut world = World::new();
    world.receive(CARRIER, message!("badbranch"));
    let answers: Vec<String> = world.messages().iter().map(Sent::what).collect();
    assert_eq!(answers, ["200 OPTIONS"]);
}

/// §3.3.12 to §3.3.14: registrations with an odd Contact, by a user of ours: what is listed, and how that Contact is
/// called. A parameter behind a bare address is the header's, one within brackets the URI's; headers of a URI are no
/// headers of a request that goes there.
#[test]
fn odd_contacts_are_registered_and_called() {
    let cases = [
        ("3.3.12", message!("cparam01"), "sip:+19725552222@gw1.example.net"),
        ("3.3.13", message!("cparam02"), "sip:+19725552222@gw1.example.net;unknownparam"),
        ("3.3.14", message!("regescrt"), "sip:user@example.com"),
    ];
    for (section, text, called) in cases {
        let mut world = World::new();
        let ours = text
            .replace("REGISTER sip:example.com", "REGISTER sip:127.0.0.1")
            .replace("sip:watson@example.com", "sip:1001@127.0.0.1")
            .replace("To: sip:user@example.com", "To: sip:1001@127.0.0.1")
            .replace("From: sip:user@example.com", "From: sip:1001@127.0.0.1");
        world.receive(PHONE, &ours);
        let challenge = world.expect("401 REGISTER");
        let authorization = credentials(&challenge, "REGISTER", "1001", "secret-1001", "SHA-256", 1);
        let again = ours.replacen("branch=", "branch=z9hG4bK-again-", 1);
        let again = again.replacen("Max-Forwards", &format!("{authorization}Max-Forwards"), 1);
        world.receive(PHONE, &again.replace("CSeq: ", "CSeq: 1"));
        let ok = world.expect("200 REGISTER");
        assert!(ok.header("Contact").contains(called), "§{section}: {}", ok.text);
        world.events();
        world.call_user();
        let invite = world.expect("INVITE");
        assert_eq!((invite.request_uri(), invite.header("Route").as_str()), (called, ""), "§{section}");
    }
}

/// RFC 3261 §19.1.1: what a Contact's URI has of headers is not in the Request-URI of what goes there in the dialog.
#[test]
fn headers_of_a_contact_are_not_in_requests_to_it() {
    let mut world = World::new();
    let invite = Request::invite()
        .with(|it| it.headers = "Contact: <sip:c@127.0.0.10:5070?Route=%3Csip:x%3E>\r\n".into());
    world.receive(CARRIER, &invite.text());
    let session = world.incoming();
    world.own(|agent, now| agent.accept(now, session, media())).expect("offered");
    world.expect("100 INVITE");
    let ok = world.expect("200 INVITE");
    world.receive(CARRIER, &Request::within("ACK", 1, &ok).text());
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    let bye = world.expect("BYE");
    assert_eq!((bye.request_uri(), bye.header("Route").as_str()), ("sip:c@127.0.0.10:5070", ""));
}
