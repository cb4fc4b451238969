//! What is to be heard in an RTP stream of a capture: decoded where its packets belong in time, with its keys.
//!
//! Streams under SRTP are not decoded: only the worker has their keys.

use std::io;
use std::path::Path;

use tandem_media::codec::g711::Law;
use tandem_media::quality::Impairment;
use tandem_media::reception::Reception;
use tandem_media::telephone_event::{EventBlock, Press, PressDetector};
use tandem_media::{quality, rtp};
use tandem_time::Instant;

/// Samples a second.
const RATE_HZ: u32 = 8_000;
/// Samples kept of a stream: an hour's. What comes later is counted, not heard.
const MAX_SAMPLES: usize = 3_600 * RATE_HZ as usize;
/// A step of timestamps up to this is what got lost, or was not sent; beyond it they began anew.
const MAX_STEP: u32 = 60 * RATE_HZ;
/// How far back a packet may belong that comes late.
const MAX_LATE: u32 = 2 * RATE_HZ;
/// A packet of G.711 has whole pieces of 5 ms; one with a tag behind it has not.
const PIECE: usize = 40;
/// A stretch is silent when its mean square is below −50 dBm0.
const STRETCH: usize = 160;
const SILENCE: f64 = 2_500.0;

/// One RTP stream.
#[derive(Debug)]
pub(super) struct StreamWatch {
    pub(super) payload_type: u8,
    pub(super) packets: u64,
    pub(super) reception: Reception,
    samples: Vec<i16>,
    /// The source, and the timestamp of the sample that would come next.
    next: Option<(u32, u32)>,
    presses: PressDetector,
    keys: u32,
}

impl StreamWatch {
    /// A stream whose first packet has that payload type.
    pub(super) fn new(payload_type: u8) -> Self {
        Self {
            payload_type,
            packets: 0,
            reception: Reception::default(),
            samples: Vec::new(),
            next: None,
            presses: PressDetector::default(),
            keys: 0,
        }
    }

    /// Takes a packet.
    pub(super) fn take(&mut self, now: Instant, header: &rtp::Header, packet: &[u8]) {
        self.packets += 1;
        // Packets of an event all carry the time of its start (RFC 4733 §2.2): no measure of jitter.
        self.reception.receive(now, header, header.payload_type == self.payload_type);
        let payload = packet.get(header.payload()).unwrap_or_default();
        match (header.payload_type, payload.len()) {
            (0, len) if len.is_multiple_of(PIECE) => self.hear(header, Law::Pcmu, payload),
            (8, len) if len.is_multiple_of(PIECE) => self.hear(header, Law::Pcma, payload),
            (96..=127, 4) => {
                let press = EventBlock::parse(payload).map(|block| self.presses.receive(now, header, block));
                self.keys += u32::from(press == Some(Press::Started));
            }
            _ => {}
        }
    }

    fn hear(&mut self, header: &rtp::Header, law: Law, payload: &[u8]) {
        let (ssrc, next) = self.next.unwrap_or((header.ssrc, header.timestamp));
        let step = header.timestamp.wrapping_sub(next);
        let is_same = ssrc == header.ssrc;
        let at = if is_same && step <= MAX_STEP {
            self.samples.len().saturating_add(step as usize)
        } else if is_same && step.wrapping_neg() <= MAX_LATE {
            self.samples.len().saturating_sub(step.wrapping_neg() as usize)
        } else {
            self.samples.len()
        };
        let end = at.saturating_add(payload.len());
        if end > MAX_SAMPLES {
            return;
        }
        if end > self.samples.len() {
            self.samples.resize(end, 0);
            self.next = Some((header.ssrc, header.timestamp.wrapping_add(payload.len() as u32)));
        }
        for (sample, character) in self.samples.iter_mut().skip(at).zip(payload) {
            *sample = law.decode(*character);
        }
    }

    /// How good it sounds, by loss, its bursts, and jitter (ITU-T G.107); none without a packet.
    pub(super) fn mos(&self) -> Option<f32> {
        quality::of_reception(&self.reception, Impairment::G711)
    }

    /// Keys pressed in it as telephone-events.
    pub(super) const fn keys(&self) -> u32 {
        self.keys
    }

    /// How long it is to be heard, in milliseconds; 0 when it was not decoded.
    pub(super) const fn heard_ms(&self) -> u64 {
        self.samples.len() as u64 * 1_000 / RATE_HZ as u64
    }

    /// How much of that is silence, in percent.
    pub(super) fn silent_percent(&self) -> u8 {
        let stretches = self.samples.chunks(STRETCH);
        let all = stretches.len().max(1);
        let silent = stretches.filter(|stretch| {
            let sum: f64 = stretch.iter().map(|it| f64::from(*it) * f64::from(*it)).sum();
            sum < SILENCE * stretch.len() as f64
        });
        (silent.count() * 100 / all) as u8
    }

    /// Writes what is to be heard as WAV: 8 kHz, 16 bits, mono.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn write_wav(&self, path: &Path) -> io::Result<()> {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: RATE_HZ,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(path, spec).map_err(io::Error::other)?;
        for sample in &self.samples {
            writer.write_sample(*sample).map_err(io::Error::other)?;
        }
        writer.finalize().map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(payload_type: u8, ssrc: u8, sequence: u16, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x80, payload_type];
        packet.extend(sequence.to_be_bytes());
        packet.extend(timestamp.to_be_bytes());
        packet.extend([0, 0, 0, ssrc]);
        packet.extend(payload);
        packet
    }

    fn take(watch: &mut StreamWatch, packet: &[u8]) {
        let header = rtp::Header::parse(packet).expect("RTP");
        watch.take(Instant::START, &header, packet);
    }

    #[test]
    fn packets_are_heard_where_they_belong_lost_and_late_ones_too() {
        let loud = [Law::Pcmu.encode(8_000); 160];
        let mut watch = StreamWatch::new(0);
        // The second is late, the fourth is lost, and with the sixth another source begins.
        for (ssrc, number) in [(1, 1), (1, 3), (1, 2), (1, 5), (2, 900)] {
            take(&mut watch, &packet(0, ssrc, number, u32::from(number) * 160, &loud));
        }
        assert_eq!((watch.heard_ms(), watch.silent_percent()), (120, 16));
        assert!(watch.samples[480..640].iter().all(|sample| *sample == 0), "what got lost is silence");
        // RFC 3711: what has a tag behind it is not G.711.
        take(&mut watch, &packet(0, 2, 901, 901 * 160, &[7; 170]));
        assert_eq!(watch.heard_ms(), 120);
    }

    #[test]
    fn a_key_is_counted_once() {
        let mut watch = StreamWatch::new(0);
        for (sequence, end) in [(1, 0), (2, 0), (3, 0x80), (4, 0x80), (5, 0x80)] {
            take(&mut watch, &packet(101, 1, sequence, 77, &[5, end | 10, 0, sequence as u8]));
        }
        assert_eq!((watch.keys(), watch.heard_ms()), (1, 0));
    }

    #[test]
    fn an_hour_is_kept_and_no_more() {
        let mut watch = StreamWatch::new(8);
        let piece = [0xd5; 40];
        for number in 0..62u32 {
            take(&mut watch, &packet(8, 1, number as u16, number * MAX_STEP, &piece));
        }
        let kept = watch.samples.len();
        assert!(kept <= MAX_SAMPLES && kept > MAX_SAMPLES - MAX_STEP as usize, "{kept}");
    }
}
