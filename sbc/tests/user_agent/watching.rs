//! A peer that nothing is heard of is asked whether it is there (RFC 3261 §11, RFC 5057 §5.1).

use std::time::Duration;

use tandem_sbc::user_agent::{Ender, Event, SessionEnd};

use crate::support::{CARRIER, Request, SDP, Sent, World, config, contact};

/// As long as a profile says by default.
const INTERVAL: Duration = Duration::from_secs(300);
/// RFC 3261 §17.1.2.2: timer F.
const GIVEN_UP: Duration = Duration::from_secs(33);

/// A call of the carrier's, which has put us on hold in this direction.
fn held(world: World, direction: &str) -> (World, Sent) {
    let mut world = world;
    let (_, ok) = world.established();
    let hold = Request::within("INVITE", 2, &ok).with(|hold| {
        hold.headers = contact(CARRIER);
        hold.body = format!("{SDP}a={direction}\r\n");
    });
    world.receive(CARRIER, &hold.text());
    world.receive(CARRIER, &Request::within("ACK", 2, &ok).text());
    world.messages();
    world.events();
    (world, ok)
}

fn gone(status: u16) -> SessionEnd {
    SessionEnd { by: Ender::Failure, status, reason: "dialog lost".into() }
}

fn ends(world: &mut World) -> Vec<SessionEnd> {
    let end = |event| if let Event::Ended { end, .. } = event { Some(end) } else { None };
    world.events().into_iter().filter_map(end).collect()
}

/// It has vanished without a word: noticed within the interval and the time that a request takes to fail.
#[test]
fn a_party_that_vanishes_on_hold_is_hung_up() {
    for direction in ["sendonly", "inactive"] {
        let (mut world, _) = held(World::new(), direction);
        world.pass(INTERVAL);
        let options = world.expect("OPTIONS");
        assert_eq!((options.header("Call-ID"), options.tag("To")), ("call-1".into(), "them".into()));
        world.pass(GIVEN_UP);
        let sent = world.messages();
        let bye = sent.iter().find(|sent| sent.what() == "BYE").expect("a BYE");
        world.receive(CARRIER, &bye.answer("200 OK", "", "", ""));
        assert_eq!(ends(&mut world), [gone(408)], "{direction}");
        assert_eq!(world.counters().peers_gone, 1);
        world.rest();
    }
}

/// RFC 5057 §5.1: any answer that does not end the dialog is a sign of life, and it is asked again.
#[test]
fn any_answer_is_a_sign_of_life() {
    let (mut world, ok) = held(World::new(), "sendonly");
    for status in ["200 OK", "405 Method Not Allowed", "501 Not Implemented", "488 Not Acceptable Here"] {
        world.pass(INTERVAL);
        let options = world.expect("OPTIONS");
        world.receive(CARRIER, &options.answer(status, "", "", ""));
        world.expect_silence();
        assert_eq!(world.events(), [], "{status}");
    }
    world.receive(CARRIER, &Request::within("BYE", 3, &ok).text());
    world.expect("200 BYE");
    world.rest();
}

/// It has restarted, and knows nothing of the call.
#[test]
fn a_party_that_has_forgotten_the_call_is_hung_up() {
    let (mut world, _) = held(World::new(), "sendonly");
    world.pass(INTERVAL);
    let options = world.expect("OPTIONS");
    world.receive(CARRIER, &options.answer("481 Call/Transaction Does Not Exist", "", "", ""));
    let bye = world.expect("BYE");
    world.receive(CARRIER, &bye.answer("481 Call/Transaction Does Not Exist", "", "", ""));
    assert_eq!(ends(&mut world), [gone(481)]);
    world.rest();
}

/// A hang-up crosses the question.
#[test]
fn a_call_may_end_while_it_is_asked() {
    let (mut world, ok) = held(World::new(), "sendonly");
    world.pass(INTERVAL);
    let options = world.expect("OPTIONS");
    world.receive(CARRIER, &Request::within("BYE", 3, &ok).text());
    world.expect("200 BYE");
    world.receive(CARRIER, &options.answer("481 Call/Transaction Does Not Exist", "", "", ""));
    assert_eq!(world.event_names(), ["Ended", "Released"]);
    world.rest();
}

/// Whoever is heard is missed by its silence, and who refreshes its session by that; and the operator may want none of it.
#[test]
fn those_who_are_heard_are_not_asked() {
    let mut off = config();
    off.trunks[0].profile.alive_check = None;
    let mut world = World::new();
    world.established();
    let (held, _) = held(World::with(off), "sendonly");
    for mut world in [world, held] {
        world.pass(3 * INTERVAL);
        assert_eq!(world.messages().len(), 0);
    }
    let mut world = World::new();
    let invite = Request::invite().with(|invite| {
        invite.headers.push_str("Supported: timer\r\nSession-Expires: 1200;refresher=uac\r\n");
        invite.body.push_str("a=sendonly\r\n");
    });
    world.receive(CARRIER, &invite.text());
    let session = world.incoming();
    world.own(|agent, now| agent.accept(now, session, crate::support::media())).expect("offered");
    world.expect("100 INVITE");
    let ok = world.expect("200 INVITE");
    world.receive(CARRIER, &Request::within("ACK", 1, &ok).text());
    world.pass(3 * INTERVAL);
    assert_eq!(world.messages().len(), 0, "the session timer does that");
}
