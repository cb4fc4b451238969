//! Carriers with several gateways: the next one is tried when one is dead or full, health is asked for, names lead on,
//! and no call is ever made twice.

use std::path::Path;
use std::time::Duration;

use tandem_peers::{DnsServer, Gateway, Node, Refusal, Scenario, Sipp, Zone};
use tandem_phone::Manner;
use tandem_phone_net::LivePhone;

use crate::support::{CALLER_HZ, PATIENCE, caller, carrier_whose, node_with, only_record, records, runtime};

/// The demo's number that leads to the carrier, and where.
const NUMBER: &str = "+15550111";
const PARTY: &str = "+15550199";
const PARTY_HZ: u16 = 900;

/// The demo's carrier, with these lines in place of its peer; `CARRIER` stands for its address and port.
fn node_to(to: &str) -> Node {
    node_with(|_: &Path, config| {
        let peer = config.lines().find(|line| line.starts_with("peer = ")).expect("a peer").to_owned();
        let transport = config.lines().find(|line| line.starts_with("transport = ")).expect("one").to_owned();
        let address = peer.split('"').nth(1).expect("an address").to_owned();
        let before_phones = "# Who we are to a carrier that challenges";
        let (own, routes) =
            to.split_once("[[").map_or((to, String::new()), |(own, rest)| (own, format!("[[{rest}")));
        config.replacen(&peer, "", 1).replacen(&transport, &own.replace("CARRIER", &address), 1).replacen(
            before_phones,
            &format!("{}\n{before_phones}", routes.replace("CARRIER", &address)),
            1,
        )
    })
}

/// One call through the node to the carrier's party: both hear each other, and it is recorded once.
fn talks(node: &Node, carrier: &LivePhone) {
    let call = carrier.call("+15551111", NUMBER, caller()).expect("a call");
    let called = carrier.incoming(PATIENCE).expect("the party is rung");
    carrier.answered(call, PATIENCE).expect("the caller is answered");
    let talk = Duration::from_millis(600);
    carrier.hears(call, PARTY_HZ, talk, PATIENCE).expect("the caller hears the party");
    carrier.hears(called, CALLER_HZ, talk, PATIENCE).expect("the party hears the caller");
    for leg in [called, call] {
        let report = carrier.ended(leg, PATIENCE);
        let log = || node.http("/metrics").unwrap_or_default();
        assert_eq!(report.unwrap_or_else(|error| panic!("{error}: {}", log())).status, 200);
    }
}

fn party() -> [(String, Manner); 1] {
    let manner =
        Manner { talk: Some(Duration::from_secs(2)), ..Manner::polite(PARTY_HZ, Duration::from_millis(100)) };
    [(PARTY.to_owned(), manner)]
}

fn counted(node: &Node, event: &str) -> f64 {
    let metrics = node.metrics("tandem_sip_signalling_total").expect("metrics");
    metrics.iter().find(|(name, _)| name.contains(&format!("\"{event}\""))).map_or(0.0, |(_, value)| *value)
}

/// RFC 3263 §4.3: each failing gateway is offered the call once, and the next one takes it.
#[test]
fn a_gateway_that_fails_hands_the_call_to_the_next() {
    let refusals = [
        (Refusal::Silence, 1, 1),
        (Refusal::Status("500 Server Internal Error", ""), 2, 2),
        (Refusal::Status("503 Service Unavailable", "Retry-After: 60\r\n"), 1, 1),
    ];
    for (refusal, offered, failovers) in refusals {
        let gateway = Gateway::start([127, 0, 0, 10], refusal).expect("a gateway");
        let route = "[[trunk.route]]\nto = ";
        let mut node = node_to(&format!(
            "{route}\"sip:{}\"\npriority = 1\nfailover_after_ms = 300\n{route}\"sip:CARRIER\"\npriority = 2\n",
            gateway.address()
        ));
        let runtime = runtime();
        let carrier = carrier_whose(&runtime, &node, party());
        // The second call goes where the first one was told: a gateway that is silent or asks for a rest gets none.
        talks(&node, &carrier);
        talks(&node, &carrier);
        assert_eq!(gateway.invites(), offered, "{refusal:?}");
        assert_eq!(counted(&node, "failovers"), f64::from(failovers), "{refusal:?}");
        let records = records(&mut node);
        assert_eq!(records.len(), 2, "{refusal:?}");
        assert!(
            records.iter().all(|it| it.legs.len() == 2 && it.end_status == 200),
            "{refusal:?}: {records:#?}"
        );
    }
}

/// SIPp as the gateway that is full: it gets the INVITE and the ACK of its 503, and nothing more.
#[test]
fn a_full_gateway_is_offered_the_call_once() {
    let mut node = node_to(
        "[[trunk.route]]\nto = \"sip:127.0.0.10:5999\"\n[[trunk.route]]\nto = \"sip:CARRIER\"\npriority = 2\n",
    );
    let mut ports = node.ports();
    ports.carrier.set_port(5_999);
    let full = Sipp::start(&Scenario::once("gateway-full", NUMBER), &ports).expect("SIPp starts");
    let runtime = runtime();
    let carrier = carrier_whose(&runtime, &node, party());
    talks(&node, &carrier);
    full.finish().expect("one INVITE, one ACK");
    assert_eq!(only_record(&mut node).legs.len(), 2);
}

/// A gateway that does not answer OPTIONS is not offered calls, one that answers again is; both are shown.
#[test]
fn a_dead_gateway_is_known_before_a_call_finds_it() {
    let gateway = Gateway::start([127, 0, 0, 10], Refusal::Silence).expect("a gateway");
    let health = "health = { interval_s = 1, failures = 1, successes = 1 }";
    let route = "[[trunk.route]]\nto = ";
    let mut node = node_to(&format!(
        "{route}\"sip:{}\"\npriority = 1\n{health}\n{route}\"sip:CARRIER\"\npriority = 2\n",
        gateway.address()
    ));
    let runtime = runtime();
    let carrier = carrier_whose(&runtime, &node, party());
    node.log_line("destination is down").expect("it is told");
    let shown = node.http("/destinations").expect("an answer");
    assert!(shown.contains("\"up\":false"), "{shown}");
    talks(&node, &carrier);
    assert_eq!((gateway.invites(), counted(&node, "failovers")), (0, 0.0));
    gateway.change(Refusal::Status("503 Service Unavailable", ""));
    gateway.change(Refusal::Status("404 Not Found", ""));
    node.log_line("destination is up").expect("it is told");
    let up = node.metrics("tandem_trunk_destination_up").expect("metrics");
    assert_eq!(up.first().map(|(_, value)| *value), Some(1.0), "{up:?}");
    assert_eq!(only_record(&mut node).legs.len(), 2);
}

/// RFC 3263: NAPTR and SRV lead from a name to two gateways, of which the first is dead; when DNS dies too, what it said
/// stands.
#[test]
fn a_name_leads_to_the_gateway_that_lives() {
    let gateway = Gateway::start([127, 0, 0, 10], Refusal::Silence).expect("a gateway");
    let dns = DnsServer::start(Zone::new(1)).expect("a DNS server");
    let mut node = node_with(|_, config| {
        let carrier =
            config.split("peer = \"").nth(1).and_then(|rest| rest.split('"').next()).expect("a peer");
        let port = carrier.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        let zone = Zone::new(1)
            .naptr("carrier.example", 10, "SIP+D2U", "_sip._udp.carrier.example")
            .srv("_sip._udp.carrier.example", (1, 1), "one.example", gateway.address().port())
            .srv("_sip._udp.carrier.example", (2, 1), "two.example", port)
            .address("one.example", "127.0.0.10")
            .address("two.example", "127.0.0.10");
        dns.say(Some(zone));
        let servers = format!("servers = [\"{}\"]\nmin_ttl_s = 1\ntimeout_ms = 200", dns.address());
        let named = config.replacen(carrier, "carrier.example", 1).replacen("transport = \"udp\"", "", 1);
        let named = named.replacen("servers = []", &servers, 1);
        named.replacen("min_ttl_s = 10 ", "# ", 1).replacen("timeout_ms = 2000 ", "# ", 1)
    });
    let line = node.log_line("name located").expect("it is told");
    assert!(line.contains(&format!("udp:{}, udp:{}", gateway.address(), node.ports().carrier)), "{line}");
    let runtime = runtime();
    let carrier = carrier_whose(&runtime, &node, party());
    talks(&node, &carrier);
    assert_eq!(gateway.invites(), 1);
    dns.say(None);
    node.log_line("DNS does not answer").expect("it is told");
    talks(&node, &carrier);
    assert_eq!(gateway.invites(), 1, "it rests");
    assert!(counted(&node, "dns_stale_answers") > 0.0);
    assert_eq!(records(&mut node).len(), 2);
}
