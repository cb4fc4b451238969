//! The 2xx of an INVITE and its ACK, which no transaction cares for (RFC 3261 §13.2.2.4, §13.3.1.4).

use tandem_sbc::user_agent::{Ender, Event, SessionEnd};

use crate::support::{CARRIER, Request, SDP, World, contact, media};

/// §13.3.1.4: from T1, doubled up to T2, until the ACK comes.
#[test]
fn our_200_is_sent_again_until_the_ack_comes() {
    let mut world = World::new();
    world.receive(CARRIER, &Request::invite().text());
    let session = world.incoming();
    world.expect("100 INVITE");
    world.own(|agent, now| agent.accept(now, session, media())).expect("accepted");
    let ok = world.expect("200 INVITE");
    world.pass_ms(16_000);
    let times: Vec<u64> = world.sent().iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [500, 1_500, 3_500, 7_500, 11_500, 15_500]);
    world.receive(CARRIER, &Request::within("ACK", 1, &ok).text());
    assert_eq!(world.event_names(), ["Media", "Confirmed"]);
    world.pass_ms(60_000);
    world.expect_silence();
    assert_eq!(world.counters().retransmissions_sent, 6);
}

/// §13.3.1.4: no ACK in 64*T1, so the session is ended with BYE.
#[test]
fn a_200_without_ack_ends_in_bye() {
    let mut world = World::new();
    world.receive(CARRIER, &Request::invite().text());
    let session = world.incoming();
    world.own(|agent, now| agent.accept(now, session, media())).expect("accepted");
    world.pass_ms(31_999);
    assert_eq!(world.event_names(), ["Media"]);
    world.sent();
    world.pass_ms(1);
    let bye = world.expect("BYE");
    let end = SessionEnd { by: Ender::Failure, status: 408, reason: "no ACK".into() };
    assert_eq!(world.events(), [Event::Ended { session, end }]);
    world.receive(CARRIER, &bye.answer("200 OK", "", "", ""));
    assert_eq!(world.events(), [Event::Released { session }]);
    world.rest();
}

/// §15: the callee must not send BYE before the ACK.
#[test]
fn hanging_up_before_the_ack_waits_for_it() {
    let mut world = World::new();
    world.receive(CARRIER, &Request::invite().text());
    let session = world.incoming();
    world.own(|agent, now| agent.accept(now, session, media())).expect("accepted");
    world.expect("100 INVITE");
    let ok = world.expect("200 INVITE");
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    assert_eq!(world.event_names(), ["Media", "Ended"]);
    world.pass_ms(600);
    world.expect("200 INVITE");
    world.expect_silence();
    world.receive(CARRIER, &Request::within("ACK", 1, &ok).text());
    let bye = world.expect("BYE");
    world.receive(CARRIER, &bye.answer("200 OK", "", "", ""));
    assert_eq!(world.events(), [Event::Released { session }]);
    world.rest();
}

/// The same when the ACK never comes.
#[test]
fn hanging_up_before_an_ack_that_never_comes() {
    let mut world = World::new();
    world.receive(CARRIER, &Request::invite().text());
    let session = world.incoming();
    world.own(|agent, now| agent.accept(now, session, media())).expect("accepted");
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    world.pass_ms(32_000);
    assert_eq!(world.sent().iter().filter(|(at, what)| (*at, what.as_str()) == (32_000, "BYE")).count(), 1);
    world.pass_ms(32_000);
    assert_eq!(world.event_names(), ["Media", "Ended", "Released"]);
    world.rest();
}

/// §13.2.2.4: every copy of the 2xx is acknowledged.
#[test]
fn a_200_that_comes_again_is_acknowledged_again() {
    let mut world = World::new();
    let (_, invite) = world.answered();
    for _ in 0..3 {
        world.receive(CARRIER, &invite.answer("200 OK", "callee", &contact(CARRIER), SDP));
        assert_eq!(world.expect("ACK").tag("To"), "callee");
    }
    world.expect_silence();
    assert_eq!(world.events(), []);
}

/// RFC 6026 §7.2: for 64*T1, even when the session is over.
#[test]
fn a_200_that_comes_again_after_the_session_is_over_is_still_acknowledged() {
    let mut world = World::new();
    let (session, invite) = world.answered();
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    let bye = world.expect("BYE");
    world.receive(CARRIER, &bye.answer("200 OK", "", "", ""));
    assert_eq!(world.event_names(), ["Ended", "Released"]);
    let ok = invite.answer("200 OK", "callee", &contact(CARRIER), SDP);
    world.receive(CARRIER, &ok);
    world.expect("ACK");
    world.expect_silence();
    world.pass_ms(32_000);
    world.receive(CARRIER, &ok);
    world.expect_silence();
    world.rest();
}
