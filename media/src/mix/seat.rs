//! What an endpoint has while it sits in a conference: what its party said and nobody has heard yet, and what it has
//! yet to be sent.

use std::time::Duration;

use tandem_time::Instant;

use super::FRAME;
use crate::codec::{Codec, MAX_FRAME, Rate};
use crate::jitter::{DelayLimits, Kind, Playout, Tally};
use crate::rtp::Header;

/// A seat in a room.
#[derive(Debug)]
pub(crate) struct Seat {
    /// Where among the rooms.
    room: u32,
    /// Of what its party says.
    codec: Codec,
    playout: Playout,
    /// Room for the longest packet and one frame.
    heard: Box<[i16]>,
    len: usize,
    /// The time of the first sample of `heard`.
    at: Instant,
}

impl Seat {
    pub(crate) fn new(room: u32, codec: Codec, rate: Rate) -> Self {
        Self {
            room,
            codec,
            playout: Playout::new(codec, rate, DelayLimits::default()),
            heard: vec![0; rate.samples_in(MAX_FRAME + FRAME)].into(),
            len: 0,
            at: Instant::START,
        }
    }

    pub(crate) const fn room(&self) -> u32 {
        self.room
    }

    pub(crate) const fn rate(&self) -> Rate {
        self.playout.rate()
    }

    pub(crate) const fn tally(&self) -> &Tally {
        self.playout.tally()
    }

    /// The room mixes at this rate, and its party speaks this codec, from now on.
    pub(crate) fn tune(&mut self, codec: Codec, rate: Rate) {
        if self.codec != codec || self.rate() != rate {
            *self = Self::new(self.room, codec, rate);
        }
    }

    /// Takes a packet of its party's.
    pub(crate) fn insert(
        &mut self,
        now: Instant,
        header: &Header,
        restarted: bool,
        kind: Kind,
        payload: &[u8],
    ) {
        self.playout.insert(now, header, restarted, kind, payload);
    }

    /// Its party's next frame, when it says something.
    pub(crate) fn speak(&mut self, now: Instant, frame: &mut [i16]) -> bool {
        self.playout.pull(now, frame)
    }

    /// Takes what its party is to hear.
    pub(crate) fn hear(&mut self, at: Instant, frame: &[i16]) {
        if self.len + frame.len() > self.heard.len() {
            self.len = 0;
        }
        if self.len == 0 {
            self.at = at;
        }
        if let Some(room) = self.heard.get_mut(self.len..self.len + frame.len()) {
            room.copy_from_slice(frame);
            self.len += frame.len();
        }
    }

    /// Whether there is enough for a packet.
    pub(crate) fn has_packet(&self, ptime: Duration) -> bool {
        self.len >= self.rate().samples_in(ptime)
    }

    /// Fills a packet; its time.
    pub(crate) fn next_packet(&mut self, ptime: Duration, samples: &mut [i16]) -> Option<Instant> {
        let rest = self.len.checked_sub(samples.len())?;
        samples.copy_from_slice(self.heard.get(..samples.len())?);
        self.heard.copy_within(samples.len()..self.len, 0);
        self.len = rest;
        let at = self.at;
        self.at += ptime;
        Some(at)
    }

    /// The party hears something else.
    pub(crate) const fn drop_heard(&mut self) {
        self.len = 0;
    }
}
