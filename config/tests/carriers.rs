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

#[test]
fn where_redirections_lead_is_checked() {
    let own = |keys: &str| changed("srtp = \"off\"", &format!("{keys}\nsrtp = \"off\""));
    let problem = |keys: &str, expected: &str| {
        let told = parse(&own(keys)).expect_err("a problem").to_string();
        assert!(told.contains(expected), "{told}");
    };
    let follow = "redirects = \"follow\"";
    problem("redirects = true", "trunk.carrier-a.redirects: found true; write refuse or follow");
    problem("redirects = \"proxy\"", "trunk.carrier-a.redirects: found \"proxy\"; write refuse or follow");
    problem(
        "max_redirects = 3",
        "trunk.carrier-a.max_redirects: redirections are refused, so that nothing is asked of them; \
         write redirects = \"follow\", or remove the key",
    );
    for max in ["0", "9"] {
        problem(
            &format!("{follow}\nmax_redirects = {max}"),
            &format!("trunk.carrier-a.max_redirects: found {max}; write a whole number from 1 to 8"),
        );
    }
    problem(
        &format!("{follow}\nredirect_to = [\"carrier-a\", \"carrier-x\"]"),
        "trunk.carrier-a.redirect_to[2]: there is no trunk \"carrier-x\"; write \"carrier-a\"",
    );
    problem(
        &format!("{follow}\nredirect_to = []"),
        "redirect_to is empty, so nothing could be followed; write a list of trunks",
    );
    problem(
        &format!("{follow}\nredirect_prefixes = [\"+1555\", \"sales\"]"),
        "trunk.carrier-a.redirect_prefixes[2]: found \"sales\"; write how a number begins, such as \"+1555\"",
    );
    let below = "[[trunk]]\nname = \"carrier-b\"\nsources = [\"127.0.0.11\"]\npeer = \"127.0.0.11:5060\"\n";
    let keys = format!("{follow}\nmax_redirects = 8\nredirect_to = [\"carrier-b\"]");
    let text = own(&keys).replacen("[phones]", &format!("{below}[phones]"), 1);
    let config = parse(&text).expect("a sound configuration, whichever trunk is the first");
    let redirects = config.trunks[0].redirects.clone().expect("they are followed");
    assert_eq!((redirects.max, redirects.trunks), (8, vec!["carrier-b".to_owned()]));
    let config = parse(&own(follow)).expect("a sound configuration");
    let redirects = config.trunks[0].redirects.clone().expect("they are followed");
    assert_eq!((redirects.max, redirects.trunks), (3, vec!["carrier-a".to_owned()]));
    assert!(redirects.prefixes.is_empty());
}

/// RFC 3261 §26.2.2: a carrier may ask for TLS on every hop; then we must speak it, and have what it takes.
#[test]
fn a_route_may_be_sips() {
    let peer = "peer = \"127.0.0.10:5070\"    # where calls to it go\ntransport = \"udp\"";
    let certificate = "[[tls.certificate]]\ncertificate = \"node.pem\"\nkey = \"node.key\"\n";
    let with = |tls: &str, keys: &str, routes: &str| {
        let text = changed(peer, keys).replacen("\n[rtp]", &format!("\n{tls}\n[rtp]"), 1);
        let text = text.replacen("# A carrier with several destinations", &format!("{routes}\n#"), 1);
        let listen = if tls.is_empty() { "" } else { "\"tls:127.0.0.1:5061\", " };
        text.replacen("listen = [", &format!("listen = [{listen}"), 1)
    };
    let route = |to: &str| format!("[[trunk.route]]\nto = \"{to}\"\n");
    let text = with(certificate, "tls_name = \"sip.carrier.example\"", &route("sips:carrier.example"));
    let config = parse(&text).expect("a sound configuration");
    let first = &config.trunks[0].routes[0];
    assert!(first.is_sips && first.uses(Transport::Tls) && config.trunks[0].uses(Transport::Tls));
    let text = with(certificate, "", &route("sips:127.0.0.10"));
    let config = parse(&text).expect("a sound configuration");
    let to = Target::Address { address: "127.0.0.10:5061".parse().expect("one"), transport: Transport::Tls };
    assert_eq!(config.trunks[0].routes[0].to, to);
    let problem = |tls: &str, to: &str, expected: &str| {
        let problems = parse(&with(tls, "", &route(to))).expect_err("a problem").to_string();
        assert!(problems.contains(expected), "{problems}");
    };
    problem("", "sips:carrier.example", "nothing listens on tls, so it could not answer");
    problem(certificate, "sips:carrier.example;transport=tcp", "write a SIP URI such as");
    let register =
        "[[trunk.register]]\naor = \"AOR:us@carrier.example\"\nregistrar = \"sips:carrier.example\"\n";
    let registering = |scheme: &str| {
        let routes = format!("{}{}", route("sips:carrier.example"), register.replace("AOR", scheme));
        parse(&with(certificate, "", &routes))
    };
    assert_eq!(registering("sips").expect("a sound one").trunks[0].registrations[0].contact_user, "us");
    let problems = registering("sip").expect_err("a problem").to_string();
    assert!(problems.contains("the registrar is asked for TLS on every hop, and aor is not"), "{problems}");
}

/// RFC 6157: media may have an address of each family.
#[test]
fn media_may_be_of_both_families() {
    let own = |value: &str| changed("address = \"127.0.0.1\"  ", &format!("address = {value} "));
    let read = |value: &str| {
        let rtp = parse(&own(value)).expect("a sound configuration").rtp;
        (rtp.address.to_string(), rtp.other_address.map(|address| address.to_string()))
    };
    assert_eq!(read("\"127.0.0.1\""), ("127.0.0.1".to_owned(), None));
    assert_eq!(read("[\"127.0.0.1\"]"), ("127.0.0.1".to_owned(), None));
    assert_eq!(read("[\"::1\", \"127.0.0.1\"]"), ("::1".to_owned(), Some("127.0.0.1".to_owned())));
    for (wrong, expected) in [
        ("[\"127.0.0.1\", \"127.0.0.2\"]", "rtp.address: both addresses are of one family; write"),
        ("[]", "rtp.address: address is empty, so there would be no media; write"),
        ("[\"127.0.0.1\", \"::\"]", "rtp.address[2]: found \"::\"; write an IP address"),
        ("[\"127.0.0.1\", \"::1\", \"::2\"]", "rtp.address: there are 3 entries; at most 2 are possible"),
        ("\"localhost\"", "rtp.address: found \"localhost\"; write the IP address to receive RTP on"),
    ] {
        let problems = parse(&own(wrong)).expect_err("a problem").to_string();
        assert!(problems.contains(expected), "{problems}");
    }
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

#[test]
fn what_calls_are_listened_to_for_is_checked() {
    let own =
        |keys: &str| changed("srtp = \"off\"", &format!("call_progress = {{ {keys} }}\nsrtp = \"off\""));
    let problem = |keys: &str, expected: &str| {
        let told = parse(&own(keys)).expect_err("a problem").to_string();
        assert!(told.contains(expected), "{told}");
    };
    for (key, low, high) in [
        ("min_silence_ms", 100, 1_000),
        ("analysis_period_ms", 1_000, 10_000),
        ("min_speech_ms", 50, 500),
        ("max_time_ms", 1_000, 10_000),
        ("max_beep_ms", 1_000, 60_000),
        ("max_ringing_s", 10, 180),
    ] {
        for wrong in [low - 1, high + 1] {
            let expected = format!(
                "trunk.carrier-a.call_progress.{key}: found {wrong}; write a whole number from {low} to {high}"
            );
            problem(&format!("{key} = {wrong}, live_voice_ms = 500"), &expected);
        }
        for right in [low, high] {
            parse(&own(&format!("{key} = {right}, live_voice_ms = 500"))).expect("allowed");
        }
    }
    problem(
        "live_voice_ms = 2501",
        "live_voice_ms (2501) is longer than analysis_period_ms (2500); write a shorter live_voice_ms or a longer \
         analysis_period_ms",
    );
    problem("machines = false, beep = true", "write machines = true, or beep = false");
    let rules = |text: &str| parse(text).expect("sound").trunks[0].call_progress;
    assert_eq!(rules(SAMPLE), None);
    let usual = rules(&own("")).expect("listened to");
    assert_eq!((usual.min_silence.as_millis(), usual.max_beep.as_millis()), (608, 30_000));
    assert!(usual.machines && usual.beep);
    assert!(!rules(&own("machines = false")).expect("listened to").beep);
}
