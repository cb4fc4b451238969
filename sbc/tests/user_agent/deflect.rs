//! REFERs of ours (RFC 3515): what is asked, and what is told of what the peer says.

use std::time::Duration;

use tandem_sbc::user_agent::{Event, SessionError, SessionId};

use crate::support::{CARRIER, Request, Sent, World};

const WAIT: Duration = Duration::from_secs(30);

/// A call of the carrier's, who was asked to call somebody.
fn asked() -> (World, SessionId, Sent, Sent) {
    let mut world = World::new();
    let (session, ok) = world.established();
    world.own(|agent, now| agent.refer(now, session, "+15550199", WAIT)).expect("established");
    let refer = world.expect("REFER");
    (world, session, ok, refer)
}

fn notify(cseq: u32, ok: &Sent, state: &str, fragment: &str) -> String {
    let notify = Request::within("NOTIFY", cseq, ok).with(|notify| {
        notify.headers = format!("Event: refer\r\nSubscription-State: {state}\r\n");
        fragment.clone_into(&mut notify.body);
    });
    notify.text().replace("application/sdp", "message/sipfrag;version=2.0")
}

fn told(world: &mut World) -> Vec<u16> {
    let status = |event: Event| match event {
        Event::Referred { status, .. } => status,
        other => panic!("{other:?}"),
    };
    world.events().into_iter().map(status).collect()
}

/// RFC 3515 §4.1: 202, NOTIFYs of 100, of ringing and of the answer; each is answered.
#[test]
fn the_peer_calls_and_tells() {
    let (mut world, session, ok, refer) = asked();
    assert_eq!(refer.header("Refer-To"), "<sip:+15550199@127.0.0.10>");
    assert_eq!(refer.header("Referred-By"), "<sip:127.0.0.1:5060>");
    assert!(!refer.header("Contact").is_empty(), "RFC 3515 §2.2");
    world.receive(CARRIER, &refer.answer("202 Accepted", "", "", ""));
    world.receive(CARRIER, &notify(2, &ok, "active;expires=60", "SIP/2.0 100 Trying\r\n"));
    world.expect("200 NOTIFY");
    assert_eq!(told(&mut world), [202]);
    world.receive(CARRIER, &notify(3, &ok, "active;expires=60", "SIP/2.0 180 Ringing\r\n"));
    world.receive(CARRIER, &notify(4, &ok, "terminated;reason=noresource", "SIP/2.0 200 OK\r\n"));
    assert_eq!((world.sent().len(), told(&mut world)), (2, vec![180, 200]));
    // It says so again: that is answered, and no news.
    world.receive(CARRIER, &notify(5, &ok, "terminated;reason=noresource", "SIP/2.0 486 Busy Here\r\n"));
    world.expect("200 NOTIFY");
    assert_eq!(told(&mut world), Vec::<u16>::new());
    world.own(|agent, now| agent.hang_up(now, session, "transferred")).expect("there");
    let bye = world.expect("BYE");
    world.receive(CARRIER, &bye.answer("200 OK", "", "", ""));
    assert_eq!(world.event_names(), ["Ended", "Released"]);
    world.rest();
}

/// Whatever it says, there is one final word; and the call is still there.
#[test]
fn the_peer_does_not() {
    let last = "terminated;reason=noresource";
    let cases = [
        ("403 Forbidden", None, vec![403]),
        ("202 Accepted", Some((last, "SIP/2.0 486 Busy Here\r\n")), vec![202, 486]),
        ("202 Accepted", Some((last, "SIP/2.0 100 Trying\r\n")), vec![202, 480]),
        ("202 Accepted", Some(("active;expires=60", "SIP/2.0 100 Trying\r\n")), vec![202, 408]),
        ("202 Accepted", Some(("active;expires=60", "nonsense")), vec![202, 408]),
        ("", None, vec![408]),
    ];
    for (answer, notified, expected) in cases {
        let (mut world, session, ok, refer) = asked();
        if !answer.is_empty() {
            world.receive(CARRIER, &refer.answer(answer, "", "", ""));
        }
        if let Some((state, fragment)) = notified {
            world.receive(CARRIER, &notify(2, &ok, state, fragment));
            world.expect("200 NOTIFY");
        }
        world.pass(WAIT);
        assert_eq!(told(&mut world), expected, "{answer} {notified:?}");
        world.pass(WAIT);
        world.messages();
        assert_eq!(told(&mut world), Vec::<u16>::new(), "{answer} {notified:?}");
        world.own(|agent, now| agent.refer(now, session, "+15550198", WAIT)).expect("it may be asked again");
    }
}

/// RFC 3515 §2.4.4: the NOTIFY may come first. RFC 4488 §4: none may come at all.
#[test]
fn notifies_that_come_early_or_never() {
    let (mut world, _, ok, refer) = asked();
    world.receive(CARRIER, &notify(2, &ok, "terminated;reason=noresource", "SIP/2.0 200 OK\r\n"));
    world.expect("200 NOTIFY");
    world.receive(CARRIER, &refer.answer("202 Accepted", "", "", ""));
    assert_eq!(told(&mut world), [200]);
    let (mut world, _, _, refer) = asked();
    world.receive(CARRIER, &refer.answer("200 OK", "", "Refer-Sub: false\r\n", ""));
    assert_eq!(told(&mut world), [200]);
}

/// RFC 6665 §4.1.3: a NOTIFY of what nobody asked for, or of another event.
#[test]
fn notifies_that_nobody_waits_for() {
    let mut world = World::new();
    let (session, ok) = world.established();
    world.receive(CARRIER, &notify(2, &ok, "active", "SIP/2.0 200 OK\r\n"));
    world.expect("481 NOTIFY");
    world.own(|agent, now| agent.refer(now, session, "+15550199", WAIT)).expect("established");
    let again = world.own(|agent, now| agent.refer(now, session, "+15550199", WAIT));
    assert_eq!(again, Err(SessionError::WrongState), "one at a time");
    world.expect("REFER");
    let other = notify(3, &ok, "active", "SIP/2.0 200 OK\r\n").replace("Event: refer", "Event: presence");
    world.receive(CARRIER, &other);
    world.expect("489 NOTIFY");
    let stateless = notify(4, &ok, "active", "SIP/2.0 200 OK\r\n").replace("Subscription-State", "X-State");
    world.receive(CARRIER, &stateless);
    world.expect("400 NOTIFY");
    assert_eq!(world.events(), []);
}

/// The peer hangs up: the session is over, and not released before its REFER has an answer.
#[test]
fn the_peer_hangs_up() {
    let (mut world, _, ok, refer) = asked();
    world.receive(CARRIER, &Request::within("BYE", 2, &ok).text());
    world.expect("200 BYE");
    assert_eq!(world.event_names(), ["Ended"]);
    world.receive(CARRIER, &refer.answer("202 Accepted", "", "", ""));
    assert_eq!(world.event_names(), ["Released"]);
    world.rest();
}
