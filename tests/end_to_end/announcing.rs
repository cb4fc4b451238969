//! Announcements before the answer: heard as early media, and then a refusal or a flow.

use std::cell::Cell;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use hound::{SampleFormat, WavSpec, WavWriter};
use tandem_peers::{Node, share_of_tone};
use tandem_phone::Law;

use crate::support::{PATIENCE, node_with, only_record};

const REFUSED: &str = "+15550131";
const ANSWERED: &str = "+15550132";
const PROMPT_HZ: f64 = 700.0;
const ECHO_HZ: f64 = 1_100.0;

/// A carrier, one datagram at a time.
struct Carrier {
    sip: UdpSocket,
    rtp: UdpSocket,
    node: SocketAddr,
    number: &'static str,
    /// Where the node wants audio.
    media: Cell<Option<SocketAddr>>,
}

impl Carrier {
    fn call(node: &Node, number: &'static str, has_offer: bool) -> Self {
        let ports = node.ports();
        let sip = UdpSocket::bind(ports.carrier).expect("the carrier's port");
        let rtp = UdpSocket::bind((ports.carrier.ip(), 0)).expect("a port for audio");
        for socket in [&sip, &rtp] {
            socket.set_read_timeout(Some(PATIENCE)).expect("set");
        }
        let carrier = Self { sip, rtp, node: ports.sip, number, media: Cell::new(None) };
        let (from, rtp) = (ports.carrier.ip(), carrier.rtp.local_addr().expect("bound"));
        let body = format!(
            "v=0\r\no=- 1 1 IN IP4 {from}\r\ns=-\r\nc=IN IP4 {from}\r\nt=0 0\r\nm=audio {} RTP/AVP 0\r\n",
            rtp.port()
        );
        let contact =
            format!("Contact: <sip:carrier@{}>\r\nContent-Type: application/sdp\r\n", ports.carrier);
        carrier.send("INVITE", "", &contact, if has_offer { &body } else { "" });
        carrier
    }

    fn send(&self, method: &str, to_tag: &str, headers: &str, body: &str) {
        let (number, node) = (self.number, self.node);
        let via = self.sip.local_addr().expect("bound");
        let sequence = if method == "BYE" { 2 } else { 1 };
        let request = format!(
            "{method} sip:{number}@{node} SIP/2.0\r\nVia: SIP/2.0/UDP {via};branch=z9hG4bK-{number}-{sequence}\r\n\
             Max-Forwards: 70\r\nFrom: <sip:+15551111@{via}>;tag=1\r\nTo: <sip:{number}@{node}>{to_tag}\r\n\
             Call-ID: {number}\r\nCSeq: {sequence} {method}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.sip.send_to(request.as_bytes(), node).expect("sent");
    }

    /// The next response that is not 100, and its To tag.
    fn response(&self) -> (u16, String) {
        loop {
            let mut buffer = [0; 4_096];
            let (len, _) = self.sip.recv_from(&mut buffer).expect("a response");
            let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
            let status = text[8..11].parse().expect("a status");
            let to = text.lines().find(|line| line.starts_with("To:")).expect("a To header");
            let tag = to.split_once(";tag=").map(|(_, tag)| format!(";tag={}", tag.trim()));
            if let Some((_, port)) = text.split_once("m=audio ") {
                let port = port.split(' ').next().and_then(|port| port.parse().ok()).expect("a port");
                self.media.set(Some(SocketAddr::new(self.node.ip(), port)));
            }
            if status != 100 {
                return (status, tag.unwrap_or_default());
            }
        }
    }

    /// Says a tone, a packet every 20 ms at least, until so many packets were heard; their samples.
    fn says_until_it_hears(&self, packets: usize, hz: f64) -> Vec<i16> {
        let media = self.media.get().expect("the node has said where");
        self.rtp.set_read_timeout(Some(Duration::from_millis(20))).expect("set");
        let mut heard = Vec::new();
        for sequence in 0..1_000_u16 {
            let mut packet = vec![0x80, 0];
            packet.extend(sequence.to_be_bytes());
            packet.extend((160 * u32::from(sequence)).to_be_bytes());
            packet.extend([0, 0, 0, 9]);
            packet.extend((0..160).map(|n| {
                let time = f64::from(160 * u32::from(sequence) + n) / 8_000.0;
                Law::Mu.encode((8_000.0 * (std::f64::consts::TAU * hz * time).sin()) as i16)
            }));
            self.rtp.send_to(&packet, media).expect("sent");
            heard.extend(self.packet().unwrap_or_default());
            if heard.len() >= 160 * packets {
                break;
            }
        }
        heard
    }

    /// The samples of so many packets.
    fn hears(&self, packets: usize) -> Vec<i16> {
        (0..packets).flat_map(|_| self.packet().expect("early media")).collect()
    }

    /// The samples of the next packet.
    fn packet(&self) -> Option<Vec<i16>> {
        let mut buffer = [0; 1_500];
        let (len, _) = self.rtp.recv_from(&mut buffer).ok()?;
        assert_eq!((buffer[1] & 0x7f, len), (0, 172), "20 ms of PCMU");
        Some(buffer[12..len].iter().map(|octet| Law::Mu.decode(*octet)).collect())
    }
}

/// Writes the prompt of one second, and the numbers.
fn announced() -> Node {
    node_with(|folder, config| {
        let spec = WavSpec {
            channels: 1,
            sample_rate: 8_000,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let mut writer = WavWriter::create(folder.join("prompts/gone.wav"), spec).expect("a file");
        for n in 0..8_000 {
            let sample = 8_000.0 * (std::f64::consts::TAU * PROMPT_HZ * f64::from(n) / 8_000.0).sin();
            writer.write_sample(sample as i16).expect("written");
        }
        writer.finalize().expect("written");
        let entry_point = |number, then| {
            format!("\n[[entry_point]]\nnumber = \"{number}\"\nannounce = [\"gone\"]\n{then}\n")
        };
        let (refused, answered) = ("refuse = \"not_found\"", "flow = \"echo\"");
        config + &entry_point(REFUSED, refused) + &entry_point(ANSWERED, answered)
    })
}

/// RFC 3960, RFC 3261 §13.3.1.1: heard with 183, refused by 404, and never answered: nobody is charged.
#[test]
fn a_caller_hears_why_before_it_is_refused() {
    let mut node = announced();
    let carrier = Carrier::call(&node, REFUSED, true);
    let (status, early) = carrier.response();
    assert_eq!(status, 183);
    let heard = carrier.hears(50);
    assert!(share_of_tone(&heard, PROMPT_HZ) > 0.95, "the announcement");
    let (status, tag) = carrier.response();
    assert_eq!((status, &tag), (404, &early));
    carrier.send("ACK", &tag, "", "");
    let record = only_record(&mut node);
    assert_eq!((record.answered, record.end_status), (None, 404));
    let told: Vec<_> = record
        .timeline
        .iter()
        .map(|it| (it.kind.as_str(), it.subject.as_str(), it.detail.as_deref()))
        .collect();
    assert!(told.contains(&("announced", "gone", Some("early"))), "{told:?}");
}

/// What cannot be heard before the answer is not waited for.
#[test]
fn a_caller_without_an_offer_is_refused_at_once() {
    let mut node = announced();
    let carrier = Carrier::call(&node, REFUSED, false);
    let (status, tag) = carrier.response();
    assert_eq!(status, 404);
    carrier.send("ACK", &tag, "", "");
    assert_eq!(only_record(&mut node).end_status, 404);
}

#[test]
fn a_flow_answers_who_has_heard_the_announcement() {
    let mut node = announced();
    let carrier = Carrier::call(&node, ANSWERED, true);
    assert_eq!(carrier.response().0, 183);
    assert!(share_of_tone(&carrier.hears(50), PROMPT_HZ) > 0.95, "the announcement");
    let (status, tag) = carrier.response();
    assert_eq!(status, 200);
    carrier.send("ACK", &tag, "", "");
    assert!(share_of_tone(&carrier.says_until_it_hears(50, ECHO_HZ), ECHO_HZ) > 0.8, "the flow is an echo");
    carrier.send("BYE", &tag, "", "");
    assert_eq!(carrier.response().0, 200);
    let record = only_record(&mut node);
    assert!(record.answered.is_some(), "{record:#?}");
}
