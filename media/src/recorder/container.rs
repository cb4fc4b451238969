//! Samples into the octets of a file.

use super::{OggOpusFile, Sides, WavFile};
use crate::codec::Rate;

/// A kind of file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// WAV, 16 bits.
    #[default]
    Wav,
    /// Ogg Opus (RFC 7845): about a twentieth of it.
    OggOpus,
}

impl Format {
    /// The ending of its files.
    #[must_use]
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::OggOpus => "opus",
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::OggOpus => "ogg-opus",
        }
    }
}

/// A file under way.
#[derive(Debug)]
pub enum Container {
    /// WAV.
    Wav(WavFile),
    /// Ogg Opus.
    OggOpus(Box<OggOpusFile>),
}

impl Container {
    /// A file of samples at `rate`; `serial` tells an Ogg stream from others. None when libopus has no memory.
    #[must_use]
    pub fn new(format: Format, rate: Rate, sides: Sides, serial: u32) -> Option<Self> {
        let channels = sides.channels();
        Some(match format {
            Format::Wav => Self::Wav(WavFile::new(rate, channels)),
            Format::OggOpus => Self::OggOpus(Box::new(OggOpusFile::new(rate, channels, serial)?)),
        })
    }

    /// Appends what stands before the samples. `is_rewritten` says that [`Container::header`] will be written over it.
    pub fn begin(&mut self, is_rewritten: bool, out: &mut Vec<u8>) {
        match self {
            Self::Wav(wav) => out.extend(wav.header(is_rewritten.then_some(0))),
            Self::OggOpus(ogg) => ogg.begin(out),
        }
    }

    /// Appends samples, channel by channel in turn.
    pub fn write(&mut self, samples: &[i16], out: &mut Vec<u8>) {
        match self {
            Self::Wav(_) => WavFile::write(samples, out),
            Self::OggOpus(ogg) => ogg.write(samples, out),
        }
    }

    /// Appends what stands behind them.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        if let Self::OggOpus(ogg) = self {
            ogg.end(out);
        }
    }

    /// What stands before the samples of a file of so many octets, when that says how many they are.
    #[must_use]
    pub fn header(&self, octets: u64) -> Option<[u8; WavFile::HEADER_LEN]> {
        match self {
            Self::Wav(wav) => Some(wav.header(Some(octets.saturating_sub(WavFile::HEADER_LEN as u64)))),
            Self::OggOpus(_) => None,
        }
    }
}
