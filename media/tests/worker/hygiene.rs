//! What peers do to RTP, and what becomes of it: each habit has a test of its own.

use std::time::Duration;

use tandem_media::codec::OpusParameters;
use tandem_media::*;

use crate::support::*;

fn bridged() -> (Bench, EndpointId, EndpointId) {
    let mut bench = Bench::new(2);
    let (a, b) = (bench.open(0, stream(0)), bench.open(1, stream(1)));
    bench.command(Command::Bridge { a, b });
    (bench, a, b)
}

/// A packet with everything a header may have: two CSRCs, an extension of two words, three octets of padding.
fn adorned(plain: &[u8]) -> Vec<u8> {
    let mut packet = plain[..12].to_vec();
    packet[0] = 0x80 | 0x20 | 0x10 | 2;
    packet.extend([1, 1, 1, 1, 2, 2, 2, 2]);
    packet.extend([0xbe, 0xde, 0, 2, 0x51, 7, 7, 0, 0x10, 9, 0, 0]);
    packet.extend(&plain[12..]);
    packet.extend([0, 0, 3]);
    packet
}

/// RFC 3550 §5.1, §5.3.1; RFC 8285 §5: extensions are agreed on with each side, and none is with us.
#[test]
fn contributors_extensions_and_padding_stay_behind() {
    let (mut bench, a, _) = bridged();
    let mut source = Source::new(5, 0);
    let payload: Vec<u8> = (0..160).map(|n| n as u8).collect();
    for _ in 0..3 {
        let packet = adorned(&source.audio(&payload));
        let relayed = bench.packet(a, party(0), &packet).expect("relayed");
        assert_eq!((relayed.bytes[0], relayed.bytes.len()), (0x80, 172));
        assert_eq!(relayed.bytes[12..], payload);
        bench.run(PTIME);
    }
}

/// Lengths in a header that go beyond the packet, and versions that are none.
#[test]
fn malformed_headers_are_refused_and_counted() {
    let (mut bench, a, _) = bridged();
    let plain = Source::new(5, 0).audio(&[0xff; 160]);
    let with = |edit: &dyn Fn(&mut Vec<u8>)| {
        let mut packet = adorned(&plain);
        edit(&mut packet);
        packet
    };
    let malformed = [
        with(&|packet| packet[0] = 0x40 | packet[0] & 0x3f),
        with(&|packet| packet[23] = 0xff),
        with(&|packet| packet.truncate(21)),
        with(&|packet| packet.truncate(14)),
        with(&|packet| *packet.last_mut().expect("padding") = 0),
        with(&|packet| *packet.last_mut().expect("padding") = 255),
        plain[..11].to_vec(),
    ];
    for (n, packet) in malformed.iter().enumerate() {
        assert!(bench.packet(a, party(0), packet).is_none(), "packet {n}");
        assert_eq!(bench.refused(Refusal::Malformed), n as u64 + 1);
    }
}

/// RFC 3551 §4.1: the first packet after silence bears the marker, and the time of the silence is in its timestamp.
#[test]
fn a_talkspurt_s_marker_and_time_go_through() {
    let (mut bench, a, _) = bridged();
    let mut source = Source::new(5, 0);
    let first = bench.packet(a, party(0), &source.audio(&[0xff; 160])).expect("relayed").rtp();
    assert!(first.header.marker, "the first of all");
    bench.run(MS * 1_000);
    source.timestamp += 7_840;
    let mut packet = source.audio(&[0xff; 160]);
    packet[1] |= 0x80;
    let next = bench.packet(a, party(0), &packet).expect("relayed").rtp();
    assert!(next.header.marker);
    assert_eq!(next.header.timestamp.wrapping_sub(first.header.timestamp), 8_000);
    assert_eq!(next.header.sequence_number.wrapping_sub(first.header.sequence_number), 1);
}

/// A sender whose timestamps jump without a new SSRC: ours jump with them, its sequence stays in order.
#[test]
fn a_timestamp_jump_is_the_sender_s_own() {
    let (mut bench, a, _) = bridged();
    let mut source = Source::new(5, 0);
    let before = bench.packet(a, party(0), &source.audio(&[0xff; 160])).expect("relayed").rtp();
    source.timestamp = source.timestamp.wrapping_add(3_000_000_000);
    let after = bench.packet(a, party(0), &source.audio(&[0xff; 160])).expect("relayed").rtp();
    assert_eq!(after.header.timestamp.wrapping_sub(before.header.timestamp), 3_000_000_160);
    assert_eq!(after.header.sequence_number.wrapping_sub(before.header.sequence_number), 1);
    assert_eq!(after.header.ssrc, before.header.ssrc);
}

/// RFC 3551 §4.2: receivers take any packet time from 0 to 200 ms. What one side sends, the other gets as it came; what
/// we send ourselves has the packet time that was agreed.
#[test]
fn packets_of_10_to_60_ms_go_through_as_they_come() {
    for (ms_a, ms_b) in [(10, 60), (60, 10), (20, 30), (40, 20), (50, 50)] {
        let mut bench = Bench::new(2);
        let ptime = |ms: u64| Duration::from_millis(ms);
        let a = bench.open(0, StreamParameters { ptime: ptime(ms_a), ..stream(0) });
        let b = bench.open(1, StreamParameters { ptime: ptime(ms_b), ..stream(1) });
        bench.command(Command::Bridge { a, b });
        for (endpoint, ms) in [(a, ms_a), (b, ms_b)] {
            let samples = ms as usize * 8;
            let mut source = Source::new(5, 0);
            let mut last = None;
            for _ in 0..10 {
                let packet = source.audio(&vec![0x2a; samples]);
                source.timestamp = source.timestamp.wrapping_add(samples as u32).wrapping_sub(160);
                let sent = bench.packet(endpoint, party(endpoint.index), &packet).expect("relayed").rtp();
                assert_eq!(sent.payload.len(), samples);
                if let Some(last) = last.replace(sent.header.timestamp) {
                    assert_eq!(sent.header.timestamp.wrapping_sub(last), samples as u32);
                }
                bench.run(ptime(ms));
            }
        }
    }
}

/// A sender that changes to a codec that was not agreed is not heard, and heard again when it comes back.
#[test]
fn a_payload_type_switched_in_mid_call_is_refused_until_it_is_switched_back() {
    let (mut bench, a, _) = bridged();
    let mut source = Source::new(5, 0);
    let mut relayed = |payload_type: u8| {
        source.payload_type = payload_type;
        bench.packet(a, party(0), &source.audio(&[0x55; 160])).is_some()
    };
    assert_eq!([0, 0, 8, 8, 18, 0].map(&mut relayed), [true, true, false, false, false, true]);
    assert_eq!(bench.refused(Refusal::PayloadType), 3);
}

/// RFC 3264 §8.4 and its older way, c=0.0.0.0 (RFC 2543): who holds us is sent nothing, and heard if it plays music.
#[test]
fn a_party_on_hold_is_sent_nothing() {
    for (direction, hears_us, is_heard) in [
        (Direction::SendReceive, true, true),
        (Direction::ReceiveOnly, false, true),
        (Direction::SendOnly, true, false),
        (Direction::Inactive, false, false),
    ] {
        let (mut bench, a, b) = bridged();
        bench
            .command(Command::Configure { endpoint: a, stream: StreamParameters { direction, ..stream(0) } });
        let mut other = Source::new(6, 0);
        assert_eq!(
            bench.packet(b, party(1), &other.audio(&[0xff; 160])).is_some(),
            hears_us,
            "{direction:?}"
        );
        let mut held = Source::new(5, 0);
        assert_eq!(bench.packet(a, party(0), &held.audio(&[0xff; 160])).is_some(), is_heard, "{direction:?}");
    }
    let (mut bench, a, b) = bridged();
    let mut nowhere = stream(0);
    nowhere.remote_rtp = "0.0.0.0:30000".parse().expect("an address");
    bench.command(Command::Configure { endpoint: a, stream: nowhere });
    assert!(bench.packet(b, party(1), &Source::new(6, 0).audio(&[0xff; 160])).is_none());
}

fn one_way(bench: &mut Bench) -> usize {
    bench.take_events().into_iter().filter(|event| matches!(event, Event::OneWay { .. })).count()
}

#[test]
fn one_way_audio_is_told_once_and_again_when_it_happens_again() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, stream(0));
    bench.command(play(endpoint, 1, vec![Segment::Silence(Duration::from_secs(60))]));
    bench.run(MS * 4_900);
    assert_eq!(one_way(&mut bench), 0);
    bench.run(MS * 10_000);
    assert_eq!(one_way(&mut bench), 1, "once");
    let mut source = Source::new(5, 0);
    bench.packet(endpoint, party(0), &source.audio(&[0xff; 160]));
    bench.run(MS * 4_900);
    assert_eq!(one_way(&mut bench), 0, "it was heard");
    bench.run(MS * 1_200);
    assert_eq!(one_way(&mut bench), 1, "and is not any more");
}

/// Nobody expects anything of a party that is not sent to, or that may not send.
#[test]
fn silence_both_ways_is_not_one_way() {
    let mut bench = Bench::new(2);
    bench.open(0, stream(0));
    let held = bench.open(1, StreamParameters { direction: Direction::SendOnly, ..stream(1) });
    bench.command(play(held, 1, vec![Segment::Silence(Duration::from_secs(60))]));
    bench.run(MS * 30_000);
    assert_eq!(one_way(&mut bench), 0);
}

/// RFC 3389 §4, RFC 6716 §2.1.9: who has said that it falls silent is not one-way, however long that lasts.
#[test]
fn who_saves_silence_is_not_one_way() {
    let noise = StreamParameters { comfort_noise: true, ..stream(0) };
    let opus = Codec::Opus(OpusParameters::default());
    let opus = StreamParameters { codec: opus, event_clock_hz: 48_000, ..stream(0) };
    for (agreed, payload_type, silence, is_told) in [
        (noise.clone(), 13, &[40][..], 0),
        (noise, 0, &[0xff; 160], 1),
        (opus.clone(), 0, &[0xfc], 0),
        (opus, 0, &[0xfc; 40], 1),
    ] {
        let mut bench = Bench::new(1);
        let endpoint = bench.open(0, agreed);
        bench.command(play(endpoint, 1, vec![Segment::Tone(Tone::Ringback); 20]));
        bench.packet(endpoint, party(0), &Source::new(5, payload_type).audio(silence));
        bench.run(Duration::from_secs(20));
        assert_eq!(one_way(&mut bench), is_told, "after {payload_type}, {} octets", silence.len());
    }
}

/// RFC 3550 §6.4: reports tell who sends. A party that counts its packets on, none of which comes, is one-way all the more.
#[test]
fn reports_tell_a_pause_from_packets_that_do_not_come() {
    let sender = |packets: u32| {
        let words = [5, 1, 0, 0, packets, packets * 160].into_iter().flat_map(u32::to_be_bytes);
        [0x80, 200, 0, 6].into_iter().chain(words).collect::<Vec<u8>>()
    };
    let receiver = [0x80, 201, 0, 1, 0, 0, 0, 5].to_vec();
    let six = |report: &dyn Fn(u32) -> Vec<u8>| (0..6).map(report).collect::<Vec<_>>();
    let counts_on = six(&|turn| sender(100 + 50 * turn));
    let (stays, receives) = (six(&|_| sender(100)), six(&|_| receiver.clone()));
    for (how, reports, expected) in [
        ("it counts on", counts_on, 1),
        ("it counts no more", stays, 0),
        ("it reports as a receiver", receives, 0),
    ] {
        let mut bench = Bench::new(1);
        let endpoint = bench.open(0, stream(0));
        bench.command(play(endpoint, 1, vec![Segment::Silence(Duration::from_secs(60))]));
        bench.packet(endpoint, party(0), &Source::new(5, 0).audio(&[0xff; 160]));
        for report in &reports {
            bench.run(MS * 4_000);
            bench.packet_on(Channel::Rtcp, endpoint, rtcp_of(party(0)), report);
        }
        assert_eq!(one_way(&mut bench), expected, "{how}");
        bench.run(Duration::from_secs(30));
        assert_eq!(one_way(&mut bench), 1 - expected, "{how}: and then nothing is heard of it any more");
    }
}

/// RFC 3550 §8.2: a party under our SSRC. A BYE under it, then another; who has that one as well plays us our own packets.
#[test]
fn a_party_with_our_ssrc_makes_us_take_another_once() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, stream(0));
    bench.command(play(endpoint, 1, vec![Segment::Silence(Duration::from_secs(60))]));
    bench.run(MS * 200);
    let ours = |bench: &mut Bench| bench.take_rtp(endpoint).last().expect("a packet").rtp().header.ssrc;
    let first = ours(&mut bench);
    let goodbyes = |bench: &Bench| {
        let rtcp = bench.sent.iter().filter(|sent| sent.channel == Channel::Rtcp);
        rtcp.filter(|sent| sent.bytes.windows(2).any(|pair| pair == [0x81, 203])).count()
    };
    bench.packet(endpoint, party(0), &Source { ssrc: first, ..Source::new(5, 0) }.audio(&[0xff; 160]));
    bench.run(MS * 200);
    let second = ours(&mut bench);
    assert_ne!(first, second);
    assert_eq!(goodbyes(&bench), 1);
    bench.packet(endpoint, party(0), &Source { ssrc: second, ..Source::new(5, 0) }.audio(&[0xff; 160]));
    bench.run(MS * 200);
    assert_eq!((ours(&mut bench), goodbyes(&bench)), (second, 1), "a loop, not a party");
}
