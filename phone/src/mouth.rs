//! What a party says: its tone, and the keys it presses, as telephone-events (RFC 4733) or, when those were not
//! agreed, as dual tones in its audio (ITU-T Q.23).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rtp::header::Header;
use rtp::packet::Packet;
use webrtc_util::marshal::Marshal as _;

use crate::codec::{Codec, Encoder};
use crate::ear::tones_of;
use crate::stream::{Agreement, DIGITS, PTIME_SAMPLES, Sent};
use crate::tone::Oscillator;

/// How long a digit is pressed, and the pause after it, in packets.
const PRESS_PACKETS: u32 = 5;
const PAUSE_PACKETS: u32 = 4;

/// The last packet of an event is sent three times (RFC 4733 §2.5.1.4).
const END_PACKETS: u32 = 3;

/// Digits that may wait to be pressed.
const MAX_PENDING_DIGITS: usize = 128;

#[derive(Debug)]
pub(crate) struct Mouth {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    tone: Oscillator,
    /// What is said before the tone, and how much of it was.
    says: Option<Arc<[i16]>>,
    said: usize,
    /// When the next packet is due.
    pub(crate) next_at: Option<Duration>,
    first: bool,
    keys: VecDeque<char>,
    key: Key,
    /// Of the codec that was spoken last.
    encoder: Encoder,
    sent: Sent,
    octets: u32,
}

/// The key being pressed, if any.
#[derive(Debug)]
enum Key {
    None,
    Down { code: u8, start: u32, packet: u32 },
    Sounding { low: Oscillator, high: Oscillator, packets: u32 },
    Pause { packets: u32 },
}

impl Mouth {
    /// Says that, then speaks with the voice `hz`; `low_sequence` begins in the lower half of the sequence numbers.
    pub(crate) fn new(rng: &mut ChaCha8Rng, hz: u16, says: Option<Arc<[i16]>>, low_sequence: bool) -> Self {
        let (ssrc, sequence, timestamp): (u32, u16, u32) = (rng.random(), rng.random(), rng.random());
        Self {
            ssrc,
            sequence: if low_sequence { sequence >> 1 } else { sequence },
            timestamp,
            tone: Oscillator::new(hz),
            says,
            said: 0,
            next_at: None,
            first: true,
            keys: VecDeque::new(),
            key: Key::None,
            encoder: Encoder::new(Codec::Pcmu),
            sent: Sent::default(),
            octets: 0,
        }
    }

    /// Presses keys one after the other; returns how many were taken.
    pub(crate) fn press(&mut self, digits: &str) -> usize {
        let room = MAX_PENDING_DIGITS - self.keys.len();
        let before = self.keys.len();
        self.keys.extend(digits.chars().filter(|digit| DIGITS.contains(*digit)).take(room));
        self.keys.len() - before
    }

    pub(crate) const fn sent(&self) -> &Sent {
        &self.sent
    }

    /// Octets of payload that left.
    pub(crate) const fn octets(&self) -> u32 {
        self.octets
    }

    pub(crate) const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    pub(crate) const fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// The next 20 ms; none while we do not send.
    pub(crate) fn speak(&mut self, agreement: &Agreement) -> Option<Vec<u8>> {
        self.take_key(agreement);
        if self.encoder.codec() != agreement.codec {
            self.encoder = Encoder::new(agreement.codec);
        }
        let timestamp = self.timestamp;
        let packet = match &mut self.key {
            Key::Down { .. } => self.event_packet(agreement),
            Key::Sounding { low, high, .. } => {
                let samples = std::iter::repeat_with(|| low.next_sample() / 2 + high.next_sample() / 2);
                let payload = encode(&mut self.encoder, samples);
                self.audio_packet(agreement, payload)
            }
            Key::None | Key::Pause { .. } => {
                let said = self.says.as_deref().and_then(|says| says.get(self.said..)).unwrap_or_default();
                self.said += said.len().min(PTIME_SAMPLES as usize);
                let tone = std::iter::repeat_with(|| self.tone.next_sample());
                let payload = encode(&mut self.encoder, said.iter().copied().chain(tone));
                self.audio_packet(agreement, payload)
            }
        };
        self.timestamp = timestamp.wrapping_add(PTIME_SAMPLES * agreement.codec.ticks_per_sample());
        if !agreement.direction.sends() {
            self.first = true;
            return None;
        }
        self.first = false;
        self.sequence = self.sequence.wrapping_add(1);
        self.sent.packets += 1;
        self.octets = self.octets.wrapping_add(u32::try_from(packet.payload.len()).unwrap_or(0));
        packet.marshal().ok().map(|bytes| bytes.to_vec())
    }

    fn take_key(&mut self, agreement: &Agreement) {
        match &mut self.key {
            Key::Pause { packets } | Key::Sounding { packets, .. } if *packets > 0 => *packets -= 1,
            Key::Sounding { .. } => self.key = Key::Pause { packets: PAUSE_PACKETS },
            Key::None | Key::Pause { .. } => {
                let digit = if agreement.direction.sends() { self.keys.pop_front() } else { None };
                self.key = digit.map_or(Key::None, |digit| {
                    self.sent.digits += 1;
                    self.press_one(digit, agreement.event_payload_type.is_some())
                });
            }
            Key::Down { .. } => {}
        }
    }

    fn press_one(&self, digit: char, as_event: bool) -> Key {
        if as_event {
            let code = DIGITS.find(digit).and_then(|code| u8::try_from(code).ok());
            return code.map_or(Key::None, |code| Key::Down { code, start: self.timestamp, packet: 0 });
        }
        tones_of(digit).map_or(Key::None, |(low, high)| Key::Sounding {
            low: Oscillator::new(low),
            high: Oscillator::new(high),
            packets: PRESS_PACKETS - 1,
        })
    }

    fn header(&self, payload_type: u8, marker: bool, timestamp: u32) -> Header {
        Header {
            version: 2,
            marker,
            payload_type,
            sequence_number: self.sequence,
            timestamp,
            ssrc: self.ssrc,
            ..Header::default()
        }
    }

    fn audio_packet(&self, agreement: &Agreement, payload: Bytes) -> Packet {
        Packet { header: self.header(agreement.payload_type, self.first, self.timestamp), payload }
    }

    /// RFC 4733 §2.3: event, end bit, volume, duration so far; the marker on the first, the end thrice.
    fn event_packet(&mut self, agreement: &Agreement) -> Packet {
        let (Key::Down { code, start, packet }, Some(payload_type)) =
            (&self.key, agreement.event_payload_type)
        else {
            return Packet::default();
        };
        let (code, start, packet) = (*code, *start, *packet);
        let progress = (packet + 1).min(PRESS_PACKETS);
        let duration = progress * PTIME_SAMPLES * agreement.codec.ticks_per_sample();
        let duration = u16::try_from(duration).unwrap_or(u16::MAX);
        let end = packet + 1 >= PRESS_PACKETS;
        let [high, low] = duration.to_be_bytes();
        let payload = vec![code, if end { 0x80 } else { 0 } | 10, high, low];
        self.key = if packet + 2 > PRESS_PACKETS + END_PACKETS - 1 {
            Key::Pause { packets: PAUSE_PACKETS }
        } else {
            Key::Down { code, start, packet: packet + 1 }
        };
        Packet { header: self.header(payload_type, packet == 0, start), payload: Bytes::from(payload) }
    }
}

fn encode(encoder: &mut Encoder, samples: impl Iterator<Item = i16>) -> Bytes {
    let samples: Vec<i16> = samples.take(PTIME_SAMPLES as usize).collect();
    encoder.encode(&samples)
}
