//! We call over a trunk, the carrier answers, either side hangs up (RFC 3665 §3.1 from the other side).

use tandem_sbc::user_agent::{AudioCodec, Ender, Event, MediaDirection, SessionEnd};

use crate::support::{CARRIER, Request, SDP, World, address, contact};

#[test]
fn the_callee_answers_and_hangs_up() {
    let mut world = World::new();
    let session = world.call_carrier();
    let invite = world.expect("INVITE");
    assert_eq!(invite.to, address(CARRIER));
    assert_eq!(invite.request_uri(), "sip:+15557777@127.0.0.10:5070");
    assert!(
        invite.header("From").starts_with("\"Caller\" <sip:+15551234@127.0.0.1>;tag="),
        "{}",
        invite.text
    );
    assert_eq!(invite.header("Contact"), "<sip:127.0.0.1:5060>");
    assert!(invite.body().contains("m=audio 20000 RTP/AVP 0 8 101\r\n"), "{}", invite.text);
    world.receive(CARRIER, &invite.answer("100 Trying", "", "", ""));
    assert_eq!(world.event_names(), [""; 0]);
    world.receive(CARRIER, &invite.answer("180 Ringing", "callee", "", ""));
    world.receive(CARRIER, &invite.answer("180 Ringing", "callee", "", ""));
    assert_eq!(world.events(), [Event::Ringing { session }], "told once");
    world.receive(CARRIER, &invite.answer("200 OK", "callee", &contact("127.0.0.10:5099"), SDP));
    let ack = world.expect("ACK");
    assert_eq!(ack.to, address("127.0.0.10:5099"), "the remote target of the 200");
    assert_eq!(ack.header("CSeq"), "1 ACK");
    assert_ne!(ack.branch(), invite.branch(), "RFC 3261 §13.2.2.4");
    let events = world.events();
    let [Event::Media { audio, .. }, Event::Answered { .. }] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(audio.codec, AudioCodec::Pcmu);
    assert_eq!(audio.remote_rtp, address("127.0.0.10:4000"));
    assert_eq!(audio.direction, MediaDirection::SendReceive);
    world.expect_silence();

    world.receive(CARRIER, &Request::from_callee("BYE", 1, &invite, "callee").text());
    world.expect("200 BYE");
    let end = SessionEnd { by: Ender::Peer, status: 200, reason: "hung up".into() };
    assert_eq!(world.events(), [Event::Ended { session, end }, Event::Released { session }]);
    world.rest();
}

#[test]
fn we_hang_up() {
    let mut world = World::new();
    let (session, _) = world.answered();
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    let bye = world.expect("BYE");
    assert_eq!(bye.header("CSeq"), "2 BYE");
    assert!(bye.headers("Reason").is_empty());
    world.receive(CARRIER, &bye.answer("200 OK", "", "", ""));
    assert_eq!(world.event_names(), ["Ended", "Released"]);
    world.rest();
}

#[test]
fn the_callee_refuses() {
    let mut world = World::new();
    let session = world.call_carrier();
    let invite = world.expect("INVITE");
    world.receive(CARRIER, &invite.answer("486 Busy Here", "callee", "", ""));
    let ack = world.expect("ACK");
    assert_eq!(ack.branch(), invite.branch(), "RFC 3261 §17.1.1.3");
    assert_eq!(ack.tag("To"), "callee");
    let end = SessionEnd { by: Ender::Peer, status: 486, reason: "Busy Here".into() };
    assert_eq!(world.events(), [Event::Ended { session, end }, Event::Released { session }]);
    world.receive(CARRIER, &invite.answer("486 Busy Here", "callee", "", ""));
    world.expect("ACK");
    assert_eq!(world.events(), []);
    world.rest();
}
