//! Sessions that last only as long as they are refreshed (RFC 4028), by us and by the peer, as caller and as callee.

use std::collections::BTreeSet;
use std::time::Duration;

use tandem_sbc::user_agent::{
    Event, PreferredRefresher, Profile, ReliableProvisional, SessionId, SessionTimerPolicy, SessionTimers,
    TrunkCredentials,
};

use crate::support::{CARRIER, Request, SDP, Sent, World, config, contact, media};

const ALLOW_UPDATE: &str = "Allow: INVITE, ACK, BYE, UPDATE\r\n";

fn timers(policy: SessionTimerPolicy) -> SessionTimers {
    SessionTimers { policy, ..SessionTimers::default() }
}

fn world(session_timers: SessionTimers) -> World {
    let mut config = config();
    config.trunks[0].profile = Profile { session_timers, ..Profile::default() };
    World::with(config)
}

/// A call of the carrier with those headers in its INVITE, answered and acknowledged; with the 200.
fn called(world: &mut World, headers: &str) -> (SessionId, Sent) {
    world.receive(CARRIER, &Request::invite().with(|it| it.headers.push_str(headers)).text());
    let session = world.incoming();
    world.own(|agent, now| agent.accept(now, session, media())).expect("an offered session");
    world.expect("100 INVITE");
    let ok = world.expect("200 INVITE");
    world.receive(CARRIER, &Request::within("ACK", 1, &ok).text());
    assert_eq!(world.event_names(), ["Media", "Confirmed"]);
    (session, ok)
}

/// A call to the carrier, which answers with those headers; with its INVITE.
fn calling(world: &mut World, headers: &str) -> (SessionId, Sent) {
    let session = world.call_carrier();
    let invite = world.expect("INVITE");
    let headers = format!("{}{headers}", contact(CARRIER));
    world.receive(CARRIER, &invite.answer("200 OK", "callee", &headers, SDP));
    world.expect("ACK");
    assert_eq!(world.event_names(), ["Media", "Answered"]);
    (session, invite)
}

fn refreshed(world: &mut World, request: &Sent, headers: &str, body: &str) {
    let headers = format!("{}{headers}", contact(CARRIER));
    world.receive(CARRIER, &request.answer("200 OK", "", &headers, body));
    if request.what() == "INVITE" {
        world.expect("ACK");
    }
    assert_eq!(world.events(), [], "nothing has changed");
}

fn ends_with_bye(world: &mut World, reason: &str) {
    let bye = world.expect("BYE");
    assert_eq!(bye.header("Reason"), format!("Q.850;cause=102;text=\"{reason}\""));
    let events = world.events();
    assert!(
        matches!(&events[..], [Event::Ended { end, .. }] if end.reason == reason && end.status == 408),
        "{events:?}"
    );
    world.receive(CARRIER, &bye.answer("200 OK", "", "", ""));
    world.events();
    world.rest();
}

/// §9 and §10: the caller refreshes; 30 seconds before the end of 90 that it let pass, we hang up.
#[test]
fn a_caller_that_does_not_refresh_is_hung_up_on() {
    let mut world = world(timers(SessionTimerPolicy::Accept));
    let (_, ok) = called(&mut world, "Supported: timer\r\nSession-Expires: 90\r\n");
    assert_eq!(ok.header("Session-Expires"), "90;refresher=uac");
    assert_eq!(ok.header("Require"), "timer");
    assert!(ok.header("Supported").contains("timer"));
    world.pass(Duration::from_secs(50));
    let update = Request::within("UPDATE", 2, &ok)
        .with(|it| it.headers = "Supported: timer\r\nSession-Expires: 90;refresher=uac\r\n".to_owned());
    world.receive(CARRIER, &update.text());
    assert_eq!(world.expect("200 UPDATE").header("Session-Expires"), "90;refresher=uac");
    world.pass(Duration::from_secs(50));
    // A re-INVITE that says nothing of it leaves it running.
    let reinvite = Request::within("INVITE", 3, &ok).with(|it| {
        it.headers = format!("{}Supported: timer\r\n", contact(CARRIER));
        SDP.clone_into(&mut it.body);
    });
    world.receive(CARRIER, &reinvite.text());
    assert_eq!(world.expect("200 INVITE").header("Session-Expires"), "90;refresher=uac");
    world.receive(CARRIER, &Request::within("ACK", 3, &ok).text());
    world.pass_ms(59_999);
    world.expect_silence();
    world.pass_ms(1);
    assert_eq!((world.counters().sessions_refreshed, world.counters().sessions_expired), (2, 1));
    ends_with_bye(&mut world, "session expired");
}

/// §7.4: as refresher, at half the interval, by UPDATE without an offer where the peer takes it.
#[test]
fn we_refresh_by_update() {
    let mut world = world(timers(SessionTimerPolicy::Accept));
    let headers = format!("Supported: timer\r\nSession-Expires: 200;refresher=uas\r\n{ALLOW_UPDATE}");
    let (_, ok) = called(&mut world, &headers);
    assert_eq!(ok.header("Session-Expires"), "200;refresher=uas");
    for _ in 0..3 {
        world.pass_ms(99_999);
        world.expect_silence();
        world.pass_ms(1);
        let update = world.expect("UPDATE");
        assert_eq!((update.header("Session-Expires").as_str(), update.body()), ("200;refresher=uac", ""));
        refreshed(&mut world, &update, "Session-Expires: 200;refresher=uac\r\n", "");
    }
    // The peer stops answering: its silence for 64*T1 ends the session (§10).
    world.pass(Duration::from_secs(131));
    world.expect("UPDATE");
    world.pass(Duration::from_secs(2));
    let sent = world.messages();
    assert_eq!(sent.last().map(Sent::what).as_deref(), Some("BYE"));
    assert_eq!(world.event_names(), ["Ended"]);
}

/// §7.4: else by re-INVITE, with the description that the peer has, of the same version, whatever it numbered things.
#[test]
fn we_refresh_by_reinvite_and_change_nothing() {
    let mut world = world(timers(SessionTimerPolicy::Accept));
    let sdp = SDP.replace("0 101", "0 96").replace(":101", ":96");
    let invite = Request::invite().with(|it| {
        it.headers.push_str("Supported: timer\r\nSession-Expires: 200;refresher=uas\r\n");
        it.body.clone_from(&sdp);
    });
    world.receive(CARRIER, &invite.text());
    let session = world.incoming();
    world.own(|agent, now| agent.accept(now, session, media())).expect("an offered session");
    world.expect("100 INVITE");
    let ok = world.expect("200 INVITE");
    world.receive(CARRIER, &Request::within("ACK", 1, &ok).text());
    world.events();
    world.pass(Duration::from_secs(100));
    let refresh = world.expect("INVITE");
    assert_eq!(refresh.body(), ok.body());
    assert_eq!(refresh.header("Session-Expires"), "200;refresher=uac");
    refreshed(&mut world, &refresh, "Session-Expires: 200;refresher=uac\r\n", &sdp);
    world.pass(Duration::from_secs(100));
    assert_eq!(world.expect("INVITE").body(), ok.body());
}

/// RFC 4568 §7.1.4: a refresh keeps the keys, ours and theirs.
#[test]
fn a_refresh_keeps_the_keys() {
    let mut config = config();
    config.trunks[0].profile.srtp = tandem_sbc::user_agent::SrtpPolicy::Required;
    let mut world = World::with(config);
    let key = "inline:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNk";
    let sdp = SDP.replace("RTP/AVP", "RTP/SAVP") + &format!("a=crypto:7 AES_CM_128_HMAC_SHA1_80 {key}\r\n");
    let invite = Request::invite().with(|it| {
        it.headers.push_str("Supported: timer\r\nSession-Expires: 200;refresher=uas\r\n");
        it.body.clone_from(&sdp);
    });
    world.receive(CARRIER, &invite.text());
    let session = world.incoming();
    world.own(|agent, now| agent.accept(now, session, media())).expect("an offered session");
    world.expect("100 INVITE");
    let ok = world.expect("200 INVITE");
    world.receive(CARRIER, &Request::within("ACK", 1, &ok).text());
    world.events();
    world.pass(Duration::from_secs(100));
    let refresh = world.expect("INVITE");
    assert_eq!(refresh.body(), ok.body());
    refreshed(&mut world, &refresh, "Session-Expires: 200;refresher=uac\r\n", &sdp);
}

/// §7.1 and §7.2, with who is to refresh as the operator prefers.
#[test]
fn callers_of_ours_ask_for_an_interval() {
    for (refresher, said, answer) in [
        (PreferredRefresher::Either, "1800", "Session-Expires: 1800;refresher=uac\r\n"),
        (PreferredRefresher::Us, "1800;refresher=uac", "Session-Expires: 1800;refresher=uac\r\n"),
        // Without an answer there are no timers at the other side, and we refresh (§7.2).
        (PreferredRefresher::Peer, "1800;refresher=uas", ""),
    ] {
        let mut world = world(SessionTimers { refresher, ..timers(SessionTimerPolicy::Offer) });
        let (_, invite) = calling(&mut world, &format!("{answer}{ALLOW_UPDATE}"));
        assert_eq!(invite.header("Session-Expires"), said);
        assert_eq!((invite.header("Min-SE"), invite.header("Require")), (String::new(), String::new()));
        world.pass(Duration::from_secs(900));
        assert_eq!(world.expect("UPDATE").header("Session-Expires"), "1800;refresher=uac");
    }
}

/// §10: the callee took it upon itself to refresh, and did not.
#[test]
fn a_callee_that_does_not_refresh_is_hung_up_on() {
    let mut world = world(timers(SessionTimerPolicy::Accept));
    let (_, invite) = calling(&mut world, "Require: timer\r\nSession-Expires: 120;refresher=uas\r\n");
    assert_eq!(invite.header("Session-Expires"), "", "we only accept");
    world.pass_ms(87_999);
    world.expect_silence();
    world.pass_ms(1);
    ends_with_bye(&mut world, "session expired");
}

/// §7.3: the same Call-ID and From, a higher CSeq, and the interval that is wanted; also after a challenge.
#[test]
fn a_larger_interval_is_asked_for_when_ours_was_too_small() {
    let mut config = config();
    config.trunks[0].profile.session_timers = timers(SessionTimerPolicy::Offer);
    let (username, password) = ("us".to_owned(), "secret".to_owned());
    config.trunks[0].credentials = Some(TrunkCredentials { username, password, realm: None });
    let mut world = World::with(config);
    world.call_carrier();
    let first = world.expect("INVITE");
    let challenge =
        "WWW-Authenticate: Digest realm=\"carrier\", nonce=\"n\", qop=\"auth\", algorithm=MD5\r\n";
    world.receive(CARRIER, &first.answer("401 Unauthorized", "x", challenge, ""));
    world.expect("ACK");
    let second = world.expect("INVITE");
    assert!(second.header("Authorization").contains("nc=00000001"));
    world.receive(CARRIER, &second.answer("422 Session Interval Too Small", "y", "Min-SE: 3600\r\n", ""));
    world.expect("ACK");
    let third = world.expect("INVITE");
    assert_eq!(third.header("Session-Expires"), "3600");
    assert_eq!(third.header("Min-SE"), "3600");
    assert!(third.header("Authorization").contains("nc=00000002"), "{}", third.text);
    assert_eq!((third.header("Call-ID"), third.tag("From")), (first.header("Call-ID"), first.tag("From")));
    assert_eq!(third.header("CSeq"), "3 INVITE");
    let headers = format!("{}Session-Expires: 3600;refresher=uac\r\n{ALLOW_UPDATE}", contact(CARRIER));
    world.receive(CARRIER, &third.answer("200 OK", "callee", &headers, SDP));
    world.expect("ACK");
    world.events();
    world.pass(Duration::from_secs(1_800));
    let update = world.expect("UPDATE");
    // §7.4: what was once asked for is said in every further request.
    assert_eq!(
        (update.header("Session-Expires").as_str(), update.header("Min-SE").as_str()),
        ("3600;refresher=uac", "3600")
    );
    // §7.3 again, in the dialog.
    world.receive(CARRIER, &update.answer("422 Session Interval Too Small", "", "Min-SE: 7200\r\n", ""));
    let update = world.expect("UPDATE");
    assert_eq!(update.header("Session-Expires"), "7200;refresher=uac");
}

/// Who refuses the interval it asked for is not asked for ever.
#[test]
fn a_422_that_says_nothing_new_is_a_refusal() {
    for min_se in ["Min-SE: 1800\r\n", "Min-SE: 86401\r\n", ""] {
        let mut world = world(timers(SessionTimerPolicy::Offer));
        world.call_carrier();
        let invite = world.expect("INVITE");
        world.receive(CARRIER, &invite.answer("422 Session Interval Too Small", "x", min_se, ""));
        world.expect("ACK");
        assert_eq!(world.event_names(), ["Ended", "Released"], "{min_se}");
    }
    let mut world = world(timers(SessionTimerPolicy::Offer));
    world.call_carrier();
    for more in 1.. {
        let Some(invite) = world.messages().into_iter().find(|sent| sent.what() == "INVITE") else {
            assert_eq!(more, 6, "sent five times");
            break;
        };
        let min_se = format!("Min-SE: {}\r\n", 1_800 + more);
        world.receive(CARRIER, &invite.answer("422 Session Interval Too Small", "x", &min_se, ""));
    }
    assert_eq!(world.event_names(), ["Ended", "Released"]);
}

/// §9: 422 with our Min-SE, to the first request and to those in the dialog, which goes on as it was.
#[test]
fn an_interval_that_is_too_small_is_refused() {
    let small = "Supported: timer\r\nSession-Expires: 89\r\n";
    let mut world = world(timers(SessionTimerPolicy::Accept));
    world.receive(CARRIER, &Request::invite().with(|it| it.headers.push_str(small)).text());
    let refusal = world.expect("422 INVITE");
    assert_eq!(refusal.header("Min-SE"), "90");
    assert_eq!(world.events(), [], "nobody is called");
    let (_, ok) = {
        let mut invite = Request::invite();
        invite.call_id = "call-2".to_owned();
        invite.branch.push('2');
        world.receive(CARRIER, &invite.text());
        let session = world.incoming();
        world.own(|agent, now| agent.accept(now, session, media())).expect("an offered session");
        world.expect("100 INVITE");
        (session, world.expect("200 INVITE"))
    };
    world.receive(CARRIER, &Request::within("ACK", 1, &ok).text());
    for (cseq, method, status) in [(2, "UPDATE", "422 UPDATE"), (3, "INVITE", "422 INVITE")] {
        let request = Request::within(method, cseq, &ok).with(|it| {
            it.headers = format!("{}{small}", contact(CARRIER));
            SDP.clone_into(&mut it.body);
        });
        world.receive(CARRIER, &request.text());
        assert_eq!(world.expect(status).header("Min-SE"), "90");
    }
    assert_eq!(world.counters().session_intervals_refused, 3);
    let update = Request::within("UPDATE", 4, &ok).with(|it| SDP.clone_into(&mut it.body));
    world.receive(CARRIER, &update.text());
    world.expect("200 UPDATE");
}

/// §7.1 and RFC 3261 §21.4.16: required of callees, and of callers.
#[test]
fn timers_may_be_required() {
    let mut world = world(timers(SessionTimerPolicy::Require));
    world.receive(CARRIER, &Request::invite().text());
    assert_eq!(world.expect("421 INVITE").header("Require"), "timer");
    world.call_carrier();
    let invite = world.expect("INVITE");
    assert_eq!(
        (invite.header("Require").as_str(), invite.header("Session-Expires").as_str()),
        ("timer", "1800")
    );
}

/// Nobody who calls for help is sent away for want of an extension.
#[test]
fn emergency_calls_pass_what_is_required() {
    let mut config = config();
    config.trunks[0].profile.session_timers = timers(SessionTimerPolicy::Require);
    config.trunks[0].profile.reliable_provisional = ReliableProvisional::Required;
    let mut world = World::with(config);
    let call = Request::invite().with(|it| it.uri = "sip:112@127.0.0.1".to_owned());
    world.receive(CARRIER, &call.text());
    let session = world.incoming();
    world.own(|agent, now| agent.accept(now, session, media())).expect("an offered session");
    world.expect("100 INVITE");
    assert_eq!(world.expect("200 INVITE").header("Session-Expires"), "1800;refresher=uas");
}

#[test]
fn without_timers_nothing_is_known_of_them() {
    let mut world = world(timers(SessionTimerPolicy::Off));
    let require = Request::invite().with(|it| it.headers.push_str("Require: timer\r\n"));
    world.receive(CARRIER, &require.text());
    assert_eq!(world.expect("420 INVITE").header("Unsupported"), "timer");
    let mut world = self::world(timers(SessionTimerPolicy::Off));
    let (_, invite) = calling(&mut world, "Session-Expires: 90;refresher=uac\r\n");
    assert!(!invite.header("Supported").contains("timer"));
    world.pass(Duration::from_secs(600));
    world.expect_silence();
}

/// RFC 3261 §12.2.1.2, RFC 5057 §5.1 and §10: the responses that end the session, and those after which it is refreshed
/// again.
#[test]
fn a_refresh_that_fails_is_tried_again_or_ends_the_session() {
    for status in
        ["408 Request Timeout", "481 Call/Transaction Does Not Exist", "404 Not Found", "502 Bad Gateway"]
    {
        let mut world = world(timers(SessionTimerPolicy::Offer));
        calling(&mut world, &format!("Session-Expires: 1800;refresher=uac\r\n{ALLOW_UPDATE}"));
        world.pass(Duration::from_secs(900));
        let update = world.expect("UPDATE");
        world.receive(CARRIER, &update.answer(status, "", "", ""));
        assert_eq!(world.expect("BYE").header("Reason"), "Q.850;cause=102;text=\"dialog lost\"");
        assert_eq!(world.event_names(), ["Ended"], "{status}");
    }
    let mut world = world(timers(SessionTimerPolicy::Offer));
    calling(&mut world, &format!("Session-Expires: 1800;refresher=uac\r\n{ALLOW_UPDATE}"));
    let mut refreshes = BTreeSet::new();
    while !world.event_names().contains(&"Ended") {
        world.pass(Duration::from_secs(1));
        for sent in world.messages() {
            if sent.what() == "UPDATE" {
                refreshes.insert(sent.branch());
                world.receive(CARRIER, &sent.answer("500 Server Internal Error", "", "", ""));
            }
        }
    }
    assert_eq!(refreshes.len(), 5, "and then it was left to its end");
    assert_eq!(world.now, tandem_time::Instant::from_millis(1_000 + (1_800 - 32) * 1_000));
}

/// A peer that lists UPDATE and does not take it is refreshed by re-INVITE.
#[test]
fn a_refused_update_becomes_a_reinvite() {
    let mut world = world(timers(SessionTimerPolicy::Offer));
    let (_, invite) = calling(&mut world, &format!("Session-Expires: 1800;refresher=uac\r\n{ALLOW_UPDATE}"));
    world.pass(Duration::from_secs(900));
    let update = world.expect("UPDATE");
    world.receive(CARRIER, &update.answer("405 Method Not Allowed", "", "", ""));
    let refresh = world.expect("INVITE");
    assert_eq!(refresh.body(), invite.body());
    refreshed(&mut world, &refresh, "Session-Expires: 1800;refresher=uac\r\n", SDP);
    world.pass(Duration::from_secs(900));
    world.expect("INVITE");
}

/// RFC 3261 §14.1: refreshes that cross are tried again.
#[test]
fn a_refresh_that_crosses_theirs_is_tried_again() {
    let mut world = world(timers(SessionTimerPolicy::Offer));
    calling(&mut world, "Session-Expires: 1800;refresher=uac\r\n");
    world.pass(Duration::from_secs(900));
    let refresh = world.expect("INVITE");
    world.receive(CARRIER, &refresh.answer("491 Request Pending", "", "", ""));
    world.expect("ACK");
    world.pass_ms(4_000);
    let refresh = world.expect("INVITE");
    world.messages();
    refreshed(&mut world, &refresh, "Session-Expires: 1800;refresher=uac\r\n", SDP);
}

/// RFC 3262 §4 and §5 in a re-INVITE: each reliable 1xx has its PRACK, and the first description is the answer.
#[test]
fn a_reliable_response_to_a_refresh_has_its_prack() {
    let mut world = world(timers(SessionTimerPolicy::Offer));
    calling(&mut world, "Session-Expires: 1800;refresher=uac\r\n");
    world.pass(Duration::from_secs(900));
    let refresh = world.expect("INVITE");
    let reliable = |rseq| format!("{}Require: 100rel\r\nRSeq: {rseq}\r\n", contact(CARRIER));
    let progress = refresh.answer("183 Session Progress", "", &reliable(7), SDP);
    world.receive(CARRIER, &progress);
    let prack = world.expect("PRACK");
    assert_eq!((prack.header("RAck").as_str(), prack.header("CSeq").as_str()), ("7 2 INVITE", "3 PRACK"));
    world.receive(CARRIER, &prack.answer("200 OK", "", "", ""));
    world.receive(CARRIER, &progress);
    world.receive(CARRIER, &refresh.answer("180 Ringing", "", &reliable(9), ""));
    world.expect_silence();
    world.receive(CARRIER, &refresh.answer("180 Ringing", "", &reliable(8), ""));
    let prack = world.expect("PRACK");
    assert_eq!(prack.header("RAck"), "8 2 INVITE");
    world.receive(CARRIER, &prack.answer("200 OK", "", "", ""));
    refreshed(&mut world, &refresh, "Session-Expires: 1800;refresher=uac\r\n", "");
    world.pass(Duration::from_secs(900));
    world.expect("INVITE");
}

/// A PRACK in a confirmed dialog that the peer knows nothing of ends the session (RFC 5057 §5.1).
#[test]
fn a_refused_prack_of_a_refresh_ends_the_session() {
    let mut config = config();
    config.trunks[0].profile.session_timers = timers(SessionTimerPolicy::Offer);
    config.trunks[0].profile.reliable_provisional = ReliableProvisional::Supported;
    let mut world = World::with(config);
    calling(&mut world, "Session-Expires: 1800;refresher=uac\r\n");
    world.pass(Duration::from_secs(900));
    let refresh = world.expect("INVITE");
    let headers = format!("{}Require: 100rel\r\nRSeq: 1\r\n", contact(CARRIER));
    world.receive(CARRIER, &refresh.answer("183 Session Progress", "", &headers, SDP));
    let prack = world.expect("PRACK");
    world.receive(CARRIER, &prack.answer("481 No", "", "", ""));
    world.expect("BYE");
    assert_eq!(world.event_names(), ["Ended"]);
}

/// What the owner changes refreshes the session, too.
#[test]
fn a_hold_of_ours_is_a_refresh() {
    let mut world = world(timers(SessionTimerPolicy::Offer));
    let (session, _) = calling(&mut world, &format!("Session-Expires: 1800;refresher=uac\r\n{ALLOW_UPDATE}"));
    world.pass(Duration::from_secs(800));
    let hold = tandem_sbc::user_agent::Reoffer {
        direction: Some(tandem_sbc::user_agent::MediaDirection::SendOnly),
        media: None,
    };
    world.own(|agent, now| agent.reoffer(now, session, hold)).expect("a confirmed session");
    let invite = world.expect("INVITE");
    assert_eq!(invite.header("Session-Expires"), "1800;refresher=uac");
    let headers = format!("{}Session-Expires: 1800;refresher=uac\r\n", contact(CARRIER));
    world.receive(CARRIER, &invite.answer("200 OK", "", &headers, &format!("{SDP}a=recvonly\r\n")));
    world.expect("ACK");
    world.pass(Duration::from_secs(899));
    world.expect_silence();
    world.pass(Duration::from_secs(1));
    let update_or_invite = world.messages();
    assert_eq!(update_or_invite.len(), 1);
}
