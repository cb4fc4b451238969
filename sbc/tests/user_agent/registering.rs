//! Registrations of ours with a carrier (RFC 3261 §10.2, RFC 5626).

use std::sync::Arc;
use std::time::Duration;

use tandem_sbc::user_agent::{
    FlowId, FlowOrder, News, Outbound, RegisterConfig, Target, Transport, TrunkCredentials, UserAgentConfig,
};

use crate::support::{CARRIER, PHONE, Sent, World, address, config};

const AOR: &str = "sip:4711@carrier.example";
const CHALLENGE: &str =
    "WWW-Authenticate: Digest realm=\"carrier.example\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"\r\n";

fn registering(change: impl FnOnce(&mut RegisterConfig)) -> UserAgentConfig {
    let mut config = config();
    let mut register = RegisterConfig::new(AOR);
    register.credentials =
        Some(TrunkCredentials { username: "4711".to_owned(), password: "secret".to_owned(), realm: None });
    change(&mut register);
    config.trunks[0].registrations = vec![Arc::new(register)];
    config
}

/// A world whose first REGISTER has just gone out.
fn world_with(change: impl FnOnce(&mut RegisterConfig)) -> (World, Sent) {
    let mut world = World::with(registering(change));
    world.pass_ms(1);
    let register = world.expect("REGISTER");
    (world, register)
}

/// Our Contact as it was asked for, granted for so long.
fn granted(register: &Sent, seconds: u32) -> String {
    let contact = register.header("Contact");
    let uri = contact.split(';').next().unwrap_or_default().to_owned();
    let uri =
        if uri.ends_with('>') { uri } else { contact.split('>').next().unwrap_or_default().to_owned() + ">" };
    format!("Contact: <sip:4711@192.0.2.7:5060>;expires=9999\r\nContact: {uri};expires={seconds}\r\n")
}

fn news(world: &mut World) -> Vec<(bool, u16)> {
    let told = std::iter::from_fn(|| world.own(|agent, _| agent.poll_news()));
    told.map(|news| match news {
        News::Registration(it) => (it.is_registered, it.status),
        other => panic!("{other:?}"),
    })
    .collect()
}

/// Lets time pass until a REGISTER goes out; when that was.
fn next_register(world: &mut World, within_s: u64) -> (u64, Sent) {
    for second in 1..=within_s {
        world.pass_ms(1_000);
        if let Some(sent) = world.messages().into_iter().rfind(|sent| sent.what() == "REGISTER") {
            return (second, sent);
        }
    }
    panic!("no REGISTER within {within_s} s")
}

/// §10.2: what a REGISTER says; §22.2: it is sent again with credentials; §10.2.4: and again before it is over, with
/// credentials at once.
#[test]
fn a_registration_is_made_and_renewed() {
    let (mut world, first) = world_with(|_| {});
    assert_eq!((first.to, first.request_uri()), (address(CARRIER), "sip:carrier.example"));
    assert_eq!(first.header("To"), format!("<{AOR}>"));
    assert!(first.header("From").starts_with(&format!("<{AOR}>;tag=")));
    assert_eq!(first.header("Contact"), "<sip:4711@127.0.0.1:5060>;expires=3600");
    assert_eq!((first.header("Expires"), first.header("Supported")), ("3600".to_owned(), "path".to_owned()));
    world.receive(CARRIER, &first.answer("401 Unauthorized", "r", CHALLENGE, ""));
    let again = world.expect("REGISTER");
    assert_eq!(again.header("CSeq"), "2 REGISTER");
    assert_eq!((again.header("Call-ID"), again.tag("From")), (first.header("Call-ID"), first.tag("From")));
    assert!(again.header("Authorization").contains("username=\"4711\""), "{}", again.text);
    world.receive(CARRIER, &again.answer("200 OK", "r", &granted(&again, 100), ""));
    assert_eq!(news(&mut world), [(true, 200)]);
    let (after, refresh) = next_register(&mut world, 100);
    assert!((75..=91).contains(&after), "{after} s");
    assert_eq!(refresh.header("CSeq"), "3 REGISTER");
    assert!(refresh.header("Authorization").contains("nc=00000002"), "{}", refresh.text);
    world.receive(CARRIER, &refresh.answer("200 OK", "r", &granted(&refresh, 100), ""));
    assert_eq!(news(&mut world), []);
}

/// §10.2.8: 423 is granted; a registrar that wants it longer than a day is not.
#[test]
fn a_registration_that_is_too_brief_is_made_longer() {
    let (mut world, first) = world_with(|register| register.expires = Duration::from_secs(60));
    world.receive(CARRIER, &first.answer("423 Interval Too Brief", "r", "Min-Expires: 600\r\n", ""));
    let again = world.expect("REGISTER");
    assert_eq!((again.header("Expires"), again.header("CSeq")), ("600".to_owned(), "2 REGISTER".to_owned()));
    world.receive(CARRIER, &again.answer("423 Interval Too Brief", "r", "Min-Expires: 86401\r\n", ""));
    world.expect_silence();
    assert_eq!(news(&mut world), [(false, 423)]);
}

/// A wrong password is not tried for ever, and a refusal is told once; RFC 5626 §4.5: the wait doubles.
#[test]
fn failures_are_tried_again_ever_later() {
    let (mut world, mut register) = world_with(|_| {});
    let mut waits = Vec::new();
    for _ in 0..4 {
        world.receive(CARRIER, &register.answer("403 Forbidden", "r", "", ""));
        let (after, next) = next_register(&mut world, 600);
        waits.push(after);
        register = next;
    }
    for (wait, longest) in waits.iter().zip([60, 120, 240, 480]) {
        assert!((longest / 2..=longest + 1).contains(wait), "{waits:?}");
    }
    assert_eq!(news(&mut world), [(false, 403)]);
    world.receive(CARRIER, &register.answer("200 OK", "r", &granted(&register, 100), ""));
    assert_eq!(news(&mut world), [(true, 200)]);
}

#[test]
fn a_wrong_password_is_not_tried_twice_with_one_nonce() {
    let (mut world, first) = world_with(|_| {});
    world.receive(CARRIER, &first.answer("401 Unauthorized", "r", CHALLENGE, ""));
    let again = world.expect("REGISTER");
    world.receive(CARRIER, &again.answer("401 Unauthorized", "r", CHALLENGE, ""));
    world.expect_silence();
    assert_eq!(news(&mut world), [(false, 401)]);
    assert_eq!(world.counters().challenges_refused, 1);
}

/// A registrar that says nothing is no registrar, once what it granted is over.
#[test]
fn a_registration_that_nobody_renews_is_over() {
    let (mut world, first) = world_with(|_| {});
    world.receive(CARRIER, &first.answer("200 OK", "r", &granted(&first, 60), ""));
    assert_eq!(news(&mut world), [(true, 200)]);
    world.pass_ms(59_000);
    assert_eq!(news(&mut world), []);
    world.pass_ms(2_000);
    assert_eq!(news(&mut world).first().map(|told| told.0), Some(false));
}

/// RFC 5626: who we are, over a stream that is kept alive and made anew when it does not answer.
#[test]
fn a_connection_that_does_not_answer_is_made_anew() {
    let outbound =
        Outbound { instance: "urn:uuid:00000000-0000-8000-8000-000000000001".to_owned(), reg_id: 1 };
    let mut config = registering(|register| register.outbound = Some(outbound));
    config.trunks[0].peer = Target::Address { address: address(CARRIER), transport: Transport::Tcp };
    let mut world = World::with(config);
    world.pass_ms(1);
    let first = world.expect("REGISTER");
    assert_eq!((first.transport, first.header("Supported")), (Transport::Tcp, "path, outbound".to_owned()));
    let contact = first.header("Contact");
    assert!(
        contact.contains("+sip.instance=\"<urn:uuid:00000000-0000-8000-8000-000000000001>\";reg-id=1"),
        "{contact}"
    );
    let flow = Some(FlowId(7));
    let headers = format!("Require: outbound\r\nFlow-Timer: 20\r\n{}", granted(&first, 3_600));
    world.receive_on(Transport::Tcp, flow, CARRIER, &first.answer("200 OK", "r", &headers, ""));
    assert_eq!(news(&mut world), [(true, 200)]);
    world.pass_ms(20_000);
    let ping = world.messages();
    assert_eq!((ping.len(), ping[0].text.as_str(), ping[0].flow), (1, "\r\n\r\n", flow));
    world.receive_on(Transport::Tcp, flow, CARRIER, "\r\n");
    world.pass_ms(20_000);
    assert_eq!(world.messages().len(), 1, "the next keep-alive");
    // §4.4.1: ten seconds for the answer.
    world.pass_ms(10_000);
    assert_eq!(news(&mut world), [(false, 200)]);
    let order = world.own(|agent, _| agent.poll_flow_order());
    assert_eq!(order, flow.map(FlowOrder::Close), "nothing more goes there");
    let anew = world.expect("REGISTER");
    assert_eq!(anew.flow, None, "on a connection of its own");
    assert_eq!(world.counters().flows_lost, 1);
}

/// A registration with `outbound` over UDP that has just been granted, for an hour.
fn bound_over_udp() -> World {
    let outbound = Outbound { instance: "urn:uuid:0a".to_owned(), reg_id: 1 };
    let (mut world, first) = world_with(|register| register.outbound = Some(outbound));
    let headers = format!("Require: outbound\r\n{}", granted(&first, 3_600));
    world.receive(CARRIER, &first.answer("200 OK", "r", &headers, ""));
    assert_eq!(news(&mut world), [(true, 200)]);
    world
}

/// The STUN request that goes out next, when there was none before that moment, and after how long.
fn asked(world: &mut World) -> (u64, Vec<u8>) {
    for tenth in 1..=400 {
        world.pass_ms(100);
        if let Some((to, request)) = world.stun.pop_front() {
            assert_eq!((to, &request[..4]), (address(CARRIER), &[0, 1, 0, 0][..]));
            return (tenth / 10, request);
        }
    }
    panic!("nothing is asked")
}

/// Its answer: we are seen at that port, or it is refused.
fn seen(request: &[u8], port: Option<u16>) -> Vec<u8> {
    let id = &request[4..20];
    let Some(port) = port else { return [&[1, 0x11, 0, 0], id].concat() };
    let port = (port ^ 0x2112).to_be_bytes();
    let address = [127 ^ 0x21, 0x12, 0xA4, 1 ^ 0x42];
    [&[1, 1, 0, 12], id, &[0, 0x20, 0, 8, 0, 1], &port, &address].concat()
}

/// RFC 5626 §4.4.2: over UDP we ask by STUN every 24 to 29 seconds; whoever is seen elsewhere, or refused, begins anew.
#[test]
fn a_mapping_that_has_changed_is_registered_anew() {
    for change in [Some(40_001), None] {
        let mut world = bound_over_udp();
        let mut ids = Vec::new();
        for _ in 0..3 {
            let (after, request) = asked(&mut world);
            assert!((23..=30).contains(&after), "{after} s");
            world.receive_bytes(Transport::Udp, None, CARRIER, &seen(&request, Some(40_000)));
            world.expect_silence();
            ids.push(request);
        }
        ids.dedup();
        assert_eq!(ids.len(), 3, "each is another one");
        let (_, request) = asked(&mut world);
        world.receive_bytes(Transport::Udp, None, CARRIER, &seen(&request, change));
        world.pass_ms(1);
        world.expect("REGISTER");
        assert_eq!((world.counters().flows_lost, news(&mut world)), (1, vec![(false, 200)]));
    }
}

/// RFC 8489 §6.2.1: a request that nobody answers is sent seven times, and 39.5 s are waited for an answer; what is no answer to
/// it counts for nothing.
#[test]
fn a_registrar_that_answers_no_question_is_registered_with_anew() {
    let mut world = bound_over_udp();
    let (_, request) = asked(&mut world);
    let mut foreign = seen(&request, Some(40_000));
    foreign[8] ^= 1;
    world.receive_bytes(Transport::Udp, None, CARRIER, &foreign);
    world.receive_bytes(Transport::Udp, None, PHONE, &seen(&request, Some(40_000)));
    assert_eq!(world.counters().stray_responses, 2);
    world.pass_ms(38_000);
    assert_eq!(world.stun.len(), 6);
    assert!(world.stun.iter().all(|(_, again)| *again == request), "the same");
    world.expect_silence();
    world.pass_ms(1_600);
    world.expect("REGISTER");
    assert_eq!(world.counters().flows_lost, 1);
}

/// RFC 5626 §4.3: what begins a dialog goes on the flow that we have registered, and asks for the rest on it (`ob`); of a
/// registrar that knows nothing of flows, and on a connection that is gone, it does not.
#[test]
fn calls_go_on_our_own_flow() {
    for (says, is_flow) in [("Require: outbound\r\n", true), ("", false)] {
        let outbound = Outbound { instance: "urn:uuid:0a".to_owned(), reg_id: 1 };
        let mut config = registering(|register| register.outbound = Some(outbound));
        config.trunks[0].peer = Target::Address { address: address(CARRIER), transport: Transport::Tcp };
        let mut world = World::with(config);
        world.pass_ms(1);
        let first = world.expect("REGISTER");
        let flow = Some(FlowId(7));
        let granted = format!("{says}{}", granted(&first, 3_600));
        world.receive_on(Transport::Tcp, flow, CARRIER, &first.answer("200 OK", "r", &granted, ""));
        world.call_carrier();
        let invite = world.expect("INVITE");
        let (expected, ob) = if is_flow { (flow, ";ob") } else { (None, "") };
        assert_eq!((invite.flow, invite.to), (expected, address(CARRIER)));
        assert_eq!(invite.header("Contact"), format!("<sip:127.0.0.1:5060;transport=tcp{ob}>"));
        assert!(invite.header("To").ends_with("@127.0.0.10>"), "{}", invite.text);
        world.fail(Transport::Tcp, CARRIER, flow);
        world.pass_ms(1);
        world.messages();
        world.call_carrier();
        let again = world.expect("INVITE");
        assert_eq!((again.flow, again.header("Contact").contains(";ob")), (None, false));
    }
}

/// §17.1.2.2: on a stream a transaction ends with its final response, and is remembered long enough to answer it.
#[test]
fn a_challenge_over_a_stream_is_answered() {
    let mut config = registering(|_| {});
    config.trunks[0].peer = Target::Address { address: address(CARRIER), transport: Transport::Tcp };
    let mut world = World::with(config);
    world.pass_ms(1);
    let first = world.expect("REGISTER");
    let flow = Some(FlowId(7));
    world.receive_on(Transport::Tcp, flow, CARRIER, &first.answer("401 Unauthorized", "r", CHALLENGE, ""));
    let again = world.expect("REGISTER");
    assert!(!again.header("Authorization").is_empty(), "{}", again.text);
    assert_eq!(again.flow, flow, "on the connection that the challenge came on");
}

/// A connection that the transports say is gone is not waited for.
#[test]
fn a_connection_that_is_gone_is_made_anew_at_once() {
    let mut config = registering(|_| {});
    config.trunks[0].peer = Target::Address { address: address(CARRIER), transport: Transport::Tcp };
    let mut world = World::with(config);
    world.pass_ms(1);
    let first = world.expect("REGISTER");
    let flow = Some(FlowId(7));
    world.receive_on(Transport::Tcp, flow, CARRIER, &first.answer("200 OK", "r", &granted(&first, 600), ""));
    world.fail(Transport::Tcp, CARRIER, flow);
    assert_eq!(news(&mut world), [(true, 200), (false, 200)]);
    world.pass_ms(1);
    world.expect("REGISTER");
}

/// RFC 3608: requests to the carrier go by the route that its registrar says.
#[test]
fn calls_go_by_the_service_route() {
    let (mut world, first) = world_with(|_| {});
    let headers = format!("Service-Route: <sip:edge.carrier.example;lr>\r\n{}", granted(&first, 600));
    world.receive(CARRIER, &first.answer("200 OK", "r", &headers, ""));
    world.call_carrier();
    assert_eq!(world.expect("INVITE").header("Route"), "<sip:edge.carrier.example;lr>");
}

/// Who stops takes its registrations away, with credentials, and asks for none again.
#[test]
fn a_node_that_stops_unregisters() {
    let (mut world, first) = world_with(|_| {});
    world.receive(CARRIER, &first.answer("401 Unauthorized", "r", CHALLENGE, ""));
    let again = world.expect("REGISTER");
    world.receive(CARRIER, &again.answer("200 OK", "r", &granted(&again, 600), ""));
    world.own(|agent, now| agent.unregister(now));
    let leave = world.expect("REGISTER");
    assert_eq!(leave.header("Contact"), "<sip:4711@127.0.0.1:5060>;expires=0");
    assert!(!leave.header("Authorization").is_empty());
    assert_eq!(world.own(|agent, _| agent.registrations_leaving()), 1);
    world.receive(CARRIER, &leave.answer("200 OK", "r", "", ""));
    assert_eq!(world.own(|agent, _| agent.registrations_leaving()), 0);
    world.rest();
    world.expect_silence();
}

/// A registrar that does not answer our leave is not waited for long.
#[test]
fn leaving_takes_four_seconds_at_most() {
    let (mut world, first) = world_with(|_| {});
    world.receive(CARRIER, &first.answer("200 OK", "r", &granted(&first, 600), ""));
    world.own(|agent, now| agent.unregister(now));
    world.pass_ms(4_000);
    assert_eq!(world.own(|agent, _| agent.registrations_leaving()), 0);
    world.rest();
}

/// A reload keeps what is unchanged, takes away what is gone, and registers what is new.
#[test]
fn a_reload_goes_by_the_new_configuration() {
    let (mut world, first) = world_with(|_| {});
    world.receive(CARRIER, &first.answer("200 OK", "r", &granted(&first, 600), ""));
    world.own(|agent, _| agent.reload(Arc::new(registering(|_| {}))));
    world.pass_ms(10);
    world.expect_silence();
    world.own(|agent, _| {
        agent.reload(Arc::new(registering(|register| register.aor = "sip:4712@carrier.example".into())))
    });
    world.pass_ms(10);
    assert!(world.expect("REGISTER").header("Contact").ends_with(";expires=0"));
    assert_eq!(world.expect("REGISTER").header("To"), "<sip:4712@carrier.example>");
}
