//! Phones call: challenged, then heard (RFC 3261 §22.2).

use tandem_sbc::user_agent::{Event, Source};

use crate::support::{PHONE, Request, World, address, contact, credentials, media};

fn invite() -> Request {
    Request::invite().with(|invite| {
        invite.via = format!("SIP/2.0/UDP {PHONE};rport");
        invite.from = "<sip:1001@127.0.0.1>;tag=them".into();
        invite.headers = contact("1001@127.0.0.20:5080");
    })
}

/// RFC 3665 §3.3, as a user agent server challenges it.
#[test]
fn a_phone_calls_after_a_challenge() {
    let mut world = World::new();
    world.receive(PHONE, &invite().text());
    let challenge = world.expect("401 INVITE");
    assert_eq!(world.events(), []);
    let ack = invite().with(|ack| {
        ack.method = "ACK";
        ack.to = challenge.header("To");
    });
    world.receive(PHONE, &ack.text());
    let again = invite().with(|again| {
        again.cseq = 2;
        again.branch.push('2');
        again.headers.push_str(&credentials(&challenge, "INVITE", "1001", "secret-1001", "SHA-256", 1));
    });
    world.receive(PHONE, &again.text());
    world.expect("100 INVITE");
    let events = world.events();
    let [Event::Incoming { session, source, dialled, .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((source, dialled.as_str()), (&Source::User("1001".into()), "+15550100"));
    world.own(|agent, now| agent.accept(now, *session, media())).expect("accepted");
    let ok = world.expect("200 INVITE");
    world.receive(PHONE, &Request::within("ACK", 2, &ok).text());
    world.own(|agent, now| agent.hang_up(now, *session, "")).expect("a session");
    assert_eq!(world.expect("BYE").to, address(PHONE));
}

/// A phone behind NAT whose address changes in a call is followed to where it sends from.
#[test]
fn a_phone_that_moves_is_followed() {
    let mut world = World::new();
    world.receive(PHONE, &invite().text());
    let challenge = world.expect("401 INVITE");
    let again = invite().with(|again| {
        again.cseq = 2;
        again.branch.push('2');
        again.headers = contact("1001@192.168.1.5");
        again.headers.push_str(&credentials(&challenge, "INVITE", "1001", "secret-1001", "MD5", 1));
    });
    world.receive(PHONE, &again.text());
    let session = world.incoming();
    world.own(|agent, now| agent.accept(now, session, media())).expect("accepted");
    world.expect("100 INVITE");
    let ok = world.expect("200 INVITE");
    world.receive(PHONE, &Request::within("ACK", 2, &ok).text());
    let moved = "127.0.0.21:6000";
    world.receive(moved, &Request::within("OPTIONS", 3, &ok).text());
    world.expect("200 OPTIONS");
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    assert_eq!(world.expect("BYE").to, address(moved));
}

/// A caller says who it is; one that proves to be another is not believed.
#[test]
fn a_phone_cannot_call_in_anothers_name() {
    let mut world = World::new();
    let forged = invite().with(|forged| forged.from = "<sip:1002@127.0.0.1>;tag=them".into());
    world.receive(PHONE, &forged.text());
    let challenge = world.expect("401 INVITE");
    let again = forged.with(|again| {
        again.cseq = 2;
        again.branch.push('2');
        again.headers.push_str(&credentials(&challenge, "INVITE", "1001", "secret-1001", "MD5", 1));
    });
    world.receive(PHONE, &again.text());
    world.expect("403 INVITE");
    assert_eq!(world.events(), []);
}
