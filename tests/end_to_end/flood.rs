//! Under a flood of junk from unlisted and listed sources, an established call loses no packet, and new calls of the
//! carrier are answered.

use std::net::UdpSocket;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tandem_peers::Node;
use tandem_phone::Phone;

use crate::support::{CALLER_HZ, PATIENCE, caller, carrier, node, records, runtime};

/// Datagrams each source sends in a millisecond: 15,000 a second from three of them, where a node on two cores that
/// it shares with the flood can be held to account.
const BURST: usize = 5;

/// New calls during the flood, one after the other.
const NEW_CALLS: usize = 8;

const UNLISTED: &str = "127.0.0.99";
/// Among the phones' addresses.
const LISTED: [&str; 2] = ["127.0.0.26", "127.0.0.27"];

/// What is sent: noise, a message cut short, and requests that are well-formed.
fn junk(source: &str, number: usize) -> Vec<u8> {
    let request = |method: &str| {
        format!(
            "{method} sip:90{number}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {source};branch=z9hG4bK{number}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:1001@127.0.0.1>;tag=1\r\nTo: <sip:1001@127.0.0.1>\r\n\
             Call-ID: flood-{source}-{number}\r\nCSeq: 1 {method}\r\nContact: <sip:{source}>\r\nContent-Length: 0\r\n\r\n"
        )
    };
    match number % 5 {
        0 => vec![0xa5; 400],
        1 => request("INVITE").into_bytes().into_iter().take(90).collect(),
        2 => request("INVITE").into_bytes(),
        3 => request("REGISTER").into_bytes(),
        _ => request("OPTIONS").into_bytes(),
    }
}

/// Sends from one source until the other end of `stop` is gone; how much it was.
fn flood(node: &Node, source: &'static str, stop: Receiver<()>) -> JoinHandle<usize> {
    let socket = UdpSocket::bind((source, 0)).expect("an address");
    let sip = node.ports().sip;
    std::thread::spawn(move || {
        let mut sent = 0;
        while stop.recv_timeout(Duration::from_millis(1)) == Err(RecvTimeoutError::Timeout) {
            for _ in 0..BURST {
                // A full buffer of ours is no matter.
                let _ = socket.send_to(&junk(source, sent), sip);
                sent += 1;
            }
        }
        sent
    })
}

#[test]
fn established_calls_lose_nothing_and_new_ones_are_answered() {
    let mut node = node();
    let runtime = runtime();
    let carrier = carrier(&runtime, &node);
    let long = carrier.call("+15551234", "+15550103", caller()).expect("a call");
    carrier.answered(long, PATIENCE).expect("the node answers");

    let sources = LISTED.into_iter().chain([UNLISTED]);
    let floods: Vec<(Sender<()>, JoinHandle<usize>)> = sources
        .map(|source| {
            let (running, stop) = channel();
            (running, flood(&node, source, stop))
        })
        .collect();
    carrier.hears(long, CALLER_HZ, Duration::from_secs(2), PATIENCE).expect("the call hears itself");
    for _ in 0..NEW_CALLS {
        let call = carrier.call("+15551234", "+15550103", caller()).expect("a call");
        carrier.answered(call, PATIENCE).expect("the node answers during the flood");
        carrier.hears(call, CALLER_HZ, Duration::from_millis(300), PATIENCE).expect("audio both ways");
        carrier.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
        assert_eq!(carrier.ended(call, PATIENCE).expect("the call ends").status, 200);
    }
    let sent: usize = floods
        .into_iter()
        .map(|(running, flood)| {
            drop(running);
            flood.join().expect("the flood ends")
        })
        .sum();
    assert!(sent > 10_000, "a flood of {sent} datagrams");

    carrier.act(move |phone, now| Phone::hang_up(phone, now, long)).expect("the caller hangs up");
    let report = carrier.ended(long, PATIENCE).expect("the call ends");
    assert_eq!((report.status, report.received.lost), (200, 0), "no packet is lost, there and back");
    let bans: f64 = node.metrics("tandem_bans_total").expect("metrics").iter().map(|(_, count)| count).sum();
    assert!(bans >= 2.0, "both listed sources were banned");
    assert_eq!(records(&mut node).len(), NEW_CALLS + 1);
}
