//! Keys that a party without telephone-events sends as tones in its audio (ITU-T Q.23).

use std::f64::consts::TAU;

use tandem_media::*;

use crate::support::*;

/// 100 ms of a key, then 60 ms of silence, as G.711.
fn tones(codec: Codec, low_hz: f64, high_hz: f64) -> Vec<u8> {
    let tone = |n: u32, hz: f64| 5_000.0 * (TAU * hz * f64::from(n) / 8_000.0).sin();
    let pressed = (0..800).map(|n| (tone(n, low_hz) + tone(n, high_hz)) as i16);
    pressed.chain(std::iter::repeat_n(0, 480)).map(|sample| codec.encode(sample)).collect()
}

/// The keys 1, 5 and #.
const KEYS_HZ: [(f64, f64); 3] = [(697.0, 1_209.0), (770.0, 1_336.0), (941.0, 1_477.0)];

fn without_events(stream: StreamParameters) -> StreamParameters {
    StreamParameters { send_event_payload_type: None, receive_event_payload_type: None, ..stream }
}

/// Sends audio in packets of 20 ms, but those whose numbers are `lost`.
fn speak(bench: &mut Bench, endpoint: EndpointId, source: &mut Source, audio: &[u8], lost: Option<usize>) {
    for (number, payload) in audio.chunks(160).enumerate() {
        let packet = source.audio(payload);
        if Some(number) != lost {
            bench.packet(endpoint, party(endpoint.index), &packet);
        }
        bench.run(PTIME);
    }
}

#[test]
fn keys_in_the_audio_stop_the_prompt_and_are_collected() {
    for (stream, codec) in [(stream(0), Codec::Pcmu), (alaw_stream(0), Codec::Pcma)] {
        let payload_type = stream.receive_payload_type;
        let mut bench = Bench::new(1);
        let endpoint = bench.open(0, without_events(stream));
        let mut caller = Source::new(5, payload_type);
        let segments = [Segment::Audio(audio_of_ms(5_000))].into();
        let play = PlayId(1);
        bench.command(Command::Play { endpoint, play, segments, times: Some(1), barge_in: true });
        let collect = CollectId(2);
        bench.command(Command::Collect { endpoint, collect, rules: rules(8, "#") });
        for (low, high) in KEYS_HZ {
            speak(&mut bench, endpoint, &mut caller, &tones(codec, low, high), None);
        }
        let events = bench.take_events();
        assert!(events.contains(&Event::PlayEnded { endpoint, play, end: PlayEnd::BargedIn }));
        let end = CollectEnd::Terminator;
        assert_eq!(events.last(), Some(&Event::Collected { endpoint, collect, digits: digits("15"), end }));
    }
}

#[test]
fn a_press_of_which_any_packet_is_lost_is_one_digit() {
    for lost in 0..8 {
        let mut bench = Bench::new(1);
        let endpoint = bench.open(0, without_events(stream(0)));
        let mut caller = Source::new(5, 0);
        for (low, high) in KEYS_HZ {
            speak(&mut bench, endpoint, &mut caller, &tones(Codec::Pcmu, low, high), Some(lost));
        }
        let told: String = bench.take_events().into_iter().filter_map(key).collect();
        assert_eq!(told, "15#", "without packet {lost}");
    }
}

/// Who sends telephone-events may send the tones as well; they are not counted again.
#[test]
fn tones_of_a_party_that_has_telephone_events_are_audio() {
    let mut bench = Bench::new(1);
    let endpoint = bench.open(0, stream(0));
    let mut caller = Source::new(5, 0);
    speak(&mut bench, endpoint, &mut caller, &tones(Codec::Pcmu, 697.0, 1_209.0), None);
    assert_eq!(bench.take_events().into_iter().filter_map(key).count(), 0);
}

fn key(event: Event) -> Option<char> {
    match event {
        Event::Digit { digit, .. } => Some(digit.as_char()),
        _ => None,
    }
}
