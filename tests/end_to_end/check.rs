//! `tandem check`: one line when all is well, else every mistake with its place.

use std::path::Path;
use std::process::{Command, Output};

use tandem_peers::{Authority, Configuration, Pair, Ports};

fn check(edit: impl FnOnce(&Path, String) -> String) -> (Output, String) {
    let configuration = Configuration::new(&Ports::demo(), edit).expect("a configuration");
    let output = Command::new(env!("CARGO_BIN_EXE_tandem"))
        .arg("check")
        .arg("--config")
        .arg(configuration.file())
        .output()
        .expect("tandem runs");
    // What is said names the file by its path, which differs from run to run.
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    let said = said.replace(&configuration.folder().display().to_string(), "demo");
    (output, said)
}

#[test]
fn the_demo_is_in_order() {
    let (output, said) = check(|_, text| text);
    assert!(output.status.success(), "{said}");
    assert!(said.starts_with("demo/tandem.toml: ok: 1 trunk, 10 users, 11 agents, 3 queues"), "{said}");
    assert_eq!(said.lines().count(), 1);
}

#[test]
fn every_mistake_is_told_and_the_exit_status_is_1() {
    let (output, said) = check(|_, text| {
        text.replace("max_legs_per_call = 8", "max_legs = 8").replace("name = \"1004\"", "name = 1004")
    });
    assert_eq!(output.status.code(), Some(1));
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 3, "the agent of the misnamed user is the third: {said}");
    assert!(
        lines[0].starts_with("demo/tandem.toml:") && lines[0].contains("unknown key \"max_legs\""),
        "{said}"
    );
    assert!(lines[1].contains("found 1004; write"), "{said}");
    assert!(lines[2].contains("there is no user \"1004\""), "{said}");
}

#[test]
fn flows_are_checked_with_the_queues_and_prompts_they_name() {
    let (output, said) = check(|folder, text| {
        let flow = folder.join("flows/sales.toml");
        let changed = std::fs::read_to_string(&flow)
            .expect("the flow")
            .replace("queue = \"sales\"", "queue = \"sale\"");
        std::fs::write(flow, changed).expect("the flow is written");
        text
    });
    assert_eq!(output.status.code(), Some(1));
    assert!(said.starts_with("demo/flows/sales.toml:") && said.contains("sale"), "{said}");
}

#[test]
fn a_prompt_that_is_no_wav_is_named() {
    let (output, said) = check(|folder, text| {
        std::fs::write(folder.join("prompts/menu.wav"), "not audio").expect("the prompt is written");
        text
    });
    assert_eq!(output.status.code(), Some(1));
    assert!(said.starts_with("demo/prompts/menu.wav: "), "{said}");
}

/// Certificates go bad by themselves, and are handed over in halves.
#[test]
fn certificates_are_checked_with_their_keys_and_dates() {
    let authority = Authority::new().expect("an authority");
    let good = authority.issue(&["node.example"]).expect("a certificate");
    let other = authority.issue(&["node.example"]).expect("a certificate");
    let expired = authority.issue_expired(&["node.example"]).expect("a certificate");
    let mismatched = Pair { key: other.key, ..good.clone() };
    let no_key = Pair { key: good.certificate.clone(), ..good.clone() };
    let no_certificate = Pair { certificate: good.key.clone(), ..good.clone() };
    let mut lines = 0;
    for (pair, status, line, expected) in [
        (good.clone(), 0, None, "certificate demo/node.pem expires in 9 days; renew it"),
        (expired, 1, None, "certificate demo/node.pem expired 1 day ago; renew it"),
        (
            mismatched,
            1,
            Some((4, 7)),
            "tls.certificate.1.key: demo/node.key: the key is not that of the certificate; write",
        ),
        (no_key, 1, Some((4, 7)), "tls.certificate.1.key: demo/node.key: holds no private key; write"),
        (
            no_certificate,
            1,
            Some((3, 15)),
            "tls.certificate.1.certificate: demo/node.pem: holds no certificate; write",
        ),
    ] {
        let (output, said) = check(|folder, text| {
            pair.write(folder, "node").expect("written");
            lines = text.lines().count();
            format!("{text}\n[[tls.certificate]]\ncertificate = \"node.pem\"\nkey = \"node.key\"\n")
        });
        assert_eq!(output.status.code(), Some(status), "{said}");
        let place = line.map(|(below, column)| format!(":{}:{column}", lines + below)).unwrap_or_default();
        assert!(said.starts_with(&format!("demo/tandem.toml{place}: {expected}")), "{said}");
    }
    // Authorities that no trunk needs yet are to be some all the same.
    let (output, said) = check(|folder, text| {
        std::fs::write(folder.join("ca.pem"), "nobody").expect("written");
        text.replace("# ca = \"ca.pem\"", "ca = \"ca.pem\"")
    });
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(": tls.ca: demo/ca.pem: "), "{said}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_tandem"))
        .args(["check", "--config", "nowhere/tandem.toml"])
        .output()
        .expect("tandem runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("nowhere/tandem.toml: cannot be read: "));
}

#[test]
fn a_file_of_another_encoding_is_told_by_its_line() {
    let (output, said) = check(|folder, text| {
        std::fs::write(folder.join("flows/latin.toml"), b"# Flow\n# of M\xfcnchen\n").expect("written");
        text
    });
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().next(), Some("demo/flows/latin.toml:2: is not UTF-8; save the file as UTF-8"));
}

/// Runs a message through the rules of the sample's carriers.
fn try_rules(arguments: &[&str], message: &str) -> (Output, String) {
    use std::io::Write;
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/config/carriers/tandem.toml");
    let mut child = Command::new(env!("CARGO_BIN_EXE_tandem"))
        .args(["check", "--config", sample, "--rules", "-"])
        .args(arguments)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("tandem runs");
    // A refusal may come before all is read.
    let _ = child.stdin.take().expect("its input").write_all(message.as_bytes());
    let output = child.wait_with_output().expect("tandem ends");
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    (output, said)
}

/// As an editor saves it: lines end with LF, and the empty line is forgotten.
const INVITE: &str = "INVITE sip:+4930123456@192.0.2.30 SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1\n\
    Max-Forwards: 70\nFrom: <sip:+12025550123@127.0.0.1>;tag=1\nTo: <sip:+4930123456@192.0.2.30>\nCall-ID: 1\n\
    CSeq: 1 INVITE\nContact: <sip:127.0.0.1:5060>\nX-Carrier-Trace: 7\nContent-Length: 0\n";

#[test]
fn the_sample_of_carriers_is_in_order() {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/config/carriers/tandem.toml");
    let output = Command::new(env!("CARGO_BIN_EXE_tandem"))
        .args(["check", "--config", sample])
        .output()
        .expect("tandem runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_rules_make_of_a_message_is_shown_line_by_line() {
    let (output, said) = try_rules(&["--trunk", "prefix-and-account", "--direction", "out"], INVITE);
    assert!(output.status.success(), "{said}");
    assert_eq!(
        said,
        "INVITE to prefix-and-account\n\
         - INVITE sip:+4930123456@192.0.2.30 SIP/2.0    [tech-prefix]\n\
         + INVITE sip:88004930123456@192.0.2.30 SIP/2.0    [tech-prefix]\n  \
         Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1\n  Max-Forwards: 70\n  \
         From: <sip:+12025550123@127.0.0.1>;tag=1\n  To: <sip:+4930123456@192.0.2.30>\n  Call-ID: 1\n  \
         CSeq: 1 INVITE\n  Contact: <sip:127.0.0.1:5060>\n  X-Carrier-Trace: 7\n  Content-Length: 0\n\
         + X-Account: 4711    [tech-prefix]\n"
    );
    let (_, said) = try_rules(&["--trunk", "prefix-and-account"], INVITE);
    assert!(said.starts_with("INVITE from prefix-and-account\n"), "{said}");
    assert!(said.contains("\n- X-Carrier-Trace: 7    [their-own-headers]\n"), "{said}");
    let (_, said) = try_rules(&["--trunk", "as-dialled", "--direction", "out"], INVITE);
    assert!(said.contains("\n+ INVITE sip:030123456@192.0.2.30 SIP/2.0    [numbers]\n"), "{said}");
    assert!(said.contains("\n+ From: <sip:0012025550123@127.0.0.1>;tag=1    [numbers]\n"), "{said}");
    let (_, said) = try_rules(&["--trunk", "own-number-only", "--direction", "out"], INVITE);
    assert!(
        said.contains("\n+ From: <sip:+49309000@127.0.0.1>;tag=1    [callers-from-elsewhere]\n"),
        "{said}"
    );
    assert!(
        said.contains("\n+ P-Asserted-Identity: <sip:+12025550123@pbx.example.com>    [callers"),
        "{said}"
    );
    let (_, said) = try_rules(&["--trunk", "old-exchange"], INVITE);
    assert!(said.starts_with("INVITE from old-exchange: nothing changes\n"), "{said}");
}

#[test]
fn what_is_no_message_or_no_trunk_is_told() {
    let (output, said) =
        try_rules(&["--trunk", "old-exchange"], &INVITE.replace("CSeq: 1 INVITE", "CSeq: one"));
    assert_eq!(output.status.code(), Some(1));
    assert!(said.starts_with("-:7: this is no SIP message: "), "{said}");
    let (output, said) = try_rules(&["--trunk", "older-exchange"], INVITE);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.starts_with("there is no trunk \"older-exchange\"; there are: plain-digits, "), "{said}");
    let (_, said) = try_rules(&[], INVITE);
    assert!(
        said.starts_with("these trunks have rules: as-dialled, ") && said.ends_with("write --trunk NAME\n"),
        "{said}"
    );
}
