//! One press is one digit, whatever the network does to its packets (RFC 4733).

use std::time::Duration;

use proptest::prelude::*;
use tandem_media::telephone_event::{EventBlock, Press, PressDetector};
use tandem_media::*;
use tandem_time::Instant;

use crate::support::*;

/// What the network does to one packet.
#[derive(Clone, Copy, Debug)]
struct Fate {
    lost: bool,
    twice: bool,
    delay_ms: u32,
}

fn fate() -> impl Strategy<Value = Fate> {
    (0.0..1.0f64, prop::bool::weighted(0.2), 0u32..60).prop_map(|(luck, twice, delay_ms)| Fate {
        lost: luck < 0.3,
        twice,
        delay_ms,
    })
}

fn pressed() -> impl Strategy<Value = (char, u16, Vec<Fate>)> {
    (prop::sample::select("0123456789*#ABCD".chars().collect::<Vec<_>>()), 2u16..12)
        .prop_flat_map(|(digit, updates)| (Just(digit), Just(updates), prop::collection::vec(fate(), 16)))
}

proptest! {
    /// Loss of 30 %, duplicates and reordering within a press: every press of which anything arrives is told once.
    #[test]
    fn a_press_is_one_digit(presses in prop::collection::vec(pressed(), 1..12)) {
        let mut bench = Bench::new(1);
        let endpoint = bench.open(0, stream(0));
        let mut caller = Source::new(77, 0);
        let mut arrivals = vec![];
        let mut meant = vec![];
        let mut at_ms = 0;
        for (digit, updates, fates) in &presses {
            let packets = caller.press(*digit, *updates);
            meant.extend(packets.iter().zip(fates).any(|(_, fate)| !fate.lost).then_some(*digit));
            for (packet, fate) in packets.into_iter().zip(fates) {
                let times = if fate.lost { 0 } else { 1 + usize::from(fate.twice) };
                arrivals.extend((0..times).map(|again| (at_ms + fate.delay_ms + 7 * again as u32, packet.clone())));
                at_ms += 20;
            }
            at_ms += 60;
        }
        arrivals.sort_by_key(|(at_ms, _)| *at_ms);
        let start = bench.now;
        for (at_ms, packet) in arrivals {
            bench.run((start + MS * at_ms) - bench.now);
            bench.packet(endpoint, party(0), &packet);
        }
        let told: Vec<char> = bench.take_events().into_iter().filter_map(|event| match event {
            Event::Digit { digit, .. } => Some(digit.as_char()),
            _ => None,
        }).collect();
        prop_assert_eq!(told, meant);
    }
}

fn receive(detector: &mut PressDetector, at_ms: u64, timestamp: u32, end: bool, duration: u16) -> Press {
    let packet = [&[0x80, 101, 0, 1][..], &timestamp.to_be_bytes(), &[0, 0, 0, 1]].concat();
    let header = tandem_media::rtp::Header::parse(&packet).expect("RTP");
    let block = EventBlock { event: 5, end, duration };
    detector.receive(Instant::from_millis(at_ms), &header, block)
}

#[test]
fn a_press_lasts_from_its_first_packet_to_its_end() {
    let mut detector = PressDetector::default();
    assert_eq!(receive(&mut detector, 0, 1_000, false, 160), Press::Started);
    assert_eq!(receive(&mut detector, 20, 1_000, false, 320), Press::Held);
    assert_eq!(receive(&mut detector, 40, 1_000, true, 800), Press::Released(Duration::from_millis(100)));
    assert_eq!(receive(&mut detector, 60, 1_000, true, 800), Press::Repeated, "the end is sent three times");
    assert_eq!(receive(&mut detector, 80, 500, false, 160), Press::Repeated, "late from an earlier press");
}

#[test]
fn the_same_key_again_is_a_press_even_when_the_end_was_lost() {
    let mut detector = PressDetector::default();
    assert_eq!(receive(&mut detector, 0, 1_000, false, 160), Press::Started);
    assert_eq!(receive(&mut detector, 400, 4_200, false, 160), Press::Started);
    assert_eq!(
        receive(&mut detector, 420, u32::MAX - 3, false, 160),
        Press::Repeated,
        "half the circle is past"
    );
}

/// RFC 4733 §2.5.1.3: beyond 8.19 s an event goes on under a new timestamp.
#[test]
fn a_key_held_beyond_the_duration_field_is_one_press() {
    let mut detector = PressDetector::default();
    let start = u32::MAX - 10_000;
    assert_eq!(receive(&mut detector, 0, start, false, 160), Press::Started);
    assert_eq!(receive(&mut detector, 8_180, start, false, 65_535), Press::Held);
    let second = start.wrapping_add(65_535);
    assert_eq!(receive(&mut detector, 8_200, second, false, 160), Press::Held);
    let released = receive(&mut detector, 8_240, second, true, 480);
    assert_eq!(released, Press::Released(Duration::from_micros((65_535 + 480) * 125)));
}

#[test]
fn a_press_one_field_later_but_after_a_pause_is_another_one() {
    let mut detector = PressDetector::default();
    receive(&mut detector, 0, 1_000, false, 160);
    assert_eq!(receive(&mut detector, 8_192, 1_000 + 65_535, false, 160), Press::Started);
}

#[test]
fn events_that_are_no_digits_are_relayed_but_not_told() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, stream(0));
    bench.command(Command::Bridge { a: endpoint, b: endpoint });
    let mut flash = Source::new(1, EVENT_PT);
    assert!(bench.packet(endpoint, party(0), &flash.audio(&[16, 0x8a, 0, 160])).is_some());
    assert!(!bench.take_events().iter().any(|event| matches!(event, Event::Digit { .. })));
}

#[test]
fn a_source_that_starts_anew_may_press_at_earlier_timestamps() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, stream(0));
    for (ssrc, timestamp) in [(1, 1_000_000), (2, 500)] {
        let mut source = Source { timestamp, ..Source::new(ssrc, 0) };
        press(&mut bench, endpoint, party(0), &mut source, '5');
    }
    let told = bench.take_events().iter().filter(|event| matches!(event, Event::Digit { .. })).count();
    assert_eq!(told, 2);
}

/// All packets of a press bear the time of its start; what follows it must not begin before its end.
#[test]
fn a_switch_after_a_relayed_press_advances_past_the_press() {
    let mut bench = Bench::new(2);
    let [a, b] = [0, 1].map(|index| bench.open(index, stream(index)));
    bench.command(Command::Bridge { a, b });
    let mut caller = Source::new(3, 0);
    for packet in caller.press('5', 97) {
        bench.packet(a, party(0), &packet);
        bench.run(PTIME);
    }
    bench.command(play(b, 1, vec![Segment::Audio(audio_of_ms(20))]));
    bench.run(PTIME);
    let sent = bench.take_rtp(b);
    let (pressed, played) = (sent[0].rtp().header.timestamp, sent[100].rtp().header.timestamp);
    assert_eq!(played.wrapping_sub(pressed), 100 * 160);
}
