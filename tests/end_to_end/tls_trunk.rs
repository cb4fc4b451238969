//! A carrier over TLS that must show its certificate (RFC 5922): calls come in on its connection and go out on ours,
//! heard both ways; one that is not who it should be loses its own calls and nobody else's.

use std::net::SocketAddr;

use tandem_peers::{Authority, DnsServer, Node, Zone};

use crate::generator::load;
use crate::support::{free_tcp, node_with, records, secured};

const CALLS: usize = 6;

/// A node with a trunk over TLS, at `peer`, that must name itself `name`; +15550122 leads straight back to it.
fn node_with_trunk(at: SocketAddr, peer: SocketAddr, name: &str, client_certificate: &str) -> Node {
    node_with(|folder, config| {
        let config = secured(folder, &config, at);
        let carriers = Authority::new().expect("an authority");
        std::fs::write(folder.join("carriers.pem"), carriers.pem()).expect("written");
        let pair = carriers.issue(&["sip:carrier.example"]);
        pair.and_then(|pair| pair.write(folder, "carrier")).expect("a certificate");
        format!(
            "{config}\n[[trunk]]\nname = \"carrier-tls\"\nsources = [\"{}\"]\npeer = \"{peer}\"\ntransport = \"tls\"\n\
             tls_ca = \"carriers.pem\"\ntls_name = \"{name}\"\ntls_client_certificate = \"{client_certificate}\"\n\
             [[entry_point]]\nnumber = \"+15550122\"\ntrunk = \"carrier-tls\"\n",
            peer.ip()
        )
    })
}

/// The carrier's arguments: it calls, and is called at `peer`.
fn carrier(node: &Node, at: SocketAddr, peer: SocketAddr) -> Vec<String> {
    let file = |name: &str| node.folder().join(name).display().to_string();
    let options = [
        ("--transport", "tls".to_owned()),
        ("--target", at.to_string()),
        ("--from", free_tcp([127, 0, 0, 11]).to_string()),
        ("--answer-at", peer.to_string()),
        ("--to", "+15550122".to_owned()),
        ("--ca", file("ca.pem")),
        ("--cert", file("carrier.pem")),
        ("--key", file("carrier.key")),
        ("--server-name", "node.example".to_owned()),
        ("--calls", CALLS.to_string()),
        ("--rate", "20".to_owned()),
        ("--hold", "1500ms".to_owned()),
    ];
    let words = options.into_iter().flat_map(|(option, value)| [option.to_owned(), value]);
    std::iter::once("call".to_owned()).chain(words).collect()
}

fn counted(node: &Node, event: &str) -> f64 {
    let events = node.metrics("tandem_sip_events").expect("metrics");
    let label = format!("\"{event}\"");
    events.iter().find(|(name, _)| name.contains(&label)).expect("a counter").1
}

#[test]
fn calls_come_and_go_over_one_connection_each_way() {
    let (at, peer) = (free_tcp([127, 0, 0, 1]), free_tcp([127, 0, 0, 11]));
    let mut node = node_with_trunk(at, peer, "carrier.example", "required");
    let arguments = carrier(&node, at, peer);
    let run = load(&node, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    run.went_well(CALLS as u64);
    assert_eq!((counted(&node, "tls_handshakes"), counted(&node, "tls_handshake_failures")), (2.0, 0.0));
    let records = records(&mut node);
    assert_eq!(records.len(), CALLS);
    for record in records {
        assert_eq!((record.origin.as_str(), record.end_status), ("carrier-tls", 200));
        assert!(
            record.legs.iter().all(|leg| leg.packets_received > 30 && leg.packets_lost == 0),
            "{record:#?}"
        );
    }
}

/// RFC 5630 §5.3: who asks for TLS on every hop has it, there and back, and both are heard.
#[test]
fn a_call_of_sips_goes_on_over_tls() {
    let (at, peer) = (free_tcp([127, 0, 0, 1]), free_tcp([127, 0, 0, 11]));
    let mut node = node_with_trunk(at, peer, "carrier.example", "required");
    let arguments = carrier(&node, at, peer);
    let arguments = arguments.iter().map(String::as_str).chain(["--sips"]);
    load(&node, &arguments.collect::<Vec<_>>()).went_well(CALLS as u64);
    let records = records(&mut node);
    assert_eq!(records.len(), CALLS);
    for record in records {
        assert_eq!((record.legs.len(), record.end_status), (2, 200), "{record:#?}");
        assert!(record.legs.iter().all(|leg| leg.packets_received > 30), "{record:#?}");
    }
}

/// RFC 5630 §5.3: where it leads on over UDP it is refused with 480, and nobody is called; the same caller as `sip:` is not.
#[test]
fn a_call_of_sips_does_not_leave_tls() {
    let (at, peer) = (free_tcp([127, 0, 0, 1]), free_tcp([127, 0, 0, 11]));
    let mut node = node_with_trunk(at, peer, "carrier.example", "off");
    let arguments: Vec<String> = carrier(&node, at, peer)
        .into_iter()
        // To the demo's carrier, over UDP; nobody is there.
        .map(|word| if word == "+15550122" { "+15550111".to_owned() } else { word })
        .chain(["--sips".to_owned()])
        .collect();
    let run = load(&node, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!((run.count("completed"), run.count("failed")), (0, CALLS as u64));
    let records = records(&mut node);
    assert_eq!(records.len(), CALLS);
    for record in records {
        assert_eq!(record.legs[0].end_status, 480, "{record:#?}");
        assert_eq!((record.legs[1].end_status, record.legs[1].packets_sent), (480, 0), "{record:#?}");
    }
}

#[test]
fn a_carrier_whose_certificate_names_another_loses_its_own_calls_only() {
    let (at, peer) = (free_tcp([127, 0, 0, 1]), free_tcp([127, 0, 0, 11]));
    let mut node = node_with_trunk(at, peer, "somebody-else.example", "off");
    let arguments = carrier(&node, at, peer);
    let run = load(&node, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(
        (run.count("completed"), run.count("failed")),
        (0, CALLS as u64),
        "it may call, not be called"
    );
    assert!(counted(&node, "tls_peers_refused") >= 1.0);
    let line = node.log_line("TLS peer refused").expect("it is said");
    assert!(line.contains("carrier-tls") && line.contains("expected=somebody-else.example"), "{line}");
    load(&node, &["echo", "--calls", "2", "--hold", "1500ms"]).went_well(2);
    assert_eq!(records(&mut node).len(), CALLS + 2);
}

/// RFC 3263 §4.1, RFC 3261 §26.2.2: a carrier of sips is found by what its zone says of TLS and by nothing else, and must be
/// who the name says that it is, whatever DNS says.
#[test]
fn a_carrier_of_sips_is_found_by_its_name() {
    let (at, peer) = (free_tcp([127, 0, 0, 1]), free_tcp([127, 0, 0, 11]));
    let zone = Zone::new(60)
        .naptr("carrier.example", 10, "SIP+D2U", "_sip._udp.carrier.example")
        .naptr("carrier.example", 20, "SIPS+D2T", "_sips._tcp.edge.carrier.example")
        .srv("_sip._udp.carrier.example", (1, 1), "edge.carrier.example", 9)
        .srv("_sips._tcp.edge.carrier.example", (1, 1), "edge.carrier.example", peer.port())
        .address("edge.carrier.example", &peer.ip().to_string());
    let dns = DnsServer::start(zone).expect("a DNS server");
    let mut node = node_with(|folder, config| {
        let config = secured(folder, &config, at);
        let carriers = Authority::new().expect("an authority");
        std::fs::write(folder.join("carriers.pem"), carriers.pem()).expect("written");
        let pair = carriers.issue(&["sip:carrier.example"]);
        pair.and_then(|pair| pair.write(folder, "carrier")).expect("a certificate");
        let config = config.replacen("servers = []", &format!("servers = [\"{}\"]", dns.address()), 1);
        format!(
            "{config}\n[[trunk]]\nname = \"carrier-tls\"\nsources = [\"{}\"]\ntls_ca = \"carriers.pem\"\n\
             [[trunk.route]]\nto = \"sips:carrier.example\"\n\
             [[entry_point]]\nnumber = \"+15550122\"\ntrunk = \"carrier-tls\"\n",
            peer.ip()
        )
    });
    let line = node.log_line("name located").expect("it is told");
    assert!(line.contains(&format!("tls:{peer}")), "{line}");
    let arguments = carrier(&node, at, peer);
    let run = load(&node, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    run.went_well(CALLS as u64);
    let records = records(&mut node);
    assert_eq!(records.len(), CALLS);
    assert!(records.iter().all(|it| it.legs.iter().all(|leg| leg.packets_received > 30)), "{records:#?}");
}
