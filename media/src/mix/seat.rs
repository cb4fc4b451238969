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

    /// Where to put so many samples of what its party is to hear.
    pub(crate) fn heard(&mut self, at: Instant, count: usize) -> Option<&mut [i16]> {
        if self.len + count > self.heard.len() {
            self.len = 0;
        }
        if self.len == 0 {
            self.at = at;
        }
        let place = self.heard.get_mut(self.len..self.len + count)?;
        self.len += count;
        Some(place)
    }

    /// Whether there is enough for a packet.
    pub(crate) fn has_packet(&self, ptime: Duration) -> bool {
        self.len >= self.rate().samples_in(ptime)
    }

    /// The samples of the next packet, and its time.
    pub(crate) fn next_packet(&self, ptime: Duration) -> Option<(Instant, &[i16])> {
        let samples = self.heard.get(..self.rate().samples_in(ptime))?;
        (samples.len() <= self.len).then_some((self.at, samples))
    }

    /// That packet is done with.
    pub(crate) fn pass_packet(&mut self, ptime: Duration) {
        let count = self.rate().samples_in(ptime).min(self.len);
        self.heard.copy_within(count..self.len, 0);
        self.len -= count;
        self.at += ptime;
    }

    /// The party hears something else.
    pub(crate) const fn drop_heard(&mut self) {
        self.len = 0;
    }
}
