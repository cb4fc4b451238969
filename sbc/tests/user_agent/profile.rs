//! What a peer's profile changes in what it is sent.

use std::time::Duration;

use tandem_sbc::user_agent::{AudioCodec, Dtmf, Event, Profile};

use crate::support::{CARRIER, Request, Sent, World, config, contact, media};

const BOTH: &str = "v=0\r\no=peer 1 1 IN IP4 127.0.0.10\r\ns=-\r\nc=IN IP4 127.0.0.10\r\nt=0 0\r\n\
    m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";

fn world(profile: Profile) -> World {
    let mut config = config();
    config.trunks[0].profile = profile;
    World::with(config)
}

fn media_line(sent: &Sent) -> String {
    sent.body().lines().find(|line| line.starts_with("m=")).unwrap_or_default().to_owned()
}

/// RFC 3264 §5.1: an offer lists formats in order of preference.
#[test]
fn offers_have_the_codecs_of_the_profile_in_its_order() {
    for (codecs, line) in [
        (vec![], "m=audio 20000 RTP/AVP 0 8 101"),
        (vec![AudioCodec::Pcma, AudioCodec::Pcmu], "m=audio 20000 RTP/AVP 8 0 101"),
        (vec![AudioCodec::Pcma], "m=audio 20000 RTP/AVP 8 101"),
    ] {
        let mut world = world(Profile { codecs, ..Profile::default() });
        world.call_carrier();
        assert_eq!(media_line(&world.expect("INVITE")), line);
    }
}

/// RFC 3264 §6.1: an answer keeps the offer's order, less what is not allowed.
#[test]
fn answers_leave_out_codecs_that_are_not_allowed() {
    let mut world = world(Profile { codecs: vec![AudioCodec::Pcma], ..Profile::default() });
    world.receive(CARRIER, &Request::invite().with(|invite| invite.body = BOTH.to_owned()).text());
    let session = world.incoming();
    world.own(|agent, now| agent.accept(now, session, media())).expect("an offered session");
    world.expect("100 INVITE");
    assert_eq!(media_line(&world.expect("200 INVITE")), "m=audio 20000 RTP/AVP 8 101");
}

#[test]
fn an_offer_without_an_allowed_codec_is_not_acceptable() {
    let mut world = world(Profile { codecs: vec![AudioCodec::Pcma], ..Profile::default() });
    world.receive(CARRIER, &Request::invite().text());
    let events = world.events();
    assert!(matches!(events[..], [Event::Incoming { acceptable: false, .. }]), "{events:?}");
}

#[test]
fn offers_have_the_packet_time_of_the_profile() {
    let mut world = world(Profile { ptime: Some(Duration::from_millis(30)), ..Profile::default() });
    world.call_carrier();
    assert!(world.expect("INVITE").body().contains("\r\na=ptime:30\r\n"));
}

/// RFC 4733 §2.5.1.1: who does not list telephone-event is not sent any.
#[test]
fn telephone_events_can_be_turned_off() {
    let mut world = world(Profile { dtmf: Dtmf::Off, ..Profile::default() });
    world.call_carrier();
    assert_eq!(media_line(&world.expect("INVITE")), "m=audio 20000 RTP/AVP 0 8");
    world.receive(CARRIER, &Request::invite().text());
    let session = world.incoming();
    world.own(|agent, now| agent.accept(now, session, media())).expect("an offered session");
    world.expect("100 INVITE");
    assert_eq!(media_line(&world.expect("200 INVITE")), "m=audio 20000 RTP/AVP 0");
    let events = world.events();
    let Some(Event::Media { audio, .. }) = events.first() else { panic!("no media but {events:?}") };
    assert_eq!((audio.send_event_payload_type, audio.receive_event_payload_type), (None, None));
}

/// RFC 3261 §20.22, and §9.1 for CANCEL.
#[test]
fn every_request_has_the_hops_of_the_profile() {
    let mut world = world(Profile { max_forwards: 12, ..Profile::default() });
    let session = world.call_carrier();
    let invite = world.expect("INVITE");
    assert_eq!(invite.header("Max-Forwards"), "12");
    world.receive(CARRIER, &invite.answer("180 Ringing", "callee", &contact(CARRIER), ""));
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    assert_eq!(world.expect("CANCEL").header("Max-Forwards"), "12");

    let (session, _) = self::answered(&mut world);
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    assert_eq!(world.expect("BYE").header("Max-Forwards"), "12");
}

fn answered(world: &mut World) -> (tandem_sbc::user_agent::SessionId, Sent) {
    world.events();
    world.answered()
}

/// RFC 3261 §20.35 and §20.41 warn that both tell an attacker what to look for.
#[test]
fn no_message_says_what_we_are_when_the_profile_says_so() {
    let mut world = world(Profile { product_header: false, ..Profile::default() });
    let (session, ok) = world.established();
    assert_eq!(ok.header("Server"), "");
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    assert_eq!(world.expect("BYE").header("User-Agent"), "");
    let (_, invite) = answered(&mut world);
    assert_eq!(invite.header("User-Agent"), "");
    world.receive(CARRIER, &Request::new("OPTIONS", "sip:127.0.0.1").text());
    assert_eq!(world.expect("200 OPTIONS").header("Server"), "");
    world.receive(
        CARRIER,
        "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.10:5070;branch=z9hG4bK1\r\n\
        From: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: broken\r\nCSeq: x OPTIONS\r\n\r\n",
    );
    assert_eq!(world.expect("400 OPTIONS").header("Server"), "");
}
