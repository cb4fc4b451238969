//! Music on hold: one stream of each prompt and codec, coded once, that all who wait hear.
//!
//! Where the music is follows from the time alone, so that whoever begins to listen hears it where it is, on every worker
//! alike. What is coded is kept for as long as listeners on other steps of the grid, or late ones, may ask for it. Owner
//! thread: a media worker. A stream allocates when it begins, and never after.

use std::sync::Arc;
use std::time::Duration;

use tandem_time::Instant;

use crate::codec::{Encoder, MAX_PAYLOAD_LEN, Rate};
use crate::{Audio, Codec, Counters};

/// Streams at a time; of more, the one not listened to for longest makes room.
pub(crate) const MAX_STREAMS: usize = 64;
/// Coded frames that are kept of each.
const KEPT: usize = 8;

/// The streams of a worker.
#[derive(Debug, Default)]
pub(crate) struct Music {
    streams: Vec<Stream>,
}

#[derive(Debug)]
struct Stream {
    audio: Arc<Audio>,
    codec: Codec,
    rate: Rate,
    ptime: Duration,
    encoder: Encoder,
    /// The latest frames by their number, each where its number falls.
    kept: Box<[Frame; KEPT]>,
    /// The number of the next frame.
    next: u64,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    number: u64,
    octets: usize,
    payload: [u8; MAX_PAYLOAD_LEN],
}

impl Music {
    /// The coded frame of a prompt that sounds at `at`; nothing where there is nothing to send.
    pub(crate) fn frame(
        &mut self,
        audio: &Arc<Audio>,
        codec: Codec,
        ptime: Duration,
        at: Instant,
        counters: &mut Counters,
    ) -> Option<&[u8]> {
        let number = at.as_nanos() / (ptime.as_nanos() as u64).max(1);
        let index = self.find(audio, codec, ptime);
        let stream = self.streams.get_mut(index)?;
        counters.music_frames += stream.code_up_to(number);
        stream.kept(number)
    }

    fn find(&mut self, audio: &Arc<Audio>, codec: Codec, ptime: Duration) -> usize {
        let is_it = |it: &Stream| Arc::ptr_eq(&it.audio, audio) && it.codec == codec && it.ptime == ptime;
        if let Some(index) = self.streams.iter().position(is_it) {
            return index;
        }
        if self.streams.len() >= MAX_STREAMS {
            let silent = self.streams.iter().enumerate().min_by_key(|(_, stream)| stream.heard_at());
            if let Some((index, _)) = silent {
                self.streams.swap_remove(index);
            }
        }
        let rate = audio.best_rate(codec.rate());
        self.streams.push(Stream {
            audio: Arc::clone(audio),
            codec,
            rate,
            ptime,
            encoder: Encoder::new(codec, rate),
            kept: Box::new([Frame { number: u64::MAX, octets: 0, payload: [0; MAX_PAYLOAD_LEN] }; KEPT]),
            next: 0,
        });
        self.streams.len() - 1
    }
}

impl Stream {
    /// When it was listened to last, in nanoseconds.
    const fn heard_at(&self) -> u128 {
        self.next as u128 * self.ptime.as_nanos()
    }

    /// Codes the frames up to a number that nobody has asked for yet; how many. Those of a time when nobody listened
    /// are left out.
    fn code_up_to(&mut self, number: u64) -> u64 {
        let first = self.next.max(number.saturating_sub(KEPT as u64 - 1));
        let first = if number > self.next + KEPT as u64 { number } else { first };
        let mut coded = 0;
        for number in first..=number {
            self.code(number);
            coded += 1;
        }
        self.next = self.next.max(number + 1);
        coded
    }

    fn code(&mut self, number: u64) {
        let mut samples = [0; Rate::Wideband.samples_in(crate::codec::MAX_FRAME)];
        let count = self.rate.samples_in(self.ptime).min(samples.len());
        let music = self.audio.samples_at(self.rate);
        if let (Some(length @ 1..), Some(samples)) = (Some(music.len() as u64), samples.get_mut(..count)) {
            let start = (number % length * (count as u64 % length) % length) as usize;
            let (before, after) = music.split_at(start);
            let sounds = after.iter().chain(before).cycle();
            samples.iter_mut().zip(sounds).for_each(|(to, from)| *to = *from);
        }
        let Some(frame) = self.kept.get_mut((number % KEPT as u64) as usize) else { return };
        frame.number = number;
        frame.octets = self.encoder.encode(samples.get(..count).unwrap_or_default(), &mut frame.payload);
    }

    fn kept(&self, number: u64) -> Option<&[u8]> {
        let frame = self.kept.get((number % KEPT as u64) as usize)?;
        let payload = frame.payload.get(..frame.octets).filter(|payload| !payload.is_empty())?;
        (frame.number == number).then_some(payload)
    }
}
