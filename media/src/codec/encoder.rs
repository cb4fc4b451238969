//! Samples into payloads.

use super::resampler::Resampler;
use super::{Codec, Law, MAX_FRAME, Rate, g722, opus};

/// Samples of the longest frame at the highest rate that is coded here rather than in libopus.
const MAX_SAMPLES: usize = Rate::Wideband.samples_in(MAX_FRAME);

/// Encodes what one party is sent.
#[derive(Debug)]
pub struct Encoder {
    codec: Codec,
    rate: Rate,
    coding: Coding,
}

#[derive(Debug)]
enum Coding {
    G711 { law: Law, resampler: Option<Box<Resampler>> },
    G722 { encoder: Box<g722::Encoder>, resampler: Option<Box<Resampler>> },
    Opus(opus::Encoder),
}

impl Encoder {
    /// An encoder of samples at `rate`, whatever the codec's own.
    #[must_use]
    pub fn new(codec: Codec, rate: Rate) -> Self {
        let resampler = || Resampler::new(rate, codec.rate()).map(Box::new);
        let coding = match codec {
            Codec::Pcmu => Coding::G711 { law: Law::Pcmu, resampler: resampler() },
            Codec::Pcma => Coding::G711 { law: Law::Pcma, resampler: resampler() },
            Codec::G722 => Coding::G722 { encoder: Box::default(), resampler: resampler() },
            Codec::Opus(parameters) => Coding::Opus(opus::Encoder::new(parameters, rate)),
        };
        Self { codec, rate, coding }
    }

    /// The same stream goes on with samples at another rate.
    pub fn set_rate(&mut self, rate: Rate) {
        if rate == self.rate {
            return;
        }
        self.rate = rate;
        let converter = Resampler::new(rate, self.codec.rate()).map(Box::new);
        match (&mut self.coding, self.codec) {
            (Coding::G711 { resampler, .. } | Coding::G722 { resampler, .. }, _) => *resampler = converter,
            (coding, codec) => *coding = Self::new(codec, rate).coding,
        }
    }

    /// The codec.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// Encodes one frame, of [`MAX_FRAME`] at most; how many octets. None says that nothing needs to be sent.
    pub fn encode(&mut self, samples: &[i16], payload: &mut [u8]) -> usize {
        match &mut self.coding {
            Coding::G711 { law, resampler } => with_converted(resampler, samples, |samples| {
                law.encode_into(samples, payload);
                samples.len().min(payload.len())
            }),
            Coding::G722 { encoder, resampler } => {
                with_converted(resampler, samples, |samples| encoder.encode(samples, payload))
            }
            Coding::Opus(encoder) => encoder.encode(samples, payload),
        }
    }

    /// The party loses so many percent of what it is sent: redundancy is made for that, where it wants any.
    pub fn expect_loss(&mut self, percent: u8) {
        if let (Coding::Opus(encoder), Codec::Opus(parameters)) = (&mut self.coding, self.codec)
            && parameters.in_band_fec
        {
            encoder.expect_loss(percent);
        }
    }
}

/// Hands over samples at the codec's rate.
fn with_converted(
    resampler: &mut Option<Box<Resampler>>,
    samples: &[i16],
    encode: impl FnOnce(&[i16]) -> usize,
) -> usize {
    let Some(resampler) = resampler else { return encode(samples) };
    let mut converted = [0; MAX_SAMPLES];
    let count = resampler.process(samples, &mut converted);
    encode(converted.get(..count).unwrap_or_default())
}
