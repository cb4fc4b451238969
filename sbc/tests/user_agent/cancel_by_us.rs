//! We give up a call that we made (RFC 3261 §9.1), and what may cross with that.

use tandem_sbc::user_agent::{Ender, Event, SessionEnd};

use crate::support::{CARRIER, Request, SDP, World, contact};

#[test]
fn cancel_of_a_ringing_call() {
    let mut world = World::new();
    let session = world.call_carrier();
    let invite = world.expect("INVITE");
    world.receive(CARRIER, &invite.answer("180 Ringing", "callee", "", ""));
    world.own(|agent, now| agent.hang_up(now, session, "caller left")).expect("a session");
    let cancel = world.expect("CANCEL");
    assert_eq!(cancel.branch(), invite.branch(), "§9.1");
    assert_eq!(cancel.request_uri(), invite.request_uri());
    assert_eq!(cancel.header("To"), invite.header("To"));
    assert_eq!(cancel.header("CSeq"), "1 CANCEL");
    assert_eq!(cancel.header("Reason"), "Q.850;cause=16;text=\"caller left\"");
    let end = SessionEnd { by: Ender::Owner, status: 487, reason: "caller left".into() };
    assert_eq!(world.events(), [Event::Ringing { session }, Event::Ended { session, end }]);
    world.receive(CARRIER, &cancel.answer("200 OK", "callee", "", ""));
    assert_eq!(world.events(), []);
    world.receive(CARRIER, &invite.answer("487 Request Terminated", "callee", "", ""));
    world.expect("ACK");
    assert_eq!(world.events(), [Event::Released { session }]);
    world.rest();
}

/// §9.1: CANCEL must not go out before a provisional response came.
#[test]
fn cancel_waits_for_a_provisional_response() {
    let mut world = World::new();
    let session = world.call_carrier();
    let invite = world.expect("INVITE");
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    assert_eq!(world.event_names(), ["Ended"]);
    world.expect_silence();
    world.receive(CARRIER, &invite.answer("100 Trying", "", "", ""));
    world.expect("CANCEL");
    world.receive(CARRIER, &invite.answer("180 Ringing", "callee", "", ""));
    world.expect_silence();
    assert_eq!(world.events(), [], "an ended session does not ring");
    world.receive(CARRIER, &invite.answer("487 Request Terminated", "callee", "", ""));
    world.expect("ACK");
    assert_eq!(world.event_names(), ["Released"]);
    world.rest();
}

#[test]
fn a_call_given_up_that_nobody_ever_answers_is_released_after_timer_b() {
    let mut world = World::new();
    let session = world.call_carrier();
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    world.pass_ms(32_000);
    assert!(world.sent().iter().all(|(_, what)| what == "INVITE"));
    assert_eq!(world.event_names(), ["Ended", "Released"]);
    world.rest();
}

/// The answer crosses the CANCEL: it is acknowledged and hung up (RFC 3665 §3.8, RFC 5407 §3.1.2).
#[test]
fn an_answer_that_crosses_the_cancel_is_acknowledged_and_hung_up() {
    let mut world = World::new();
    let session = world.call_carrier();
    let invite = world.expect("INVITE");
    world.receive(CARRIER, &invite.answer("180 Ringing", "callee", "", ""));
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    let cancel = world.expect("CANCEL");
    world.receive(CARRIER, &invite.answer("200 OK", "callee", &contact(CARRIER), SDP));
    world.expect("ACK");
    let bye = world.expect("BYE");
    assert_eq!(bye.tag("To"), "callee");
    world.receive(CARRIER, &cancel.answer("200 OK", "callee", "", ""));
    assert_eq!(world.event_names(), ["Ringing", "Ended"]);
    world.receive(CARRIER, &bye.answer("200 OK", "", "", ""));
    assert_eq!(world.events(), [Event::Released { session }]);
    world.rest();
}

/// The same before any provisional response.
#[test]
fn an_answer_to_a_call_given_up_before_any_response() {
    let mut world = World::new();
    let session = world.call_carrier();
    let invite = world.expect("INVITE");
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    world.receive(CARRIER, &invite.answer("200 OK", "callee", &contact(CARRIER), SDP));
    world.expect("ACK");
    let bye = world.expect("BYE");
    world.receive(CARRIER, &bye.answer("200 OK", "", "", ""));
    world.expect_silence();
    assert_eq!(world.event_names(), ["Ended", "Released"]);
    world.rest();
}

/// §9.1: a callee of RFC 2543 answers the CANCEL and never the INVITE; after 64*T1 it is given up.
#[test]
fn an_invite_without_final_response_after_cancel_is_given_up() {
    let mut world = World::new();
    let session = world.call_carrier();
    let invite = world.expect("INVITE");
    world.receive(CARRIER, &invite.answer("180 Ringing", "callee", "", ""));
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    let cancel = world.expect("CANCEL");
    world.receive(CARRIER, &cancel.answer("200 OK", "callee", "", ""));
    world.pass_ms(31_999);
    assert_eq!(world.event_names(), ["Ringing", "Ended"]);
    world.pass_ms(1);
    assert_eq!(world.events(), [Event::Released { session }]);
    world.rest();
}

/// The callee hangs up the call that we are about to hang up.
#[test]
fn byes_that_cross_are_both_answered() {
    let mut world = World::new();
    let (session, invite) = world.answered();
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    let bye = world.expect("BYE");
    world.receive(CARRIER, &Request::from_callee("BYE", 1, &invite, "callee").text());
    world.expect("200 BYE");
    world.receive(CARRIER, &bye.answer("481 Call/Transaction Does Not Exist", "", "", ""));
    assert_eq!(world.event_names(), ["Ended", "Released"]);
    world.rest();
}
