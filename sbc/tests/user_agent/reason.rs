//! Why a session ends, as the peer says it, and as we say it to another one (RFC 3326).

use tandem_sbc::user_agent::{Event, Reason, ReasonProtocol};

use crate::support::{CARRIER, Request, World, contact};

const BUSY: Reason = Reason { protocol: ReasonProtocol::Q850, cause: 17 };

fn stated(world: &mut World) -> Vec<Reason> {
    let events = world.events().into_iter();
    events
        .filter_map(|event| if let Event::ReasonStated { reason, .. } = event { Some(reason) } else { None })
        .collect()
}

/// §2: several protocols may be named; the telephone network's tells most.
#[test]
fn a_bye_a_cancel_and_a_refusal_say_why() {
    let mut world = World::new();
    let (_, ok) = world.established();
    let both = "Reason: SIP;cause=200;text=\"done\", Q.850;cause=17;text=\"at 10.1.1.1\"\r\n";
    world.receive(CARRIER, &Request::within("BYE", 2, &ok).with(|bye| bye.headers = both.to_owned()).text());
    assert_eq!(stated(&mut world), [BUSY]);

    let mut world = World::new();
    let invite = Request::invite();
    world.receive(CARRIER, &invite.text());
    world.events();
    let cancel = Request {
        method: "CANCEL",
        body: String::new(),
        headers: "Reason: SIP;cause=200\r\n".into(),
        ..invite
    };
    world.receive(CARRIER, &cancel.text());
    assert_eq!(stated(&mut world), [Reason { protocol: ReasonProtocol::Sip, cause: 200 }]);

    let mut world = World::new();
    world.call_carrier();
    let invite = world.expect("INVITE");
    world.receive(CARRIER, &invite.answer("486 Busy Here", "b", "Reason: q.850 ;cause=17\r\n", ""));
    assert_eq!(stated(&mut world), [BUSY], "RFC 6432");
}

#[test]
fn what_is_no_number_of_a_known_protocol_says_nothing() {
    for header in ["preemption;cause=1", "Q.850;text=\"x\"", "Q.850;cause=many", "SIP;cause=70000", ";;"] {
        let mut world = World::new();
        let (_, ok) = world.established();
        let headers = format!("Reason: {header}\r\n");
        world.receive(CARRIER, &Request::within("BYE", 2, &ok).with(|bye| bye.headers = headers).text());
        assert_eq!(stated(&mut world), [], "{header}");
    }
}

/// The number goes on, in the header of the message that ends the other session; the text is ours.
#[test]
fn what_another_peer_said_is_said_to_this_one() {
    let mut world = World::new();
    let (session, _) = world.established();
    world
        .own(|agent, now| {
            agent.state_reason(session, BUSY);
            agent.hang_up(now, session, "normal")
        })
        .expect("a session");
    assert_eq!(world.expect("BYE").header("Reason"), "Q.850;cause=17;text=\"normal\"");

    let mut world = World::new();
    let session = world.call_carrier();
    let invite = world.expect("INVITE");
    world.receive(CARRIER, &invite.answer("180 Ringing", "b", &contact(CARRIER), ""));
    world
        .own(|agent, now| {
            agent.state_reason(session, BUSY);
            agent.hang_up(now, session, "cancelled")
        })
        .expect("a session");
    assert_eq!(world.expect("CANCEL").header("Reason"), "Q.850;cause=17;text=\"cancelled\"");

    let mut world = World::new();
    world.receive(CARRIER, &Request::invite().text());
    world.expect("100 INVITE");
    let session = world.incoming();
    world
        .own(|agent, now| {
            agent.state_reason(session, BUSY);
            agent.reject(now, session, 486)
        })
        .expect("a session");
    assert_eq!(world.expect("486 INVITE").header("Reason"), "Q.850;cause=17");
}
