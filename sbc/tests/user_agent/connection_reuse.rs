//! Connections of a trunk over TLS that carry our requests as well (RFC 5923).

use tandem_sbc::user_agent::{FlowId, InviteTarget, Target, Transport};

use crate::support::{Request, Sent, World, address, config, contact};

const PEER: &str = "127.0.0.11:5070";
const FROM: &str = "127.0.0.11:40404";

/// Carrier-b over TLS; it has shown its certificate, or needs none.
fn world(is_authenticated: bool) -> World {
    let mut config = config();
    let ours = config.listen.first().expect("a listener").address;
    config.listen.push(tandem_sbc::user_agent::ListenAddress { transport: Transport::Tls, address: ours });
    let trunk = config.trunks.get_mut(1).expect("two trunks");
    trunk.peer = Target::Address { address: address(PEER), transport: Transport::Tls };
    trunk.is_authenticated = is_authenticated;
    World::with(config)
}

/// OPTIONS from the carrier, on a connection that it made.
fn ping(world: &mut World, flow: u64, via: &str) {
    let options = Request::new("OPTIONS", "sip:127.0.0.1").with(|options| {
        options.branch = format!("z9hG4bK-ping-{flow}");
        options.via = format!("SIP/2.0/TLS {via}");
        options.call_id = format!("ping-{flow}");
        options.headers = contact(PEER);
    });
    world.receive_on(Transport::Tls, Some(FlowId(flow)), FROM, &options.text());
    world.expect("200 OPTIONS");
}

fn call(world: &mut World) -> Sent {
    world.call(InviteTarget::Trunk { trunk: "carrier-b".into(), number: "100".into() });
    world.expect("INVITE")
}

/// §6: the newest connection with `alias` from the peer's address, as its sent-by has the port.
#[test]
fn a_call_goes_out_on_the_connection_that_the_peer_lends() {
    let mut world = world(true);
    ping(&mut world, 7, &format!("{PEER};alias"));
    let invite = call(&mut world);
    assert_eq!((invite.transport, invite.flow, invite.to), (Transport::Tls, Some(FlowId(7)), address(PEER)));
    assert!(!invite.header("Via").contains("alias"), "it is not ours to lend");
    ping(&mut world, 8, &format!("{PEER};alias"));
    assert_eq!(call(&mut world).flow, Some(FlowId(8)));
    world.fail(Transport::Tls, FROM, Some(FlowId(8)));
    let invite = call(&mut world);
    assert_eq!((invite.flow, invite.to), (None, address(PEER)));
    // §5: the one that we make then is lent in turn.
    assert!(invite.header("Via").ends_with(";alias"), "{}", invite.text);
}

/// §8.2: without a certificate anybody could claim the address; without `alias` nobody has; at another port it is
/// another peer.
#[test]
fn no_other_connection_is_used() {
    let mut unproven = world(false);
    ping(&mut unproven, 7, &format!("{PEER};alias"));
    assert_eq!(call(&mut unproven).flow, None);
    let mut world = world(true);
    ping(&mut world, 7, PEER);
    ping(&mut world, 8, "127.0.0.11:5999;alias");
    assert_eq!(call(&mut world).flow, None);
}
