//! Our stream towards one party: one SSRC for its whole life, or as long as its SRTP key, whatever feeds it
//! (RFC 3550 §5.1, §7.1).
//!
//! A player, a bridge, another bridge may follow one another. At each switch the sequence number goes on by one, the
//! timestamp advances by the time that passed, and the first packet bears the marker. In between, a relayed
//! source's gaps, reordering and duplicates stay visible: numbers are offset, never renumbered.

use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use tandem_time::Instant;

use crate::rtp::{Header, Stamp};

/// What feeds the stream.
///
/// ```text
///            generate              relay
/// Switched ──────────► Generated  Switched ──────────► Relayed
/// any ── resynchronise ─► Switched;  Relayed ── source restarted ─► Relayed, anchored anew
/// ```
#[derive(Clone, Copy, Debug)]
enum Feed {
    /// The next packet is the first of its feed.
    Switched,
    /// Our own packets, without a break.
    Generated,
    /// A source's packets, at fixed offsets.
    Relayed(Anchor),
}

/// How a relayed source's numbers become ours.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    /// The source's highest sequence number so far.
    highest: u16,
    /// How far the source went on since the anchor; older packets belong before the switch.
    advanced: u32,
    sequence_offset: u16,
    timestamp_offset: u32,
}

/// The numbers of our stream.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    ssrc: u32,
    next_sequence: u16,
    timestamp: u32,
    /// Ticks of a millisecond.
    clock_khz: u32,
    /// When the latest timestamp was first sent; none before the first packet.
    timestamp_at: Option<Instant>,
    feed: Feed,
    first_sequence: u16,
    /// Sequence numbers gone through under this SSRC: of a relayed source's lost packets, too.
    numbers: u64,
    /// Under this SSRC.
    packets: u64,
    octets: u64,
    /// Under those before.
    packets_before: u64,
}

impl Outgoing {
    /// A stream from random numbers (RFC 3550 §5.1: the initial values should be unpredictable). The sequence number
    /// is below 2^15, so that under SRTP both sides count rollovers alike even when first packets are lost (RFC 4568
    /// §6.4).
    pub(crate) fn new(rng: &mut ChaCha8Rng) -> Self {
        let ssrc = rng.next_u32();
        let sequence = rng.next_u32() as u16 >> 1;
        Self {
            ssrc,
            next_sequence: sequence,
            timestamp: rng.next_u32(),
            clock_khz: 8,
            timestamp_at: None,
            feed: Feed::Switched,
            first_sequence: sequence,
            numbers: 0,
            packets: 0,
            octets: 0,
            packets_before: 0,
        }
    }

    /// Starts anew under another SSRC.
    pub(crate) fn restart(&mut self, rng: &mut ChaCha8Rng) {
        let (packets_before, clock_khz) = (self.packets_in_all(), self.clock_khz);
        *self = Self { packets_before, clock_khz, ..Self::new(rng) };
    }

    /// Timestamps go on by another clock, from where they are.
    pub(crate) const fn set_clock(&mut self, clock_hz: u32) {
        self.clock_khz = clock_hz / 1_000;
    }

    pub(crate) const fn clock_khz(&self) -> u32 {
        self.clock_khz
    }

    pub(crate) const fn packets_in_all(&self) -> u64 {
        self.packets_before + self.packets
    }

    pub(crate) const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    pub(crate) const fn packets(&self) -> u64 {
        self.packets
    }

    pub(crate) const fn octets(&self) -> u64 {
        self.octets
    }

    /// How many numbers a party that missed nothing of the stream has seen, or missed.
    pub(crate) const fn numbers(&self) -> u64 {
        self.numbers
    }

    pub(crate) const fn first_sequence(&self) -> u16 {
        self.first_sequence
    }

    /// When the latest timestamp left; none before the first packet.
    pub(crate) const fn sent_at(&self) -> Option<Instant> {
        self.timestamp_at
    }

    /// The stream changes its feed, or paused: the next packet starts anew.
    pub(crate) const fn resynchronise(&mut self) {
        self.feed = Feed::Switched;
    }

    /// The timestamp that a packet sampled at `now` would bear.
    pub(crate) fn timestamp_at(&self, now: Instant) -> u32 {
        let elapsed = self.timestamp_at.map_or(0, |at| ticks(now - at, self.clock_khz));
        self.timestamp.wrapping_add(elapsed as u32)
    }

    /// Counts a packet that is sent for sure.
    #[inline]
    pub(crate) const fn sent(&mut self, payload_octets: usize) {
        self.packets += 1;
        self.octets += payload_octets as u64;
    }

    /// The numbers of our own next packet of `ticks` samples, due at `at`.
    pub(crate) fn generate(&mut self, at: Instant, ticks: u32, payload_type: u8) -> Stamp {
        let marker = !matches!(self.feed, Feed::Generated);
        let timestamp = match self.timestamp_at {
            None => self.timestamp,
            Some(_) if marker => self.switched_timestamp(at, ticks),
            Some(_) => self.timestamp.wrapping_add(ticks),
        };
        self.feed = Feed::Generated;
        let sequence = self.next_sequence;
        self.advance(at, sequence, timestamp);
        Stamp { marker, payload_type, sequence, timestamp, ssrc: self.ssrc }
    }

    /// The numbers of the first packet of an event that begins now; those of the next bear the same timestamp.
    pub(crate) fn begin_event(&mut self, now: Instant, ticks: u32, payload_type: u8) -> Stamp {
        self.resynchronise();
        self.generate(now, ticks, payload_type)
    }

    /// The numbers of one more packet of it.
    pub(crate) const fn go_on_with_event(&mut self, payload_type: u8) -> Stamp {
        let sequence = self.next_sequence;
        self.next_sequence = sequence.wrapping_add(1);
        self.numbers += 1;
        Stamp { marker: false, payload_type, sequence, timestamp: self.timestamp, ssrc: self.ssrc }
    }

    /// The numbers of a relayed packet; none when it belongs before the latest switch. `restarted` says that the
    /// source's numbers have nothing to do with those before.
    #[inline]
    pub(crate) fn relay(
        &mut self,
        now: Instant,
        source: &Header,
        restarted: bool,
        ticks: u32,
        payload_type: u8,
    ) -> Option<Stamp> {
        let switched = restarted || !matches!(self.feed, Feed::Relayed(_));
        if switched {
            self.feed = Feed::Relayed(self.anchor(now, source, ticks));
        }
        let Feed::Relayed(anchor) = &mut self.feed else { return None };
        let step = source.sequence.wrapping_sub(anchor.highest) as i16;
        if step >= 0 {
            anchor.highest = source.sequence;
            anchor.advanced = anchor.advanced.saturating_add(u32::from(step.unsigned_abs()));
        } else if u32::from(step.unsigned_abs()) > anchor.advanced {
            return None;
        }
        let sequence = source.sequence.wrapping_add(anchor.sequence_offset);
        let timestamp = source.timestamp.wrapping_add(anchor.timestamp_offset);
        if step > 0 || switched {
            self.advance(now, sequence, timestamp);
        }
        Some(Stamp { marker: source.marker || switched, payload_type, sequence, timestamp, ssrc: self.ssrc })
    }

    #[cold]
    fn anchor(&self, now: Instant, source: &Header, ticks: u32) -> Anchor {
        let timestamp = match self.timestamp_at {
            None => self.timestamp,
            Some(_) => self.switched_timestamp(now, ticks),
        };
        Anchor {
            highest: source.sequence,
            advanced: 0,
            sequence_offset: self.next_sequence.wrapping_sub(source.sequence),
            timestamp_offset: timestamp.wrapping_sub(source.timestamp),
        }
    }

    /// The time that passed since the last timestamp, and at least a packet's worth: bursts must not overlap.
    fn switched_timestamp(&self, now: Instant, ticks: u32) -> u32 {
        let elapsed = self.timestamp_at(now).wrapping_sub(self.timestamp);
        self.timestamp.wrapping_add(elapsed.max(ticks))
    }

    #[inline]
    fn advance(&mut self, now: Instant, sequence: u16, timestamp: u32) {
        let next = sequence.wrapping_add(1);
        let step = next.wrapping_sub(std::mem::replace(&mut self.next_sequence, next)) as i16;
        self.numbers += u64::from(step.max(0).unsigned_abs());
        if timestamp != self.timestamp || self.timestamp_at.is_none() {
            self.timestamp = timestamp;
            self.timestamp_at = Some(now);
        }
    }
}

/// Ticks in so long a time, of a clock with so many in a millisecond.
pub(crate) fn ticks(duration: Duration, clock_khz: u32) -> u64 {
    duration.as_micros() as u64 * u64::from(clock_khz) / 1_000
}
