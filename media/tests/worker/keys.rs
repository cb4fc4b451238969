//! Keys that come by another way than RTP are pressed for the bridged party as telephone events (RFC 4733).

use std::time::Duration;

use tandem_media::*;

use crate::support::*;

fn digit(symbol: char) -> Digit {
    Digit::from_char(symbol).expect("a digit")
}

/// Two parties who hear each other.
fn bridged(of_second: StreamParameters) -> (Bench, EndpointId, EndpointId) {
    let mut bench = Bench::new(2);
    let (a, b) = (bench.open(0, stream(0)), bench.open(1, of_second));
    bench.command(Command::Bridge { a, b });
    (bench, a, b)
}

/// What the party of `endpoint` takes for pressed: another worker's detection.
fn pressed(sent: &[Sent]) -> String {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, stream(0));
    for packet in sent {
        bench.packet(endpoint, party(0), &packet.bytes);
        bench.run(PTIME);
    }
    let events = bench.take_events().into_iter();
    events
        .filter_map(|event| if let Event::Digit { digit, .. } = event { Some(digit.as_char()) } else { None })
        .collect()
}

/// §2.5.1: one timestamp, the marker at the start, growing durations, the end three times; audio waits meanwhile and
/// goes on in sequence. Who pressed is told of once.
#[test]
fn a_key_is_one_press_of_the_bridged_party_s() {
    let (mut bench, a, b) = bridged(stream(1));
    let mut caller = Source::new(77, 0);
    for turn in 0..20 {
        if turn == 5 {
            bench.command(Command::Digit { endpoint: a, digit: digit('5') });
        }
        let packet = caller.audio(&[0; 160]);
        bench.packet(a, party(0), &packet);
        bench.run(PTIME);
    }
    let sent = bench.take_rtp(b);
    let packets: Vec<_> = sent.iter().map(Sent::rtp).collect();
    let sequences = packets.iter().map(|packet| packet.header.sequence_number);
    let first = packets[0].header.sequence_number;
    assert!(sequences.eq((0..).map(|n| first.wrapping_add(n)).take(packets.len())), "no gap, none twice");
    let keys: Vec<_> = packets.iter().filter(|packet| packet.header.payload_type == EVENT_PT).collect();
    let blocks: Vec<(u8, bool, u16)> = keys
        .iter()
        .map(|key| {
            (key.payload[0], key.payload[1] & 0x80 != 0, u16::from_be_bytes([key.payload[2], key.payload[3]]))
        })
        .collect();
    let held = (1..=5).map(|n| (5, false, n * 160));
    assert_eq!(blocks, held.chain([(5, true, 960); 3]).collect::<Vec<_>>());
    assert!(keys.iter().all(|key| key.header.timestamp == keys[0].header.timestamp));
    assert_eq!(keys.iter().filter(|key| key.header.marker).count(), 1);
    let audio = packets.len() - keys.len();
    assert!((10..=13).contains(&audio), "{audio}: held back for as long as the key is down");
    let after =
        packets.iter().skip_while(|it| it.header.payload_type == 0).find(|it| it.header.payload_type == 0);
    let step = after.expect("it goes on").header.timestamp.wrapping_sub(keys[0].header.timestamp);
    assert!((960..=1_600).contains(&step), "the clock goes on: {step}");
    assert_eq!(pressed(&sent), "5");
    assert_eq!(bench.take_events().iter().filter(|event| matches!(event, Event::Digit { .. })).count(), 1);
}

/// Keys pressed faster than they can be said wait their turn, to a maximum.
#[test]
fn keys_wait_for_each_other_up_to_a_limit() {
    let (mut bench, a, b) = bridged(stream(1));
    for symbol in "1123#".chars() {
        bench.command(Command::Digit { endpoint: a, digit: digit(symbol) });
    }
    bench.run(Duration::from_secs(2));
    assert_eq!(pressed(&bench.take_rtp(b)), "1123#");
    for _ in 0..35 {
        bench.command(Command::Digit { endpoint: a, digit: digit('9') });
    }
    bench.run(Duration::from_secs(20));
    assert_eq!(pressed(&bench.take_rtp(b)).len(), 33, "one down, 32 waiting");
    assert_eq!(bench.worker.counters().digits_dropped, 2);
}

/// A party whose keys travel in its signalling is sent none; whoever signals for it sends the digit.
#[test]
fn a_party_that_takes_keys_in_its_signalling_gets_none() {
    let in_band = InBand::Heard;
    let (mut bench, a, b) = bridged(StreamParameters { send_event_payload_type: None, in_band, ..stream(1) });
    bench.command(Command::Digit { endpoint: a, digit: digit('7') });
    bench.run(Duration::from_secs(1));
    assert!(bench.take_rtp(b).is_empty());
    assert!(matches!(bench.take_events()[..], [Event::Digit { endpoint, .. }] if endpoint == a));
}

/// A phone that says a press in SIP and by telephone-events has pressed once, whichever comes first; the same key
/// pressed again is another press.
#[test]
fn a_press_that_is_told_in_two_ways_is_one() {
    for in_sip_first in [true, false] {
        let (mut bench, a, b) = bridged(stream(1));
        let mut caller = Source::new(77, 0);
        for _ in 0..2 {
            if in_sip_first {
                bench.command(Command::Digit { endpoint: a, digit: digit('4') });
            }
            press(&mut bench, a, party(0), &mut caller, '4');
            if !in_sip_first {
                bench.command(Command::Digit { endpoint: a, digit: digit('4') });
            }
            bench.run(Duration::from_millis(700));
        }
        let told = bench.take_events().iter().filter(|event| matches!(event, Event::Digit { .. })).count();
        assert_eq!((told, pressed(&bench.take_rtp(b)).as_str()), (2, "44"), "in SIP first: {in_sip_first}");
    }
}
