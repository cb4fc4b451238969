//! Phones register (RFC 3261 §10.3, RFC 3665 §2).

use std::time::Duration;

use tandem_sbc::user_agent::{Event, FlowId, FlowOrder, InviteTarget, SessionError, Transport};

use crate::support::{CARRIER, PHONE, Sent, World, address, config, contact, credentials, media, register};

fn told(reachable: bool) -> Vec<Event> {
    vec![Event::Registration { user: "1001".into(), reachable }]
}

/// RFC 3665 §2.1, with either algorithm (RFC 8760).
#[test]
fn a_phone_answers_the_challenge_and_is_registered() {
    for algorithm in ["MD5", "SHA-256"] {
        let mut world = World::new();
        let first = register(1, &contact("1001@127.0.0.20:5080"));
        world.receive(PHONE, &first.text());
        let challenge = world.expect("401 REGISTER");
        assert_eq!(challenge.headers("WWW-Authenticate").len(), 2);
        assert_eq!(world.events(), []);
        let second = first.with(|second| {
            second.cseq = 2;
            second.branch.push('2');
            second.headers.push_str(&credentials(
                &challenge,
                "REGISTER",
                "1001",
                "secret-1001",
                algorithm,
                1,
            ));
        });
        world.receive(PHONE, &second.text());
        let ok = world.expect("200 REGISTER");
        assert_eq!(ok.header("Contact"), "<sip:1001@127.0.0.20:5080>;expires=3600");
        assert_eq!(world.events(), told(true));
        let counters = world.counters();
        assert_eq!(
            (counters.challenges, counters.registrations, counters.authentication_failures),
            (1, 1, 0)
        );
    }
}

#[test]
fn a_wrong_password_is_challenged_again_and_counted() {
    let mut world = World::new();
    let first = register(1, &contact("1001@127.0.0.20:5080"));
    world.receive(PHONE, &first.text());
    let challenge = world.expect("401 REGISTER");
    let wrong = first.with(|wrong| {
        wrong.cseq = 2;
        wrong.branch.push('2');
        wrong.headers.push_str(&credentials(&challenge, "REGISTER", "1001", "guess", "MD5", 1));
    });
    world.receive(PHONE, &wrong.text());
    let again = world.expect("401 REGISTER");
    assert!(!again.text.contains("stale=true"));
    assert_eq!(world.counters().authentication_failures, 1);
    assert_eq!(world.events(), []);
}

/// RFC 7616 §3.4: the same nonce and count a second time.
#[test]
fn replayed_credentials_are_stale() {
    let mut world = World::new();
    let first = register(1, &contact("1001@127.0.0.20:5080"));
    world.receive(PHONE, &first.text());
    let challenge = world.expect("401 REGISTER");
    let authorization = credentials(&challenge, "REGISTER", "1001", "secret-1001", "MD5", 1);
    for (cseq, expected) in [(2, "200 REGISTER"), (3, "401 REGISTER")] {
        let again = first.clone().with(|again| {
            again.cseq = cseq;
            again.branch.push_str(&cseq.to_string());
            again.headers.push_str(&authorization);
        });
        world.receive(PHONE, &again.text());
        let response = world.expect(expected);
        assert_eq!(response.text.contains("stale=true"), cseq == 3);
    }
}

/// §10.3 step 4: nobody registers somebody else.
#[test]
fn a_user_cannot_register_another() {
    let mut world = World::new();
    let other =
        register(1, &contact("1002@127.0.0.20:5080")).with(|other| other.to = "<sip:1002@127.0.0.1>".into());
    assert_eq!(world.register_with(&other).what(), "403 REGISTER");
    assert_eq!(world.events(), []);
}

#[test]
fn a_trunk_cannot_register() {
    let mut world = World::new();
    world.receive(CARRIER, &register(1, &contact("1001@127.0.0.10")).text());
    world.expect("403 REGISTER");
}

/// RFC 3665 §2.4, §10.3: a query, a refresh, a removal, an expiry.
#[test]
fn a_registration_is_listed_refreshed_removed_and_expires() {
    let mut world = World::new();
    let here = "Contact: <sip:1001@127.0.0.20:5080>;expires=60\r\n";
    world.register_with(&register(1, here));
    assert_eq!(world.events(), told(true));
    let listed = world.register_with(&register(3, ""));
    assert_eq!(listed.header("Contact"), "<sip:1001@127.0.0.20:5080>;expires=60");
    world.pass_ms(59_000);
    world.register_with(&register(5, here));
    world.pass_ms(59_000);
    assert_eq!(world.events(), []);
    world.pass_ms(1_000);
    assert_eq!(world.events(), told(false));
    world.register_with(&register(7, here));
    let removed = world.register_with(&register(9, &here.replace("60\r", "0\r")));
    assert!(removed.headers("Contact").is_empty());
    assert_eq!(world.events(), [told(true), told(false)].concat());
    world.rest();
}

/// §10.2.2.
#[test]
fn the_wildcard_removes_every_contact() {
    let mut world = World::new();
    world.register_with(&register(1, "Contact: <sip:1001@127.0.0.20:5080>, <sip:1001@127.0.0.20:5081>\r\n"));
    assert_eq!(world.register_with(&register(3, "Contact: *\r\n")).what(), "400 REGISTER");
    let with_other = "Contact: *\r\nContact: <sip:1001@127.0.0.20>\r\nExpires: 0\r\n";
    assert_eq!(world.register_with(&register(5, with_other)).what(), "400 REGISTER");
    assert_eq!(world.events(), told(true));
    let removed = world.register_with(&register(7, "Contact: *\r\nExpires: 0\r\n"));
    assert_eq!(removed.what(), "200 REGISTER");
    assert_eq!(world.events(), told(false));
}

/// §10.3 step 7.
#[test]
fn a_registration_that_is_too_brief_is_423() {
    let mut world = World::new();
    let response = world.register_with(&register(1, "Contact: <sip:1001@127.0.0.20>\r\nExpires: 59\r\n"));
    assert_eq!(response.what(), "423 REGISTER");
    assert_eq!(response.header("Min-Expires"), "60");
}

/// §10.3 step 7: what came late changes nothing.
#[test]
fn a_registration_that_was_overtaken_is_500() {
    let mut world = World::new();
    world.register_with(&register(10, &contact("1001@127.0.0.20:5080")));
    let late = register(4, "Contact: <sip:1001@127.0.0.20:5080>;expires=0\r\n");
    assert_eq!(world.register_with(&late).what(), "500 REGISTER");
    assert_eq!(world.events(), told(true));
}

#[test]
fn nobody_is_called_who_is_not_registered() {
    let mut world = World::new();
    let from = tandem_sbc::user_agent::Identity::default();
    let target = InviteTarget::User("1001".into());
    let invite = tandem_sbc::user_agent::Invite { target, from, media: media() };
    assert_eq!(world.own(|agent, now| agent.invite(now, invite)), Err(SessionError::NotRegistered));
    world.rest();
}

/// A phone behind NAT is called where it registered from, whatever its Contact says.
#[test]
fn a_phone_behind_nat_is_called_at_its_source() {
    let mut world = World::new();
    world.register_with(&register(1, &contact("1001@192.168.1.5:5060")));
    world.call_user();
    let invite = world.expect("INVITE");
    assert_eq!(invite.to, address(PHONE));
    assert_eq!(invite.request_uri(), "sip:1001@192.168.1.5:5060");
    world.receive(
        PHONE,
        &invite.answer("200 OK", "phone", &contact("1001@192.168.1.5:5060"), crate::support::SDP),
    );
    assert_eq!(world.expect("ACK").to, address(PHONE));
}

/// A phone that is not is called where its Contact says.
#[test]
fn a_phone_is_called_at_its_contact() {
    let mut world = World::new();
    world.register_with(&register(1, &contact("1001@127.0.0.20:6000")));
    world.call_user();
    assert_eq!(world.expect("INVITE").to, address("127.0.0.20:6000"));
}

/// A phone on a connection is called on it, and at its own port once it is gone.
#[test]
fn a_phone_on_a_connection_is_called_on_it_while_it_lives() {
    let mut world = World::new();
    let on_tcp = register(1, "Contact: <sip:1001@127.0.0.20:6000;transport=tcp>\r\n").with(|register| {
        register.via = "SIP/2.0/TCP 192.168.1.5;rport".into();
    });
    let flow = Some(FlowId(7));
    let response = world.register_on(Transport::Tcp, flow, "127.0.0.20:40000", &on_tcp);
    assert_eq!((response.transport, response.flow), (Transport::Tcp, flow));
    let first = world.call_user();
    let invite = world.expect("INVITE");
    assert_eq!((invite.transport, invite.flow), (Transport::Tcp, flow));
    assert_eq!(invite.header("Contact"), "<sip:127.0.0.1:5060;transport=tcp>");
    world.fail(Transport::Tcp, "127.0.0.20:40000", flow);
    world.call_user();
    let invite = world.expect("INVITE");
    assert_eq!(
        (invite.transport, invite.flow, invite.to),
        (Transport::Tcp, None, address("127.0.0.20:6000"))
    );
    let ended = world
        .events()
        .into_iter()
        .any(|event| matches!(event, Event::Ended { session, .. } if session == first));
    assert!(ended, "the first call was on the connection that broke");
}

/// RFC 7118 §5.2, and RFC 5626 §4.4 for phones behind NAT: nothing but their connection leads to them.
#[test]
fn a_phone_that_nothing_but_its_connection_leads_to_is_gone_with_it() {
    for (transport, contact) in [
        (Transport::Tcp, "sip:1001@192.168.1.5;transport=tcp"),
        (Transport::Tls, "sip:1001@127.0.0.20:6000;transport=tls"),
        (Transport::Ws, "sip:1001@c7q2.invalid;transport=ws"),
        (Transport::Wss, "sip:1001@c7q2.invalid;transport=ws"),
    ] {
        let mut world = World::new();
        let on_stream = register(1, &format!("Contact: <{contact}>\r\n")).with(|register| {
            register.via = format!("SIP/2.0/{} c7q2.invalid;rport", transport.via_name());
        });
        world.register_on(transport, Some(FlowId(7)), "127.0.0.20:40000", &on_stream);
        assert_eq!(world.events(), told(true));
        world.fail(transport, "127.0.0.20:40000", Some(FlowId(8)));
        assert_eq!(world.events(), [], "another phone's");
        world.fail(transport, "127.0.0.20:40000", Some(FlowId(7)));
        assert_eq!(world.events(), told(false), "{transport:?}");
    }
}

/// RFC 5626 §6.3: the same instance and reg-id are the same phone, whatever its Contact; others are others.
#[test]
fn a_phone_that_comes_again_on_another_flow_replaces_itself() {
    let mut world = World::new();
    let contact = |host: &str, reg_id: u32| {
        format!(
            "Contact: <sip:1001@{host}.invalid;transport=ws>;reg-id={reg_id};+sip.instance=\"<urn:uuid:0a>\"\r\n"
        )
    };
    let come = |world: &mut World, cseq, host: &str, reg_id, flow| {
        let request = register(cseq, &contact(host, reg_id)).with(|register| {
            register.via = format!("SIP/2.0/WS {host}.invalid;rport");
        });
        let response = world.register_on(Transport::Ws, Some(FlowId(flow)), "127.0.0.20:40000", &request);
        response.text.matches("Contact: ").count()
    };
    assert_eq!(come(&mut world, 1, "first", 1, 7), 1);
    assert_eq!(come(&mut world, 2, "second", 1, 8), 1, "in the place of the first");
    assert_eq!(come(&mut world, 3, "third", 2, 9), 2, "beside it");
    world.fail(Transport::Ws, "127.0.0.20:40000", Some(FlowId(7)));
    world.call_user();
    let flows = [world.expect("INVITE").flow, world.expect("INVITE").flow];
    assert_eq!(flows, [Some(FlowId(8)), Some(FlowId(9))]);
}

/// RFC 4787 §4.3: a mapping may be gone after half a minute. Phones that are where they say, and those on streams, keep
/// themselves in reach; who is registered no more is left alone.
#[test]
fn phones_behind_nat_are_kept_in_reach() {
    let interval = Duration::from_secs(25);
    let kept = |keep_alive: Option<Duration>, contact: &str, transport: Transport| {
        let mut config = crate::support::config();
        config.phones.keep_alive = keep_alive;
        let mut world = World::with(config);
        let flow = transport.is_reliable().then_some(FlowId(7));
        let request = register(1, contact);
        assert_eq!(world.register_on(transport, flow, PHONE, &request).what(), "200 REGISTER");
        for _ in 0..3 {
            world.pass(interval);
        }
        let sent = world.messages();
        assert!(sent.iter().all(|it| it.text == "\r\n\r\n" && it.to == address(PHONE)), "{sent:?}");
        world.pass(Duration::from_secs(4_000));
        world.messages();
        world.pass(Duration::from_secs(4_000));
        assert_eq!(world.messages().len(), 0, "it is registered no more");
        sent.len()
    };
    let inside = "Contact: <sip:1001@192.168.1.5:5060>\r\n";
    assert_eq!(kept(Some(interval), inside, Transport::Udp), 3);
    assert_eq!(kept(None, inside, Transport::Udp), 0);
    assert_eq!(kept(Some(interval), inside, Transport::Tcp), 0);
    assert_eq!(kept(Some(interval), &contact_of_phone(), Transport::Udp), 0);
}

/// RFC 5626 §6: who names its flow and knows what that is hears that we know too; §11.6: not through somebody who does not.
#[test]
fn a_phone_that_names_its_flow_is_told_that_it_is_kept() {
    let named = "Contact: <sip:1001@192.168.1.5>;reg-id=1;+sip.instance=\"<urn:uuid:0a>\"\r\n";
    let told = |headers: &str, via: &str| {
        let mut world = World::new();
        world.register_with(&register(1, &format!("{headers}{via}")))
    };
    let ok = told(&format!("{named}Supported: path, outbound\r\n"), "");
    assert_eq!((ok.what().as_str(), ok.header("Require").as_str()), ("200 REGISTER", "outbound"));
    let contact = "<sip:1001@192.168.1.5>;expires=3600;+sip.instance=\"<urn:uuid:0a>\";reg-id=1";
    assert_eq!(ok.header("Contact"), contact);
    let required = told(&format!("{named}Require: outbound\r\n"), "");
    assert_eq!((required.what().as_str(), required.header("Require").as_str()), ("200 REGISTER", "outbound"));
    assert_eq!(told(named, "").header("Require"), "");
    let plain = format!("{}Supported: outbound\r\n", contact_of_phone());
    assert_eq!(told(&plain, "").header("Require"), "");
    let between = "Via: SIP/2.0/UDP 192.168.1.5;branch=z9hG4bK-phone\r\n";
    let refused = told(&format!("{named}Supported: outbound\r\n"), between);
    assert_eq!(refused.what(), "439 REGISTER");
    // The edge proxy is the last of those in Path: it was the first to add itself.
    for (path, expected) in [
        ("<sip:core.example;lr>, <sip:edge.example;lr;ob>", "200 REGISTER"),
        ("<sip:core.example;lr;ob>, <sip:edge.example;lr>", "439 REGISTER"),
    ] {
        let headers = format!("{named}Supported: path, outbound\r\nPath: {path}\r\n");
        assert_eq!(told(&headers, between).what(), expected, "{path}");
    }
    assert_eq!(told(&plain, between).what(), "200 REGISTER");
}

/// A phone that registers over a transport, where phones are told to keep their connections alive that often; and what it is
/// answered.
fn registered_over(transport: Transport, headers: &str, timer: Option<Duration>) -> (World, Sent) {
    let mut config = config();
    config.phones.flow_timer = timer;
    let mut world = World::with(config);
    let flow = transport.is_reliable().then_some(FlowId(7));
    let asking = register(1, headers).with(|it| {
        it.via = format!("SIP/2.0/{} 192.168.1.5;rport", transport.via_name());
    });
    let response = world.register_on(transport, flow, "127.0.0.20:40000", &asking);
    (world, response)
}

/// RFC 5626 §4.4.1: a phone that is to keep its connection alive is gone when it does not; one that knows nothing of that stays
/// for as long as it is registered, since nothing but its connection may lead to it.
#[test]
fn a_phone_on_a_connection_stays_on_it() {
    let named = "Contact: <sip:1001@192.168.1.5>;reg-id=1;+sip.instance=\"<urn:uuid:0a>\"\r\n";
    let ordered = |transport: Transport, headers: &str, timer: Option<Duration>| {
        let (mut world, response) = registered_over(transport, headers, timer);
        assert_eq!(response.what(), "200 REGISTER");
        let orders = std::iter::from_fn(|| world.own(|agent, _| agent.poll_flow_order()));
        orders.collect::<Vec<_>>()
    };
    let (knowing, timer) = (format!("{named}Supported: outbound\r\n"), Some(Duration::from_secs(90)));
    let (flow, seconds) = (FlowId(7), Duration::from_secs);
    assert_eq!(ordered(Transport::Tls, &knowing, timer), [FlowOrder::Expect(flow, seconds(90 + 30))]);
    assert_eq!(ordered(Transport::Tls, &knowing, None), [FlowOrder::Keep(flow, seconds(3_600 + 30))]);
    for expires in [600, 3_600] {
        let plain = format!("Contact: <sip:1001@192.168.1.5>;expires={expires}\r\n");
        assert_eq!(ordered(Transport::Tcp, &plain, timer), [FlowOrder::Keep(flow, seconds(expires + 30))]);
        assert_eq!(ordered(Transport::Udp, &plain, timer), []);
        assert_eq!(ordered(Transport::Ws, &plain, timer), [], "it has pings of its own");
    }
    assert_eq!(ordered(Transport::Tcp, "Contact: <sip:1001@192.168.1.5>;expires=0\r\n", timer), []);
    assert_eq!(ordered(Transport::Tcp, "", timer), [], "it asks who is registered");
}

/// RFC 5626 §4.4: how often a phone keeps its connection alive is ours to say, to those who know of flows.
#[test]
fn a_phone_on_a_connection_hears_how_often_to_keep_it_alive() {
    let named = "Contact: <sip:1001@192.168.1.5>;reg-id=1;+sip.instance=\"<urn:uuid:0a>\"\r\n";
    let knowing = format!("{named}Supported: path, outbound\r\n");
    let told = |transport: Transport, headers: &str, timer: Option<Duration>| {
        registered_over(transport, headers, timer).1.header("Flow-Timer")
    };
    let timer = Some(Duration::from_secs(90));
    for transport in [Transport::Tcp, Transport::Tls] {
        assert_eq!(told(transport, &knowing, timer), "90");
        assert_eq!(told(transport, &knowing, None), "");
        assert_eq!(told(transport, named, timer), "", "it knows nothing of flows");
    }
    for transport in [Transport::Udp, Transport::Wss] {
        assert_eq!(told(transport, &knowing, timer), "", "{transport:?}");
    }
}

fn contact_of_phone() -> String {
    contact("1001@127.0.0.20:5080")
}

#[test]
fn a_user_who_left_the_configuration_is_unregistered() {
    let mut world = World::new();
    world.register_phone(1, PHONE);
    assert_eq!(world.events(), told(true));
    let mut config = crate::support::config();
    config.phones.users.retain(|user| user.name != "1001");
    world.own(|agent, _| agent.reload(std::sync::Arc::new(config)));
    assert_eq!(world.events(), told(false));
}

#[test]
fn contacts_of_one_request_are_bounded() {
    for (count, what) in [(16, "200 REGISTER"), (17, "400 REGISTER")] {
        let mut world = World::new();
        let contacts: String =
            (0..count).map(|port| contact(&format!("1001@127.0.0.20:{}", 5080 + port))).collect();
        let response = world.register_with(&register(1, &contacts));
        assert_eq!(response.what(), what);
        let kept = if count == 16 { 3 } else { 0 };
        assert_eq!(response.headers("Contact").len(), kept, "the latest of a user");
    }
}

/// RFC 3327 §5.3: Path is kept with the contact, said again, and is the Route of calls to it; they go to whom the REGISTER
/// came from, whatever Path says.
#[test]
fn a_phone_behind_proxies_is_called_by_their_way() {
    let mut world = World::new();
    let path = "<sip:192.0.2.99;lr>, <sip:edge.example;lr;ob>";
    let via = "Via: SIP/2.0/UDP 192.168.1.5;branch=z9hG4bK-phone\r\n";
    let headers = format!("{}Require: path\r\nPath: {path}\r\n{via}", contact("1001@192.168.1.5"));
    let ok = world.register_with(&register(1, &headers));
    assert_eq!((ok.what().as_str(), ok.header("Path").as_str()), ("200 REGISTER", path));
    assert_eq!(ok.header("Supported"), "path");
    world.call_user();
    let invite = world.expect("INVITE");
    assert_eq!(invite.headers("Route"), ["<sip:192.0.2.99;lr>", "<sip:edge.example;lr;ob>"]);
    assert_eq!((invite.request_uri(), invite.to), ("sip:1001@192.168.1.5", address(PHONE)));
    // It has moved, and there is nobody between any more.
    let ok = world.register_with(&register(3, &contact_of_phone()));
    assert_eq!((ok.what().as_str(), ok.headers("Path").len()), ("200 REGISTER", 0));
    world.call_user();
    world.rest();
    let invites = world.messages();
    let direct = invites.iter().filter(|it| it.what() == "INVITE" && it.headers("Route").is_empty());
    assert!(direct.count() > 0);
}

/// As many proxies as anybody has, and no more; and nothing that is no way.
#[test]
fn a_path_has_an_end() {
    let mut world = World::new();
    let told = |world: &mut World, cseq, path: String| {
        let headers = format!("{}Path: {path}\r\n", contact_of_phone());
        world.register_with(&register(cseq, &headers)).what()
    };
    let long = |count: usize| vec!["<sip:192.0.2.99;lr>"; count].join(", ");
    assert_eq!(told(&mut world, 1, long(8)), "200 REGISTER");
    assert_eq!(told(&mut world, 3, long(9)), "400 REGISTER");
    assert_eq!(told(&mut world, 5, "<tel:+15550100>".to_owned()), "400 REGISTER");
    assert_eq!(told(&mut world, 7, "sip".to_owned()), "400 REGISTER");
}
