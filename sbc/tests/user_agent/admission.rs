//! Who is let in when there is too much: limits in total, by trunk and by source, overload, and emergency calls.

use std::time::Duration;

use tandem_sbc::user_agent::{
    Event, Identity, Invite, InviteTarget, Limit, SessionError, Usage, UserAgentConfig,
};

use crate::support::{CARRIER, PHONE, Request, World, config, contact, credentials, media};

fn invite(number: u32) -> Request {
    Request::invite().with(|invite| {
        invite.call_id = format!("call-{number}");
        invite.branch = format!("z9hG4bK-{number}");
    })
}

fn dialling(uri: &str, number: u32) -> Request {
    invite(number).with(|invite| {
        uri.clone_into(&mut invite.uri);
        invite.to = format!("<{uri}>");
    })
}

fn limited(limit: impl FnOnce(&mut UserAgentConfig)) -> World {
    let mut config = config();
    limit(&mut config);
    World::with(config)
}

fn to_carrier(number: &str) -> Invite {
    let target = InviteTarget::Trunk { trunk: "carrier-a".into(), number: number.into() };
    Invite { target, from: Identity::default(), media: media() }
}

/// RFC 3261 §8.2.7: a call from a full trunk is refused without a transaction or a session, each copy of it with
/// the same To tag.
#[test]
fn a_call_from_a_full_trunk_costs_no_state() {
    let mut world = limited(|config| config.trunks[0].max_calls = 1);
    world.receive(CARRIER, &invite(1).text());
    world.expect("100 INVITE");
    let before = world.agent.usage();
    world.receive(CARRIER, &invite(2).text());
    let first = world.expect("503 INVITE");
    world.receive(CARRIER, &invite(2).text());
    let again = world.expect("503 INVITE");
    assert_eq!(first.header("Retry-After"), "10");
    assert!(!first.tag("To").is_empty(), "{}", first.text);
    assert_eq!(first.text, again.text);
    let ack = Request::within("ACK", 1, &first).with(|ack| ack.branch = "z9hG4bK-2".into());
    world.receive(CARRIER, &ack.text());
    world.expect_silence();
    assert_eq!(world.agent.usage(), before);
    assert_eq!((world.counters().calls_over_limit, world.counters().retransmissions_received), (1, 1));
    let of_trunk = world.agent.trunk_uses().next().expect("the trunk");
    assert_eq!((of_trunk.calls, of_trunk.refused[&Limit::TrunkCalls]), (1, 1));
}

/// A copy that is late must not be let in where the call was not: its caller has gone elsewhere.
#[test]
fn a_copy_of_a_refused_call_is_refused_when_there_is_room_again() {
    let mut world = limited(|config| config.trunks[0].max_calls_per_second = 1);
    world.receive(CARRIER, &invite(1).text());
    world.expect("100 INVITE");
    world.receive(CARRIER, &invite(2).text());
    let refused = world.expect("503 INVITE");
    world.pass(std::time::Duration::from_secs(2));
    world.receive(CARRIER, &invite(2).text());
    assert_eq!(world.expect("503 INVITE").text, refused.text);
    world.receive(CARRIER, &invite(3).text());
    world.expect("100 INVITE");
}

/// What is not even read is refused all the same: the body of a call that is shed may be anything.
#[test]
fn a_call_that_is_refused_is_not_read_closely() {
    let mut world = limited(|config| config.trunks[0].max_calls = 0);
    let odd = invite(1).with(|invite| {
        invite.headers.push_str("Require: nothing-we-know\r\n");
        invite.body = "nonsense".into();
    });
    world.receive(CARRIER, &odd.text());
    world.expect("503 INVITE");
}

#[test]
fn calls_from_one_address_of_a_trunk() {
    let mut world = limited(|config| config.trunks[0].max_calls_per_source = 2);
    for number in [1, 2] {
        world.receive(CARRIER, &invite(number).text());
        world.expect("100 INVITE");
    }
    world.receive("127.0.0.10:6000", &invite(3).text());
    assert_eq!(world.expect("503 INVITE").header("Retry-After"), "10");
    world.own(|agent, now| agent.invite(now, to_carrier("100"))).expect("ours are not counted");
}

#[test]
fn calls_a_second_to_a_trunk() {
    let mut world = limited(|config| config.trunks[0].max_calls_per_second_out = 2);
    for _ in 0..2 {
        world.own(|agent, now| agent.invite(now, to_carrier("100"))).expect("a token");
    }
    let third = world.own(|agent, now| agent.invite(now, to_carrier("100")));
    assert_eq!(third, Err(SessionError::Limit));
    world.pass_ms(500);
    world.own(|agent, now| agent.invite(now, to_carrier("100"))).expect("a token again");
}

#[test]
fn calls_a_second_from_everybody() {
    let mut world = limited(|config| config.limits.max_calls_per_second = 2);
    for number in [1, 2] {
        world.receive(CARRIER, &invite(number).text());
        world.expect("100 INVITE");
    }
    world.receive(CARRIER, &invite(3).text());
    assert_eq!(world.expect("503 INVITE").header("Retry-After"), "1");
    let from_phone = from_phone("sip:+15550100@127.0.0.1", 4);
    world.receive(PHONE, &from_phone.text());
    assert_eq!(world.expect("503 INVITE").header("Retry-After"), "1");
}

fn from_phone(uri: &str, number: u32) -> Request {
    dialling(uri, number).with(|invite| {
        invite.via = format!("SIP/2.0/UDP {PHONE}");
        invite.from = "<sip:1001@127.0.0.1>;tag=phone".into();
        invite.headers = contact(PHONE);
    })
}

/// Sends a phone's INVITE and answers its challenge, if it gets one.
fn call_from_phone(world: &mut World, invite: &Request) {
    world.messages();
    world.receive(PHONE, &invite.text());
    let Some(challenge) = world.messages().into_iter().find(|sent| sent.what() == "401 INVITE") else {
        return;
    };
    let again = invite.clone().with(|again| {
        again.cseq += 1;
        again.branch.push_str("-again");
        again.headers.push_str(&credentials(&challenge, "INVITE", "1001", "secret-1001", "SHA-256", 1));
    });
    world.receive(PHONE, &again.text());
}

#[test]
fn calls_from_phones_at_one_address() {
    let mut world = limited(|config| config.phones.max_calls_per_source = 2);
    for number in [1, 2, 3] {
        call_from_phone(&mut world, &from_phone("sip:+15550100@127.0.0.1", number));
    }
    assert_eq!(world.event_names(), ["Incoming", "Incoming"]);
    assert_eq!(world.counters().calls_over_limit, 1);
    assert_eq!(world.agent.usage().admissions, 2);
}

#[test]
fn calls_a_second_from_phones_at_one_address() {
    let mut world = limited(|config| config.phones.max_calls_per_second_per_source = 2);
    for number in [1, 2, 3] {
        call_from_phone(&mut world, &from_phone("sip:+15550100@127.0.0.1", number));
    }
    assert_eq!(world.event_names(), ["Incoming", "Incoming"]);
    world.pass_ms(500);
    call_from_phone(&mut world, &from_phone("sip:+15550100@127.0.0.1", 4));
    assert_eq!(world.event_names(), ["Incoming"]);
}

/// When messages wait too long for us, new calls are refused, and calls under way are served.
#[test]
fn when_we_are_behind_new_calls_are_refused_and_the_others_go_on() {
    let mut world = World::new();
    let (_, ok) = world.established();
    world.agent.handle_queue_delay(Duration::from_millis(250));
    assert!(!world.agent.is_overloaded());
    world.agent.handle_queue_delay(Duration::from_millis(251));
    assert!(world.agent.is_overloaded());
    world.receive(CARRIER, &invite(2).text());
    assert_eq!(world.expect("503 INVITE").header("Retry-After"), "5");
    assert_eq!(world.counters().calls_shed_by_overload, 1);
    let again = Request::within("INVITE", 2, &ok).with(|again| {
        again.headers = contact(CARRIER);
        again.body = Request::invite().body;
    });
    world.receive(CARRIER, &again.text());
    world.expect("200 INVITE");
    world.receive(CARRIER, &Request::within("BYE", 3, &ok).text());
    world.expect("200 BYE");
    world.receive(CARRIER, &dialling("sip:112@127.0.0.1", 3).text());
    world.expect("100 INVITE");
    world.agent.handle_queue_delay(Duration::from_millis(125));
    world.receive(CARRIER, &invite(4).text());
    world.expect("100 INVITE");
}

/// An emergency call passes each limit, whichever way it says that it is one.
#[test]
fn emergency_calls_pass_every_limit() {
    let full = || {
        let mut world = limited(|config| {
            config.trunks[0].max_calls = 0;
            config.trunks[0].max_calls_per_second = 1;
            config.trunks[0].max_calls_per_source = 0;
            config.limits.max_calls_per_second = 1;
            config.limits.max_sessions = 0;
            config.limits.max_transactions = 0;
        });
        world.agent.handle_queue_delay(Duration::from_secs(9));
        world
    };
    for (uri, headers, dialled) in [
        ("sip:112@127.0.0.1", "", "112"),
        ("tel:911", "", "911"),
        ("urn:service:sos", "", "urn:service:sos"),
        ("URN:service:SOS.fire", "", "urn:service:sos"),
        ("sip:+15550100@127.0.0.1", "Priority: Emergency\r\n", "+15550100"),
    ] {
        let mut world = full();
        for number in 1..=3 {
            let call = dialling(uri, number).with(|call| call.headers.push_str(headers));
            world.receive(CARRIER, &call.text());
            world.expect("100 INVITE");
        }
        for event in world.events() {
            let Event::Incoming { dialled: number, is_emergency, .. } = event else { panic!("{event:?}") };
            assert_eq!((number.as_str(), is_emergency), (dialled, true), "{uri}");
        }
        assert_eq!((world.counters().emergency_calls, world.agent.usage().admissions), (3, 3));
    }
    let mut world = full();
    for uri in ["sip:1123@127.0.0.1", "sip:113@127.0.0.1", "sip:+15550100@127.0.0.1"] {
        world.receive(CARRIER, &dialling(uri, 9).text());
        world.expect("503 INVITE");
    }
}

/// RFC 3261 §20.26 lets anybody say that a call is urgent; a phone is not believed.
#[test]
fn a_phone_does_not_say_by_itself_that_it_is_an_emergency() {
    let mut world = limited(|config| config.phones.max_calls_per_source = 0);
    world.agent.handle_queue_delay(Duration::from_secs(9));
    let call = from_phone("sip:+15550100@127.0.0.1", 1)
        .with(|call| call.headers.push_str("Priority: emergency\r\n"));
    world.receive(PHONE, &call.text());
    world.expect("503 INVITE");
    call_from_phone(&mut world, &from_phone("sip:112@127.0.0.1", 2));
    assert_eq!(world.event_names(), ["Incoming"]);
}

/// Calls of ours to an emergency number pass the trunk's limits too.
#[test]
fn an_emergency_call_of_ours_passes_every_limit() {
    let mut world = limited(|config| {
        config.trunks[0].max_calls = 0;
        config.trunks[0].max_calls_per_second_out = 1;
        config.limits.max_sessions = 0;
        config.limits.max_transactions = 0;
    });
    assert_eq!(world.own(|agent, now| agent.invite(now, to_carrier("100"))), Err(SessionError::Limit));
    for _ in 0..2 {
        world.own(|agent, now| agent.invite(now, to_carrier("112"))).expect("an emergency call");
    }
}

/// RFC 5031: a service that the operator does not list is a scheme we do not understand (§8.2.2.1).
#[test]
fn other_urns_are_refused() {
    let mut world = World::new();
    for uri in ["urn:service:counseling", "urn:service:sosfire", "urn:uuid:1"] {
        world.receive(CARRIER, &dialling(uri, 1).text());
        world.expect("416 INVITE");
        world.pass(Duration::from_secs(64));
        world.messages();
    }
    assert_eq!(world.agent.usage(), Usage::default());
}

/// §21.5.4: the owner's own 503, when it drains or is full, says when to come back.
#[test]
fn a_refusal_by_the_owner_says_when_to_try_again() {
    let mut world = World::new();
    for (number, status, retry_after) in [(1, 503, "5"), (2, 486, "")] {
        world.receive(CARRIER, &invite(number).text());
        let session = world.incoming();
        world.own(|agent, now| agent.reject(now, session, status)).expect("an offered session");
        world.expect("100 INVITE");
        let refusal = world.expect(&format!("{status} INVITE"));
        assert_eq!(refusal.header("Retry-After"), retry_after);
        world.events();
    }
}
