//! Nothing of the inner network is in any octet that leaves to a carrier: captured off the wire while phones of two
//! makes, flows, straight-through calls and rules are at work.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tandem_peers::{Baresip, Capture, Datagram, Softphone};
use tandem_phone::{Credentials, Manner, Phone, PhoneConfig};
use tandem_phone_net::LivePhone;

use crate::support::{CALLER_HZ, PATIENCE, caller, carrier_whose, node_with, records, runtime};

const ALICE: Softphone = Softphone {
    user: "1001",
    password: "alice-1001",
    address: Ipv4Addr::new(127, 0, 0, 24),
    tone_hz: 700.0,
    transport: "udp",
    media_encryption: None,
};
const ERIN: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 26);
const ERIN_HZ: u16 = 1_100;
const SUBSCRIBER: &str = "+15550199";
const SUBSCRIBER_HZ: u16 = 900;

/// Words of a message that are as short may be the same by chance.
const SHORTEST: usize = 6;

/// A rule that repeats what it finds must find nothing of the inside either.
const RULE: &str = "\
[[trunk.rule]]
name = \"repeat\"
direction = \"out\"
on = \"request\"
when = [{ header = \"Call-ID\", matches = \"^(?<call>.*)$\" }]
add = [{ header = \"X-Seen\", value = \"${call}\" }]

";

#[test]
fn no_octet_of_the_inner_network_leaves_to_a_carrier() {
    let before = "# Softphones: from where";
    let mut node = node_with(|_, config| config.replace(before, &format!("{RULE}{before}")));
    let capture = Capture::start().expect("tshark captures on loopback");
    let runtime = runtime();
    let mut alice = Baresip::start(&ALICE, node.ports().sip).expect("alice registers");
    let erin = erin(&runtime, node.ports().sip);
    erin.register(PATIENCE).expect("erin registers");
    let subscriber = Manner::polite(SUBSCRIBER_HZ, Duration::from_millis(200));
    let carrier = carrier_whose(&runtime, &node, [(SUBSCRIBER.to_owned(), subscriber)]);
    let talk = Duration::from_secs(1);

    // A queue, and its agent's softphone.
    let call = carrier.call("+15551111", "+15550101", caller()).expect("a call");
    carrier.hears(call, 700, talk, PATIENCE).expect("the caller hears alice");
    carrier.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
    carrier.ended(call, PATIENCE).expect("the call ends");
    alice.wait_for("terminated").expect("alice is hung up");
    // Straight through to a phone, which refuses nothing and hangs up.
    let call = carrier.call("+15552222", "+15550110", caller()).expect("a call");
    let rung = erin.incoming(PATIENCE).expect("erin is rung");
    carrier.hears(call, ERIN_HZ, talk, PATIENCE).expect("the caller hears erin");
    erin.hears(rung, CALLER_HZ, talk, PATIENCE).expect("erin hears the caller");
    erin.act(move |phone, now| Phone::hang_up(phone, now, rung)).expect("erin hangs up");
    carrier.ended(call, PATIENCE).expect("the call ends");
    // A phone calls the telephone network.
    let call = erin.call("1005", SUBSCRIBER, Manner::polite(ERIN_HZ, talk)).expect("a call");
    erin.hears(call, SUBSCRIBER_HZ, talk, PATIENCE).expect("erin hears the subscriber");
    erin.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("erin hangs up");
    erin.ended(call, PATIENCE).expect("the call ends");
    drop((alice, erin));

    assert_eq!(records(&mut node).len(), 3);
    drop(carrier);
    judge(&capture.finish().expect("the capture is read"), node.ports().carrier.ip());
}

/// A phone on loopback.
fn erin(runtime: &tokio::runtime::Runtime, server: SocketAddr) -> LivePhone {
    let config = PhoneConfig {
        user: "1005".to_owned(),
        address: SocketAddr::from((ERIN, 5_066)),
        media_address: ERIN.into(),
        media_ports: 19_000..=19_099,
        server,
        credentials: Some(Credentials { user: "1005".to_owned(), password: "erin-1005".to_owned() }),
        expires: Duration::from_secs(60),
        manner: Manner::polite(ERIN_HZ, Duration::from_millis(200)),
        numbers: std::collections::BTreeMap::new(),
        lines: 2,
        listen_for: PhoneConfig::all_frequencies(),
    };
    LivePhone::start(runtime.handle(), config, 3).expect("erin's address is free")
}

fn judge(passed: &[Datagram], carrier: IpAddr) {
    let inside = [ALICE.address, ERIN].map(IpAddr::from);
    let names_of = |hosts: &[IpAddr]| -> BTreeSet<String> {
        passed.iter().filter(|it| hosts.contains(&it.source.ip())).flat_map(names).collect()
    };
    let mut inner = names_of(&inside);
    assert!(inner.len() > 20, "what phones are known by: {inner:#?}");
    let outer = names_of(&[carrier]);
    inner.retain(|name| !outer.contains(name));
    inner.extend(inside.map(|address| address.to_string()));
    inner.insert("baresip".to_owned());

    let leaving: Vec<&Datagram> = passed.iter().filter(|it| it.destination.ip() == carrier).collect();
    let has = |datagram: &Datagram, name: &str| {
        datagram.bytes.windows(name.len()).any(|it| it.eq_ignore_ascii_case(name.as_bytes()))
    };
    let messages = leaving.iter().filter(|it| has(it, "SIP/2.0")).count();
    assert!(messages > 8 && leaving.len() > messages + 100, "{messages} messages of {}", leaving.len());
    assert!(leaving.iter().any(|it| has(it, "X-Seen: ")), "the rule is at work");
    for datagram in leaving {
        for name in &inner {
            assert!(!has(datagram, name), "{name} in\n{}", String::from_utf8_lossy(&datagram.bytes));
        }
    }
}

/// What a message's sender, dialog, transaction and session are known by.
fn names(datagram: &Datagram) -> Vec<String> {
    let Ok(text) = std::str::from_utf8(&datagram.bytes) else { return Vec::new() };
    let value = |line: &str, name: &str| Some(line.strip_prefix(name)?.trim().to_owned());
    let parameter = |line: &str, name: &str| {
        line.split([';', ',']).find_map(|it| it.trim().strip_prefix(name)).map(str::to_owned)
    };
    let of_line = |line: &str| {
        [
            value(line, "Call-ID:"),
            value(line, "User-Agent:"),
            value(line, "Server:"),
            value(line, "o="),
            line.starts_with("Via:").then(|| parameter(line, "branch=")).flatten(),
            ["From:", "To:"]
                .iter()
                .any(|name| line.starts_with(name))
                .then(|| parameter(line, "tag="))
                .flatten(),
        ]
    };
    text.lines().flat_map(of_line).flatten().filter(|name| name.len() >= SHORTEST).collect()
}
