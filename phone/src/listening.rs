//! From packets to an ear: decoded in the order of their sequence numbers, put in time by their timestamps.
//!
//! A codec that remembers what came before is decoded in order, so its packets wait for those that are missing before
//! them, as long as so few wait; G.711 is decoded as it comes.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use rtp::header::Header;
use rtp::packet::Packet;

use crate::codec::{Codec, Decoder};
use crate::ear::{Ear, Heard};

/// Packets that wait for one that is missing: 160 ms.
const MAX_WAITING: usize = 8;

/// Decoders and the ear behind them.
#[derive(Debug)]
pub(crate) struct Listening {
    ear: Ear,
    source: Option<Source>,
}

/// What is decoded now.
#[derive(Debug)]
struct Source {
    ssrc: u32,
    decoder: Decoder,
    /// The sequence number that is to be decoded next.
    next: u16,
    waiting: VecDeque<Waiting>,
    /// A timestamp of its clock, and the place at 8 kHz that it stands for.
    place: (u32, u32),
}

#[derive(Debug)]
struct Waiting {
    sequence: u16,
    timestamp: u32,
    at: Duration,
    /// None of a telephone-event, which takes a sequence number.
    payload: Option<Bytes>,
}

impl Listening {
    pub(crate) fn new(listen_for: &[u16]) -> Self {
        Self { ear: Ear::new(listen_for), source: None }
    }

    /// Takes a packet of audio.
    pub(crate) fn hear(&mut self, now: Duration, codec: Codec, packet: &Packet) {
        let header = &packet.header;
        let is_same = |source: &Source| source.ssrc == header.ssrc && source.decoder.codec() == codec;
        if !self.source.as_ref().is_some_and(is_same) {
            self.flush();
            self.source = Some(Source::new(codec, header));
        }
        let Some(source) = &mut self.source else { return };
        if codec.is_memoryless() {
            let samples = source.decoder.decode(&packet.payload);
            return self.ear.hear(now, header.ssrc, header.timestamp, &samples);
        }
        source.wait(Waiting {
            sequence: header.sequence_number,
            timestamp: header.timestamp,
            at: now,
            payload: Some(packet.payload.clone()),
        });
        source.decode(&mut self.ear, MAX_WAITING);
    }

    /// A packet of something else in the same stream.
    pub(crate) fn pass(&mut self, header: &Header) {
        let Some(source) = self.source.as_mut().filter(|source| source.ssrc == header.ssrc) else { return };
        if !source.decoder.codec().is_memoryless() {
            let (sequence, timestamp) = (header.sequence_number, header.timestamp);
            source.wait(Waiting { sequence, timestamp, at: Duration::ZERO, payload: None });
            source.decode(&mut self.ear, MAX_WAITING);
        }
    }

    /// What was heard so far, without what is not decoded yet.
    pub(crate) const fn heard(&self) -> &Heard {
        self.ear.heard()
    }

    /// What was heard, all of it.
    pub(crate) fn into_heard(mut self) -> Heard {
        self.flush();
        self.ear.into_heard()
    }

    fn flush(&mut self) {
        if let Some(source) = &mut self.source {
            source.decode(&mut self.ear, 0);
        }
    }
}

impl Source {
    fn new(codec: Codec, header: &Header) -> Self {
        Self {
            ssrc: header.ssrc,
            decoder: Decoder::new(codec),
            next: header.sequence_number,
            waiting: VecDeque::new(),
            place: (header.timestamp, header.timestamp),
        }
    }

    /// In its place among those that wait; too late when the next one is behind it.
    fn wait(&mut self, packet: Waiting) {
        let ahead = |sequence: u16| sequence.wrapping_sub(self.next);
        let distance = ahead(packet.sequence);
        if distance >= 1 << 15 {
            return;
        }
        let place = self.waiting.partition_point(|it| ahead(it.sequence) < distance);
        self.waiting.insert(place, packet);
    }

    /// Decodes what is next, and what is first when too many wait.
    fn decode(&mut self, ear: &mut Ear, most: usize) {
        while self.waiting.front().is_some_and(|first| first.sequence == self.next)
            || self.waiting.len() > most
        {
            let Some(packet) = self.waiting.pop_front() else { return };
            self.next = packet.sequence.wrapping_add(1);
            if let Some(payload) = packet.payload {
                let samples = self.decoder.decode(&payload);
                let place = self.place_of(packet.timestamp);
                ear.hear(packet.at, self.ssrc, place, &samples);
            }
        }
    }

    /// At 8 kHz.
    fn place_of(&mut self, timestamp: u32) -> u32 {
        let ticks = timestamp.wrapping_sub(self.place.0).cast_signed();
        let samples = ticks / self.decoder.codec().ticks_per_sample().cast_signed();
        self.place = (timestamp, self.place.1.wrapping_add_signed(samples));
        self.place.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Encoder;
    use crate::tone::Oscillator;

    /// Packets of every codec, in any order within reach, with one lost: the tone is there, and for as long as it was said.
    #[test]
    fn what_comes_in_another_order_is_heard_in_its_own() {
        for codec in Codec::ALL {
            let mut ears = Listening::new(&[1_000, 1_050]);
            let (mut tone, mut encoder) = (Oscillator::new(1_000), Encoder::new(codec));
            let mut packets: Vec<Packet> = (0..200_u16)
                .map(|n| {
                    let samples: Vec<i16> = std::iter::repeat_with(|| tone.next_sample()).take(160).collect();
                    let payload = encoder.encode(&samples);
                    let timestamp =
                        (u32::MAX - 9_000).wrapping_add(u32::from(n) * 160 * codec.ticks_per_sample());
                    let sequence_number = (u16::MAX - 20).wrapping_add(n);
                    Packet { header: Header { sequence_number, timestamp, ..Header::default() }, payload }
                })
                .collect();
            packets.remove(77);
            packets.chunks_mut(3).for_each(<[Packet]>::reverse);
            for (n, packet) in (0..).zip(&packets) {
                ears.hear(Duration::from_millis(20) * n, codec, packet);
            }
            let heard = ears.into_heard();
            let share = heard.time_of_tone(1_000).as_millis();
            assert!((3_800..=4_000).contains(&share), "{codec:?}: {share} ms");
            assert_eq!((heard.time_of_tone(1_050), heard.late), (Duration::ZERO, 0), "{codec:?}");
        }
    }
}
