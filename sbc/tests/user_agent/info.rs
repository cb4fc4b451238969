//! INFO (RFC 6086): digits in SIP.

use tandem_sbc::user_agent::Event;

use crate::support::{CARRIER, Request, World};

fn info(cseq: u32, ok: &crate::support::Sent, kind: &str, body: &str) -> String {
    let info = Request::within("INFO", cseq, ok).with(|info| body.clone_into(&mut info.body));
    info.text().replace("application/sdp", kind)
}

#[test]
fn digits_are_told() {
    let mut world = World::new();
    let (session, ok) = world.established();
    world.receive(CARRIER, &info(2, &ok, "application/dtmf-relay", "Signal=7\r\nDuration=160\r\n"));
    world.expect("200 INFO");
    world.receive(CARRIER, &info(3, &ok, "application/dtmf", "#\r\n"));
    world.expect("200 INFO");
    assert_eq!(world.events(), [Event::Digit { session, digit: '7' }, Event::Digit { session, digit: '#' }]);
    // It comes again: one press is one digit.
    world.receive(CARRIER, &info(3, &ok, "application/dtmf", "#\r\n"));
    world.expect("200 INFO");
    world.receive(CARRIER, &info(4, &ok, "application/dtmf-relay", "Signal=16\r\n"));
    world.expect("200 INFO");
    assert_eq!(world.events(), []);
}

/// RFC 6086 §4.2.2: 469 to a package, 415 to a body that says nothing to us; an empty INFO asks whether we are there.
#[test]
fn other_infos() {
    let mut world = World::new();
    let (_, ok) = world.established();
    world.receive(CARRIER, &Request::within("INFO", 2, &ok).text());
    world.expect("200 INFO");
    let package = info(3, &ok, "application/x", "x").replace("Call-ID", "Info-Package: nihao\r\nCall-ID");
    world.receive(CARRIER, &package);
    assert_eq!(world.expect("469 INFO").headers("Recv-Info"), [""]);
    world.receive(CARRIER, &info(4, &ok, "application/media_control+xml", "<x/>"));
    assert_eq!(world.expect("415 INFO").header("Accept"), "application/dtmf-relay, application/dtmf");
    assert_eq!(world.events(), []);
}
