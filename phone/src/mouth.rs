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
use crate::manner::{Manner, Srtp};
use crate::sdp::COMFORT_NOISE;
use crate::stream::{Agreement, DIGITS, Sent};
use crate::tone::{Oscillator, RATE_HZ};

/// Samples between two packets of a telephone-event: 20 ms.
const EVENT_SAMPLES: u32 = 160;

/// How long a digit is pressed, and the pause after it, in so many.
const PRESS_PACKETS: u32 = 5;
const PAUSE_PACKETS: u32 = 4;

/// The last packet of an event is sent three times (RFC 4733 §2.5.1.4).
const END_PACKETS: u32 = 3;

/// The noise of a pause, in −dBov, and how often it is told, in samples.
const NOISE_LEVEL: u8 = 60;
const NOISE_EVERY: u32 = 1_600;

/// Digits that may wait to be pressed.
const MAX_PENDING_DIGITS: usize = 128;

#[derive(Debug)]
pub(crate) struct Mouth {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    /// Samples of a packet of speech.
    samples: u32,
    tone: Oscillator,
    /// What is said before the tone, and how much of it was.
    says: Option<Arc<[i16]>>,
    said: usize,
    pauses: Option<Pauses>,
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

/// When it says nothing.
#[derive(Debug)]
struct Pauses {
    speaks: u32,
    pauses: u32,
    passed: u32,
}

impl Pauses {
    fn new((speaks, pauses): (Duration, Duration)) -> Self {
        let samples = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(0) * (RATE_HZ / 1_000);
        Self { speaks: samples(speaks), pauses: samples(pauses), passed: 0 }
    }

    fn pass(&mut self, samples: u32) -> Option<u32> {
        let at = self.passed;
        self.passed = (at + samples) % (self.speaks + self.pauses).max(1);
        at.checked_sub(self.speaks)
    }
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
    /// Speaks as that manner has it; under SRTP it begins in the lower half of the sequence numbers.
    pub(crate) fn new(rng: &mut ChaCha8Rng, manner: &Manner) -> Self {
        let (ssrc, sequence, timestamp): (u32, u16, u32) = (rng.random(), rng.random(), rng.random());
        Self {
            ssrc,
            // Both sides could count rollovers differently when first packets are lost (RFC 4568 §6.4).
            sequence: if manner.srtp == Srtp::Off { sequence } else { sequence >> 1 },
            timestamp,
            samples: u32::try_from(manner.ptime.as_millis()).unwrap_or(20) * (RATE_HZ / 1_000),
            tone: Oscillator::new(manner.hz),
            says: manner.says.clone(),
            pauses: manner.pauses.map(Pauses::new),
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

    /// What comes next and how long that takes; no packet while we do not send.
    pub(crate) fn speak(&mut self, agreement: &Agreement) -> (Option<Vec<u8>>, Duration) {
        self.take_key(agreement);
        if self.encoder.codec() != agreement.codec {
            self.encoder = Encoder::new(agreement.codec);
        }
        let (timestamp, samples) = (self.timestamp, self.next_samples(agreement.codec));
        let pause = self.pause_now(samples);
        let packet = match &mut self.key {
            Key::None | Key::Pause { .. } if pause.is_some() && agreement.comfort_noise => {
                self.timestamp = timestamp.wrapping_add(samples);
                return (self.describe_pause(agreement, timestamp, pause), time_of(samples));
            }
            Key::None | Key::Pause { .. } if pause.is_some() => {
                let payload = encode(&mut self.encoder, samples, std::iter::repeat(0));
                self.audio_packet(agreement, payload)
            }
            Key::Down { .. } => self.event_packet(agreement),
            Key::Sounding { low, high, .. } => {
                let tones = std::iter::repeat_with(|| low.next_sample() / 2 + high.next_sample() / 2);
                let payload = encode(&mut self.encoder, samples, tones);
                self.audio_packet(agreement, payload)
            }
            Key::None | Key::Pause { .. } => {
                let said = self.says.as_deref().and_then(|says| says.get(self.said..)).unwrap_or_default();
                self.said += said.len().min(samples as usize);
                let tone = std::iter::repeat_with(|| self.tone.next_sample());
                let payload = encode(&mut self.encoder, samples, said.iter().copied().chain(tone));
                self.audio_packet(agreement, payload)
            }
        };
        self.timestamp = timestamp.wrapping_add(samples * agreement.codec.ticks_per_sample());
        let time = time_of(samples);
        if !agreement.direction.sends() {
            self.first = true;
            return (None, time);
        }
        self.first = false;
        (self.send(&packet), time)
    }

    fn send(&mut self, packet: &Packet) -> Option<Vec<u8>> {
        self.sequence = self.sequence.wrapping_add(1);
        self.sent.packets += 1;
        self.octets = self.octets.wrapping_add(u32::try_from(packet.payload.len()).unwrap_or(0));
        packet.marshal().ok().map(|bytes| bytes.to_vec())
    }

    /// How far a pause is that so many samples belong to, if they do.
    fn pause_now(&mut self, samples: u32) -> Option<u32> {
        let is_talking = matches!(self.key, Key::None | Key::Pause { .. });
        self.pauses.as_mut().filter(|_| is_talking)?.pass(samples)
    }

    /// RFC 3389 §3.1: the level of the noise, told as the pause begins and now and then; what follows it bears the marker.
    fn describe_pause(&mut self, agreement: &Agreement, at: u32, passed: Option<u32>) -> Option<Vec<u8>> {
        self.first = true;
        let is_due = passed? % NOISE_EVERY < self.samples;
        if !is_due || !agreement.direction.sends() {
            return None;
        }
        let payload = Bytes::from_static(&[NOISE_LEVEL]);
        let packet = Packet { header: self.header(COMFORT_NOISE, false, at), payload };
        self.send(&packet)
    }

    /// Of the packet that comes next.
    const fn next_samples(&self, codec: Codec) -> u32 {
        if matches!(self.key, Key::Down { .. }) { EVENT_SAMPLES } else { codec.fit(self.samples) }
    }

    /// The pause after a key, in packets of speech.
    fn pause(&self) -> u32 {
        (PAUSE_PACKETS * EVENT_SAMPLES / self.samples).max(1)
    }

    fn take_key(&mut self, agreement: &Agreement) {
        match &mut self.key {
            Key::Pause { packets } | Key::Sounding { packets, .. } if *packets > 0 => *packets -= 1,
            Key::Sounding { .. } => self.key = Key::Pause { packets: self.pause() },
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
            packets: (PRESS_PACKETS * EVENT_SAMPLES).div_ceil(self.samples) - 1,
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
        let duration = progress * EVENT_SAMPLES * agreement.codec.ticks_per_sample();
        let duration = u16::try_from(duration).unwrap_or(u16::MAX);
        let end = packet + 1 >= PRESS_PACKETS;
        let [high, low] = duration.to_be_bytes();
        let payload = vec![code, if end { 0x80 } else { 0 } | 10, high, low];
        self.key = if packet + 2 > PRESS_PACKETS + END_PACKETS - 1 {
            Key::Pause { packets: self.pause() }
        } else {
            Key::Down { code, start, packet: packet + 1 }
        };
        Packet { header: self.header(payload_type, packet == 0, start), payload: Bytes::from(payload) }
    }
}

fn time_of(samples: u32) -> Duration {
    Duration::from_micros(u64::from(samples) * 125)
}

fn encode(encoder: &mut Encoder, count: u32, samples: impl Iterator<Item = i16>) -> Bytes {
    let samples: Vec<i16> = samples.take(count as usize).collect();
    encoder.encode(&samples)
}
