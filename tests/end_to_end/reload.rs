//! SIGHUP: what can change does, calls go on, and a broken file changes nothing.

use nix::sys::signal::Signal;
use tandem_peers::Node;
use tandem_phone::Phone;
use tandem_phone_net::LivePhone;

use crate::support::{PATIENCE, caller, carrier, node, records, runtime};

/// Edits the configuration and has it read; returns what the node says of it.
fn reload(node: &mut Node, edit: impl FnOnce(String) -> String, said: &str) -> String {
    node.configuration().edit(edit).expect("the file is written");
    node.signal(Signal::SIGHUP).expect("the node lives");
    node.log_line(said).expect("the node says what became of it")
}

fn status_of_call(carrier: &LivePhone, number: &str) -> u16 {
    let call = carrier.call("+15551234", number, caller()).expect("a call");
    if carrier.answered(call, PATIENCE).is_err() {
        return 404;
    }
    carrier.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
    carrier.ended(call, PATIENCE).expect("the call ends").status
}

#[test]
fn a_new_number_and_flow_are_taken_while_a_call_is_up() {
    let mut node = node();
    let runtime = runtime();
    let carrier = carrier(&runtime, &node);
    assert_eq!(status_of_call(&carrier, "+15550177"), 404);
    let long = carrier.call("+15551234", "+15550102", caller()).expect("a call");
    carrier.answered(long, PATIENCE).expect("the node answers");

    let flows = node.folder().join("flows");
    std::fs::copy(flows.join("prompt-loop.toml"), flows.join("new.toml")).expect("a new flow");
    let said = reload(
        &mut node,
        |text| {
            text + "\n[[entry_point]]\nnumber = \"+15550177\"\nflow = \"new\"\n[[user]]\nname = \"1011\"\npassword = \"x\"\n"
        },
        "reloaded: ",
    );
    assert!(said.contains("users: +1011; entry points: ++15550177; flows: +new"), "{said}");
    assert_eq!(status_of_call(&carrier, "+15550177"), 200);

    carrier.act(move |phone, now| Phone::hang_up(phone, now, long)).expect("the caller hangs up");
    let report = carrier.ended(long, PATIENCE).expect("the call ends");
    assert_eq!((report.status, report.received.lost), (200, 0), "the call went on through the reload");
    assert_eq!(records(&mut node).len(), 3);
}

#[test]
fn a_broken_file_changes_nothing_and_is_told_precisely() {
    let mut node = node();
    let runtime = runtime();
    let carrier = carrier(&runtime, &node);
    let said = reload(&mut node, |text| text.replace("[[trunk]]", "[[drunk]]"), "not reloaded: ");
    assert!(said.contains("tandem.toml:") && said.contains("unknown key \"drunk\""), "{said}");
    assert_eq!(status_of_call(&carrier, "+15550102"), 200, "the trunk is still there");
    records(&mut node);
}

#[test]
fn a_source_that_is_struck_off_is_heard_no_more() {
    let mut node = node();
    let runtime = runtime();
    let carrier = carrier(&runtime, &node);
    assert_eq!(status_of_call(&carrier, "+15550102"), 200);
    let elsewhere = |text: String| {
        let text = text.replace("[\"127.0.0.10\"]", "[\"127.0.0.11\"]");
        text.replace("peer = \"127.0.0.10:", "peer = \"127.0.0.11:")
    };
    let said = reload(&mut node, elsewhere, "reloaded: ");
    assert!(said.contains("trunks: ~carrier-a"), "{said}");
    let probe = std::net::UdpSocket::bind("127.0.0.10:0").expect("an address");
    probe.set_read_timeout(Some(std::time::Duration::from_secs(1))).expect("a timeout");
    let options = format!(
        "OPTIONS sip:{} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.10;rport;branch=z9hG4bKreload\r\nMax-Forwards: 70\r\n\
         From: <sip:a@127.0.0.10>;tag=1\r\nTo: <sip:{}>\r\nCall-ID: reload\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
        node.ports().sip,
        node.ports().sip,
    );
    probe.send_to(options.as_bytes(), node.ports().sip).expect("sent");
    assert!(probe.recv(&mut [0; 100]).is_err(), "it was answered");
    records(&mut node);
}

#[test]
fn what_waits_for_a_restart_is_named() {
    let mut node = node();
    let said =
        reload(&mut node, |text| text.replace("name = \"tandem-demo\"", "name = \"other\""), "reloaded: ");
    assert!(said.contains("nothing changed; restart for node.name"), "{said}");
    records(&mut node);
}
