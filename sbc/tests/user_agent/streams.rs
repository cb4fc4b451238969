//! Calls over TCP (RFC 3261 §18, §17 on reliable transports).

use tandem_sbc::user_agent::{FlowId, InviteTarget, Transport};

use crate::support::{Request, World, address, contact, media};

const CARRIER_B: &str = "127.0.0.11:5070";
const FROM: &str = "127.0.0.11:40404";

#[test]
fn a_call_over_tcp_both_ways() {
    let mut world = World::new();
    let flow = Some(FlowId(9));
    let invite = Request::invite().with(|invite| {
        invite.via = format!("SIP/2.0/TCP {CARRIER_B}");
        invite.headers = contact(&format!("{CARRIER_B};transport=tcp"));
    });
    world.receive_on(Transport::Tcp, flow, FROM, &invite.text());
    let session = world.incoming();
    world.own(|agent, now| agent.accept(now, session, media())).expect("accepted");
    world.expect("100 INVITE");
    let ok = world.expect("200 INVITE");
    assert_eq!((ok.transport, ok.flow), (Transport::Tcp, flow));
    assert_eq!(ok.header("Contact"), "<sip:127.0.0.1:5060;transport=tcp>");
    world.receive_on(Transport::Tcp, flow, FROM, &Request::within("ACK", 1, &ok).text());
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    let bye = world.expect("BYE");
    assert_eq!((bye.transport, bye.flow, bye.to), (Transport::Tcp, flow, address(CARRIER_B)));
    world.pass_ms(20_000);
    world.expect_silence();
    world.receive_on(Transport::Tcp, flow, FROM, &bye.answer("200 OK", "", "", ""));
    assert_eq!(world.event_names(), ["Media", "Confirmed", "Ended", "Released"]);
    world.rest();
}

/// §17.1.1.2: no timer A, timer B all the same; timer D is zero.
#[test]
fn a_call_to_a_tcp_trunk_is_sent_once() {
    let mut world = World::new();
    world.call(InviteTarget::Trunk { trunk: "carrier-b".into(), number: "100".into() });
    let invite = world.expect("INVITE");
    assert_eq!((invite.transport, invite.to), (Transport::Tcp, address(CARRIER_B)));
    assert_eq!(invite.request_uri(), "sip:100@127.0.0.11:5070;transport=tcp");
    world.pass_ms(31_000);
    world.expect_silence();
    world.receive_on(
        Transport::Tcp,
        Some(FlowId(1)),
        CARRIER_B,
        &invite.answer("486 Busy Here", "callee", "", ""),
    );
    world.expect("ACK");
    assert_eq!(world.event_names(), ["Ended", "Released"]);
    assert_eq!(world.agent.usage().transactions, 0, "timer D is zero");
}

#[test]
fn a_call_on_a_connection_that_breaks_before_any_response_fails() {
    let mut world = World::new();
    world.call(InviteTarget::Trunk { trunk: "carrier-b".into(), number: "100".into() });
    world.expect("INVITE");
    world.fail(Transport::Tcp, CARRIER_B, Some(FlowId(3)));
    assert_eq!(world.event_names(), ["Ended", "Released"]);
    world.rest();
}

/// The 2xx is sent again on TCP too (§13.3.1.4).
#[test]
fn a_200_is_sent_again_over_tcp() {
    let mut world = World::new();
    let invite = Request::invite().with(|invite| {
        invite.via = format!("SIP/2.0/TCP {CARRIER_B}");
        invite.headers = contact(CARRIER_B);
    });
    world.receive_on(Transport::Tcp, Some(FlowId(9)), FROM, &invite.text());
    let session = world.incoming();
    world.own(|agent, now| agent.accept(now, session, media())).expect("accepted");
    world.pass_ms(500);
    let sent = world.sent();
    assert_eq!(sent.last(), Some(&(500, "200 INVITE".to_owned())), "{sent:?}");
}
