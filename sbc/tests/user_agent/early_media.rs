//! Media before the answer, both ways (RFC 3261 §13.2.1 and §13.3.1.1, RFC 3960, RFC 5009).

use std::sync::Arc;

use tandem_sbc::user_agent::{EarlyMedia, Event, MediaDirection, NegotiatedAudio, Profile, SessionError};

use crate::support::{CARRIER, Request, SDP, Sent, World, address, config, contact, media};

fn world(early_media: EarlyMedia) -> World {
    let mut config = config();
    config.trunks[0].profile = Profile { early_media, ..Profile::default() };
    World::with(config)
}

/// The early media that was told, and nothing else but ringing.
fn early(world: &mut World) -> Option<Arc<NegotiatedAudio>> {
    let told = |event: Event| match event {
        Event::EarlyMedia { audio, .. } => Some(audio),
        Event::Ringing { .. } => None,
        other => panic!("{other:?}"),
    };
    let mut told = world.events().into_iter().filter_map(told);
    let first = told.next();
    assert_eq!(told.next(), None);
    first
}

fn at_port(port: u16) -> String {
    SDP.replace("4000", &port.to_string())
}

fn progress(invite: &Sent, tag: &str, headers: &str, sdp: &str) -> String {
    invite.answer("183 Session Progress", tag, &format!("{}{headers}", contact(CARRIER)), sdp)
}

#[test]
fn a_callee_is_heard_before_it_answers() {
    let mut world = World::new();
    world.call_carrier();
    let invite = world.expect("INVITE");
    assert_eq!(invite.header("P-Early-Media"), "supported");
    world.receive(CARRIER, &progress(&invite, "callee", "", SDP));
    let events = world.events();
    let [Event::EarlyMedia { audio, .. }, Event::Ringing { .. }] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(audio.remote_rtp, address("127.0.0.10:4000"));
    world.receive(CARRIER, &progress(&invite, "callee", "", SDP));
    assert_eq!(world.events(), [], "nothing has changed");
    world.receive(CARRIER, &invite.answer("200 OK", "callee", &contact(CARRIER), SDP));
    world.expect("ACK");
    assert_eq!(world.event_names(), ["Media", "Answered"]);
}

/// §13.2.1: the answer may stand in any provisional response.
#[test]
fn ringing_may_carry_media_too() {
    let mut world = World::new();
    world.call_carrier();
    let invite = world.expect("INVITE");
    world.receive(CARRIER, &invite.answer("180 Ringing", "callee", &contact(CARRIER), SDP));
    assert_eq!(world.event_names(), ["EarlyMedia", "Ringing"]);
}

#[test]
fn early_media_that_the_profile_ignores_is_not_heard() {
    let mut world = world(EarlyMedia::Ignore);
    world.call_carrier();
    let invite = world.expect("INVITE");
    assert_eq!(invite.header("P-Early-Media"), "");
    world.receive(CARRIER, &progress(&invite, "callee", "", SDP));
    assert_eq!(world.event_names(), ["Ringing"]);
    world.receive(CARRIER, &invite.answer("200 OK", "callee", &contact(CARRIER), SDP));
    world.expect("ACK");
    assert_eq!(world.event_names(), ["Media", "Answered"]);
}

/// RFC 5009 §8: the network shuts the way and opens it.
#[test]
fn the_network_gates_early_media() {
    let mut world = World::new();
    world.call_carrier();
    let invite = world.expect("INVITE");
    // Directions are of the lines of media in their order, and there is one.
    for closed in ["inactive", "recvonly", "supported, inactive", "inactive, sendrecv"] {
        world.receive(CARRIER, &progress(&invite, closed, &format!("P-Early-Media: {closed}\r\n"), SDP));
        assert_eq!(early(&mut world), None, "{closed}");
    }
    let opens = "P-Early-Media: sendrecv, inactive, gated\r\n";
    world.receive(CARRIER, &progress(&invite, "inactive", opens, ""));
    assert_eq!(early(&mut world).map(|audio| audio.remote_rtp), Some(address("127.0.0.10:4000")));
}

/// RFC 5009 §8: what was let through is shut again, and not by what says nothing of it; the answer lets everything through.
#[test]
fn the_network_takes_back_what_it_let_through() {
    let mut world = World::new();
    world.call_carrier();
    let invite = world.expect("INVITE");
    world.receive(CARRIER, &progress(&invite, "callee", "P-Early-Media: sendrecv\r\n", SDP));
    assert_eq!(early(&mut world).map(|audio| audio.direction), Some(MediaDirection::SendReceive));
    world.receive(CARRIER, &progress(&invite, "callee", "", ""));
    assert_eq!(early(&mut world), None);
    for again in [Some(MediaDirection::SendOnly), None] {
        world.receive(CARRIER, &progress(&invite, "callee", "P-Early-Media: inactive\r\n", SDP));
        assert_eq!(early(&mut world).map(|audio| audio.direction), again);
    }
    world.receive(CARRIER, &invite.answer("200 OK", "callee", &contact(CARRIER), SDP));
    world.expect("ACK");
    let events = world.events();
    let [Event::Media { audio, .. }, Event::Answered { .. }] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(audio.direction, MediaDirection::SendReceive);
}

/// RFC 5009 §8, Table 1: the callee's UPDATE and what answers a PRACK say it, too.
#[test]
fn the_network_gates_early_media_in_every_message_that_may_say_so() {
    let mut world = World::new();
    world.call_carrier();
    let invite = world.expect("INVITE");
    let closed = "Require: 100rel\r\nRSeq: 1\r\nP-Early-Media: inactive\r\n";
    world.receive(CARRIER, &progress(&invite, "callee", closed, SDP));
    assert_eq!(early(&mut world), None);
    let prack = world.expect("PRACK");
    world.receive(CARRIER, &prack.answer("200 OK", "", "P-Early-Media: sendonly\r\n", ""));
    assert_eq!(early(&mut world).map(|audio| audio.direction), Some(MediaDirection::SendReceive));
    for (cseq, says, heard) in
        [(1, "inactive", MediaDirection::SendOnly), (2, "sendrecv", MediaDirection::SendReceive)]
    {
        let update = Request::from_callee("UPDATE", cseq, &invite, "callee");
        let headers = format!("{}P-Early-Media: {says}\r\n", contact(CARRIER));
        world.receive(CARRIER, &update.with(|it| it.headers = headers).text());
        world.expect("200 UPDATE");
        assert_eq!(early(&mut world).map(|audio| audio.direction), Some(heard));
    }
}

/// §12.1.2, §13.2.2.4: each callee of a forking carrier has a dialog and an answer of its own; the latest is heard,
/// and who answers wins.
#[test]
fn of_several_early_dialogs_the_latest_is_heard_and_the_answer_wins() {
    let mut world = World::new();
    let session = world.call_carrier();
    let invite = world.expect("INVITE");
    let port = |world: &mut World| early(world).map(|audio| audio.remote_rtp.port());
    world.receive(CARRIER, &progress(&invite, "one", "Record-Route: <sip:127.0.0.10:5071;lr>\r\n", SDP));
    assert_eq!(port(&mut world), Some(4000));
    world.receive(CARRIER, &progress(&invite, "two", "", &at_port(4100)));
    assert_eq!(port(&mut world), Some(4100));
    world.receive(CARRIER, &invite.answer("180 Ringing", "three", &contact(CARRIER), ""));
    assert_eq!(port(&mut world), None, "it has no media to be heard");
    world.receive(CARRIER, &progress(&invite, "one", "", SDP));
    assert_eq!(port(&mut world), Some(4000));
    world.receive(CARRIER, &invite.answer("200 OK", "two", &contact("127.0.0.10:5099"), &at_port(4100)));
    assert_eq!(world.expect("ACK").to, address("127.0.0.10:5099"), "without the other dialog's route");
    let events = world.events();
    let [Event::Media { audio, .. }, Event::Answered { .. }] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(audio.remote_rtp.port(), 4100);
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    assert_eq!(world.expect("BYE").tag("To"), "two");
}

/// What a 2xx leaves out was said in its dialog before.
#[test]
fn an_answer_without_description_means_the_early_one() {
    let mut world = World::new();
    world.call_carrier();
    let invite = world.expect("INVITE");
    world.receive(CARRIER, &progress(&invite, "callee", "", &at_port(4200)));
    world.events();
    world.receive(CARRIER, &invite.answer("200 OK", "callee", &contact(CARRIER), ""));
    world.expect("ACK");
    let events = world.events();
    let [Event::Media { audio, .. }, Event::Answered { .. }] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(audio.remote_rtp.port(), 4200);
}

/// The seventeenth dialog rings and is not heard; when it answers, it wins all the same.
#[test]
fn early_dialogs_are_sixteen_at_most() {
    let mut world = World::new();
    world.call_carrier();
    let invite = world.expect("INVITE");
    for callee in 0..17_u16 {
        world.receive(CARRIER, &progress(&invite, &format!("c{callee}"), "", &at_port(4000 + 2 * callee)));
        assert_eq!(early(&mut world).is_some(), callee < 16, "{callee}");
    }
    world.receive(CARRIER, &invite.answer("200 OK", "c16", &contact(CARRIER), &at_port(4032)));
    world.expect("ACK");
    assert_eq!(world.event_names(), ["Media", "Answered"]);
}

/// §13.3.1.1 and §13.2.1: 183 with our answer, which the 2xx says again.
#[test]
fn a_caller_hears_us_before_we_answer() {
    let mut world = World::new();
    let invite = Request::invite().with(|invite| invite.headers.push_str("P-Early-Media: supported\r\n"));
    world.receive(CARRIER, &invite.text());
    let session = world.incoming();
    world.expect("100 INVITE");
    world.own(|agent, now| agent.progress(now, session, media())).expect("an offered session");
    let progress = world.expect("183 INVITE");
    assert!(progress.body().contains("m=audio 20000 RTP/AVP 0 101"), "{}", progress.text);
    assert_eq!(progress.header("P-Early-Media"), "sendrecv");
    assert!(!progress.tag("To").is_empty());
    assert_eq!(world.event_names(), ["EarlyMedia"]);
    world.pass_ms(60_000);
    assert_eq!(world.expect("183 INVITE").body(), progress.body(), "again each minute");
    world.own(|agent, now| agent.ring(now, session)).expect("an offered session");
    assert_eq!(world.expect("180 INVITE").body(), "");
    world.own(|agent, now| agent.accept(now, session, media())).expect("an offered session");
    let ok = world.expect("200 INVITE");
    assert_eq!((ok.body(), ok.tag("To")), (progress.body(), progress.tag("To")));
    world.receive(CARRIER, &Request::within("ACK", 1, &ok).text());
    assert_eq!(world.event_names(), ["Confirmed"], "the media is what it was");
}

#[test]
fn early_media_needs_an_offer_that_it_answers() {
    let mut world = World::new();
    world.receive(CARRIER, &Request::invite().with(|invite| invite.body.clear()).text());
    let session = world.incoming();
    let refused = world.own(|agent, now| agent.progress(now, session, media()));
    assert_eq!(refused, Err(SessionError::NoOffer));
    world.own(|agent, now| agent.accept(now, session, media())).expect("still offered");
    let refused = world.own(|agent, now| agent.progress(now, session, media()));
    assert_eq!(refused, Err(SessionError::WrongState));
}
