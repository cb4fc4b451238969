//! Phones behind NAT: their keep-alives over UDP are answered, and what has a connection is called on it, wherever its Contact
//! says that it is.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use tandem_peers::Node;
use tandem_phone::Phone;
use tandem_phone_net::LiveLine;
use tandem_sbc::digest_response;
use tandem_sbc::header::Credentials;

use crate::support::{CALLER_HZ, PATIENCE, caller, carrier, node_with, records, runtime};

const PHONE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 26);
const PHONE_HZ: u16 = 900;

/// Where the phone believes that it is.
const CONTACT: &str = "<sip:1005@192.168.77.5:5060;transport=tcp>";

/// The demo's number that rings user 1005, straight through.
const NUMBER: &str = "+15550110";

/// RFC 5626 §8, RFC 8489 §6.3.1: the phone is told which address the node sees.
#[test]
fn a_stun_keep_alive_is_answered_on_the_port_of_sip() {
    let node = node_with(|_, config| config);
    let socket = UdpSocket::bind((PHONE, 0)).expect("a free port");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    let request = *b"\x00\x01\x00\x00\x21\x12\xA4\x42keep-alive-1";
    socket.send_to(&request, node.ports().sip).expect("sent");
    let mut answer = [0; 64];
    let (length, from) = socket.recv_from(&mut answer).expect("an answer");
    assert_eq!((from, length), (node.ports().sip, 32));
    assert_eq!((&answer[..4], &answer[4..20]), (&b"\x01\x01\x00\x0C"[..], &request[4..]));
    let port = socket.local_addr().expect("bound").port() ^ 0x2112;
    assert_eq!(answer[20..28], [0, 0x20, 0, 8, 0, 1, (port >> 8) as u8, port as u8]);
    let address: Vec<u8> = answer[28..32].iter().zip([0x21, 0x12, 0xA4, 0x42]).map(|(a, b)| a ^ b).collect();
    assert_eq!(address, PHONE.octets());
}

/// A phone on one connection, at which nobody could be called but by it.
struct TcpPhone {
    stream: BufReader<TcpStream>,
    cseq: u32,
}

impl TcpPhone {
    fn connect(node: &Node) -> Self {
        let stream = TcpStream::connect(node.ports().sip).expect("the node listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        Self { stream: BufReader::new(stream), cseq: 0 }
    }

    fn send(&mut self, text: &str) {
        self.stream.get_mut().write_all(text.as_bytes()).expect("the connection lives");
    }

    /// The next message, head and body.
    fn receive(&mut self) -> String {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(self.stream.read_line(&mut head).expect("a line in time") > 0, "closed after {head:?}");
        }
        let length = header(&head, "Content-Length").parse().expect("a length");
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).expect("the body in time");
        head + &String::from_utf8(body).expect("text")
    }

    fn register(&mut self) {
        self.send_register("");
        let challenge = self.receive();
        let nonce = challenge.split("nonce=\"").nth(1).and_then(|rest| rest.split('"').next());
        let nonce = nonce.expect("a challenge");
        let unproven = format!(
            "Digest username=\"1005\", realm=\"tandem.demo\", nonce=\"{nonce}\", uri=\"sip:127.0.0.1\", \
             algorithm=MD5, qop=auth, nc=00000001, cnonce=\"c\", response=\"\""
        );
        let credentials = Credentials::parse(unproven.as_bytes()).expect("credentials");
        let proof = digest_response(&credentials, b"REGISTER", "erin-1005").expect("a digest");
        let proven = unproven.replace("response=\"\"", &format!("response=\"{proof}\""));
        self.send_register(&format!("Authorization: {proven}\r\n"));
        let ok = self.receive();
        assert!(ok.starts_with("SIP/2.0 200"), "{ok}");
    }

    fn send_register(&mut self, credentials: &str) {
        self.cseq += 1;
        let cseq = self.cseq;
        self.send(&format!(
            "REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 192.168.77.5;branch=z9hG4bK-nat-{cseq};rport\r\n\
             From: <sip:1005@127.0.0.1>;tag=nat\r\nTo: <sip:1005@127.0.0.1>\r\nCall-ID: behind-nat\r\n\
             CSeq: {cseq} REGISTER\r\nContact: {CONTACT};expires=600\r\n{credentials}Content-Length: 0\r\n\r\n"
        ));
    }

    fn answer(&mut self, request: &str, body: &str) {
        let same = ["Via", "From", "Call-ID", "CSeq"];
        let mut answer = "SIP/2.0 200 OK\r\n".to_owned();
        for name in same {
            answer.push_str(&format!("{name}: {}\r\n", header(request, name)));
        }
        let to = header(request, "To");
        let tag = if to.contains(";tag=") { "" } else { ";tag=erin" };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        answer.push_str(&format!(
            "To: {to}{tag}\r\nContact: {CONTACT}\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        self.send(&answer);
    }
}

fn header(message: &str, name: &str) -> String {
    let value = message.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    value.unwrap_or_else(|| panic!("no {name} in {message}")).to_owned()
}

/// RFC 5626 §5.3 in the registrar's own hands: the call goes to the connection, and all of it stays there; with the
/// connection goes the binding.
#[test]
fn a_phone_behind_nat_is_called_on_its_connection_while_it_has_one() {
    let mut node = node_with(|_, config| config.replacen("phone_gateway = ", "# ", 1));
    let mut phone = TcpPhone::connect(&node);
    phone.register();
    let audio = SocketAddr::from((PHONE, node.ports().carrier_rtp.0));
    let line = LiveLine::start(audio, PHONE_HZ).expect("the phone's audio address is free");
    let runtime = runtime();
    let carrier = carrier(&runtime, &node);
    let call = carrier.call("+15551234", NUMBER, caller()).expect("a call");
    let invite = phone.receive();
    assert!(invite.starts_with("INVITE sip:1005@192.168.77.5:5060;transport=tcp SIP/2.0"), "{invite}");
    phone.answer(
        &invite,
        &format!(
            "v=0\r\no=- 1 1 IN IP4 {PHONE}\r\ns=-\r\nc=IN IP4 {PHONE}\r\nt=0 0\r\nm=audio {} RTP/AVP 0\r\n",
            audio.port()
        ),
    );
    assert!(phone.receive().starts_with("ACK sip:1005@192.168.77.5"));
    carrier.hears(call, PHONE_HZ, Duration::from_secs(1), PATIENCE).expect("the caller hears the phone");
    carrier.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
    let bye = phone.receive();
    assert!(bye.starts_with("BYE sip:1005@192.168.77.5"), "{bye}");
    phone.answer(&bye, "");
    assert_eq!(carrier.ended(call, PATIENCE).expect("the call ends").status, 200);
    assert!(
        line.heard().1.time_of_tone(CALLER_HZ) > Duration::from_millis(500),
        "the phone hears the caller"
    );
    drop(phone);
    // The binding would have lasted ten minutes; the node hears of the connection's end as soon as it is there.
    let gone = (0..100).any(|_| {
        let call = carrier.call("+15551234", NUMBER, caller()).expect("a call");
        carrier.ended(call, PATIENCE).expect("it ends").finals == [480]
    });
    assert!(gone, "nobody is called any more");
    let records = records(&mut node);
    let first = records.first().expect("a record");
    assert_eq!((first.legs.len(), first.end_status), (2, 200));
    assert!(first.legs.iter().all(|leg| leg.packets_received > 30 && leg.packets_lost == 0), "{first:#?}");
}
