//! Prompts out of Ogg Opus files (RFC 7845).

use std::io::Cursor;
use std::time::Duration;

use ogg::PacketReader;
use opus::Channels;

use crate::codec::Rate;
use crate::{Audio, MAX_PROMPT};

/// The rate that granule positions and the pre-skip are counted at (RFC 7845 §4).
const GRANULE_RATE_HZ: u32 = 48_000;

/// The longest packet (RFC 6716 §2.1.4).
const MAX_PACKET: Duration = Duration::from_millis(120);

/// What is wrong with an Ogg Opus file; the operator's to repair.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OggOpusError {
    /// Its pages cannot be read.
    #[error("not an Ogg file, or a damaged one ({0}): write it again")]
    Container(String),
    /// Its first packet is no Opus header.
    #[error("an Ogg file without Opus in it: encode it with opusenc, or write WAV")]
    NotOpus,
    /// A header of another version, or shorter than it must be.
    #[error("an Opus header of an unknown kind: encode it anew with opusenc")]
    Header,
    /// More channels than are mixed.
    #[error("{0} channels are not accepted: write one, or two to be mixed into one")]
    Channels(u8),
    /// A packet that Opus does not know.
    #[error("packet {0} is no Opus: the file is damaged, write it again")]
    Packet(usize),
    /// Longer than [`MAX_PROMPT`].
    #[error("the recording is longer than {} s: cut it into pieces", MAX_PROMPT.as_secs())]
    TooLong,
    /// No sample in it.
    #[error("the recording is empty, or its end is missing")]
    Empty,
    /// No memory for a decoder.
    #[error("no decoder could be made")]
    Decoder,
}

/// What the identification header says (RFC 7845 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    /// Samples before the beginning, at [`GRANULE_RATE_HZ`].
    pre_skip: u16,
    /// In 1/256 dB.
    gain: i16,
}

impl Head {
    fn parse(packet: &[u8]) -> Result<Self, OggOpusError> {
        let fields = packet.strip_prefix(b"OpusHead").ok_or(OggOpusError::NotOpus)?;
        let [version, channels, skip_low, skip_high, _, _, _, _, gain_low, gain_high, family, ..] = *fields
        else {
            return Err(OggOpusError::Header);
        };
        // The upper half is what makes versions incompatible.
        if version >> 4 != 0 {
            return Err(OggOpusError::Header);
        }
        match (family, channels) {
            (0, 1 | 2) => {}
            (_, 0..=2) => return Err(OggOpusError::Header),
            (_, channels) => return Err(OggOpusError::Channels(channels)),
        }
        Ok(Self {
            pre_skip: u16::from_le_bytes([skip_low, skip_high]),
            gain: i16::from_le_bytes([gain_low, gain_high]),
        })
    }
}

/// Decodes the first stream of an Ogg Opus file into mono at both rates of [`Audio`]; two channels are mixed.
///
/// # Errors
/// [`OggOpusError`] says what is wrong and what is accepted.
pub fn decode_ogg_opus(bytes: &[u8]) -> Result<Audio, OggOpusError> {
    let narrow = decode_at(Rate::Narrowband, bytes)?;
    Ok(Audio::from_samples(narrow).with_wideband(decode_at(Rate::Wideband, bytes)?))
}

fn decode_at(rate: Rate, bytes: &[u8]) -> Result<Vec<i16>, OggOpusError> {
    let granules_per_sample = u64::from(GRANULE_RATE_HZ / rate.hz());
    let mut reader = PacketReader::new(Cursor::new(bytes));
    let container = |error: ogg::OggReadError| OggOpusError::Container(error.to_string());
    let first = reader.read_packet().map_err(container)?.ok_or(OggOpusError::Empty)?;
    let (head, serial) = (Head::parse(&first.data)?, first.stream_serial());
    let mut decoder = opus::Decoder::new(rate.hz(), Channels::Mono).map_err(|_| OggOpusError::Decoder)?;
    decoder.set_gain(head.gain.into()).map_err(|_| OggOpusError::Header)?;
    let mut samples: Vec<i16> = Vec::new();
    let mut frame = [0; Rate::Wideband.samples_in(MAX_PACKET)];
    let most = rate.samples_in(MAX_PROMPT);
    let mut number = 0;
    while let Some(packet) = reader.read_packet().map_err(container)? {
        if packet.stream_serial() != serial {
            continue;
        }
        number += 1;
        // The comment header follows the first one (§5.2).
        if number > 1 {
            let decoded = decoder.decode(&packet.data, &mut frame, false);
            let decoded = decoded.ok().and_then(|count| frame.get(..count));
            samples.extend(decoded.ok_or(OggOpusError::Packet(number))?);
        }
        if samples.len() > most + usize::from(u16::MAX) {
            return Err(OggOpusError::TooLong);
        }
        if packet.last_in_stream() {
            // The last page says where the recording ends within its last packet (§4.4).
            let end = usize::try_from(packet.absgp_page() / granules_per_sample).unwrap_or(usize::MAX);
            samples.truncate(end);
            break;
        }
    }
    samples.drain(..(usize::from(head.pre_skip) / granules_per_sample as usize).min(samples.len()));
    match samples.len() {
        0 => Err(OggOpusError::Empty),
        length if length > most => Err(OggOpusError::TooLong),
        _ => Ok(samples),
    }
}
