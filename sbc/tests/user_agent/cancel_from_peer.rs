//! The caller gives up (RFC 3261 §9.2, RFC 3665 §3.8).

use tandem_sbc::user_agent::{Ender, Event, Reason, ReasonProtocol, SessionEnd};

use crate::support::{CARRIER, Request, World, media};

fn cancel() -> Request {
    Request::invite().with(|cancel| {
        cancel.method = "CANCEL";
        cancel.headers = "Reason: SIP;cause=487;text=\"gave up\"\r\n".into();
        cancel.body.clear();
    })
}

#[test]
fn cancel_before_the_answer_ends_the_call() {
    let mut world = World::new();
    world.receive(CARRIER, &Request::invite().text());
    let session = world.incoming();
    world.expect("100 INVITE");
    world.own(|agent, now| agent.ring(now, session)).expect("ringing");
    let ringing = world.expect("180 INVITE");
    world.receive(CARRIER, &cancel().text());
    let ok = world.expect("200 CANCEL");
    let refusal = world.expect("487 INVITE");
    assert_eq!(ok.tag("To"), ringing.tag("To"), "§9.2: the tag of the INVITE's responses");
    assert_eq!(refusal.tag("To"), ringing.tag("To"));
    let end = SessionEnd { by: Ender::Peer, status: 487, reason: "gave up".into() };
    let reason = Reason { protocol: ReasonProtocol::Sip, cause: 487 };
    let stated = Event::ReasonStated { session, reason };
    assert_eq!(world.events(), [stated, Event::Ended { session, end }, Event::Released { session }]);
    world.receive(CARRIER, &cancel().text());
    world.expect("200 CANCEL");
    let ack = Request::invite().with(|ack| {
        ack.method = "ACK";
        ack.to = refusal.header("To");
    });
    world.receive(CARRIER, &ack.text());
    world.pass_ms(10_000);
    world.expect_silence();
    world.rest();
}

/// §9.2: CANCEL has no effect on an INVITE that was answered; the session stays.
#[test]
fn cancel_after_the_answer_changes_nothing() {
    let mut world = World::new();
    world.receive(CARRIER, &Request::invite().text());
    let session = world.incoming();
    world.own(|agent, now| agent.accept(now, session, media())).expect("accepted");
    world.expect("100 INVITE");
    let ok = world.expect("200 INVITE");
    world.receive(CARRIER, &cancel().text());
    world.expect("200 CANCEL");
    world.expect_silence();
    world.receive(CARRIER, &Request::within("ACK", 1, &ok).text());
    assert_eq!(world.event_names(), ["Media", "Confirmed"]);
    world.receive(CARRIER, &Request::within("BYE", 2, &ok).text());
    world.expect("200 BYE");
    assert_eq!(world.event_names(), ["Ended", "Released"]);
    world.rest();
}

/// §9.2.
#[test]
fn cancel_of_nothing_is_481() {
    let mut world = World::new();
    world.receive(CARRIER, &cancel().text());
    world.expect("481 CANCEL");
    world.rest();
}

#[test]
fn cancel_from_another_trunk_ends_nothing() {
    let mut world = World::new();
    world.receive(CARRIER, &Request::invite().text());
    world.expect("100 INVITE");
    world.receive("127.0.0.11:5070", &cancel().text());
    world.expect_silence_of("487 INVITE");
    assert_eq!(world.event_names(), ["Incoming"]);
}
