//! Every method in every phase of a session: what is answered, and what the owner hears (RFC 3261 §12.2.2).

use std::fmt::Write;

use crate::support::{CARRIER, Request, SDP, World, contact, media};

const METHODS: [&str; 13] = [
    "ACK",
    "BYE",
    "INVITE",
    "OPTIONS",
    "INFO",
    "UPDATE",
    "PRACK",
    "MESSAGE",
    "SUBSCRIBE",
    "NOTIFY",
    "REFER",
    "PUBLISH",
    "BREW",
];

/// A session in a phase, and the makings of a request in its dialog.
type Setting = fn() -> (World, Request);

fn offered() -> (World, Request) {
    let mut world = World::new();
    world.receive(CARRIER, &Request::invite().text());
    let session = world.incoming();
    world.own(|agent, now| agent.ring(now, session)).expect("ringing");
    world.expect("100 INVITE");
    let ringing = world.expect("180 INVITE");
    (world, Request::within("ACK", 2, &ringing))
}

fn answered() -> (World, Request) {
    let mut world = World::new();
    world.receive(CARRIER, &Request::invite().text());
    let session = world.incoming();
    world.own(|agent, now| agent.accept(now, session, media())).expect("accepted");
    world.expect("100 INVITE");
    let ok = world.expect("200 INVITE");
    (world, Request::within("ACK", 2, &ok))
}

fn leaving() -> (World, Request) {
    let (mut world, request) = answered();
    let session = tandem_sbc::user_agent::SessionId { index: 0, generation: 0 };
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    (world, request)
}

fn calling() -> (World, Request) {
    let mut world = World::new();
    world.call_carrier();
    let invite = world.expect("INVITE");
    world.receive(CARRIER, &invite.answer("180 Ringing", "callee", "", ""));
    (world, Request::from_callee("ACK", 2, &invite, "callee"))
}

fn confirmed() -> (World, Request) {
    let mut world = World::new();
    let (_, ok) = world.established();
    (world, Request::within("ACK", 2, &ok))
}

fn over() -> (World, Request) {
    let mut world = World::new();
    let (session, ok) = world.established();
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    world.expect("BYE");
    (world, Request::within("ACK", 2, &ok))
}

fn row(setting: Setting, method: &'static str) -> String {
    let (mut world, mut request) = setting();
    world.events();
    request.method = method;
    request.branch = format!("z9hG4bK-within-{method}");
    // The ACK of the 200 has its number.
    request.cseq = if method == "ACK" { 1 } else { 2 };
    if method == "REFER" {
        request.headers = "Refer-To: <sip:1002@127.0.0.1>\r\n".into();
    }
    if method == "INVITE" {
        request.headers = contact(CARRIER);
        request.body = format!("{SDP}a=sendonly\r\n");
    }
    world.receive(CARRIER, &request.text());
    let mut told: Vec<String> = world.sent().into_iter().map(|(_, what)| what).collect();
    told.extend(world.events().iter().map(|event| crate::support::name(event).to_owned()));
    world.pass_ms(400_000);
    if told.is_empty() { "nothing".to_owned() } else { told.join(", ") }
}

#[test]
fn every_method_in_every_phase() {
    let settings: [(&str, Setting); 6] = [
        ("Offered", offered),
        ("Answered", answered),
        ("Calling", calling),
        ("Confirmed", confirmed),
        ("Leaving", leaving),
        ("Over", over),
    ];
    let mut table = String::new();
    for (phase, setting) in settings {
        writeln!(table, "{phase}").expect("a string takes all");
        for method in METHODS {
            writeln!(table, "    {method:<10} {}", row(setting, method)).expect("a string takes all");
        }
    }
    insta::assert_snapshot!(table);
}

/// §12.2.2: a dialog is its Call-ID and both tags.
#[test]
fn a_request_of_another_dialog_is_481() {
    let changes: [fn(&mut Request); 3] = [
        |bye| bye.call_id = "other".into(),
        |bye| bye.to = "<sip:x@127.0.0.1>;tag=other".into(),
        |bye| bye.from = "<sip:x@127.0.0.1>;tag=other".into(),
    ];
    for change in changes {
        let mut world = World::new();
        let (_, ok) = world.established();
        world.receive(CARRIER, &Request::within("BYE", 2, &ok).with(change).text());
        world.expect("481 BYE");
        assert_eq!(world.events(), []);
    }
}

/// A dialog belongs to the trunk it was made with.
#[test]
fn a_request_from_another_trunk_is_481() {
    for from in ["127.0.0.11:5070", "127.0.0.20:5080"] {
        let mut world = World::new();
        let (_, ok) = world.established();
        world.receive(from, &Request::within("BYE", 2, &ok).text());
        world.expect("481 BYE");
        assert_eq!(world.events(), []);
    }
}

/// §8.2.2.3 holds inside dialogs too.
#[test]
fn an_unknown_requirement_is_420() {
    let mut world = World::new();
    let (_, ok) = world.established();
    let info =
        Request::within("INFO", 2, &ok).with(|info| info.headers = "Require: bar, 100rel, foo\r\n".into());
    world.receive(CARRIER, &info.text());
    assert_eq!(world.expect("420 INFO").header("Unsupported"), "bar, foo");
}

#[test]
fn a_reinvite_with_another_body_is_415() {
    let mut world = World::new();
    let (_, ok) = world.established();
    let invite = Request::within("INVITE", 2, &ok).with(|invite| {
        invite.headers = contact(CARRIER);
        invite.body = "hello".into();
    });
    let text = invite.text().replace("application/sdp", "text/plain");
    world.receive(CARRIER, &text);
    assert_eq!(world.expect("415 INVITE").header("Accept"), "application/sdp");
    assert_eq!(world.events(), []);
}
