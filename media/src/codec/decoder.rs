//! Payloads into samples.

use super::concealment::Concealment;
use super::resampler::Resampler;
use super::{Codec, Law, Rate, g722, opus};

/// Samples decoded at a time, before they are converted.
const CHUNK: usize = 160;

/// Decodes what one party sends.
#[derive(Debug)]
pub struct Decoder {
    rate: Rate,
    coding: Coding,
}

#[derive(Debug)]
enum Coding {
    G711 { law: Law, gaps: Box<Gaps> },
    G722 { decoder: Box<g722::Decoder>, gaps: Box<Gaps> },
    Opus(opus::Decoder),
}

/// How gaps are filled, and at which rate all comes out.
#[derive(Debug)]
struct Gaps {
    concealment: Concealment,
    resampler: Option<Resampler>,
}

impl Decoder {
    /// A decoder whose samples are at `rate`, whatever the codec's own.
    #[must_use]
    pub fn new(codec: Codec, rate: Rate) -> Self {
        let gaps = || {
            let concealment = Concealment::new(codec.rate());
            Box::new(Gaps { concealment, resampler: Resampler::new(codec.rate(), rate) })
        };
        let coding = match codec {
            Codec::Pcmu => Coding::G711 { law: Law::Pcmu, gaps: gaps() },
            Codec::Pcma => Coding::G711 { law: Law::Pcma, gaps: gaps() },
            Codec::G722 => Coding::G722 { decoder: Box::default(), gaps: gaps() },
            Codec::Opus(_) => Coding::Opus(opus::Decoder::new(rate)),
        };
        Self { rate, coding }
    }

    /// The rate of what comes out.
    #[must_use]
    pub const fn rate(&self) -> Rate {
        self.rate
    }

    /// Decodes the payload of a packet, as far as `samples` reach; how many samples. None says that the payload is none
    /// of this codec.
    pub fn decode(&mut self, payload: &[u8], samples: &mut [i16]) -> usize {
        match &mut self.coding {
            Coding::G711 { law, gaps } => gaps.decode(payload, 1, samples, |characters, linear| {
                linear.iter_mut().zip(characters).for_each(|(to, from)| *to = law.decode(*from));
            }),
            Coding::G722 { decoder, gaps } => {
                gaps.decode(payload, g722::SAMPLES_PER_OCTET, samples, |octets, linear| {
                    decoder.decode(octets, linear);
                })
            }
            Coding::Opus(decoder) => decoder.decode(payload, samples),
        }
    }

    /// Fills samples for packets that were lost.
    pub fn conceal(&mut self, samples: &mut [i16]) {
        match &mut self.coding {
            Coding::G711 { gaps, .. } | Coding::G722 { gaps, .. } => gaps.conceal(samples),
            Coding::Opus(decoder) => decoder.conceal(samples),
        }
    }

    /// Fills the samples of a lost packet from the one that follows it, which may tell of it (RFC 6716 §2.1.7).
    pub fn recover(&mut self, following: &[u8], samples: &mut [i16]) {
        match &mut self.coding {
            Coding::Opus(decoder) => decoder.recover(following, samples),
            Coding::G711 { .. } | Coding::G722 { .. } => self.conceal(samples),
        }
    }
}

impl Gaps {
    /// Decodes a payload whose octets are `per_octet` samples each.
    fn decode(
        &mut self,
        payload: &[u8],
        per_octet: usize,
        samples: &mut [i16],
        mut decode: impl FnMut(&[u8], &mut [i16]),
    ) -> usize {
        let mut written = 0;
        for octets in payload.chunks(CHUNK / per_octet) {
            let mut linear = [0; CHUNK];
            let Some(linear) = linear.get_mut(..octets.len() * per_octet) else { break };
            decode(octets, linear);
            self.concealment.heard(linear);
            let Some(rest) = samples.get_mut(written..) else { break };
            written += convert(&mut self.resampler, linear, rest);
        }
        written
    }

    fn conceal(&mut self, samples: &mut [i16]) {
        let Some(resampler) = &mut self.resampler else { return self.concealment.conceal(samples) };
        let mut written = 0;
        while written < samples.len() {
            // A ratio of 6 at most: a chunk of 60 comes out as 10 to 360.
            let mut linear = [0; 60];
            let missing = samples.len() - written;
            let needed = resampler.inputs_for(missing).clamp(1, linear.len());
            let Some(linear) = linear.get_mut(..needed) else { break };
            self.concealment.conceal(linear);
            let Some(rest) = samples.get_mut(written..) else { break };
            written += resampler.process(linear, rest);
        }
    }
}

fn convert(resampler: &mut Option<Resampler>, samples: &[i16], out: &mut [i16]) -> usize {
    match resampler {
        Some(resampler) => resampler.process(samples, out),
        None => out.iter_mut().zip(samples).map(|(to, from)| *to = *from).count(),
    }
}
