//! Guessers, sweepers and noise: banned for a while, and told nothing.

use std::time::Duration;

use tandem_sbc::user_agent::{
    BanReason, IpPrefix, Protection, SourceChange, Transport, Usage, UserAgentConfig,
};

use crate::support::{CARRIER, PHONE, Request, Sent, World, config, contact, credentials, register};

/// Another phone's address.
const OTHER_PHONE: &str = "127.0.0.21:5080";

fn protected(change: impl FnOnce(&mut Protection)) -> UserAgentConfig {
    let mut config = config();
    config.protection = Protection {
        authentication_failures: 5,
        unknown_users: 4,
        unknown_numbers: 3,
        malformed: 6,
        ..Protection::default()
    };
    change(&mut config.protection);
    config
}

fn options(from: &str) -> Request {
    Request::new("OPTIONS", "sip:127.0.0.1").with(|options| options.via = format!("SIP/2.0/UDP {from}"))
}

/// Whether a source is heard. Each question needs its own `number`.
fn is_heard(world: &mut World, from: &str, number: u32) -> bool {
    world.messages();
    let options = options(from).with(|options| {
        options.branch = format!("z9hG4bK-heard-{number}");
        options.call_id = format!("heard-{number}");
    });
    world.receive(from, &options.text());
    world.messages().iter().any(|sent| sent.what() == "200 OPTIONS")
}

/// A REGISTER of `user` from a phone, with a guess at its password; what comes back.
fn guess(world: &mut World, from: &str, user: &str, number: u32) -> Option<Sent> {
    world.messages();
    let attempt = register(2 * number, "").with(|it| {
        it.via = format!("SIP/2.0/UDP {from};rport");
        it.from = format!("<sip:{user}@127.0.0.1>;tag=phone");
        it.to = format!("<sip:{user}@127.0.0.1>");
        it.call_id = format!("guess-{number}");
        it.branch.push_str("-guess");
    });
    world.receive(from, &attempt.text());
    let challenge = world.messages().pop()?;
    let again = attempt.with(|again| {
        again.cseq += 1;
        again.branch.push_str("-again");
        again.headers.push_str(&credentials(&challenge, "REGISTER", user, "guess", "SHA-256", 1));
    });
    world.receive(from, &again.text());
    world.messages().pop()
}

#[test]
fn who_guesses_a_password_is_banned_and_heard_again_later() {
    let mut world = World::with(protected(|_| {}));
    for number in 1..=5 {
        assert!(is_heard(&mut world, PHONE, number), "not yet");
        assert_eq!(
            guess(&mut world, PHONE, "1001", number).map(|sent| sent.what()),
            Some("401 REGISTER".into())
        );
    }
    assert!(!is_heard(&mut world, PHONE, 10) && !is_heard(&mut world, "127.0.0.20:9", 11));
    assert!(is_heard(&mut world, OTHER_PHONE, 12));
    let ban = *world.agent.bans().next().expect("a ban");
    assert_eq!((ban.reason, ban.times), (BanReason::AuthenticationFailures, 1));
    assert_eq!(world.agent.poll_source_change(), Some(SourceChange::Banned(ban.prefix, ban.reason)));
    assert_eq!(world.agent.ban_tallies()[&ban.reason].dropped, 2);
    world.pass(Duration::from_secs(60));
    assert!(is_heard(&mut world, PHONE, 13));
    assert_eq!(world.agent.poll_source_change(), Some(SourceChange::Lifted(ban.prefix)));
    world.rest();
}

/// Guesses count together whoever they are for, one try each or many.
#[test]
fn guesses_spread_over_users_count_together() {
    let mut world = World::with(protected(|protection| protection.unknown_users = 100));
    for (number, user) in (1..).zip(["1001", "1002", "1001", "1002", "1001"]) {
        assert!(is_heard(&mut world, PHONE, number));
        guess(&mut world, PHONE, user, number);
    }
    assert!(!is_heard(&mut world, PHONE, 10));
}

/// Names that do not exist are swept with passwords or without: REGISTERs, and calls.
#[test]
fn who_tries_user_names_is_banned() {
    let mut world = World::with(protected(|_| {}));
    for number in 0..4 {
        assert!(is_heard(&mut world, PHONE, number));
        let sweep = register(1, "").with(|it| {
            it.to = format!("<sip:200{number}@127.0.0.1>");
            it.call_id = format!("sweep-{number}");
            it.branch = format!("z9hG4bK-sweep-{number}");
        });
        world.receive(PHONE, &sweep.text());
    }
    assert!(!is_heard(&mut world, PHONE, 10));
    assert_eq!(world.agent.bans().next().map(|ban| ban.reason), Some(BanReason::UnknownUsers));
    for number in 0..4 {
        let call = Request::invite().with(|it| {
            it.via = format!("SIP/2.0/UDP {OTHER_PHONE}");
            it.from = format!("<sip:300{number}@127.0.0.1>;tag=x");
            it.call_id = format!("call-sweep-{number}");
            it.branch = format!("z9hG4bK-call-sweep-{number}");
        });
        world.receive(OTHER_PHONE, &call.text());
    }
    assert!(!is_heard(&mut world, OTHER_PHONE, 11));
}

/// A phone that exists and forgets its credentials again and again sweeps nothing.
#[test]
fn a_user_who_is_challenged_often_is_not_banned() {
    let mut world = World::with(protected(|_| {}));
    for cseq in 1..100 {
        world.receive(PHONE, &register(cseq, "").text());
        assert_eq!(world.messages().pop().map(|sent| sent.what()), Some("401 REGISTER".into()));
    }
}

/// RFC 3261 §22.1 and RFC 7616 §5.5: nobody can tell from an answer which users there are.
#[test]
fn unknown_users_and_wrong_passwords_get_the_same_answer() {
    let answer = |user: &str| {
        let mut world = World::with(protected(|protection| protection.ban = Duration::ZERO));
        let answers: Vec<String> = (1..=25)
            .filter_map(|number| guess(&mut world, PHONE, user, number))
            .map(|sent| sent.text.replace(user, "USER"))
            .collect();
        assert_eq!(answers.len(), 25);
        answers
    };
    assert_eq!(answer("1001"), answer("1009"));
}

/// A phone that calls one number after the other that does not exist.
#[test]
fn who_tries_numbers_is_banned() {
    let mut world = World::with(protected(|_| {}));
    for number in 1..=3 {
        assert!(is_heard(&mut world, PHONE, number));
        let call = Request::new("INVITE", &format!("sip:90{number}@127.0.0.1")).with(|it| {
            it.via = format!("SIP/2.0/UDP {PHONE}");
            it.from = "<sip:1001@127.0.0.1>;tag=phone".into();
            it.call_id = format!("call-{number}");
            it.branch = format!("z9hG4bK-call-{number}");
            it.headers = contact(PHONE);
        });
        world.receive(PHONE, &call.text());
        let challenge = world.expect("401 INVITE");
        let again = call.with(|again| {
            again.cseq += 1;
            again.branch.push_str("-again");
            again.headers.push_str(&credentials(&challenge, "INVITE", "1001", "secret-1001", "SHA-256", 1));
        });
        world.receive(PHONE, &again.text());
        let session = world.incoming();
        world.own(|agent, now| agent.reject(now, session, 404)).expect("offered");
        world.events();
    }
    assert!(!is_heard(&mut world, PHONE, 10));
    assert_eq!(world.agent.bans().next().map(|ban| ban.reason), Some(BanReason::UnknownNumbers));
}

#[test]
fn who_sends_what_cannot_be_read_is_banned() {
    for noise in [
        "noise",
        "INVITE sip:100@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP x\r\n",
        "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.20;branch=z9hG4bK1\r\nContent-Length: 0\r\n\r\n",
    ] {
        let mut world = World::with(protected(|_| {}));
        for number in 1..=6 {
            assert!(is_heard(&mut world, PHONE, number), "{noise}");
            world.receive(PHONE, noise);
        }
        assert!(!is_heard(&mut world, PHONE, 10), "{noise}");
        world.receive(PHONE, noise);
        assert_eq!(world.counters().parse_errors, 6, "what a banned source sends is not read");
    }
}

/// Carriers are counted and heard on, unless the operator wants it otherwise.
#[test]
fn a_trunk_is_not_banned_unless_it_may_be() {
    for (ban_trunks, heard) in [(false, true), (true, false)] {
        let mut world = World::with(protected(|protection| protection.ban_trunks = ban_trunks));
        for _ in 0..20 {
            world.receive(CARRIER, "noise");
        }
        assert_eq!(is_heard(&mut world, CARRIER, 1), heard);
        let counted = world.agent.ban_tallies()[&BanReason::Malformed].offences;
        assert_eq!(counted, if ban_trunks { 6 } else { 20 });
    }
}

#[test]
fn the_exempt_are_not_banned() {
    let exempt = IpPrefix { address: "127.0.0.20".parse().expect("an address"), bits: 32 };
    let mut world = World::with(protected(|protection| protection.exempt = vec![exempt]));
    for _ in 0..20 {
        world.receive(PHONE, "noise");
        world.receive(OTHER_PHONE, "noise");
    }
    assert!(is_heard(&mut world, PHONE, 1) && !is_heard(&mut world, OTHER_PHONE, 2));
}

/// A NAT gateway with registered phones behind it: more is forgiven, and registered phones are heard on while the
/// rest of the gateway is banned.
#[test]
fn a_gateway_s_registered_phones_are_heard_on() {
    let mut world = World::with(protected(|_| {}));
    world.register_phone(1, "127.0.0.20:7000");
    for number in 1..=29 {
        world.receive("127.0.0.20:8000", "noise");
        assert!(is_heard(&mut world, PHONE, number), "five times as much is forgiven");
    }
    world.receive("127.0.0.20:8000", "noise");
    assert!(!is_heard(&mut world, "127.0.0.20:8000", 30) && !is_heard(&mut world, PHONE, 31));
    assert!(is_heard(&mut world, "127.0.0.20:7000", 32), "the registered phone");
    assert_eq!(world.agent.poll_source_change(), None, "its packets must still be looked at");
}

/// A phone that is registered and goes on guessing is not spared for being registered.
#[test]
fn a_registered_phone_that_guesses_is_banned_itself() {
    let mut world = World::with(protected(|protection| protection.unknown_users = 100));
    world.register_phone(1, PHONE);
    for number in 1..=25 {
        guess(&mut world, PHONE, "1002", number);
    }
    assert!(!is_heard(&mut world, PHONE, 100));
}

/// A reload changes nothing for those who are banned, but frees those who can be no more.
#[test]
fn bans_survive_a_reload() {
    let mut world = World::with(protected(|_| {}));
    for _ in 0..6 {
        world.receive(PHONE, "noise");
        world.receive(OTHER_PHONE, "noise");
    }
    world.agent.reload(protected(|_| {}).into());
    assert!(!is_heard(&mut world, PHONE, 1) && !is_heard(&mut world, OTHER_PHONE, 2));
    let exempt = IpPrefix { address: "127.0.0.20".parse().expect("an address"), bits: 32 };
    world.agent.reload(protected(|protection| protection.exempt = vec![exempt]).into());
    assert!(is_heard(&mut world, PHONE, 3) && !is_heard(&mut world, OTHER_PHONE, 4));
}

#[test]
fn who_is_unbanned_is_heard_at_once() {
    let mut world = World::with(protected(|_| {}));
    for _ in 0..6 {
        world.receive_on(Transport::Udp, None, PHONE, "noise");
    }
    let address = "127.0.0.20".parse().expect("an address");
    assert!(world.agent.unban(address) && !world.agent.unban(address));
    assert!(is_heard(&mut world, PHONE, 1));
    world.rest();
    assert_eq!(world.agent.usage(), Usage::default());
}

/// Packets that transports dropped for being too many count too.
#[test]
fn who_floods_is_banned() {
    let mut world = World::with(protected(|protection| protection.packets_over_rate = 1_000));
    let source = PHONE.parse().expect("an address");
    world.own(|agent, now| agent.handle_packets_over_rate(now, source, 999));
    assert!(is_heard(&mut world, PHONE, 1));
    world.own(|agent, now| agent.handle_packets_over_rate(now, source, 1));
    assert!(!is_heard(&mut world, PHONE, 2));
    assert_eq!(world.agent.bans().next().map(|ban| ban.reason), Some(BanReason::PacketsOverRate));
}
