//! Keys that are a code for us are not heard by whom the party talks to, and all others are.

use std::sync::Arc;
use std::time::Duration;

use tandem_media::*;

use crate::support::*;

/// So long a key that may begin a code is held back at most.
const PATIENCE: Duration = Duration::from_secs(2);

/// Two parties who hear each other; the first one's codes are `*3` and `*41`.
fn with_codes() -> (Bench, [EndpointId; 2], Source) {
    let mut bench = Bench::new(2);
    let [a, b] = [0, 1].map(|index| bench.open(index, stream(index)));
    let codes: Arc<[DigitString]> = ["*3", "*41"].map(digits).into();
    bench.command(Command::HoldBack { endpoint: a, codes });
    bench.command(Command::Bridge { a, b });
    (bench, [a, b], Source::new(9, 0))
}

/// The first party talks, presses keys with a pause after each, and talks on for `after`; what reached the second one.
fn keyed(keys: &str, after: Duration) -> (Bench, Vec<Sent>) {
    let (mut bench, [a, b], mut source) = with_codes();
    let talk = |bench: &mut Bench, source: &mut Source, long: Duration| {
        for _ in 0..long.as_millis() / PTIME.as_millis() {
            bench.packet(a, party(0), &source.audio(&[0x55; 160]));
            bench.run(PTIME);
        }
    };
    talk(&mut bench, &mut source, MS * 200);
    for key in keys.chars() {
        press(&mut bench, a, party(0), &mut source, key);
        talk(&mut bench, &mut source, MS * 100);
    }
    talk(&mut bench, &mut source, after);
    let sent = bench.take_rtp(b);
    (bench, sent)
}

/// The keys in what a party was sent, each by its timestamp.
fn heard(sent: &[Sent]) -> String {
    let packets = sent.iter().map(Sent::rtp).filter(|packet| packet.header.payload_type == EVENT_PT);
    let mut keys: Vec<(u32, u8)> =
        packets.map(|packet| (packet.header.timestamp, packet.payload[0])).collect();
    keys.dedup();
    keys.iter().map(|(_, event)| Digit::from_event(*event).expect("a digit").as_char()).collect()
}

fn told(events: &[Event]) -> (String, String) {
    let keys =
        |pick: fn(&Event) -> Option<Digit>| events.iter().filter_map(pick).map(Digit::as_char).collect();
    let pressed = keys(|event| if let Event::Digit { digit, .. } = event { Some(*digit) } else { None });
    let passed = keys(|event| if let Event::KeyPassed { digit, .. } = event { Some(*digit) } else { None });
    (pressed, passed)
}

/// Nor is anything missing of what it hears: numbers go on by one, whatever was kept from it.
#[test]
fn a_code_is_heard_by_us_alone() {
    for code in ["*3", "*41"] {
        let (mut bench, sent) = keyed(code, PATIENCE * 2);
        assert_eq!(heard(&sent), "");
        assert_eq!(told(&bench.take_events()), (code.to_owned(), String::new()));
        let numbers: Vec<u16> = sent.iter().map(|sent| sent.rtp().header.sequence_number).collect();
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "{numbers:?}");
        let times: Vec<u32> = sent.iter().map(|sent| sent.rtp().header.timestamp).collect();
        assert!(times.windows(2).all(|pair| (160..2_000).contains(&pair[1].wrapping_sub(pair[0]))));
        assert!(sent.len() > 200, "what it says goes on: {} packets", sent.len());
    }
}

#[test]
fn keys_that_are_no_code_are_heard_in_order() {
    for keys in ["5", "12345", "*5", "**5", "*4*5", "*42", "3*4#", "*45*4*"] {
        let (mut bench, sent) = keyed(keys, PATIENCE * 2);
        assert_eq!(heard(&sent), keys);
        assert_eq!(told(&bench.take_events()), (keys.to_owned(), keys.to_owned()));
    }
}

#[test]
fn a_code_among_other_keys_is_left_out() {
    for (keys, others) in [("1*32", "12"), ("**3", "*"), ("*4*3", "*4"), ("*41*41*", "*")] {
        let (_, sent) = keyed(keys, PATIENCE * 2);
        assert_eq!(heard(&sent), others, "of {keys}");
    }
}

/// What begins no code is not held back, and what may for two seconds at most.
#[test]
fn a_key_waits_no_longer_than_it_must() {
    let (_, sent) = keyed("7", MS * 100);
    assert_eq!(heard(&sent), "7", "at once");
    let (_, sent) = keyed("*", PATIENCE - MS * 500);
    assert_eq!(heard(&sent), "");
    let (_, sent) = keyed("*", PATIENCE + MS * 200);
    assert_eq!(heard(&sent), "*");
}

#[test]
fn keys_told_in_signalling_wait_too() {
    let (mut bench, [a, b], _) = with_codes();
    let key = |bench: &mut Bench, keys: &str| {
        for key in keys.chars() {
            bench.command(Command::Digit { endpoint: a, digit: Digit::from_char(key).expect("a digit") });
            bench.run(MS * 300);
        }
    };
    key(&mut bench, "*3");
    bench.run(PATIENCE * 2);
    assert_eq!(heard(&bench.take_rtp(b)), "");
    key(&mut bench, "*7");
    bench.run(PATIENCE);
    assert_eq!(heard(&bench.take_rtp(b)), "*7");
}

/// An echo gives back all keys: nobody else is there to hear them.
#[test]
fn who_hears_itself_hears_its_codes() {
    let (mut bench, [a, _], mut source) = with_codes();
    bench.command(Command::Bridge { a, b: a });
    for key in "*3".chars() {
        press(&mut bench, a, party(0), &mut source, key);
    }
    assert_eq!(heard(&bench.take_rtp(a)), "*3");
}

/// What was begun for one party is not heard by the next one.
#[test]
fn a_key_that_waits_is_for_nobody_else() {
    let (mut bench, [a, b], mut source) = with_codes();
    press(&mut bench, a, party(0), &mut source, '*');
    bench.command(Command::Unbridge { endpoint: a });
    bench.command(Command::Bridge { a, b });
    bench.run(PATIENCE * 2);
    assert_eq!(heard(&bench.take_rtp(b)), "");
}

/// A party whose keys are tones, who talks to one that takes tones as well, or telephone-events.
fn with_tones(stream_of_b: StreamParameters) -> (Bench, [EndpointId; 2]) {
    let mut bench = Bench::new(2);
    let [a, b] = [bench.open(0, tones_only(0)), bench.open(1, stream_of_b)];
    bench.command(Command::HoldBack { endpoint: a, codes: ["*3"].map(digits).into() });
    bench.command(Command::Bridge { a, b });
    (bench, [a, b])
}

fn tones_only(index: u32) -> StreamParameters {
    let in_band = InBand::HeardAndSent;
    let stream = stream(index);
    StreamParameters { send_event_payload_type: None, receive_event_payload_type: None, in_band, ..stream }
}

/// Keys as 100 ms of their tones, each with as much silence behind it.
fn sounding(keys: &str) -> Vec<i16> {
    let hz = |key| match key {
        '*' => (941.0, 1_209.0),
        '3' => (697.0, 1_477.0),
        other => panic!("{other} has no tones here"),
    };
    let sine = |n: u32, hz: f64| 5_000.0 * (std::f64::consts::TAU * hz * f64::from(n) / 8_000.0).sin();
    let key = |key| {
        let (low, high) = hz(key);
        (0..1_600).map(move |n| if n < 800 { (sine(n, low) + sine(n, high)) as i16 } else { 0 })
    };
    keys.chars().flat_map(key).collect()
}

/// How long both tones of a key are there.
fn time_of(samples: &[i16], (low_hz, high_hz): (f64, f64)) -> Duration {
    let is_there = |window: &&[i16]| [low_hz, high_hz].iter().all(|hz| level_dbm0(window, *hz) > -25.0);
    MS * 10 * samples.chunks_exact(80).filter(is_there).count() as u32
}

const STAR_HZ: (f64, f64) = (941.0, 1_209.0);
const THREE_HZ: (f64, f64) = (697.0, 1_477.0);

/// Says something in packets of 20 ms.
fn say(bench: &mut Bench, endpoint: EndpointId, source: &mut Source, samples: &[i16]) {
    for samples in samples.chunks(160) {
        let payload: Vec<u8> = samples.iter().map(|sample| Law::Pcmu.encode(*sample)).collect();
        bench.packet(endpoint, party(endpoint.index), &source.audio(&payload));
        bench.run(PTIME);
    }
}

/// No more of a code's tones than it takes to know them (Q.24: keys of 40 ms count), and none of them as a press.
#[test]
fn a_code_of_tones_is_hardly_heard_and_one_that_is_none_is_pressed_anew() {
    for (keys, star, three) in [("*3", 0, 0), ("*", 1, 0), ("3", 0, 1), ("**3", 1, 0)] {
        let (mut bench, [a, b]) = with_tones(tones_only(1));
        let mut source = Source::new(9, 0);
        say(&mut bench, a, &mut source, &sounding(keys));
        say(&mut bench, a, &mut source, &vec![0; 8 * 2_500]);
        let sent = bench.take_rtp(b);
        let heard = decode(Law::Pcmu, &sent);
        for (hz, pressed) in [(STAR_HZ, star), (THREE_HZ, three)] {
            let leaked = MS * 40 * keys.len() as u32;
            let time = time_of(&heard, hz);
            let (least, most) = (MS * 70 * pressed, MS * 130 * pressed + leaked);
            assert!((least..=most).contains(&time), "{keys}: {time:?} of {hz:?}");
        }
        let numbers: Vec<u16> = sent.iter().map(|sent| sent.rtp().header.sequence_number).collect();
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "{numbers:?}");
    }
}

/// The same where what is said is decoded, and for who takes telephone-events.
#[test]
fn a_code_of_tones_is_no_press_for_who_takes_telephone_events() {
    let g722 =
        StreamParameters { codec: Codec::G722, send_payload_type: 9, receive_payload_type: 9, ..stream(1) };
    for other in [stream(1), g722] {
        for (keys, pressed) in [("*3", ""), ("3*3", "3"), ("**3", "*")] {
            let (mut bench, [a, b]) = with_tones(other.clone());
            let mut source = Source::new(9, 0);
            say(&mut bench, a, &mut source, &sounding(keys));
            say(&mut bench, a, &mut source, &vec![0; 8 * 2_500]);
            assert_eq!(heard(&bench.take_rtp(b)), pressed, "{keys} for {:?}", other.codec);
        }
    }
}

/// Who has no codes is heard as ever.
#[test]
fn tones_of_who_has_no_codes_are_heard_as_they_are() {
    let (mut bench, [a, b]) = with_tones(tones_only(1));
    bench.command(Command::HoldBack { endpoint: a, codes: Arc::new([]) });
    let mut source = Source::new(9, 0);
    say(&mut bench, a, &mut source, &sounding("*3"));
    let heard = decode(Law::Pcmu, &bench.take_rtp(b));
    assert!(time_of(&heard, STAR_HZ) >= MS * 90 && time_of(&heard, THREE_HZ) >= MS * 90);
}
