//! Music on hold: coded once, heard by all, where it is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::support::*;
use tandem_media::codec::{Decoder, MAX_DECODED_SAMPLES, OpusParameters, Rate};
use tandem_media::*;

const OPUS: Codec = Codec::Opus(OpusParameters {
    in_band_fec: false,
    dtx: false,
    constant_bitrate: false,
    max_average_bitrate: 510_000,
    max_playback_rate_hz: 48_000,
});

/// A second of a tone of so many cycles in it, and so loud.
fn tone(hz: f64) -> Arc<Audio> {
    let sample = |n| (8_000.0 * (std::f64::consts::TAU * hz * f64::from(n) / 8_000.0).sin()) as i16;
    Arc::new(Audio::from_samples((0..8_000).map(sample).collect::<Vec<_>>()))
}

fn listen(bench: &mut Bench, endpoint: EndpointId, music: &Arc<Audio>) {
    let segments = [Segment::Music(Arc::clone(music))].into();
    let barge_in = BargeIn::Never;
    bench.command(Command::Play { endpoint, play: PlayId(1), segments, times: None, barge_in });
}

fn with_codec(index: u32, codec: Codec) -> StreamParameters {
    StreamParameters { codec, ..stream(index) }
}

#[test]
fn whoever_begins_hears_it_where_it_is_and_it_is_coded_once() {
    let mut bench = Bench::new(40);
    let music = tone(400.0);
    let endpoints: Vec<EndpointId> =
        (0..40).map(|index| bench.open(index, with_codec(index, OPUS))).collect();
    // They come at different times, on and off the grid.
    for endpoint in &endpoints {
        listen(&mut bench, *endpoint, &music);
        bench.run(Duration::from_millis(13));
    }
    let before = bench.worker.counters().music_frames;
    for endpoint in &endpoints {
        bench.take_rtp(*endpoint);
    }
    bench.run(Duration::from_secs(2));
    assert_eq!(bench.worker.counters().music_frames - before, 100, "50 a second, for all forty");
    // Each has a hundred packets of its own, and what is sent at one time is the same for all.
    let mut by_frame: BTreeMap<u128, Vec<u8>> = BTreeMap::new();
    for endpoint in &endpoints {
        let sent = bench.take_rtp(*endpoint);
        assert!((99..=101).contains(&sent.len()), "{}", sent.len());
        let numbers: Vec<u16> = sent.iter().map(|sent| sent.rtp().header.sequence_number).collect();
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "without a gap");
        for sent in &sent {
            let frame = sent.at.since_start().as_millis() / 20;
            let payload = sent.rtp().payload.to_vec();
            assert_eq!(by_frame.entry(frame).or_insert_with(|| payload.clone()), &payload, "at {frame}");
        }
    }
}

#[test]
fn each_codec_has_its_own_stream_and_all_hear_the_tone() {
    let codecs = [Codec::Pcmu, Codec::Pcma, Codec::G722, OPUS];
    let mut bench = Bench::new(4);
    let music = tone(400.0);
    for (index, codec) in (0..).zip(codecs) {
        let endpoint = bench.open(index, with_codec(index, codec));
        listen(&mut bench, endpoint, &music);
    }
    bench.run(Duration::from_secs(1));
    assert!(
        (200..=208).contains(&bench.worker.counters().music_frames),
        "{}",
        bench.worker.counters().music_frames
    );
    for (index, codec) in (0..).zip(codecs) {
        let mut decoder = Decoder::new(codec, Rate::Narrowband);
        let mut heard = Vec::new();
        for sent in bench.take_rtp(EndpointId { index, generation: 1 }) {
            let mut samples = vec![0; MAX_DECODED_SAMPLES];
            let count = decoder.decode(&sent.rtp().payload, &mut samples);
            heard.extend_from_slice(&samples[..count]);
        }
        assert!(heard.len() >= 7_800, "{codec:?}: {} samples", heard.len());
        let level = level_dbm0(&heard[800..7_800], 400.0);
        assert!((-12.5..=-8.5).contains(&level), "{codec:?}: {level} dBm0");
    }
}

/// Speech before it, and an end by a command: music is a piece of a play like others.
#[test]
fn it_follows_a_prompt_and_ends_when_stopped() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, stream(0));
    let segments = [Segment::Audio(audio_of_ms(110)), Segment::Music(tone(400.0))].into();
    let barge_in = BargeIn::Never;
    bench.command(Command::Play { endpoint, play: PlayId(1), segments, times: Some(1), barge_in });
    bench.run(Duration::from_secs(3));
    assert!(bench.take_events().is_empty(), "it has no end");
    let heard = decode(Law::Pcmu, &bench.take_rtp(endpoint));
    let prompt = Law::Pcmu.decode(Law::Pcmu.encode(1_000));
    assert!(heard[..880].iter().all(|sample| *sample == prompt));
    assert!(heard[880..960].iter().all(|sample| sample.abs() < 16), "the rest of the prompt's last packet");
    let level = level_dbm0(&heard[960..16_960], 400.0);
    assert!((-12.5..=-8.5).contains(&level), "{level} dBm0");
    bench.command(Command::Stop { endpoint });
    let ended = Event::PlayEnded { endpoint, play: PlayId(1), end: PlayEnd::Stopped };
    assert_eq!(bench.take_events(), [ended]);
}

/// As many streams as there may be are kept; one more takes the place of the one not heard for longest, and all are heard.
#[test]
fn more_music_than_is_kept_is_heard_all_the_same() {
    let mut bench = Bench::new(65);
    let songs: Vec<Arc<Audio>> = (0..65).map(|_| tone(400.0)).collect();
    for (index, song) in (0..).zip(&songs) {
        let endpoint = bench.open(index, stream(index));
        listen(&mut bench, endpoint, song);
    }
    bench.run(Duration::from_secs(1));
    for index in 0..65 {
        let heard = decode(Law::Pcmu, &bench.take_rtp(EndpointId { index, generation: 1 }));
        let level = level_dbm0(&heard[800..7_200], 400.0);
        assert!((-12.5..=-8.5).contains(&level), "{index}: {level} dBm0");
    }
}
