//! Conferences: who hears whom, through the real codecs, in packets of each party's own.

use std::sync::Arc;
use std::time::Duration;

use tandem_media::*;
use tandem_time::Instant;

use crate::support::*;

const ROOM: ConferenceId = ConferenceId(7);
/// What the party of each slot says, in Hz.
const TONES_HZ: [f64; 4] = [425.0, 725.0, 1_025.0, 1_325.0];
/// What is heard at all; each party speaks at −10 dBm0.
const HEARD_DBM0: f64 = -13.0;
const UNHEARD_DBM0: f64 = -40.0;

/// A party that speaks its tone.
struct Speaker {
    endpoint: EndpointId,
    index: u32,
    source: Source,
    codec: Law,
    position: usize,
}

impl Speaker {
    fn new(endpoint: EndpointId, codec: Law) -> Self {
        let payload_type = if codec == Law::Pcmu { 0 } else { 8 };
        let source = Source::new(0x5eed + endpoint.index, payload_type);
        Self { endpoint, index: endpoint.index, source, codec, position: 0 }
    }

    fn packet(&mut self) -> Vec<u8> {
        let phase = std::f64::consts::TAU * TONES_HZ[self.index as usize] / 8_000.0;
        let peak = 32_124.0 / 10f64.powf((10.0 + 3.17) / 20.0);
        let samples = (self.position..self.position + 160).map(|n| (peak * (phase * n as f64).sin()) as i16);
        let payload: Vec<u8> = samples.map(|sample| self.codec.encode(sample)).collect();
        self.position += 160;
        self.source.audio(&payload)
    }
}

fn join(endpoint: EndpointId, audience: Audience) -> Command {
    Command::Join { endpoint, conference: ROOM, audience }
}

/// Parties in slots 0 …, all in the conference.
fn conference(bench: &mut Bench, parties: u32) -> Vec<Speaker> {
    (0..parties)
        .map(|index| {
            let endpoint = bench.open(index, stream(index));
            bench.command(join(endpoint, Audience::Everybody));
            Speaker::new(endpoint, Law::Pcmu)
        })
        .collect()
}

/// Everybody speaks for so many packets of 20 ms.
fn speak(bench: &mut Bench, speakers: &mut [Speaker], packets: usize) {
    for _ in 0..packets {
        for speaker in speakers.iter_mut() {
            let packet = speaker.packet();
            bench.packet(speaker.endpoint, party(speaker.index), &packet);
        }
        bench.run(PTIME);
    }
}

/// Whose tones an endpoint's party has heard since it was last asked: all packets but the first few.
fn heard(bench: &mut Bench, endpoint: EndpointId, codec: Law) -> Vec<usize> {
    let packets = bench.take_rtp(endpoint);
    let samples = decode(codec, packets.get(5..).unwrap_or_default());
    let level = |hertz: &f64| level_dbm0(&samples, *hertz);
    let levels: Vec<f64> = TONES_HZ.iter().map(level).collect();
    for level in &levels {
        assert!(*level > HEARD_DBM0 || *level < UNHEARD_DBM0, "{levels:?}");
    }
    (0..TONES_HZ.len()).filter(|index| levels[*index] > HEARD_DBM0).collect()
}

fn assert_in_sequence(packets: &[Sent], samples: u32) {
    for pair in packets.windows(2) {
        let (one, two) = (pair[0].rtp().header, pair[1].rtp().header);
        assert_eq!(two.sequence_number, one.sequence_number.wrapping_add(1));
        assert_eq!(two.timestamp, one.timestamp.wrapping_add(samples));
        assert_eq!((two.ssrc, two.marker), (one.ssrc, false));
    }
}

#[test]
fn each_hears_exactly_the_others() {
    let mut bench = Bench::new(4);
    let mut speakers = conference(&mut bench, 4);
    speak(&mut bench, &mut speakers, 50);
    for (index, others) in [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]].into_iter().enumerate() {
        assert_eq!(heard(&mut bench, speakers[index].endpoint, Law::Pcmu), others);
    }
    // One leaves, and hears and is heard no more.
    let gone = speakers.pop().unwrap();
    bench.command(Command::Unbridge { endpoint: gone.endpoint });
    for endpoint in (0..4).map(|index| EndpointId { index, generation: 1 }) {
        bench.take_rtp(endpoint);
    }
    speak(&mut bench, &mut speakers, 50);
    assert_eq!(bench.take_rtp(gone.endpoint).len(), 0);
    for (index, others) in [[1, 2], [0, 2], [0, 1]].into_iter().enumerate() {
        assert_eq!(heard(&mut bench, speakers[index].endpoint, Law::Pcmu), others);
    }
}

#[test]
fn laws_and_packet_times_may_differ() {
    let mut bench = Bench::new(3);
    let a = bench.open(0, stream(0));
    let b = bench.open(1, StreamParameters { ptime: Duration::from_millis(30), ..alaw_stream(1) });
    let c = bench.open(2, StreamParameters { ptime: Duration::from_millis(10), ..stream(2) });
    for endpoint in [a, b, c] {
        bench.command(join(endpoint, Audience::Everybody));
    }
    let mut speakers = [Speaker::new(a, Law::Pcmu), Speaker::new(b, Law::Pcma), Speaker::new(c, Law::Pcmu)];
    speak(&mut bench, &mut speakers, 60);
    for (endpoint, samples, packets) in [(a, 160, 60), (b, 240, 40), (c, 80, 120)] {
        let sent: Vec<Sent> = bench.sent.iter().filter(|it| it.endpoint == endpoint).cloned().collect();
        let rtp: Vec<Sent> = sent.into_iter().filter(|it| it.channel == Channel::Rtp).collect();
        assert!(rtp.iter().all(|sent| sent.rtp().payload.len() == samples));
        assert!((packets - 2..=packets + 2).contains(&rtp.len()), "{} packets", rtp.len());
        assert_in_sequence(&rtp, samples as u32);
    }
    assert_eq!(heard(&mut bench, a, Law::Pcmu), [1, 2]);
    assert_eq!(heard(&mut bench, b, Law::Pcma), [0, 2]);
    assert_eq!(heard(&mut bench, c, Law::Pcmu), [0, 1]);
}

/// Listening, whispering and barging in.
#[test]
fn a_supervisor_listens_whispers_and_barges_in() {
    let mut bench = Bench::new(3);
    let mut speakers = conference(&mut bench, 2);
    let supervisor = bench.open(2, stream(2));
    speakers.push(Speaker::new(supervisor, Law::Pcmu));
    let (caller, agent) = (speakers[0].endpoint, speakers[1].endpoint);
    for (audience, caller_hears, agent_hears) in [
        (Audience::Nobody, vec![1], vec![0]),
        (Audience::One(agent), vec![1], vec![0, 2]),
        (Audience::Everybody, vec![1, 2], vec![0, 2]),
        (Audience::Nobody, vec![1], vec![0]),
    ] {
        bench.command(join(supervisor, audience));
        speak(&mut bench, &mut speakers, 10);
        for speaker in &speakers {
            bench.take_rtp(speaker.endpoint);
        }
        speak(&mut bench, &mut speakers, 50);
        assert_eq!(heard(&mut bench, caller, Law::Pcmu), caller_hears, "{audience:?}");
        assert_eq!(heard(&mut bench, agent, Law::Pcmu), agent_hears, "{audience:?}");
        assert_eq!(heard(&mut bench, supervisor, Law::Pcmu), [0, 1], "{audience:?}");
    }
}

#[test]
fn who_is_muted_is_heard_by_nobody_and_hears_on() {
    let mut bench = Bench::new(3);
    let mut speakers = conference(&mut bench, 3);
    let muted = speakers[2].endpoint;
    bench.command(Command::Voice { endpoint: muted, to: None, gain: Gain::MUTED });
    speak(&mut bench, &mut speakers, 50);
    assert_eq!(heard(&mut bench, speakers[0].endpoint, Law::Pcmu), [1]);
    assert_eq!(heard(&mut bench, muted, Law::Pcmu), [0, 1]);
    // Not heard by one, heard by the other.
    bench.command(Command::Voice { endpoint: muted, to: Some(speakers[0].endpoint), gain: Gain::UNITY });
    speak(&mut bench, &mut speakers, 50);
    assert_eq!(heard(&mut bench, speakers[0].endpoint, Law::Pcmu), [1, 2]);
    assert_eq!(heard(&mut bench, speakers[1].endpoint, Law::Pcmu), [0]);
}

/// RFC 5359 §2.1: who puts the others on hold may send music, which they are spared.
#[test]
fn the_music_of_a_party_that_holds_is_not_heard() {
    let mut bench = Bench::new(3);
    let mut speakers = conference(&mut bench, 3);
    let held = StreamParameters { direction: Direction::ReceiveOnly, ..stream(0) };
    bench.command(Command::Configure { endpoint: speakers[0].endpoint, stream: held });
    speak(&mut bench, &mut speakers, 50);
    assert_eq!(bench.take_rtp(speakers[0].endpoint).len(), 0, "it does not listen");
    assert_eq!(heard(&mut bench, speakers[1].endpoint, Law::Pcmu), [2]);
    bench.command(Command::Configure { endpoint: speakers[0].endpoint, stream: stream(0) });
    speak(&mut bench, &mut speakers, 50);
    bench.take_rtp(speakers[1].endpoint);
    speak(&mut bench, &mut speakers, 50);
    assert_eq!(heard(&mut bench, speakers[0].endpoint, Law::Pcmu), [1, 2]);
    assert_eq!(heard(&mut bench, speakers[1].endpoint, Law::Pcmu), [0, 2]);
}

#[test]
fn a_party_whose_packets_cease_is_silence_for_the_others() {
    let mut bench = Bench::new(3);
    let mut speakers = conference(&mut bench, 3);
    speak(&mut bench, &mut speakers, 20);
    let silent = speakers.pop().unwrap();
    speak(&mut bench, &mut speakers, 20);
    for endpoint in [speakers[0].endpoint, speakers[1].endpoint, silent.endpoint] {
        bench.take_rtp(endpoint);
    }
    speak(&mut bench, &mut speakers, 50);
    assert_eq!(heard(&mut bench, speakers[0].endpoint, Law::Pcmu), [1]);
    assert_eq!(heard(&mut bench, silent.endpoint, Law::Pcmu), [0, 1]);
}

/// Keys of a member are for who drives the conference, not for the others' ears.
#[test]
fn keys_are_told_and_not_heard() {
    let mut bench = Bench::new(2);
    let speakers = conference(&mut bench, 2);
    let mut source = Source::new(1, 0);
    press(&mut bench, speakers[0].endpoint, party(0), &mut source, '5');
    let digit = Digit::from_char('5').unwrap();
    let pressed = Event::Digit { endpoint: speakers[0].endpoint, digit };
    assert!(bench.take_events().contains(&pressed));
    let packets = bench.take_rtp(speakers[1].endpoint);
    assert!(packets.iter().all(|sent| sent.rtp().header.payload_type == 0));
    assert!(decode(Law::Pcmu, &packets).iter().all(|sample| *sample == 0));
}

#[test]
fn a_tone_is_heard_by_all_and_a_play_by_one() {
    let mut bench = Bench::new(3);
    let mut speakers = conference(&mut bench, 3);
    speak(&mut bench, &mut speakers, 20);
    for speaker in &speakers {
        bench.take_rtp(speaker.endpoint);
    }
    let beep: Arc<[Segment]> = Arc::new([Segment::Tone(Tone::Beep)]);
    bench.command(Command::Announce { conference: ROOM, segments: beep });
    bench.run(PTIME * 30);
    for speaker in &speakers {
        let samples = decode(Law::Pcmu, &bench.take_rtp(speaker.endpoint)[5..]);
        assert!(level_dbm0(&samples, 1_000.0) > HEARD_DBM0);
    }
    bench.run(Duration::from_secs(1));
    let to_one = speakers[1].endpoint;
    bench.command(play(to_one, 1, vec![Segment::Audio(audio_of_ms(200))]));
    speak(&mut bench, &mut speakers, 5);
    bench.take_rtp(to_one);
    speak(&mut bench, &mut speakers, 4);
    let during = decode(Law::Pcmu, &bench.take_rtp(to_one));
    assert!(during.iter().all(|sample| (900..1_100).contains(sample)), "nothing of the others");
    speak(&mut bench, &mut speakers, 60);
    assert_eq!(heard(&mut bench, to_one, Law::Pcmu), [0, 2]);
}

/// A room is there as long as somebody sits in it; who leaves, is bridged, moves or closes, leaves nothing behind.
#[test]
fn nothing_stays_of_who_leaves() {
    let mut bench = Bench::new(4);
    let speakers = conference(&mut bench, 4);
    let [a, b, c, d] = [0, 1, 2, 3].map(|index| speakers[index].endpoint);
    assert_eq!(bench.worker.conferences(), 1);
    bench.command(Command::Bridge { a, b });
    bench.command(Command::HandOver { endpoint: c });
    bench.run(PTIME * 4);
    assert_eq!(bench.worker.conferences(), 1);
    bench.command(Command::Close { endpoint: d });
    assert_eq!(bench.worker.conferences(), 0);
    // The relay carries what was said in the room before.
    let mut alice = Source::new(9, 0);
    assert!(bench.packet(a, party(0), &alice.audio(&[1; 160])).is_some());
    // And a bridge ends when one of the two joins a conference.
    bench.command(join(a, Audience::Everybody));
    bench.run(PTIME);
    assert!(bench.packet(a, party(0), &alice.audio(&[1; 160])).is_none());
    assert_eq!(bench.worker.conferences(), 1);
    bench.command(Command::Close { endpoint: a });
    bench.run(Duration::from_secs(60));
    assert_eq!((bench.worker.conferences(), bench.worker.endpoints()), (0, 1));
}

#[test]
fn a_conference_has_a_limit() {
    let most = ConferenceId::MAX_MEMBERS as u32;
    let mut bench = Bench::new(most as usize + 1);
    conference(&mut bench, most);
    let late = bench.open(most, stream(most));
    bench.command(join(late, Audience::Everybody));
    assert_eq!(bench.worker.counters().commands_ignored, 1);
    bench.command(Command::Unbridge { endpoint: EndpointId { index: 3, generation: 1 } });
    bench.command(join(late, Audience::Everybody));
    assert_eq!(bench.worker.counters().commands_ignored, 1);
}

#[test]
fn a_member_changes_its_room() {
    let mut bench = Bench::new(3);
    let mut speakers = conference(&mut bench, 3);
    let moved = speakers[2].endpoint;
    let other = ConferenceId(8);
    bench.command(Command::Join { endpoint: moved, conference: other, audience: Audience::Everybody });
    assert_eq!(bench.worker.conferences(), 2);
    speak(&mut bench, &mut speakers, 50);
    assert_eq!(heard(&mut bench, speakers[0].endpoint, Law::Pcmu), [1]);
    assert_eq!(heard(&mut bench, moved, Law::Pcmu), Vec::<usize>::new());
}

/// The stream to a party goes on through relay and room under one SSRC, its time never turns back.
#[test]
fn one_stream_through_relay_and_room() {
    let mut bench = Bench::new(3);
    let mut speakers = conference(&mut bench, 3);
    let [a, b] = [speakers[0].endpoint, speakers[1].endpoint];
    for _ in 0..3 {
        bench.command(Command::Bridge { a, b });
        speak(&mut bench, &mut speakers, 20);
        for endpoint in [a, b] {
            bench.command(join(endpoint, Audience::Everybody));
        }
        speak(&mut bench, &mut speakers, 20);
    }
    let packets = bench.take_rtp(a);
    let began = packets[0].at;
    let first = packets[0].rtp().header.timestamp;
    for pair in packets.windows(2) {
        let (one, two) = (pair[0].rtp().header, pair[1].rtp().header);
        assert_eq!((two.ssrc, two.sequence_number), (one.ssrc, one.sequence_number.wrapping_add(1)));
        assert!(two.timestamp.wrapping_sub(one.timestamp) < 8_000);
    }
    let last = packets.last().unwrap();
    let ticks = i64::from(last.rtp().header.timestamp.wrapping_sub(first));
    let elapsed = (last.at.as_nanos() - began.as_nanos()) as i64 / 125_000;
    assert!((ticks - elapsed).abs() <= 800, "{ticks} ticks in {elapsed}");
    assert!(last.at > Instant::START);
}

/// Music goes on for ever for those who wait; announced in a room it is heard once, from its beginning, and ends.
#[test]
fn music_that_is_announced_is_heard_and_ends() {
    let mut bench = Bench::new(2);
    let conference = ConferenceId(1);
    let endpoints = [0, 1].map(|index| bench.open(index, stream(index)));
    for endpoint in endpoints {
        bench.command(Command::Join { endpoint, conference, audience: Audience::Everybody });
    }
    let segments = [Segment::Music(audio_of_ms(300)), Segment::Audio(audio_of_ms(200))].into();
    bench.command(Command::Announce { conference, segments });
    bench.run(Duration::from_secs(2));
    for endpoint in endpoints {
        let heard = decode(Law::Pcmu, &bench.take_rtp(endpoint));
        let sounding = heard.iter().filter(|sample| sample.abs() > 500).count();
        assert!((3_900..=4_000).contains(&sounding), "{} ms of it", sounding / 8);
    }
}
