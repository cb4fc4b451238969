//! TLS as OpenSSL sees it: versions, ciphers, names, certificates of both sides, and what an operator is told.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use nix::sys::signal::Signal;
use tandem_peers::{Authority, Node};

use crate::support::{free_tcp, node_with, records, secured};

/// What `openssl s_client` makes of it; `options` are apart by spaces.
fn client(node: &Node, at: SocketAddr, options: &str) -> Output {
    Command::new("openssl")
        .args(["s_client", "-connect", &at.to_string(), "-CAfile", "ca.pem", "-verify_return_error"])
        .args(options.split(' '))
        .current_dir(node.folder())
        .stdin(Stdio::null())
        .output()
        .expect("openssl is installed")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The counter `sip_events{event="EVENT"}`.
fn counted(node: &Node, event: &str) -> f64 {
    let events = node.metrics("tandem_sip_events").expect("metrics");
    let label = format!("\"{event}\"");
    events.iter().find(|(name, _)| name.contains(&label)).expect("a counter").1
}

/// RFC 9325 §3.1.1 and §4.2: TLS 1.2 and 1.3 with ephemeral keys and authenticated encryption, and nothing else.
#[test]
fn good_versions_and_ciphers_are_spoken_and_no_others() {
    let at = free_tcp([127, 0, 0, 1]);
    let mut node = node_with(|folder, config| secured(folder, &config, at));
    for (options, expected) in [
        ("-tls1_3", "TLSv1.3"),
        ("-tls1_2", "TLSv1.2"),
        ("-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"),
        ("-tls1_2 -cipher ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"),
        ("-tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-CHACHA20-POLY1305"),
    ] {
        let output =
            client(&node, at, &format!("-servername node.example -verify_hostname node.example {options}"));
        let said = said(&output);
        assert!(output.status.success() && said.contains(expected), "{options}: {said}");
    }
    assert_eq!((counted(&node, "tls_handshakes"), counted(&node, "tls_handshake_failures")), (5.0, 0.0));
    let refused = [
        "-tls1_1 -cipher DEFAULT@SECLEVEL=0",
        "-tls1 -cipher DEFAULT@SECLEVEL=0",
        "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA",
        "-tls1_2 -cipher AES128-GCM-SHA256",
        "-tls1_2 -cipher ECDHE-ECDSA-AES128-CCM8@SECLEVEL=0",
    ];
    for options in refused {
        let output = client(&node, at, options);
        assert!(!output.status.success(), "{options}: {}", said(&output));
    }
    assert_eq!(counted(&node, "tls_handshake_failures"), refused.len() as f64);
    assert!(records(&mut node).is_empty());
}

/// RFC 6066 §3.
#[test]
fn the_server_name_picks_the_certificate() {
    let at = free_tcp([127, 0, 0, 1]);
    let mut node = node_with(|folder, config| {
        let authority = Authority::new().expect("an authority");
        std::fs::write(folder.join("ca.pem"), authority.pem()).expect("written");
        authority.issue(&["other.example"]).and_then(|it| it.write(folder, "other")).expect("written");
        authority.issue(&["node.example"]).and_then(|it| it.write(folder, "node")).expect("written");
        let config = config.replacen("listen = [", &format!("listen = [\"tls:{at}\", "), 1);
        let pair =
            |name: &str| format!("[[tls.certificate]]\ncertificate = \"{name}.pem\"\nkey = \"{name}.key\"\n");
        format!("{config}\n{}{}", pair("node"), pair("other"))
    });
    for name in ["node.example", "other.example"] {
        let output = client(&node, at, &format!("-servername {name} -verify_hostname {name}"));
        assert!(output.status.success(), "{name}: {}", said(&output));
    }
    let output = client(&node, at, "-servername third.example -verify_hostname node.example");
    assert!(output.status.success(), "the first is for all others: {}", said(&output));
    records(&mut node);
}

const CARRIER: &str = "127.0.0.11";

/// A node with a second trunk, over TLS, that must show a certificate for `carrier.example`.
fn node_with_mutual_trunk(at: SocketAddr) -> Node {
    node_with(|folder, config| {
        let config = secured(folder, &config, at);
        let trunk = format!(
            "\n[[trunk]]\nname = \"carrier-tls\"\nsources = [\"{CARRIER}\"]\npeer = \"{CARRIER}:5061\"\n\
             transport = \"tls\"\ntls_ca = \"carriers.pem\"\ntls_name = \"carrier.example\"\n\
             tls_client_certificate = \"required\"\n"
        );
        let carriers = Authority::new().expect("an authority");
        std::fs::write(folder.join("carriers.pem"), carriers.pem()).expect("written");
        let write = |pair: std::io::Result<tandem_peers::Pair>, name: &str| {
            pair.and_then(|pair| pair.write(folder, name)).expect("a certificate");
        };
        write(carriers.issue(&["sip:carrier.example"]), "right");
        write(carriers.issue(&["sip.carrier.example"]), "wrong-name");
        write(carriers.issue_expired(&["carrier.example"]), "expired");
        write(Authority::new().and_then(|other| other.issue(&["carrier.example"])), "wrong-authority");
        config + &trunk
    })
}

/// RFC 5922: a trunk is let in by the certificate that names it, and by no other; the operator is told who it was.
#[test]
fn a_trunk_that_must_show_a_certificate_is_refused_without_the_right_one() {
    let at = free_tcp([127, 0, 0, 1]);
    let mut node = node_with_mutual_trunk(at);
    let shown = |node: &Node, name: &str| {
        client(node, at, &format!("-bind {CARRIER}:0 -tls1_2 -cert {name}.pem -key {name}.key"))
    };
    let output = shown(&node, "right");
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(counted(&node, "tls_peers_refused"), 0.0);
    for (name, alert) in
        [("wrong-name", "certificate"), ("expired", "expired"), ("wrong-authority", "unknown ca")]
    {
        let output = shown(&node, name);
        let said = said(&output);
        assert!(!output.status.success() && said.contains(alert), "{name}: {said}");
    }
    assert_eq!(counted(&node, "tls_peers_refused"), 3.0);
    let output = client(&node, at, &format!("-bind {CARRIER}:0 -tls1_2"));
    assert!(!output.status.success(), "it shows none: {}", said(&output));
    assert_eq!(counted(&node, "tls_handshake_failures"), 4.0);

    let line = node.log_line("TLS peer refused").expect("it is said");
    for part in [
        "its certificate names somebody else",
        "carrier-tls",
        "sip.carrier.example",
        "expected=carrier.example",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    records(&mut node);
    let repeated = node.log().iter().filter(|line| line.contains("TLS peer refused")).count();
    assert_eq!(repeated, 1, "once a minute");
}

#[test]
fn a_new_certificate_is_taken_on_reload_and_a_bad_one_is_not() {
    let at = free_tcp([127, 0, 0, 1]);
    let mut node = node_with(|folder, config| secured(folder, &config, at));
    let serves = |node: &Node, name: &str| {
        client(node, at, &format!("-servername {name} -verify_hostname {name}")).status.success()
    };
    assert!(serves(&node, "node.example"));
    let authority = Authority::new().expect("an authority");
    let folder = node.folder().to_owned();
    let expired = authority.issue_expired(&["new.example"]).expect("a certificate");
    let good = authority.issue(&["new.example"]).expect("a certificate");
    let replace = |node: &mut Node, change: &dyn Fn(&Path), expected: &str| {
        change(&folder);
        node.signal(Signal::SIGHUP).expect("the node lives");
        node.log_line(expected).expect("the node says what became of it")
    };
    let ca = std::fs::read(folder.join("ca.pem")).expect("the first authority");

    let line = replace(&mut node, &|to| expired.write(to, "node").expect("written"), "not reloaded: ");
    assert!(line.contains("node.pem expired 1 day ago; renew it"), "{line}");
    assert!(serves(&node, "node.example"), "the old one is still there");

    let half = |to: &Path| std::fs::write(to.join("node.pem"), &good.certificate).expect("written");
    let line = replace(&mut node, &half, "not reloaded: ");
    assert!(line.contains("tls.certificate.1.key") && line.contains("not that of the certificate"), "{line}");
    assert!(serves(&node, "node.example"), "the old one is still there");

    let whole = |to: &Path| {
        good.write(to, "node").expect("written");
        std::fs::write(to.join("ca.pem"), authority.pem()).expect("written");
    };
    let line = replace(&mut node, &whole, "reloaded: changed");
    assert!(line.contains("certificates: ~"), "{line}");
    assert!(serves(&node, "new.example") && !serves(&node, "node.example"));
    assert!(!ca.is_empty());
    let expiries = node.metrics("tandem_tls_certificate_expiry_timestamp_seconds").expect("metrics");
    let [(name, expiry)] = &expiries[..] else { panic!("one certificate: {expiries:?}") };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let days = (expiry - now.as_secs_f64()) / 86_400.0;
    assert!(name.contains("node.pem") && (9.0..10.1).contains(&days), "{name}: {days} days");
    records(&mut node);
    assert!(
        node.log().iter().any(|line| line.contains("node.pem expires in 9 days; renew it")),
        "it is warned of"
    );
}
