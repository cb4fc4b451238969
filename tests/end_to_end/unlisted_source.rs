//! Nobody outside the allow-list gets an answer, costs more than a counter, or gets media.

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

use crate::support::{node, records};

const OPTIONS: &str = "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.99:5060;rport;branch=z9hG4bKx\r\n\
    From: <sip:a@127.0.0.99>;tag=1\r\nTo: <sip:127.0.0.1>\r\nCall-ID: unlisted\r\nCSeq: 1 OPTIONS\r\n\
    Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n";

#[test]
fn an_unlisted_source_gets_nothing_over_udp() {
    let mut node = node();
    let stranger = UdpSocket::bind("127.0.0.99:0").expect("an address");
    let listed = UdpSocket::bind("127.0.0.10:0").expect("an address");
    for socket in [&stranger, &listed] {
        socket.set_read_timeout(Some(Duration::from_secs(2))).expect("a timeout");
        socket.send_to(OPTIONS.as_bytes(), node.ports().sip).expect("sent");
    }
    let mut answer = [0; 2_000];
    let len = listed.recv(&mut answer).expect("the carrier's OPTIONS is answered");
    assert!(answer[..len].starts_with(b"SIP/2.0 200"), "{}", String::from_utf8_lossy(&answer[..len]));
    let nothing = stranger.recv(&mut answer).expect_err("the stranger's is not");
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    assert!(records(&mut node).is_empty());
}

#[test]
fn an_unlisted_source_gets_nothing_over_tcp() {
    let mut node = node();
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    let source = std::net::SocketAddr::from(([127, 0, 0, 99], 0));
    socket.bind(&source.into()).expect("an address");
    let patience = Duration::from_secs(2);
    if socket.connect_timeout(&node.ports().sip.into(), patience).is_ok() {
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(patience)).expect("a timeout");
        // Writing may fail already: the connection was reset.
        let _ = stream.write_all(OPTIONS.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
    }
    assert!(records(&mut node).is_empty());
}
