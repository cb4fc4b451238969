//! UPDATE from the peer (RFC 3311), before and after the answer.

use tandem_sbc::user_agent::{Event, MediaDirection};

use crate::support::{CARRIER, Request, SDP, Sent, World, address, contact, media};

fn update(request: Request, sdp: &str) -> String {
    let change = |update: &mut Request| {
        update.headers = contact("moved@127.0.0.10:5999");
        sdp.clone_into(&mut update.body);
    };
    request.with(change).text()
}

fn hold() -> String {
    format!("{SDP}a=sendonly\r\n")
}

/// §5.2: an offer is answered, the Contact is the new target.
#[test]
fn an_established_session_is_changed() {
    let mut world = World::new();
    let (session, ok) = world.established();
    world.receive(CARRIER, &update(Request::within("UPDATE", 2, &ok), &hold()));
    let answer = world.expect("200 UPDATE");
    assert!(answer.body().contains("a=recvonly"), "{}", answer.text);
    assert!(!answer.header("Contact").is_empty());
    let events = world.events();
    let [Event::Media { audio, .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(audio.direction, MediaDirection::ReceiveOnly);
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    assert_eq!(world.expect("BYE").to, address("127.0.0.10:5999"));
}

#[test]
fn an_update_without_offer_refreshes_the_target_only() {
    let mut world = World::new();
    let (session, ok) = world.established();
    world.receive(CARRIER, &update(Request::within("UPDATE", 2, &ok), ""));
    assert_eq!(world.expect("200 UPDATE").body(), "");
    assert_eq!(world.events(), []);
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    assert_eq!(world.expect("BYE").request_uri(), "sip:moved@127.0.0.10:5999");
}

/// §5.2: 500 with Retry-After while their offer waits for our answer; 488 leaves the session as it was.
#[test]
fn an_offer_at_a_bad_time_or_without_codec_is_refused() {
    let mut world = World::new();
    world.receive(CARRIER, &Request::invite().text());
    let session = world.incoming();
    world.own(|agent, now| agent.ring(now, session)).expect("an offered session");
    world.expect("100 INVITE");
    let ringing = world.expect("180 INVITE");
    world.receive(CARRIER, &update(Request::within("UPDATE", 2, &ringing), SDP));
    let refused = world.expect("500 UPDATE");
    assert!(refused.header("Retry-After").parse::<u32>().is_ok_and(|seconds| seconds <= 10));
    let mut world = World::new();
    let (_, ok) = world.established();
    let strange = SDP.replace("AVP 0 101", "AVP 18");
    world.receive(CARRIER, &update(Request::within("UPDATE", 2, &ok), &strange));
    world.expect("488 UPDATE");
    assert_eq!(world.events(), []);
}

fn reliable(invite: &Sent, sdp: &str) -> String {
    let headers = format!("{}Require: 100rel\r\nRSeq: 1\r\n", contact(CARRIER));
    invite.answer("183 Session Progress", "callee", &headers, sdp)
}

/// §5.2: 491 while our offer is out; once a reliable response answered it, a callee changes its early media, and it
/// is that which the answer keeps.
#[test]
fn early_media_is_changed_before_the_answer() {
    let mut world = World::new();
    world.call_carrier();
    let invite = world.expect("INVITE");
    world.receive(CARRIER, &invite.answer("180 Ringing", "callee", &contact(CARRIER), ""));
    world.receive(CARRIER, &update(Request::from_callee("UPDATE", 1, &invite, "callee"), SDP));
    world.expect("491 UPDATE");
    world.receive(CARRIER, &reliable(&invite, SDP));
    let prack = world.expect("PRACK");
    world.receive(CARRIER, &prack.answer("200 OK", "", "", ""));
    assert_eq!(world.event_names(), ["Ringing", "EarlyMedia"]);
    let moved = SDP.replace("4000", "4600");
    world.receive(CARRIER, &update(Request::from_callee("UPDATE", 2, &invite, "callee"), &moved));
    world.expect("200 UPDATE");
    assert_eq!(world.event_names(), ["EarlyMedia"]);
    world.receive(CARRIER, &invite.answer("200 OK", "callee", &contact(CARRIER), ""));
    world.expect("ACK");
    let events = world.events();
    let [Event::Media { audio, .. }, Event::Answered { .. }] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(audio.remote_rtp.port(), 4600);
}

/// The caller changes what we agreed on in a reliable 183.
#[test]
fn a_caller_changes_what_was_agreed_early() {
    let mut world = World::new();
    let invite = Request::invite().with(|invite| invite.headers.push_str("Supported: 100rel\r\n"));
    world.receive(CARRIER, &invite.text());
    let session = world.incoming();
    world.own(|agent, now| agent.progress(now, session, media())).expect("an offered session");
    world.expect("100 INVITE");
    let progress = world.expect("183 INVITE");
    let rack = format!("RAck: {} 1 INVITE\r\n", progress.header("RSeq"));
    world.receive(CARRIER, &Request::within("PRACK", 2, &progress).with(|it| it.headers = rack).text());
    world.expect("200 PRACK");
    world.receive(CARRIER, &update(Request::within("UPDATE", 3, &progress), &hold()));
    world.expect("200 UPDATE");
    assert_eq!(world.event_names(), ["EarlyMedia", "EarlyMedia"]);
}
