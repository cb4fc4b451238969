//! One RTP stream each way under load: each packet that leaves says whose it is, which one and when it left, and all
//! that comes is checked, octet by octet where nobody may have changed it, by its tones where it went through codecs.
//! Patterns and prompts are of G.711.
//!
//! Owner thread: whoever made it. Times are nanoseconds of one clock at both ends, whichever.

mod histogram;
mod order;
pub mod pattern;

use std::time::Duration;

use rtp::header::Header;
use webrtc_util::marshal::{Marshal as _, MarshalSize as _, Unmarshal as _};

use self::order::{Order, Place};
use crate::agreed::Agreed;
use crate::codec::{Codec, Decoder, Encoder};
use crate::goertzel::Bank;
use crate::secure::Protection;
use crate::tone::Oscillator;

pub use self::histogram::Histogram;

/// The audio of a packet.
pub const PTIME: Duration = Duration::from_millis(20);
/// Samples in it, at 8 kHz: octets of G.711, too.
pub const FRAME: usize = 160;
/// Quieter is silence: the mean square of what a packet must be louder than.
const SILENCE: f32 = 100.0;
/// A tone is there that holds so much of a packet's energy …
const PRESENT: f32 = 0.15;
/// … and not there when it holds no more than this.
const ABSENT: f32 = 0.10;

/// What a stream says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// Nothing at all: no packet leaves.
    Nothing,
    /// The pattern of a stream.
    Pattern,
    /// A tone, a multiple of 50 Hz.
    Tone(u16),
}

/// What a stream must hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hears {
    /// The pattern of this stream, unchanged.
    Pattern(u32),
    /// The prompt of [`pattern::prompt`], unchanged, from its beginning to its end and again.
    Prompt,
    /// These tones, and none of those.
    Tones {
        /// In every packet.
        present: Vec<u16>,
        /// In none.
        absent: Vec<u16>,
    },
    /// Anything but silence.
    Sound,
}

/// What went out and came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets that left.
    pub sent: u64,
    /// Packets that came, duplicates too.
    pub received: u64,
    /// Sequence numbers that never came, between the first that came and the last.
    pub lost: u64,
    /// Sequence numbers that came again.
    pub duplicates: u64,
    /// Packets that came after a later one.
    pub reordered: u64,
    /// Sequence numbers, timestamps and sources that do not follow from the packet before.
    pub wrong_headers: u64,
    /// Packets in which something else was heard.
    pub wrong_content: u64,
    /// No RTP of what was agreed on, or not authentic.
    pub unusable: u64,
}

impl Counts {
    /// These and those.
    pub fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.received += other.received;
        self.lost += other.lost;
        self.duplicates += other.duplicates;
        self.reordered += other.reordered;
        self.wrong_headers += other.wrong_headers;
        self.wrong_content += other.wrong_content;
        self.unusable += other.unusable;
    }

    /// Packets with which something is the matter.
    #[must_use]
    pub const fn wrong(&self) -> u64 {
        self.lost + self.duplicates + self.reordered + self.wrong_headers + self.wrong_content + self.unusable
    }

    /// What came since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self {
            sent: self.sent - before.sent,
            received: self.received - before.received,
            // A packet that was late is lost no more.
            lost: self.lost.saturating_sub(before.lost),
            duplicates: self.duplicates - before.duplicates,
            reordered: self.reordered - before.reordered,
            wrong_headers: self.wrong_headers - before.wrong_headers,
            wrong_content: self.wrong_content - before.wrong_content,
            unusable: self.unusable - before.unusable,
        }
    }
}

/// A stream.
#[derive(Debug)]
pub struct MeasuredStream {
    id: u32,
    agreed: Agreed,
    protection: Option<Protection>,
    says: Says,
    hears: Hears,
    voice: Voice,
    decoder: Decoder,
    /// Timestamp units of a packet.
    ticks: u32,
    bank: Bank,
    header: Header,
    order: Order,
    last: Option<Last>,
    /// The earliest that a packet of sequence number 0 would have come: what later ones are measured against.
    pace_ns: Option<i128>,
    /// Whether everybody is there who is to be heard.
    is_settled: bool,
    counts: Counts,
}

/// What the packets that leave are made of.
#[derive(Debug)]
enum Voice {
    /// The same in each, or a pattern.
    Frame([u8; FRAME]),
    /// A tone that each packet goes on with, coded by what came before it.
    Coded { oscillator: Oscillator, encoder: Encoder },
}

/// The packet with the highest sequence number so far.
#[derive(Clone, Copy, Debug)]
struct Last {
    ssrc: u32,
    sequence: u32,
    timestamp: u32,
    /// The number in its content, where that has one.
    number: Option<u32>,
}

impl MeasuredStream {
    /// Stream `id`; none when its keys are of no use. `random` gives the SSRC and the first numbers.
    #[must_use]
    pub fn new(id: u32, agreed: Agreed, says: Says, hears: Hears, random: u64) -> Option<Self> {
        let protection = match &agreed.keys {
            Some(keys) => Some(keys.protection()?),
            None => None,
        };
        let codec = agreed.codec;
        let voice = match says {
            Says::Tone(hz) if codec.is_memoryless() => Voice::Frame(tone(codec, hz)),
            Says::Tone(hz) => Voice::Coded { oscillator: Oscillator::new(hz), encoder: Encoder::new(codec) },
            Says::Nothing | Says::Pattern => Voice::Frame([0; FRAME]),
        };
        let bank = match &hears {
            Hears::Tones { present, absent } => Bank::new(&[present.as_slice(), absent].concat()),
            Hears::Pattern(_) | Hears::Prompt | Hears::Sound => Bank::new(&[]),
        };
        let header = Header {
            version: 2,
            marker: true,
            payload_type: agreed.payload_type,
            // Its rollover is counted alike on both sides even when first packets are lost (RFC 4568 §6.4).
            sequence_number: random as u16 >> 1,
            timestamp: (random >> 16) as u32,
            ssrc: (random >> 32) as u32,
            ..Header::default()
        };
        let (order, counts) = (Order::default(), Counts::default());
        let (decoder, ticks) = (Decoder::new(codec), FRAME as u32 * codec.ticks_per_sample());
        Some(Self {
            id,
            agreed,
            protection,
            says,
            hears,
            voice,
            decoder,
            ticks,
            bank,
            header,
            order,
            last: None,
            pace_ns: None,
            is_settled: false,
            counts,
        })
    }

    /// Where it goes, and between which addresses.
    #[must_use]
    pub const fn agreed(&self) -> &Agreed {
        &self.agreed
    }

    /// So far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts { lost: self.order.lost(), ..self.counts }
    }

    /// Whether everybody is there who is to be heard, so that whoever is not is missed; at first nobody is.
    pub const fn settle(&mut self, is_settled: bool) {
        self.is_settled = is_settled;
    }

    /// Writes the next packet into `packet`; false when it says nothing.
    pub fn speak(&mut self, now_ns: u64, packet: &mut Vec<u8>) -> bool {
        if self.says == Says::Nothing {
            return false;
        }
        packet.clear();
        packet.resize(self.header.marshal_size(), 0);
        if self.header.marshal_to(packet).is_err() {
            return false;
        }
        match &mut self.voice {
            Voice::Frame(frame) => {
                if self.says == Says::Pattern {
                    pattern::fill(frame, self.id, self.counts.sent as u32, now_ns);
                }
                packet.extend_from_slice(frame);
            }
            Voice::Coded { oscillator, encoder } => {
                let samples: [i16; FRAME] = std::array::from_fn(|_| oscillator.next_sample());
                packet.extend_from_slice(&encoder.encode(&samples));
            }
        }
        if let Some(protection) = &mut self.protection {
            let Some(protected) = protection.protect(packet) else { return false };
            *packet = protected;
        }
        self.header.marker = false;
        self.header.sequence_number = self.header.sequence_number.wrapping_add(1);
        self.header.timestamp = self.header.timestamp.wrapping_add(self.ticks);
        self.counts.sent += 1;
        true
    }

    /// Takes a packet that came at `at_ns`; how long it took: since it left where that stands in it, else how much
    /// later than the packets before it came.
    pub fn hear(&mut self, at_ns: u64, packet: &[u8]) -> Option<Duration> {
        let clear;
        let mut rest = match &mut self.protection {
            None => packet,
            Some(protection) => {
                clear = protection.unprotect(packet);
                clear.as_deref().unwrap_or_default()
            }
        };
        let header = Header::unmarshal(&mut rest).ok().filter(|header| {
            let is_whole = rest.len() == FRAME || !rest.is_empty() && self.agreed.codec == Codec::Opus;
            header.version == 2 && header.payload_type == self.agreed.payload_type && is_whole
        });
        let Some(header) = header else {
            self.counts.unusable += 1;
            return None;
        };
        self.counts.received += 1;
        let (place, sequence) = self.order.place(header.sequence_number);
        match place {
            Place::Duplicate => {
                self.counts.duplicates += 1;
                return None;
            }
            Place::Late => self.counts.reordered += 1,
            Place::Leap => {
                self.counts.wrong_headers += 1;
                (self.last, self.pace_ns) = (None, None);
            }
            Place::Next => {}
        }
        let frame = rest;
        // What is coded by what came before it cannot be judged when that has not.
        let (number, sent_ns) = match place {
            Place::Late if !self.agreed.codec.is_memoryless() => (None, None),
            _ => self.check_content(frame),
        };
        if place != Place::Late {
            self.follow(&header, sequence, number);
        }
        match sent_ns {
            Some(sent_ns) => Some(Duration::from_nanos(at_ns.saturating_sub(sent_ns))),
            None => self.lateness(at_ns, sequence),
        }
    }

    /// What is in it, where it says so: its number, and when it left.
    fn check_content(&mut self, frame: &[u8]) -> (Option<u32>, Option<u64>) {
        let is_settled = self.is_settled;
        let (is_right, number, sent_ns) = match &self.hears {
            Hears::Pattern(from) => match pattern::read(frame) {
                Some(stamp) => (stamp.stream == *from, Some(stamp.number), Some(stamp.at_ns)),
                None => (false, None, None),
            },
            Hears::Prompt => {
                let number = pattern::prompt_frame_in(frame);
                (number.is_some(), number, None)
            }
            Hears::Sound => {
                let (_, energy) = samples(&mut self.decoder, frame);
                (!is_settled || energy > SILENCE * FRAME as f32, None, None)
            }
            Hears::Tones { present, .. } => {
                let (samples, energy) = samples(&mut self.decoder, frame);
                let shares = self.bank.shares(&samples, energy);
                let (theirs, others) = shares.split_at(present.len().min(shares.len()));
                let is_right = theirs.iter().all(|it| *it > PRESENT) && others.iter().all(|it| *it <= ABSENT);
                (!is_settled || is_right, None, None)
            }
        };
        self.counts.wrong_content += u64::from(!is_right);
        (number, sent_ns)
    }

    /// Whether it follows from the one before (RFC 3550 §5.1): a packet with the marker may begin anew in time.
    fn follow(&mut self, header: &Header, sequence: u32, number: Option<u32>) {
        let last = Last { ssrc: header.ssrc, sequence, timestamp: header.timestamp, number };
        let Some(before) = self.last.replace(last) else { return };
        let steps = sequence.wrapping_sub(before.sequence);
        let in_time = header.marker
            || header.timestamp == before.timestamp.wrapping_add(steps.wrapping_mul(self.ticks));
        let in_number = match (&self.hears, before.number, number) {
            (Hears::Prompt, Some(before), Some(number)) => {
                header.marker || (before + steps) % pattern::PROMPT_FRAMES == number
            }
            (_, Some(before), Some(number)) => before.wrapping_add(steps) == number,
            _ => true,
        };
        if header.ssrc != before.ssrc || !in_time || !in_number {
            self.counts.wrong_headers += 1;
        }
    }

    fn lateness(&mut self, at_ns: u64, sequence: u32) -> Option<Duration> {
        let due = i128::from(sequence) * PTIME.as_nanos() as i128;
        let began = i128::from(at_ns) - due;
        let earliest = self.pace_ns.map_or(began, |before| before.min(began));
        self.pace_ns = Some(earliest);
        u64::try_from(began - earliest).ok().map(Duration::from_nanos)
    }
}

/// What is heard of a packet, and its energy.
fn samples(decoder: &mut Decoder, frame: &[u8]) -> (Vec<f32>, f32) {
    let samples: Vec<f32> = decoder.decode(frame).into_iter().map(f32::from).collect();
    let energy = samples.iter().map(|sample| sample * sample).sum();
    (samples, energy)
}

/// 20 ms of a multiple of 50 Hz are whole periods: every packet is the same.
fn tone(codec: Codec, hz: u16) -> [u8; FRAME] {
    let mut oscillator = Oscillator::new(hz);
    std::array::from_fn(|_| codec.law().map_or(0, |law| law.encode(oscillator.next_sample())))
}

#[cfg(test)]
mod tests;
