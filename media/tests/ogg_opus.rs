//! Prompts from Ogg Opus files: what was recorded is heard, and what is no such file is refused by name.

use ogg::PacketWriter;
use ogg::writing::PacketWriteEndInfo;
use proptest::prelude::*;
use tandem_media::{Audio, OggOpusError, PromptError, decode_ogg_opus, decode_prompt};

const FRAME: usize = 960;

/// What makes a file other than usual.
#[derive(Clone, Copy)]
struct Written {
    channels: u8,
    pre_skip: u16,
    gain: i16,
    version: u8,
    family: u8,
    /// Samples of the recording at 48 kHz; the last packet has more.
    length: u64,
}

const USUAL: Written = Written { channels: 1, pre_skip: 312, gain: 0, version: 1, family: 0, length: 48_000 };

impl Written {
    fn head(&self) -> Vec<u8> {
        let mut head = b"OpusHead".to_vec();
        head.extend([self.version, self.channels]);
        head.extend(self.pre_skip.to_le_bytes());
        head.extend(48_000u32.to_le_bytes());
        head.extend(self.gain.to_le_bytes());
        head.push(self.family);
        head
    }

    /// A tone of 1 kHz, of half scale.
    fn file(&self) -> Vec<u8> {
        let channels = if self.channels == 2 { opus::Channels::Stereo } else { opus::Channels::Mono };
        let mut encoder = opus::Encoder::new(48_000, channels, opus::Application::Audio).expect("an encoder");
        let total = self.length + u64::from(self.pre_skip);
        let mut file = Vec::new();
        let mut writer = PacketWriter::new(&mut file);
        let mut write = |packet: Vec<u8>, end, granule| {
            writer.write_packet(packet, 7, end, granule).expect("a writable buffer");
        };
        write(self.head(), PacketWriteEndInfo::EndPage, 0);
        write(b"OpusTags\0\0\0\0\0\0\0\0".to_vec(), PacketWriteEndInfo::EndPage, 0);
        for start in (0..total).step_by(FRAME) {
            let samples: Vec<i16> = (start..start + FRAME as u64)
                .flat_map(|n| {
                    let phase = std::f64::consts::TAU * 1_000.0 * n as f64 / 48_000.0;
                    vec![(16_384.0 * phase.sin()) as i16; usize::from(self.channels.clamp(1, 2))]
                })
                .collect();
            let packet = encoder.encode_vec(&samples, 1_500).expect("encoded");
            let is_last = start + FRAME as u64 >= total;
            let end = if is_last { PacketWriteEndInfo::EndStream } else { PacketWriteEndInfo::NormalPacket };
            write(packet, end, total.min(start + FRAME as u64));
        }
        file
    }
}

/// The power of 1 kHz in it, and all its power, as levels of full scale.
fn levels(audio: &Audio) -> (f64, f64) {
    let middle = &audio.samples()[400..audio.samples().len() - 400];
    let (mut cosine, mut sine, mut power) = (0.0, 0.0, 0.0);
    for (n, sample) in middle.iter().enumerate() {
        let (value, phase) = (f64::from(*sample) / 32_768.0, std::f64::consts::TAU * n as f64 / 8.0);
        cosine += value * phase.cos();
        sine += value * phase.sin();
        power += value * value;
    }
    let count = middle.len() as f64;
    (2.0 * (cosine * cosine + sine * sine) / (count * count), power / count)
}

#[test]
fn what_was_recorded_is_heard_from_its_first_sample_to_its_last() {
    for (written, samples) in [
        (USUAL, 8_000),
        (Written { channels: 2, ..USUAL }, 8_000),
        (Written { length: 31_206, ..USUAL }, 5_201),
        (Written { pre_skip: 0, length: 9_600, ..USUAL }, 1_600),
        (Written { pre_skip: 3_840, ..USUAL }, 8_000),
    ] {
        let audio = decode_ogg_opus(&written.file()).expect("a good file");
        assert_eq!(audio.samples().len(), samples);
        let (tone, all) = levels(&audio);
        assert!((tone - 0.125).abs() < 0.02 && tone > 0.95 * all, "{tone} of {all}");
    }
}

#[test]
fn the_gain_of_the_header_is_applied() {
    let audio = decode_ogg_opus(&Written { gain: -6 * 256, ..USUAL }.file()).expect("a good file");
    let (tone, _) = levels(&audio);
    assert!((tone - 0.0314).abs() < 0.005, "{tone}: 6 dB below 0.125");
}

#[test]
fn what_is_not_accepted_is_named() {
    let error = |file: &[u8]| decode_ogg_opus(file).map(|_| ()).expect_err("refused").to_string();
    let usual = USUAL.file();
    assert!(error(b"").contains("not an Ogg file"));
    assert!(error(b"RIFF").contains("not an Ogg file"));
    assert!(error(&Written { version: 16, ..USUAL }.file()).contains("unknown kind"));
    assert!(error(&Written { family: 1, ..USUAL }.file()).contains("unknown kind"));
    assert!(error(&Written { channels: 6, family: 1, ..USUAL }.file()).starts_with("6 channels"));
    let mut vorbis = Vec::new();
    PacketWriter::new(&mut vorbis)
        .write_packet(b"\x01vorbis".to_vec(), 1, PacketWriteEndInfo::EndStream, 0)
        .expect("a writable buffer");
    assert!(error(&vorbis).contains("without Opus in it"));
    let mut damaged = usual.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    assert!(error(&damaged).contains("damaged"), "its checksum is wrong");
}

#[test]
fn a_prompt_is_known_by_what_is_in_it() {
    assert!(decode_prompt(&USUAL.file()).is_ok());
    assert!(matches!(decode_prompt(b"OggS"), Err(PromptError::OggOpus(OggOpusError::Container(_)))));
    assert!(matches!(decode_prompt(b"RIFF"), Err(PromptError::Wav(_))));
    assert!(decode_prompt(b"ID3").is_err_and(|error| error.to_string().contains("neither WAV nor Ogg Opus")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever a file holds, it is audio or refused: octets changed, the checksum set right again or not, cut short.
    #[test]
    fn any_file_is_decoded_or_refused(
        packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..6),
        head in prop::collection::vec(any::<u8>(), 0..20),
        is_opus in any::<bool>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut file = Vec::new();
        let mut writer = PacketWriter::new(&mut file);
        let first = if is_opus { [&b"OpusHead\x01\x01"[..], &head].concat() } else { head };
        for (n, packet) in std::iter::once(first).chain(packets).enumerate() {
            let end = if n % 3 == 2 { PacketWriteEndInfo::EndStream } else { PacketWriteEndInfo::EndPage };
            writer.write_packet(packet, 7, end, n as u64 * 500).expect("a writable buffer");
        }
        let _ = decode_prompt(&file);
        let _ = decode_prompt(&file[..cut.index(file.len() + 1)]);
    }

    #[test]
    fn any_octets_are_decoded_or_refused(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode_ogg_opus(&octets);
        let _ = decode_ogg_opus(&[b"OggS\0", octets.as_slice()].concat());
    }
}
