//! Provisional responses that are acknowledged (RFC 3262), both ways.

use tandem_sbc::user_agent::{Event, Profile, ReliableProvisional, SessionId};

use crate::support::{CARRIER, Request, SDP, Sent, World, config, contact, media};

fn world(reliable_provisional: ReliableProvisional) -> World {
    let mut config = config();
    config.trunks[0].profile = Profile { reliable_provisional, ..Profile::default() };
    World::with(config)
}

fn invite(headers: &str) -> Request {
    Request::invite().with(|invite| invite.headers.push_str(headers))
}

/// A caller that knows 100rel, offered.
fn caller(sdp: &str) -> (World, SessionId) {
    let mut world = World::new();
    let invite = invite("Supported: 100rel\r\n").with(|invite| sdp.clone_into(&mut invite.body));
    world.receive(CARRIER, &invite.text());
    world.expect("100 INVITE");
    let session = world.incoming();
    (world, session)
}

fn prack(cseq: u32, response: &Sent) -> Request {
    Request::within("PRACK", cseq, response)
        .with(|prack| prack.headers = format!("RAck: {} 1 INVITE\r\n", response.header("RSeq")))
}

fn ring(world: &mut World, session: SessionId) {
    world.own(|agent, now| agent.ring(now, session)).expect("an offered session");
}

fn progress(world: &mut World, session: SessionId) {
    world.own(|agent, now| agent.progress(now, session, media())).expect("an offered session");
}

fn accept(world: &mut World, session: SessionId) {
    world.own(|agent, now| agent.accept(now, session, media())).expect("an offered session");
}

/// §3: Require and RSeq; again with T1 doubling, 504 after 64*T1.
#[test]
fn ringing_is_sent_again_until_it_is_acknowledged_or_given_up() {
    let (mut world, session) = caller(SDP);
    ring(&mut world, session);
    let ringing = world.expect("180 INVITE");
    assert_eq!(ringing.header("Require"), "100rel");
    let rseq: u32 = ringing.header("RSeq").parse().expect("a number");
    assert!((1..1 << 31).contains(&rseq), "{rseq}");
    world.pass_ms(32_000);
    let sent: Vec<(u64, String)> = world.sent();
    let again: Vec<u64> = sent.iter().filter(|(_, what)| what == "180 INVITE").map(|(at, _)| *at).collect();
    assert_eq!(again, [500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    assert_eq!(sent.get(again.len()), Some(&(32_000, "504 INVITE".to_owned())));
    assert_eq!(world.event_names(), ["Ended", "Released"]);
    world.rest();
}

#[test]
fn an_acknowledged_response_is_not_sent_again() {
    let (mut world, session) = caller(SDP);
    ring(&mut world, session);
    let ringing = world.expect("180 INVITE");
    world.receive(CARRIER, &prack(2, &ringing).text());
    world.expect("200 PRACK");
    world.pass_ms(40_000);
    world.expect_silence();
    accept(&mut world, session);
    world.expect("200 INVITE");
}

/// §3: what the RAck does not name is 481: another RSeq, another CSeq, another method, a response acknowledged before.
#[test]
fn a_prack_of_nothing_is_481() {
    let (mut world, session) = caller(SDP);
    ring(&mut world, session);
    let ringing = world.expect("180 INVITE");
    let rseq: u32 = ringing.header("RSeq").parse().expect("a number");
    let wrong = [format!("{} 1 INVITE", rseq + 1), format!("{rseq} 9 INVITE"), format!("{rseq} 1 UPDATE")];
    for (cseq, rack) in (2..).zip(wrong) {
        let wrong = prack(cseq, &ringing).with(|prack| prack.headers = format!("RAck: {rack}\r\n"));
        world.receive(CARRIER, &wrong.text());
        world.expect("481 PRACK");
    }
    world.receive(CARRIER, &prack(8, &ringing).with(|prack| prack.headers.clear()).text());
    world.expect("400 PRACK");
    world.receive(CARRIER, &prack(9, &ringing).text());
    world.expect("200 PRACK");
    world.receive(CARRIER, &prack(10, &ringing).text());
    world.expect("481 PRACK");
}

/// §3: a second reliable response waits for the first one's PRACK, and has the next RSeq.
#[test]
fn one_response_is_out_at_a_time() {
    let (mut world, session) = caller(SDP);
    ring(&mut world, session);
    let ringing = world.expect("180 INVITE");
    progress(&mut world, session);
    world.expect_silence();
    world.receive(CARRIER, &prack(2, &ringing).text());
    world.expect("200 PRACK");
    let progress = world.expect("183 INVITE");
    let number = |sent: &Sent| sent.header("RSeq").parse::<u32>().expect("a number");
    assert_eq!(number(&progress), number(&ringing) + 1);
    assert!(progress.body().contains("m=audio 20000"), "{}", progress.text);
}

/// §5: while the answer is not acknowledged there is no 2xx; and the 2xx does not say it again.
#[test]
fn the_answer_waits_for_the_prack_of_its_description() {
    let (mut world, session) = caller(SDP);
    progress(&mut world, session);
    let progress = world.expect("183 INVITE");
    assert_eq!(world.event_names(), ["EarlyMedia"]);
    accept(&mut world, session);
    world.expect_silence();
    assert!(world.own(|agent, now| agent.accept(now, session, media())).is_err(), "it is accepted");
    world.receive(CARRIER, &prack(2, &progress).text());
    world.expect("200 PRACK");
    let ok = world.expect("200 INVITE");
    assert_eq!(ok.body(), "");
    world.receive(CARRIER, &Request::within("ACK", 1, &ok).text());
    assert_eq!(world.event_names(), ["Confirmed"]);
    world.pass_ms(40_000);
    world.expect_silence();
}

/// §3: a 2xx may overtake a response without description, whose PRACK is answered all the same.
#[test]
fn an_answer_may_overtake_the_prack_of_ringing() {
    let (mut world, session) = caller(SDP);
    ring(&mut world, session);
    let ringing = world.expect("180 INVITE");
    accept(&mut world, session);
    let ok = world.expect("200 INVITE");
    world.receive(CARRIER, &prack(2, &ringing).text());
    world.expect("200 PRACK");
    world.receive(CARRIER, &prack(3, &ringing).text());
    world.expect("481 PRACK");
    world.receive(CARRIER, &Request::within("ACK", 1, &ok).text());
    assert_eq!(world.event_names(), ["Media", "Confirmed"]);
}

/// RFC 6337 §2.2 pattern 4: who made no offer gets one in the 183, and answers in the PRACK.
#[test]
fn early_media_without_an_offer_is_offered_by_us() {
    let (mut world, session) = caller("");
    progress(&mut world, session);
    let offer = world.expect("183 INVITE");
    assert!(offer.body().contains("m=audio 20000 RTP/AVP 0 8 101"), "{}", offer.text);
    assert_eq!(world.event_names(), [] as [&str; 0]);
    world.receive(CARRIER, &prack(2, &offer).with(|prack| SDP.clone_into(&mut prack.body)).text());
    assert_eq!(world.expect("200 PRACK").body(), "");
    assert_eq!(world.event_names(), ["EarlyMedia"]);
    accept(&mut world, session);
    assert_eq!(world.expect("200 INVITE").body(), "");
}

#[test]
fn a_prack_that_owes_an_answer_and_has_none_ends_the_call() {
    let (mut world, session) = caller("");
    progress(&mut world, session);
    let offer = world.expect("183 INVITE");
    world.receive(CARRIER, &prack(2, &offer).text());
    world.expect("488 PRACK");
    world.expect("488 INVITE");
    assert_eq!(world.event_names(), ["Ended", "Released"]);
    world.rest();
}

/// RFC 6337 §2.2 pattern 5: a PRACK may bring another offer.
#[test]
fn an_offer_in_a_prack_is_answered_in_its_200() {
    let (mut world, session) = caller(SDP);
    progress(&mut world, session);
    let progress = world.expect("183 INVITE");
    world.events();
    let other = SDP.replace("AVP 0 101", "AVP 8 101");
    world.receive(CARRIER, &prack(2, &progress).with(|prack| prack.body = other).text());
    assert!(world.expect("200 PRACK").body().contains("m=audio 20000 RTP/AVP 8 101"));
    assert_eq!(world.event_names(), ["EarlyMedia"]);
}

/// RFC 3261 §8.2.2.3 and §21.4.16.
#[test]
fn what_the_profile_forbids_or_requires_is_said() {
    let mut off = world(ReliableProvisional::Off);
    off.receive(CARRIER, &invite("Require: 100rel\r\n").text());
    assert_eq!(off.expect("420 INVITE").header("Unsupported"), "100rel");
    let mut required = world(ReliableProvisional::Required);
    required.receive(CARRIER, &invite("").text());
    assert_eq!(required.expect("421 INVITE").header("Require"), "100rel");
    for mut world in [off, required] {
        assert_eq!(world.events(), []);
        world.rest();
    }
}

#[test]
fn what_our_invite_says_of_it() {
    for (policy, supported, require) in [
        (ReliableProvisional::Off, "timer, norefersub, replaces", ""),
        (ReliableProvisional::Supported, "100rel, timer, norefersub, replaces", ""),
        (ReliableProvisional::Required, "timer, norefersub, replaces", "100rel"),
    ] {
        let mut world = world(policy);
        world.call_carrier();
        let invite = world.expect("INVITE");
        assert_eq!(
            (invite.header("Supported").as_str(), invite.header("Require").as_str()),
            (supported, require)
        );
    }
}

fn reliable(invite: &Sent, tag: &str, rseq: u32, sdp: &str) -> String {
    let headers = format!(
        "{}Record-Route: <sip:127.0.0.10:5075;lr>\r\nRequire: 100rel\r\nRSeq: {rseq}\r\n",
        contact(CARRIER)
    );
    invite.answer("183 Session Progress", tag, &headers, sdp)
}

/// §4: each is acknowledged once, in its order, in its dialog with its route set; what comes too early is as if lost.
#[test]
fn reliable_responses_are_acknowledged_in_order() {
    let mut world = World::new();
    let session = world.call_carrier();
    let invite = world.expect("INVITE");
    world.receive(CARRIER, &reliable(&invite, "callee", 7, SDP));
    let prack = world.expect("PRACK");
    assert_eq!((prack.header("RAck").as_str(), prack.header("CSeq").as_str()), ("7 1 INVITE", "2 PRACK"));
    assert_eq!((prack.tag("To").as_str(), prack.to.port()), ("callee", 5075));
    world.receive(CARRIER, &reliable(&invite, "callee", 7, SDP));
    world.expect_silence();
    world.receive(CARRIER, &reliable(&invite, "callee", 9, SDP));
    world.expect_silence();
    world.receive(CARRIER, &reliable(&invite, "callee", 8, ""));
    assert_eq!(world.expect("PRACK").header("RAck"), "8 1 INVITE");
    world.receive(CARRIER, &reliable(&invite, "another", 1, SDP));
    let other = world.expect("PRACK");
    assert_eq!((other.tag("To").as_str(), other.header("CSeq").as_str()), ("another", "2 PRACK"));
    assert_eq!(world.event_names(), ["EarlyMedia", "Ringing"]);
    world.receive(CARRIER, &invite.answer("200 OK", "callee", &contact(CARRIER), ""));
    world.expect("ACK");
    assert_eq!(world.event_names(), ["Media", "Answered"]);
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    assert_eq!(world.expect("BYE").header("CSeq"), "4 BYE", "after two PRACKs");
}

/// RFC 3261 §13.2.1: once an answer came reliably, later descriptions of the INVITE's responses are nothing.
#[test]
fn a_reliable_answer_is_final() {
    let mut world = World::new();
    world.call_carrier();
    let invite = world.expect("INVITE");
    world.receive(CARRIER, &reliable(&invite, "callee", 1, SDP));
    world.expect("PRACK");
    world.events();
    world.receive(
        CARRIER,
        &invite.answer("200 OK", "callee", &contact(CARRIER), &SDP.replace("4000", "4400")),
    );
    world.expect("ACK");
    let events = world.events();
    let [Event::Media { audio, .. }, Event::Answered { .. }] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(audio.remote_rtp.port(), 4000);
}
