//! What an analysis heard, for whoever wants to know why.

use std::time::Duration;

use super::FRAME;
use super::meter::{Frame, Sound};
use super::spans::{Kind, Span};

/// Pieces kept of an analysis; the oldest go first.
pub const MAX_EVIDENCE: usize = 40;

/// What is shorter between two pieces of speech belongs to them.
const SPEECH_GAP: u32 = 20;
/// Voiced frames that make speech, those without taken off.
const SPEECH: u32 = 5;
/// Frames that a tone has at least.
const MIN_TONE: u32 = 9;
/// Shorter pieces belong to the next.
const MIN_PIECE: u32 = 4;

/// A piece of what was heard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// When it began, counted from the begin of the analysis.
    pub at: Duration,
    /// How long it lasted.
    pub lasted: Duration,
    /// What it was.
    pub kind: EvidenceKind,
    /// The loudest of it, in dBm0.
    pub level_dbm0: i8,
}

/// What a piece of sound is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceKind {
    /// Nothing.
    Silence,
    /// A tone, or two at once.
    Tone {
        /// Its frequency, or the lower one.
        low_hz: u16,
        /// The higher one of two.
        high_hz: Option<u16>,
    },
    /// Sound with a pitch, as voices have.
    Speech,
    /// Any other.
    Noise,
}

/// The pieces, oldest first.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    pieces: [Evidence; MAX_EVIDENCE],
    count: usize,
    /// When the latest piece began.
    from: u32,
    /// The latest voiced frame, and how many of late.
    last_voiced: u32,
    voiced: u32,
}

impl Default for Timeline {
    fn default() -> Self {
        let none = Evidence {
            at: Duration::ZERO,
            lasted: Duration::ZERO,
            kind: EvidenceKind::Silence,
            level_dbm0: i8::MIN,
        };
        Self { pieces: [none; MAX_EVIDENCE], count: 0, from: 0, last_voiced: 0, voiced: 0 }
    }
}

impl Timeline {
    pub(super) fn pieces(&self) -> &[Evidence] {
        self.pieces.get(..self.count).unwrap_or_default()
    }

    /// Takes the frame that ends at `now`, and the span that it is in as far as that is certain.
    pub(super) fn push(&mut self, now: u32, frame: &Frame, current: &Span) {
        let is_voiced = frame.sound == Sound::Voiced;
        self.voiced =
            if is_voiced { (self.voiced + 2).min(4 * SPEECH) } else { self.voiced.saturating_sub(1) };
        if is_voiced {
            self.last_voiced = now;
        }
        let (kind, from) = match current.kind {
            Kind::Tone(pitch) if current.frames() >= MIN_TONE => {
                let low_hz = pitch.low_hz.round() as u16;
                (
                    EvidenceKind::Tone { low_hz, high_hz: pitch.high_hz.map(|hz| hz.round() as u16) },
                    current.from,
                )
            }
            _ if self.is_speech(now) => (EvidenceKind::Speech, now.saturating_sub(SPEECH)),
            // The speech before was over with its last voiced frame.
            _ if frame.sound == Sound::Quiet => (EvidenceKind::Silence, now - 1),
            _ => (EvidenceKind::Noise, now - 1),
        };
        self.add(now, kind, from, frame.level_dbm0 as i8);
    }

    fn is_speech(&self, now: u32) -> bool {
        let goes_on = self.pieces().last().is_some_and(|last| last.kind == EvidenceKind::Speech);
        if goes_on { now - self.last_voiced < SPEECH_GAP } else { self.voiced >= 2 * SPEECH }
    }

    /// The sound up to `now` is of that kind, and has been since `from`.
    fn add(&mut self, now: u32, kind: EvidenceKind, from: u32, level_dbm0: i8) {
        let Some(last) = self.last() else { return self.begin(now, kind, 0, level_dbm0) };
        if is_one(last.kind, kind) {
            last.kind = kind;
            last.level_dbm0 = last.level_dbm0.max(level_dbm0);
            let from = self.from;
            self.last_lasts(now - from);
            return;
        }
        let from = if last.kind == EvidenceKind::Speech && !matches!(kind, EvidenceKind::Tone { .. }) {
            self.last_voiced
        } else {
            from
        };
        let from = from.max(self.from);
        if from - self.from < MIN_PIECE {
            self.count -= 1;
            let from = self.from;
            return match self.pieces().last().map(|before| before.kind) {
                Some(before) if is_one(before, kind) => {
                    self.from = self.pieces().last().map_or(0, |before| super::frames(before.at));
                    self.last_lasts(now - self.from);
                }
                _ => self.begin(now, kind, from, level_dbm0),
            };
        }
        self.last_lasts(from - self.from);
        self.begin(now, kind, from, level_dbm0);
    }

    fn begin(&mut self, now: u32, kind: EvidenceKind, from: u32, level_dbm0: i8) {
        if self.count == MAX_EVIDENCE {
            self.pieces.rotate_left(1);
            self.count -= 1;
        }
        if let Some(place) = self.pieces.get_mut(self.count) {
            *place = Evidence { at: FRAME * from, lasted: FRAME * (now - from), kind, level_dbm0 };
            self.count += 1;
            self.from = from;
        }
    }

    fn last_lasts(&mut self, frames: u32) {
        if let Some(last) = self.last() {
            last.lasted = FRAME * frames;
        }
    }

    fn last(&mut self) -> Option<&mut Evidence> {
        self.pieces.get_mut(self.count.checked_sub(1)?)
    }
}

/// Whether two pieces that follow each other are one.
fn is_one(a: EvidenceKind, b: EvidenceKind) -> bool {
    match (a, b) {
        (
            EvidenceKind::Tone { low_hz: a, high_hz: high_a },
            EvidenceKind::Tone { low_hz: b, high_hz: high_b },
        ) => a.abs_diff(b) <= a / 20 && high_a.is_some() == high_b.is_some(),
        _ => a == b,
    }
}
