//! Addresses that could not be bound, or would never work, and what else is known before a node starts.

use super::one_problem;
use super::support::{changed, parse};

#[test]
fn a_port_of_tcp_is_one_listener_s() {
    one_problem(
        "\"tcp:127.0.0.1:5060\"]",
        "\"tcp:127.0.0.1:5060\", \"ws:127.0.0.1:5060\"]",
        "\"ws:",
        "sip.listen[3]: \"tcp:127.0.0.1:5060\" has that port already; write another port",
    );
    for http in ["127.0.0.1:5060", "0.0.0.0:5060"] {
        one_problem(
            "listen = \"127.0.0.1:8080\"",
            &format!("listen = \"{http}\""),
            "\"",
            "http.listen: \"tcp:127.0.0.1:5060\" of sip.listen has that port already; write another port",
        );
    }
    assert!(parse(&changed("listen = \"127.0.0.1:8080\"", "listen = \"127.0.0.2:5060\"")).is_ok());
}

#[test]
fn a_port_of_udp_is_of_sip_or_of_rtp() {
    one_problem(
        "ports = \"20000-29999\"",
        "ports = \"5000-5999\"",
        "\"5000",
        "rtp.ports: \"udp:127.0.0.1:5060\" of sip.listen is among them; write a range without that port",
    );
    let both = changed("ports = \"20000-29999\"", "ports = \"5000-5999\"");
    let apart = both.replace("address = \"127.0.0.1\"       #", "address = \"127.0.0.2\"       #");
    assert!(parse(&apart).is_ok(), "another address has ports of its own");
}

#[test]
fn a_carrier_is_where_it_is_heard_from() {
    one_problem(
        "peer = \"127.0.0.10:5070\"    #",
        "peer = \"127.0.0.11:5070\"    #",
        "\"127",
        "trunk.carrier-a.peer: 127.0.0.11 is none of the trunk's sources, so its answers would not be heard; \
         add \"127.0.0.11\" to sources",
    );
    one_problem(
        "peer = \"127.0.0.10:5070\"    #",
        "peer = \"127.0.0.1:5060\"    #",
        "\"127",
        "trunk.carrier-a.peer: \"udp:127.0.0.1:5060\" of sip.listen is our own, so what goes there comes back; \
         write the carrier's address",
    );
    one_problem(
        "peer = \"127.0.0.10:5070\"    #",
        "peer = \"127.0.0.10:0\"    #",
        "\"127",
        "trunk.carrier-a.peer: found \"127.0.0.10:0\"; write an address and a port such as \"127.0.0.1:5060\", or a \
         name such as \"sip.carrier.example\"",
    );
}

#[test]
fn timers_of_sip_are_held_to_sense() {
    let told = parse(&changed("t1_ms = 500 ", "t1_ms = 5000 ")).expect_err("a problem").to_string();
    assert!(
        told.ends_with(
            "sip: t1_ms (5000) is longer than t2_ms (4000); write a shorter t1_ms or a longer t2_ms"
        ),
        "{told}"
    );
}

/// What is told stands in logs, and is sent to others who may help.
#[test]
fn no_secret_is_shown() {
    one_problem(
        "password = \"alice-1001\"",
        "password = 20011001",
        "20011001",
        "user.1001.password: found no text, or none at all; write the digest password, in quotes",
    );
    one_problem(
        "# username = \"account-4711\"\n# password = \"the carrier's secret\"",
        "username = \"account-4711\"\npassword = 4711",
        "4711\n",
        "trunk.carrier-a.password: found no text, or none at all; \
         write the password that the carrier gave you, in quotes",
    );
}

/// What the node would stumble over when it starts.
#[test]
fn a_store_has_a_folder() {
    one_problem(
        "path = \"calls.db\"",
        "path = \"missing/calls.db\"",
        "\"missing",
        "store.path: there is no folder demo/missing; create it, or write where the file is to be",
    );
}

#[test]
fn what_stands_twice_is_told_once() {
    let told =
        parse(&changed("realtime = true", "realtime = true\nrealtime = false")).expect_err("a problem");
    assert!(told.to_string().ends_with(": \"realtime\" stands here twice; remove one"), "{told}");
    one_problem(
        "# trunks = [\"carrier-a\"]",
        "\n[[route_set]]\nname = \"all\"\ntrunks = [\"carrier-a\", \"carrier-a\"]\n#",
        "\"carrier-a\"]",
        "route_set.all.trunks[2]: \"carrier-a\" stands here twice; remove one",
    );
    // And what comes of it is not: whose sources these are is not known.
    one_problem(
        "sources = [\"127.0.0.10\"]",
        "sources = [\"127.0.0.10/33\"]",
        "\"127",
        "trunk.carrier-a.sources[1]: \"127.0.0.10/33\" has no valid prefix length; \
         write an address, PREFIX/BITS or FIRST-LAST",
    );
}
