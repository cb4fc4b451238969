//! `sips:` URIs: TLS on every hop, or not at all (RFC 3261 §26.2.2, RFC 5630).

use std::sync::Arc;

use tandem_sbc::user_agent::{
    Event, FlowId, Identity, Invite, InviteTarget, ListenAddress, MediaDirection, RedirectPolicy,
    RegisterConfig, Reoffer, RouteConfig, Scheme, SessionError, SessionId, Target, Transport,
    UserAgentConfig,
};

use crate::support::{
    CARRIER, PHONE, Request, SDP, Sent, US, World, address, config, credentials, media, register,
};

/// Carrier-b, which is called over TLS.
const PEER: &str = "127.0.0.11:5071";
const FLOW: Option<FlowId> = Some(FlowId(7));

fn secure() -> UserAgentConfig {
    let mut config = config();
    for transport in [Transport::Tls, Transport::Wss] {
        config.listen.push(ListenAddress { transport, address: address(US) });
    }
    config.trunks[1].peer = Target::Address { address: address(PEER), transport: Transport::Tls };
    config
}

/// An INVITE of a carrier that asks for TLS on every hop.
fn invite() -> Request {
    Request::invite().with(|invite| {
        invite.uri = "sips:+15550100@127.0.0.1".into();
        invite.to = "<sips:+15550100@127.0.0.1>".into();
        invite.via = format!("SIP/2.0/TLS {CARRIER}");
        invite.headers = format!("Contact: <sips:{CARRIER}>\r\n");
    })
}

fn receive(world: &mut World, request: &Request) {
    world.receive_on(Transport::Tls, FLOW, CARRIER, &request.text());
}

/// A caller who asks for TLS and waits.
fn waiting(world: &mut World) -> SessionId {
    receive(world, &invite());
    world.expect("100 INVITE");
    world.incoming()
}

fn call_for(world: &mut World, caller: SessionId, target: InviteTarget) -> Result<SessionId, SessionError> {
    let invite = Invite { target, from: Identity::default(), media: media() };
    world.own(|agent, now| agent.invite_for(now, caller, invite))
}

fn trunk(name: &str) -> InviteTarget {
    InviteTarget::Trunk { trunk: name.into(), number: "+15557777".into() }
}

fn asks_for_tls(sent: &Sent) {
    assert_eq!(sent.transport, Transport::Tls, "{}", sent.text);
    assert!(sent.header("Contact").starts_with("<sips:127.0.0.1:5060>"), "{}", sent.text);
}

/// RFC 3261 §12.1.1: what came as sips over TLS is answered with a Contact of sips, early and later.
#[test]
fn a_caller_of_sips_is_answered_as_sips() {
    let mut world = World::with(secure());
    let session = waiting(&mut world);
    world.own(|agent, now| agent.ring(now, session)).expect("it rings");
    asks_for_tls(&world.expect("180 INVITE"));
    world.own(|agent, now| agent.accept(now, session, media())).expect("accepted");
    let ok = world.expect("200 INVITE");
    asks_for_tls(&ok);
    receive(&mut world, &Request::within("ACK", 1, &ok));
    let again =
        Request::within("UPDATE", 2, &ok).with(|it| it.headers = format!("Contact: <sip:{CARRIER}>\r\n"));
    receive(&mut world, &again);
    asks_for_tls(&world.expect("200 UPDATE"));
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("the call is up");
    let bye = world.expect("BYE");
    // §12.2.2, RFC 5630 §5.1.1.2: a target that left TLS is not gone after.
    assert_eq!((bye.transport, bye.request_uri()), (Transport::Tls, format!("sips:{CARRIER}").as_str()));
}

/// §26.2.2: a hop without TLS was none that sips may take; §8.1.1.8: nor may what comes back.
#[test]
fn sips_without_tls_is_refused() {
    let mut world = World::with(secure());
    world.receive(CARRIER, &invite().with(|it| it.via = format!("SIP/2.0/UDP {CARRIER}")).text());
    world.expect("416 INVITE");
    let back = invite().with(|it| {
        it.branch.push('2');
        it.call_id.push('2');
        it.headers = format!("Contact: <sip:{CARRIER};transport=tls>\r\n");
    });
    receive(&mut world, &back);
    world.expect("400 INVITE");
    assert_eq!(world.events(), []);
}

/// Who waits for the party is promised TLS to the party too.
#[test]
fn a_party_is_called_as_its_caller_asks() {
    let mut world = World::with(secure());
    let caller = waiting(&mut world);
    call_for(&mut world, caller, trunk("carrier-b")).expect("carrier-b is called over TLS");
    let invite = world.expect("INVITE");
    asks_for_tls(&invite);
    assert_eq!(invite.request_uri(), format!("sips:+15557777@{PEER}"));
    assert_eq!(invite.header("To"), "<sips:+15557777@127.0.0.11>");
    let ok = invite.answer("200 OK", "callee", &format!("Contact: <sips:{PEER}>\r\n"), SDP);
    world.receive_on(Transport::Tls, None, PEER, &ok);
    world.expect("ACK");
    let [Event::Media { session, .. }, Event::Answered { .. }] = world.events()[..] else {
        panic!("not answered")
    };
    // RFC 5630 §5.1.1.2: and so is what follows.
    let hold = Reoffer { direction: Some(MediaDirection::SendOnly), media: None };
    world.own(|agent, now| agent.reoffer(now, session, hold)).expect("an established session");
    asks_for_tls(&world.expect("INVITE"));
}

/// RFC 5630 §5.1.2, §5.3: no way that keeps to TLS is 480 with Warning 380.
#[test]
fn a_party_that_cannot_be_called_over_tls_is_not_called() {
    for target in [trunk("carrier-a"), InviteTarget::User("1001".into())] {
        let mut world = World::with(secure());
        world.register_phone(1, PHONE);
        world.events();
        let caller = waiting(&mut world);
        assert_eq!(call_for(&mut world, caller, target), Err(SessionError::NotSecure));
        world.own(|agent, now| agent.reject(now, caller, 480)).expect("refused");
        let refusal = world.expect("480 INVITE");
        assert_eq!(refusal.header("Warning"), "380 127.0.0.1 \"SIPS Not Allowed\"");
        assert_eq!(world.own(|agent, _| agent.usage().admissions), 0);
    }
}

/// Once answered, the caller has got whom it asked for: who is called later is so as ever.
#[test]
fn whoever_is_called_after_the_answer_is_called_as_ever() {
    let mut world = World::with(secure());
    let caller = waiting(&mut world);
    world.own(|agent, now| agent.accept(now, caller, media())).expect("accepted");
    world.expect("200 INVITE");
    call_for(&mut world, caller, trunk("carrier-a")).expect("it is called over UDP");
    assert_eq!(world.expect("INVITE").transport, Transport::Udp);
}

/// RFC 5630 §5.2: a Contact of sips is registered as sips, over TLS, and beside no other; then it is called so.
#[test]
fn phones_register_as_sips() {
    let contact = "Contact: <sips:1001@127.0.0.20:6000>\r\n";
    let asking = |headers: &str| {
        register(1, headers).with(|it| {
            it.uri = "sips:127.0.0.1".into();
            it.via = format!("SIP/2.0/TLS {PHONE}");
        })
    };
    let by = |transport, register: &Request| {
        let mut world = World::with(secure());
        let response = world.register_on(transport, FLOW, PHONE, register);
        (world, response.what())
    };
    assert_eq!(
        by(Transport::Tls, &asking(contact).with(|it| it.uri = "sip:127.0.0.1".into())).1,
        "400 REGISTER"
    );
    let both = format!("{contact}Contact: <sip:1001@127.0.0.20:6001>\r\n");
    assert_eq!(by(Transport::Tls, &asking(&both)).1, "400 REGISTER");
    let (mut world, said) = by(Transport::Tls, &asking(contact));
    assert_eq!(said, "200 REGISTER");
    world.events();
    let caller = waiting(&mut world);
    call_for(&mut world, caller, InviteTarget::User("1001".into())).expect("the phone is called");
    let invite = world.expect("INVITE");
    asks_for_tls(&invite);
    assert_eq!((invite.flow, invite.request_uri()), (FLOW, "sips:1001@127.0.0.20:6000"));
}

/// RFC 5630 §5.1.1, §5.3: who was called as sips is sought by 3xx as sips only; a route may ask for it by itself.
#[test]
fn redirections_do_not_leave_tls() {
    for (contact, is_followed) in
        [("sip:+15558888@127.0.0.11:5099;transport=tls", false), ("sips:+15558888@127.0.0.11:5099", true)]
    {
        let mut config = secure();
        let trunks = vec!["carrier-b".to_owned()];
        config.trunks[1].redirects = Some(RedirectPolicy { max: 2, trunks, prefixes: Vec::new() });
        let mut world = World::with(config);
        let caller = waiting(&mut world);
        call_for(&mut world, caller, trunk("carrier-b")).expect("carrier-b is called over TLS");
        let first = world.expect("INVITE");
        let moved = first.answer("302 Moved", "x", &format!("Contact: <{contact}>\r\n"), "");
        world.receive_on(Transport::Tls, None, PEER, &moved);
        world.expect("ACK");
        if is_followed {
            let second = world.expect("INVITE");
            asks_for_tls(&second);
            assert_eq!(second.request_uri(), contact);
        } else {
            world.expect_silence();
            assert!(matches!(world.events()[..], [Event::Ended { .. }, Event::Released { .. }]));
        }
    }
}

/// A carrier whose route is sips is called so, whoever calls.
#[test]
fn a_route_may_ask_for_tls_on_every_hop() {
    let mut config = secure();
    let to = Target::Address { address: address(PEER), transport: Transport::Tls };
    config.trunks[1].routes = vec![RouteConfig { scheme: Scheme::Sips, ..RouteConfig::to(to) }];
    let mut world = World::with(config);
    world.call(trunk("carrier-b"));
    let invite = world.expect("INVITE");
    asks_for_tls(&invite);
    assert_eq!(invite.request_uri(), format!("sips:+15557777@{PEER}"));
}

/// The digest of a phone does not depend on the scheme: it names what was asked for itself.
#[test]
fn a_phone_of_sips_is_challenged_like_any_other() {
    let mut world = World::with(secure());
    let call = invite().with(|it| {
        it.via = format!("SIP/2.0/TLS {PHONE}");
        it.from = "<sips:1001@127.0.0.1>;tag=them".into();
        it.headers = format!("Contact: <sips:1001@{PHONE}>\r\n");
    });
    world.receive_on(Transport::Tls, FLOW, PHONE, &call.text());
    let challenge = world.expect("401 INVITE");
    let again = call.with(|it| {
        it.cseq = 2;
        it.branch.push('2');
        it.headers.push_str(&credentials(&challenge, "INVITE", "1001", "secret-1001", "SHA-256", 1));
    });
    world.receive_on(Transport::Tls, FLOW, PHONE, &again.text());
    world.expect("100 INVITE");
    assert_eq!(world.event_names(), ["Incoming"]);
}

/// RFC 5630 §5.3: who is called as sip is not called as sips, but by the way that it registered: over TLS.
#[test]
fn a_phone_of_sips_is_called_as_its_caller_asks() {
    let mut world = World::with(secure());
    let contact = "Contact: <sips:1001@127.0.0.20:6000>\r\n";
    let asking = register(1, contact).with(|it| {
        it.uri = "sips:127.0.0.1".into();
        it.via = format!("SIP/2.0/TLS {PHONE}");
    });
    world.register_on(Transport::Tls, FLOW, PHONE, &asking);
    world.events();
    world.call(InviteTarget::User("1001".into()));
    let invite = world.expect("INVITE");
    assert_eq!((invite.flow, invite.request_uri()), (FLOW, "sip:1001@127.0.0.20:6000"));
    assert_eq!(invite.header("Contact"), "<sip:127.0.0.1:5060;transport=tls>");
}

/// RFC 5630 §5.2: a way that is not of sips is none to a phone of sips.
#[test]
fn the_way_to_a_phone_of_sips_is_of_sips() {
    for (path, answer) in [("sip", "400 REGISTER"), ("sips", "200 REGISTER")] {
        let mut world = World::with(secure());
        let headers =
            format!("Contact: <sips:1001@10.1.1.7>\r\nSupported: path\r\nPath: <{path}:127.0.0.20;lr>\r\n");
        let asking = register(1, &headers).with(|it| {
            it.uri = "sips:127.0.0.1".into();
            it.via = format!("SIP/2.0/TLS {PHONE}");
        });
        assert_eq!(world.register_on(Transport::Tls, FLOW, PHONE, &asking).what(), answer);
    }
}

/// RFC 5630 §5.1.1: a carrier's Service-Route (RFC 3608) is of sips for who is called as sips; RFC 3261 §8.1.1.8: where it is
/// so by itself, the way back is, too.
#[test]
fn the_way_by_the_carrier_is_of_sips() {
    for (says, of_sips, of_sip, contact) in [
        ("<sip:edge.example;lr>", "<sips:edge.example;lr>", "<sip:edge.example;lr>", "<sip:127.0.0.1"),
        ("<sips:edge.example;lr>", "<sips:edge.example;lr>", "<sips:edge.example;lr>", "<sips:127.0.0.1"),
    ] {
        let mut config = secure();
        config.trunks[1].registrations = vec![Arc::new(RegisterConfig::new("sip:4711@carrier.example"))];
        let mut world = World::with(config);
        world.pass_ms(1);
        let register = world.expect("REGISTER");
        let headers = format!("Contact: {}\r\nService-Route: {says}\r\n", register.header("Contact"));
        world.receive_on(Transport::Tls, FLOW, PEER, &register.answer("200 OK", "r", &headers, ""));
        let caller = waiting(&mut world);
        call_for(&mut world, caller, trunk("carrier-b")).expect("it is called over TLS");
        assert_eq!(world.expect("INVITE").header("Route"), of_sips);
        world.call(trunk("carrier-b"));
        let invite = world.expect("INVITE");
        assert_eq!((invite.header("Route").as_str(), invite.transport), (of_sip, Transport::Tls));
        assert!(invite.header("Contact").starts_with(contact), "{}", invite.text);
        let ok = invite.answer("200 OK", "callee", &format!("Contact: <sips:{PEER}>\r\n"), SDP);
        world.events();
        world.receive_on(Transport::Tls, None, PEER, &ok);
        world.expect("ACK");
        let [Event::Media { session, .. }, _] = world.events()[..] else { panic!("not answered") };
        let hold = Reoffer { direction: Some(MediaDirection::SendOnly), media: None };
        world.own(|agent, now| agent.reoffer(now, session, hold)).expect("an established session");
        let again = world.expect("INVITE");
        assert!(again.header("Contact").starts_with(contact), "and stays so: {}", again.text);
    }
}

/// RFC 5630 §5.1.1.3: what follows from a call of sips is of sips, whatever its REFER names.
#[test]
fn a_transfer_in_a_call_of_sips_keeps_to_tls() {
    let mut world = World::with(secure());
    let session = waiting(&mut world);
    world.own(|agent, now| agent.accept(now, session, media())).expect("accepted");
    let ok = world.expect("200 INVITE");
    receive(&mut world, &Request::within("ACK", 1, &ok));
    world.events();
    for (cseq, refer_to) in [(2, "<sip:+15557777@127.0.0.1>"), (3, "<tel:+15557777>")] {
        let refer = Request::within("REFER", cseq, &ok).with(|it| {
            it.headers = format!("Contact: <sips:{CARRIER}>\r\nRefer-To: {refer_to}\r\n");
        });
        receive(&mut world, &refer);
        let events = world.events();
        let [Event::TransferAsked { scheme: Scheme::Sips, .. }] = &events[..] else { panic!("{events:?}") };
    }
}

/// RFC 5630 §5.1.1.3: who is wanted as sips is put to the owner as such, and called over TLS or not at all.
#[test]
fn a_transfer_to_sips_keeps_to_tls() {
    for (name, is_called) in [("carrier-b", true), ("carrier-a", false)] {
        let mut world = World::with(secure());
        let (_, ok) = world.established();
        let refer = Request::within("REFER", 2, &ok).with(|it| {
            it.headers = format!("Contact: <sip:{CARRIER}>\r\nRefer-To: <sips:+15557777@127.0.0.1>\r\n");
        });
        world.receive(CARRIER, &refer.text());
        let events = world.events();
        let [Event::TransferAsked { session, scheme: Scheme::Sips, to, .. }] = &events[..] else {
            panic!("{events:?}");
        };
        let (party, number) = (Some(*session), to.clone());
        let target = InviteTarget::Trunk { trunk: name.into(), number };
        let invite = Invite { target, from: Identity::default(), media: media() };
        let called = world.own(|agent, now| agent.invite_securely(now, party, invite));
        assert_eq!(called.is_ok(), is_called, "{name}: {called:?}");
        if is_called {
            let invite = world.expect("INVITE");
            asks_for_tls(&invite);
            assert_eq!(invite.request_uri(), format!("sips:+15557777@{PEER}"));
        } else {
            assert_eq!(called, Err(SessionError::NotSecure));
            world.expect_silence();
        }
    }
}
