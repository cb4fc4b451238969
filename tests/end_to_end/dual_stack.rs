//! IPv4 and IPv6 on one node: each party is told the address that it can reach, and both hear each other through the node;
//! whose media would go directly are not joined when they have no IP version in common.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use tandem_peers::{Node, Ports, Scenario, Sipp};
use tandem_phone::Manner;
use tandem_phone_net::LiveLine;

use crate::support::{
    CALLER_HZ, PATIENCE, caller, carrier, carrier_whose, node_with, only_record, records, runtime,
};

/// The demo's number that leads to carrier-a, which speaks IPv4, and whom it asks for there.
const TO_FOUR: &str = "+15550111";
const PARTY: &str = "+15550199";
/// The number that leads to the carrier that speaks IPv6.
const TO_SIX: &str = "+15550177";
const SIX_HZ: u16 = 700;
const FOUR_HZ: u16 = 900;

fn free_six() -> SocketAddr {
    UdpSocket::bind("[::1]:0").and_then(|it| it.local_addr()).expect("a free port")
}

/// The demo's node, that listens at `at` too, with a carrier of IPv6 at `peer`.
fn node_of_both(at: SocketAddr, peer: SocketAddr, media: &str) -> Node {
    node_with(|_, config| {
        let address = "address = \"127.0.0.1\"";
        assert!(config.contains(address), "the sample has changed");
        let config = config.replacen(address, "address = [\"127.0.0.1\", \"::1\"]", 1);
        let config = config.replacen("listen = [", &format!("listen = [\"udp:{at}\", "), 1);
        let to = "to = \"+15550199\"";
        let config = config.replacen(to, &format!("{to}\nmedia = \"{media}\""), 1);
        format!(
            "{config}\n[[trunk]]\nname = \"carrier-six\"\nsources = [\"::1\"]\npeer = \"{peer}\"\n\
             [[entry_point]]\nnumber = \"{TO_SIX}\"\ntrunk = \"carrier-six\"\n"
        )
    })
}

fn sipp(node: &Node, at: SocketAddr, peer: SocketAddr, scenario: &'static str, line: &LiveLine) -> Sipp {
    let ports = Ports { sip: at, carrier: peer, ..node.ports() };
    let scenario = Scenario {
        pause: Duration::from_millis(2_000),
        media_ports: vec![line.local().port()],
        ..Scenario::once(scenario, TO_FOUR)
    };
    Sipp::start(&scenario, &ports).expect("SIPp starts")
}

/// RFC 6157 §3.1: the node is where both versions meet.
#[test]
fn a_caller_of_ipv6_talks_with_a_party_of_ipv4() {
    let (at, peer) = (free_six(), free_six());
    let mut node = node_of_both(at, peer, "anchored");
    let runtime = runtime();
    let manner = Manner::polite(FOUR_HZ, Duration::from_millis(100));
    let carrier = carrier_whose(&runtime, &node, [(PARTY.to_owned(), manner)]);
    let line = LiveLine::start(free_six(), SIX_HZ).expect("the caller's audio address is free");
    let sipp = sipp(&node, at, peer, "call", &line);
    let called = carrier.incoming(PATIENCE).expect("the party is rung");
    carrier.hears(called, SIX_HZ, Duration::from_secs(1), PATIENCE).expect("the party hears the caller");
    sipp.finish().expect("the caller is answered and hangs up");
    assert_eq!(carrier.ended(called, PATIENCE).expect("the call ends").status, 200);
    assert!(line.heard().1.time_of_tone(FOUR_HZ) > Duration::from_secs(1), "the caller hears the party");
    talked(&mut node);
}

/// The other way round: who is called is told our address of IPv6.
#[test]
fn a_caller_of_ipv4_talks_with_a_party_of_ipv6() {
    let (at, peer) = (free_six(), free_six());
    let mut node = node_of_both(at, peer, "anchored");
    let runtime = runtime();
    let carrier = carrier(&runtime, &node);
    let line = LiveLine::start(free_six(), SIX_HZ).expect("the party's audio address is free");
    let sipp = sipp(&node, at, peer, "agent-answers", &line);
    let talk = Manner { talk: Some(Duration::from_secs(2)), ..caller() };
    let call = carrier.call("+15551111", TO_SIX, talk).expect("a call");
    carrier.answered(call, PATIENCE).expect("the party answers");
    carrier.hears(call, SIX_HZ, Duration::from_secs(1), PATIENCE).expect("the caller hears the party");
    assert_eq!(carrier.ended(call, PATIENCE).expect("the call ends").status, 200);
    sipp.finish().expect("the party is hung up on");
    assert!(line.heard().1.time_of_tone(CALLER_HZ) > Duration::from_secs(1), "the party hears the caller");
    talked(&mut node);
}

fn talked(node: &mut Node) {
    let record = only_record(node);
    assert_eq!((record.legs.len(), record.end_status), (2, 200));
    assert!(record.legs.iter().all(|leg| leg.packets_received > 50 && leg.packets_lost == 0), "{record:#?}");
}

/// Nobody is rung whom the caller's media could not reach; the caller is told, and may be called through the node instead.
#[test]
fn direct_media_needs_an_ip_version_in_common() {
    let (at, peer) = (free_six(), free_six());
    let mut node = node_of_both(at, peer, "direct");
    let runtime = runtime();
    let carrier =
        carrier_whose(&runtime, &node, [(PARTY.to_owned(), Manner::polite(FOUR_HZ, Duration::ZERO))]);
    let line = LiveLine::start(free_six(), SIX_HZ).expect("the caller's audio address is free");
    sipp(&node, at, peer, "unreachable", &line).finish().expect("480");
    let call = carrier.call("+15551111", TO_FOUR, caller()).expect("a call");
    let called = carrier.incoming(PATIENCE).expect("whom IPv4 reaches is rung");
    carrier.hears(call, FOUR_HZ, Duration::from_millis(500), PATIENCE).expect("the caller hears the party");
    carrier.hears(called, CALLER_HZ, Duration::from_millis(500), PATIENCE).expect("and the other way");
    carrier.act(move |phone, now| tandem_phone::Phone::hang_up(phone, now, call)).expect("it hangs up");
    for leg in [call, called] {
        assert_eq!(carrier.ended(leg, PATIENCE).expect("the call ends").status, 200);
    }
    let records = records(&mut node);
    let ends: Vec<_> = records.iter().map(|it| it.end_status).collect();
    assert_eq!(ends, [480, 200]);
}
