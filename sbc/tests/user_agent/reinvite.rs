//! The peer changes the session (RFC 3261 §14.2, RFC 3264 §8).

use std::sync::Arc;

use tandem_sbc::user_agent::{AudioCodec, Event, MediaDirection, NegotiatedAudio};

use crate::support::{CARRIER, Request, SDP, Sent, World, address, contact};

fn reinvite(cseq: u32, ok: &Sent, sdp: &str) -> Request {
    Request::within("INVITE", cseq, ok).with(|invite| {
        invite.headers = contact(CARRIER);
        sdp.clone_into(&mut invite.body);
    })
}

/// The audio that the only event so far told of.
fn told(world: &mut World) -> Arc<NegotiatedAudio> {
    match world.events().as_slice() {
        [Event::Media { audio, .. }] => audio.clone(),
        other => panic!("no media but {other:?}"),
    }
}

/// RFC 3264 §8.4: hold and resume, in the words of today and of RFC 2543.
#[test]
fn hold_and_resume() {
    for (hold, ours, line) in [
        (format!("{SDP}a=sendonly\r\n"), MediaDirection::ReceiveOnly, "a=recvonly"),
        (format!("{SDP}a=inactive\r\n"), MediaDirection::Inactive, "a=inactive"),
        (SDP.replace("c=IN IP4 127.0.0.10", "c=IN IP4 0.0.0.0"), MediaDirection::ReceiveOnly, "a=recvonly"),
    ] {
        let mut world = World::new();
        let (_, ok) = world.established();
        world.receive(CARRIER, &reinvite(2, &ok, &hold).text());
        let held = world.expect("200 INVITE");
        assert!(held.body().contains(line), "{}", held.text);
        assert_eq!(held.tag("To"), ok.tag("To"));
        assert_eq!(told(&mut world).direction, ours);
        world.receive(CARRIER, &Request::within("ACK", 2, &ok).text());
        world.receive(CARRIER, &reinvite(3, &ok, SDP).text());
        let resumed = world.expect("200 INVITE");
        assert!(resumed.body().contains("a=sendrecv"), "{}", resumed.text);
        assert_eq!(told(&mut world).direction, MediaDirection::SendReceive);
        world.receive(CARRIER, &Request::within("ACK", 3, &ok).text());
        world.pass_ms(40_000);
        world.expect_silence();
    }
}

#[test]
fn media_moves_and_the_codec_changes() {
    let mut world = World::new();
    let (_, ok) = world.established();
    let moved =
        SDP.replace("4000 RTP/AVP 0", "4100 RTP/AVP 8").replace("c=IN IP4 127.0.0.10", "c=IN IP4 127.0.0.12");
    world.receive(CARRIER, &reinvite(2, &ok, &moved).text());
    world.expect("200 INVITE");
    let audio = told(&mut world);
    assert_eq!(audio.remote_rtp, address("127.0.0.12:4100"));
    assert_eq!(audio.codec, AudioCodec::Pcma);
}

/// RFC 4028 refreshes come as they are: answered, and nothing to tell.
#[test]
fn an_offer_that_changes_nothing_is_answered_and_not_told() {
    let mut world = World::new();
    let (_, ok) = world.established();
    world.receive(CARRIER, &reinvite(2, &ok, SDP).text());
    let again = world.expect("200 INVITE");
    assert_eq!(again.body(), ok.body(), "RFC 3264 §8: the same version");
    assert_eq!(world.events(), []);
}

/// §12.2.2: the Contact of a re-INVITE is the new target.
#[test]
fn the_remote_target_is_refreshed() {
    let mut world = World::new();
    let (session, ok) = world.established();
    let moved = reinvite(2, &ok, SDP).with(|invite| invite.headers = contact("other@127.0.0.10:5999"));
    world.receive(CARRIER, &moved.text());
    world.expect("200 INVITE");
    world.receive(CARRIER, &Request::within("ACK", 2, &ok).text());
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    let bye = world.expect("BYE");
    assert_eq!(bye.request_uri(), "sip:other@127.0.0.10:5999");
    assert_eq!(bye.to, address("127.0.0.10:5999"));
}

/// §14.2: 488, and the session stays as it was.
#[test]
fn an_offer_without_common_codec_keeps_the_session() {
    let mut world = World::new();
    let (session, ok) = world.established();
    world.receive(CARRIER, &reinvite(2, &ok, &SDP.replace("AVP 0 101", "AVP 18")).text());
    world.expect("488 INVITE");
    assert_eq!(world.events(), []);
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("still there");
}

/// §14.2: the 2xx of a re-INVITE is sent again until its ACK comes; a further one meanwhile is 491.
#[test]
fn one_reinvite_at_a_time() {
    let mut world = World::new();
    let (_, ok) = world.established();
    world.receive(CARRIER, &reinvite(2, &ok, SDP).text());
    world.expect("200 INVITE");
    world.pass_ms(500);
    world.expect("200 INVITE");
    world.receive(CARRIER, &reinvite(3, &ok, SDP).text());
    world.expect("491 INVITE");
    world.receive(CARRIER, &Request::within("ACK", 2, &ok).text());
    world.receive(
        CARRIER,
        &Request::within("ACK", 3, &ok).with(|ack| ack.branch = "z9hG4bK-invite-3".into()).text(),
    );
    world.receive(CARRIER, &reinvite(4, &ok, SDP).text());
    world.expect("200 INVITE");
}

/// §13.3.1.4.
#[test]
fn a_reinvite_whose_ack_never_comes_ends_the_session() {
    let mut world = World::new();
    let (_, ok) = world.established();
    world.receive(CARRIER, &reinvite(2, &ok, SDP).text());
    world.pass_ms(32_000);
    assert_eq!(world.event_names(), ["Ended"]);
    assert_eq!(world.sent().last().map(|(at, what)| (*at, what.clone())), Some((32_000, "BYE".into())));
    world.rest();
}

/// RFC 3264 §5, RFC 3261 §14.2: no offer in the re-INVITE, so ours is in the 200 and theirs in the ACK.
#[test]
fn a_reinvite_without_offer_is_given_one() {
    let mut world = World::new();
    let (_, ok) = world.established();
    world.receive(CARRIER, &reinvite(2, &ok, "").text());
    let offer = world.expect("200 INVITE");
    assert!(offer.body().contains("m=audio 20000 RTP/AVP 0 8 101"), "{}", offer.text);
    assert_eq!(world.events(), []);
    let answer = SDP.replace("AVP 0", "AVP 8");
    world.receive(CARRIER, &Request::within("ACK", 2, &ok).with(|ack| ack.body = answer).text());
    assert_eq!(told(&mut world).codec, AudioCodec::Pcma);
}

/// §12.2.2: what was overtaken is 500.
#[test]
fn a_request_that_was_overtaken_is_500() {
    let mut world = World::new();
    let (_, ok) = world.established();
    world.receive(CARRIER, &Request::within("OPTIONS", 9, &ok).text());
    world.expect("200 OPTIONS");
    world.receive(CARRIER, &reinvite(8, &ok, SDP).text());
    world.expect("500 INVITE");
    world.receive(CARRIER, &Request::within("BYE", 7, &ok).text());
    world.expect("500 BYE");
    assert_eq!(world.events(), []);
}
