//! One side of a recording: packets into samples, each where it belongs in time.
//!
//! Packets are put in order for [`HOLD`], which nobody has to wait for who only listens later. Where a packet lies is
//! said by its timestamp, from the first one on; when they all come later or earlier than they should by that, since
//! the first was late or clocks drift apart, what follows is moved.

use std::collections::VecDeque;
use std::time::Duration;

use tandem_time::Instant;

use super::Frame;
use crate::codec::{Codec, Decoder, MAX_DECODED_SAMPLES, Rate};

/// How long a packet waits for those before it.
pub(super) const HOLD: Duration = Duration::from_millis(200);
/// The most packets that wait; more at once are decoded sooner.
const MAX_WAITING: usize = 64;
/// Over so long is looked for the fastest packet, to see where the stream lies.
const WINDOW: Duration = Duration::from_secs(2);
/// Where a stream lies is let be within so much.
const TOLERANCE: Duration = Duration::from_millis(8);
/// A packet that far from where it should be is of another stream.
const JUMP: Duration = Duration::from_millis(500);
/// Lost packets are made up for so long; then it is silent.
const MAX_CONCEALED: Duration = Duration::from_millis(60);

/// One side.
#[derive(Debug)]
pub(super) struct Track {
    rate: Rate,
    begun: Instant,
    decoder: Option<(Codec, Decoder)>,
    waiting: Vec<Waiting>,
    stream: Option<Stream>,
    /// Samples from `first` on that nobody has taken.
    samples: VecDeque<i16>,
    first: i64,
    scratch: Box<[i16]>,
}

/// A packet among those that are put in order.
#[derive(Debug)]
struct Waiting {
    at: Instant,
    codec: Codec,
    sequence: u16,
    timestamp: u32,
    payload: Vec<u8>,
}

/// Where packets lie.
#[derive(Clone, Copy, Debug)]
struct Stream {
    next_sequence: u16,
    /// The timestamp of the latest packet …
    timestamp: u32,
    /// … is at this sample.
    position: i64,
    /// How much later than they lie the packets of this window have come, at least.
    least_late: i64,
    until: Instant,
}

impl Track {
    pub(super) fn new(begun: Instant, rate: Rate) -> Self {
        Self {
            rate,
            begun,
            decoder: None,
            waiting: Vec::with_capacity(MAX_WAITING),
            stream: None,
            samples: VecDeque::new(),
            first: 0,
            scratch: vec![0; MAX_DECODED_SAMPLES].into(),
        }
    }

    /// The sample of a time.
    pub(super) fn position(&self, at: Instant) -> i64 {
        let nanos = u128::from((at - self.begun).as_nanos() as u64);
        i64::try_from(nanos * u128::from(self.rate.hz()) / 1_000_000_000).unwrap_or(i64::MAX)
    }

    pub(super) fn take(&mut self, frame: &Frame<'_>) {
        if frame.restarted {
            self.stop();
        }
        if self.waiting.len() == MAX_WAITING {
            self.decode_next();
        }
        let Frame { at, codec, sequence, timestamp, payload, .. } = *frame;
        self.waiting.push(Waiting { at, codec, sequence, timestamp, payload: payload.to_vec() });
    }

    /// Decodes what has waited long enough by `now`.
    pub(super) fn release(&mut self, now: Instant) {
        while self.waiting.iter().any(|packet| packet.at + HOLD <= now) {
            self.decode_next();
        }
    }

    /// Decodes all there is; what comes then is placed anew.
    pub(super) fn stop(&mut self) {
        while !self.waiting.is_empty() {
            self.decode_next();
        }
        self.stream = None;
    }

    /// Takes so many samples; silence where there is nothing.
    pub(super) fn drain(&mut self, count: usize) -> impl Iterator<Item = i16> {
        if self.samples.len() < count {
            self.samples.resize(count, 0);
        }
        self.first += count as i64;
        self.samples.drain(..count)
    }

    fn decode_next(&mut self) {
        let from = self.stream.map(|stream| stream.next_sequence);
        let from = from.or_else(|| self.waiting.first().map(|packet| packet.sequence)).unwrap_or(0);
        let ahead = |packet: &Waiting| packet.sequence.wrapping_sub(from) as i16;
        let next = (0..self.waiting.len()).min_by_key(|index| self.waiting.get(*index).map(ahead));
        if let Some(next) = next {
            let packet = self.waiting.swap_remove(next);
            self.decode(&packet);
        }
    }

    fn decode(&mut self, packet: &Waiting) {
        let expected = self.stream.map(|stream| stream.next_sequence);
        let Some(stream) = self.place(packet) else { return };
        let is_lost = expected.is_some_and(|expected| expected != packet.sequence);
        let at = stream.position;
        self.stream = Some(Stream { next_sequence: packet.sequence.wrapping_add(1), ..stream });
        if packet.payload.is_empty() {
            return;
        }
        let (mut scratch, rate) = (std::mem::take(&mut self.scratch), self.rate);
        let end = self.end();
        let decoder = match &mut self.decoder {
            Some((codec, decoder)) if code(*codec) == code(packet.codec) => decoder,
            other => &mut other.insert((packet.codec, Decoder::new(packet.codec, rate))).1,
        };
        let gap = usize::try_from(at - end).unwrap_or(0);
        if is_lost && gap > 0 {
            let made_up = gap.min(rate.samples_in(MAX_CONCEALED));
            if let Some(room) = scratch.get_mut(..made_up) {
                decoder.recover(&packet.payload, room);
                self.samples.extend(room.iter());
            }
        }
        let count = decoder.decode(&packet.payload, &mut scratch);
        self.write(at, scratch.get(..count).unwrap_or_default());
        self.scratch = scratch;
    }

    /// Where the stream of a packet lies; none when its turn is over.
    fn place(&mut self, packet: &Waiting) -> Option<Stream> {
        let came = self.position(packet.at);
        let (hz, clock_hz) = (i64::from(self.rate.hz()), i64::from(packet.codec.clock_hz()));
        let anew = Stream {
            next_sequence: packet.sequence,
            timestamp: packet.timestamp,
            position: came.max(self.end()),
            least_late: i64::MAX,
            until: packet.at + WINDOW,
        };
        let Some(mut stream) = self.stream else { return Some(anew) };
        if (packet.sequence.wrapping_sub(stream.next_sequence) as i16) < 0 {
            return None;
        }
        let ticks = packet.timestamp.wrapping_sub(stream.timestamp) as i32;
        (stream.timestamp, stream.position) =
            (packet.timestamp, stream.position + i64::from(ticks) * hz / clock_hz);
        let late = came - stream.position;
        if late.unsigned_abs() > self.rate.samples_in(JUMP) as u64 {
            return Some(anew);
        }
        stream.least_late = stream.least_late.min(late);
        if packet.at >= stream.until {
            if stream.least_late.unsigned_abs() > self.rate.samples_in(TOLERANCE) as u64 {
                stream.position += stream.least_late;
            }
            (stream.least_late, stream.until) = (i64::MAX, packet.at + WINDOW);
        }
        Some(stream)
    }

    /// The sample after those there are.
    fn end(&self) -> i64 {
        self.first + self.samples.len() as i64
    }

    /// Writes samples where they belong; what lies before what is written already is left out.
    fn write(&mut self, at: i64, samples: &[i16]) {
        let end = self.end();
        if let Ok(silent) = usize::try_from(at - end) {
            self.samples.extend(std::iter::repeat_n(0, silent));
        }
        let left_out = usize::try_from(end - at).unwrap_or(0);
        self.samples.extend(samples.get(left_out..).unwrap_or_default());
    }
}

const fn code(codec: Codec) -> std::mem::Discriminant<Codec> {
    std::mem::discriminant(&codec)
}
