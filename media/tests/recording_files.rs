//! Recordings as files: read by other implementations, as long as what was recorded, each side on its channel.

use std::f64::consts::TAU;
use std::io::Cursor;

use ogg::PacketReader;
use opus::Channels;
use tandem_media::codec::Rate;
use tandem_media::recorder::{Container, Format, Sides};

const RATES: [Rate; 3] = [Rate::Narrowband, Rate::Wideband, Rate::Fullband];

/// 500 Hz on the left and 900 Hz on the right, or 500 Hz alone.
fn tones(rate: Rate, sides: Sides, frames: usize) -> Vec<i16> {
    let tone = |hz: f64, at: usize| (8_000.0 * (TAU * hz * at as f64 / f64::from(rate.hz())).sin()) as i16;
    let frame = |at| [tone(500.0, at), tone(900.0, at)].into_iter().take(sides.channels().into());
    (0..frames).flat_map(frame).collect()
}

/// The power of a tone in one channel, against all there is.
fn share(samples: &[i16], channels: usize, channel: usize, hz: f64, rate_hz: u32) -> f64 {
    let samples: Vec<f64> =
        samples.iter().skip(channel).step_by(channels).map(|sample| f64::from(*sample)).collect();
    let phase = TAU * hz / f64::from(rate_hz);
    let (mut one, mut two) = (0.0, 0.0);
    for sample in &samples {
        (one, two) = (sample + 2.0 * phase.cos() * one - two, one);
    }
    let power = one * one + two * two - 2.0 * phase.cos() * one * two;
    2.0 * power / samples.len() as f64 / samples.iter().map(|sample| sample * sample).sum::<f64>()
}

/// A file of these samples, written piece by piece.
fn file(format: Format, rate: Rate, sides: Sides, samples: &[i16]) -> Vec<u8> {
    let mut container = Container::new(format, rate, sides, 7).expect("memory");
    let mut octets = Vec::new();
    container.begin(true, &mut octets);
    samples.chunks(777 * usize::from(sides.channels())).for_each(|it| container.write(it, &mut octets));
    container.end(&mut octets);
    if let Some(header) = container.header(octets.len() as u64) {
        octets[..header.len()].copy_from_slice(&header);
    }
    octets
}

/// What another decoder makes of it, at 48 kHz.
fn decode(octets: &[u8], channels: u8) -> Vec<i16> {
    let mut reader = PacketReader::new(Cursor::new(octets));
    let head = reader.read_packet_expected().expect("a header").data;
    assert_eq!((&head[..8], head[9]), (&b"OpusHead"[..], channels));
    let pre_skip = usize::from(u16::from_le_bytes([head[10], head[11]])) * usize::from(channels);
    assert!(reader.read_packet_expected().expect("a comment").data.starts_with(b"OpusTags"));
    let mode = if channels == 2 { Channels::Stereo } else { Channels::Mono };
    let mut decoder = opus::Decoder::new(48_000, mode).expect("a decoder");
    let (mut samples, mut frame) = (Vec::new(), [0; 5_760 * 2]);
    while let Some(packet) = reader.read_packet().expect("pages") {
        let count = decoder.decode(&packet.data, &mut frame, false).expect("Opus");
        samples.extend_from_slice(&frame[..count * usize::from(channels)]);
        if packet.last_in_stream() {
            samples.truncate(packet.absgp_page() as usize * usize::from(channels));
            return samples.split_off(pre_skip);
        }
    }
    panic!("the last packet is not marked (RFC 7845 §4)");
}

#[test]
fn wav_is_what_was_recorded() {
    for (rate, sides) in RATES.into_iter().flat_map(|rate| [(rate, Sides::Stereo), (rate, Sides::Mixed)]) {
        let samples = tones(rate, sides, 12_345);
        let octets = file(Format::Wav, rate, sides, &samples);
        let mut wav = hound::WavReader::new(Cursor::new(octets)).expect("a WAV file");
        assert_eq!((wav.spec().sample_rate, wav.spec().channels), (rate.hz(), sides.channels().into()));
        assert_eq!(wav.samples::<i16>().map(Result::unwrap).collect::<Vec<_>>(), samples);
    }
}

/// RFC 7845 §4: pre-skip at the beginning, the granule of the last page at the end.
#[test]
fn ogg_opus_is_as_long_as_what_was_recorded_and_each_side_is_on_its_channel() {
    for rate in RATES {
        for frames in [1, 160, 161, 3 * rate.hz() as usize + 17] {
            let samples = tones(rate, Sides::Stereo, frames);
            let octets = file(Format::OggOpus, rate, Sides::Stereo, &samples);
            let heard = decode(&octets, 2);
            assert_eq!(heard.len() / 2, frames * 48_000 / rate.hz() as usize, "{rate:?}");
            if frames > 1_000 {
                let of = |channel, hz| share(&heard, 2, channel, hz, 48_000);
                assert!(of(0, 500.0) > 0.9 && of(1, 900.0) > 0.9, "{} {}", of(0, 500.0), of(1, 900.0));
                assert!(of(0, 900.0) < 0.02 && of(1, 500.0) < 0.02, "{} {}", of(0, 900.0), of(1, 500.0));
                assert!(octets.len() * 6 < samples.len() * 2, "{} octets", octets.len());
            }
        }
        let octets = file(Format::OggOpus, rate, Sides::Party, &tones(rate, Sides::Party, 8_000));
        assert!(share(&decode(&octets, 1), 1, 0, 500.0, 48_000) > 0.9);
    }
}
