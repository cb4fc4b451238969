//! Carriers that send a call elsewhere (3xx), with SIPp as the carrier: it is followed to where the operator allows, once
//! round at most, and else the caller is told that nobody could be reached.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tandem_peers::{Node, Scenario, Sipp};
use tandem_phone::Manner;
use tandem_phone_net::LivePhone;

use crate::support::{CALLER_HZ, PATIENCE, caller, node_with, phone_at, records, runtime};

/// The demo's number that leads to the carrier, and to whom it is sent on.
const NUMBER: &str = "+15550111";
const PARTY: &str = "+15550188";
const PARTY_HZ: u16 = 900;

/// Where the party's gateway is, and another one.
const GATEWAY: [u8; 4] = [127, 0, 2, 1];
const OTHER: [u8; 4] = [127, 0, 2, 2];

/// The demo's carrier, which may send calls to two more gateways.
fn node_that(follows: &str) -> Node {
    node_with(|_, config| {
        let sources = "sources = [\"127.0.0.10\"]";
        assert!(config.contains(sources), "the sample has changed");
        let more = "sources = [\"127.0.0.10\", \"127.0.2.1-127.0.2.2\"]";
        config.replacen(sources, &format!("{more}\n{follows}"), 1)
    })
}

fn at(ip: [u8; 4], node: &Node) -> SocketAddr {
    (ip, node.ports().carrier.port()).into()
}

fn sipp(scenario: &'static str, node: &Node, ip: [u8; 4]) -> Sipp {
    let place = at(ip, node);
    let mut sipp =
        Sipp::start_at(&Scenario::once(scenario, NUMBER), &node.ports(), place).expect("SIPp starts");
    let SocketAddr::V4(place) = place else { unreachable!("it is IPv4") };
    sipp.listens(place, PATIENCE).expect("SIPp listens");
    sipp
}

/// Both hear each other; the party is the one that the carrier named.
fn talks(line: &LivePhone) {
    let call = line.call("+15551111", NUMBER, caller()).expect("a call");
    let called = line.incoming(PATIENCE).expect("the party is rung");
    line.answered(call, PATIENCE).expect("the caller is answered");
    let talk = Duration::from_millis(600);
    line.hears(call, PARTY_HZ, talk, PATIENCE).expect("the caller hears the party");
    line.hears(called, CALLER_HZ, talk, PATIENCE).expect("the party hears the caller");
    for leg in [called, call] {
        assert_eq!(line.ended(leg, PATIENCE).expect("it ends").status, 200);
    }
}

/// §21.4.18: the caller cannot go where only we were sent.
fn finds_nobody(line: &LivePhone) {
    let call = line.call("+15551111", NUMBER, caller()).expect("a call");
    assert_eq!(line.ended(call, PATIENCE).expect("it ends").finals, [480]);
}

/// Redirections followed and refused; metrics are a moment old.
fn counts(node: &Node, expected: (f64, f64)) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let metrics = node.metrics("tandem_sip_signalling_total").expect("metrics");
        let count = |event: &str| {
            let found = metrics.iter().find(|(name, _)| name.contains(&format!("\"{event}\"")));
            found.map_or(0.0, |(_, value)| *value)
        };
        let counted = (count("redirects_followed"), count("redirects_refused"));
        if counted == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{counted:?} is not {expected:?}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// RFC 3261 §8.1.3.4: to the place that the carrier names, by q, and to nobody else.
#[test]
fn a_redirection_leads_to_the_party_once() {
    let mut node = node_that("redirects = \"follow\"\nredirect_prefixes = [\"+1555\"]");
    let runtime = runtime();
    let manner =
        Manner { talk: Some(Duration::from_secs(2)), ..Manner::polite(PARTY_HZ, Duration::from_millis(100)) };
    let party = [(PARTY.to_owned(), manner)].into();
    let line = phone_at(&runtime, &node, at(GATEWAY, &node), party);
    let carrier = [127, 0, 0, 10];

    let moved = sipp("redirects/moved", &node, carrier);
    talks(&line);
    moved.finish().expect("one INVITE, one ACK");
    counts(&node, (1.0, 0.0));

    let (several, full) = (sipp("redirects/several", &node, carrier), sipp("gateway-full", &node, OTHER));
    talks(&line);
    several.finish().expect("one INVITE, one ACK");
    full.finish().expect("the preferred one was tried first");
    counts(&node, (2.0, 0.0));

    let elsewhere = sipp("redirects/elsewhere", &node, carrier);
    finds_nobody(&line);
    elsewhere.finish().expect("one INVITE, one ACK");
    counts(&node, (2.0, 1.0));

    let records = records(&mut node);
    assert_eq!(records.len(), 3);
    let ends: Vec<_> = records.iter().map(|it| (it.legs.len(), it.end_status)).collect();
    assert_eq!(ends, [(2, 200), (2, 200), (2, 480)]);
}

/// Two gateways that send a call round and round: it has been at each once, and no more.
#[test]
fn a_circle_of_redirections_ends() {
    let mut node = node_that("redirects = \"follow\"");
    let runtime = runtime();
    let line = phone_at(&runtime, &node, at([127, 0, 2, 2], &node), [].into());
    let (first, second) =
        (sipp("redirects/moved", &node, [127, 0, 0, 10]), sipp("redirects/circle", &node, GATEWAY));
    finds_nobody(&line);
    first.finish().expect("one INVITE, one ACK");
    second.finish().expect("one INVITE, one ACK");
    counts(&node, (1.0, 1.0));
    assert_eq!(records(&mut node).len(), 1);
}

/// Unless it is told otherwise a trunk's redirections are refusals.
#[test]
fn a_redirection_is_refused_by_default() {
    let mut node = node_that("");
    let runtime = runtime();
    let line = phone_at(&runtime, &node, at(GATEWAY, &node), [].into());
    let moved = sipp("redirects/moved", &node, [127, 0, 0, 10]);
    finds_nobody(&line);
    moved.finish().expect("one INVITE, one ACK");
    counts(&node, (0.0, 0.0));
    assert_eq!(records(&mut node).len(), 1);
}
