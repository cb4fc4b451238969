//! Timers of a trunk's own (RFC 3261 §17, table 4): the others keep those of the node.

use std::time::Duration;

use tandem_sbc::user_agent::{Event, InviteTarget, Timers, TrunkConfig};

use crate::support::{CARRIER, Request, World, address, config, media};

fn quick() -> Timers {
    Timers {
        t1: Duration::from_millis(100),
        t2: Duration::from_millis(300),
        b: Some(Duration::from_millis(1_000)),
        ..Timers::default()
    }
}

fn world() -> World {
    let mut config = config();
    config.trunks[0].profile.timers = Some(quick());
    config.trunks[0].profile.max_ringing = Some(Duration::from_secs(7));
    config.trunks[1].peer = TrunkConfig::new("", Vec::new(), address("127.0.0.11:5070")).peer;
    World::with(config)
}

fn call(world: &mut World, trunk: &str) {
    world.call(InviteTarget::Trunk { trunk: trunk.to_owned(), number: "+15557777".to_owned() });
}

fn times(world: &mut World, what: &str) -> Vec<u64> {
    world.sent().into_iter().filter(|(_, sent)| sent == what).map(|(at_ms, _)| at_ms).collect()
}

/// §17.1.1.2: timer A from T1 on, until timer B; 64*T1 with a trunk that has none of its own.
#[test]
fn an_invite_is_repeated_and_given_up_as_its_trunk_says() {
    let mut world = world();
    call(&mut world, "carrier-a");
    world.pass_ms(999);
    assert_eq!(times(&mut world, "INVITE"), [0, 100, 300, 700]);
    assert_eq!(world.events(), []);
    world.pass_ms(1);
    assert_eq!(world.event_names(), ["Ended", "Released"]);
    call(&mut world, "carrier-b");
    world.pass_ms(31_999);
    assert_eq!(times(&mut world, "INVITE"), [1_000, 1_500, 2_500, 4_500, 8_500, 16_500, 32_500]);
    world.pass_ms(1);
    assert_eq!(world.event_names(), ["Ended", "Released"]);
}

/// §13.3.1.4: our 2xx to its INVITE, from T1 to T2, for 64*T1.
#[test]
fn an_answer_is_repeated_as_its_trunk_says() {
    let mut world = world();
    world.receive(CARRIER, &Request::invite().text());
    let session = world.incoming();
    world.own(|agent, now| agent.accept(now, session, media())).expect("an offered session");
    world.pass_ms(1_000);
    assert_eq!(times(&mut world, "200 INVITE"), [0, 100, 300, 600, 900]);
    world.pass_ms(5_400);
    assert_eq!(times(&mut world, "BYE"), [6_400], "64*T1");
}

/// §17.1.2.2: timer E from T1 to T2, and timer F.
#[test]
fn other_requests_are_repeated_and_given_up_as_their_trunk_says() {
    let mut world = world();
    let (session, _) = world.established();
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    world.pass_ms(1_000);
    assert_eq!(times(&mut world, "BYE"), [0, 100, 300, 600, 900]);
    assert_eq!(world.event_names(), ["Ended", "Released"]);
}

/// §9.1: whoever rings too long for its trunk is cancelled.
#[test]
fn it_rings_as_long_as_its_trunk_says() {
    let mut world = world();
    call(&mut world, "carrier-a");
    let invite = world.expect("INVITE");
    world.receive(CARRIER, &invite.answer("180 Ringing", "callee", "", ""));
    world.pass_ms(6_999);
    world.expect_silence();
    world.pass_ms(1);
    world.expect("CANCEL");
    let events = world.events();
    assert!(
        matches!(&events[..], [Event::Ringing { .. }, Event::Ended { end, .. }] if end.status == 408),
        "{events:?}"
    );
}

/// The node's own limit holds for every trunk.
#[test]
fn no_trunk_rings_longer_than_the_node_allows() {
    let mut config = config();
    config.trunks[0].profile.max_ringing = Some(Duration::from_secs(600));
    let mut world = World::with(config);
    call(&mut world, "carrier-a");
    let invite = world.expect("INVITE");
    world.receive(CARRIER, &invite.answer("180 Ringing", "callee", "", ""));
    world.pass(Duration::from_secs(120));
    world.expect("CANCEL");
}
