//! How a carrier is reached: names, and registrations.

#[path = "support/mod.rs"]
mod support;

use support::{SAMPLE, changed, parse};
use tandem_config::{Domain, Target, Transport};

/// Asserts that the sample with `from` replaced by `to` has the one problem `expected`. `LINE:COLUMN` in it stands
/// for the place of `at` in the changed text.
#[track_caller]
fn one_problem(from: &str, to: &str, at: &str, expected: &str) {
    let text = changed(from, to);
    let start = text.find(to).expect("the changed text");
    let offset = start + text[start..].find(at).expect("the place within it");
    let line = text[..offset].matches('\n').count() + 1;
    let column = text[..offset].chars().rev().take_while(|c| *c != '\n').count() + 1;
    let problems = parse(&text).expect_err("a problem").to_string();
    assert_eq!(problems, format!("demo/tandem.toml:{line}:{column}: {expected}"));
}

#[test]
fn registrations_of_a_trunk_are_checked() {
    let register = |text: &str| format!("srtp = \"off\"\n[[trunk.register]]\n{text}\n");
    let problem = |text: &str, expected: &str| {
        let problems = parse(&changed("srtp = \"off\"", &register(text))).expect_err("a problem").to_string();
        assert!(problems.contains(expected), "{problems}");
    };
    problem("aor = \"4711@carrier.example\"", "trunk.carrier-a.register.4711@carrier.example.aor: found");
    problem(
        "expires_s = 60",
        "trunk.carrier-a.register.1.aor: \"aor\" is missing; write what the carrier calls us",
    );
    let at = "aor = \"sip:4711@carrier.example\"\n";
    problem(&format!("{at}registrar = \"sip:127.0.0.99\""), "127.0.0.99 is none of the trunk's sources");
    problem(&format!("{at}expires_s = 5"), "expires_s: found 5; write a whole number from 30 to 86400");
    problem(&format!("{at}[[trunk.register]]\n{at}"), "is registered twice; remove one");
}

/// RFC 3263: a carrier may be a name, which DNS leads on from.
#[test]
fn a_trunk_may_be_a_name() {
    let peer = "peer = \"127.0.0.10:5070\"    # where calls to it go\ntransport = \"udp\"";
    assert!(SAMPLE.contains(peer));
    let read = |peer_text: &str| {
        let config = parse(&changed(peer, peer_text)).expect("a sound configuration");
        match config.trunks[0].peer.clone() {
            Target::Domain(Domain { name, port, transport }) => (name, port, transport),
            Target::Address { address, .. } => panic!("{address} is no name"),
        }
    };
    assert_eq!(read("peer = \"SIP.Carrier.example.\""), ("sip.carrier.example".to_owned(), None, None));
    let named = read("peer = \"carrier.example:5070\"\ntransport = \"tcp\"");
    assert_eq!(named, ("carrier.example".to_owned(), Some(5_070), Some(Transport::Tcp)));
    let expected =
        "; write an address and a port such as \"127.0.0.1:5060\", or a name such as \"sip.carrier.example\"";
    for wrong in ["127.0.0.10", "carrier_example", "-a.example", "carrier.example:0", "1.2.3", "a..b"] {
        let to = format!("peer = \"{wrong}\"");
        one_problem(
            "peer = \"127.0.0.10:5070\"",
            &to,
            &format!("\"{wrong}\""),
            &format!("trunk.carrier-a.peer: found \"{wrong}\"{expected}"),
        );
    }
    let tls = changed(peer, "peer = \"carrier.example\"\ntransport = \"tls\"");
    let problems = parse(&tls).expect_err("nothing listens").to_string();
    assert!(problems.contains("nothing listens on tls, so it could not answer"), "{problems}");
    one_problem(
        "servers = []",
        "servers = [\"dns.example\"]",
        "\"dns.example\"",
        "dns.servers[1]: found \"dns.example\"; write an address",
    );
    let problems = parse(&changed("max_ttl_s = 3600", "max_ttl_s = 5")).expect_err("a problem").to_string();
    assert!(problems.contains("dns: min_ttl_s (10 s) is longer than max_ttl_s (5 s)"), "{problems}");
}
