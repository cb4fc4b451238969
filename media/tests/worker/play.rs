//! What an endpoint plays, and when its packets leave.

use std::sync::Arc;
use std::time::Duration;

use crate::support::*;
use tandem_media::*;

#[test]
fn a_prompt_leaves_as_one_packet_every_20_ms_and_ends_when_it_has_sounded() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, stream(0));
    let start = bench.now;
    bench.command(play(endpoint, 7, vec![Segment::Audio(audio_of_ms(200))]));
    bench.run(MS * 300);
    let sent = bench.take_rtp(endpoint);
    assert_eq!(sent.len(), 10);
    for (frame, sent) in sent.iter().enumerate() {
        assert_eq!(sent.at, start + PTIME * frame as u32);
        assert_eq!(sent.destination, party(0));
        let packet = sent.rtp();
        assert_eq!((packet.header.payload_type, packet.payload.len()), (0, 160));
        assert_eq!(packet.header.marker, frame == 0, "the marker starts the talkspurt");
        assert_eq!(packet.payload[0], Codec::Pcmu.encode(1_000));
    }
    let ended = Event::PlayEnded { endpoint, play: PlayId(7), end: PlayEnd::Finished };
    assert_eq!(bench.take_events(), [ended]);
}

#[test]
fn segments_follow_one_another_without_a_gap_and_as_often_as_asked() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, alaw_stream(0));
    let segments: Arc<[Segment]> = [
        Segment::Audio(Arc::new(Audio::from_samples(vec![4_000; 100]))),
        Segment::Silence(Duration::from_millis(5)),
        Segment::Digits("x".into()),
        Segment::Audio(Arc::new(Audio::from_samples(vec![-4_000; 60]))),
    ]
    .into();
    let round: Vec<i16> = [vec![4_000; 100], vec![0; 40], vec![-4_000; 60]].concat();
    bench.command(Command::Play { endpoint, play: PlayId(1), segments, times: Some(4), barge_in: false });
    bench.run(MS * 500);
    let heard = decode(Codec::Pcma, &bench.take_rtp(endpoint));
    let meant: Vec<i16> =
        round.repeat(4).into_iter().map(|sample| Codec::Pcma.decode(Codec::Pcma.encode(sample))).collect();
    assert_eq!(heard, meant, "4 × 25 ms are five packets exactly");
}

#[test]
fn a_play_for_ever_of_nothing_ends() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, stream(0));
    let segments: Arc<[Segment]> = [Segment::Digits("".into()), Segment::Silence(Duration::ZERO)].into();
    bench.command(Command::Play { endpoint, play: PlayId(1), segments, times: None, barge_in: false });
    bench.run(MS * 20);
    let ended = Event::PlayEnded { endpoint, play: PlayId(1), end: PlayEnd::Finished };
    assert_eq!(bench.take_events(), [ended]);
    assert!(bench.take_rtp(endpoint).is_empty());
}
