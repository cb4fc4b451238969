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
