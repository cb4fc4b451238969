//! A scanner among the phones' addresses is banned: it gets nothing any more, shows in the list of bans, stays banned
//! over a reload, and is heard again when somebody says so. Calls go on meanwhile.

use std::net::UdpSocket;
use std::time::Duration;

use nix::sys::signal::Signal;
use tandem_peers::Node;
use tandem_phone::Phone;

use crate::support::{CALLER_HZ, PATIENCE, caller, carrier, node, only_record, runtime};

const SCANNER: &str = "127.0.0.25";

fn request(method: &str, user: &str, number: u32) -> String {
    format!(
        "{method} sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {SCANNER};rport;branch=z9hG4bK{method}{number}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:{user}@127.0.0.1>;tag=1\r\nTo: <sip:{user}@127.0.0.1>\r\n\
         Call-ID: {method}-{number}\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    )
}

/// The status of what comes back, 0 when nothing does.
fn ask(scanner: &UdpSocket, node: &Node, request: &str) -> u16 {
    scanner.send_to(request.as_bytes(), node.ports().sip).expect("sent");
    let mut answer = [0; 4_096];
    let Ok(len) = scanner.recv(&mut answer) else { return 0 };
    let answer = String::from_utf8_lossy(&answer[..len]);
    answer.split_whitespace().nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

/// The list of bans as soon as it passes.
fn bans(node: &Node, pass: impl Fn(&str) -> bool) -> String {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let listed = node.http("/bans").expect("a list");
        if pass(&listed) {
            return listed;
        }
        assert!(std::time::Instant::now() < deadline, "still {listed}");
    }
}

#[test]
fn a_scanner_is_banned_listed_and_unbanned() {
    let mut node = node();
    let runtime = runtime();
    let carrier = carrier(&runtime, &node);
    let call = carrier.call("+15551234", "+15550103", caller()).expect("a call");
    carrier.answered(call, PATIENCE).expect("the node answers");

    let scanner = UdpSocket::bind((SCANNER, 0)).expect("an address");
    scanner.set_read_timeout(Some(Duration::from_secs(1))).expect("a timeout");
    for number in 0..10 {
        let sweep = request("REGISTER", &format!("20{number}"), number);
        assert_eq!(ask(&scanner, &node, &sweep), 401, "the same answer as to anybody");
    }
    assert_eq!(ask(&scanner, &node, &request("OPTIONS", "x", 1)), 0, "not heard any more");
    let listed = bans(&node, |listed| listed.contains(SCANNER));
    assert!(listed.contains(r#""reason":"unknown_users""#) && listed.contains(r#""times":1"#), "{listed}");
    let active = node.metrics("tandem_bans_active").expect("metrics");
    assert_eq!(active, [("tandem_bans_active".to_owned(), 1.0)]);

    node.configuration().edit(|text| text.replace("level = \"info\"", "level = \"debug\"")).expect("edited");
    node.signal(Signal::SIGHUP).expect("the node lives");
    node.log_line("reloaded: ").expect("the node says so");
    assert_eq!(ask(&scanner, &node, &request("OPTIONS", "x", 2)), 0, "a reload changes nothing");

    let gone = node.request("DELETE", &format!("/bans/{SCANNER}")).expect("an answer");
    assert!(gone.starts_with("HTTP/1.1 202"), "{gone}");
    bans(&node, |listed| listed == "[]");
    assert_eq!(ask(&scanner, &node, &request("OPTIONS", "x", 3)), 200, "heard again");

    carrier.hears(call, CALLER_HZ, Duration::from_secs(1), PATIENCE).expect("the call goes on");
    carrier.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
    let report = carrier.ended(call, PATIENCE).expect("the call ends");
    assert_eq!((report.status, report.received.lost), (200, 0));
    only_record(&mut node);
}
