//! Destinations that are asked by OPTIONS whether they are there (RFC 3261 §11), and calls that go by it.

use std::sync::Arc;
use std::time::Duration;

use tandem_sbc::user_agent::{HealthConfig, News, RouteConfig, Transport, UserAgentConfig};

use crate::support::{Sent, World, address, config};

const FIRST: &str = "127.0.0.10:5071";
const SECOND: &str = "127.0.0.10:5072";

/// Carrier A at two destinations, the first preferred and asked every ten seconds.
fn asked() -> UserAgentConfig {
    let mut config = config();
    let health = HealthConfig {
        interval: Duration::from_secs(10),
        failures: 2,
        successes: 2,
        ..HealthConfig::default()
    };
    let route = |at, priority| RouteConfig { priority, ..RouteConfig::new(address(at), Transport::Udp) };
    config.trunks[0].routes = vec![RouteConfig { health: Some(health), ..route(FIRST, 1) }, route(SECOND, 2)];
    config
}

/// A world whose first OPTIONS has just gone out.
fn world() -> (World, Sent) {
    let mut world = World::with(asked());
    world.pass_ms(1_000);
    let options = options(&mut world);
    (world, options)
}

/// The latest OPTIONS.
fn options(world: &mut World) -> Sent {
    let sent = world.messages().into_iter().rfind(|sent| sent.what() == "OPTIONS");
    let options = sent.expect("an OPTIONS");
    assert_eq!(options.to, address(FIRST));
    options
}

/// What became of the destination since the last look.
fn news(world: &mut World) -> Vec<bool> {
    let mut news = Vec::new();
    while let Some(told) = world.own(|agent, _| agent.poll_news()) {
        match told {
            News::Destination(health) => {
                assert_eq!((&*health.trunk, health.address), ("carrier-a", address(FIRST)));
                news.push(health.is_up);
            }
            other => panic!("told {other:?}"),
        }
    }
    news
}

/// Answers one OPTIONS after the other, `+` as well, `-` not at all, and gives what was told on the way.
fn answers(world: &mut World, mut asked: Sent, answers: &str) -> (Sent, Vec<bool>) {
    let mut told = Vec::new();
    for answer in answers.chars() {
        if answer == '+' {
            world.receive(FIRST, &asked.answer("200 OK", "x", "", ""));
        }
        world.pass_ms(10_000);
        asked = options(world);
        told.extend(news(world));
    }
    (asked, told)
}

fn next_call_goes_to(world: &mut World, to: &str) {
    world.call_carrier();
    let invite = world.expect("INVITE");
    assert_eq!(invite.to, address(to));
    world.receive(to, &invite.answer("486 Busy Here", "x", "", ""));
    world.expect("ACK");
    world.events();
}

#[test]
fn a_question_says_what_the_rfc_wants() {
    let (_, options) = world();
    assert_eq!(options.request_uri(), format!("sip:{FIRST}"));
    assert_eq!(options.header("Max-Forwards"), "70");
    assert_eq!(options.header("Accept"), "application/sdp");
    assert_eq!(options.header("To"), format!("<sip:{FIRST}>"));
    assert!(!options.tag("From").is_empty() && !options.header("Contact").is_empty());
}

/// A destination that dies is left after two questions without an answer, and called again after two with one.
#[test]
fn a_destination_that_dies_is_passed_over_until_it_comes_back() {
    let (mut world, asked) = world();
    next_call_goes_to(&mut world, FIRST);
    let (asked, told) = answers(&mut world, asked, "+-");
    assert_eq!(told, []);
    next_call_goes_to(&mut world, FIRST);
    let (asked, told) = answers(&mut world, asked, "-");
    assert_eq!(told, [false]);
    next_call_goes_to(&mut world, SECOND);
    let (asked, told) = answers(&mut world, asked, "--+");
    assert_eq!(told, [], "told once");
    next_call_goes_to(&mut world, SECOND);
    let (_, told) = answers(&mut world, asked, "+");
    assert_eq!(told, [true]);
    next_call_goes_to(&mut world, FIRST);
    let shown: Vec<_> = world.own(|agent, _| agent.destinations().collect());
    assert_eq!((shown.len(), shown[0].is_up, shown[0].changes), (1, true, 2));
}

/// Hysteresis: who answers every other time stays up, and who was down stays down.
#[test]
fn a_flapping_destination_does_not_flap_here() {
    let (mut world, asked) = world();
    let (asked, told) = answers(&mut world, asked, "-+-+-+");
    assert_eq!(told, []);
    let (asked, told) = answers(&mut world, asked, "--");
    assert_eq!(told, [false]);
    let (_, told) = answers(&mut world, asked, "+-+-+-");
    assert_eq!(told, []);
    next_call_goes_to(&mut world, SECOND);
}

/// Carriers answer OPTIONS as they like: 404 and 405 say that somebody is there, 408 and 503 that nobody is.
#[test]
fn any_answer_but_408_and_503_is_a_sign_of_life() {
    for (status, is_up) in [("404 Not Found", true), ("405 No", true), ("401 Who?", true), ("503 No", false)]
    {
        let (mut world, mut asked) = world();
        for _ in 0..2 {
            world.receive(
                FIRST,
                &asked.answer(status, "x", "WWW-Authenticate: Digest realm=\"a\", nonce=\"b\"\r\n", ""),
            );
            world.pass_ms(10_000);
            asked = options(&mut world);
        }
        assert_eq!(news(&mut world).is_empty(), is_up, "{status}");
    }
}

#[test]
fn what_cannot_be_sent_is_no_sign_of_life() {
    let (mut world, _) = world();
    for _ in 0..2 {
        world.fail(Transport::Udp, FIRST, None);
        world.pass_ms(10_000);
    }
    assert_eq!(news(&mut world), [false]);
}

/// When all are down, calls are tried all the same: a carrier that answers calls and no OPTIONS is no outage.
#[test]
fn when_all_are_down_calls_are_tried_all_the_same() {
    let mut config = asked();
    config.trunks[0].routes.truncate(1);
    let mut world = World::with(config);
    world.pass_ms(30_000);
    assert_eq!(news(&mut world), [false]);
    world.messages();
    next_call_goes_to(&mut world, FIRST);
}

/// A reload keeps what is known of those that stay, and asks the others no more.
#[test]
fn a_reload_keeps_what_is_known() {
    let (mut world, asked) = world();
    answers(&mut world, asked, "--");
    world.own(|agent, _| agent.reload(Arc::new(self::asked())));
    world.pass_ms(1);
    next_call_goes_to(&mut world, SECOND);
    world.own(|agent, _| agent.reload(Arc::new(config())));
    world.rest();
    world.messages();
    world.pass_ms(60_000);
    world.expect_silence();
}
