//! Silence that is told instead of sent (RFC 3389), to parties that have agreed on it.

use std::time::Duration;

use rand_chacha::rand_core::Rng;
use tandem_media::codec::comfort_noise::ComfortNoise;
use tandem_media::*;

use crate::support::*;

const NOISE_PT: u8 = 13;

fn quiet(index: u32) -> StreamParameters {
    StreamParameters { comfort_noise: true, ..stream(index) }
}

/// What goes to a party in packets of speech, and in descriptions of silence.
fn parts(sent: &[Sent]) -> (Vec<&Sent>, Vec<&Sent>) {
    sent.iter().partition(|sent| sent.rtp().header.payload_type != NOISE_PT)
}

/// RFC 3551 §4.1: the first packet after a pause has the marker, and the clock has gone on; RFC 3389 §4: a description has
/// none. Numbers go on by one, so that nothing looks lost.
#[test]
fn a_pause_is_described_and_what_follows_it_is_in_its_time() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, quiet(0));
    let pause = Segment::Silence(Duration::from_secs(4));
    let tone = || Segment::Tone(Tone::Beep);
    bench.command(play(endpoint, 1, vec![tone(), pause, tone()]));
    bench.run(Duration::from_secs(10));
    let sent = bench.take_rtp(endpoint);
    let (speech, noise) = parts(&sent);
    assert!((15..=30).contains(&noise.len()), "every 200 ms: {} descriptions", noise.len());
    assert!(noise.iter().all(|it| !it.rtp().header.marker && it.rtp().payload[0] == 127), "nothing to hear");
    let numbers: Vec<u16> = sent.iter().map(|it| it.rtp().header.sequence_number).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)));
    let (first, at) = (speech[0].rtp().header.timestamp, speech[0].at);
    for it in &sent {
        let ticks = it.rtp().header.timestamp.wrapping_sub(first);
        assert_eq!(Duration::from_micros(u64::from(ticks) * 125), it.at - at, "the clock is the time");
    }
    let marked: Vec<bool> = speech.iter().map(|it| it.rtp().header.marker).collect();
    let begins =
        speech.windows(2).position(|pair| pair[1].at - pair[0].at > MS * 1_000).expect("a pause") + 1;
    let expected = (0..speech.len()).map(|index| index == 0 || index == begins).collect::<Vec<_>>();
    assert_eq!(marked, expected);
    let saved = 200 - (begins - 1) as i64;
    assert!(speech.len() < 120, "{} packets of speech, {saved} saved", speech.len());
}

#[test]
fn who_has_not_agreed_on_it_is_sent_all_of_its_silence() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, stream(0));
    bench.command(play(endpoint, 1, vec![Segment::Silence(Duration::from_secs(2))]));
    bench.run(Duration::from_secs(3));
    assert_eq!(bench.take_rtp(endpoint).len(), 100);
}

/// Noise of a line at a level in dBov, each sample resembling the one before as much as `colour` says.
fn line_noise(seed: u64, level: f64, colour: f64) -> impl Iterator<Item = i16> {
    let mut rng: rand_chacha::ChaCha8Rng = rand_chacha::rand_core::SeedableRng::seed_from_u64(seed);
    let amplitude = 32_768.0 * 10f64.powf(level / 20.0) * (3.0 * (1.0 - colour * colour)).sqrt();
    let mut last = 0.0;
    std::iter::repeat_with(move || {
        let white = f64::from(rng.next_u32()) / f64::from(u32::MAX) * 2.0 - 1.0;
        last = colour * last + amplitude * white;
        last.round() as i16
    })
}

fn level_of(samples: &[i16]) -> f64 {
    let power = samples.iter().map(|it| f64::from(*it).powi(2)).sum::<f64>() / samples.len() as f64;
    10.0 * (power / 32_768f64.powi(2)).log10()
}

fn resemblance(samples: &[i16]) -> f64 {
    let product: f64 = samples.windows(2).map(|it| f64::from(it[0]) * f64::from(it[1])).sum();
    product / samples.iter().map(|it| f64::from(*it).powi(2)).sum::<f64>()
}

/// A party whose line hums, in another codec: who is told its pauses hears the same noise, within 3 dB and as dark.
#[test]
fn noise_is_as_loud_and_as_dark_as_it_was() {
    for (level, colour) in [(-52.0, 0.0), (-55.0, 0.8), (-62.0, 0.5)] {
        let mut bench = Bench::new(2);
        let [a, b] = [bench.open(0, alaw_stream(0)), bench.open(1, quiet(1))];
        bench.command(Command::Bridge { a, b });
        let mut source = Source::new(5, 8);
        let mut noise = line_noise(1, level, colour);
        for _ in 0..200 {
            let samples: Vec<i16> = noise.by_ref().take(160).collect();
            let coded: Vec<u8> = samples.iter().map(|sample| Law::Pcma.encode(*sample)).collect();
            bench.packet(a, party(0), &source.audio(&coded));
            bench.run(PTIME);
        }
        let sent = bench.take_rtp(b);
        let (speech, described) = parts(&sent);
        assert!(speech.len() < 20 && described.len() > 10, "{} of {}", speech.len(), sent.len());
        let mut heard = ComfortNoise::default();
        let description = described.last().expect("described").rtp().payload;
        heard.describe(&description);
        let mut samples = vec![0; 16_000];
        heard.fill(&mut samples);
        // A-law has steps of 16 in the quietest noise, which adds to it.
        let difference = level_of(&samples) - level;
        assert!((-2.0..3.0).contains(&difference), "{level} dBov became {:.1}", level_of(&samples));
        if level > -60.0 {
            let (is, was) = (resemblance(&samples), colour);
            assert!((is - was).abs() < 0.2, "{level} dBov: resembles itself by {is:.2}, was {was:.2}");
            // §3.2 leaves the sign to what is usual: the first coefficient of what resembles itself is negative.
            let first = (f64::from(description[1]) - 127.0) / 127.0;
            assert!(
                (first + was).abs() < 0.2,
                "{level} dBov: a first coefficient of {first:.2}, was {was:.2}"
            );
        }
    }
}

/// Not a word is cut: as soon as somebody speaks, all of it is sent, at the level of speech and softly.
#[test]
fn a_word_is_heard_from_its_first_frame() {
    for level in [-20.0, -35.0, -46.0, -58.0] {
        let mut bench = Bench::new(2);
        let [a, b] = [bench.open(0, alaw_stream(0)), bench.open(1, quiet(1))];
        bench.command(Command::Bridge { a, b });
        let mut source = Source::new(5, 8);
        let mut speak = |bench: &mut Bench, samples: &mut dyn Iterator<Item = i16>, packets: usize| {
            for _ in 0..packets {
                let coded: Vec<u8> = samples.take(160).map(|sample| Law::Pcma.encode(sample)).collect();
                bench.packet(a, party(0), &source.audio(&coded));
                bench.run(PTIME);
            }
        };
        speak(&mut bench, &mut line_noise(1, -70.0, 0.0), 100);
        bench.take_rtp(b);
        speak(&mut bench, &mut line_noise(2, level, 0.5), 10);
        speak(&mut bench, &mut line_noise(1, -70.0, 0.0), 20);
        let sent = bench.take_rtp(b);
        let spoken = sent.iter().filter(|it| it.rtp().header.payload_type != NOISE_PT);
        let voice = spoken.filter(|it| level_of(&decode(Law::Pcmu, &[(*it).clone()])) > level - 4.0).count();
        assert!(voice >= 10, "{level} dBov: {voice} of 10 packets");
    }
}

/// A room in which nobody speaks costs those who know silence no packet of it.
#[test]
fn a_silent_conference_is_described() {
    let mut bench = Bench::new(3);
    let parties = [0, 1, 2].map(|index| bench.open(index, quiet(index)));
    for endpoint in parties {
        let (conference, audience) = (ConferenceId(1), Audience::Everybody);
        bench.command(Command::Join { endpoint, conference, audience });
    }
    bench.run(Duration::from_secs(4));
    for endpoint in parties {
        let sent = bench.take_rtp(endpoint);
        let (speech, noise) = parts(&sent);
        assert!(speech.len() < 20 && (15..30).contains(&noise.len()), "{} and {}", speech.len(), noise.len());
    }
}

/// A party that falls silent and sends nothing at all, such as Opus does: the other line is told so and does not go dead.
#[test]
fn a_line_that_is_told_silence_does_not_go_dead() {
    let mut bench = Bench::new(2);
    let [a, b] = [bench.open(0, alaw_stream(0)), bench.open(1, quiet(1))];
    bench.command(Command::Bridge { a, b });
    let mut source = Source::new(5, 8);
    for _ in 0..50 {
        bench.packet(a, party(0), &source.audio(&[0x55; 160]));
        bench.run(PTIME);
    }
    bench.run(Duration::from_secs(1));
    bench.take_rtp(b);
    bench.run(Duration::from_secs(5));
    let sent = bench.take_rtp(b);
    let (speech, noise) = parts(&sent);
    assert!(speech.is_empty() && (20..30).contains(&noise.len()), "{} and {}", speech.len(), noise.len());
}
