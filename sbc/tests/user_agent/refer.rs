//! REFERs that come in a call (RFC 3515), with and without a subscription (RFC 4488), with Replaces (RFC 3891).

use tandem_sbc::user_agent::{Event, ReferId, ReferPolicy, Scheme, SessionError, SessionId};

use crate::support::{CARRIER, Request, Sent, World, config, contact};

fn refer(cseq: u32, ok: &Sent, to: &str) -> Request {
    Request::within("REFER", cseq, ok)
        .with(|refer| refer.headers = format!("{}Refer-To: {to}\r\n", contact(CARRIER)))
}

/// What the only event so far asks for.
fn asked(world: &mut World) -> (SessionId, ReferId, String, Option<SessionId>) {
    match world.events().as_slice() {
        [Event::TransferAsked { session, refer, to, replaces, .. }] => {
            (*session, *refer, to.clone(), *replaces)
        }
        other => panic!("no transfer but {other:?}"),
    }
}

/// The next NOTIFY, which says this; answered with `status`.
fn notified(world: &mut World, event: &str, state: &str, fragment: &str, status: &str) {
    let notify = world.expect("NOTIFY");
    assert_eq!(notify.header("Event"), event);
    assert_eq!(notify.header("Subscription-State"), state);
    assert_eq!(notify.header("Content-Type"), "message/sipfrag;version=2.0");
    assert_eq!(notify.body(), format!("SIP/2.0 {fragment}\r\n"));
    assert!(!notify.header("Contact").is_empty(), "RFC 6665 §4.1.3");
    world.receive(CARRIER, &notify.answer(status, "", "", ""));
}

/// RFC 3515 §4.1: 202, then NOTIFY of 100, of what comes between, and of the end.
#[test]
fn a_transfer_is_accepted_and_reported_on() {
    let mut world = World::new();
    let (session, ok) = world.established();
    let wanted = refer(2, &ok, "<sip:+15550199@127.0.0.1>").with(|refer| {
        refer.headers.push_str("Referred-By: \"Agent\" <sip:1001@127.0.0.1>\r\n");
    });
    world.receive(CARRIER, &wanted.text());
    world.expect_silence();
    let events = world.events();
    assert_eq!(
        events,
        [Event::TransferAsked {
            session,
            refer: ReferId(2),
            to: "+15550199".into(),
            scheme: Scheme::Sip,
            replaces: None,
            referred_by: Some("sip:1001@127.0.0.1".into()),
        }]
    );
    world.own(|agent, now| agent.accept_refer(now, session, ReferId(2))).expect("it waits");
    let accepted = world.expect("202 REFER");
    assert!(!accepted.header("Contact").is_empty());
    assert_eq!(accepted.header("Refer-Sub"), "");
    notified(&mut world, "refer", "active;expires=600", "100 Trying", "200 OK");
    world.own(|agent, now| agent.report_refer(now, session, ReferId(2), 180)).expect("subscribed");
    notified(&mut world, "refer", "active;expires=600", "180 Ringing", "200 OK");
    world.own(|agent, now| agent.report_refer(now, session, ReferId(2), 200)).expect("subscribed");
    notified(&mut world, "refer", "terminated;reason=noresource", "200 OK", "200 OK");
    let over = world.own(|agent, now| agent.report_refer(now, session, ReferId(2), 486));
    assert_eq!(over, Err(SessionError::UnknownSession), "one final report");
    world.receive(CARRIER, &Request::within("BYE", 3, &ok).text());
    world.expect("200 BYE");
    assert_eq!(world.event_names(), ["Ended", "Released"]);
    world.rest();
}

/// RFC 5057 §4.2: the transferor hangs up as soon as it has the 202, and is told of the end all the same; the session
/// is not released before.
#[test]
fn the_subscription_outlives_the_call() {
    for by_us in [false, true] {
        let mut world = World::new();
        let (session, ok) = world.established();
        world.receive(CARRIER, &refer(2, &ok, "<sip:1002@127.0.0.1>").text());
        asked(&mut world);
        world.own(|agent, now| agent.accept_refer(now, session, ReferId(2))).expect("it waits");
        world.expect("202 REFER");
        notified(&mut world, "refer", "active;expires=600", "100 Trying", "200 OK");
        if by_us {
            world.own(|agent, now| agent.hang_up(now, session, "transferred")).expect("a session");
            let bye = world.expect("BYE");
            world.receive(CARRIER, &bye.answer("200 OK", "", "", ""));
        } else {
            world.receive(CARRIER, &Request::within("BYE", 3, &ok).text());
            world.expect("200 BYE");
        }
        assert_eq!(world.event_names(), ["Ended"]);
        world.receive(CARRIER, &Request::within("INFO", 4, &ok).text());
        world.expect("481 INFO");
        world.own(|agent, now| agent.report_refer(now, session, ReferId(2), 603)).expect("subscribed");
        notified(&mut world, "refer", "terminated;reason=noresource", "603 Decline", "200 OK");
        assert_eq!(world.event_names(), ["Released"]);
        world.rest();
    }
}

/// RFC 4488 §4: nobody wants to hear, and is told that nothing will be.
#[test]
fn a_transfer_without_a_subscription() {
    for headers in ["Refer-Sub: false\r\nSupported: norefersub\r\n", "Require: norefersub\r\n"] {
        let mut world = World::new();
        let (session, ok) = world.established();
        let silent = refer(2, &ok, "<sip:1002@127.0.0.1>").with(|refer| refer.headers.push_str(headers));
        world.receive(CARRIER, &silent.text());
        asked(&mut world);
        world.own(|agent, now| agent.accept_refer(now, session, ReferId(2))).expect("it waits");
        assert_eq!(world.expect("202 REFER").header("Refer-Sub"), "false");
        let told = world.own(|agent, now| agent.report_refer(now, session, ReferId(2), 200));
        assert_eq!(told, Err(SessionError::UnknownSession));
        world.expect_silence();
    }
}

#[test]
fn the_owner_refuses() {
    let mut world = World::new();
    let (session, ok) = world.established();
    world.receive(CARRIER, &refer(2, &ok, "<sip:1002@127.0.0.1>").text());
    for (status, refused) in [(200, Err(SessionError::WrongState)), (603, Ok(()))] {
        assert_eq!(world.own(|agent, now| agent.refuse_refer(now, session, ReferId(2), status)), refused);
    }
    world.expect("603 REFER");
    let late = world.own(|agent, now| agent.accept_refer(now, session, ReferId(2)));
    assert_eq!(late, Err(SessionError::WrongState));
    world.expect_silence();
}

/// An owner that says nothing does not keep the phone waiting until it gives up.
#[test]
fn no_decision_is_503() {
    let mut world = World::new();
    let (session, ok) = world.established();
    world.receive(CARRIER, &refer(2, &ok, "<sip:1002@127.0.0.1>").text());
    world.pass_ms(9_999);
    world.expect_silence();
    world.pass_ms(1);
    world.expect("503 REFER");
    assert!(world.own(|agent, now| agent.accept_refer(now, session, ReferId(2))).is_err());
}

/// §15.1.2 of RFC 3261: what waits in a dialog that ends is over.
#[test]
fn a_bye_before_the_decision_is_487_to_the_refer() {
    let mut world = World::new();
    let (session, ok) = world.established();
    world.receive(CARRIER, &refer(2, &ok, "<sip:1002@127.0.0.1>").text());
    world.receive(CARRIER, &Request::within("BYE", 3, &ok).text());
    world.expect("200 BYE");
    world.expect("487 REFER");
    assert!(world.own(|agent, now| agent.accept_refer(now, session, ReferId(2))).is_err());
    assert_eq!(world.event_names(), ["TransferAsked", "Ended", "Released"]);
    world.rest();
}

/// RFC 3515 §2.4.6: the REFERs of a dialog are told apart by their CSeq; there are four at a time, and no fifth.
#[test]
fn several_refers_in_a_dialog() {
    let mut world = World::new();
    let (session, ok) = world.established();
    for cseq in 2..6 {
        world.receive(CARRIER, &refer(cseq, &ok, "<sip:1002@127.0.0.1>").text());
        assert_eq!(asked(&mut world).1, ReferId(cseq));
        world.own(|agent, now| agent.accept_refer(now, session, ReferId(cseq))).expect("it waits");
        world.expect("202 REFER");
        let event = if cseq == 2 { "refer".to_owned() } else { format!("refer;id={cseq}") };
        notified(&mut world, &event, "active;expires=600", "100 Trying", "200 OK");
    }
    world.receive(CARRIER, &refer(6, &ok, "<sip:1002@127.0.0.1>").text());
    assert_eq!(world.expect("503 REFER").header("Retry-After"), "5");
    world.own(|agent, now| agent.report_refer(now, session, ReferId(4), 486)).expect("subscribed");
    notified(&mut world, "refer;id=4", "terminated;reason=noresource", "486 Busy Here", "200 OK");
    world.receive(CARRIER, &refer(7, &ok, "<sip:1002@127.0.0.1>").text());
    assert_eq!(asked(&mut world).1, ReferId(7));
}

/// A NOTIFY waits for the answer to the one before it: what was meanwhile is skipped, the end is not.
#[test]
fn notifies_go_one_after_the_other() {
    let mut world = World::new();
    let (session, ok) = world.established();
    world.receive(CARRIER, &refer(2, &ok, "<sip:1002@127.0.0.1>").text());
    world.own(|agent, now| agent.accept_refer(now, session, ReferId(2))).expect("it waits");
    world.expect("202 REFER");
    let first = world.expect("NOTIFY");
    for status in [180, 183, 200] {
        world.own(|agent, now| agent.report_refer(now, session, ReferId(2), status)).expect("subscribed");
    }
    world.expect_silence();
    world.receive(CARRIER, &first.answer("200 OK", "", "", ""));
    notified(&mut world, "refer", "terminated;reason=noresource", "200 OK", "200 OK");
    world.expect_silence();
}

/// RFC 6665 §4.2.2: a peer that knows nothing of the subscription, or does not answer, hears no more; its call goes on
/// (RFC 5057 §5.1).
#[test]
fn a_notify_that_fails_ends_the_subscription() {
    for answer in [Some("481 Call/Transaction Does Not Exist"), Some("500 Server Internal Error"), None] {
        let mut world = World::new();
        let (session, ok) = world.established();
        world.receive(CARRIER, &refer(2, &ok, "<sip:1002@127.0.0.1>").text());
        asked(&mut world);
        world.own(|agent, now| agent.accept_refer(now, session, ReferId(2))).expect("it waits");
        world.expect("202 REFER");
        let notify = world.expect("NOTIFY");
        match answer {
            Some(status) => world.receive(CARRIER, &notify.answer(status, "", "", "")),
            None => world.pass_ms(32_000),
        }
        let told = world.own(|agent, now| agent.report_refer(now, session, ReferId(2), 200));
        assert_eq!(told, Err(SessionError::UnknownSession), "{answer:?}");
        assert_eq!(world.events(), []);
        world.receive(CARRIER, &Request::within("OPTIONS", 3, &ok).text());
        world.messages();
        world.receive(CARRIER, &Request::within("BYE", 4, &ok).text());
        world.expect("200 BYE");
        world.rest();
    }
}

/// RFC 3515 §2.4.4: the subscription is refreshed and ended by SUBSCRIBE, and ends by itself.
#[test]
fn a_subscription_is_refreshed_ended_and_expires() {
    let mut world = World::new();
    let (session, ok) = world.established();
    let subscribe = |cseq, event: &str, expires: &str| {
        let headers = format!("{}Event: {event}\r\nExpires: {expires}\r\n", contact(CARRIER));
        Request::within("SUBSCRIBE", cseq, &ok).with(|subscribe| subscribe.headers = headers)
    };
    world.receive(CARRIER, &subscribe(2, "refer", "60").text());
    world.expect("481 SUBSCRIBE");
    world.receive(CARRIER, &subscribe(3, "presence", "60").text());
    assert_eq!(world.expect("489 SUBSCRIBE").header("Allow-Events"), "refer");
    for (cseq, end) in [(4, Some("0")), (7, None)] {
        world.receive(CARRIER, &refer(cseq, &ok, "<sip:1002@127.0.0.1>").text());
        asked(&mut world);
        world.own(|agent, now| agent.accept_refer(now, session, ReferId(cseq))).expect("it waits");
        world.expect("202 REFER");
        let event = if cseq == 4 { "refer".to_owned() } else { format!("refer;id={cseq}") };
        notified(&mut world, &event, "active;expires=600", "100 Trying", "200 OK");
        world.receive(CARRIER, &subscribe(cseq + 1, &event, "60").text());
        assert_eq!(world.expect("200 SUBSCRIBE").header("Expires"), "60");
        notified(&mut world, &event, "active;expires=60", "100 Trying", "200 OK");
        match end {
            Some(zero) => {
                world.receive(CARRIER, &subscribe(cseq + 2, &event, zero).text());
                world.expect("200 SUBSCRIBE");
            }
            None => world.pass_ms(60_000),
        }
        notified(&mut world, &event, "terminated;reason=timeout", "100 Trying", "200 OK");
        assert!(world.own(|agent, now| agent.report_refer(now, session, ReferId(cseq), 200)).is_err());
    }
}

/// RFC 3515 §2.4.2, RFC 3892 §2.1, RFC 3891 §3.
#[test]
fn what_is_refused_by_itself() {
    for (refer_to, status) in [
        ("", 400),
        ("Refer-To: <sip:1002@127.0.0.1>\r\nRefer-To: <sip:1003@127.0.0.1>\r\n", 400),
        ("Refer-To: <sip:1002@\r\n", 400),
        ("Refer-To: <sip:1002@127.0.0.1>\r\nReferred-By: <sip:a@b>\r\nReferred-By: <sip:a@b>\r\n", 400),
        ("Refer-To: <sip:1002@127.0.0.1?Replaces=nothing>\r\n", 400),
        ("Refer-To: <http://127.0.0.1/>\r\n", 416),
        ("Refer-To: <sips:1002@127.0.0.1>\r\n", 416),
        ("Refer-To: <sip:1002@127.0.0.1;method=BYE>\r\n", 403),
        ("Refer-To: <sip:127.0.0.1>\r\n", 484),
        ("Refer-To: <sip:1002@127.0.0.1>\r\nRequire: tdialog\r\n", 420),
    ] {
        let mut world = World::new();
        let (_, ok) = world.established();
        let wrong = Request::within("REFER", 2, &ok)
            .with(|refer| refer.headers = format!("{}{refer_to}", contact(CARRIER)));
        world.receive(CARRIER, &wrong.text());
        world.expect(&format!("{status} REFER"));
        assert_eq!(world.events(), [], "{refer_to}");
    }
}

/// Numbers come as `tel:` too, and `method=INVITE` says what is so anyway.
#[test]
fn whom_it_means() {
    for (refer_to, to) in [
        ("<tel:+1-555-0199>", "+15550199"),
        ("sip:1002@127.0.0.1;method=INVITE", "1002"),
        ("<sip:1002@127.0.0.1;method=INVITE>", "1002"),
        ("\"Two\" <sip:%2B15550199;phone-context=x@127.0.0.1>", "+15550199"),
    ] {
        let mut world = World::new();
        let (_, ok) = world.established();
        world.receive(CARRIER, &refer(2, &ok, refer_to).text());
        assert_eq!(asked(&mut world).2, to);
    }
}

/// Per trunk and for phones: `refer = "refuse"`.
#[test]
fn policy_refuses() {
    let mut config = config();
    config.trunks[0].profile.refer = ReferPolicy::Refuse;
    let mut world = World::with(config);
    let (_, ok) = world.established();
    world.receive(CARRIER, &refer(2, &ok, "<sip:1002@127.0.0.1>").text());
    world.expect("403 REFER");
    assert_eq!(world.events(), []);
}

/// RFC 3891 §4.2: the dialog to take over is found by its Call-ID and tags, `to-tag` being ours.
#[test]
fn an_attended_transfer_names_another_call() {
    let mut world = World::new();
    let (session, ok) = world.established();
    let (consulted, invite) = world.answered();
    let replaces = |local: &str, remote: &str, more: &str| {
        let call_id = invite.header("Call-ID");
        format!("<sip:+15557777@127.0.0.1?Replaces={call_id}%3Bto-tag%3D{local}%3Bfrom-tag%3D{remote}{more}>")
    };
    let ours = invite.tag("From");
    world.receive(CARRIER, &refer(2, &ok, &replaces(&ours, "callee", "")).text());
    assert_eq!(asked(&mut world), (session, ReferId(2), "+15557777".into(), Some(consulted)));
    let own =
        format!("<sip:1@127.0.0.1?Replaces={}%3Bto-tag%3D{}%3Bfrom-tag%3Dthem>", "call-1", ok.tag("To"));
    let strays = [
        replaces(&ours, "other", ""),
        replaces("other", "callee", ""),
        // An answered one is there no more for `early-only`.
        replaces(&ours, "callee", "%3Bearly-only"),
        own,
    ];
    for (cseq, stray) in (3..).zip(strays) {
        world.receive(CARRIER, &refer(cseq, &ok, &stray).text());
        world.expect("202 REFER");
        let first = world.expect("NOTIFY");
        world.receive(CARRIER, &first.answer("200 OK", "", "", ""));
        let state = "terminated;reason=noresource";
        let event = format!("refer;id={cseq}");
        notified(&mut world, &event, state, "481 Call/Transaction Does Not Exist", "200 OK");
        assert_eq!(world.events(), [], "{stray}");
    }
}

/// A call that does not talk yet is not transferred.
#[test]
fn a_refer_before_the_ack_is_to_come_again() {
    let mut world = World::new();
    world.receive(CARRIER, &Request::invite().text());
    let session = world.incoming();
    world.own(|agent, now| agent.accept(now, session, crate::support::media())).expect("offered");
    world.expect("100 INVITE");
    let ok = world.expect("200 INVITE");
    world.receive(CARRIER, &refer(2, &ok, "<sip:1002@127.0.0.1>").text());
    assert_eq!(world.expect("500 REFER").header("Retry-After"), "5");
}

/// RFC 3261 §14.2: an offer that comes while nobody has decided on the REFER is answered, and the REFER goes on.
#[test]
fn an_offer_crosses_the_decision() {
    let mut world = World::new();
    let (session, ok) = world.established();
    world.receive(CARRIER, &refer(2, &ok, "<sip:1002@127.0.0.1>").text());
    asked(&mut world);
    let hold = Request::within("INVITE", 3, &ok).with(|hold| {
        hold.headers = contact(CARRIER);
        hold.body = crate::support::SDP.replace("RTP/AVP 0 101\r\n", "RTP/AVP 0 101\r\na=sendonly\r\n");
    });
    world.receive(CARRIER, &hold.text());
    world.own(|agent, now| agent.accept_refer(now, session, ReferId(2))).expect("it waits");
    assert!(world.expect("200 INVITE").body().contains("a=recvonly"));
    world.expect("202 REFER");
    notified(&mut world, "refer", "active;expires=600", "100 Trying", "200 OK");
    assert_eq!(world.event_names(), ["Media"]);
}
