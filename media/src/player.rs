//! What an endpoint plays: segments in order, once or more often, sample by sample.

use std::ops::Range;
use std::sync::Arc;

use crate::codec::Rate;
use crate::tone::{Burst, samples_in};
use crate::{Audio, BargeIn, Digit, PlayId, Segment};

/// A play under way.
#[derive(Debug)]
pub(crate) struct Player {
    pub(crate) play: PlayId,
    pub(crate) barge_in: BargeIn,
    segments: Arc<[Segment]>,
    /// The same for all segments, so that nothing is converted.
    rate: Rate,
    /// Rounds that follow this one; `None` is for ever.
    rounds_left: Option<u32>,
    /// Whether there was a sample: rounds without any must not be repeated for ever.
    sounded: bool,
    index: usize,
    sound: Sound,
}

/// Where in the segment at `index` the play is.
#[derive(Debug)]
enum Sound {
    /// Before its first sample.
    Start,
    /// In audio, before this sample and up to that one. It is held here, since those who hear the same are many and
    /// their segments are far apart in memory.
    Audio { audio: Arc<Audio>, position: usize, end: usize },
    /// In a burst; `next` is the byte of the segment's digits that follows.
    Burst { burst: Burst, next: usize },
    /// In music, which has no end.
    Music,
    /// In silence.
    Silence { left: usize },
    /// After the last segment's last round.
    Ended,
}

impl Player {
    /// A play for a party whose codec has the rate `codec`.
    pub(crate) fn new(
        play: PlayId,
        segments: Arc<[Segment]>,
        times: Option<u32>,
        barge_in: BargeIn,
        codec: Rate,
    ) -> Self {
        let (rounds_left, sound) = match times {
            Some(0) => (Some(0), Sound::Ended),
            Some(times) => (Some(times - 1), Sound::Start),
            None => (None, Sound::Start),
        };
        let rate = best_rate(&segments, codec);
        Self { play, barge_in, segments, rate, rounds_left, sounded: false, index: 0, sound }
    }

    /// The rate of its samples.
    pub(crate) const fn rate(&self) -> Rate {
        self.rate
    }

    /// Whether no sample is left.
    pub(crate) fn is_over(&mut self) -> bool {
        self.advance_to_sample();
        matches!(self.sound, Sound::Ended)
    }

    /// The music that it has come to.
    pub(crate) fn music(&mut self) -> Option<&Arc<Audio>> {
        self.advance_to_sample();
        match (&self.sound, self.segments.get(self.index)) {
            (Sound::Music, Some(Segment::Music(audio))) => Some(audio),
            _ => None,
        }
    }

    /// Fills `out` with the next samples, with silence after the end.
    pub(crate) fn fill(&mut self, out: &mut [i16]) {
        let mut filled = 0;
        while filled < out.len() {
            self.advance_to_sample();
            let Some(rest) = out.get_mut(filled..) else { return };
            let count = self.take(rest);
            if count == 0 {
                rest.fill(0);
                return;
            }
            self.sounded = true;
            filled += count;
        }
    }

    /// Moves over everything that has no sample left.
    fn advance_to_sample(&mut self) {
        while !matches!(self.sound, Sound::Ended) && !self.has_sample() {
            self.sound = self.successor();
        }
    }

    fn has_sample(&self) -> bool {
        match &self.sound {
            Sound::Audio { position, end, .. } => position < end,
            Sound::Burst { burst, .. } => burst.on + burst.off > 0,
            Sound::Silence { left } => *left > 0,
            Sound::Music => true,
            Sound::Start | Sound::Ended => false,
        }
    }

    /// Copies samples of the current sound only; returns how many.
    fn take(&mut self, out: &mut [i16]) -> usize {
        match &mut self.sound {
            Sound::Audio { audio, position, end } => {
                let rest = audio.samples_at(self.rate).get(*position..*end).unwrap_or_default();
                let count = rest.len().min(out.len());
                out.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                *position += count;
                count
            }
            Sound::Burst { burst, .. } => take_burst(burst, out),
            // Until its first whole frame.
            Sound::Music => {
                out.fill(0);
                out.len()
            }
            Sound::Silence { left } => {
                let count = out.len().min(*left);
                out.iter_mut().take(count).for_each(|sample| *sample = 0);
                *left -= count;
                count
            }
            Sound::Start | Sound::Ended => 0,
        }
    }

    /// What follows a sound that has no sample left.
    fn successor(&mut self) -> Sound {
        match (&self.sound, self.segments.get(self.index)) {
            (Sound::Start, Some(segment)) => match segment {
                Segment::Audio(audio) | Segment::Part { audio, .. } => {
                    let Range { start, end } = segment.samples(self.rate);
                    return Sound::Audio { audio: Arc::clone(audio), position: start, end };
                }
                Segment::Music(audio) if !audio.samples().is_empty() => return Sound::Music,
                Segment::Music(_) => {}
                Segment::Silence(duration) => {
                    return Sound::Silence { left: samples_in(*duration, self.rate) };
                }
                Segment::Tone(tone) => {
                    return Sound::Burst { burst: Burst::tone(*tone, self.rate), next: usize::MAX };
                }
                Segment::Digits(digits) => {
                    if let Some(sound) = digit_burst(digits, 0, self.rate) {
                        return sound;
                    }
                }
            },
            (Sound::Burst { next, .. }, Some(Segment::Digits(digits))) => {
                if let Some(sound) = digit_burst(digits, *next, self.rate) {
                    return sound;
                }
            }
            _ => {}
        }
        self.next_segment()
    }

    fn next_segment(&mut self) -> Sound {
        self.index += 1;
        if self.index < self.segments.len() {
            return Sound::Start;
        }
        self.index = 0;
        let again = match &mut self.rounds_left {
            None => true,
            Some(0) => false,
            Some(rounds) => {
                *rounds -= 1;
                true
            }
        };
        if again && self.sounded { Sound::Start } else { Sound::Ended }
    }
}

/// The rate at which most is heard of what is recorded.
fn best_rate(segments: &[Segment], codec: Rate) -> Rate {
    let mut recorded = segments.iter().filter_map(Segment::audio).peekable();
    let is_wide = recorded.peek().is_some() && recorded.all(|audio| audio.best_rate(codec) == Rate::Wideband);
    if is_wide { Rate::Wideband } else { Rate::Narrowband }
}

/// The burst of the first digit at or after byte `from`; other characters are passed over.
fn digit_burst(digits: &str, from: usize, rate: Rate) -> Option<Sound> {
    let rest = digits.get(from..)?;
    let (at, digit) =
        rest.char_indices().find_map(|(at, symbol)| Digit::from_char(symbol).map(|digit| (at, digit)))?;
    Some(Sound::Burst { burst: Burst::digit(digit, rate), next: from + at + 1 })
}

fn take_burst(burst: &mut Burst, out: &mut [i16]) -> usize {
    if burst.on == 0 {
        let count = out.len().min(burst.off);
        out.iter_mut().take(count).for_each(|sample| *sample = 0);
        burst.off -= count;
        return count;
    }
    let count = out.len().min(burst.on);
    out.iter_mut().take(count).for_each(|sample| *sample = burst.next_sample());
    burst.on -= count;
    count
}
