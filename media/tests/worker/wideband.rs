//! Prompts recorded for more than the telephone are heard so by parties whose codec carries it.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use tandem_media::codec::{Decoder, MAX_DECODED_SAMPLES, OpusParameters, Rate};
use tandem_media::*;

use crate::support::*;

const OPUS: Codec = Codec::Opus(OpusParameters {
    in_band_fec: false,
    dtx: false,
    constant_bitrate: false,
    max_average_bitrate: 64_000,
    max_playback_rate_hz: 48_000,
});
const LOW_HZ: f64 = 1_000.0;
/// Beyond what the telephone carries.
const HIGH_HZ: f64 = 5_000.0;

/// Two seconds of both tones, as a WAV file of 44.1 kHz has them.
fn recording() -> Arc<Audio> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 44_100,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec).expect("a writable buffer");
    for n in 0..2 * 44_100 {
        let angle = std::f64::consts::TAU * f64::from(n) / 44_100.0;
        let sample = 6_000.0 * ((angle * LOW_HZ).sin() + (angle * HIGH_HZ).sin());
        writer.write_sample(sample as i16).expect("a writable buffer");
    }
    writer.finalize().expect("a writable buffer");
    Arc::new(decode_wav(&file.into_inner()).expect("a recording"))
}

/// What a party of a codec hears of a play, at 16 kHz.
fn heard(codec: Codec, segments: Vec<Segment>) -> Vec<i16> {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, StreamParameters { codec, ..stream(0) });
    bench.command(play(endpoint, 1, segments));
    bench.run(Duration::from_secs(1));
    let mut decoder = Decoder::new(codec, Rate::Wideband);
    let mut heard = Vec::new();
    for sent in bench.take_rtp(endpoint) {
        let mut samples = vec![0; MAX_DECODED_SAMPLES];
        let count = decoder.decode(&sent.rtp().payload, &mut samples);
        heard.extend_from_slice(&samples[..count]);
    }
    heard
}

/// As [`level_dbm0`], of samples at 16 kHz.
fn level(samples: &[i16], hz: f64) -> f64 {
    level_dbm0(samples, hz / 2.0)
}

#[test]
fn a_prompt_and_music_are_heard_as_wide_as_the_codec() {
    let recording = recording();
    for segment in [Segment::Audio(Arc::clone(&recording)), Segment::Music(Arc::clone(&recording))] {
        for codec in [Codec::G722, OPUS] {
            let heard = heard(codec, vec![segment.clone()]);
            for hz in [LOW_HZ, HIGH_HZ] {
                let level = level(&heard[1_600..15_600], hz);
                assert!((-15.0..=-10.0).contains(&level), "{codec:?}, {hz} Hz: {level} dBm0");
            }
        }
        let heard = heard(Codec::Pcma, vec![segment]);
        assert!((-15.0..=-10.0).contains(&level(&heard[1_600..15_600], LOW_HZ)));
        for hz in [HIGH_HZ, 8_000.0 - HIGH_HZ] {
            let level = level(&heard[1_600..15_600], hz);
            assert!(level < -45.0, "{level} dBm0 at {hz} Hz: nothing folds back");
        }
    }
}

/// Its parts are as long, and tones between them as high and as long, as on a telephone.
#[test]
fn parts_and_tones_of_a_wide_play_keep_their_time() {
    let part = |offset| Segment::Part {
        audio: recording(),
        offset: Duration::from_millis(offset),
        length: Duration::from_millis(200),
    };
    let silence = Segment::Silence(Duration::from_millis(100));
    let segments = vec![part(500), silence, Segment::Tone(Tone::Entry), part(1_000)];
    let heard = heard(Codec::G722, segments);
    // The codec itself delays by 1.5 ms.
    let at = |from_ms: usize, to_ms: usize| &heard[16 * from_ms + 80..16 * to_ms - 80];
    assert!(level(at(0, 200), HIGH_HZ) > -15.0);
    assert!(level(at(200, 300), HIGH_HZ) < -40.0, "silence");
    assert!(level(at(300, 500), 800.0) > -25.0 && level(at(300, 500), HIGH_HZ) < -40.0, "the tone");
    assert!(level(at(500, 700), HIGH_HZ) > -15.0);
    assert_eq!(heard.len(), 16 * 700, "the end");
}

/// One that was recorded for the telephone makes the whole play one for the telephone: nothing is lost but the highs.
#[test]
fn a_play_of_both_kinds_goes_on_without_a_change_of_rate() {
    let segments = vec![Segment::Audio(audio_of_ms(200)), Segment::Audio(recording())];
    let heard = heard(OPUS, segments);
    let level_of = |hz| level(&heard[4_800..15_600], hz);
    assert!((-15.0..=-10.0).contains(&level_of(LOW_HZ)), "{}", level_of(LOW_HZ));
    assert!(level_of(HIGH_HZ) < -40.0);
}
