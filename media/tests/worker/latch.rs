//! From where media is believed (RFC 7362, without letting a stranger's packet in).

use std::net::SocketAddr;
use std::time::Duration;

use tandem_media::*;

use crate::support::*;

fn other(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// Whether a packet from `source` is accepted: an endpoint bridged to itself sends it back.
fn echoed(
    bench: &mut Bench,
    endpoint: EndpointId,
    source: SocketAddr,
    stream: &mut Source,
) -> Option<SocketAddr> {
    bench.packet(endpoint, source, &stream.audio(&[7; 160])).map(|sent| sent.destination)
}

fn echo(latch: LatchPolicy) -> (Bench, EndpointId) {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, StreamParameters { latch, ..stream(0) });
    bench.command(Command::Bridge { a: endpoint, b: endpoint });
    (bench, endpoint)
}

#[test]
fn a_signalled_address_is_the_only_one_believed() {
    let (mut bench, endpoint) = echo(LatchPolicy::Signalled);
    let mut source = Source::new(1, 0);
    for stranger in ["127.0.0.11:30000", "127.0.0.10:30001", "[::1]:30000"] {
        assert_eq!(echoed(&mut bench, endpoint, other(stranger), &mut source), None, "{stranger}");
    }
    assert_eq!(bench.refused(Refusal::Source), 3);
    assert_eq!(bench.take_events(), [], "a stranger starts nothing");
    assert_eq!(echoed(&mut bench, endpoint, party(0), &mut source), Some(party(0)));
    assert_eq!(bench.take_events(), [Event::MediaStarted { endpoint, source: party(0) }]);
}

#[test]
fn a_signalled_ip_is_believed_at_the_port_of_its_first_packet() {
    let (mut bench, endpoint) = echo(LatchPolicy::SignalledAddress);
    let mut source = Source::new(1, 0);
    let port = other("127.0.0.10:44444");
    assert_eq!(echoed(&mut bench, endpoint, other("127.0.0.11:30000"), &mut source), None);
    assert_eq!(echoed(&mut bench, endpoint, port, &mut source), Some(port));
    let another = other("127.0.0.10:44446");
    assert_eq!(echoed(&mut bench, endpoint, another, &mut source), None, "no second latch");
}

/// Found by simulation: two calls of one carrier, and a late packet of the one to the port that is now the other's.
#[test]
fn a_late_packet_of_another_call_does_not_keep_the_party_out() {
    let (mut bench, endpoint) = echo(LatchPolicy::SignalledAddress);
    let late = other("127.0.0.10:44444");
    assert_eq!(echoed(&mut bench, endpoint, late, &mut Source::new(9, 0)), Some(late));
    let mut source = Source::new(1, 0);
    let heard: Vec<_> = (0..3).filter_map(|_| echoed(&mut bench, endpoint, party(0), &mut source)).collect();
    assert_eq!(heard.last(), Some(&party(0)));
    assert_eq!(echoed(&mut bench, endpoint, late, &mut Source::new(9, 1)), None, "and is not heard again");
}

#[test]
fn behind_nat_the_first_packet_fixes_address_and_port_until_the_next_agreement() {
    let signalling = other("192.0.2.1:5060").ip();
    let latch = LatchPolicy::BehindNat { signalling, gateway: None };
    let (mut bench, endpoint) = echo(latch);
    let mut source = Source::new(1, 0);
    let (mapped, remapped) = (other("192.0.2.1:1111"), other("192.0.2.1:2222"));
    let garbage = [0x80; 11];
    assert!(bench.packet(endpoint, remapped, &garbage).is_none(), "what is not RTP fixes nothing");
    assert_eq!(echoed(&mut bench, endpoint, mapped, &mut source), Some(mapped));
    assert_eq!(echoed(&mut bench, endpoint, remapped, &mut source), None);
    bench.command(Command::Configure { endpoint, stream: StreamParameters { latch, ..stream(0) } });
    bench.command(play(endpoint, 1, vec![Segment::Audio(audio_of_ms(20))]));
    bench.run(MS * 20);
    let sent = bench.take_rtp(endpoint);
    assert_eq!(sent.last().unwrap().destination, mapped, "it is where it was until it speaks");
    assert_eq!(echoed(&mut bench, endpoint, remapped, &mut source), Some(remapped));
    assert_eq!(echoed(&mut bench, endpoint, mapped, &mut source), None);
}

#[test]
fn rtcp_is_believed_by_the_same_rules_and_follows_rtp_behind_nat() {
    let signalling = other("192.0.2.1:5060").ip();
    let (mut bench, endpoint) = echo(LatchPolicy::BehindNat { signalling, gateway: None });
    let report = [0x80, 201, 0, 1, 0, 0, 0, 9];
    let stranger = other("192.0.2.9:7");
    bench.packet_on(Channel::Rtcp, endpoint, stranger, &report);
    assert_eq!((bench.refused(Refusal::Source), bench.worker.counters().rtcp_received), (1, 0));
    echoed(&mut bench, endpoint, other("192.0.2.1:1110"), &mut Source::new(1, 0));
    bench.run(MS * 10_000);
    let destination = |bench: &Bench| bench.sent.last().map(|sent| (sent.channel, sent.destination));
    assert_eq!(destination(&bench), Some((Channel::Rtcp, other("192.0.2.1:1111"))), "the next port (§11)");
    bench.packet_on(Channel::Rtcp, endpoint, other("192.0.2.1:5555"), &report);
    bench.run(MS * 10_000);
    assert_eq!(destination(&bench), Some((Channel::Rtcp, other("192.0.2.1:5555"))));
}

#[test]
fn nothing_is_sent_to_a_placeholder_address() {
    let nowhere = other("0.0.0.0:30000");
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, StreamParameters { remote_rtp: nowhere, remote_rtcp: nowhere, ..stream(0) });
    bench.command(play(endpoint, 1, vec![Segment::Audio(audio_of_ms(100))]));
    bench.run(MS * 10_000);
    assert_eq!(bench.sent.len(), 0, "RFC 3264 §8.4: an old way of holding");
    assert!(matches!(bench.take_events()[..], [Event::PlayEnded { end: PlayEnd::Finished, .. }]));
}

/// Whom the socket was asked to be connected to since the last look.
fn connections(bench: &mut Bench) -> Vec<Option<SocketAddr>> {
    std::mem::take(&mut bench.connections).into_iter().map(|(_, remote)| remote).collect()
}

#[test]
fn who_can_be_nowhere_else_is_connected_to_once_it_is_heard() {
    let (mut bench, endpoint) = echo(LatchPolicy::SignalledAddress);
    let mut source = Source::new(1, 0);
    echoed(&mut bench, endpoint, other("127.0.0.10:44444"), &mut source);
    assert_eq!(connections(&mut bench), [], "the signalled port would be believed yet");
    for _ in 0..3 {
        echoed(&mut bench, endpoint, party(0), &mut source);
    }
    assert_eq!(connections(&mut bench), [Some(party(0))]);
}

#[test]
fn what_is_agreed_elsewhere_disconnects() {
    let latch = LatchPolicy::Signalled;
    let (mut bench, endpoint) = echo(latch);
    let mut source = Source::new(1, 0);
    echoed(&mut bench, endpoint, party(0), &mut source);
    let agree = |bench: &mut Bench, remote_rtp| {
        let stream = StreamParameters { remote_rtp, latch, ..stream(0) };
        bench.command(Command::Configure { endpoint, stream });
    };
    agree(&mut bench, party(0));
    assert_eq!(connections(&mut bench), [Some(party(0))], "it stays where it is");
    agree(&mut bench, party(7));
    assert_eq!(connections(&mut bench), [None]);
    assert_eq!(echoed(&mut bench, endpoint, party(7), &mut source), Some(party(7)));
    assert_eq!(connections(&mut bench), [Some(party(7))]);
}

/// It may send from elsewhere now: not believed, and seen.
#[test]
fn who_falls_silent_is_disconnected_from_until_it_is_heard() {
    for media_timeout in [None, Some(Duration::from_secs(2))] {
        let mut bench = Bench::new(1);
        let endpoint = bench.open(0, StreamParameters { media_timeout, ..stream(0) });
        bench.command(play(endpoint, 1, vec![Segment::Silence(Duration::from_secs(60))]));
        let mut source = Source::new(1, 0);
        bench.packet(endpoint, party(0), &source.audio(&[7; 160]));
        bench.run(MS * 1_900);
        assert_eq!(connections(&mut bench), [Some(party(0))]);
        bench.run(MS * 10_000);
        assert_eq!(connections(&mut bench), [None]);
        bench.packet(endpoint, party(0), &source.audio(&[7; 160]));
        assert_eq!(connections(&mut bench), [Some(party(0))]);
    }
}
