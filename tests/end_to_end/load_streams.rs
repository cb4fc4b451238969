//! `tandem load` over connections: TCP, and TLS where each side checks the other's certificate.

use std::fs;
use std::net::{IpAddr, TcpListener};
use std::path::Path;

use rcgen::{CertificateParams, DistinguishedName, Issuer, KeyPair, SanType};
use tandem_peers::Node;

use crate::generator::load;
use crate::support::{node_with, records};

const CALLS: [&str; 8] = ["--rate", "20", "--calls", "4", "--hold", "1500ms", "--to", "+15550111"];

/// The trunk's transport and what belongs to it, and one more address to listen at.
fn over(config: &str, trunk: &str, listen: &str) -> String {
    let (before, after) = config.split_once("[[trunk]]").expect("the demo has a trunk");
    let before = before.replacen("listen = [", &format!("listen = [{listen}"), 1);
    format!("{before}[[trunk]]{}", after.replacen("transport = \"udp\"", trunk, 1))
}

#[test]
fn calls_share_a_connection_over_tcp() {
    let mut node = node_with(|_, config| over(&config, "transport = \"tcp\"", ""));
    let answer_at = node.ports().carrier.to_string();
    let run = load(&node, &[&["call", "--transport", "tcp", "--answer-at", &answer_at][..], &CALLS].concat());
    run.went_well(4);
    run.took(&["invite_answered", "invite_out", "answer_acknowledged", "bye_answered"], 4);
    assert_eq!((run.count("audio_verified"), run.summary["messages"]["connections"].as_u64()), (4, Some(1)));
    assert_eq!(records(&mut node).len(), 4);
}

#[test]
fn nobody_there_is_found_at_once_over_tcp() {
    let mut node = node_with(|_, config| config);
    node.stop().expect("the daemon ends");
    let run = load(&node, &["call", "--transport", "tcp", "--rate", "10", "--calls", "2"]);
    assert_eq!((run.status.code(), run.failures("transport: connection lost")), (Some(1), 2), "{}", run.said);
    assert!(
        run.summary["messages"]["why_lost"].as_str().is_some_and(|why| why.contains("refused")),
        "{}",
        run.said
    );
}

/// A certificate and its key beside it, as `NAME.pem` and `NAME.key`, good for an address.
fn certificate(folder: &Path, name: &str, address: IpAddr, issuer: &Issuer<'_, KeyPair>) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = vec![SanType::IpAddress(address)];
    let certificate = params.signed_by(&key, issuer).expect("a certificate");
    fs::write(folder.join(format!("{name}.pem")), certificate.pem()).expect("written");
    fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).expect("written");
}

/// An authority, as `NAME.pem`.
fn authority(folder: &Path, name: &str) -> Issuer<'static, KeyPair> {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).expect("a certificate");
    fs::write(folder.join(format!("{name}.pem")), certificate.pem()).expect("written");
    Issuer::new(params, key)
}

/// A node whose carrier must show a certificate, and where it listens.
fn node_under_tls() -> (Node, String) {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port");
    let node = node_with(|folder, config| {
        let issuer = authority(folder, "ca");
        authority(folder, "stranger");
        certificate(folder, "node", IpAddr::from([127, 0, 0, 1]), &issuer);
        certificate(folder, "carrier", IpAddr::from([127, 0, 0, 10]), &issuer);
        let config = over(
            &config,
            "transport = \"tls\"\ntls_ca = \"ca.pem\"\ntls_client_certificate = \"required\"",
            &format!("\"tls:{free}\", "),
        );
        let ours =
            "[tls]\nca = \"ca.pem\"\n[[tls.certificate]]\ncertificate = \"node.pem\"\nkey = \"node.key\"\n";
        let (before, after) = config.split_once("[tls]").expect("the demo has a chapter on TLS");
        // The certificates are a table of their own: what is left of the chapter must come before them.
        let (rest, after) = after.split_once("\n[rtp]").expect("and one on RTP");
        let rest: String =
            rest.lines().filter(|line| !line.starts_with("ca")).flat_map(|it| [it, "\n"]).collect();
        let ours = ours.replacen("[[tls", &format!("{rest}[[tls"), 1);
        format!("{before}{ours}\n[rtp]{after}")
    });
    (node, free.to_string())
}

#[test]
fn both_sides_check_each_other_under_tls() {
    let (mut node, target) = node_under_tls();
    let answer_at = node.ports().carrier.to_string();
    let file = |name: &str| node.folder().join(name).display().to_string();
    let [ca, stranger, cert, key] = ["ca.pem", "stranger.pem", "carrier.pem", "carrier.key"].map(file);
    let tls = ["--transport", "tls", "--target", &target, "--cert", &cert, "--key", &key];
    let run = |more: &[&str]| load(&node, &[&["call"][..], &tls, &CALLS, more].concat());

    let good = run(&["--ca", &ca, "--answer-at", &answer_at]);
    good.went_well(4);
    assert_eq!(good.count("audio_verified"), 4, "{}", good.said);
    assert_eq!(good.summary["messages"]["connections"], 1, "{}", good.said);

    let unknown = run(&["--ca", &stranger, "--calls", "1"]);
    assert_eq!(unknown.failures("transport"), 1, "{}", unknown.said);
    let why = unknown.summary["messages"]["why_lost"].as_str().unwrap_or_default().to_owned();
    assert!(why.contains("invalid peer certificate"), "{why}");

    let nameless = load(
        &node,
        &[&["call", "--transport", "tls", "--target", &target, "--insecure"][..], &CALLS, &["--calls", "1"]]
            .concat(),
    );
    assert_eq!(nameless.failures("transport"), 1, "who shows no certificate gets nothing: {}", nameless.said);
    assert_eq!(records(&mut node).len(), 4);
}
