//! A voice ends what its party hears, where it may.

use std::time::Duration;

use crate::support::*;
use tandem_media::codec::{Encoder, OpusParameters, Rate};
use tandem_media::*;

/// Syllables of a tone at −13 dBm0: 160 ms of sound, 80 ms without.
fn speech(milliseconds: u64) -> Vec<i16> {
    (0..milliseconds * 8)
        .map(|n| {
            let sounds = n % (240 * 8) < 160 * 8;
            let phase = std::f64::consts::TAU * 300.0 * n as f64 / 8_000.0;
            if sounds { (7_000.0 * phase.sin()) as i16 } else { 0 }
        })
        .collect()
}

/// Plays 5 s while the party sends audio; when the play ended, and why.
fn play_under(codec: Codec, barge_in: BargeIn, audio: &[i16], collects: bool) -> (Duration, PlayEnd, Bench) {
    let mut bench = Bench::new(1);
    let mut parameters = stream(0);
    parameters.codec = codec;
    let endpoint = bench.open(0, parameters.clone());
    let segments = [Segment::Audio(audio_of_ms(5_000))].into();
    bench.command(Command::Play { endpoint, play: PlayId(1), segments, times: Some(1), barge_in });
    if collects {
        bench.command(Command::Collect { endpoint, collect: CollectId(1), rules: rules(1, "") });
    }
    let start = bench.now;
    let mut encoder = Encoder::new(codec, Rate::Narrowband);
    let mut talker = Source::new(7, parameters.receive_payload_type);
    for frame in audio.chunks_exact(160) {
        let mut payload = [0; 480];
        let octets = encoder.encode(frame, &mut payload);
        let packet = talker.audio(&payload[..octets]);
        bench.packet(endpoint, party(0), &packet);
        bench.run(PTIME);
        for event in bench.take_events() {
            if let Event::PlayEnded { end, .. } = event {
                return (bench.now - start, end, bench);
            }
        }
    }
    panic!("it does not end");
}

#[test]
fn a_voice_ends_a_play_that_it_may_end_and_no_other() {
    for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus(OpusParameters::default())] {
        let silence = vec![0; 8_000];
        let spoken = [silence.clone(), speech(6_000)].concat();
        let (at, end, _) = play_under(codec, BargeIn::DigitOrVoice, &spoken, false);
        assert_eq!(end, PlayEnd::BargedIn, "{codec:?}");
        assert!(
            (MS * 1_120..MS * 1_260).contains(&at),
            "{codec:?}: the voice began at 1 s, the play ended at {at:?}"
        );
        for (barge_in, audio) in [
            (BargeIn::Digit, spoken),
            (BargeIn::Never, speech(6_000)),
            (BargeIn::DigitOrVoice, vec![0; 48_000]),
        ] {
            let (at, end, _) = play_under(codec, barge_in, &audio, false);
            assert_eq!(end, PlayEnd::Finished, "{codec:?}, {barge_in:?} at {at:?}");
        }
    }
}

/// As with a key: the time for the first digit begins when the play ends.
#[test]
fn a_collection_goes_on_when_a_voice_has_ended_its_prompt() {
    let (_, end, mut bench) = play_under(Codec::Pcmu, BargeIn::DigitOrVoice, &speech(3_000), true);
    assert_eq!(end, PlayEnd::BargedIn);
    let before = bench.now;
    bench.run(rules(1, "").first_digit_timeout + MS * 20);
    let ended: Vec<Event> = bench.take_events();
    assert!(
        matches!(ended.as_slice(), [Event::Collected { end: CollectEnd::FirstDigitTimeout, .. }]),
        "{ended:?} since {before:?}"
    );
}
