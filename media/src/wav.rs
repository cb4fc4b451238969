//! Prompts out of WAV files.
//!
//! The chunks are walked here, so that an error names what is wrong with the file and what to write instead; `hound`
//! stumbles over padded chunks and rejects µ-law and A-law. The samples of PCM and float go through `hound`, behind
//! a plain header; those of µ-law and A-law (format tags 7 and 6) through our tables.

use std::io::Read;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::Audio;
use crate::codec::Rate;
use crate::codec::g711::Law;
use crate::resample::convert;

/// The longest prompt.
pub const MAX_PROMPT: Duration = Duration::from_secs(3_600);

/// Sample rates that are accepted, in Hz.
pub const RATES_HZ: RangeInclusive<u32> = 4_000..=192_000;

/// A data chunk that claims so much or more was written into a pipe, by somebody who did not know how much would
/// come (`espeak-ng --stdout` and sox claim 2^31 bytes and some less, ffmpeg 2^32 - 1): it goes on to the end of the file.
const UNKNOWN_LENGTH: u32 = 0x7fff_0000;

/// What is wrong with a WAV file; the operator's to repair.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WavError {
    /// Another kind of file.
    #[error("not a WAV file (no RIFF/WAVE header): convert it to WAV")]
    NotWav,
    /// A chunk is not there, or lies after the data.
    #[error("the `{0}` chunk is missing or too short: the file is damaged, write it again")]
    MissingChunk(&'static str),
    /// The data chunk goes on beyond the end of the file.
    #[error(
        "the data chunk claims {claimed} bytes but the file has {present}: the file is cut short, write it again"
    )]
    Truncated {
        /// As its header says.
        claimed: u32,
        /// In the file.
        present: usize,
    },
    /// A coding we do not decode.
    #[error(
        "format tag {tag} with {bits} bits a sample is not accepted: write PCM of 8, 16, 24 or 32 bits, float of 32 \
         or 64 bits, µ-law or A-law"
    )]
    Format {
        /// The format tag; of an extensible format, that of its sub-format.
        tag: u16,
        /// Bits a sample.
        bits: u16,
    },
    /// A number of channels we do not mix.
    #[error("{0} channels are not accepted: write one, or two to be mixed into one")]
    Channels(u16),
    /// A rate we do not convert.
    #[error(
        "{0} Hz is not accepted: write {least} to {most} (8000 is what most callers hear)",
        least = RATES_HZ.start(),
        most = RATES_HZ.end()
    )]
    Rate(u32),
    /// Longer than [`MAX_PROMPT`].
    #[error("the recording is longer than {} s: cut it into pieces", MAX_PROMPT.as_secs())]
    TooLong,
    /// No sample in it.
    #[error("the recording is empty")]
    Empty,
    /// Something else, found by the decoder.
    #[error("the samples cannot be decoded: {0}")]
    Samples(#[from] hound::Error),
}

/// Decodes a WAV file into mono; two channels are mixed, other rates than those of [`Audio`] converted.
///
/// # Errors
/// [`WavError`] says what is wrong and what is accepted.
pub fn decode_wav(bytes: &[u8]) -> Result<Audio, WavError> {
    let wav = Wav::read(bytes)?;
    let interleaved = match wav.coding {
        Coding::Companded(law) => wav.data.iter().map(|character| law.decode(*character)).collect(),
        Coding::Linear => decode_linear(&wav)?,
        Coding::Float => decode_float(&wav)?,
        Coding::Double => decode_double(wav.data),
    };
    let mono = if wav.stereo { mix(&interleaved) } else { interleaved };
    let narrow = convert(&mono, wav.rate_hz, Rate::Narrowband);
    if narrow.is_empty() {
        return Err(WavError::Empty);
    }
    let audio = Audio::from_samples(narrow);
    if wav.rate_hz <= Audio::RATE_HZ {
        return Ok(audio);
    }
    Ok(audio.with_wideband(convert(&mono, wav.rate_hz, Rate::Wideband)))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Linear,
    Float,
    Double,
    Companded(Law),
}

/// A checked header, and where the samples are.
#[derive(Debug)]
struct Wav<'a> {
    coding: Coding,
    stereo: bool,
    rate_hz: u32,
    bits: u16,
    /// Whole frames.
    data: &'a [u8],
}

impl<'a> Wav<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, WavError> {
        let (head, mut rest) = bytes.split_first_chunk::<12>().ok_or(WavError::NotWav)?;
        if &head[..4] != b"RIFF" || &head[8..] != b"WAVE" {
            return Err(WavError::NotWav);
        }
        let mut format = None;
        while let Some((header, body)) = rest.split_first_chunk::<8>() {
            let claimed = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
            let length = usize::try_from(claimed).unwrap_or(usize::MAX);
            match &header[..4] {
                b"fmt " => format = Some(body.get(..length).ok_or(WavError::MissingChunk("fmt "))?),
                b"data" => {
                    let present = body.len();
                    let length = if claimed < UNKNOWN_LENGTH { length } else { length.min(present) };
                    let data = body.get(..length).ok_or(WavError::Truncated { claimed, present })?;
                    return Self::check(format.ok_or(WavError::MissingChunk("fmt "))?, data);
                }
                _ => {}
            }
            let padded = length.saturating_add(length % 2);
            rest = body.get(padded..).ok_or(WavError::MissingChunk("data"))?;
        }
        Err(WavError::MissingChunk("data"))
    }

    fn check(format: &[u8], data: &'a [u8]) -> Result<Self, WavError> {
        let half = |at: usize| -> Result<u16, WavError> {
            let bytes =
                format.get(at..).and_then(<[u8]>::first_chunk).ok_or(WavError::MissingChunk("fmt "))?;
            Ok(u16::from_le_bytes(*bytes))
        };
        let (channels, align, bits) = (half(2)?, half(12)?, half(14)?);
        let rate_hz = u32::from(half(4)?) | u32::from(half(6)?) << 16;
        // WAVE_FORMAT_EXTENSIBLE: the sub-format's GUID begins with the tag.
        let tag = match half(0)? {
            0xfffe => half(24)?,
            tag => tag,
        };
        if !(1..=2).contains(&channels) {
            return Err(WavError::Channels(channels));
        }
        if !RATES_HZ.contains(&rate_hz) {
            return Err(WavError::Rate(rate_hz));
        }
        let coding = match (tag, bits) {
            (1, 8 | 16 | 24 | 32) => Coding::Linear,
            (3, 32) => Coding::Float,
            (3, 64) => Coding::Double,
            (6, 8) => Coding::Companded(Law::Pcma),
            (7, 8) => Coding::Companded(Law::Pcmu),
            _ => return Err(WavError::Format { tag, bits }),
        };
        let frame = usize::from(channels) * usize::from(bits / 8);
        if usize::from(align) != frame {
            return Err(WavError::MissingChunk("fmt "));
        }
        if (data.len() / frame) as u64 > MAX_PROMPT.as_secs() * u64::from(rate_hz) {
            return Err(WavError::TooLong);
        }
        let data = data.get(..data.len() - data.len() % frame).unwrap_or_default();
        Ok(Self { coding, stereo: channels == 2, rate_hz, bits, data })
    }

    /// `hound` on the samples, behind a header without anything special.
    fn plain(&self) -> Result<hound::WavReader<impl Read>, WavError> {
        let (tag, channels) =
            (if self.coding == Coding::Float { 3u16 } else { 1 }, 1 + u16::from(self.stereo));
        let align = channels * (self.bits / 8);
        let length = u32::try_from(self.data.len()).map_err(|_| WavError::TooLong)?;
        let mut header = Vec::with_capacity(44);
        header.extend(b"RIFF");
        header.extend(length.saturating_add(36).to_le_bytes());
        header.extend(b"WAVEfmt \x10\0\0\0");
        header.extend([tag.to_le_bytes(), channels.to_le_bytes()].concat());
        header.extend([self.rate_hz.to_le_bytes(), (self.rate_hz * u32::from(align)).to_le_bytes()].concat());
        header.extend([align.to_le_bytes(), self.bits.to_le_bytes()].concat());
        header.extend(b"data");
        header.extend(length.to_le_bytes());
        Ok(hound::WavReader::new(std::io::Cursor::new(header).chain(self.data))?)
    }
}

fn decode_linear(wav: &Wav) -> Result<Vec<i16>, WavError> {
    let bits = wav.bits;
    let scaled = |sample: i32| if bits < 16 { sample << (16 - bits) } else { sample >> (bits - 16) };
    let samples = wav.plain()?.into_samples::<i32>().map(|sample| sample.map(|sample| scaled(sample) as i16));
    Ok(samples.collect::<Result<_, _>>()?)
}

/// Full scale is ±1.0; what is louder is clipped, and what is no number is silence.
fn decode_float(wav: &Wav) -> Result<Vec<i16>, WavError> {
    let samples =
        wav.plain()?.into_samples::<f32>().map(|sample| sample.map(|sample| (sample * 32_767.0) as i16));
    Ok(samples.collect::<Result<_, _>>()?)
}

/// As [`decode_float`]; `hound` reads no floats of 64 bits.
fn decode_double(data: &[u8]) -> Vec<i16> {
    let (samples, _) = data.as_chunks::<8>();
    samples.iter().map(|sample| (f64::from_le_bytes(*sample) * 32_767.0) as i16).collect()
}

fn mix(interleaved: &[i16]) -> Vec<i16> {
    let (pairs, _) = interleaved.as_chunks::<2>();
    pairs.iter().map(|[left, right]| ((i32::from(*left) + i32::from(*right)) / 2) as i16).collect()
}
