//! What a recording has of a leg: both sides, each where it was in time, and nothing that must not be kept.

use std::time::Duration;

use tandem_media::recorder::{Recorder, Sides, TAP_CAPACITY, TapReader, tap};

use crate::support::*;

/// Samples of a packet.
const FRAME: usize = 160;

/// A party that says another thing in each packet: the number of the packet, in a voice of its own.
struct Talker {
    source: Source,
    at: std::net::SocketAddr,
    voice: u8,
    said: Vec<i16>,
}

impl Talker {
    fn new(index: u32) -> Self {
        Self { source: Source::new(index + 7, 0), at: party(index), voice: 16 * index as u8, said: vec![] }
    }

    fn packet(&mut self) -> Vec<u8> {
        let number = (self.said.len() / FRAME) as u8;
        let payload: Vec<u8> =
            (0..FRAME as u8).map(|it| self.voice ^ number.wrapping_mul(5) ^ (it & 0x0f)).collect();
        self.said.extend(payload.iter().map(|octet| Law::Pcmu.decode(*octet)));
        self.source.audio(&payload)
    }
}

fn record(bench: &mut Bench, endpoint: tandem_media::EndpointId, capacity: usize) -> TapReader {
    let (tap, reader) = tap(capacity);
    bench.command(tandem_media::Command::Record { endpoint, tap });
    reader
}

/// The whole of a recording that has ended.
fn read(reader: &mut TapReader, sides: Sides) -> (Recorder, Vec<i16>) {
    let (mut recorder, mut samples) = (Recorder::new(sides), vec![]);
    while let Some(entry) = reader.next_entry() {
        recorder.take(entry);
        recorder.pull(&mut samples);
    }
    assert!(recorder.is_over(), "its end is there");
    (recorder, samples)
}

fn side(stereo: &[i16], side: usize) -> Vec<i16> {
    stereo.iter().skip(side).step_by(2).copied().collect()
}

/// Two bridged parties; the first is recorded.
fn conversation(capacity: usize) -> (Bench, [tandem_media::EndpointId; 2], TapReader) {
    let mut bench = Bench::new(2);
    let [a, b] = [0, 1].map(|index| bench.open(index, stream(index)));
    bench.command(tandem_media::Command::Bridge { a, b });
    let reader = record(&mut bench, a, capacity);
    (bench, [a, b], reader)
}

#[test]
fn both_sides_are_where_and_when_they_were_and_stay_relayed() {
    let (mut bench, [a, b], mut reader) = conversation(TAP_CAPACITY);
    let [mut one, mut other] = [Talker::new(0), Talker::new(1)];
    bench.run(100 * MS);
    for round in 0..100 {
        let relayed = bench.packet(a, one.at, &one.packet()).expect("relayed");
        assert_eq!(relayed.rtp().payload.len(), FRAME);
        // The other one begins later, and lies 7 ms apart.
        bench.run(7 * MS);
        if round >= 10 {
            bench.packet(b, other.at, &other.packet()).expect("relayed");
        }
        bench.run(13 * MS);
    }
    bench.command(tandem_media::Command::StopRecording { endpoint: a });
    let (recorder, samples) = read(&mut reader, Sides::Stereo);
    assert_eq!(recorder.duration(), Duration::from_millis(2_100));
    let (left, right) = (side(&samples, 0), side(&samples, 1));
    assert_eq!(left.len(), 2_100 * 8);
    assert!(left[..800].iter().chain(&right[..2_456]).all(|sample| *sample == 0), "silence before");
    assert_eq!(left[800..], one.said, "octet by octet what the party said");
    assert_eq!(right[2_456..], other.said[..right.len() - 2_456], "and what it heard, 207 ms later");
}

#[test]
fn packets_out_of_order_are_put_in_order_and_lost_ones_cost_no_time() {
    let (mut bench, [a, _], mut reader) = conversation(TAP_CAPACITY);
    let mut one = Talker::new(0);
    let mut kept: Option<Vec<u8>> = None;
    for round in 0..100 {
        let packet = one.packet();
        match round % 10 {
            4 => kept = Some(packet),
            5 => {
                bench.packet(a, one.at, &packet);
                bench.packet(a, one.at, &kept.take().expect("kept back"));
            }
            8 => {}
            _ => drop(bench.packet(a, one.at, &packet)),
        }
        bench.run(PTIME);
    }
    bench.command(tandem_media::Command::StopRecording { endpoint: a });
    let (recorder, samples) = read(&mut reader, Sides::Party);
    assert_eq!((recorder.frames_lost(), samples.len()), (0, one.said.len()));
    for (round, (heard, said)) in samples.chunks(FRAME).zip(one.said.chunks(FRAME)).enumerate() {
        // What was made up fades into what comes after it.
        assert_eq!(heard[FRAME / 2..] == said[FRAME / 2..], round % 10 != 8, "packet {round}");
    }
}

#[test]
fn a_pause_is_silence_and_is_told() {
    let (mut bench, [a, _], mut reader) = conversation(TAP_CAPACITY);
    let mut one = Talker::new(0);
    for round in 0..150 {
        if round == 50 || round == 100 {
            bench.command(tandem_media::Command::PauseRecording { endpoint: a, pause: round == 50 });
        }
        bench.packet(a, one.at, &one.packet());
        bench.run(PTIME);
    }
    bench.command(tandem_media::Command::StopRecording { endpoint: a });
    let (recorder, samples) = read(&mut reader, Sides::Mixed);
    let [before, paused, after] = [0, 1, 2].map(|it| it * 50 * FRAME..(it + 1) * 50 * FRAME);
    assert_eq!(samples[before.clone()], one.said[before]);
    assert!(samples[paused].iter().all(|sample| *sample == 0));
    assert_eq!(samples[after.clone()], one.said[after]);
    let pauses: Vec<_> = recorder.pauses().iter().map(|pause| (pause.from, pause.to)).collect();
    assert_eq!(pauses, [(Duration::from_secs(1), Some(Duration::from_secs(2)))]);
}

/// Until its last key has been let go, too.
#[test]
fn nothing_of_a_sensitive_collection_is_kept() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, stream(0));
    let mut reader = record(&mut bench, endpoint, TAP_CAPACITY);
    let mut one = Talker::new(0);
    let mut say = |bench: &mut Bench, packets: usize| {
        for _ in 0..packets {
            bench.packet(endpoint, one.at, &one.packet());
            bench.run(PTIME);
        }
    };
    say(&mut bench, 50);
    let rules = tandem_media::CollectRules { sensitive: true, ..rules(1, "") };
    let collect = tandem_media::CollectId(1);
    bench.command(tandem_media::Command::Collect { endpoint, collect, rules });
    // Its phone plays the tones of the keys as well.
    say(&mut bench, 50);
    let digit = tandem_media::Digit::from_char('7').expect("a digit");
    bench.command(tandem_media::Command::Digit { endpoint, digit });
    assert!(matches!(bench.take_events()[..], [.., tandem_media::Event::Collected { .. }]));
    say(&mut bench, 20);
    bench.run(Duration::from_secs(3));
    let mut later = Talker { source: Source::new(99, 0), ..Talker::new(0) };
    for _ in 0..50 {
        bench.packet(endpoint, later.at, &later.packet());
        bench.run(PTIME);
    }
    bench.command(tandem_media::Command::Close { endpoint });
    let (_, samples) = read(&mut reader, Sides::Party);
    let heard: Vec<bool> = samples.chunks(400).map(|it| it.iter().any(|sample| *sample != 0)).collect();
    assert!(heard[..19].iter().all(|heard| *heard), "what was said before: {heard:?}");
    assert!(heard[21..108].iter().all(|heard| !heard), "what was keyed, and 400 ms after: {heard:?}");
    assert!(heard[110..].iter().any(|heard| *heard), "what was said later: {heard:?}");
}

#[test]
fn keys_are_not_kept_however_they_are_told() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, stream(0));
    let mut reader = record(&mut bench, endpoint, TAP_CAPACITY);
    let mut source = Source::new(1, 0);
    press(&mut bench, endpoint, party(0), &mut source, '5');
    bench.command(tandem_media::Command::StopRecording { endpoint });
    let (recorder, samples) = read(&mut reader, Sides::Party);
    assert!(recorder.duration() >= Duration::from_millis(140));
    assert!(samples.iter().all(|sample| *sample == 0));
}

/// Who writes is behind: what does not fit is counted, and what follows is in its place.
#[test]
fn a_full_ring_costs_frames_and_no_time() {
    let (mut bench, [a, _], mut reader) = conversation(8 * 1_024);
    let mut one = Talker::new(0);
    let (mut recorder, mut samples) = (Recorder::new(Sides::Party), vec![]);
    for round in 0..200 {
        bench.packet(a, one.at, &one.packet());
        bench.run(PTIME);
        if round == 99 || round > 150 {
            while let Some(entry) = reader.next_entry() {
                recorder.take(entry);
            }
        }
        recorder.pull(&mut samples);
    }
    drop(bench);
    while let Some(entry) = reader.next_entry() {
        recorder.take(entry);
    }
    recorder.pull(&mut samples);
    assert!(recorder.is_over() && reader.is_closed(), "a worker that is gone leaves an end");
    assert!((50..120).contains(&recorder.frames_lost()), "{} lost", recorder.frames_lost());
    assert_eq!(samples[160 * FRAME..199 * FRAME], one.said[160 * FRAME..199 * FRAME]);
}

#[test]
fn a_recording_goes_with_its_endpoint_to_another_worker() {
    let (mut bench, [a, _], mut reader) = conversation(TAP_CAPACITY);
    let mut one = Talker::new(0);
    for _ in 0..25 {
        bench.packet(a, one.at, &one.packet());
        bench.run(PTIME);
    }
    bench.command(tandem_media::Command::HandOver { endpoint: a });
    let parcel = bench.take_events().into_iter().find_map(|event| match event {
        tandem_media::Event::HandedOver { parcel, .. } => Some(parcel),
        _ => None,
    });
    let mut other = Bench::seeded(2, 2);
    other.now = bench.now;
    let parcel = parcel.expect("handed over");
    other.command(tandem_media::Command::TakeOver { endpoint: a, local: local(0), parcel });
    other.worker.handle_bound(other.now, a, true);
    for _ in 0..25 {
        other.packet(a, one.at, &one.packet());
        other.run(PTIME);
    }
    other.command(tandem_media::Command::Close { endpoint: a });
    let (_, samples) = read(&mut reader, Sides::Party);
    assert_eq!(samples, one.said);
}
