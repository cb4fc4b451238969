//! Requests too long for a datagram (RFC 3261 §18.1.1).

use tandem_sbc::user_agent::{
    Ender, Event, Identity, Invite, InviteTarget, SessionEnd, SessionId, Transport,
};

use crate::support::{CARRIER, SDP, World, contact, media};

/// A call whose INVITE is as long as its caller's name makes it.
fn call(world: &mut World, name_length: usize) -> SessionId {
    let from =
        Identity { user: "100".into(), display_name: Some("x".repeat(name_length)), ..Identity::default() };
    let target = InviteTarget::Trunk { trunk: "carrier-a".into(), number: "200".into() };
    world.own(|agent, now| agent.invite(now, Invite { target, from, media: media() })).expect("a session")
}

fn length(name_length: usize) -> usize {
    let mut world = World::new();
    call(&mut world, name_length);
    world.expect("INVITE").text.len()
}

#[test]
fn a_request_of_1300_bytes_is_a_datagram_and_a_longer_one_is_not() {
    let room = 1_300 - length(1) + 1;
    for (name_length, transport, sent_by) in [
        (room, Transport::Udp, "SIP/2.0/UDP 127.0.0.1:5060;"),
        (room + 1, Transport::Tcp, "SIP/2.0/TCP 127.0.0.1:5060;"),
    ] {
        let mut world = World::new();
        call(&mut world, name_length);
        let invite = world.expect("INVITE");
        assert_eq!(invite.text.len(), 1_300 + usize::from(transport == Transport::Tcp));
        assert_eq!(invite.transport, transport);
        assert!(invite.header("Via").starts_with(sent_by));
        assert_eq!(invite.header("Contact"), "<sip:127.0.0.1:5060>", "later requests are short");
        world.pass_ms(1_000);
        let again = usize::from(transport == Transport::Udp);
        assert_eq!(world.sent().len(), again, "TCP retransmits by itself");
    }
}

/// A peer that does not listen on TCP gets the datagram after all.
#[test]
fn a_peer_without_tcp_gets_a_datagram() {
    let mut world = World::new();
    let session = call(&mut world, 1_000);
    assert_eq!(world.expect("INVITE").transport, Transport::Tcp);
    world.fail(Transport::Tcp, CARRIER, None);
    let invite = world.expect("INVITE");
    assert_eq!(invite.transport, Transport::Udp);
    assert!(invite.header("Via").starts_with("SIP/2.0/UDP "));
    world.pass_ms(500);
    world.expect("INVITE");
    assert_eq!(world.events(), []);
    world.receive(CARRIER, &invite.answer("200 OK", "callee", &contact(CARRIER), SDP));
    world.expect("ACK");
    assert_eq!(world.event_names(), ["Media", "Answered"]);
    world.own(|agent, now| agent.hang_up(now, session, "")).expect("a session");
    assert_eq!(world.expect("BYE").transport, Transport::Udp);
    world.rest();
}

#[test]
fn a_datagram_that_fails_too_ends_the_call() {
    let mut world = World::new();
    let session = call(&mut world, 1_000);
    world.fail(Transport::Tcp, CARRIER, None);
    world.fail(Transport::Udp, CARRIER, None);
    let end = SessionEnd { by: Ender::Failure, status: 503, reason: "cannot be reached".into() };
    assert_eq!(world.events(), [Event::Ended { session, end }, Event::Released { session }]);
    world.rest();
}
