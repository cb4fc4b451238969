//! What parties speak: G.711 by its definition, G.722 by `ezk-g722`, Opus by libopus.
//!
//! A party speaks and hears at 8 kHz, whatever the codec: its voice is a tone of the telephone band.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use ezk_g722::libg722::{Bitrate, decoder, encoder};
use opus::{Application, Bandwidth, Channels};

use crate::g711::Law;
use crate::tone::RATE_HZ;

/// Octets of the longest packet of ours.
const MAX_PACKET: usize = 480;

/// Samples of the longest packet that Opus has (RFC 6716 §2.1.4), at 8 kHz.
const MAX_SAMPLES: usize = 960;

/// A codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Codec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722 at 64 kbit/s.
    G722,
    /// Opus (RFC 7587).
    Opus,
}

impl Codec {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pcmu, Self::Pcma, Self::G722, Self::Opus];

    /// The encoding name and clock of its rtpmap.
    #[must_use]
    pub const fn rtpmap(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU/8000",
            Self::Pcma => "PCMA/8000",
            Self::G722 => "G722/8000",
            Self::Opus => "opus/48000/2",
        }
    }

    /// The static payload type (RFC 3551 §6, table 4), if it has one.
    #[must_use]
    pub const fn static_payload_type(self) -> Option<u8> {
        match self {
            Self::Pcmu => Some(0),
            Self::Pcma => Some(8),
            Self::G722 => Some(9),
            Self::Opus => None,
        }
    }

    /// Timestamp units of a sample at 8 kHz: one, for G.722 too (RFC 3551 §4.5.2), and six (RFC 7587 §4.1).
    pub(crate) const fn ticks_per_sample(self) -> u32 {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => 1,
            Self::Opus => 6,
        }
    }

    /// The clock of its timestamps.
    pub(crate) const fn clock_hz(self) -> u32 {
        self.ticks_per_sample() * RATE_HZ
    }

    /// Samples at 8 kHz of a packet that is to have so many: Opus has no frames of 30 and 50 ms (RFC 6716 §2.1.4).
    pub(crate) const fn fit(self, samples: u32) -> u32 {
        match (self, samples) {
            (Self::Opus, 160..320) => 160,
            (Self::Opus, 320..480) => 320,
            _ => samples,
        }
    }

    /// Samples at 8 kHz that a packet has.
    pub(crate) fn samples_in(self, payload: &[u8]) -> u32 {
        let samples = match self {
            Self::Pcmu | Self::Pcma | Self::G722 => payload.len(),
            Self::Opus => opus::packet::get_nb_samples(payload, RATE_HZ).unwrap_or(0),
        };
        u32::try_from(samples).unwrap_or(0)
    }

    /// Whether each packet is decoded by itself.
    pub(crate) const fn is_memoryless(self) -> bool {
        self.law().is_some()
    }

    /// The law, for G.711.
    pub(crate) const fn law(self) -> Option<Law> {
        match self {
            Self::Pcmu => Some(Law::Mu),
            Self::Pcma => Some(Law::A),
            Self::G722 | Self::Opus => None,
        }
    }
}

/// Makes the packets of one stream.
pub(crate) struct Encoder {
    codec: Codec,
    making: Making,
}

enum Making {
    Law(Law),
    G722 { encoder: Box<encoder::Encoder>, doubling: Doubling },
    Opus(Option<Foreign<opus::Encoder>>),
}

impl Encoder {
    pub(crate) fn new(codec: Codec) -> Self {
        let making = match codec {
            Codec::Pcmu => Making::Law(Law::Mu),
            Codec::Pcma => Making::Law(Law::A),
            Codec::G722 => Making::G722 {
                encoder: Box::new(encoder::Encoder::new(Bitrate::Mode1_64000, false, false)),
                doubling: Doubling::default(),
            },
            Codec::Opus => Making::Opus(opus_encoder().ok().map(Foreign::new)),
        };
        Self { codec, making }
    }

    pub(crate) const fn codec(&self) -> Codec {
        self.codec
    }

    /// A packet of these samples at 8 kHz; empty when the library will not.
    pub(crate) fn encode(&mut self, samples: &[i16]) -> Bytes {
        match &mut self.making {
            Making::Law(law) => samples.iter().map(|sample| law.encode(*sample)).collect(),
            Making::G722 { encoder, doubling } => encoder.encode(&doubling.double(samples)).into(),
            Making::Opus(encoder) => {
                let packet = encoder.as_mut().and_then(|it| it.own().encode_vec(samples, MAX_PACKET).ok());
                packet.unwrap_or_default().into()
            }
        }
    }
}

/// As cheap as a tone may be, and with what a lost packet is made up from.
fn opus_encoder() -> opus::Result<opus::Encoder> {
    let mut encoder = opus::Encoder::new(RATE_HZ, Channels::Mono, Application::Voip)?;
    encoder.set_complexity(1)?;
    encoder.set_inband_fec(true)?;
    encoder.set_packet_loss_perc(5)?;
    encoder.set_max_bandwidth(Bandwidth::Narrowband)?;
    Ok(encoder)
}

/// Reads the packets of one stream, in their order.
pub(crate) struct Decoder {
    codec: Codec,
    reading: Reading,
}

enum Reading {
    Law(Law),
    G722(Box<decoder::Decoder>),
    Opus(Option<Foreign<opus::Decoder>>),
}

impl Decoder {
    pub(crate) fn new(codec: Codec) -> Self {
        let reading = match codec {
            Codec::Pcmu => Reading::Law(Law::Mu),
            Codec::Pcma => Reading::Law(Law::A),
            // Its lower band alone is what is said at 8 kHz.
            Codec::G722 => Reading::G722(Box::new(decoder::Decoder::new(Bitrate::Mode1_64000, false, true))),
            Codec::Opus => Reading::Opus(opus::Decoder::new(RATE_HZ, Channels::Mono).ok().map(Foreign::new)),
        };
        Self { codec, reading }
    }

    pub(crate) const fn codec(&self) -> Codec {
        self.codec
    }

    /// What a packet says, at 8 kHz; nothing when it cannot be read.
    pub(crate) fn decode(&mut self, payload: &[u8]) -> Vec<i16> {
        match &mut self.reading {
            Reading::Law(law) => payload.iter().map(|octet| law.decode(*octet)).collect(),
            Reading::G722(decoder) => decoder.decode(payload),
            Reading::Opus(decoder) => {
                let mut samples = vec![0; MAX_SAMPLES];
                let count =
                    decoder.as_mut().and_then(|it| it.own().decode(payload, &mut samples, false).ok());
                samples.truncate(count.unwrap_or(0));
                samples
            }
        }
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encoder({:?})", self.codec)
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decoder({:?})", self.codec)
    }
}

/// Never locked: a `Mutex` makes `Sync` of a library type that is `Send` only, so that a phone may live on any thread.
struct Foreign<T>(Mutex<T>);

impl<T> Foreign<T> {
    const fn new(it: T) -> Self {
        Self(Mutex::new(it))
    }

    fn own(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Samples at 8 kHz as samples at 16 kHz: between each two comes what a polynomial of the fifth degree through six has.
#[derive(Debug, Default)]
struct Doubling {
    last: [i16; 5],
}

impl Doubling {
    fn double(&mut self, samples: &[i16]) -> Vec<i16> {
        const WEIGHTS: [i32; 6] = [3, -25, 150, 150, -25, 3];
        let mut doubled = Vec::with_capacity(samples.len() * 2);
        for sample in samples {
            let [a, b, c, d, e] = self.last;
            let six = [a, b, c, d, e, *sample];
            let sum: i32 = six.iter().zip(WEIGHTS).map(|(sample, weight)| i32::from(*sample) * weight).sum();
            let between = (sum / 256).clamp(i16::MIN.into(), i16::MAX.into());
            doubled.extend([c, between as i16]);
            self.last = [b, c, d, e, *sample];
        }
        doubled
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goertzel::Bank;
    use crate::tone::Oscillator;

    /// What is said in any codec is heard as it was said.
    #[test]
    fn a_tone_survives_every_codec() {
        for codec in Codec::ALL {
            for hz in [300, 1_000, 3_350] {
                let (mut tone, mut encoder, mut decoder) =
                    (Oscillator::new(hz), Encoder::new(codec), Decoder::new(codec));
                let mut heard = Vec::new();
                for _ in 0..20 {
                    let samples: Vec<i16> = std::iter::repeat_with(|| tone.next_sample()).take(160).collect();
                    let packet = encoder.encode(&samples);
                    assert!((4..=160).contains(&packet.len()), "{codec:?}: {} octets", packet.len());
                    heard.extend(decoder.decode(&packet));
                }
                assert_eq!(heard.len(), 20 * 160, "{codec:?}");
                let heard: Vec<f32> = heard[1_600..].iter().map(|sample| f32::from(*sample)).collect();
                let energy: f32 = heard.iter().map(|sample| sample * sample).sum();
                let share = Bank::new(&[hz]).shares(&heard, energy)[0];
                assert!(share > 0.9, "{codec:?} {hz} Hz: {share}");
                let level = (energy / heard.len() as f32).sqrt();
                assert!((3_000.0..7_000.0).contains(&level), "{codec:?} {hz} Hz: {level}");
            }
        }
    }
}
