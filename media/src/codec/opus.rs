//! Opus by libopus (RFC 6716), for speech in one channel.

use opus::{Application, Bandwidth, Bitrate, Channels, Signal};

use super::{OpusParameters, Rate};

/// How much work is put into a packet, of 10: beyond this speech gains nothing that can be heard.
const COMPLEXITY: i32 = 5;

/// The loss that the encoder prepares for when the party wants redundancy, in percent: with less, it adds none.
const MIN_EXPECTED_LOSS: u8 = 5;
/// … and at most, however bad reports are.
const MAX_EXPECTED_LOSS: u8 = 30;

/// What is spent on speech, in bit/s: where listeners hear no more difference (RFC 7587 §3.1.1).
const fn usual_bitrate(rate: Rate) -> u32 {
    match rate {
        Rate::Narrowband => 14_000,
        Rate::Wideband => 24_000,
        Rate::Fullband => 36_000,
    }
}

/// An encoder at one rate; nothing can be encoded by it when libopus had no memory for it.
#[derive(Debug)]
pub(super) struct Encoder {
    encoder: Option<opus::Encoder>,
    rate: Rate,
    max_bitrate: u32,
}

impl Encoder {
    pub(super) fn new(parameters: OpusParameters, rate: Rate) -> Self {
        let max_bitrate = parameters.max_average_bitrate;
        Self { encoder: configured(parameters, rate).ok(), rate, max_bitrate }
    }

    /// Encodes a frame; how many octets, none when nothing needs to be sent.
    pub(super) fn encode(&mut self, samples: &[i16], payload: &mut [u8]) -> usize {
        let encoded = self.encoder.as_mut().map(|encoder| encoder.encode(samples, payload));
        // Of two octets or less a packet says only that there is nothing (RFC 7587 §3.1.3).
        encoded.and_then(Result::ok).filter(|octets| *octets > 2).unwrap_or(0)
    }

    pub(super) fn expect_loss(&mut self, percent: u8) {
        let Some(encoder) = &mut self.encoder else { return };
        let percent = percent.clamp(MIN_EXPECTED_LOSS, MAX_EXPECTED_LOSS);
        // Redundancy has octets of its own, or there is none in narrowband: at its usual rate libopus spends all on speech.
        let more = usual_bitrate(self.rate) * 2 * u32::from(percent - MIN_EXPECTED_LOSS) / 100;
        let bitrate = (usual_bitrate(self.rate) + more).min(self.max_bitrate);
        // It refuses nothing within 0 to 100, nor any rate that a party may name.
        let _ = encoder.set_packet_loss_perc(percent.into());
        let _ = encoder.set_bitrate(Bitrate::Bits(bitrate as i32));
    }
}

fn configured(parameters: OpusParameters, rate: Rate) -> opus::Result<opus::Encoder> {
    let mut encoder = opus::Encoder::new(rate.hz(), Channels::Mono, Application::Voip)?;
    encoder.set_signal(Signal::Voice)?;
    encoder.set_complexity(COMPLEXITY)?;
    let bitrate = usual_bitrate(rate).min(parameters.max_average_bitrate);
    encoder.set_bitrate(Bitrate::Bits(bitrate as i32))?;
    encoder.set_vbr(!parameters.constant_bitrate)?;
    encoder.set_max_bandwidth(match parameters.max_playback_rate_hz {
        0..=8_000 => Bandwidth::Narrowband,
        8_001..=12_000 => Bandwidth::Mediumband,
        12_001..=16_000 => Bandwidth::Wideband,
        16_001..=24_000 => Bandwidth::Superwideband,
        _ => Bandwidth::Fullband,
    })?;
    encoder.set_inband_fec(parameters.in_band_fec)?;
    encoder.set_packet_loss_perc(if parameters.in_band_fec { MIN_EXPECTED_LOSS.into() } else { 0 })?;
    encoder.set_dtx(parameters.dtx)?;
    Ok(encoder)
}

/// A decoder at one rate; all is silence when libopus had no memory for it.
#[derive(Debug)]
pub(super) struct Decoder {
    decoder: Option<opus::Decoder>,
    rate: Rate,
}

impl Decoder {
    pub(super) fn new(rate: Rate) -> Self {
        Self { decoder: opus::Decoder::new(rate.hz(), Channels::Mono).ok(), rate }
    }

    /// Decodes a packet; how many samples, none of one that is no Opus packet or does not fit.
    pub(super) fn decode(&mut self, payload: &[u8], samples: &mut [i16]) -> usize {
        if payload.is_empty() {
            return 0;
        }
        let decoded = self.decoder.as_mut().map(|decoder| decoder.decode(payload, samples, false));
        decoded.and_then(Result::ok).unwrap_or(0)
    }

    /// Fills a gap, with what the packet that follows it tells of it.
    pub(super) fn recover(&mut self, following: &[u8], samples: &mut [i16]) {
        self.fill(following, samples);
    }

    /// Fills a gap with nothing to go by.
    pub(super) fn conceal(&mut self, samples: &mut [i16]) {
        self.fill(&[], samples);
    }

    fn fill(&mut self, following: &[u8], samples: &mut [i16]) {
        // Gaps come in steps of 2.5 ms; an odd rest is silence.
        let step = (self.rate.hz() / 400) as usize;
        let whole = samples.len() / step * step;
        let (gap, rest) = samples.split_at_mut(whole);
        let is_told = !following.is_empty();
        let filled = self.decoder.as_mut().map(|decoder| decoder.decode(following, gap, is_told));
        let filled = filled.and_then(Result::ok).unwrap_or(0);
        gap.iter_mut().skip(filled).for_each(|sample| *sample = 0);
        rest.fill(0);
    }
}
