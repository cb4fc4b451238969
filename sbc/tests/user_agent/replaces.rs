//! INVITEs that take over a session (RFC 3891).

use tandem_sbc::user_agent::{Event, SessionId, Source};

use crate::support::{CARRIER, PHONE, Request, SDP, Sent, World, config, contact, credentials, media};

/// A call of the carrier, from another dialog than `Request::invite`'s, that names a dialog.
fn replacing(call_id: &str, ours: &str, theirs: &str, more: &str) -> Request {
    Request::invite().with(|invite| {
        invite.call_id = "call-2".into();
        invite.branch.push_str("-2");
        invite.from = "<sip:+15554321@127.0.0.10>;tag=new".into();
        invite.headers.push_str(&format!("Replaces: {call_id};to-tag={ours};from-tag={theirs}{more}\r\n"));
    })
}

fn refused(world: &mut World, status: u16) {
    world.expect(&format!("{status} INVITE"));
    assert_eq!(world.events(), []);
}

fn taken_over(world: &mut World) -> (SessionId, SessionId, Source) {
    match world.events().as_slice() {
        [Event::Replacing { session, replaced, source, call_id, acceptable: true, .. }] => {
            assert_eq!(call_id, "call-2");
            (*session, *replaced, source.clone())
        }
        other => panic!("nobody takes over but {other:?}"),
    }
}

/// RFC 3891 §3: the dialog is found by the tags as we know them; the new session is accepted, the old one gets BYE.
#[test]
fn an_answered_session_is_taken_over() {
    let mut world = World::new();
    let (old, ok) = world.established();
    world.receive(CARRIER, &replacing("call-1", &ok.tag("To"), "them", "").text());
    let (session, replaced, source) = taken_over(&mut world);
    assert_eq!((replaced, source), (old, Source::Trunk("carrier-a".into())));
    world.own(|agent, now| agent.accept(now, session, media())).expect("offered");
    world.expect("100 INVITE");
    let ok = world.expect("200 INVITE");
    assert!(ok.header("Supported").contains("replaces"));
    world.own(|agent, now| agent.hang_up(now, old, "replaced")).expect("there");
    let bye = world.expect("BYE");
    assert_eq!(bye.header("Call-ID"), "call-1");
    world.receive(CARRIER, &bye.answer("200 OK", "", "", ""));
    world.receive(CARRIER, &Request::within("ACK", 1, &ok).text());
    assert_eq!(world.event_names(), ["Media", "Ended", "Released", "Confirmed"]);
}

/// RFC 3891 §3, the early dialog: of those that we called, by who rings.
#[test]
fn a_call_that_rings_is_taken_over() {
    let mut world = World::new();
    let old = world.call_carrier();
    let invite = world.expect("INVITE");
    assert!(invite.header("Supported").contains("replaces"));
    world.receive(CARRIER, &invite.answer("180 Ringing", "callee", &contact(CARRIER), ""));
    world.events();
    let call_id = invite.header("Call-ID");
    world.receive(CARRIER, &replacing(&call_id, &invite.tag("From"), "callee", ";early-only").text());
    assert_eq!(taken_over(&mut world).1, old);
    world.own(|agent, now| agent.hang_up(now, old, "replaced")).expect("there");
    world.expect("100 INVITE");
    assert_eq!(world.expect("CANCEL").header("Call-ID"), call_id);
}

/// RFC 3891 §3: each way in which there is nothing to take over, and the status of it.
#[test]
fn what_is_refused() {
    let mut world = World::new();
    let (_, ok) = world.established();
    let tag = ok.tag("To");
    let cases = [
        (replacing("call-1", &tag, "them", ";early-only"), 486),
        (replacing("call-9", &tag, "them", ""), 481),
        (replacing("call-1", "other", "them", ""), 481),
        (replacing("call-1", &tag, "other", ""), 481),
        (
            replacing("call-1", &tag, "them", "").with(|it| it.headers = it.headers.replace("to-tag", "x")),
            400,
        ),
        (
            replacing("call-1", &tag, "them", "")
                .with(|it| it.headers.push_str("Join: x;to-tag=1;from-tag=2\r\n")),
            400,
        ),
    ];
    for (place, (invite, status)) in cases.into_iter().enumerate() {
        let invite = invite.with(|invite| {
            invite.call_id.push_str(&place.to_string());
            invite.branch.push_str(&place.to_string());
        });
        world.receive(CARRIER, &invite.text());
        refused(&mut world, status);
    }
    let info = Request::within("INFO", 2, &ok)
        .with(|info| info.headers = format!("Replaces: call-1;to-tag={tag};from-tag=them\r\n"));
    world.receive(CARRIER, &info.text());
    world.expect("400 INFO");
}

/// An early dialog that the peer began is the peer's to answer for, and one that is over is declined.
#[test]
fn what_rings_here_and_what_is_over() {
    let mut world = World::new();
    world.receive(CARRIER, &Request::invite().text());
    let old = world.incoming();
    world.own(|agent, now| agent.ring(now, old)).expect("offered");
    world.expect("100 INVITE");
    let tag = world.expect("180 INVITE").tag("To");
    world.receive(CARRIER, &replacing("call-1", &tag, "them", "").text());
    refused(&mut world, 481);
    world.own(|agent, now| agent.accept(now, old, media())).expect("offered");
    let ok = world.expect("200 INVITE");
    world.receive(CARRIER, &Request::within("ACK", 1, &ok).text());
    world.own(|agent, now| agent.hang_up(now, old, "")).expect("there");
    world.expect("BYE");
    world.events();
    let again = replacing("call-1", &tag, "them", "").with(|invite| {
        invite.call_id = "call-3".into();
        invite.branch.push_str("-late");
    });
    world.receive(CARRIER, &again.text());
    refused(&mut world, 603);
}

/// A phone's call, answered, with the 200 that made its dialog; `branch` tells its calls apart.
fn phone_call(world: &mut World, branch: &str, user: &str, headers: &str) -> Sent {
    let invite = Request::invite().with(|invite| {
        invite.via = format!("SIP/2.0/UDP {PHONE};rport");
        invite.from = format!("<sip:{user}@127.0.0.1>;tag={branch}");
        invite.branch.push_str(branch);
        invite.call_id = if headers.is_empty() { "call-1".into() } else { "call-2".into() };
        invite.headers = format!("{}{headers}", contact(&format!("{user}@{PHONE}")));
        SDP.clone_into(&mut invite.body);
    });
    world.receive(PHONE, &invite.text());
    let challenge = world.expect("401 INVITE");
    let again = invite.with(|again| {
        again.cseq = 2;
        again.branch.push('2');
        let (password, algorithm) = (format!("secret-{user}"), "SHA-256");
        again.headers.push_str(&credentials(&challenge, "INVITE", user, &password, algorithm, 1));
    });
    world.receive(PHONE, &again.text());
    world.messages().pop().expect("a response")
}

/// RFC 3891 §3: the same user, or whom that user has sent (RFC 3892); nobody else, whatever it knows.
#[test]
fn who_may_take_over() {
    for (user, referred_by, is_allowed) in [
        ("1001", "", true),
        ("1002", "", false),
        ("1002", "Referred-By: <sip:1001@127.0.0.1>\r\n", true),
        ("1002", "Referred-By: <sip:1003@127.0.0.1>\r\n", false),
    ] {
        let mut world = World::new();
        phone_call(&mut world, "a", "1001", "");
        let old = world.incoming();
        world.own(|agent, now| agent.accept(now, old, media())).expect("offered");
        let ok = world.expect("200 INVITE");
        world.receive(PHONE, &Request::within("ACK", 2, &ok).text());
        world.events();
        let replaces = format!("Replaces: call-1;to-tag={};from-tag=a\r\n{referred_by}", ok.tag("To"));
        let last = phone_call(&mut world, "b", user, &replaces);
        if is_allowed {
            assert_eq!(last.what(), "100 INVITE", "{user} {referred_by}");
            assert_eq!(taken_over(&mut world).2, Source::User(user.into()));
        } else {
            assert_eq!(last.what(), "403 INVITE", "{user} {referred_by}");
            assert_eq!(world.events(), []);
        }
        // A trunk is no phone.
        let stranger = replacing("call-1", &ok.tag("To"), "a", "").with(|it| it.call_id = "call-3".into());
        world.receive(CARRIER, &stranger.text());
        refused(&mut world, 403);
    }
}

/// RFC 5359 §2.16 with RFC 3891 §3: a phone that rings is picked up by a user of the same group, with `early-only`; by others
/// it is not, nor without it; and when it is answered first there is nothing to pick up.
#[test]
fn who_may_pick_up() {
    for (groups, flag, is_answered, expected) in [
        (vec![["1001".into(), "1002".into()].into()], ";early-only", false, "100 INVITE"),
        (vec![["1001".into(), "1002".into()].into()], "", false, "403 INVITE"),
        (vec![["1001".into(), "1002".into()].into()], ";early-only", true, "486 INVITE"),
        (vec![["1001".into()].into(), ["1002".into()].into()], ";early-only", false, "403 INVITE"),
        (vec![], ";early-only", true, "403 INVITE"),
    ] {
        let mut config = config();
        config.phones.pickup_groups = groups;
        let mut world = World::with(config);
        world.register_phone(1, PHONE);
        let rung = world.call_user();
        let invite = world.expect("INVITE");
        world.receive(PHONE, &invite.answer("180 Ringing", "callee", &contact(PHONE), ""));
        if is_answered {
            world.receive(PHONE, &invite.answer("200 OK", "callee", &contact(PHONE), SDP));
        }
        world.events();
        world.messages();
        let (call_id, ours) = (invite.header("Call-ID"), invite.tag("From"));
        let replaces = format!("Replaces: {call_id};to-tag={ours};from-tag=callee{flag}\r\n");
        let last = phone_call(&mut world, "b", "1002", &replaces);
        assert_eq!(last.what(), expected, "{flag} {is_answered}");
        if expected == "100 INVITE" {
            let events = world.events();
            let [Event::Replacing { replaced, early_only: true, .. }] = events.as_slice() else {
                panic!("{events:?}");
            };
            assert_eq!(*replaced, rung);
        }
    }
}
