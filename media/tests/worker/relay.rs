//! Packets between two parties.

use tandem_media::*;

use crate::support::*;

#[test]
fn bridged_parties_hear_each_other_under_our_ssrc_and_payload_types() {
    let mut bench = Bench::new(2);
    let a = bench.open(0, stream(0));
    let b = bench.open(1, StreamParameters { send_payload_type: 96, ..stream(1) });
    bench.command(Command::Bridge { a, b });
    let mut alice = Source::new(0xa11ce, 0);
    let mut last = None;
    for payload in [[1; 160], [2; 160], [3; 160]] {
        let source = alice.clone();
        let sent = bench.packet(a, party(0), &alice.audio(&payload)).unwrap();
        assert_eq!((sent.endpoint, sent.destination), (b, party(1)));
        let packet = sent.rtp();
        assert_eq!(packet.payload, payload.as_slice());
        assert_eq!(packet.header.payload_type, 96);
        assert_ne!(packet.header.ssrc, source.ssrc);
        let offset = packet.header.sequence_number.wrapping_sub(source.sequence);
        let shift = packet.header.timestamp.wrapping_sub(source.timestamp);
        assert_eq!(
            *last.get_or_insert((packet.header.ssrc, offset, shift)),
            (packet.header.ssrc, offset, shift)
        );
        bench.run(PTIME);
    }
    let mut bob = Source::new(0xb0b, 0);
    let back = bench.packet(b, party(1), &bob.audio(&[9; 160])).unwrap();
    assert_eq!((back.endpoint, back.destination, back.rtp().header.payload_type), (a, party(0), 0));
}

#[test]
fn different_laws_are_transcoded_both_ways() {
    let mut bench = Bench::new(2);
    let a = bench.open(0, stream(0));
    let b = bench.open(1, alaw_stream(1));
    bench.command(Command::Bridge { a, b });
    let (mut alice, mut bob) = (Source::new(1, 0), Source::new(2, 8));
    let speech: Vec<i16> = (0..160).map(|n| n * 180 - 14_000).collect();
    let encoded = |codec: Codec| speech.iter().map(|sample| codec.encode(*sample)).collect::<Vec<_>>();
    let near = |heard: Vec<i16>| {
        heard.iter().zip(&speech).all(|(heard, said)| (heard - said).abs() <= 16 + said.abs() / 12)
    };
    let to_bob = bench.packet(a, party(0), &alice.audio(&encoded(Codec::Pcmu))).unwrap();
    assert_eq!(to_bob.rtp().header.payload_type, 8);
    assert!(near(decode(Codec::Pcma, &[to_bob])));
    let to_alice = bench.packet(b, party(1), &bob.audio(&encoded(Codec::Pcma))).unwrap();
    assert!(near(decode(Codec::Pcmu, &[to_alice])));
}
