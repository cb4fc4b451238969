//! One INVITE, several dialogs: a user with several phones, and carriers that fork (RFC 3261 §13.2.2.4, §16.7).

use tandem_sbc::user_agent::{Ender, Event, SessionEnd};

use crate::support::{CARRIER, PHONE, SDP, Sent, World, contact, register};

const OTHER_PHONE: &str = "127.0.0.21:5080";

/// A user with two phones, called; the two INVITEs.
fn two_phones() -> (World, tandem_sbc::user_agent::SessionId, Sent, Sent) {
    let mut world = World::new();
    world.register_phone(1, PHONE);
    let other =
        register(11, &contact("1001@127.0.0.21:5080")).with(|other| other.call_id = "register-2".into());
    world.register_on(tandem_sbc::user_agent::Transport::Udp, None, OTHER_PHONE, &other);
    world.events();
    let session = world.call_user();
    let (first, second) = (world.expect("INVITE"), world.expect("INVITE"));
    assert_eq!(first.header("Call-ID"), second.header("Call-ID"));
    assert_ne!(first.branch(), second.branch());
    assert_ne!(first.to, second.to);
    (world, session, first, second)
}

#[test]
fn every_phone_rings_and_the_first_answer_wins() {
    let (mut world, session, first, second) = two_phones();
    world.receive(PHONE, &first.answer("180 Ringing", "one", "", ""));
    world.receive(OTHER_PHONE, &second.answer("180 Ringing", "two", "", ""));
    assert_eq!(world.events(), [Event::Ringing { session }]);
    world.receive(OTHER_PHONE, &second.answer("200 OK", "two", &contact("1001@127.0.0.21:5080"), SDP));
    assert_eq!(world.expect("ACK").tag("To"), "two");
    let cancel = world.expect("CANCEL");
    assert_eq!(cancel.branch(), first.branch());
    assert_eq!(world.event_names(), ["Media", "Answered"]);
    world.receive(PHONE, &cancel.answer("200 OK", "one", "", ""));
    world.receive(PHONE, &first.answer("487 Request Terminated", "one", "", ""));
    world.expect("ACK");
    assert_eq!(world.events(), []);
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    let bye = world.expect("BYE");
    assert_eq!(bye.tag("To"), "two");
    world.receive(OTHER_PHONE, &bye.answer("200 OK", "", "", ""));
    assert_eq!(world.event_names(), ["Ended", "Released"]);
    world.rest();
}

/// Both lift at once: the second is acknowledged and hung up.
#[test]
fn the_second_answer_is_hung_up() {
    let (mut world, session, first, second) = two_phones();
    world.receive(PHONE, &first.answer("180 Ringing", "one", "", ""));
    world.receive(OTHER_PHONE, &second.answer("180 Ringing", "two", "", ""));
    world.receive(PHONE, &first.answer("200 OK", "one", &contact("1001@127.0.0.20:5080"), SDP));
    world.expect("ACK");
    world.expect("CANCEL");
    world.receive(OTHER_PHONE, &second.answer("200 OK", "two", &contact("1001@127.0.0.21:5080"), SDP));
    assert_eq!(world.expect("ACK").tag("To"), "two");
    let bye = world.expect("BYE");
    assert_eq!(bye.tag("To"), "two");
    world.receive(OTHER_PHONE, &bye.answer("200 OK", "", "", ""));
    world.receive(PHONE, &crate::support::Request::from_callee("BYE", 1, &first, "one").text());
    world.expect("200 BYE");
    let names = world.event_names();
    assert_eq!(names, ["Ringing", "Media", "Answered", "Ended", "Released"]);
    assert_eq!(world.agent.call_id(session), None);
    world.rest();
}

/// §16.7 step 6: the lowest class wins; nobody is told before the last has refused.
#[test]
fn the_best_refusal_is_told_when_all_have_refused() {
    let (mut world, session, first, second) = two_phones();
    world.receive(PHONE, &first.answer("503 Service Unavailable", "one", "", ""));
    world.expect("ACK");
    assert_eq!(world.events(), []);
    world.receive(OTHER_PHONE, &second.answer("486 Busy Here", "two", "", ""));
    world.expect("ACK");
    let end = SessionEnd { by: Ender::Peer, status: 486, reason: "Busy Here".into() };
    assert_eq!(world.events(), [Event::Ended { session, end }, Event::Released { session }]);
    world.rest();
}

/// §16.7 step 5: a 6xx speaks for the user, not for one phone.
#[test]
fn a_decline_ends_the_ringing_everywhere() {
    let (mut world, session, first, second) = two_phones();
    world.receive(OTHER_PHONE, &second.answer("180 Ringing", "two", "", ""));
    world.receive(PHONE, &first.answer("603 Decline", "one", "", ""));
    world.expect("ACK");
    world.expect("CANCEL");
    let end = SessionEnd { by: Ender::Peer, status: 603, reason: "Decline".into() };
    assert_eq!(world.events(), [Event::Ringing { session }, Event::Ended { session, end }]);
    world.receive(OTHER_PHONE, &second.answer("487 Request Terminated", "two", "", ""));
    world.expect("ACK");
    assert_eq!(world.events(), [Event::Released { session }]);
    world.rest();
}

/// §13.2.2.4: a carrier forks, and two callees answer the one INVITE.
#[test]
fn a_further_dialog_of_the_same_invite_is_hung_up() {
    let mut world = World::new();
    let (_, invite) = world.answered();
    let second = invite.answer("200 OK", "another", &contact("127.0.0.10:5090"), SDP);
    world.receive(CARRIER, &second);
    let ack = world.expect("ACK");
    assert_eq!((ack.tag("To").as_str(), ack.to.port()), ("another", 5090));
    let bye = world.expect("BYE");
    assert_eq!((bye.tag("To").as_str(), bye.to.port()), ("another", 5090));
    world.receive(CARRIER, &second);
    assert_eq!(world.expect("ACK").tag("To"), "another");
    world.expect_silence();
    world.receive(CARRIER, &bye.answer("200 OK", "", "", ""));
    assert_eq!(world.events(), [], "the session goes on with the first");
}

/// §12.2.1.1: the BYE of a dialog that had PRACKs does not take their CSeq again, be it that of a callee who answered too
/// late or of a second one.
#[test]
fn a_late_dialog_is_hung_up_with_a_cseq_of_its_own() {
    let reliable = |rseq| format!("{}Require: 100rel\r\nRSeq: {rseq}\r\n", contact(CARRIER));
    let mut world = World::new();
    let session = world.call_carrier();
    let invite = world.expect("INVITE");
    for (tag, rseq) in [("one", 1), ("one", 2), ("two", 1)] {
        world.receive(CARRIER, &invite.answer("180 Ringing", tag, &reliable(rseq), ""));
        let prack = world.expect("PRACK");
        world.receive(CARRIER, &prack.answer("200 OK", "", "", ""));
    }
    world.receive(CARRIER, &invite.answer("200 OK", "two", &contact(CARRIER), SDP));
    world.expect("ACK");
    world.receive(CARRIER, &invite.answer("200 OK", "one", &contact(CARRIER), SDP));
    world.expect("ACK");
    let bye = world.expect("BYE");
    assert_eq!((bye.tag("To").as_str(), bye.header("CSeq").as_str()), ("one", "4 BYE"));
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    assert_eq!(world.expect("BYE").header("CSeq"), "3 BYE", "the one that won goes on where it was");

    let mut world = World::new();
    let session = world.call_carrier();
    let invite = world.expect("INVITE");
    world.receive(CARRIER, &invite.answer("180 Ringing", "one", &reliable(1), ""));
    world.expect("PRACK");
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    world.expect("CANCEL");
    world.receive(CARRIER, &invite.answer("200 OK", "one", &contact(CARRIER), SDP));
    world.expect("ACK");
    assert_eq!(world.expect("BYE").header("CSeq"), "3 BYE");
}

/// The same when the session is over already.
#[test]
fn a_further_dialog_after_the_session_is_hung_up_too() {
    let mut world = World::new();
    let (session, invite) = world.answered();
    world.receive(CARRIER, &crate::support::Request::from_callee("BYE", 1, &invite, "callee").text());
    world.expect("200 BYE");
    assert_eq!(world.event_names(), ["Ended", "Released"]);
    assert_eq!(world.agent.call_id(session), None);
    world.receive(CARRIER, &invite.answer("200 OK", "another", &contact("127.0.0.10:5090"), SDP));
    assert_eq!(world.expect("ACK").tag("To"), "another");
    assert_eq!(world.expect("BYE").tag("To"), "another");
    assert_eq!(world.events(), []);
    world.rest();
}
