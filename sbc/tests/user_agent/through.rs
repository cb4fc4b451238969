//! Calls whose media does not pass us: the two ends' descriptions go through, only who made them is us.

use std::time::Duration;

use tandem_sbc::user_agent::{
    Event, Identity, InviteTarget, RouteConfig, SessionError, SessionId, Transport, UserAgentConfig,
};

use crate::support::{CARRIER, Request, SDP, Sent, World, address, config, contact, media};

/// What the called party answers: a codec that we do not know, keys that are not ours, at an address of its own.
const ANSWER: &str = "v=0\r\no=callee 5 5 IN IP4 10.9.9.9\r\ns=Desk 7\r\nc=IN IP4 192.0.2.99\r\nt=0 0\r\n\
    m=audio 6000 RTP/SAVP 18\r\na=rtpmap:18 G729/8000\r\n\
    a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR\r\n";

/// Another one.
const HELD: &str = "v=0\r\no=callee 5 6 IN IP4 10.9.9.9\r\ns=-\r\nc=IN IP4 192.0.2.99\r\nt=0 0\r\n\
    m=audio 6000 RTP/AVP 18\r\na=sendonly\r\n";

/// Both ends of a call, and what made their dialogs.
struct Pair {
    caller: SessionId,
    party: SessionId,
    /// Our INVITE to the party.
    invite: Sent,
    /// Our 200 to the caller.
    ok: Sent,
}

/// A caller at the door, and the INVITE that went out for it.
fn called(world: &mut World, invite: &Request) -> (SessionId, SessionId, Sent) {
    world.receive(CARRIER, &invite.text());
    world.expect("100 INVITE");
    let caller = world.incoming();
    let target = InviteTarget::Trunk { trunk: "carrier-a".into(), number: "+15559999".into() };
    let from = Identity { user: "+15551234".into(), ..Identity::default() };
    let called = world.own(|agent, now| agent.invite_through(now, caller, target, from)).expect("a session");
    let invite = world.expect("INVITE");
    (caller, called, invite)
}

fn late() -> Request {
    Request::invite().with(|invite| invite.body.clear())
}

/// Both talk.
fn talking(world: &mut World) -> Pair {
    let (caller, party, invite) = called(world, &Request::invite());
    world.receive(CARRIER, &invite.answer("200 OK", "b", &contact(CARRIER), ANSWER));
    world.expect("ACK");
    world.own(|agent, now| agent.accept_through(now, caller)).expect("answered");
    let ok = world.expect("200 INVITE");
    world.receive(CARRIER, &Request::within("ACK", 1, &ok).text());
    assert_eq!(world.event_names(), ["Answered", "Confirmed"]);
    Pair { caller, party, invite, ok }
}

impl Pair {
    fn end(&self, world: &mut World) {
        for session in [self.caller, self.party] {
            world.own(|agent, now| agent.hang_up(now, session, "over")).expect("a session");
            let bye = world.expect("BYE");
            world.receive(CARRIER, &bye.answer("200 OK", "", "", ""));
        }
        world.rest();
    }

    fn reinvite(&self, cseq: u32, body: &str) -> Request {
        Request::within("INVITE", cseq, &self.ok).with(|it| {
            it.headers = contact(CARRIER);
            body.clone_into(&mut it.body);
        })
    }

    fn reinvite_of_party(&self, cseq: u32, body: &str) -> Request {
        Request::from_callee("INVITE", cseq, &self.invite, "b").with(|it| {
            it.branch = format!("z9hG4bK-party-{cseq}");
            it.headers = contact(CARRIER);
            body.clone_into(&mut it.body);
        })
    }
}

/// The same description, but for who made it.
fn same_media(told: &str, described: &str) {
    let lines = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| !line.starts_with("o=") && !line.starts_with("s="))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(lines(told), lines(described));
    assert!(told.contains("IN IP4 127.0.0.1\r\ns=-\r\n"), "we made it: {told}");
}

fn version(told: &str) -> String {
    let origin = told.lines().find(|line| line.starts_with("o=")).expect("an origin");
    origin.split(' ').nth(2).expect("a version").to_owned()
}

#[test]
fn offer_early_answer_and_answer_go_through() {
    let mut world = World::new();
    let (caller, _, invite) = called(&mut world, &Request::invite());
    same_media(invite.body(), SDP);
    assert_eq!(world.own(|agent, now| agent.accept_through(now, caller)), Err(SessionError::WrongState));

    world.receive(CARRIER, &invite.answer("183 Session Progress", "b", &contact(CARRIER), ANSWER));
    assert_eq!(world.event_names(), ["Ringing"]);
    world.own(|agent, now| agent.ring(now, caller)).expect("ringing");
    let early = world.expect("183 INVITE");
    same_media(early.body(), ANSWER);

    world.receive(CARRIER, &invite.answer("200 OK", "b", &contact(CARRIER), ""));
    assert_eq!(world.expect("ACK").body(), "");
    assert_eq!(world.event_names(), ["Answered"]);
    world.own(|agent, now| agent.accept_through(now, caller)).expect("answered");
    let ok = world.expect("200 INVITE");
    assert_eq!(ok.body(), early.body(), "the same answer (RFC 3261 §13.2.1), of the same version");
    world.receive(CARRIER, &Request::within("ACK", 1, &ok).text());
    assert_eq!(world.event_names(), ["Confirmed"], "no media of ours");
}

/// A 180 was passed; what the party lets be heard later is passed by itself, and so is what another one does
/// (RFC 3261 §12.1.2: each has a dialog of its own). The answer is that of whoever answers.
#[test]
fn of_several_early_dialogs_the_latest_is_heard_and_the_winner_answers() {
    let mut world = World::new();
    let (caller, _, invite) = called(&mut world, &Request::invite());
    world.receive(CARRIER, &invite.answer("180 Ringing", "b", &contact(CARRIER), ""));
    world.own(|agent, now| agent.ring(now, caller)).expect("ringing");
    assert_eq!(world.expect("180 INVITE").body(), "");
    world.receive(CARRIER, &invite.answer("183 Session Progress", "b", &contact(CARRIER), ANSWER));
    same_media(world.expect("183 INVITE").body(), ANSWER);
    world.receive(CARRIER, &invite.answer("183 Session Progress", "c", &contact(CARRIER), HELD));
    let second = world.expect("183 INVITE");
    same_media(second.body(), HELD);
    world.receive(CARRIER, &invite.answer("200 OK", "b", &contact(CARRIER), ""));
    world.expect("ACK");
    world.own(|agent, now| agent.accept_through(now, caller)).expect("answered");
    let ok = world.expect("200 INVITE");
    same_media(ok.body(), ANSWER);
    assert_eq!(version(ok.body()), "2", "RFC 3264 §8: each change is another version");
}

/// RFC 3262 §5: an answer may wait for the 2xx; what a reliable response says could not be taken back.
#[test]
fn a_caller_that_requires_100rel_gets_the_answer_with_the_2xx() {
    let mut world = World::new();
    let reliable = Request::invite().with(|it| it.headers.push_str("Require: 100rel\r\n"));
    let (caller, _, invite) = called(&mut world, &reliable);
    world.receive(CARRIER, &invite.answer("183 Session Progress", "b", &contact(CARRIER), ANSWER));
    world.own(|agent, now| agent.ring(now, caller)).expect("ringing");
    let early = world.expect("183 INVITE");
    assert_eq!((early.header("Require").as_str(), early.body()), ("100rel", ""));
    let rack = format!("RAck: {} 1 INVITE\r\n", early.header("RSeq"));
    world.receive(CARRIER, &Request::within("PRACK", 2, &early).with(|it| it.headers = rack).text());
    world.expect("200 PRACK");
    world.receive(CARRIER, &invite.answer("200 OK", "b", &contact(CARRIER), ANSWER));
    world.expect("ACK");
    world.own(|agent, now| agent.accept_through(now, caller)).expect("answered");
    same_media(world.expect("200 INVITE").body(), ANSWER);
}

/// RFC 3261 §13.2.1: an INVITE without an offer gets it in the 2xx, and answers it in the ACK.
#[test]
fn a_late_offer_and_its_answer_go_through() {
    let mut world = World::new();
    let (caller, party, invite) = called(&mut world, &late());
    assert_eq!(invite.body(), "");
    assert!(!invite.header("Supported").contains("100rel"), "the offer comes with the 2xx (RFC 3262 §5)");
    let ok_of_party = invite.answer("200 OK", "b", &contact(CARRIER), ANSWER);
    world.receive(CARRIER, &ok_of_party);
    world.expect_silence();
    world.own(|agent, now| agent.accept_through(now, caller)).expect("answered");
    let ok = world.expect("200 INVITE");
    same_media(ok.body(), ANSWER);
    world.receive(CARRIER, &ok_of_party);
    world.expect_silence_of("ACK");

    world.receive(CARRIER, &Request::within("ACK", 1, &ok).with(|ack| ack.body = SDP.into()).text());
    same_media(world.expect("ACK").body(), SDP);
    world.receive(CARRIER, &ok_of_party);
    same_media(world.expect("ACK").body(), SDP);
    Pair { caller, party, invite, ok }.end(&mut world);
}

#[test]
fn a_late_offer_that_nobody_answers_is_acknowledged_and_ended() {
    let mut world = World::new();
    let (caller, party, invite) = called(&mut world, &late());
    world.receive(CARRIER, &invite.answer("200 OK", "b", &contact(CARRIER), ANSWER));
    world.own(|agent, now| agent.hang_up(now, party, "caller gone")).expect("a session");
    let sent: Vec<Sent> = world.messages();
    let what: Vec<String> = sent.iter().map(Sent::what).collect();
    assert_eq!(what, ["ACK", "BYE"], "RFC 3261 §13.2.2.4");
    world.receive(CARRIER, &sent[1].answer("200 OK", "", "", ""));
    world.own(|agent, now| agent.reject(now, caller, 480)).expect("refused");
    let refused = world.expect("480 INVITE");
    world.receive(CARRIER, &Request::within("ACK", 1, &refused).text());
    world.rest();
}

#[test]
fn a_caller_whose_party_refused_can_be_answered_by_us() {
    let mut world = World::new();
    let (caller, _, invite) = called(&mut world, &Request::invite());
    assert_eq!(world.own(|agent, now| agent.accept(now, caller, media())), Err(SessionError::WrongState));
    world.receive(CARRIER, &invite.answer("486 Busy Here", "b", "", ""));
    world.expect("ACK");
    world.own(|agent, now| agent.accept(now, caller, media())).expect("answered");
    let ok = world.expect("200 INVITE");
    assert!(ok.body().contains("m=audio 20000"), "{}", ok.text);
    world.receive(CARRIER, &Request::within("ACK", 1, &ok).text());
    world.receive(CARRIER, &Request::within("BYE", 2, &ok).text());
    world.expect("200 BYE");
    world.rest();
}

#[test]
fn an_answer_without_a_description_ends_the_call() {
    let mut world = World::new();
    let (caller, _, invite) = called(&mut world, &Request::invite());
    world.receive(CARRIER, &invite.answer("200 OK", "b", &contact(CARRIER), ""));
    let sent = world.messages();
    assert_eq!(sent.iter().map(Sent::what).collect::<Vec<_>>(), ["ACK", "BYE"]);
    world.receive(CARRIER, &sent[1].answer("200 OK", "", "", ""));
    assert_eq!(world.event_names(), ["Ended", "Released"]);
    world.own(|agent, now| agent.reject(now, caller, 488)).expect("refused");
    let refused = world.expect("488 INVITE");
    world.receive(CARRIER, &Request::within("ACK", 1, &refused).text());
    world.rest();
}

/// A caller may offer whatever the called party may know, when its call goes direct, but nothing that is no description.
#[test]
fn offers_of_calls_that_go_direct_need_no_codec_of_ours() {
    let direct = ["+15550100".to_owned()].into();
    let mut world = World::with(UserAgentConfig { direct, ..config() });
    let offer = |world: &mut World, call: &str, body: &str| {
        let invite = Request::invite().with(|invite| {
            (invite.call_id, invite.branch) = (call.to_owned(), format!("z9hG4bK-{call}"));
            body.clone_into(&mut invite.body);
        });
        world.receive(CARRIER, &invite.text());
        world.events().iter().any(|event| matches!(event, Event::Incoming { acceptable: true, .. }))
    };
    assert!(offer(&mut world, "a", ANSWER));
    assert!(!offer(&mut world, "b", "no description\r\n"));
}

/// RFC 3264 §8, RFC 3261 §14: from either side, by re-INVITE or UPDATE.
#[test]
fn offers_in_the_call_are_passed_on_and_so_are_their_answers() {
    let mut world = World::new();
    let pair = talking(&mut world);
    world.receive(CARRIER, &pair.reinvite(2, HELD).text());
    world.expect("100 INVITE");
    let passed = world.expect("INVITE");
    same_media(passed.body(), HELD);
    assert_eq!(version(passed.body()), "1");
    world.receive(CARRIER, &passed.answer("200 OK", "b", &contact(CARRIER), SDP));
    assert_eq!(world.expect("ACK").body(), "");
    let ok = world.expect("200 INVITE");
    same_media(ok.body(), SDP);
    world.receive(CARRIER, &Request::within("ACK", 2, &pair.ok).text());
    world.expect_silence();

    let update = Request { method: "UPDATE", branch: "z9hG4bK-u".into(), ..pair.reinvite_of_party(1, SDP) };
    world.receive(CARRIER, &update.text());
    let passed = world.expect("INVITE");
    same_media(passed.body(), SDP);
    world.receive(CARRIER, &passed.answer("200 OK", "", &contact(CARRIER), HELD));
    world.expect("ACK");
    same_media(world.expect("200 UPDATE").body(), HELD);
    pair.end(&mut world);
}

#[test]
fn a_late_offer_in_the_call_is_answered_by_the_ack() {
    let mut world = World::new();
    let pair = talking(&mut world);
    world.receive(CARRIER, &pair.reinvite(2, "").text());
    world.expect("100 INVITE");
    let passed = world.expect("INVITE");
    assert_eq!(passed.body(), "");
    let ok_of_party = passed.answer("200 OK", "b", &contact(CARRIER), ANSWER);
    world.receive(CARRIER, &ok_of_party);
    same_media(world.expect("200 INVITE").body(), ANSWER);
    world.receive(CARRIER, &ok_of_party);
    world.expect_silence();
    let ack = Request::within("ACK", 2, &pair.ok).with(|ack| ack.body = HELD.to_owned());
    world.receive(CARRIER, &ack.text());
    same_media(world.expect("ACK").body(), HELD);
    world.receive(CARRIER, &ok_of_party);
    same_media(world.expect("ACK").body(), HELD);
    pair.end(&mut world);
}

/// RFC 3261 §14.1: what is refused leaves the call as it was; what concerns our own request is 488 for the peer.
#[test]
fn what_refuses_an_offer_comes_back() {
    let mut world = World::new();
    let pair = talking(&mut world);
    let refusals = [
        ("488 Not Acceptable Here", "488"),
        ("491 Request Pending", "491"),
        ("415 Type", "415"),
        ("503 Service Unavailable", "500"),
        ("400 Bad Request", "488"),
    ];
    for (cseq, (refusal, told)) in (2..).zip(refusals) {
        world.receive(CARRIER, &pair.reinvite(cseq, HELD).text());
        world.expect("100 INVITE");
        let passed = world.expect("INVITE");
        world.receive(CARRIER, &passed.answer(refusal, "b", "", ""));
        world.expect("ACK");
        world.expect(&format!("{told} INVITE"));
        world.receive(
            CARRIER,
            &Request::within("ACK", cseq, &pair.ok)
                .with(|ack| {
                    ack.branch = format!("z9hG4bK-invite-{cseq}");
                })
                .text(),
        );
    }
    assert!(world.event_names().is_empty(), "the call goes on");
    pair.end(&mut world);
}

/// RFC 3261 §14.2: 491 when ours is out towards the peer, 500 with Retry-After when one of its own is under way.
#[test]
fn one_offer_at_a_time_is_under_way() {
    let mut world = World::new();
    let pair = talking(&mut world);
    world.receive(CARRIER, &pair.reinvite(2, HELD).text());
    world.expect("100 INVITE");
    let passed = world.expect("INVITE");
    world.receive(CARRIER, &pair.reinvite(3, SDP).text());
    assert_ne!(world.expect("500 INVITE").header("Retry-After"), "");
    world.receive(CARRIER, &pair.reinvite_of_party(1, SDP).text());
    world.expect("491 INVITE");
    world.receive(CARRIER, &passed.answer("200 OK", "b", &contact(CARRIER), SDP));
    world.expect("ACK");
    world.expect("200 INVITE");
    // Our 2xx has no ACK yet.
    world.receive(CARRIER, &pair.reinvite_of_party(2, SDP).text());
    world.expect("491 INVITE");
    world.receive(CARRIER, &Request::within("ACK", 2, &pair.ok).text());
    world.messages();
    pair.end(&mut world);
}

/// RFC 3261 §9.1: the CANCEL goes on as soon as it may, and the answer to it comes back.
#[test]
fn an_offer_that_is_cancelled_is_cancelled_on_the_other_leg() {
    let mut world = World::new();
    let pair = talking(&mut world);
    let reinvite = pair.reinvite(2, HELD);
    world.receive(CARRIER, &reinvite.text());
    world.expect("100 INVITE");
    let passed = world.expect("INVITE");
    world.receive(CARRIER, &Request { method: "CANCEL", body: String::new(), ..reinvite }.text());
    world.expect("200 CANCEL");
    world.expect_silence();
    world.receive(CARRIER, &passed.answer("100 Trying", "", "", ""));
    let cancel = world.expect("CANCEL");
    world.receive(CARRIER, &cancel.answer("200 OK", "b", "", ""));
    world.receive(CARRIER, &passed.answer("487 Request Terminated", "b", "", ""));
    world.expect("ACK");
    world.expect("487 INVITE");
    let ack = Request::within("ACK", 2, &pair.ok).with(|ack| ack.branch = "z9hG4bK-invite-2".to_owned());
    world.receive(CARRIER, &ack.text());
    pair.end(&mut world);
}

/// RFC 3261 §15.1.2: whatever waits is over with the call, whichever leg ends it.
#[test]
fn what_waits_is_over_with_the_call() {
    for by_caller in [true, false] {
        let mut world = World::new();
        let pair = talking(&mut world);
        world.receive(CARRIER, &pair.reinvite(2, HELD).text());
        world.expect("100 INVITE");
        let passed = world.expect("INVITE");
        let (bye, left) = if by_caller {
            (Request::within("BYE", 3, &pair.ok), pair.party)
        } else {
            (Request::from_callee("BYE", 1, &pair.invite, "b"), pair.caller)
        };
        world.receive(CARRIER, &bye.text());
        let what: Vec<String> = world.messages().iter().map(Sent::what).collect();
        assert_eq!(what, ["200 BYE", "487 INVITE"]);
        world.own(|agent, now| agent.hang_up(now, left, "over")).expect("a session");
        let bye = world.expect("BYE");
        world.receive(CARRIER, &bye.answer("200 OK", "", "", ""));
        world.receive(CARRIER, &passed.answer("200 OK", "b", &contact(CARRIER), SDP));
        world.expect("ACK");
        world.rest();
    }
}

/// RFC 3261 §12.2.1.2: silence, and 481, say that the other leg is gone.
#[test]
fn an_offer_that_nobody_answers_ends_the_other_leg() {
    let mut world = World::new();
    let pair = talking(&mut world);
    world.receive(CARRIER, &pair.reinvite(2, HELD).text());
    world.expect("100 INVITE");
    let passed = world.expect("INVITE");
    world.receive(CARRIER, &passed.answer("100 Trying", "", "", ""));
    world.pass(Duration::from_secs(33));
    let what: Vec<String> = world.messages().iter().map(Sent::what).collect();
    assert!(what.contains(&"488 INVITE".to_owned()) && what.contains(&"BYE".to_owned()), "{what:?}");
    assert_eq!(world.event_names(), ["Ended"]);
    world.own(|agent, now| agent.hang_up(now, pair.caller, "over")).expect("a session");
    world.rest();
}

/// RFC 4028 §7.4: a refresh changes nothing: the peer is told again what it was told last, and the other leg nothing.
#[test]
fn a_refresh_repeats_what_the_peer_was_told() {
    let mut world = World::new();
    let (caller, party, invite) = called(&mut world, &Request::invite());
    let headers = format!("{}Session-Expires: 90;refresher=uac\r\n", contact(CARRIER));
    world.receive(CARRIER, &invite.answer("200 OK", "b", &headers, ANSWER));
    world.expect("ACK");
    world.own(|agent, now| agent.accept_through(now, caller)).expect("answered");
    let ok = world.expect("200 INVITE");
    world.receive(CARRIER, &Request::within("ACK", 1, &ok).text());
    world.pass_ms(45_200);
    let refresh = world.expect("INVITE");
    assert_eq!(refresh.body(), invite.body());
    world.receive(CARRIER, &refresh.answer("200 OK", "", &headers, ANSWER));
    world.expect("ACK");
    world.expect_silence();
    Pair { caller, party, invite, ok }.end(&mut world);
}

/// RFC 6086: a key that one party says in SIP is told, and goes to the other one whatever way it takes digits in RTP.
#[test]
fn keys_in_sip_are_told_and_sent() {
    let mut world = World::new();
    let pair = talking(&mut world);
    let info =
        Request::within("INFO", 2, &pair.ok).with(|info| info.body = "Signal=5\r\nDuration=160\r\n".into());
    world.receive(CARRIER, &info.text().replace("application/sdp", "application/dtmf-relay"));
    world.expect("200 INFO");
    assert_eq!(world.events(), [Event::Digit { session: pair.caller, digit: '5' }]);
    world.own(|agent, now| agent.send_digit(now, pair.party, '5')).expect("it talks");
    let info = world.expect("INFO");
    assert_eq!((info.header("Call-ID"), info.tag("To")), (pair.invite.header("Call-ID"), "b".into()));
    assert!(info.body().starts_with("Signal=5\r\n"), "{}", info.text);
    world.receive(CARRIER, &info.answer("200 OK", "", "", ""));
    pair.end(&mut world);
}

/// RFC 3263 §4.3: the next destination is offered what the caller offered, and its answer is the one that goes back.
#[test]
fn a_call_fails_over_with_the_caller_s_description() {
    const FIRST: &str = "127.0.0.10:5071";
    const SECOND: &str = "127.0.0.10:5072";
    let mut config = config();
    config.trunks[0].routes = [FIRST, SECOND]
        .into_iter()
        .zip(1..)
        .map(|(at, priority)| RouteConfig { priority, ..RouteConfig::new(address(at), Transport::Udp) })
        .collect();
    let mut world = World::with(config);
    let (caller, party, first) = called(&mut world, &Request::invite());
    assert_eq!(first.to, address(FIRST));
    world.receive(FIRST, &first.answer("183 Session Progress", "a", &contact(FIRST), HELD));
    world.own(|agent, now| agent.ring(now, caller)).expect("ringing");
    same_media(world.expect("183 INVITE").body(), HELD);
    world.receive(FIRST, &first.answer("503 Service Unavailable", "a", "", ""));
    world.expect("ACK");
    let second = world.expect("INVITE");
    assert_eq!(second.to, address(SECOND));
    same_media(second.body(), SDP);
    world.receive(SECOND, &second.answer("200 OK", "b", &contact(SECOND), ANSWER));
    assert_eq!(world.expect("ACK").to, address(SECOND));
    world.own(|agent, now| agent.accept_through(now, caller)).expect("answered");
    let ok = world.expect("200 INVITE");
    same_media(ok.body(), ANSWER);
    world.receive(CARRIER, &Request::within("ACK", 1, &ok).text());
    assert_eq!(world.event_names(), ["Ringing", "Answered", "Confirmed"]);
    Pair { caller, party, invite: second, ok }.end(&mut world);
}
