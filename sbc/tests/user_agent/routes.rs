//! Record-Route and the requests that follow it (RFC 3261 §12.1, §12.2.1.1).

use crate::support::{CARRIER, Request, SDP, World, address, contact, media};

#[test]
fn the_callee_records_the_route_and_follows_it() {
    let mut world = World::new();
    let routes = "Record-Route: <sip:127.0.0.10:6001;lr>\r\nRecord-Route: <sip:127.0.0.10:6002;lr>\r\n";
    world.receive(CARRIER, &Request::invite().with(|invite| invite.headers.push_str(routes)).text());
    let session = world.incoming();
    world.own(|agent, now| agent.ring(now, session)).expect("ringing");
    world.own(|agent, now| agent.accept(now, session, media())).expect("accepted");
    world.expect("100 INVITE");
    let recorded = ["<sip:127.0.0.10:6001;lr>", "<sip:127.0.0.10:6002;lr>"];
    assert_eq!(world.expect("180 INVITE").headers("Record-Route"), recorded);
    let ok = world.expect("200 INVITE");
    assert_eq!(ok.headers("Record-Route"), recorded);
    world.receive(CARRIER, &Request::within("ACK", 1, &ok).text());
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    let bye = world.expect("BYE");
    assert_eq!(bye.headers("Route"), recorded);
    assert_eq!(bye.request_uri(), format!("sip:{CARRIER}"));
    assert_eq!(bye.to, address("127.0.0.10:6001"));
}

#[test]
fn the_caller_follows_the_route_backwards() {
    let mut world = World::new();
    let session = world.call_carrier();
    let invite = world.expect("INVITE");
    let headers =
        contact("127.0.0.10:5099") + "Record-Route: <sip:127.0.0.10:6002;lr>, <sip:127.0.0.10:6001;lr>\r\n";
    world.receive(CARRIER, &invite.answer("200 OK", "callee", &headers, SDP));
    let ack = world.expect("ACK");
    assert_eq!(ack.headers("Route"), ["<sip:127.0.0.10:6001;lr>", "<sip:127.0.0.10:6002;lr>"]);
    assert_eq!((ack.to, ack.request_uri()), (address("127.0.0.10:6001"), "sip:127.0.0.10:5099"));
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    assert_eq!(world.expect("BYE").headers("Route").len(), 2);
}

/// §12.1.2: a name cannot be asked for here, so requests go where the call went.
#[test]
fn a_target_that_is_a_name_is_reached_on_the_way_of_the_call() {
    let mut world = World::new();
    world.call_carrier();
    let invite = world.expect("INVITE");
    world.receive(CARRIER, &invite.answer("200 OK", "callee", &contact("gw7.carrier.example.com"), SDP));
    let ack = world.expect("ACK");
    assert_eq!((ack.to, ack.request_uri()), (address(CARRIER), "sip:gw7.carrier.example.com"));
}
