//! Parties of different codecs hear each other; parties of the same one are relayed.

use std::f64::consts::TAU;

use tandem_media::codec::{Decoder, Encoder, OpusParameters, Rate};
use tandem_media::*;

use crate::support::*;

const ALL: [Codec; 4] = [Codec::Pcmu, Codec::Pcma, Codec::G722, OPUS];
const OPUS: Codec = Codec::Opus(OpusParameters {
    in_band_fec: true,
    dtx: false,
    constant_bitrate: false,
    max_average_bitrate: 40_000,
    max_playback_rate_hz: 48_000,
});
const TONES_HZ: [f64; 4] = [440.0, 1_000.0, 1_560.0, 2_120.0];

fn payload_type(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
        Codec::G722 => 9,
        Codec::Opus(_) => 111,
    }
}

fn speaks(index: u32, codec: Codec) -> StreamParameters {
    let number = payload_type(codec);
    StreamParameters {
        codec,
        send_payload_type: number,
        receive_payload_type: number,
        event_clock_hz: codec.clock_hz(),
        ..stream(index)
    }
}

/// A party that says a tone, and what it hears.
struct Talker {
    endpoint: EndpointId,
    source: Source,
    codec: Codec,
    encoder: Encoder,
    tone_hz: f64,
    said: u32,
}

impl Talker {
    fn new(bench: &mut Bench, index: u32, codec: Codec) -> Self {
        Self::with(bench, index, speaks(index, codec))
    }

    fn with(bench: &mut Bench, index: u32, stream: StreamParameters) -> Self {
        let codec = stream.codec;
        let endpoint = bench.open(index, stream);
        let source = Source::new(100 + index, payload_type(codec));
        let encoder = Encoder::new(codec, Rate::Narrowband);
        Self { endpoint, source, codec, encoder, tone_hz: TONES_HZ[index as usize], said: 0 }
    }

    /// 20 ms more of its tone.
    fn next_packet(&mut self) -> Vec<u8> {
        let sample = |n: u32| 8_000.0 * (TAU * self.tone_hz * f64::from(n) / 8_000.0).sin();
        let samples: Vec<i16> = (self.said..self.said + 160).map(|n| sample(n) as i16).collect();
        self.said += 160;
        let mut payload = [0; 480];
        let len = self.encoder.encode(&samples, &mut payload);
        let timestamp = self.source.timestamp;
        let packet = self.source.audio(&payload[..len]);
        self.source.timestamp = timestamp.wrapping_add(self.codec.clock_hz() / 50);
        packet
    }

    fn speak(&mut self, bench: &mut Bench) -> Option<Sent> {
        let packet = self.next_packet();
        bench.packet(self.endpoint, party(self.endpoint.index), &packet)
    }

    /// What it was sent, decoded at 8 kHz.
    fn heard(&self, bench: &mut Bench) -> Vec<i16> {
        let mut decoder = Decoder::new(self.codec, Rate::Narrowband);
        let audio = bench.take_rtp(self.endpoint).into_iter().map(|sent| sent.rtp());
        let audio = audio.filter(|packet| packet.header.payload_type == payload_type(self.codec));
        let mut heard = vec![];
        for packet in audio {
            let mut samples = [0; 960];
            let count = decoder.decode(&packet.payload, &mut samples);
            heard.extend_from_slice(&samples[..count]);
        }
        heard
    }
}

/// The tone is there at about the level it was said at, and the other party's own is not.
fn assert_hears(heard: &[i16], tone_hz: f64, own_hz: f64, what: &str) {
    let settled = &heard[heard.len() / 2..];
    let (tone, own) = (level_dbm0(settled, tone_hz), level_dbm0(settled, own_hz));
    assert!((-13.0..-6.0).contains(&tone), "{what}: {tone:.1} dBm0 of the other's tone");
    assert!(own < -35.0, "{what}: {own:.1} dBm0 of its own");
}

fn talk(bench: &mut Bench, talkers: &mut [Talker], packets: usize) {
    for _ in 0..packets {
        for talker in talkers.iter_mut() {
            talker.speak(bench);
        }
        bench.run(PTIME);
    }
}

#[test]
fn parties_of_any_two_codecs_hear_each_other() {
    for one in ALL {
        for other in ALL {
            let mut bench = Bench::new(2);
            let mut talkers = [Talker::new(&mut bench, 0, one), Talker::new(&mut bench, 1, other)];
            bench.command(Command::Bridge { a: talkers[0].endpoint, b: talkers[1].endpoint });
            talk(&mut bench, &mut talkers, 100);
            let what = format!("{one:?} with {other:?}");
            let made = bench.worker.counters().frames_transcoded;
            assert_eq!(made > 0, !one.is_relayed_to(other), "{what}: transcoded only where it must be");
            for (listener, speaker) in [(0, 1), (1, 0)] {
                let heard = talkers[listener].heard(&mut bench);
                assert!(heard.len() >= 95 * 160, "{what}: {} samples", heard.len());
                assert_hears(&heard, talkers[speaker].tone_hz, talkers[listener].tone_hz, &what);
            }
        }
    }
}

/// RFC 3550 §5.1: timestamps advance by the codec's own clock, 8 kHz for G.722 too (RFC 3551 §4.5.2) and 48 kHz for Opus
/// (RFC 7587 §4.1), and sequence numbers by one.
#[test]
fn what_is_transcoded_is_one_stream_by_the_listeners_clock() {
    for (codec, step) in [(Codec::G722, 160), (OPUS, 960), (Codec::Pcma, 160)] {
        let mut bench = Bench::new(2);
        let spoken = if codec == OPUS { Codec::Pcmu } else { OPUS };
        let mut talkers = [Talker::new(&mut bench, 0, spoken), Talker::new(&mut bench, 1, codec)];
        bench.command(Command::Bridge { a: talkers[0].endpoint, b: talkers[1].endpoint });
        talk(&mut bench, &mut talkers, 50);
        let headers: Vec<_> = bench.take_rtp(talkers[1].endpoint).iter().map(|it| it.rtp().header).collect();
        assert!(headers.len() > 40 && headers[0].marker);
        for pair in headers.windows(2) {
            assert_eq!(pair[1].sequence_number, pair[0].sequence_number.wrapping_add(1), "{codec:?}");
            assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(step), "{codec:?}");
            assert!(!pair[1].marker);
        }
    }
}

#[test]
fn a_leg_that_changes_its_codec_is_relayed_again() {
    let mut bench = Bench::new(2);
    let mut talkers = [Talker::new(&mut bench, 0, Codec::Pcmu), Talker::new(&mut bench, 1, OPUS)];
    let [a, b] = [talkers[0].endpoint, talkers[1].endpoint];
    bench.command(Command::Bridge { a, b });
    talk(&mut bench, &mut talkers, 50);
    assert!(talkers[0].speak(&mut bench).is_none(), "no packet of G.711 goes to an Opus party");
    bench.command(Command::Configure { endpoint: b, stream: speaks(1, Codec::Pcma) });
    let made = bench.worker.counters().frames_transcoded;
    let before = bench.take_rtp(b).last().map(|sent| sent.rtp().header).expect("it was heard");
    let relayed = talkers[0].speak(&mut bench).expect("relayed in place").rtp().header;
    assert_eq!((relayed.ssrc, relayed.payload_type), (before.ssrc, 8));
    assert_eq!(relayed.sequence_number, before.sequence_number.wrapping_add(1));
    bench.run(PTIME * 10);
    assert_eq!(bench.worker.counters().frames_transcoded, made, "nothing is decoded any more");
}

#[test]
fn prompts_and_tones_are_heard_by_a_party_of_any_codec() {
    for codec in ALL {
        let mut bench = Bench::new(1);
        let listener = Talker::new(&mut bench, 0, codec);
        bench.command(play(listener.endpoint, 1, vec![Segment::Tone(Tone::Beep)]));
        bench.run(MS * 1_100);
        let sent: Vec<_> =
            bench.sent.iter().filter(|it| it.channel == Channel::Rtp).map(|it| it.rtp().header).collect();
        assert_eq!(sent.len(), 50, "{codec:?}");
        assert!(
            sent.windows(2).all(|it| it[1].timestamp.wrapping_sub(it[0].timestamp) == codec.clock_hz() / 50)
        );
        let heard = listener.heard(&mut bench);
        let beep = level_dbm0(&heard[800..7_200], 1_000.0);
        assert!((-11.5..-8.5).contains(&beep), "{codec:?}: {beep:.1} dBm0");
    }
}

#[test]
fn keys_in_the_audio_of_a_party_of_any_codec_are_found() {
    for codec in ALL {
        let mut bench = Bench::new(1);
        let in_band = InBand::HeardAndSent;
        let stream = speaks(0, codec);
        let stream = StreamParameters { send_event_payload_type: None, in_band, ..stream };
        let endpoint = bench.open(0, stream);
        let mut encoder = Encoder::new(codec, Rate::Narrowband);
        let mut source = Source::new(5, payload_type(codec));
        let tone = |n: u32, hz: f64| 6_000.0 * (TAU * hz * f64::from(n) / 8_000.0).sin();
        let pressed = (0..800).map(|n| (tone(n, 770.0) + tone(n, 1_336.0)) as i16);
        let audio: Vec<i16> = pressed.chain(std::iter::repeat_n(0, 1_600)).collect();
        for samples in audio.chunks(160) {
            let mut payload = [0; 480];
            let len = encoder.encode(samples, &mut payload);
            bench.packet(endpoint, party(0), &source.audio(&payload[..len]));
            bench.run(PTIME);
        }
        let digit = Digit::from_char('5').expect("a digit");
        let told = bench.take_events().into_iter().filter(|it| matches!(it, Event::Digit { .. }));
        assert_eq!(told.collect::<Vec<_>>(), [Event::Digit { endpoint, digit }], "{codec:?}");
    }
}

/// RFC 4733 §2.1: events of an Opus party are by its clock of 48 kHz, those of the other one by 8 kHz.
#[test]
fn keys_get_through_between_clocks() {
    for (one, other) in [(Codec::Pcmu, OPUS), (OPUS, Codec::Pcmu), (Codec::G722, OPUS)] {
        let mut bench = Bench::new(2);
        let mut talkers = [Talker::new(&mut bench, 0, one), Talker::new(&mut bench, 1, other)];
        let [a, b] = [talkers[0].endpoint, talkers[1].endpoint];
        bench.command(Command::Bridge { a, b });
        talk(&mut bench, &mut talkers, 10);
        for packet in talkers[0].source.clone().press('5', 4) {
            bench.packet(a, party(0), &packet);
            bench.run(PTIME);
        }
        bench.run(PTIME * 20);
        let sent = bench.take_rtp(b).into_iter().map(|sent| sent.rtp());
        let events: Vec<_> = sent.filter(|packet| packet.header.payload_type == EVENT_PT).collect();
        assert_eq!(events.len(), 8, "{one:?} to {other:?}");
        let last = &events[7].payload;
        let duration = u32::from(u16::from_be_bytes([last[2], last[3]]));
        assert_eq!((last[0], last[1] & 0x80), (5, 0x80));
        assert_eq!(duration * 1_000 / other.clock_hz(), 120, "milliseconds, by its own clock");
        assert!(events.iter().all(|it| it.header.timestamp == events[0].header.timestamp));
    }
}

/// RFC 6716 §2.1.7: a party that loses packets of ours, and wants redundancy, is told each again by the next
/// one, for which there are octets besides those of the speech.
#[test]
fn an_opus_party_that_loses_packets_is_told_them_again() {
    let octets = |fraction_lost: u8| {
        let mut bench = Bench::new(2);
        let mut talkers = [Talker::new(&mut bench, 0, Codec::Pcmu), Talker::new(&mut bench, 1, OPUS)];
        let [a, b] = [talkers[0].endpoint, talkers[1].endpoint];
        bench.command(Command::Bridge { a, b });
        talk(&mut bench, &mut talkers, 30);
        let header = bench.take_rtp(b).last().expect("it hears").rtp().header;
        let reception = reception::ReceptionReport {
            ssrc: header.ssrc,
            fraction_lost,
            cumulative_lost: 1,
            highest_sequence: header.sequence_number.into(),
            jitter: 0,
        };
        let block = rtcp::ReportBlock { reception, last_sender_report: 0, delay_since_last: 0 };
        let cname = b"0123456789abcdef";
        let report = rtcp::Compound { ssrc: 5, sender: None, block: Some(block), cname, goodbye: false };
        let mut compound = [0; rtcp::MAX_COMPOUND_LEN];
        let len = report.write(&mut compound);
        bench.packet_on(Channel::Rtcp, b, rtcp_of(party(1)), &compound[..len]);
        talk(&mut bench, &mut talkers, 100);
        let payloads = bench.take_rtp(b).iter().map(|sent| sent.rtp().payload.len()).collect::<Vec<_>>();
        payloads.iter().sum::<usize>() * 10 / payloads.len()
    };
    let [much, little] = [octets(64), octets(0)];
    assert!(
        much >= little + 50,
        "{much} tenths of an octet a packet when a quarter is lost, {little} otherwise"
    );
}

/// A phone whose timestamps stand still while it says nothing (RFC 3550 §5.1 has them go on) is heard when it speaks again.
#[test]
fn a_party_whose_timestamps_stood_still_is_heard_when_it_goes_on() {
    let mut bench = Bench::new(2);
    let mut talkers = [Talker::new(&mut bench, 0, Codec::Pcmu), Talker::new(&mut bench, 1, Codec::G722)];
    let [a, b] = [talkers[0].endpoint, talkers[1].endpoint];
    bench.command(Command::Bridge { a, b });
    talk(&mut bench, &mut talkers, 100);
    bench.run(MS * 1_500);
    bench.take_rtp(b);
    talk(&mut bench, &mut talkers, 20);
    let heard = talkers[1].heard(&mut bench);
    assert!(heard.len() >= 16 * 160, "{} samples", heard.len());
    assert_hears(&heard, talkers[0].tone_hz, talkers[1].tone_hz, "after a pause");
}

/// RFC 3389 §4: a party that falls silent describes its silence; one that knows nothing of that hears it as noise.
#[test]
fn comfort_noise_is_heard_by_who_knows_none() {
    let mut bench = Bench::new(2);
    let quiet = StreamParameters { comfort_noise: true, ..speaks(0, Codec::Pcmu) };
    let mut talkers = [Talker::with(&mut bench, 0, quiet), Talker::new(&mut bench, 1, Codec::Pcmu)];
    let [a, b] = [talkers[0].endpoint, talkers[1].endpoint];
    bench.command(Command::Bridge { a, b });
    talk(&mut bench, &mut talkers, 20);
    let mut described = talkers[0].source.clone();
    described.payload_type = 13;
    bench.packet(a, party(0), &described.audio(&[40]));
    bench.take_rtp(b);
    bench.run(PTIME * 50);
    let heard = talkers[1].heard(&mut bench);
    assert!(heard.len() >= 45 * 160, "the line does not go dead: {} samples", heard.len());
    let settled = &heard[heard.len() / 2..];
    let power: f64 =
        settled.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / settled.len() as f64;
    let level = 10.0 * (power / 32_768f64.powi(2)).log10();
    assert!((-43.0..-37.0).contains(&level), "{level:.1} dBov where 40 below were described");
}

#[test]
fn comfort_noise_is_relayed_to_who_knows_it_and_refused_from_who_was_not_to_send_it() {
    let mut bench = Bench::new(3);
    let quiet = |index| StreamParameters { comfort_noise: true, ..speaks(index, Codec::Pcmu) };
    let [a, b] = [0, 1].map(|index| bench.open(index, quiet(index)));
    bench.command(Command::Bridge { a, b });
    let relayed = bench.packet(a, party(0), &Source::new(1, 13).audio(&[40])).expect("relayed").rtp();
    assert_eq!((relayed.header.payload_type, relayed.payload.as_ref()), (13, [40].as_slice()));
    let other = bench.open(2, speaks(2, Codec::Pcmu));
    bench.packet(other, party(2), &Source::new(2, 13).audio(&[40]));
    assert_eq!(bench.refused(Refusal::PayloadType), 1);
}

/// `usedtx` (RFC 7587 §6.1): an Opus party that wants it is sent nothing while nothing is said.
#[test]
fn an_opus_party_that_wants_it_is_not_sent_silence() {
    let sent = |dtx| {
        let mut bench = Bench::new(1);
        let Codec::Opus(opus) = OPUS else { panic!("it is Opus") };
        let endpoint = bench.open(0, speaks(0, Codec::Opus(OpusParameters { dtx, ..opus })));
        let silence = Segment::Silence(MS * 4_000);
        bench.command(play(endpoint, 1, vec![silence]));
        bench.run(MS * 4_200);
        bench.take_rtp(endpoint).len()
    };
    assert_eq!(sent(false), 200);
    assert!(sent(true) < 60, "{} packets of silence", sent(true));
}

#[test]
fn an_opus_party_is_sent_packets_that_opus_has() {
    for (agreed, made) in [(10, 10), (30, 20), (50, 40), (60, 60)] {
        let mut bench = Bench::new(1);
        let ptime = MS * agreed;
        let endpoint = bench.open(0, StreamParameters { ptime, ..speaks(0, OPUS) });
        bench.command(play(endpoint, 1, vec![Segment::Tone(Tone::Beep)]));
        bench.run(MS * 500);
        let sent: Vec<_> = bench.take_rtp(endpoint).iter().map(|it| it.rtp().header.timestamp).collect();
        assert!(sent.windows(2).all(|it| it[1].wrapping_sub(it[0]) == made * 48), "{agreed} ms");
    }
}

/// A conference of all codecs: each hears the three others, in its own, and not itself.
#[test]
fn parties_of_different_codecs_confer() {
    let mut bench = Bench::new(4);
    let mut talkers: Vec<Talker> =
        ALL.iter().enumerate().map(|(index, codec)| Talker::new(&mut bench, index as u32, *codec)).collect();
    for talker in &talkers {
        let (conference, audience) = (ConferenceId(1), Audience::Everybody);
        bench.command(Command::Join { endpoint: talker.endpoint, conference, audience });
    }
    for _ in 0..100 {
        for talker in &mut talkers {
            talker.speak(&mut bench);
        }
        bench.run(PTIME);
    }
    for talker in &talkers {
        let mut decoder = Decoder::new(talker.codec, Rate::Narrowband);
        let packets = bench.take_rtp(talker.endpoint);
        let heard: Vec<i16> = packets[20..]
            .iter()
            .flat_map(|sent| {
                let mut samples = [0; 960];
                let count = decoder.decode(&sent.rtp().payload, &mut samples);
                samples[..count].to_vec()
            })
            .collect();
        for hertz in TONES_HZ {
            let level = level_dbm0(&heard, hertz);
            let is_own = hertz == talker.tone_hz;
            assert_eq!(level < -30.0, is_own, "{:?} hears {hertz} Hz at {level} dBm0", talker.codec);
        }
    }
}
