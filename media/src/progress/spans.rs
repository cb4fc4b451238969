//! Stretches of one kind of sound: silence, a tone, or anything else.

use super::meter::{Frame, Pitch, Sound};

/// Frames in a row that begin a new span. What is shorter is an edge, a lost packet, or a click.
const FRAMES_TO_BEGIN: u32 = 4;
/// Frames of which nothing has become clear: that is sound of no kind.
const FRAMES_UNCLEAR: u32 = 6;

/// What a span consists of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Quiet,
    Tone(Pitch),
    Sound,
}

impl Kind {
    fn of(frame: &Frame) -> Self {
        match frame.sound {
            Sound::Quiet => Self::Quiet,
            Sound::Tone(pitch) => Self::Tone(pitch),
            Sound::Voiced | Sound::Other => Self::Sound,
        }
    }

    fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Quiet, Self::Quiet) | (Self::Sound, Self::Sound) => true,
            (Self::Tone(a), Self::Tone(b)) => a.is_like(b),
            _ => false,
        }
    }
}

/// From frame to frame, the last not included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) kind: Kind,
    pub(super) from: u32,
    pub(super) until: u32,
    /// The loudest of it.
    pub(super) level_dbm0: f32,
    /// How far a tone went from its frequency, as a part of it.
    pub(super) wander: f32,
}

impl Span {
    pub(super) const fn frames(&self) -> u32 {
        self.until - self.from
    }

    pub(super) const fn pitch(&self) -> Option<Pitch> {
        match self.kind {
            Kind::Tone(pitch) => Some(pitch),
            _ => None,
        }
    }
}

/// Cuts frames into spans.
#[derive(Clone, Debug)]
pub(super) struct Spans {
    current: Span,
    /// What the frames since its end are like, and how many of them.
    next: Option<(Span, u32)>,
}

impl Default for Spans {
    fn default() -> Self {
        let current = Span { kind: Kind::Quiet, from: 0, until: 0, level_dbm0: -100.0, wander: 0.0 };
        Self { current, next: None }
    }
}

impl Spans {
    /// The span under way, as far as it is certain.
    pub(super) const fn current(&self) -> Span {
        self.current
    }

    /// Takes the frame that ends at `now`; the span that it ended, if it did.
    pub(super) fn push(&mut self, now: u32, frame: Frame) -> Option<Span> {
        let kind = Kind::of(&frame);
        if kind.is_like(&self.current.kind) {
            self.current.until = now;
            self.current.level_dbm0 = self.current.level_dbm0.max(frame.level_dbm0);
            self.follow(kind);
            self.next = None;
            return None;
        }
        let from = self.current.until;
        let fresh = Span { kind, from, until: now, level_dbm0: frame.level_dbm0, wander: 0.0 };
        let (next, alike) = match self.next.take() {
            Some((next, alike)) if next.kind.is_like(&kind) => {
                (Span { until: now, level_dbm0: next.level_dbm0.max(frame.level_dbm0), ..next }, alike + 1)
            }
            _ => (fresh, 1),
        };
        if alike >= FRAMES_TO_BEGIN {
            return Some(std::mem::replace(&mut self.current, next));
        }
        if now - from >= FRAMES_UNCLEAR && self.current.kind != Kind::Sound {
            return Some(std::mem::replace(&mut self.current, Span { kind: Kind::Sound, ..fresh }));
        }
        self.next = Some((next, alike));
        None
    }

    /// Measures a tone the more exactly the longer it lasts.
    fn follow(&mut self, kind: Kind) {
        /// At first the window still has in it what was before.
        const SETTLED: u32 = 6;
        let settled = self.current.frames() > SETTLED;
        let share = if settled { 0.1 } else { 0.5 };
        let (Kind::Tone(latest), Kind::Tone(pitch)) = (kind, &mut self.current.kind) else { return };
        let step = latest.low_hz - pitch.low_hz;
        if settled {
            self.current.wander = self.current.wander.max(step.abs() / pitch.low_hz);
        }
        pitch.low_hz += share * step;
        pitch.share += share * (latest.share - pitch.share);
        if let (Some(high), Some(latest)) = (&mut pitch.high_hz, latest.high_hz) {
            *high += share * (latest - *high);
        }
    }
}
