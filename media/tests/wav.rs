//! Prompts from WAV files: every accepted form sounds the same, every other one is refused by name.

use std::io::Cursor;

use proptest::prelude::*;
use tandem_media::codec::g711::Law;
use tandem_media::{Audio, RATES_HZ, WavError, decode_wav};

/// Those that recordings are made with, the least and the most, and some that share no divisor with 8000.
const COMMON_HZ: [u32; 16] = [
    4_000, 6_000, 7_350, 8_000, 11_025, 11_111, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 44_101,
    48_000, 96_000, 192_000,
];

/// A second of a tone of half scale, made by `hound`.
fn written(
    rate_hz: u32,
    channels: u16,
    bits: u16,
    format: hound::SampleFormat,
    frequency_hz: f64,
) -> Vec<u8> {
    let spec =
        hound::WavSpec { channels, sample_rate: rate_hz, bits_per_sample: bits, sample_format: format };
    let mut file = Cursor::new(vec![]);
    let mut writer = hound::WavWriter::new(&mut file, spec).expect("a writable buffer");
    for sample in tone(rate_hz, frequency_hz, 0.5) {
        for _ in 0..channels {
            match format {
                hound::SampleFormat::Float => writer.write_sample(sample as f32).expect("a writable buffer"),
                hound::SampleFormat::Int => {
                    let full = f64::from(1u32 << (bits - 1)) - 1.0;
                    writer.write_sample((sample * full).round() as i32).expect("a writable buffer");
                }
            }
        }
    }
    writer.finalize().expect("a writable buffer");
    file.into_inner()
}

fn tone(rate_hz: u32, frequency_hz: f64, peak: f64) -> impl Iterator<Item = f64> {
    let step = std::f64::consts::TAU * frequency_hz / f64::from(rate_hz);
    (0..rate_hz).map(move |n| peak * (step * f64::from(n)).sin())
}

/// A WAV header by hand around `data`.
fn wav(tag: u16, channels: u16, rate_hz: u32, bits: u16, data: &[u8]) -> Vec<u8> {
    let align = channels * bits / 8;
    let mut file = b"RIFF\0\0\0\0WAVEfmt \x12\0\0\0".to_vec();
    file.extend(tag.to_le_bytes());
    file.extend(channels.to_le_bytes());
    file.extend(rate_hz.to_le_bytes());
    file.extend((rate_hz * u32::from(align)).to_le_bytes());
    file.extend(align.to_le_bytes());
    file.extend(bits.to_le_bytes());
    file.extend([0, 0]);
    file.extend(b"LIST\x03\0\0\0abc\0"); // a chunk of no interest, padded to an even length
    file.extend(b"data");
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    file
}

/// The largest difference to the tone at 8 kHz, away from the ends, in parts of full scale.
fn error_against_tone(audio: &Audio, frequency_hz: f64) -> f64 {
    let meant: Vec<f64> = tone(8_000, frequency_hz, 0.5).collect();
    assert_eq!(audio.samples().len(), meant.len());
    let pairs = audio.samples().iter().zip(meant).skip(100).take(7_800);
    pairs.map(|(got, meant)| (f64::from(*got) / 32_767.0 - meant).abs()).fold(0.0, f64::max)
}

#[test]
fn every_width_and_both_channel_counts_decode_to_the_same_tone() {
    use hound::SampleFormat::{Float, Int};
    for (bits, format, tolerance) in
        [(8, Int, 0.009), (16, Int, 0.0001), (24, Int, 0.0001), (32, Int, 0.0001), (32, Float, 0.0001)]
    {
        for channels in [1, 2] {
            let audio = decode_wav(&written(8_000, channels, bits, format, 1_000.0)).unwrap();
            let error = error_against_tone(&audio, 1_000.0);
            assert!(error < tolerance, "{bits} bits, {channels} channels: off by {error}");
        }
    }
}

#[test]
fn every_rate_is_converted_without_changing_pitch_level_or_length() {
    for rate_hz in COMMON_HZ {
        let audio = decode_wav(&written(rate_hz, 1, 16, hound::SampleFormat::Int, 1_000.0)).unwrap();
        let error = error_against_tone(&audio, 1_000.0);
        assert!(error < 0.002, "{rate_hz} Hz: off by {error}");
    }
}

#[test]
fn what_lies_above_the_telephone_band_does_not_fold_back_into_it() {
    for rate_hz in [16_000, 32_000, 44_100, 48_000] {
        let audio = decode_wav(&written(rate_hz, 1, 16, hound::SampleFormat::Int, 5_000.0)).unwrap();
        let loudest = audio.samples().iter().skip(100).take(7_800).map(|sample| sample.abs()).max();
        assert!(loudest < Some(20), "{rate_hz} Hz: {loudest:?} of 16384 remain");
    }
}

#[test]
fn the_two_channels_are_mixed_evenly() {
    let frames: Vec<u8> = [1_000i16, 3_000, -2_000, 2_000].iter().flat_map(|s| s.to_le_bytes()).collect();
    assert_eq!(decode_wav(&wav(1, 2, 8_000, 16, &frames)).unwrap().samples(), [2_000, 0]);
}

#[test]
fn mu_law_and_a_law_files_decode_by_their_tables() {
    let characters: Vec<u8> = (0..=255).collect();
    for (tag, codec) in [(7, Law::Pcmu), (6, Law::Pcma)] {
        let audio = decode_wav(&wav(tag, 1, 8_000, 8, &characters)).unwrap();
        let meant: Vec<i16> = characters.iter().map(|character| codec.decode(*character)).collect();
        assert_eq!(audio.samples(), meant);
    }
}

#[test]
fn floats_of_64_bits_decode_to_the_same_tone() {
    let data: Vec<u8> = tone(8_000, 1_000.0, 0.5).flat_map(f64::to_le_bytes).collect();
    let error = error_against_tone(&decode_wav(&wav(3, 1, 8_000, 64, &data)).unwrap(), 1_000.0);
    assert!(error < 0.0001, "off by {error}");
    let odd: Vec<u8> = [2.0, -2.0, f64::NAN, f64::INFINITY].into_iter().flat_map(f64::to_le_bytes).collect();
    assert_eq!(decode_wav(&wav(3, 1, 8_000, 64, &odd)).unwrap().samples(), [i16::MAX, i16::MIN, 0, i16::MAX]);
}

/// `WAVE_FORMAT_EXTENSIBLE`, as most editors write 24 bits and stereo: the sub-format's GUID begins with the tag.
#[test]
fn an_extensible_format_is_that_of_its_sub_format() {
    let mut file = b"RIFF\0\0\0\0WAVEfmt \x28\0\0\0\xfe\xff\x01\0".to_vec();
    file.extend([8_000u32.to_le_bytes(), 24_000u32.to_le_bytes()].concat());
    file.extend([3, 0, 24, 0, 22, 0, 24, 0, 4, 0, 0, 0]);
    file.extend(b"\x01\0\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71");
    file.extend(b"data\x06\0\0\0\0\0\x40\xff\xff\xbf");
    assert_eq!(decode_wav(&file).unwrap().samples(), [0x4000, -0x4001]);
}

#[test]
fn what_was_written_into_a_pipe_goes_on_to_its_end() {
    let whole = wav(7, 1, 8_000, 8, &[0x80; 160]);
    let at = whole.len() - 160 - 4;
    for claimed in [0x7fff_f000u32, u32::MAX] {
        let mut file = whole.clone();
        file[at..at + 4].copy_from_slice(&claimed.to_le_bytes());
        assert_eq!(decode_wav(&file).unwrap().samples().len(), 160, "{claimed:#x}");
    }
}

proptest! {
    /// Whatever a file holds, it is audio or refused.
    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode_wav(&bytes);
    }

    /// So is a header of any content before any data, and a good file of which some octets changed.
    #[test]
    fn any_header_is_decoded_or_refused(
        header in (any::<u16>(), 0u16..4, any::<u32>(), prop::sample::select(vec![0u16, 8, 12, 16, 24, 32, 64, 65_535])),
        data in prop::collection::vec(any::<u8>(), 0..400),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let (tag, channels, rate_hz, bits) = header;
        let align = channels.wrapping_mul(bits) / 8;
        let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".to_vec();
        file.extend([(tag % 8).to_le_bytes(), channels.to_le_bytes()].concat());
        file.extend([(rate_hz % 200_000).to_le_bytes(), [0; 4]].concat());
        file.extend([align.to_le_bytes(), bits.to_le_bytes()].concat());
        file.extend(b"data");
        file.extend((data.len() as u32).to_le_bytes());
        file.extend(data);
        for (at, octet) in changes {
            let at = at.index(file.len());
            file[at] = octet;
        }
        let _ = decode_wav(&file);
    }
}

#[test]
fn what_is_not_accepted_is_named() {
    let error = |file: &[u8]| decode_wav(file).unwrap_err().to_string();
    assert!(error(b"OggS").contains("not a WAV file"));
    for beyond in [*RATES_HZ.start() - 1, *RATES_HZ.end() + 1] {
        let expected = format!("{beyond} Hz is not accepted: write 4000 to 192000");
        assert!(error(&wav(1, 1, beyond, 16, &[0; 4])).starts_with(&expected));
    }
    assert!(error(&wav(1, 6, 8_000, 16, &[0; 12])).starts_with("6 channels are not accepted"));
    assert!(error(&wav(1, 0, 8_000, 16, &[0; 12])).starts_with("0 channels are not accepted"));
    assert!(error(&wav(17, 1, 8_000, 4, &[0; 4])).starts_with("format tag 17 with 4 bits"));
    assert!(error(&wav(1, 1, 8_000, 16, &[])).contains("empty"));
    let whole = wav(1, 1, 8_000, 16, &[0; 100]);
    let cut = decode_wav(&whole[..whole.len() - 1]);
    assert!(matches!(cut, Err(WavError::Truncated { claimed: 100, present: 99 })));
    assert!(error(&whole[..30]).contains("`fmt `"));
    assert!(error(&whole[..40]).contains("`data`"));
}

#[test]
fn an_hour_is_accepted_and_a_sample_more_is_not() {
    let hour = vec![0xff; 3_600 * 8_000 + 1];
    assert!(decode_wav(&wav(7, 1, 8_000, 8, &hour[1..])).is_ok());
    assert!(matches!(decode_wav(&wav(7, 1, 8_000, 8, &hour)), Err(WavError::TooLong)));
}
