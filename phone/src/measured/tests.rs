use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::Keys;
use crate::g711::Law;
use crate::manner::Srtp;
use crate::secure::CryptoLine;

const MS: u64 = 1_000_000;

fn agreed(local: &str, remote: &str, keys: Option<Keys>) -> Agreed {
    let address = |text: &str| text.parse().expect("an address");
    Agreed { local: address(local), remote: address(remote), codec: Codec::Pcmu, payload_type: 0, keys }
}

fn stream(id: u32, says: Says, hears: Hears) -> MeasuredStream {
    MeasuredStream::new(id, agreed("127.0.0.1:4000", "127.0.0.1:4002", None), says, hears, u64::MAX)
        .expect("a stream")
}

/// What a stream says in so many packets of 20 ms.
fn said(stream: &mut MeasuredStream, packets: u64) -> Vec<(u64, Vec<u8>)> {
    let mut packet = Vec::new();
    (0..packets)
        .map(|n| {
            assert!(stream.speak(n * 20 * MS, &mut packet));
            (n * 20 * MS, packet.clone())
        })
        .collect()
}

fn pattern() -> (Vec<(u64, Vec<u8>)>, MeasuredStream) {
    // More than a rollover, from the highest first number there is.
    let said = said(&mut stream(7, Says::Pattern, Hears::Sound), 70_000);
    (said, stream(8, Says::Nothing, Hears::Pattern(7)))
}

#[test]
fn an_unchanged_stream_is_right_and_its_delay_is_what_it_took() {
    let (said, mut ear) = pattern();
    for (at, packet) in &said {
        assert_eq!(ear.hear(at + 3 * MS, packet), Some(Duration::from_millis(3)));
    }
    assert_eq!(ear.counts(), Counts { received: 70_000, ..Counts::default() });
}

#[test]
fn losses_duplicates_and_disorder_are_told_apart() {
    let (mut said, mut ear) = pattern();
    said.truncate(100);
    said.swap(10, 11);
    let twice = said[20].clone();
    said.insert(21, twice);
    said.drain(50..53);
    for (at, packet) in &said {
        ear.hear(*at, packet);
    }
    let counts = ear.counts();
    assert_eq!((counts.received, counts.lost, counts.duplicates, counts.reordered), (98, 3, 1, 1));
    assert_eq!((counts.wrong_headers, counts.wrong_content, counts.unusable), (0, 0, 0));
}

#[test]
fn whatever_was_changed_is_wrong() {
    let changes: [(usize, u8, [u64; 3]); 6] = [
        (0, 0x40, [0, 0, 1]),  // no version of RTP
        (1, 0x08, [0, 0, 1]),  // another payload type
        (7, 0x10, [2, 0, 0]),  // its timestamp, and so that of the next
        (11, 0x01, [2, 0, 0]), // its source, and so that of the next
        (15, 0x01, [0, 1, 0]), // whose it says that it is
        (171, 0x01, [0, 1, 0]),
    ];
    for (octet, bits, wrong) in changes {
        let (said, mut ear) = pattern();
        for (n, (at, packet)) in said.iter().take(20).enumerate() {
            let mut packet = packet.clone();
            packet[octet] ^= if n == 10 { bits } else { 0 };
            ear.hear(*at, &packet);
        }
        let counts = ear.counts();
        assert_eq!([counts.wrong_headers, counts.wrong_content, counts.unusable], wrong, "octet {octet}");
    }
}

#[test]
fn somebody_elses_stream_is_wrong() {
    let (said, _) = pattern();
    let mut ear = stream(8, Says::Nothing, Hears::Pattern(6));
    for (at, packet) in said.iter().take(5) {
        ear.hear(*at, packet);
    }
    assert_eq!(ear.counts().wrong_content, 5);
}

#[test]
fn under_srtp_nothing_forged_is_heard() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let [ours, theirs] = [(); 2].map(|()| CryptoLine::draw(&mut rng, Srtp::Required)[0].clone());
    let keys = |ours: &CryptoLine, theirs: &CryptoLine| Keys { ours: ours.clone(), theirs: theirs.clone() };
    let end = |keys, says, hears| {
        MeasuredStream::new(7, agreed("127.0.0.1:4000", "127.0.0.1:4002", Some(keys)), says, hears, 1)
            .expect("keys of use")
    };
    let said = said(&mut end(keys(&ours, &theirs), Says::Pattern, Hears::Sound), 20);
    let mut ear = end(keys(&theirs, &ours), Says::Nothing, Hears::Pattern(7));
    for (n, (at, packet)) in said.iter().enumerate() {
        let mut packet = packet.clone();
        packet[40] ^= u8::from(n == 5);
        ear.hear(*at, &packet);
    }
    let counts = ear.counts();
    assert_eq!((counts.received, counts.unusable, counts.lost, counts.wrong_content), (19, 1, 1, 0));
}

#[test]
fn tones_are_all_heard_or_wrong() {
    let together = |tones: &[u16]| -> Vec<u8> {
        let tones: Vec<_> = tones.iter().map(|hz| tone(Codec::Pcmu, *hz)).collect();
        let sum = |n: usize| tones.iter().map(|tone| Law::Mu.decode(tone[n])).sum();
        (0..FRAME).map(|n| Law::Mu.encode(sum(n))).collect()
    };
    let wrong = |heard: &[u16]| {
        let hears = Hears::Tones { present: vec![600, 900], absent: vec![1_500] };
        let mut ear = stream(1, Says::Nothing, hears);
        let header: Vec<_> = said(&mut stream(2, Says::Tone(300), Hears::Sound), 60);
        for (n, (at, packet)) in header.into_iter().enumerate() {
            if n == 50 {
                ear.settle(true);
            }
            ear.hear(at, &[&packet[..12], &together(heard)].concat());
        }
        ear.counts().wrong_content
    };
    assert_eq!(wrong(&[600, 900]), 0);
    assert_eq!(wrong(&[600, 900, 1_500]), 10, "those from when it had settled");
    assert_eq!(wrong(&[600]), 10);
    assert_eq!(wrong(&[600, 1_200]), 10);
}

#[test]
fn silence_is_no_sound() {
    let mut ear = stream(1, Says::Nothing, Hears::Sound);
    ear.settle(true);
    for (n, (at, mut packet)) in
        said(&mut stream(2, Says::Tone(300), Hears::Sound), 80).into_iter().enumerate()
    {
        if n == 70 {
            ear.settle(false);
        }
        if n >= 60 {
            packet[12..].fill(0xff);
        }
        ear.hear(at, &packet);
    }
    assert_eq!(ear.counts().wrong_content, 10, "those until nobody spoke any more");
}

#[test]
fn a_prompt_is_followed_to_its_end_and_again() {
    let prompt = pattern::prompt();
    let play = |frames: &[usize]| {
        let mut ear = stream(1, Says::Nothing, Hears::Prompt);
        let lateness: Vec<_> = said(&mut stream(2, Says::Tone(300), Hears::Sound), frames.len() as u64)
            .into_iter()
            .zip(frames)
            .map(|((at, packet), frame)| {
                let octets = &prompt[frame * FRAME..][..FRAME];
                ear.hear(at + u64::from(*frame == 999) * MS, &[&packet[..12], octets].concat())
            })
            .collect();
        (ear.counts(), lateness)
    };
    let (counts, lateness) = play(&[998, 999, 0, 1]);
    assert_eq!((counts.wrong_headers, counts.wrong_content), (0, 0));
    assert_eq!(lateness, [0, 1, 0, 0].map(|ms| Some(Duration::from_millis(ms))), "later than the earliest");
    assert_eq!(play(&[1, 2, 4, 5]).0.wrong_headers, 1, "a frame was left out");
    for octet in &prompt {
        assert_eq!(Law::Mu.encode(Law::Mu.decode(*octet)), *octet, "it comes back as it was");
    }
}

/// A tone that is coded by what came before it is heard in each packet, and another one is not taken for it.
#[test]
fn a_tone_is_heard_through_every_codec() {
    for codec in Codec::ALL {
        let agreed = || Agreed { codec, ..agreed("127.0.0.1:4000", "127.0.0.1:4002", None) };
        let stream = |says, hears| MeasuredStream::new(1, agreed(), says, hears, 1).expect("a stream");
        let wrong = |present: u16, absent: u16| {
            let hears = Hears::Tones { present: vec![present], absent: vec![absent] };
            let mut ear = stream(Says::Nothing, hears);
            for (n, (at, packet)) in
                said(&mut stream(Says::Tone(600), Hears::Sound), 110).into_iter().enumerate()
            {
                ear.settle(n >= 10);
                ear.hear(at, &packet);
            }
            let counts = ear.counts();
            assert_eq!((counts.received, counts.unusable, counts.wrong_headers), (110, 0, 0), "{codec:?}");
            counts.wrong_content
        };
        assert_eq!([wrong(600, 900), wrong(900, 600), wrong(900, 1_500)], [0, 100, 100], "{codec:?}");
    }
}
