//! An INVITE without an offer: ours is in the 200, theirs in the ACK (RFC 3261 §13.2.1).

use tandem_sbc::user_agent::{AudioCodec, Ender, Event, SessionEnd, SessionId};

use crate::support::{CARRIER, Request, SDP, Sent, World, media};

fn offered() -> (World, SessionId, Sent) {
    let mut world = World::new();
    world.receive(CARRIER, &Request::invite().with(|invite| invite.body.clear()).text());
    let session = world.incoming();
    world.expect("100 INVITE");
    world.own(|agent, now| agent.accept(now, session, media())).expect("accepted");
    let ok = world.expect("200 INVITE");
    assert!(ok.body().contains("m=audio 20000 RTP/AVP 0 8 101"), "{}", ok.text);
    assert_eq!(world.events(), []);
    (world, session, ok)
}

#[test]
fn the_ack_answers_our_offer() {
    let (mut world, session, ok) = offered();
    let answer = SDP.replace("AVP 0", "AVP 8");
    world.receive(CARRIER, &Request::within("ACK", 1, &ok).with(|ack| ack.body = answer).text());
    let events = world.events();
    let [Event::Media { audio, .. }, Event::Confirmed { session: confirmed }] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!((audio.codec, *confirmed), (AudioCodec::Pcma, session));
}

#[test]
fn an_ack_without_usable_answer_ends_the_session() {
    for body in [String::new(), SDP.replace("AVP 0 101", "AVP 18"), "hello".into()] {
        let (mut world, session, ok) = offered();
        world.receive(CARRIER, &Request::within("ACK", 1, &ok).with(|ack| ack.body = body).text());
        let bye = world.expect("BYE");
        let end = SessionEnd { by: Ender::Failure, status: 488, reason: "no answer to the offer".into() };
        assert_eq!(world.events(), [Event::Ended { session, end }]);
        world.receive(CARRIER, &bye.answer("200 OK", "", "", ""));
        assert_eq!(world.events(), [Event::Released { session }]);
        world.rest();
    }
}
