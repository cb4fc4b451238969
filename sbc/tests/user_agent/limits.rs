//! Every limit, at it and one past it.

use tandem_sbc::user_agent::{Identity, Invite, InviteTarget, SessionError};

use crate::support::{CARRIER, Request, SDP, World, config, contact, media};

fn invite(number: u32) -> Request {
    Request::invite().with(|invite| {
        invite.call_id = format!("call-{number}");
        invite.branch = format!("z9hG4bK-{number}");
    })
}

fn to_carrier() -> Invite {
    let target = InviteTarget::Trunk { trunk: "carrier-a".into(), number: "100".into() };
    Invite { target, from: Identity::default(), media: media() }
}

#[test]
fn calls_at_a_time_on_a_trunk_both_ways_together() {
    let mut config = config();
    config.trunks[0].max_calls = 2;
    let mut world = World::with(config);
    world.receive(CARRIER, &invite(1).text());
    let session = world.incoming();
    world.own(|agent, now| agent.invite(now, to_carrier())).expect("one more");
    assert_eq!(world.agent.usage().admissions, 2);
    world.sent();
    world.receive(CARRIER, &invite(2).text());
    let refusal = world.expect("503 INVITE");
    assert_eq!(refusal.header("Retry-After"), "10");
    assert_eq!(world.own(|agent, now| agent.invite(now, to_carrier())), Err(SessionError::Limit));
    assert_eq!(world.counters().calls_over_limit, 1);
    world.own(|agent, now| agent.reject(now, session, 486)).expect("refused");
    world.receive(CARRIER, &invite(3).text());
    assert_eq!(world.event_names(), ["Ended", "Released", "Incoming"]);
}

#[test]
fn calls_a_second_from_a_trunk() {
    let mut config = config();
    config.trunks[0].max_calls_per_second = 2;
    let mut world = World::with(config);
    for number in [1, 2] {
        world.receive(CARRIER, &invite(number).text());
        world.expect("100 INVITE");
    }
    world.receive(CARRIER, &invite(3).text());
    assert_eq!(world.expect("503 INVITE").header("Retry-After"), "1");
    assert_eq!(world.event_names(), ["Incoming", "Incoming"]);
    world.pass_ms(500);
    world.sent();
    world.receive(CARRIER, &invite(4).text());
    world.expect("100 INVITE");
}

#[test]
fn sessions_at_a_time() {
    let mut config = config();
    config.limits.max_sessions = 1;
    let mut world = World::with(config);
    world.receive(CARRIER, &invite(1).text());
    world.expect("100 INVITE");
    world.receive(CARRIER, &invite(2).text());
    assert_eq!(world.expect("503 INVITE").header("Retry-After"), "5");
    assert_eq!(world.own(|agent, now| agent.invite(now, to_carrier())), Err(SessionError::Limit));
    assert_eq!(world.agent.usage().sessions, 1);
}

/// Beyond the limit a request is refused without state; what ends calls has a little room beyond.
#[test]
fn transactions_at_a_time() {
    let mut config = config();
    config.limits.max_transactions = 4;
    let mut world = World::with(config);
    let (_, ok) = world.established();
    for number in 2..5 {
        world.receive(
            CARRIER,
            &Request::new("OPTIONS", "sip:127.0.0.1")
                .with(|o| {
                    o.call_id = format!("call-{number}");
                    o.branch = format!("z9hG4bK-{number}");
                })
                .text(),
        );
        world.expect("200 OPTIONS");
    }
    assert_eq!(world.agent.usage().transactions, 4);
    world.receive(CARRIER, &invite(9).text());
    assert_eq!(world.expect("503 INVITE").header("Retry-After"), "5");
    assert_eq!(world.agent.usage().transactions, 4);
    assert_eq!(world.counters().requests_over_limit, 1);
    assert_eq!(world.own(|agent, now| agent.invite(now, to_carrier())), Err(SessionError::Limit));
    world.receive(CARRIER, &Request::within("BYE", 2, &ok).text());
    world.expect("200 BYE");
    assert_eq!(world.event_names(), ["Ended", "Released"]);
    world.rest();
}

/// A carrier that answers one INVITE under ever new tags gets ACKs, and BYEs up to the limit.
#[test]
fn dialogs_of_one_invite() {
    let mut config = config();
    config.limits.max_transactions = 30;
    let mut world = World::with(config);
    let (_, invite) = world.answered();
    for number in 0..60 {
        let ok = invite.answer("200 OK", &format!("tag{number}"), &contact(CARRIER), SDP);
        world.receive(CARRIER, &ok);
        world.expect("ACK");
        if number < 29 {
            world.expect("BYE");
        }
        world.expect_silence();
    }
    assert_eq!(world.agent.usage().transactions, 30);
}

/// Dialogs of one INVITE are told apart up to a limit; beyond it, each copy of a 2xx is hung up again.
#[test]
fn dialogs_told_apart() {
    let mut world = World::new();
    let (_, invite) = world.answered();
    for (number, copies_hung_up) in (1..16).map(|number| (number, 1)).chain([(16, 2)]) {
        let ok = invite.answer("200 OK", &format!("tag{number}"), &contact(CARRIER), SDP);
        world.receive(CARRIER, &ok);
        world.receive(CARRIER, &ok);
        let sent = world.sent();
        let byes = sent.iter().filter(|(_, what)| what == "BYE").count();
        assert_eq!((byes, sent.len() - byes), (copies_hung_up, 2), "dialog {number}");
    }
}

/// Early dialogs of one call are told apart up to a limit.
#[test]
fn early_dialogs() {
    let mut world = World::new();
    world.call_carrier();
    let invite = world.expect("INVITE");
    for number in 0..17 {
        world.receive(CARRIER, &invite.answer("180 Ringing", &format!("tag{number}"), "", ""));
    }
    for (tag, what) in [("tag15", "200 OPTIONS"), ("tag16", "481 OPTIONS")] {
        let options =
            Request::from_callee("OPTIONS", 1, &invite, tag).with(|options| options.branch.push_str(tag));
        world.receive(CARRIER, &options.text());
        world.expect(what);
    }
}

/// A released session's id finds nothing, though its slot is used again.
#[test]
fn session_ids_are_not_reused() {
    let mut world = World::new();
    world.receive(CARRIER, &invite(1).text());
    let first = world.incoming();
    world.own(|agent, now| agent.reject(now, first, 486)).expect("refused");
    world.events();
    world.receive(CARRIER, &invite(2).text());
    let second = world.incoming();
    assert_eq!((first.index, first.generation + 1), (second.index, second.generation));
    assert_eq!(world.own(|agent, now| agent.hang_up(now, first, "")), Err(SessionError::UnknownSession));
    assert_eq!(world.own(|agent, now| agent.ring(now, first)), Err(SessionError::UnknownSession));
    assert_eq!(world.agent.call_id(first), None);
    assert_eq!(world.agent.call_id(second), Some("call-2"));
}

/// What the owner asks for at the wrong time is refused, and changes nothing.
#[test]
fn the_owner_may_ask_at_any_time() {
    let mut world = World::new();
    let (session, _) = world.established();
    assert_eq!(world.own(|agent, now| agent.ring(now, session)), Err(SessionError::WrongState));
    assert_eq!(world.own(|agent, now| agent.accept(now, session, media())), Err(SessionError::WrongState));
    assert_eq!(world.own(|agent, now| agent.reject(now, session, 486)), Err(SessionError::WrongState));
    world.receive(CARRIER, &invite(2).text());
    let offered = world.incoming();
    for status in [0, 100, 200, 299, 700] {
        assert_eq!(world.own(|agent, now| agent.reject(now, offered, status)), Err(SessionError::WrongState));
    }
    world.own(|agent, now| agent.hang_up(now, offered, "")).expect("a session");
    world.expect("100 INVITE");
    world.expect("480 INVITE");
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    assert_eq!(world.own(|agent, now| agent.hang_up(now, session, "")), Err(SessionError::UnknownSession));
}
