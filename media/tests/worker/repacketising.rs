//! Who wants packets of another length than the other party sends has them, and all others are relayed.

use std::f64::consts::TAU;
use std::time::Duration;

use tandem_media::codec::{Decoder, Encoder, OpusParameters, Rate};
use tandem_media::*;

use crate::support::*;

/// No whole number of samples is a cycle of theirs, so that a piece that was left out or put in shows.
const TONES_HZ: [f64; 2] = [1_150.0, 1_450.0];

/// A party that says its tone in packets of any length.
struct Talker {
    endpoint: EndpointId,
    source: Source,
    codec: Codec,
    encoder: Encoder,
    said: u32,
    next_at: Duration,
}

fn speaks(index: u32, codec: Codec, packet_times: PacketTimes, ms: u64) -> StreamParameters {
    let number = match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
        Codec::G722 => 9,
        Codec::Opus(_) => 111,
    };
    StreamParameters {
        codec,
        send_payload_type: number,
        receive_payload_type: number,
        event_clock_hz: codec.clock_hz(),
        ptime: Duration::from_millis(ms),
        packet_times,
        ..stream(index)
    }
}

impl Talker {
    fn new(bench: &mut Bench, index: u32, stream: StreamParameters) -> Self {
        let (codec, number) = (stream.codec, stream.send_payload_type);
        let endpoint = bench.open(index, stream);
        let (source, encoder) = (Source::new(50 + index, number), Encoder::new(codec, Rate::Narrowband));
        Self { endpoint, source, codec, encoder, said: 0, next_at: Duration::ZERO }
    }

    /// So much more of its tone, in one packet; what is relayed of it.
    fn speak(&mut self, bench: &mut Bench, length: Duration) -> Option<Sent> {
        let hz = TONES_HZ[self.endpoint.index as usize];
        let count = Rate::Narrowband.samples_in(length) as u32;
        let sample = |n: u32| (8_000.0 * (TAU * hz * f64::from(n) / 8_000.0).sin()) as i16;
        let samples: Vec<i16> = (self.said..self.said + count).map(sample).collect();
        self.said += count;
        let mut payload = [0; 480];
        let len = self.encoder.encode(&samples, &mut payload);
        let timestamp = self.source.timestamp;
        let packet = self.source.audio(&payload[..len]);
        self.source.timestamp = timestamp.wrapping_add(count * (self.codec.clock_hz() / 8_000));
        bench.packet(self.endpoint, party(self.endpoint.index), &packet)
    }

    /// The audio packets that it was sent.
    fn received(&self, bench: &mut Bench) -> Vec<::rtp::packet::Packet> {
        let sent = bench.take_rtp(self.endpoint).into_iter().map(|sent| sent.rtp());
        sent.filter(|packet| packet.header.payload_type == self.source.payload_type).collect()
    }
}

/// Both say their tones, each in packets of its own, for so long; neither by the worker's clock.
fn talk(bench: &mut Bench, talkers: &mut [Talker; 2], lengths: [Duration; 2], long: Duration) {
    bench.run(MS * 3);
    let began = bench.now;
    talkers.iter_mut().for_each(|talker| talker.next_at = Duration::ZERO);
    let mut passed = Duration::ZERO;
    while passed < long {
        for (talker, length) in talkers.iter_mut().zip(lengths) {
            if talker.next_at <= passed {
                talker.speak(bench, length);
                talker.next_at += length;
            }
        }
        bench.run(MS * 10);
        passed = bench.now - began;
    }
}

fn bridged(one: StreamParameters, other: StreamParameters) -> (Bench, [Talker; 2]) {
    let mut bench = Bench::new(2);
    let talkers = [Talker::new(&mut bench, 0, one), Talker::new(&mut bench, 1, other)];
    bench.command(Command::Bridge { a: talkers[0].endpoint, b: talkers[1].endpoint });
    (bench, talkers)
}

/// What is relayed goes at once; all else by the worker's clock.
fn is_relayed(bench: &mut Bench, talker: &mut Talker, length: Duration) -> bool {
    let sent = talker.speak(bench, length).is_some();
    bench.run(length);
    sent
}

fn hears(packets: &[::rtp::packet::Packet], codec: Codec, hz: f64, what: &str) {
    let mut decoder = Decoder::new(codec, Rate::Narrowband);
    let mut heard = Vec::new();
    for packet in packets {
        let mut samples = [0; 960];
        let count = decoder.decode(&packet.payload, &mut samples);
        heard.extend_from_slice(&samples[..count]);
    }
    // All of it in one piece: where it is cut, a part of a second has less of the tone.
    let levels: Vec<f64> =
        heard[heard.len() / 2..].chunks_exact(800).map(|piece| level_dbm0(piece, hz)).collect();
    let whole = levels.iter().filter(|level| (-10.5..-7.5).contains(*level)).count();
    assert!(whole * 10 >= levels.len() * 9, "{what}: {levels:.1?}");
}

/// RFC 8866 §6.4, RFC 3551 §4.2: of 10 to 60 ms, whatever the other party sends; and what is said is heard as one stream.
#[test]
fn who_wants_packets_of_one_length_gets_them_from_whom_sends_any() {
    let lengths = [10, 20, 30, 40, 50, 60];
    for (said, wanted) in lengths.iter().flat_map(|said| lengths.map(|wanted| (*said, wanted))) {
        for (one, other) in [(Codec::Pcmu, Codec::Pcma), (Codec::G722, Codec::G722)] {
            let what = format!("{one:?} of {said} ms to {other:?} of {wanted} ms");
            let (mut bench, mut talkers) =
                bridged(speaks(0, one, PacketTimes::Any, 20), speaks(1, other, PacketTimes::Exact, wanted));
            talk(&mut bench, &mut talkers, [said, wanted].map(Duration::from_millis), MS * 2_400);
            let received = talkers[1].received(&mut bench);
            let octets = wanted as usize * 8;
            assert!(received.len() * octets >= 2_100 * 8, "{what}: {} packets", received.len());
            assert!(received.iter().all(|packet| packet.payload.len() == octets), "{what}");
            for pair in received.windows(2) {
                let (one, next) = (&pair[0].header, &pair[1].header);
                assert_eq!(next.sequence_number, one.sequence_number.wrapping_add(1), "{what}");
                assert_eq!(next.timestamp, one.timestamp.wrapping_add(octets as u32), "{what}");
            }
            hears(&received, other, TONES_HZ[0], &what);
            let back = talkers[0].received(&mut bench);
            hears(&back, one, TONES_HZ[1], &format!("{what}, back"));
            let made = bench.worker.counters().frames_transcoded > 0;
            assert_eq!(made, said != wanted, "{what}: decoded only where it must be");
        }
    }
}

/// RFC 8866 §6.4: `a=maxptime` is a limit, and whatever is below it is relayed as it comes.
#[test]
fn packets_are_no_longer_than_a_party_takes() {
    for (said, is_too_long) in [(10, false), (20, false), (30, false), (40, true), (60, true)] {
        let most = PacketTimes::UpTo(MS * 30);
        let (mut bench, mut talkers) =
            bridged(speaks(0, Codec::Pcmu, PacketTimes::Any, 20), speaks(1, Codec::Pcmu, most, 20));
        talk(&mut bench, &mut talkers, [MS * said, MS * 20], MS * 1_200);
        let received = talkers[1].received(&mut bench);
        let octets = if is_too_long { 160 } else { said as usize * 8 };
        assert!(received.iter().all(|packet| packet.payload.len() == octets), "{said} ms");
        assert_eq!(bench.worker.counters().frames_transcoded > 0, is_too_long, "{said} ms");
        hears(&received, Codec::Pcmu, TONES_HZ[0], &format!("{said} ms"));
    }
}

/// An Opus packet of 60 ms is none of 20 ms (RFC 6716 §3.1), however few octets it has.
#[test]
fn opus_is_measured_by_what_it_says_of_itself() {
    let opus = Codec::Opus(OpusParameters::default());
    let most = PacketTimes::UpTo(MS * 20);
    let (mut bench, mut talkers) = bridged(speaks(0, opus, PacketTimes::Any, 20), speaks(1, opus, most, 20));
    talk(&mut bench, &mut talkers, [MS * 60, MS * 20], MS * 2_400);
    let received = talkers[1].received(&mut bench);
    assert!(received.windows(2).all(|it| it[1].header.timestamp.wrapping_sub(it[0].header.timestamp) == 960));
    hears(&received, opus, TONES_HZ[0], "Opus");
}

#[test]
fn who_sends_other_packets_in_mid_call_is_relayed_again_and_one_odd_packet_changes_nothing() {
    let (mut bench, [mut one, other]) = bridged(
        speaks(0, Codec::Pcmu, PacketTimes::Any, 20),
        speaks(1, Codec::Pcmu, PacketTimes::UpTo(MS * 20), 20),
    );
    let lengths = [20, 20, 10, 20, 40, 20, 20, 40, 40, 40, 40, 20, 20, 20, 20];
    let relayed = lengths.map(|ms| is_relayed(&mut bench, &mut one, MS * ms));
    let decoded = 9..13;
    let expected: Vec<bool> = (0..lengths.len()).map(|n| !decoded.contains(&n)).collect();
    assert_eq!(relayed.to_vec(), expected, "three packets in a row are a change");
    let received = other.received(&mut bench);
    let ssrc = received[0].header.ssrc;
    assert!(received.iter().all(|packet| packet.header.ssrc == ssrc));
    assert!(
        received
            .windows(2)
            .all(|it| it[1].header.sequence_number == it[0].header.sequence_number.wrapping_add(1))
    );
}

/// What is agreed anew goes by what was measured.
#[test]
fn who_takes_any_packet_again_is_relayed_again() {
    let want = |packet_times| speaks(1, Codec::Pcmu, packet_times, 20);
    let (mut bench, [mut one, other]) =
        bridged(speaks(0, Codec::Pcmu, PacketTimes::Any, 20), want(PacketTimes::Exact));
    let mut relayed = |bench: &mut Bench| is_relayed(bench, &mut one, MS * 30);
    assert!(!relayed(&mut bench), "from the first packet on");
    for (packet_times, is_relayed) in [(PacketTimes::Any, true), (PacketTimes::UpTo(MS * 20), false)] {
        bench.command(Command::Configure { endpoint: other.endpoint, stream: want(packet_times) });
        assert_eq!(relayed(&mut bench), is_relayed, "{packet_times:?}");
    }
}

/// A key is no audio: it goes through whatever becomes of that.
#[test]
fn keys_get_through_where_packets_are_made_anew() {
    let (mut bench, mut talkers) =
        bridged(speaks(0, Codec::Pcmu, PacketTimes::Any, 20), speaks(1, Codec::Pcmu, PacketTimes::Exact, 40));
    talk(&mut bench, &mut talkers, [MS * 20, MS * 40], MS * 400);
    let [one, other] = &mut talkers;
    press(&mut bench, one.endpoint, party(0), &mut one.source, '7');
    bench.run(MS * 400);
    let sent = bench.take_rtp(other.endpoint).into_iter().map(|sent| sent.rtp());
    let events: Vec<_> = sent.filter(|packet| packet.header.payload_type == EVENT_PT).collect();
    assert!(!events.is_empty() && events.iter().all(|event| event.payload[0] == 7), "{}", events.len());
    let ends = events.iter().filter(|event| event.payload[1] & 0x80 != 0).count();
    assert_eq!(ends, 3, "RFC 4733 §2.5.1.4");
}

/// Two parties that are bridged each to itself, or to nobody, are none of anybody's business.
#[test]
fn an_echo_comes_back_as_it_was() {
    let mut bench = Bench::new(1);
    let mut one = Talker::new(&mut bench, 0, speaks(0, Codec::Pcmu, PacketTimes::Exact, 20));
    bench.command(Command::Bridge { a: one.endpoint, b: one.endpoint });
    for ms in [10, 20, 60, 60, 60, 60] {
        assert!(is_relayed(&mut bench, &mut one, MS * ms), "{ms} ms");
    }
}
