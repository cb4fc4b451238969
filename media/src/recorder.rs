//! A recording of one leg: what its party says and what it hears, on one time line.
//!
//! ```text
//!   media worker                      writer's thread
//! endpoint ─ Tap ═══ bounded ring ═══ TapReader ─▶ Recorder ─▶ Container ─▶ octets of a file
//!            a copy of the payload                 decodes,      WAV, Ogg Opus
//!            and its numbers                       places
//! ```
//!
//! Packets are copied as they are and decoded by whoever writes: a relayed leg goes on to be relayed, and the worker
//! pays for a copy of a payload and no more.
//!
//! One recording is one leg from [`crate::Command::Record`] until it is ended or the endpoint closes: bridges, plays,
//! music, conferences and other workers come and go in it. Pauses are silence in it, so that time stays right.
//!
//! Owner thread: [`Tap`] lives with its endpoint at a media worker; all else in the thread that writes. This module
//! must not know a file.

mod container;
mod ogg_opus_file;
mod tap;
mod track;
mod wav_file;

use std::time::Duration;

use tandem_time::Instant;

pub use container::{Container, Format};
pub use ogg_opus_file::OggOpusFile;
pub(crate) use tap::Numbers;
pub use tap::{Entry, Frame, Side, TAP_CAPACITY, Tap, TapReader, tap};
use track::Track;
pub use wav_file::WavFile;

use crate::codec::{MAX_DECODED, Rate};

/// The most pauses that are told of one recording; later ones are silence in it all the same.
pub const MAX_PAUSES: usize = 1_000;

/// What is certain lies so far back: packets are put in order for a while, and one lasts so long at most.
const BEHIND: Duration = track::HOLD.saturating_add(MAX_DECODED);

/// Which sides are kept, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sides {
    /// Two channels: on the left what the party says, on the right what it hears.
    #[default]
    Stereo,
    /// One channel with both.
    Mixed,
    /// One channel with what the party says.
    Party,
}

impl Sides {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stereo => "stereo",
            Self::Mixed => "mixed",
            Self::Party => "party",
        }
    }

    /// Channels of the file.
    #[must_use]
    pub const fn channels(self) -> u8 {
        match self {
            Self::Stereo => 2,
            Self::Mixed | Self::Party => 1,
        }
    }
}

/// A time in which nothing was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// After the recording's beginning.
    pub from: Duration,
    /// The same; its end when absent.
    pub to: Option<Duration>,
}

/// Both sides of a leg, put together.
#[derive(Debug)]
pub struct Recorder {
    sides: Sides,
    /// None until the worker has begun.
    tape: Option<Tape>,
    frames_lost: u64,
}

/// What there is once it is known when it began and at which rate.
#[derive(Debug)]
struct Tape {
    rate: Rate,
    begun: Instant,
    said: Track,
    heard: Track,
    latest: Instant,
    ended: Option<Instant>,
    pauses: Vec<Pause>,
    paused: bool,
    /// Samples of each channel given out.
    given: u64,
}

impl Recorder {
    /// Nothing was recorded yet.
    #[must_use]
    pub const fn new(sides: Sides) -> Self {
        Self { sides, tape: None, frames_lost: 0 }
    }

    /// The rate of its samples, once it has begun: that of the leg's codec.
    #[must_use]
    pub fn rate(&self) -> Option<Rate> {
        self.tape.as_ref().map(|tape| tape.rate)
    }

    /// When it began, by the worker's clock.
    #[must_use]
    pub fn begun(&self) -> Option<Instant> {
        self.tape.as_ref().map(|tape| tape.begun)
    }

    /// Whether its end is known; what is pulled then is the last of it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.tape.as_ref().is_some_and(|tape| tape.ended.is_some())
    }

    /// Packets that found the ring full.
    #[must_use]
    pub const fn frames_lost(&self) -> u64 {
        self.frames_lost
    }

    /// How much was given out.
    #[must_use]
    pub fn duration(&self) -> Duration {
        let tape = self.tape.as_ref();
        tape.map_or(Duration::ZERO, |it| {
            Duration::from_micros(it.given * 1_000_000 / u64::from(it.rate.hz()))
        })
    }

    /// Its pauses so far, [`MAX_PAUSES`] at most.
    #[must_use]
    pub fn pauses(&self) -> &[Pause] {
        self.tape.as_ref().map(|tape| tape.pauses.as_slice()).unwrap_or_default()
    }

    /// Takes what the worker has put into the ring.
    pub fn take(&mut self, entry: Entry<'_>) {
        self.frames_lost += u64::from(entry.lost_before());
        match (&mut self.tape, entry) {
            (None, Entry::Begun { at, codec, .. }) => self.tape = Some(Tape::new(at, codec.rate())),
            (None, _) => {}
            (Some(tape), entry) => tape.take(entry),
        }
    }

    /// The worker has gone without a word: what came is all there is.
    pub fn end(&mut self) {
        if let Some(tape) = &mut self.tape {
            tape.ended.get_or_insert(tape.latest);
        }
    }

    /// Appends the samples that are certain, channel by channel in turn; at the end all that are left.
    pub fn pull(&mut self, out: &mut Vec<i16>) {
        let Some(tape) = &mut self.tape else { return };
        let count = tape.ready();
        match self.sides {
            Sides::Stereo => {
                let both = tape.said.drain(count).zip(tape.heard.drain(count));
                out.extend(both.flat_map(|(left, right)| [left, right]));
            }
            Sides::Mixed => {
                let both = tape.said.drain(count).zip(tape.heard.drain(count));
                out.extend(both.map(|(one, other)| one.saturating_add(other)));
            }
            Sides::Party => {
                out.extend(tape.said.drain(count));
                tape.heard.drain(count).for_each(drop);
            }
        }
        tape.given += count as u64;
    }
}

impl Tape {
    fn new(begun: Instant, rate: Rate) -> Self {
        let track = || Track::new(begun, rate);
        Self {
            rate,
            begun,
            said: track(),
            heard: track(),
            latest: begun,
            ended: None,
            pauses: Vec::new(),
            paused: false,
            given: 0,
        }
    }

    fn take(&mut self, entry: Entry<'_>) {
        self.latest = self.latest.max(entry.at());
        let since = self.latest - self.begun;
        match entry {
            Entry::Begun { .. } => {}
            Entry::Audio(frame) => {
                let track = if frame.side == Side::Said { &mut self.said } else { &mut self.heard };
                track.take(&frame);
            }
            Entry::Paused { .. } => {
                self.stop();
                if !std::mem::replace(&mut self.paused, true) && self.pauses.len() < MAX_PAUSES {
                    self.pauses.push(Pause { from: since, to: None });
                }
            }
            Entry::Resumed { .. } => {
                let is_told = std::mem::replace(&mut self.paused, false);
                if let Some(pause) = self.pauses.last_mut().filter(|pause| is_told && pause.to.is_none()) {
                    pause.to = Some(since);
                }
            }
            Entry::Ended { .. } => self.ended = Some(self.latest),
        }
        if self.ended.is_some() {
            self.stop();
        }
        self.said.release(self.latest);
        self.heard.release(self.latest);
    }

    /// What follows has nothing to do with what was.
    fn stop(&mut self) {
        self.said.stop();
        self.heard.stop();
    }

    /// How many samples of each side will not change any more.
    fn ready(&mut self) -> usize {
        let until = match self.ended {
            Some(at) => self.said.position(at),
            None => self.said.position(self.latest) - self.rate.samples_in(BEHIND) as i64,
        };
        let count = (until - self.given as i64).max(0);
        usize::try_from(count).unwrap_or(0)
    }
}
