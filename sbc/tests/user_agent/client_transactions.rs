//! Requests of ours that nobody answers, and responses that come again (RFC 3261 §17.1).

use std::time::Duration;

use tandem_sbc::user_agent::{Ender, Event, SessionEnd, Transport};

use crate::support::{CARRIER, SDP, World, address, contact};

/// §17.1.1.2: timers A and B; §8.1.3.1: a timeout is a 408.
#[test]
fn an_invite_without_response_is_sent_seven_times_and_given_up() {
    let mut world = World::new();
    let session = world.call_carrier();
    world.pass_ms(32_000);
    let times: Vec<u64> = world.sent().iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    let end = SessionEnd { by: Ender::Failure, status: 408, reason: "no response".into() };
    assert_eq!(world.events(), [Event::Ended { session, end }, Event::Released { session }]);
    assert_eq!(world.counters().timeouts, 1);
    world.rest();
}

/// §17.1.1.2: a provisional response stops timer A.
#[test]
fn a_provisional_response_ends_the_retransmissions() {
    let mut world = World::new();
    world.call_carrier();
    let invite = world.expect("INVITE");
    world.receive(CARRIER, &invite.answer("100 Trying", "", "", ""));
    world.pass_ms(100_000);
    world.expect_silence();
}

/// The owner's limit on ringing: CANCEL, and the session ends at once.
#[test]
fn a_call_that_rings_too_long_is_cancelled() {
    let mut world = World::new();
    let session = world.call_carrier();
    let invite = world.expect("INVITE");
    world.receive(CARRIER, &invite.answer("180 Ringing", "callee", "", ""));
    assert_eq!(world.event_names(), ["Ringing"]);
    world.pass_ms(119_999);
    world.expect_silence();
    world.pass_ms(1);
    let cancel = world.expect("CANCEL");
    let end = SessionEnd { by: Ender::Failure, status: 408, reason: "no answer".into() };
    assert_eq!(world.events(), [Event::Ended { session, end }]);
    world.receive(CARRIER, &cancel.answer("200 OK", "callee", "", ""));
    world.receive(CARRIER, &invite.answer("487 Request Terminated", "callee", "", ""));
    world.expect("ACK");
    assert_eq!(world.events(), [Event::Released { session }]);
    world.rest();
}

/// §17.1.2.2: timers E and F; the session waits for its BYE, and no longer.
#[test]
fn a_bye_without_response_is_sent_eleven_times_and_given_up() {
    let mut world = World::new();
    let (session, _) = world.answered();
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    world.pass_ms(32_000);
    let times: Vec<u64> = world.sent().iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    assert_eq!(world.event_names(), ["Ended", "Released"]);
    world.rest();
}

/// §17.1.3: branch and CSeq method must both match.
#[test]
fn a_response_that_matches_nothing_is_counted_and_ignored() {
    let mut world = World::new();
    world.call_carrier();
    let invite = world.expect("INVITE");
    let ok = invite.answer("200 OK", "callee", &contact(CARRIER), SDP);
    world.receive(CARRIER, &ok.replace(&invite.branch(), "z9hG4bK-other"));
    world.receive(CARRIER, &ok.replace("1 INVITE", "1 OPTIONS"));
    world.expect_silence();
    assert_eq!(world.events(), []);
    assert_eq!(world.counters().stray_responses, 2);
}

/// §8.1.3.3.
#[test]
fn a_response_with_two_vias_went_astray() {
    let mut world = World::new();
    world.call_carrier();
    let invite = world.expect("INVITE");
    let two = invite.answer("180 Ringing", "callee", "Via: SIP/2.0/UDP 127.0.0.9;branch=z9hG4bK1\r\n", "");
    world.receive(CARRIER, &two);
    assert_eq!(world.events(), []);
    assert_eq!(world.counters().stray_responses, 1);
}

/// §8.1.3.1: what cannot be sent is as good as a 503.
#[test]
fn an_invite_that_cannot_be_sent_fails_at_once() {
    let mut world = World::new();
    let session = world.call_carrier();
    world.fail(Transport::Udp, "127.0.0.10:5071", None);
    assert_eq!(world.events(), [], "somebody else");
    world.fail(Transport::Udp, CARRIER, None);
    let end = SessionEnd { by: Ender::Failure, status: 503, reason: "cannot be reached".into() };
    assert_eq!(world.events(), [Event::Ended { session, end }, Event::Released { session }]);
    assert_eq!(world.counters().transport_errors, 1);
    world.rest();
}

/// §13.2.2.4: a callee that answers after timer B, or after 64*T1 without an answer to CANCEL, is acknowledged each time and
/// hung up on once, however often and under whatever tag.
#[test]
fn a_call_that_is_answered_too_late_is_hung_up_on() {
    for is_cancelled in [false, true] {
        let mut world = World::new();
        let session = world.call_carrier();
        let invite = world.expect("INVITE");
        if is_cancelled {
            world.receive(CARRIER, &invite.answer("180 Ringing", "callee", "", ""));
            world.own(|agent, now| agent.hang_up(now, session, "")).expect("it rings");
            world.expect("CANCEL");
        }
        world.pass(Duration::from_secs(40));
        world.messages();
        world.events();
        let ok = invite.answer("200 OK", "callee", &contact("127.0.0.10:5080"), SDP);
        world.receive(CARRIER, &ok);
        let ack = world.expect("ACK");
        assert_eq!((ack.to, ack.request_uri()), (address("127.0.0.10:5080"), "sip:127.0.0.10:5080"));
        let bye = world.expect("BYE");
        assert!(bye.header("To").ends_with(";tag=callee"), "{}", bye.text);
        world.receive(CARRIER, &ok);
        world.expect("ACK");
        world.receive("127.0.0.10:5080", &bye.answer("200 OK", "", "", ""));
        world.receive(CARRIER, &invite.answer("200 OK", "another", &contact(CARRIER), SDP));
        world.expect("ACK");
        assert!(world.expect("BYE").header("To").ends_with(";tag=another"));
        assert_eq!(world.events(), []);
        assert_eq!((world.counters().late_answers, world.counters().stray_responses), (2, 0));
        // For as long as somebody may ring, and no longer.
        world.pass(Duration::from_secs(200));
        world.messages();
        world.receive(CARRIER, &ok);
        world.expect_silence();
        assert_eq!(world.counters().stray_responses, 1);
        world.rest();
    }
}

/// One INVITE is answered by so many callees and no more.
#[test]
fn late_callees_of_one_call_are_bounded() {
    let mut world = World::new();
    world.call_carrier();
    let invite = world.expect("INVITE");
    world.pass(Duration::from_secs(40));
    world.messages();
    for callee in 0..9 {
        world.receive(CARRIER, &invite.answer("200 OK", &format!("c{callee}"), &contact(CARRIER), SDP));
    }
    assert_eq!((world.counters().late_answers, world.counters().stray_responses), (8, 1));
}
