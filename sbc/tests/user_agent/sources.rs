//! Who is heard at all, and where answers go.

use tandem_sbc::user_agent::{Counters, FlowId, Transport, Usage};

use crate::support::{CARRIER, PHONE, Request, World, address, register};

/// A source that is nobody's gets nothing, and costs one counter.
#[test]
fn an_unlisted_source_gets_nothing() {
    let mut world = World::new();
    for text in [Request::invite().text(), Request::new("OPTIONS", "sip:127.0.0.1").text(), "noise".into()] {
        world.receive("127.0.0.12:5070", &text);
        world.receive("192.0.2.1:5070", &text);
    }
    world.expect_silence();
    assert_eq!(world.events(), []);
    assert_eq!(world.agent.usage(), Usage::default());
    assert_eq!(world.agent.poll_timeout(), None);
    assert_eq!(world.counters(), Counters { packets_refused_by_source: 6, ..Counters::default() });
}

/// RFC 3261 §18.2.2 and RFC 3581 §4: where a response goes over UDP.
#[test]
fn responses_over_udp_go_where_the_via_says() {
    for (via, destination, top) in [
        ("127.0.0.10:5070", "127.0.0.10:5070", "SIP/2.0/UDP 127.0.0.10:5070;branch=z9hG4bK-options"),
        ("127.0.0.10", "127.0.0.10:5060", "SIP/2.0/UDP 127.0.0.10;branch=z9hG4bK-options"),
        (
            "192.0.2.9:5071",
            "127.0.0.10:5071",
            "SIP/2.0/UDP 192.0.2.9:5071;branch=z9hG4bK-options;received=127.0.0.10",
        ),
        (
            "192.0.2.9:5071;rport",
            "127.0.0.10:4444",
            "SIP/2.0/UDP 192.0.2.9:5071;branch=z9hG4bK-options;received=127.0.0.10;rport=4444",
        ),
        (
            "carrier.example.com;maddr=127.0.0.10",
            "127.0.0.10:5060",
            "SIP/2.0/UDP carrier.example.com;maddr=127.0.0.10;branch=z9hG4bK-options;received=127.0.0.10",
        ),
    ] {
        let mut world = World::new();
        let options = Request::new("OPTIONS", "sip:127.0.0.1")
            .with(|options| options.via = format!("SIP/2.0/UDP {via}"));
        world.receive("127.0.0.10:4444", &options.text());
        let ok = world.expect("200 OPTIONS");
        assert_eq!(ok.to, address(destination), "{via}");
        assert_eq!(ok.header("Via"), top);
    }
}

/// RFC 3261 §18.2.2: over TCP, the connection; the sent-by port when that is gone.
#[test]
fn responses_over_tcp_go_on_the_connection() {
    let mut world = World::new();
    let options = Request::new("OPTIONS", "sip:127.0.0.1")
        .with(|options| options.via = "SIP/2.0/TCP 127.0.0.11:5075".into());
    world.receive_on(Transport::Tcp, Some(FlowId(4)), "127.0.0.11:44444", &options.text());
    let ok = world.expect("200 OPTIONS");
    assert_eq!((ok.transport, ok.flow, ok.to), (Transport::Tcp, Some(FlowId(4)), address("127.0.0.11:5075")));
}

/// A phone's address tells who may try; its password tells who it is. A trunk's address is enough.
#[test]
fn a_trunk_is_not_challenged_and_a_phone_is() {
    let mut world = World::new();
    world.receive(CARRIER, &Request::invite().text());
    world.expect("100 INVITE");
    world.receive(PHONE, &register(1, "").text());
    world.expect("401 REGISTER");
}
