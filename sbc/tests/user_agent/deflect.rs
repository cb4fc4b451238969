//! REFERs of ours (RFC 3515): what is asked, and what is told of what the peer says.

use std::time::Duration;

use tandem_sbc::user_agent::{Event, ReferTarget, SessionError, SessionId};

use crate::support::{CARRIER, Request, SDP, Sent, World, config, contact};

const WAIT: Duration = Duration::from_secs(30);

fn number(number: &str) -> ReferTarget {
    ReferTarget::Number(number.to_owned())
}

/// A call of the carrier's, who was asked to call somebody.
fn asked() -> (World, SessionId, Sent, Sent) {
    let mut world = World::new();
    let (session, ok) = world.established();
    world.own(|agent, now| agent.refer(now, session, &number("+15550199"), WAIT)).expect("established");
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
        world
            .own(|agent, now| agent.refer(now, session, &number("+15550198"), WAIT))
            .expect("it may be asked again");
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
    world.own(|agent, now| agent.refer(now, session, &number("+15550199"), WAIT)).expect("established");
    let again = world.own(|agent, now| agent.refer(now, session, &number("+15550199"), WAIT));
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

/// A call of the carrier's and one to it, both established.
fn two_calls(mut world: World) -> (World, [SessionId; 2], Sent, Sent) {
    let (session, ok) = world.established();
    let other = world.call_carrier();
    let invite = world.expect("INVITE");
    world.receive(CARRIER, &invite.answer("200 OK", "theirs", &contact("gw@127.0.0.10:5070;x=1"), SDP));
    world.expect("ACK");
    world.events();
    (world, [session, other], ok, invite)
}

/// RFC 5589 §7.3, RFC 3891 §3: the one that is called has the `to-tag`, and is called at its Contact; escaped by RFC 3261
/// §19.1.1.
#[test]
fn a_call_is_to_be_replaced() {
    for is_first in [true, false] {
        let (mut world, [first, second], _, invite) = two_calls(World::new());
        let (asked, replaced) = if is_first { (first, second) } else { (second, first) };
        let target = ReferTarget::Party(replaced);
        world.own(|agent, now| agent.refer(now, asked, &target, WAIT)).expect("both are established");
        let refer = world.expect("REFER");
        let call_id = invite.header("Call-ID").replace('@', "%40");
        let (expected, within) = if is_first {
            let from_tag = invite.tag("From");
            let replaces = format!("{call_id}%3Bto-tag%3Dtheirs%3Bfrom-tag%3D{from_tag}");
            (format!("<sip:gw@127.0.0.10:5070;x=1?Replaces={replaces}>"), "call-1".to_owned())
        } else {
            let own = world.agent.call_id(second).expect("there").to_owned();
            let start = "<sip:127.0.0.10:5070?Replaces=call-1%3Bto-tag%3Dthem%3Bfrom-tag%3D";
            assert!(refer.header("Refer-To").starts_with(start), "{}", refer.text);
            (refer.header("Refer-To"), own)
        };
        assert_eq!((refer.header("Refer-To"), refer.header("Call-ID")), (expected, within));
    }
}

/// RFC 4488 §4: who is to say nothing is asked so. Without a word a number is taken to be called, while a call that is to
/// be replaced is not gone yet.
#[test]
fn no_word_is_wanted() {
    let mut quiet = config();
    quiet.trunks[0].profile.refer_subscription = false;
    let (mut world, [first, second], ..) = two_calls(World::with(quiet));
    let targets = [(first, number("+15550199"), vec![200]), (second, ReferTarget::Party(first), vec![202])];
    for (session, target, expected) in targets {
        world.own(|agent, now| agent.refer(now, session, &target, WAIT)).expect("established");
        let refer = world.expect("REFER");
        assert_eq!(refer.header("Refer-Sub"), "false");
        world.receive(CARRIER, &refer.answer("202 Accepted", "", "Refer-Sub: false\r\n", ""));
        assert_eq!(told(&mut world), expected, "{target:?}");
    }
    world.pass(WAIT);
    assert_eq!(told(&mut world), [408], "nobody hung up");
}

/// A peer that makes a subscription all the same tells what becomes of it.
#[test]
fn a_word_comes_although_none_is_wanted() {
    let mut quiet = config();
    quiet.trunks[0].profile.refer_subscription = false;
    let mut world = World::with(quiet);
    let (session, ok) = world.established();
    world.own(|agent, now| agent.refer(now, session, &number("+15550199"), WAIT)).expect("established");
    let refer = world.expect("REFER");
    world.receive(CARRIER, &refer.answer("202 Accepted", "", "", ""));
    world.receive(CARRIER, &notify(2, &ok, "terminated;reason=noresource", "SIP/2.0 486 Busy Here\r\n"));
    world.expect("200 NOTIFY");
    assert_eq!(told(&mut world), [202, 486]);
}

/// A session cannot be replaced by itself, nor one that is not established or is with somebody else.
#[test]
fn what_cannot_be_replaced() {
    let (mut world, [first, second], ok, _) = two_calls(World::new());
    let refer = |world: &mut World, session, other| {
        world.own(|agent, now| agent.refer(now, session, &ReferTarget::Party(other), WAIT))
    };
    assert_eq!(refer(&mut world, first, first), Err(SessionError::WrongState));
    let ringing = world.call_carrier();
    world.messages();
    assert_eq!(refer(&mut world, first, ringing), Err(SessionError::WrongState));
    let unknown = SessionId { index: 99, generation: 0 };
    assert_eq!(refer(&mut world, first, unknown), Err(SessionError::UnknownSession));
    world.receive(CARRIER, &Request::within("BYE", 2, &ok).text());
    assert_eq!(refer(&mut world, second, first), Err(SessionError::UnknownSession), "it has ended");
}
