//! Carriers with several destinations, and what is done when one fails (RFC 3263 §4.3, RFC 2782).

use std::time::Duration;

use tandem_sbc::user_agent::{
    Ender, Event, InviteTarget, IpPrefix, RouteConfig, RouteSet, SessionEnd, SessionId, Transport,
    TrunkConfig, Usage, UserAgentConfig,
};

use crate::support::{SDP, Sent, World, address, config, contact};

const FIRST: &str = "127.0.0.10:5071";
const SECOND: &str = "127.0.0.10:5072";
const THIRD: &str = "127.0.0.10:5073";

/// Carrier A at two destinations, the first preferred.
fn two_routes() -> UserAgentConfig {
    let mut config = config();
    config.trunks[0].routes = [FIRST, SECOND]
        .into_iter()
        .zip(1..)
        .map(|(at, priority)| RouteConfig { priority, ..RouteConfig::new(address(at), Transport::Udp) })
        .collect();
    config
}

fn world() -> World {
    World::with(two_routes())
}

/// The INVITE, which went there.
fn invite_to(world: &mut World, to: &str) -> Sent {
    let invite = world.expect("INVITE");
    assert_eq!(invite.to, address(to));
    assert!(invite.request_uri().ends_with(&format!("@{to}")), "{}", invite.text);
    invite
}

/// The next call goes there, and is refused.
fn next_call_goes_to(world: &mut World, to: &str) {
    world.call_carrier();
    let invite = invite_to(world, to);
    world.receive(to, &invite.answer("486 Busy Here", "x", "", ""));
    world.expect("ACK");
    assert_eq!(world.event_names(), ["Ended", "Released"]);
}

fn answered_by(world: &mut World, session: SessionId, invite: &Sent, at: &str) {
    world.receive(at, &invite.answer("200 OK", "callee", &contact(at), SDP));
    assert_eq!(world.expect("ACK").to, address(at));
    let events = world.events();
    assert!(matches!(events.as_slice(), [Event::Media { .. }, Event::Answered { .. }]), "{events:?}");
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    let bye = world.expect("BYE");
    assert_eq!(bye.to, address(at));
    world.receive(at, &bye.answer("200 OK", "", "", ""));
    assert_eq!(world.event_names(), ["Ended", "Released"]);
    world.rest();
}

/// §4.3: the same session, a new transaction; the owner hears nothing of it.
#[test]
fn a_server_failure_sends_the_call_to_the_next_destination() {
    for status in ["503 Service Unavailable", "500 Oops", "408 Request Timeout", "430 Flow Failed"] {
        let mut world = world();
        let session = world.call_carrier();
        let first = invite_to(&mut world, FIRST);
        world.receive(FIRST, &first.answer(status, "x", "", ""));
        assert_eq!(world.expect("ACK").to, address(FIRST));
        let second = invite_to(&mut world, SECOND);
        assert_eq!(second.header("CSeq"), "2 INVITE");
        assert_eq!(second.header("Call-ID"), first.header("Call-ID"));
        assert_eq!(second.tag("From"), first.tag("From"));
        assert_ne!(second.branch(), first.branch());
        assert_eq!(world.events(), []);
        assert_eq!(world.counters().failovers, 1);
        answered_by(&mut world, session, &second, SECOND);
    }
}

/// What the callee says is not asked again elsewhere.
#[test]
fn a_refusal_that_speaks_for_the_callee_ends_the_call() {
    for status in [404, 480, 486, 488, 600, 603] {
        let mut world = world();
        let session = world.call_carrier();
        let invite = invite_to(&mut world, FIRST);
        world.receive(FIRST, &invite.answer(&format!("{status} No"), "x", "", ""));
        world.expect("ACK");
        world.expect_silence();
        let end = SessionEnd { by: Ender::Peer, status, reason: "No".into() };
        assert_eq!(world.events(), [Event::Ended { session, end }, Event::Released { session }]);
        world.rest();
    }
}

/// Which statuses those are is the trunk's own affair.
#[test]
fn the_statuses_that_fail_over_can_be_named() {
    let mut config = two_routes();
    config.trunks[0].failover_on = vec![480..=480];
    let mut world = World::with(config);
    world.call_carrier();
    let invite = invite_to(&mut world, FIRST);
    world.receive(FIRST, &invite.answer("480 Not Now", "x", "", ""));
    world.expect("ACK");
    let invite = invite_to(&mut world, SECOND);
    world.receive(SECOND, &invite.answer("503 No", "x", "", ""));
    world.expect("ACK");
    assert_eq!(world.event_names(), ["Ended", "Released"]);
}

/// A destination that is silent is left after `failover_after`: its INVITE goes out no more, and whoever answers it
/// late gets ACK and BYE, and is not heard.
#[test]
fn a_silent_destination_is_left_and_its_late_answer_is_ended() {
    let mut world = world();
    let session = world.call_carrier();
    let first = invite_to(&mut world, FIRST);
    world.pass_ms(3_999);
    world.messages();
    world.pass_ms(1);
    let second = invite_to(&mut world, SECOND);
    world.receive(FIRST, &first.answer("180 Ringing", "late", "", ""));
    let cancel = world.expect("CANCEL");
    assert_eq!(cancel.to, address(FIRST));
    assert_eq!(world.events(), [], "it rings for nobody");
    world.receive(FIRST, &first.answer("200 OK", "late", &contact(FIRST), SDP));
    assert_eq!(world.expect("ACK").to, address(FIRST));
    let bye = world.expect("BYE");
    assert_eq!(bye.to, address(FIRST));
    world.receive(FIRST, &bye.answer("200 OK", "", "", ""));
    world.receive(FIRST, &cancel.answer("200 OK", "", "", ""));
    assert_eq!(world.events(), [], "the call goes on");
    answered_by(&mut world, session, &second, SECOND);
}

/// The same when the other destination has answered by then.
#[test]
fn an_answer_after_the_other_one_s_is_ended_too() {
    let mut world = world();
    let session = world.call_carrier();
    let first = invite_to(&mut world, FIRST);
    world.receive(FIRST, &first.answer("100 Trying", "", "", ""));
    world.pass_ms(14_999);
    world.expect_silence();
    world.pass_ms(1);
    let second = invite_to(&mut world, SECOND);
    let cancel = world.expect("CANCEL");
    assert_eq!(cancel.to, address(FIRST));
    world.receive(FIRST, &cancel.answer("200 OK", "", "", ""));
    world.receive(SECOND, &second.answer("200 OK", "callee", &contact(SECOND), SDP));
    world.expect("ACK");
    assert_eq!(world.event_names(), ["Media", "Answered"]);
    world.receive(FIRST, &first.answer("200 OK", "late", &contact(FIRST), SDP));
    assert_eq!(world.expect("ACK").to, address(FIRST));
    let bye = world.expect("BYE");
    assert_eq!(bye.to, address(FIRST));
    world.receive(FIRST, &bye.answer("200 OK", "", "", ""));
    assert_eq!(world.events(), []);
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("the call is up");
    assert_eq!(world.expect("BYE").to, address(SECOND));
}

/// Who hears the callee's phone ring has found the way: the call waits, as long as it may ring.
#[test]
fn a_ringing_attempt_is_not_left() {
    let mut world = world();
    let session = world.call_carrier();
    let invite = invite_to(&mut world, FIRST);
    world.receive(FIRST, &invite.answer("180 Ringing", "x", "", ""));
    world.pass_ms(100_000);
    world.expect_silence();
    world.receive(FIRST, &invite.answer("408 Request Timeout", "x", "", ""));
    world.expect("ACK");
    world.expect_silence();
    let end = SessionEnd { by: Ender::Peer, status: 408, reason: "Request Timeout".into() };
    assert_eq!(
        world.events(),
        [Event::Ringing { session }, Event::Ended { session, end }, Event::Released { session }]
    );
    world.rest();
}

/// §8.1.3.1 and RFC 3263 §4.3: what cannot be sent is tried elsewhere, and that destination rests.
#[test]
fn a_destination_that_cannot_be_reached_is_left_at_once() {
    let mut world = world();
    world.call_carrier();
    invite_to(&mut world, FIRST);
    world.fail(Transport::Udp, FIRST, None);
    let second = invite_to(&mut world, SECOND);
    world.receive(SECOND, &second.answer("486 Busy Here", "x", "", ""));
    world.expect("ACK");
    assert_eq!(world.event_names(), ["Ended", "Released"]);
    next_call_goes_to(&mut world, SECOND);
    world.pass(Duration::from_secs(30));
    next_call_goes_to(&mut world, FIRST);
}

/// RFC 3261 §21.5.4: 503 with Retry-After keeps us away so long; when all rest, they are called all the same.
#[test]
fn a_destination_rests_as_long_as_it_asks() {
    let mut world = world();
    world.call_carrier();
    let first = invite_to(&mut world, FIRST);
    world.receive(FIRST, &first.answer("503 Busy", "x", "Retry-After: 20 (maintenance)\r\n", ""));
    world.expect("ACK");
    let second = invite_to(&mut world, SECOND);
    world.receive(SECOND, &second.answer("486 Busy Here", "x", "", ""));
    world.expect("ACK");
    world.events();
    world.pass_ms(19_999);
    next_call_goes_to(&mut world, SECOND);
    world.pass_ms(1);
    next_call_goes_to(&mut world, FIRST);
    world.call_carrier();
    for at in [FIRST, SECOND] {
        let invite = invite_to(&mut world, at);
        world.receive(at, &invite.answer("503 Busy", "x", "Retry-After: 60\r\n", ""));
        world.expect("ACK");
    }
    world.events();
    next_call_goes_to(&mut world, FIRST);
}

/// When every destination fails, the best of their refusals is what the owner is told (§16.7 step 6), once.
#[test]
fn the_last_failure_ends_the_call() {
    let mut world = world();
    let session = world.call_carrier();
    for at in [FIRST, SECOND] {
        let invite = invite_to(&mut world, at);
        world.receive(at, &invite.answer("503 No Lines", "x", "", ""));
        world.expect("ACK");
    }
    let end = SessionEnd { by: Ender::Peer, status: 503, reason: "No Lines".into() };
    assert_eq!(world.events(), [Event::Ended { session, end }, Event::Released { session }]);
    world.rest();
}

/// The owner's patience is for the call, not for each attempt.
#[test]
fn the_time_to_ring_is_shared_by_all_attempts() {
    let mut world = world();
    let session = world.call_carrier();
    invite_to(&mut world, FIRST);
    world.pass_ms(4_000);
    let second = world.messages().pop().expect("the second INVITE");
    world.receive(SECOND, &second.answer("180 Ringing", "x", "", ""));
    assert_eq!(world.event_names(), ["Ringing"]);
    world.pass_ms(115_999);
    assert_eq!(world.events(), []);
    world.pass_ms(1);
    let end = SessionEnd { by: Ender::Failure, status: 408, reason: "no answer".into() };
    assert_eq!(world.events(), [Event::Ended { session, end }]);
    world.rest();
}

/// A call that is given up while it goes on elsewhere is cancelled there, and tried nowhere else.
#[test]
fn hanging_up_ends_all_attempts() {
    let mut world = world();
    let session = world.call_carrier();
    invite_to(&mut world, FIRST);
    world.pass_ms(4_000);
    let second = world.messages().pop().expect("the second INVITE");
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    world.receive(SECOND, &second.answer("503 No", "x", "", ""));
    world.expect("ACK");
    world.expect_silence();
    world.rest();
}

/// At the limit eight destinations are tried, and not a ninth.
#[test]
fn attempts_are_bounded() {
    let mut config = config();
    let routes = (1..=9).map(|n| RouteConfig {
        priority: n,
        ..RouteConfig::new(address(&format!("127.0.0.10:{}", 5_070 + n)), Transport::Udp)
    });
    config.trunks[0].routes = routes.collect();
    let mut world = World::with(config);
    world.call_carrier();
    for n in 1..=8 {
        let at = format!("127.0.0.10:{}", 5_070 + n);
        let invite = invite_to(&mut world, &at);
        world.receive(&at, &invite.answer("503 No", "x", "", ""));
        world.expect("ACK");
    }
    world.expect_silence();
    assert_eq!(world.event_names(), ["Ended", "Released"]);
}

/// A route set goes on from trunk to trunk, each with its own limits and profile, and takes one place at a time.
#[test]
fn a_route_set_goes_on_to_the_next_trunk() {
    let mut config = config();
    let other = IpPrefix { address: address(THIRD).ip(), bits: 32 };
    config.trunks[1].peer = TrunkConfig::new("", Vec::new(), address("127.0.0.11:5070")).peer;
    config.trunks[1].profile.max_forwards = 33;
    config.trunks.push(TrunkConfig { max_calls: 0, ..TrunkConfig::new("full", vec![other], address(THIRD)) });
    let trunks = ["carrier-a", "full", "carrier-b"].map(str::to_owned).to_vec();
    config.route_sets = vec![RouteSet { name: "all".into(), trunks }];
    let mut world = World::with(config);
    let target = InviteTarget::Trunk { trunk: "all".to_owned(), number: "+15557777".to_owned() };
    let session = world.call(target);
    let first = invite_to(&mut world, "127.0.0.10:5070");
    world.receive("127.0.0.10:5070", &first.answer("503 No", "x", "", ""));
    world.expect("ACK");
    let second = invite_to(&mut world, "127.0.0.11:5070");
    assert_eq!(second.header("Max-Forwards"), "33");
    assert_eq!(world.own(|agent, _| agent.usage()), Usage { sessions: 1, transactions: 2, admissions: 1 });
    answered_by(&mut world, session, &second, "127.0.0.11:5070");
}
