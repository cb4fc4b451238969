//! The way of a recording from a media worker to the thread that writes: a ring of octets with one end each.
//!
//! An entry is a header of [`HEADER_LEN`] octets and a payload. One that finds no room is left out and counted in the
//! next that does; room for marks is kept free, so that a beginning is never without its end.

use ringbuf::traits::{Consumer, Observer, Producer, Split};
use ringbuf::{HeapCons, HeapProd, HeapRb};
use tandem_time::Instant;

use crate::codec::{Codec, OpusParameters};

/// Octets that may wait: three seconds of both sides in G.711.
pub const TAP_CAPACITY: usize = 64 * 1_024;

const HEADER_LEN: usize = 24;
/// Octets of the longest payload that is kept: what an Ethernet frame has room for.
const MAX_PAYLOAD: usize = 1_500;
/// For marks only.
const KEPT_FREE: usize = 4 * HEADER_LEN;

/// Which side of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What its party says.
    Said,
    /// What it hears.
    Heard,
}

/// A packet, or what stands for one.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// When it came, or was sent.
    pub at: Instant,
    /// Whose it is.
    pub side: Side,
    /// What its payload is coded in.
    pub codec: Codec,
    /// Its sequence number.
    pub sequence: u16,
    /// Its timestamp.
    pub timestamp: u32,
    /// Its numbers have nothing to do with those before.
    pub restarted: bool,
    /// Nothing when it is not to be heard: a key, or what must not be kept.
    pub payload: &'a [u8],
    lost_before: u16,
}

/// What is in the ring.
#[derive(Clone, Copy, Debug)]
pub enum Entry<'a> {
    /// The recording begins.
    Begun {
        /// When.
        at: Instant,
        /// What the party speaks.
        codec: Codec,
    },
    /// A packet.
    Audio(Frame<'a>),
    /// Nothing is kept from now on.
    Paused {
        /// When.
        at: Instant,
    },
    /// It is again.
    Resumed {
        /// When.
        at: Instant,
    },
    /// The recording ends.
    Ended {
        /// When.
        at: Instant,
        /// Packets that found no room since the last one that did.
        lost_before: u16,
    },
}

impl Entry<'_> {
    pub(super) const fn at(&self) -> Instant {
        match *self {
            Self::Begun { at, .. } | Self::Paused { at } | Self::Resumed { at } | Self::Ended { at, .. } => {
                at
            }
            Self::Audio(frame) => frame.at,
        }
    }

    pub(super) const fn lost_before(&self) -> u16 {
        match *self {
            Self::Audio(Frame { lost_before, .. }) | Self::Ended { lost_before, .. } => lost_before,
            Self::Begun { .. } | Self::Paused { .. } | Self::Resumed { .. } => 0,
        }
    }
}

/// The numbers of a packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbers {
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) restarted: bool,
}

/// The end of an endpoint. Dropped, it ends the recording.
pub struct Tap {
    ring: HeapProd<u8>,
    is_paused: bool,
    lost: u16,
    latest: Instant,
    heard_ssrc: Option<u32>,
}

/// The end of who writes.
pub struct TapReader {
    ring: HeapCons<u8>,
    payload: Box<[u8]>,
}

/// A way for one recording, with room for `capacity` octets; [`TAP_CAPACITY`] as a rule.
#[must_use]
pub fn tap(capacity: usize) -> (Tap, TapReader) {
    let (producer, consumer) = HeapRb::new(capacity).split();
    let tap = Tap { ring: producer, is_paused: false, lost: 0, latest: Instant::START, heard_ssrc: None };
    (tap, TapReader { ring: consumer, payload: vec![0; MAX_PAYLOAD].into() })
}

#[derive(Clone, Copy)]
enum Kind {
    Begun,
    Said,
    Heard,
    Paused,
    Resumed,
    Ended,
}

impl Tap {
    pub(crate) fn begin(&mut self, now: Instant, codec: Codec) {
        self.latest = now;
        self.mark(Kind::Begun, codec);
    }

    pub(crate) fn pause(&mut self, now: Instant) {
        self.latest = self.latest.max(now);
        if !std::mem::replace(&mut self.is_paused, true) {
            self.mark(Kind::Paused, Codec::Pcmu);
        }
    }

    pub(crate) fn resume(&mut self, now: Instant) {
        self.latest = self.latest.max(now);
        if std::mem::replace(&mut self.is_paused, false) {
            self.mark(Kind::Resumed, Codec::Pcmu);
        }
    }

    /// Time has come so far, whether or not anything was heard.
    #[inline]
    pub(crate) fn pass(&mut self, now: Instant) {
        self.latest = self.latest.max(now);
    }

    /// What the party says.
    #[inline]
    pub(crate) fn said(&mut self, at: Instant, codec: Codec, numbers: Numbers, payload: &[u8]) {
        self.push(Kind::Said, at, codec, numbers, payload);
    }

    /// What it hears. Another `ssrc` than before begins anew.
    #[inline]
    pub(crate) fn heard(&mut self, at: Instant, codec: Codec, ssrc: u32, numbers: Numbers, payload: &[u8]) {
        let restarted = self.heard_ssrc.replace(ssrc).is_some_and(|before| before != ssrc);
        self.push(Kind::Heard, at, codec, Numbers { restarted, ..numbers }, payload);
    }

    #[inline]
    fn push(&mut self, kind: Kind, at: Instant, codec: Codec, numbers: Numbers, payload: &[u8]) {
        self.latest = self.latest.max(at);
        if self.is_paused {
            return;
        }
        let is_kept =
            payload.len() <= MAX_PAYLOAD && self.ring.vacant_len() >= KEPT_FREE + HEADER_LEN + payload.len();
        if !is_kept {
            self.lost = self.lost.saturating_add(1);
            return;
        }
        let lost = std::mem::take(&mut self.lost);
        let header = header(kind, at, codec, numbers, lost, payload.len() as u16);
        self.ring.push_slice(&header);
        self.ring.push_slice(payload);
    }

    fn mark(&mut self, kind: Kind, codec: Codec) {
        let reserve = if matches!(kind, Kind::Ended) { 0 } else { HEADER_LEN };
        if self.ring.vacant_len() >= reserve + HEADER_LEN {
            let none = Numbers { sequence: 0, timestamp: 0, restarted: false };
            let lost = std::mem::take(&mut self.lost);
            self.ring.push_slice(&header(kind, self.latest, codec, none, lost, 0));
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.mark(Kind::Ended, Codec::Pcmu);
    }
}

impl std::fmt::Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tap").field("is_paused", &self.is_paused).field("lost", &self.lost).finish()
    }
}

impl TapReader {
    /// The next entry, if a whole one is there.
    pub fn next_entry(&mut self) -> Option<Entry<'_>> {
        let mut header = [0; HEADER_LEN];
        if self.ring.peek_slice(&mut header) < HEADER_LEN {
            return None;
        }
        let [kind, codec, flags, _, rest @ ..] = header;
        let (lost_before, rest) = take(&rest);
        let (len, rest) = take(rest);
        let (sequence, rest) = take(rest);
        let (_, rest) = take(rest);
        let timestamp = rest.first_chunk().copied().map_or(0, u32::from_be_bytes);
        let at = rest.get(4..).and_then(<[u8]>::first_chunk).copied().map_or(0, u64::from_be_bytes);
        let at = Instant::from_nanos(at);
        let len = usize::from(len);
        if self.ring.occupied_len() < HEADER_LEN + len {
            return None;
        }
        self.ring.skip(HEADER_LEN);
        let payload = self.payload.get_mut(..len)?;
        self.ring.pop_slice(payload);
        let codec = codec_of(codec);
        let side = match kind {
            0 => return Some(Entry::Begun { at, codec }),
            1 => Side::Said,
            2 => Side::Heard,
            3 => return Some(Entry::Paused { at }),
            4 => return Some(Entry::Resumed { at }),
            _ => return Some(Entry::Ended { at, lost_before }),
        };
        let restarted = flags != 0;
        Some(Entry::Audio(Frame { at, side, codec, sequence, timestamp, restarted, payload, lost_before }))
    }

    /// Whether nothing will come any more but what is there.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        !self.ring.write_is_held()
    }
}

impl std::fmt::Debug for TapReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TapReader").field("waiting", &self.ring.occupied_len()).finish()
    }
}

fn take(octets: &[u8]) -> (u16, &[u8]) {
    let number = octets.first_chunk().copied().map_or(0, u16::from_be_bytes);
    (number, octets.get(2..).unwrap_or_default())
}

fn header(kind: Kind, at: Instant, codec: Codec, numbers: Numbers, lost: u16, len: u16) -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    header[0] = kind as u8;
    header[1] = code_of(codec);
    header[2] = u8::from(numbers.restarted);
    header[4..6].copy_from_slice(&lost.to_be_bytes());
    header[6..8].copy_from_slice(&len.to_be_bytes());
    header[8..10].copy_from_slice(&numbers.sequence.to_be_bytes());
    header[12..16].copy_from_slice(&numbers.timestamp.to_be_bytes());
    header[16..24].copy_from_slice(&at.as_nanos().to_be_bytes());
    header
}

/// What a party wants of its Opus is of no use to who decodes it.
const fn code_of(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 1,
        Codec::G722 => 2,
        Codec::Opus(_) => 3,
    }
}

const fn codec_of(code: u8) -> Codec {
    match code {
        0 => Codec::Pcmu,
        1 => Codec::Pcma,
        2 => Codec::G722,
        _ => Codec::Opus(OpusParameters {
            in_band_fec: false,
            dtx: false,
            constant_bitrate: false,
            max_average_bitrate: OpusParameters::MAX_BITRATE,
            max_playback_rate_hz: 48_000,
        }),
    }
}
