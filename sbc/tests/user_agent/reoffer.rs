//! Changes that we ask for: hold and resume, another address, and offers that cross (RFC 3261 §14.1, RFC 3311 §5.1).

use tandem_sbc::user_agent::{
    AudioCodec, Event, LocalMedia, MediaDirection, Reoffer, SessionError, SessionId, Usage,
};

use crate::support::{CARRIER, Request, SDP, Sent, World, address, config, contact, media};

fn direction(direction: MediaDirection) -> Reoffer {
    Reoffer { direction: Some(direction), ..Reoffer::default() }
}

fn hold() -> Reoffer {
    direction(MediaDirection::SendOnly)
}

fn ask(world: &mut World, session: SessionId, reoffer: Reoffer) {
    world.own(|agent, now| agent.reoffer(now, session, reoffer)).expect("a confirmed session");
}

fn held() -> String {
    format!("{SDP}a=recvonly\r\n")
}

fn accepted(invite: &Sent, sdp: &str) -> String {
    invite.answer("200 OK", "", &contact(CARRIER), sdp)
}

fn told(world: &mut World) -> (MediaDirection, u16) {
    match world.events().as_slice() {
        [Event::Media { audio, .. }, Event::Reoffered { status, .. }] => (audio.direction, *status),
        other => panic!("{other:?}"),
    }
}

/// RFC 3264 §8.4: hold is `sendonly`, and the peer keeps it up when it makes an offer meanwhile.
#[test]
fn hold_and_resume() {
    let mut world = World::new();
    let (session, ok) = world.established();
    ask(&mut world, session, hold());
    let invite = world.expect("INVITE");
    assert!(invite.body().contains("a=sendonly"), "{}", invite.text);
    assert_eq!((invite.tag("From"), invite.header("CSeq")), (ok.tag("To"), "1 INVITE".to_owned()));
    let again = world.own(|agent, now| agent.reoffer(now, session, hold()));
    assert_eq!(again, Err(SessionError::WrongState), "one at a time");
    world.receive(CARRIER, &accepted(&invite, &held()));
    assert_eq!(world.expect("ACK").header("CSeq"), "1 ACK");
    assert_eq!(told(&mut world), (MediaDirection::SendOnly, 200));
    world.receive(CARRIER, &accepted(&invite, &held()));
    world.expect("ACK");
    assert_eq!(world.events(), [], "the 2xx again is the ACK again");
    let refresh = Request::within("UPDATE", 2, &ok).with(|update| SDP.clone_into(&mut update.body));
    world.receive(CARRIER, &refresh.text());
    assert!(world.expect("200 UPDATE").body().contains("a=sendonly"), "still held");
    ask(&mut world, session, direction(MediaDirection::SendReceive));
    let invite = world.expect("INVITE");
    assert!(invite.body().contains("a=sendrecv"), "{}", invite.text);
    world.receive(CARRIER, &accepted(&invite, SDP));
    world.expect("ACK");
    assert_eq!(told(&mut world), (MediaDirection::SendReceive, 200));
}

/// RFC 3264 §8.3.1: another address has another version.
#[test]
fn our_media_moves() {
    let mut world = World::new();
    let (session, _) = world.answered();
    let moved = LocalMedia { rtp: address("127.0.0.2:30000"), ..media() };
    ask(&mut world, session, Reoffer { media: Some(moved), ..Reoffer::default() });
    let invite = world.expect("INVITE");
    assert!(invite.body().contains(" 1 IN IP4 127.0.0.2"), "{}", invite.text);
    assert!(invite.body().contains("c=IN IP4 127.0.0.2"), "{}", invite.text);
    assert!(invite.body().contains("m=audio 30000"), "{}", invite.text);
}

/// RFC 3264 §8.3.2: a caller that has named several codecs, and was answered with one, is offered the others before it
/// where its profile allows that; what it named once it may be asked for again.
#[test]
fn another_codec_that_the_peer_has_named() {
    let both = SDP.replace("m=audio 4000 RTP/AVP 0", "m=audio 4000 RTP/AVP 0 8");
    assert_ne!(both, SDP, "the description has a stream");
    let one = |number| SDP.replace("RTP/AVP 0", &format!("RTP/AVP {number}"));
    let others = |world: &mut World| match world.events().as_slice() {
        [Event::Media { audio, .. }, ..] => (audio.codec, audio.others.clone()),
        other => panic!("{other:?}"),
    };
    for is_allowed in [true, false] {
        let mut config = config();
        config.trunks[0].profile.codec_change = is_allowed;
        let mut world = World::with(config);
        let invite = Request::invite().with(|invite| invite.body.clone_from(&both));
        world.receive(CARRIER, &invite.text());
        let session = world.incoming();
        world.own(|agent, now| agent.accept(now, session, media())).expect("it waits");
        world.expect("100 INVITE");
        let ok = world.expect("200 INVITE");
        let known = if is_allowed { vec![AudioCodec::Pcma] } else { Vec::new() };
        assert_eq!(others(&mut world), (AudioCodec::Pcmu, known));
        world.receive(CARRIER, &Request::within("ACK", 1, &ok).text());
        world.events();
        let preferring = LocalMedia { preferred: Some(AudioCodec::Pcma), ..media() };
        ask(&mut world, session, Reoffer { media: Some(preferring), ..Reoffer::default() });
        let invite = world.expect("INVITE");
        assert!(invite.body().contains("RTP/AVP 8 0"), "{}", invite.text);
        world.receive(CARRIER, &accepted(&invite, &one(8)));
        world.expect("ACK");
        let known = if is_allowed { vec![AudioCodec::Pcmu] } else { Vec::new() };
        assert_eq!(others(&mut world), (AudioCodec::Pcma, known), "an answer names but what it takes");
    }
}

/// §14.1: a refusal leaves everything as it was; the next offer has a higher version than the one refused.
#[test]
fn a_refusal_leaves_the_session_as_it_was() {
    let mut world = World::new();
    let (session, _) = world.answered();
    let moved = LocalMedia { rtp: address("127.0.0.2:30000"), ..media() };
    ask(&mut world, session, Reoffer { media: Some(moved), ..hold() });
    let invite = world.expect("INVITE");
    world.receive(CARRIER, &invite.answer("488 Not Acceptable Here", "", "", ""));
    world.expect("ACK");
    assert_eq!(world.events(), [Event::Reoffered { session, status: 488 }]);
    ask(&mut world, session, Reoffer::default());
    let invite = world.expect("INVITE");
    assert!(
        invite.body().contains("m=audio 20000") && invite.body().contains("a=sendrecv"),
        "{}",
        invite.text
    );
    assert!(invite.body().contains(" 2 IN IP4 127.0.0.1"), "{}", invite.text);
}

/// When the change is tried again after 491, in milliseconds; the session is `ours` by its Call-ID.
fn waited(ours: bool) -> u64 {
    let mut world = World::new();
    let session = if ours { world.answered().0 } else { world.established().0 };
    ask(&mut world, session, hold());
    let invite = world.expect("INVITE");
    world.receive(CARRIER, &invite.answer("491 Request Pending", "", "", ""));
    world.expect("ACK");
    assert_eq!(world.events(), [], "it is not over");
    world.pass_ms(4_001);
    let again: Vec<(u64, String)> = world.sent().into_iter().filter(|(_, what)| what == "INVITE").collect();
    again.first().expect("tried again").0
}

/// §14.1: who owns the Call-ID waits longer than who does not.
#[test]
fn a_crossed_offer_is_tried_again_after_the_back_off() {
    assert!((2_100..=4_000).contains(&waited(true)));
    assert!((0..=2_000).contains(&waited(false)));
}

/// §14.2: theirs is refused with 491 while ours is out, by INVITE and by UPDATE.
#[test]
fn their_offer_meanwhile_is_491() {
    let mut world = World::new();
    let (session, ok) = world.established();
    ask(&mut world, session, hold());
    let ours = world.expect("INVITE");
    let theirs = |method, cseq| {
        Request::within(method, cseq, &ok).with(|it| {
            it.headers = contact(CARRIER);
            SDP.clone_into(&mut it.body);
        })
    };
    world.receive(CARRIER, &theirs("INVITE", 2).text());
    world.expect("491 INVITE");
    world.receive(CARRIER, &theirs("UPDATE", 3).text());
    world.expect("491 UPDATE");
    world.receive(CARRIER, &accepted(&ours, &held()));
    world.expect("ACK");
    world.receive(CARRIER, &theirs("UPDATE", 4).text());
    world.expect("200 UPDATE");
}

/// §14.1 with §12.2.1.2: 481, 408 and silence end the dialog.
#[test]
fn a_peer_that_knows_the_dialog_no_more_is_left() {
    for status in ["481 Call/Transaction Does Not Exist", "408 Request Timeout", ""] {
        let mut world = World::new();
        let (session, _) = world.established();
        ask(&mut world, session, hold());
        let invite = world.expect("INVITE");
        if status.is_empty() {
            world.pass_ms(32_000);
            assert!(world.sent().iter().any(|(_, what)| what == "BYE"));
        } else {
            world.receive(CARRIER, &invite.answer(status, "", "", ""));
            world.expect("ACK");
            world.expect("BYE");
        }
        assert_eq!(world.event_names(), ["Ended"], "{status}");
        world.rest();
    }
}

/// A change that finds another offer open waits for its end.
#[test]
fn a_change_waits_for_the_ack_of_theirs() {
    let mut world = World::new();
    let (session, ok) = world.established();
    let theirs = Request::within("INVITE", 2, &ok).with(|it| {
        it.headers = contact(CARRIER);
        SDP.clone_into(&mut it.body);
    });
    world.receive(CARRIER, &theirs.text());
    world.expect("200 INVITE");
    ask(&mut world, session, hold());
    world.expect_silence();
    world.receive(CARRIER, &Request::within("ACK", 2, &ok).text());
    world.pass_ms(500);
    world.expect("INVITE");
}

/// §15 with §13.2.2.4: who hangs up meanwhile still has the 2xx acknowledged.
#[test]
fn a_hang_up_overtakes_a_change() {
    let mut world = World::new();
    let (session, _) = world.established();
    ask(&mut world, session, hold());
    let invite = world.expect("INVITE");
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    let bye = world.expect("BYE");
    world.receive(CARRIER, &bye.answer("200 OK", "", "", ""));
    world.receive(CARRIER, &accepted(&invite, &held()));
    world.expect("ACK");
    assert_eq!(world.event_names(), ["Ended", "Released"]);
    world.rest();
    assert_eq!(world.agent.usage(), Usage::default());
}

/// RFC 3311 §5.1: before the answer a change goes by UPDATE, in the dialog whose answer came reliably.
#[test]
fn before_the_answer_it_goes_by_update() {
    let mut world = World::new();
    let session = world.call_carrier();
    let invite = world.expect("INVITE");
    let refused = world.own(|agent, now| agent.reoffer(now, session, hold()));
    assert_eq!(refused, Err(SessionError::WrongState), "there is no dialog");
    let headers = format!("{}Require: 100rel\r\nRSeq: 1\r\n", contact(CARRIER));
    world.receive(CARRIER, &invite.answer("183 Session Progress", "callee", &headers, SDP));
    world.expect("PRACK");
    world.events();
    ask(&mut world, session, hold());
    let update = world.expect("UPDATE");
    assert_eq!(update.header("CSeq"), "3 UPDATE");
    world.receive(CARRIER, &update.answer("200 OK", "", &contact(CARRIER), &held()));
    assert_eq!(world.event_names(), ["EarlyMedia", "Reoffered"]);
    world.receive(CARRIER, &invite.answer("200 OK", "callee", &contact(CARRIER), ""));
    world.expect("ACK");
    let events = world.events();
    let [Event::Media { audio, .. }, Event::Answered { .. }] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(audio.direction, MediaDirection::SendOnly);
}
