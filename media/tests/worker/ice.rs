//! ICE's lite side (RFC 8445 §2.5) and RTCP on RTP's port (RFC 5761); checks are made and their answers read by
//! `stun`, an implementation that is not ours.

use std::net::SocketAddr;

use stun::agent::TransactionId;
use stun::attributes::{ATTR_USE_CANDIDATE, ATTR_USERNAME};
use stun::fingerprint::FINGERPRINT;
use stun::integrity::MessageIntegrity;
use stun::message::{BINDING_REQUEST, BINDING_SUCCESS, Getter as _, Message, Setter};
use stun::textattrs::TextAttribute;
use stun::xoraddr::XorMappedAddress;
use tandem_media::{Channel, Command, EndpointId, IceCredentials, Refusal, StreamParameters};

use crate::support::{Bench, Source, party, stream};

const PASSWORD: &str = "0123456789abcdef0123456789abcdef";

/// Where the party really is: what it signalled was its address behind the NAT.
fn outside(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 7], port))
}

fn integrity(password: &str) -> MessageIntegrity {
    MessageIntegrity::new_short_term_integrity(password.to_owned())
}

/// A check of the party's (RFC 8445 §7.2.2).
fn check(password: &str, nominates: bool) -> Vec<u8> {
    let username = TextAttribute::new(ATTR_USERNAME, "ours:theirs".to_owned());
    let nomination = stun::attributes::RawAttribute { typ: ATTR_USE_CANDIDATE, ..Default::default() };
    let mut setters: Vec<Box<dyn Setter>> =
        vec![Box::new(BINDING_REQUEST), Box::new(TransactionId::new()), Box::new(username)];
    if nominates {
        setters.push(Box::new(nomination));
    }
    setters.push(Box::new(integrity(password)));
    setters.push(Box::new(FINGERPRINT));
    let mut message = Message::new();
    message.build(&setters).expect("a check");
    message.raw
}

fn open(bench: &mut Bench) -> EndpointId {
    let ice = IceCredentials { local_fragment: "ours".into(), local_password: PASSWORD.into() };
    let stream = StreamParameters { ice: Some(Box::new(ice)), rtcp_mux: true, ..stream(0) };
    let endpoint = bench.open(0, stream);
    bench.command(Command::Bridge { a: endpoint, b: endpoint });
    endpoint
}

/// Sends a check and reads the answer: the address it says the check came from.
fn checked(bench: &mut Bench, endpoint: EndpointId, from: SocketAddr, nominates: bool) -> SocketAddr {
    bench.packet(endpoint, from, &check(PASSWORD, nominates));
    let sent = bench.sent.pop().expect("an answer");
    assert_eq!((sent.channel, sent.destination), (Channel::Rtp, from));
    let mut answer = Message::new();
    answer.unmarshal_binary(&sent.bytes).expect("STUN");
    assert_eq!(answer.typ, BINDING_SUCCESS);
    integrity(PASSWORD).check(&mut answer).expect("our integrity");
    FINGERPRINT.check(&answer).expect("a fingerprint");
    let mut mapped = XorMappedAddress::default();
    mapped.get_from(&answer).expect("an address");
    SocketAddr::new(mapped.ip, mapped.port)
}

#[test]
fn a_party_is_believed_from_where_its_check_comes_and_from_nowhere_before() {
    let mut bench = Bench::new(1);
    let endpoint = open(&mut bench);
    let mut source = Source::new(7, 0);
    for early in [party(0), outside(5_000)] {
        assert!(bench.packet(endpoint, early, &source.audio(&[1; 160])).is_none(), "no check came yet");
    }
    assert_eq!(bench.refused(Refusal::Source), 2);
    assert_eq!(checked(&mut bench, endpoint, outside(5_000), false), outside(5_000));
    let heard = bench.packet(endpoint, outside(5_000), &source.audio(&[2; 160])).expect("an echo");
    assert_eq!(heard.destination, outside(5_000));
    assert!(bench.packet(endpoint, party(0), &source.audio(&[3; 160])).is_none(), "nowhere else");
}

/// RFC 8445 §7.3.1.5: the pair that is nominated is the one in use.
#[test]
fn audio_follows_the_nominated_check() {
    let mut bench = Bench::new(1);
    let endpoint = open(&mut bench);
    let mut source = Source::new(7, 0);
    checked(&mut bench, endpoint, outside(5_000), false);
    checked(&mut bench, endpoint, outside(6_000), false);
    assert!(bench.packet(endpoint, outside(6_000), &source.audio(&[1; 160])).is_none(), "not nominated");
    checked(&mut bench, endpoint, outside(6_000), true);
    let heard = bench.packet(endpoint, outside(6_000), &source.audio(&[2; 160])).expect("an echo");
    assert_eq!(heard.destination, outside(6_000));
}

#[test]
fn a_check_with_another_password_opens_nothing() {
    let mut bench = Bench::new(1);
    let endpoint = open(&mut bench);
    bench.packet(endpoint, outside(5_000), &check("another password", true));
    assert_eq!((bench.sent.len(), bench.refused(Refusal::Forged)), (0, 1));
    let mut source = Source::new(7, 0);
    assert!(bench.packet(endpoint, outside(5_000), &source.audio(&[1; 160])).is_none());
}

/// RFC 5761 §4: a report on RTP's port is read as one, and ours go there.
#[test]
fn reports_share_the_port() {
    let mut bench = Bench::new(1);
    let endpoint = open(&mut bench);
    checked(&mut bench, endpoint, outside(5_000), true);
    let receiver_report = [0x80, 201, 0, 1, 0, 0, 0, 9];
    bench.packet(endpoint, outside(5_000), &receiver_report);
    assert_eq!(bench.worker.counters().rtcp_received, 1);
    bench.run(std::time::Duration::from_secs(10));
    let reports: Vec<_> = bench.take_rtp(endpoint);
    assert!(!reports.is_empty(), "reports of ours");
    for report in reports {
        assert_eq!((report.destination, report.bytes[1]), (outside(5_000), 201), "a receiver report");
    }
}

/// Further checks come from other places, and may choose one of them.
#[test]
fn who_uses_ice_is_never_connected_to() {
    let mut bench = Bench::new(1);
    let endpoint = open(&mut bench);
    checked(&mut bench, endpoint, outside(4_000), true);
    let mut source = Source::new(1, 0);
    for _ in 0..3 {
        let sent = bench.packet(endpoint, outside(4_000), &source.audio(&[7; 160]));
        assert_eq!(sent.map(|sent| sent.destination), Some(outside(4_000)));
    }
    assert_eq!(bench.connections, []);
}
