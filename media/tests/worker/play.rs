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
        assert_eq!(packet.payload[0], Law::Pcmu.encode(1_000));
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
    bench.command(Command::Play {
        endpoint,
        play: PlayId(1),
        segments,
        times: Some(4),
        barge_in: BargeIn::Never,
    });
    bench.run(MS * 500);
    let heard = decode(Law::Pcma, &bench.take_rtp(endpoint));
    let meant: Vec<i16> =
        round.repeat(4).into_iter().map(|sample| Law::Pcma.decode(Law::Pcma.encode(sample))).collect();
    assert_eq!(heard, meant, "4 × 25 ms are five packets exactly");
}

#[test]
fn of_a_part_nothing_else_is_heard_however_it_lies() {
    let whole = Arc::new(Audio::from_samples((0..800).map(|n| n * 8).collect::<Vec<i16>>()));
    for (offset_ms, length, expected) in [
        (10, MS * 20, 80..240),
        (0, MS * 100, 0..800),
        (60, Duration::MAX, 480..800),
        (90, MS * 20, 720..800),
        (100, MS, 0..0),
        (u64::MAX, MS, 0..0),
    ] {
        let mut bench = Bench::new(1);
        let endpoint = bench.open(0, alaw_stream(0));
        let (audio, offset) = (Arc::clone(&whole), Duration::from_millis(offset_ms));
        bench.command(play(endpoint, 1, vec![Segment::Part { audio, offset, length }]));
        bench.run(MS * 200);
        let mut meant: Vec<i16> = whole.samples()[expected].to_vec();
        meant.resize(meant.len().next_multiple_of(160), 0);
        let meant: Vec<i16> =
            meant.iter().map(|sample| Law::Pcma.decode(Law::Pcma.encode(*sample))).collect();
        assert_eq!(decode(Law::Pcma, &bench.take_rtp(endpoint)), meant, "from {offset_ms} ms, {length:?}");
    }
}

#[test]
fn a_play_for_ever_of_nothing_ends() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, stream(0));
    let segments: Arc<[Segment]> = [Segment::Digits("".into()), Segment::Silence(Duration::ZERO)].into();
    bench.command(Command::Play {
        endpoint,
        play: PlayId(1),
        segments,
        times: None,
        barge_in: BargeIn::Never,
    });
    bench.run(MS * 20);
    let ended = Event::PlayEnded { endpoint, play: PlayId(1), end: PlayEnd::Finished };
    assert_eq!(bench.take_events(), [ended]);
    assert!(bench.take_rtp(endpoint).is_empty());
}

/// A worker called late catches up with what was due, in order, and keeps the schedule.
#[test]
fn a_late_call_sends_what_was_due_and_the_next_frame_is_on_time() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, stream(0));
    let start = bench.now;
    bench.command(play(endpoint, 1, vec![Segment::Audio(audio_of_ms(1_000))]));
    bench.run(MS);
    assert_eq!(bench.take_rtp(endpoint).len(), 1);
    bench.now = start + MS * 93;
    bench.worker.handle_timeout(bench.now);
    bench.drain();
    let sent = bench.take_rtp(endpoint);
    assert_eq!(sent.len(), 4, "those of 20, 40, 60 and 80 ms");
    assert!(sent.iter().all(|sent| !sent.rtp().header.marker));
    assert_eq!(bench.worker.poll_timeout(), Some(start + MS * 100), "no drift");
    let counters = bench.worker.counters();
    assert_eq!((counters.frames_late, counters.frames_skipped), (3, 0));
}

#[test]
fn beyond_five_frames_late_turns_are_given_up_but_no_audio_is() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, stream(0));
    let start = bench.now;
    bench.command(play(endpoint, 1, vec![Segment::Audio(audio_of_ms(200))]));
    bench.run(MS);
    for (late_ms, frames, skipped) in [(101, 5, 0), (241, 5, 2)] {
        bench.now = start + MS * late_ms;
        bench.worker.handle_timeout(bench.now);
        bench.drain();
        let got = (bench.sent.len() as u32, bench.worker.counters().frames_skipped);
        assert_eq!(got, (if skipped == 0 { 1 + frames } else { 10 }, skipped), "after {late_ms} ms");
    }
    bench.run(MS * 100);
    let sent = bench.take_rtp(endpoint);
    assert_eq!(sent.len(), 10, "all of it was sent");
    let after_gap = sent[6].rtp().header;
    assert!(after_gap.marker, "a receiver must see that time passed");
    assert_eq!(after_gap.timestamp.wrapping_sub(sent[5].rtp().header.timestamp), 3 * 160);
}

#[test]
fn a_thousand_plays_keep_their_schedules() {
    let mut bench = Bench::new(1_000);
    for index in 0..1_000 {
        let endpoint = bench.open(index, stream(index));
        let segments: Arc<[Segment]> = [Segment::Audio(audio_of_ms(50))].into();
        bench.command(Command::Play {
            endpoint,
            play: PlayId(1),
            segments,
            times: None,
            barge_in: BargeIn::Never,
        });
        bench.run(Duration::from_micros(137));
    }
    bench.run(Duration::from_secs(1));
    bench.sent.clear();
    bench.run(Duration::from_secs(10));
    let frames = bench.sent.iter().filter(|sent| sent.channel == Channel::Rtp).count();
    assert_eq!(frames, 1_000 * 50 * 10);
    assert_eq!(bench.worker.counters().frames_late, 0);
}

#[test]
fn a_play_is_replaced_stopped_and_ended_by_a_bridge_with_one_event_each() {
    let mut bench = Bench::new(2);
    let [a, b] = [0, 1].map(|index| bench.open(index, stream(index)));
    let music = |id| play(a, id, vec![Segment::Audio(audio_of_ms(10_000))]);
    let stopped = |id| Event::PlayEnded { endpoint: a, play: PlayId(id), end: PlayEnd::Stopped };
    bench.command(music(1));
    bench.command(music(2));
    assert_eq!(bench.take_events(), [stopped(1)]);
    bench.command(Command::Stop { endpoint: a });
    assert_eq!(bench.take_events(), [stopped(2)]);
    bench.command(music(3));
    bench.command(Command::Bridge { a: b, b: a });
    assert_eq!(bench.take_events(), [stopped(3)]);
    bench.run(MS * 100);
    assert!(bench.take_rtp(a).is_empty());
    bench.command(Command::Stop { endpoint: a });
    assert_eq!(bench.take_events(), [], "nothing to stop is no error");
}

#[test]
fn packets_carry_as_much_audio_as_agreed_within_reason() {
    for (agreed_ms, octets) in [(1, 80), (10, 80), (20, 160), (30, 240), (60, 480), (200, 480)] {
        let mut bench = Bench::new(1);
        let ptime = Duration::from_millis(agreed_ms);
        let endpoint = bench.open(0, StreamParameters { ptime, ..stream(0) });
        bench.command(play(endpoint, 1, vec![Segment::Audio(audio_of_ms(1_200))]));
        bench.run(MS * 1_300);
        let sent = bench.take_rtp(endpoint);
        assert!(sent.iter().all(|sent| sent.rtp().payload.len() == octets), "{agreed_ms} ms");
        assert_eq!(sent.len() * octets, 9_600);
    }
}

#[test]
fn a_play_that_replaces_another_waits_until_the_last_frame_has_sounded() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, stream(0));
    let start = bench.now;
    bench.command(play(endpoint, 1, vec![Segment::Audio(audio_of_ms(1_000))]));
    bench.run(MS * 6);
    bench.command(play(endpoint, 2, vec![Segment::Audio(audio_of_ms(1_000))]));
    bench.run(MS * 40);
    let times: Vec<_> = bench.take_rtp(endpoint).iter().map(|sent| sent.at - start).collect();
    assert_eq!(times, [Duration::ZERO, MS * 20, MS * 40]);
}
