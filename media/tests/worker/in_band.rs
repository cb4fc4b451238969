//! Keys that a party without telephone-events sends as tones in its audio (ITU-T Q.23).

use std::f64::consts::TAU;

use tandem_media::*;

use crate::support::*;

/// 100 ms of a key, then 60 ms of silence, as G.711.
fn tones(codec: Law, low_hz: f64, high_hz: f64) -> Vec<u8> {
    let tone = |n: u32, hz: f64| 5_000.0 * (TAU * hz * f64::from(n) / 8_000.0).sin();
    let pressed = (0..800).map(|n| (tone(n, low_hz) + tone(n, high_hz)) as i16);
    pressed.chain(std::iter::repeat_n(0, 480)).map(|sample| codec.encode(sample)).collect()
}

/// The keys 1, 5 and #.
const KEYS_HZ: [(f64, f64); 3] = [(697.0, 1_209.0), (770.0, 1_336.0), (941.0, 1_477.0)];

fn without_events(stream: StreamParameters) -> StreamParameters {
    let in_band = InBand::HeardAndSent;
    StreamParameters { send_event_payload_type: None, receive_event_payload_type: None, in_band, ..stream }
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
    for (stream, codec) in [(stream(0), Law::Pcmu), (alaw_stream(0), Law::Pcma)] {
        let payload_type = stream.receive_payload_type;
        let mut bench = Bench::new(1);
        let endpoint = bench.open(0, without_events(stream));
        let mut caller = Source::new(5, payload_type);
        let segments = [Segment::Audio(audio_of_ms(5_000))].into();
        let play = PlayId(1);
        bench.command(Command::Play {
            endpoint,
            play,
            segments,
            times: Some(1),
            barge_in: tandem_media::BargeIn::Digit,
        });
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
            speak(&mut bench, endpoint, &mut caller, &tones(Law::Pcmu, low, high), Some(lost));
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
    speak(&mut bench, endpoint, &mut caller, &tones(Law::Pcmu, 697.0, 1_209.0), None);
    assert_eq!(bench.take_events().into_iter().filter_map(key).count(), 0);
}

/// A party without telephone-events talks to one that has them: its tones become events there, once each, and are not
/// heard as well.
#[test]
fn tones_become_telephone_events_for_who_takes_those() {
    let mut bench = Bench::new(2);
    let (a, b) = (bench.open(0, without_events(stream(0))), bench.open(1, stream(1)));
    bench.command(Command::Bridge { a, b });
    let mut caller = Source::new(5, 0);
    for (low, high) in KEYS_HZ {
        speak(&mut bench, a, &mut caller, &tones(Law::Pcmu, low, high), None);
    }
    let sent = bench.take_rtp(b);
    let mut listener = Bench::new(1);
    let endpoint = listener.open(0, stream(0));
    for packet in &sent {
        listener.packet(endpoint, party(0), &packet.bytes);
        listener.run(PTIME);
    }
    assert_eq!(listener.take_events().into_iter().filter_map(key).collect::<String>(), "15#");
    let audio: Vec<Sent> = sent.into_iter().filter(|sent| sent.rtp().header.payload_type == 0).collect();
    assert_eq!(heard(&audio), "", "what is left of the tones is too short for a key");
}

/// The other way round: what a party pressed as telephone-events is played as tones to one that has none.
#[test]
fn telephone_events_become_tones_for_who_has_none() {
    for (stream, codec) in [(stream(1), Law::Pcmu), (alaw_stream(1), Law::Pcma)] {
        let mut bench = Bench::new(2);
        let (a, b) = (bench.open(0, crate::support::stream(0)), bench.open(1, without_events(stream)));
        bench.command(Command::Bridge { a, b });
        let mut caller = Source::new(5, 0);
        for digit in "1470*#".chars() {
            press(&mut bench, a, party(0), &mut caller, digit);
        }
        bench.run(PTIME * 20);
        let sent = bench.take_rtp(b);
        let packets: Vec<_> = sent.iter().map(Sent::rtp).collect();
        let first = packets[0].header.sequence_number;
        let numbers = (0..).map(|n| first.wrapping_add(n));
        assert!(packets.iter().map(|it| it.header.sequence_number).eq(numbers.take(packets.len())));
        assert_eq!(heard_in(codec, &sent), "1470*#");
    }
}

/// Between two parties without telephone-events tones are audio, and pass untouched.
#[test]
fn tones_pass_between_parties_who_have_only_those() {
    let mut bench = Bench::new(2);
    let (a, b) = (bench.open(0, without_events(stream(0))), bench.open(1, without_events(stream(1))));
    bench.command(Command::Bridge { a, b });
    let mut caller = Source::new(5, 0);
    let audio = tones(Law::Pcmu, 697.0, 1_209.0);
    speak(&mut bench, a, &mut caller, &audio, None);
    let relayed: Vec<u8> = bench.take_rtp(b).iter().flat_map(|sent| sent.rtp().payload.to_vec()).collect();
    assert_eq!(relayed, audio);
}

/// Who takes keys in its signalling does not hear them as well; nor is it sent tones.
#[test]
fn who_takes_keys_in_its_signalling_hears_no_tones() {
    let signalled = StreamParameters { in_band: InBand::Heard, ..without_events(stream(1)) };
    let mut bench = Bench::new(3);
    let (a, b) = (bench.open(0, without_events(stream(0))), bench.open(1, signalled.clone()));
    bench.command(Command::Bridge { a, b });
    let mut caller = Source::new(5, 0);
    speak(&mut bench, a, &mut caller, &tones(Law::Pcmu, 697.0, 1_209.0), None);
    assert_eq!(heard(&bench.take_rtp(b)), "");
    let c = bench.open(2, stream(2));
    bench.command(Command::Bridge { a: c, b });
    press(&mut bench, c, party(2), &mut Source::new(6, 0), '5');
    assert_eq!(heard(&bench.take_rtp(b)), "");
    assert_eq!(bench.take_events().into_iter().filter_map(key).collect::<String>(), "15");
}

fn heard(sent: &[Sent]) -> String {
    heard_in(Law::Pcmu, sent)
}

/// The keys that another worker hears in the audio.
fn heard_in(codec: Law, sent: &[Sent]) -> String {
    let audio: Vec<u8> = sent.iter().flat_map(|sent| sent.rtp().payload.to_vec()).collect();
    let (stream, payload_type) = match codec {
        Law::Pcmu => (stream(0), 0),
        Law::Pcma => (alaw_stream(0), 8),
    };
    let mut listener = Bench::new(1);
    let endpoint = listener.open(0, without_events(stream));
    speak(&mut listener, endpoint, &mut Source::new(9, payload_type), &audio, None);
    listener.take_events().into_iter().filter_map(key).collect()
}

fn key(event: Event) -> Option<char> {
    match event {
        Event::Digit { digit, .. } => Some(digit.as_char()),
        _ => None,
    }
}
