//! Trunks that are names: where DNS leads, and what becomes of calls when it says something else (RFC 3263).

use std::time::Duration;

use tandem_sbc::user_agent::{
    Answer, Domain, HealthConfig, Identity, Invite, InviteTarget, IpPrefix, LookupFailed, News, Question,
    Record, RecordKind, SessionError, Target, Transport, UserAgentConfig,
};

use crate::support::{SDP, Sent, World, address, config, contact, media};

const FIRST: &str = "127.0.0.10:5071";
const SECOND: &str = "127.0.0.12:5072";

/// Carrier A as a name that two hosts stand behind.
fn named() -> UserAgentConfig {
    let mut config = config();
    let trunk = &mut config.trunks[0];
    trunk.peer = Target::Domain(Domain {
        name: "carrier.example".to_owned(),
        port: None,
        transport: Some(Transport::Udp),
    });
    trunk.sources.push(IpPrefix { address: address(SECOND).ip(), bits: 32 });
    config
}

fn srv(priority: u16, port: u16, target: &str) -> Record {
    Record::Srv { priority, weight: 1, port, target: target.to_owned() }
}

fn records(question: &Question) -> Vec<Record> {
    let ip = |at: &str| vec![Record::Address(address(at).ip())];
    match (question.kind, question.name.as_str()) {
        (RecordKind::Srv, "_sip._udp.carrier.example") => {
            vec![srv(1, 5_071, "one.example"), srv(2, 5_072, "two.example"), srv(3, 5_073, "strange.example")]
        }
        (RecordKind::A, "one.example") => ip(FIRST),
        (RecordKind::A, "two.example") => ip(SECOND),
        (RecordKind::A, "strange.example") => ip("192.0.2.66:1"),
        other => panic!("asked {other:?}"),
    }
}

/// Answers all questions; how many there were.
fn answer(world: &mut World, is_up: bool) -> usize {
    let mut asked = 0;
    while let Some(question) = world.own(|agent, _| agent.poll_question()) {
        asked += 1;
        let ttl = Duration::from_secs(60);
        let answer = if is_up { Ok(Answer { records: records(&question), ttl }) } else { Err(LookupFailed) };
        world.own(|agent, now| agent.handle_answer(now, &question, answer));
    }
    asked
}

fn world() -> World {
    let mut world = World::with(named());
    world.pass_ms(1);
    assert_eq!(answer(&mut world, true), 4);
    world
}

fn news(world: &mut World) -> Vec<News> {
    std::iter::from_fn(|| world.own(|agent, _| agent.poll_news())).collect()
}

fn invite_to(world: &mut World, to: &str) -> Sent {
    let invite = world.expect("INVITE");
    assert_eq!(invite.to, address(to));
    invite
}

/// §4: the request keeps the name, and goes to the first server; §4.3: when that fails, to the next.
#[test]
fn calls_go_to_the_servers_of_a_name_in_turn() {
    let mut world = world();
    let session = world.call_carrier();
    let first = invite_to(&mut world, FIRST);
    assert_eq!(first.request_uri(), "sip:+15557777@carrier.example");
    assert_eq!(first.header("To"), "<sip:+15557777@carrier.example>");
    world.receive(FIRST, &first.answer("503 No", "x", "", ""));
    world.expect("ACK");
    let second = invite_to(&mut world, SECOND);
    world.receive(SECOND, &second.answer("200 OK", "callee", &contact(SECOND), SDP));
    world.expect("ACK");
    assert_eq!(world.event_names(), ["Media", "Answered"]);
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    assert_eq!(world.expect("BYE").to, address(SECOND));
}

/// A server that says nothing is left like any other destination; the answers being renewed meanwhile changes nothing.
#[test]
fn a_silent_server_of_a_name_is_left_for_the_next() {
    let mut world = world();
    world.call_carrier();
    invite_to(&mut world, FIRST);
    world.pass_ms(4_000);
    let invite = world.messages().pop().expect("an INVITE");
    assert_eq!((invite.what().as_str(), invite.to), ("INVITE", address(SECOND)));
}

/// Who spoils an answer of DNS gets no call: what the trunk does not list is passed over, and told once.
#[test]
fn addresses_that_the_trunk_does_not_list_are_passed_over() {
    let mut world = world();
    let strange = address("192.0.2.66:1").ip();
    let unlisted = News::Unlisted {
        trunk: "carrier-a".to_owned(),
        name: "carrier.example".to_owned(),
        address: strange,
    };
    let servers = vec![(Transport::Udp, address(FIRST)), (Transport::Udp, address(SECOND))];
    let (trunk, name) = ("carrier-a".to_owned(), "carrier.example".to_owned());
    assert_eq!(news(&mut world), [unlisted, News::Located { trunk, name, servers }]);
    world.call_carrier();
    for at in [FIRST, SECOND] {
        let invite = invite_to(&mut world, at);
        world.receive(at, &invite.answer("503 No", "x", "", ""));
        world.expect("ACK");
    }
    world.expect_silence();
    assert_eq!(world.event_names(), ["Ended", "Released"]);
    world.pass(Duration::from_secs(60));
    assert_eq!(answer(&mut world, true), 4, "answers are renewed when they are out of date");
    assert_eq!(news(&mut world), []);
    assert_eq!(world.counters().dns_addresses_unlisted, 1);
}

/// While DNS is down its last answers stand, and are counted; that it is down is told once.
#[test]
fn stale_answers_stand_while_dns_is_down() {
    let mut world = world();
    news(&mut world);
    for _ in 0..3 {
        world.pass(Duration::from_secs(60));
        assert_eq!(answer(&mut world, false), 4);
    }
    let lost = news(&mut world);
    assert_eq!(lost.len(), 4);
    assert!(lost.iter().all(|it| matches!(it, News::Lookup { is_answered: false, .. })), "{lost:?}");
    assert_eq!(world.counters().dns_stale_answers, 12);
    world.call_carrier();
    invite_to(&mut world, FIRST);
    world.pass(Duration::from_secs(60));
    answer(&mut world, true);
    let found = news(&mut world);
    assert!(found.iter().all(|it| matches!(it, News::Lookup { is_answered: true, .. })), "{found:?}");
}

#[test]
fn a_call_to_a_name_that_nobody_knows_fails_at_once() {
    let mut world = World::with(named());
    world.pass_ms(1);
    answer(&mut world, false);
    let target = InviteTarget::Trunk { trunk: "carrier-a".to_owned(), number: "+15557777".to_owned() };
    let invite = Invite { target, from: Identity::default(), media: media() };
    let refused = world.own(|agent, now| agent.invite(now, invite));
    assert_eq!(refused, Err(SessionError::Nowhere));
    world.expect_silence();
}

/// Each server of a name is asked by OPTIONS on its own, under the name.
#[test]
fn the_servers_of_a_name_are_asked_whether_they_are_there() {
    let mut config = named();
    let interval = Duration::from_secs(10);
    config.trunks[0].health =
        Some(HealthConfig { interval, failures: 1, successes: 1, ..HealthConfig::default() });
    let mut world = World::with(config);
    world.pass_ms(1);
    answer(&mut world, true);
    world.pass_ms(1_000);
    let asked = world.messages();
    let mut to: Vec<_> = asked.iter().map(|it| it.to).collect();
    to.sort();
    to.dedup();
    assert_eq!(to, [address(FIRST), address(SECOND)]);
    assert!(asked.iter().all(|it| it.request_uri() == "sip:carrier.example"), "{asked:?}");
    let of_second = asked.iter().find(|it| it.to == address(SECOND)).expect("an OPTIONS");
    world.receive(SECOND, &of_second.answer("200 OK", "x", "", ""));
    world.pass_ms(10_000);
    world.messages();
    world.call_carrier();
    let invite = world.messages().into_iter().find(|it| it.what() == "INVITE").expect("an INVITE");
    assert_eq!(invite.to, address(SECOND));
}
