//! Speech, by its pitch: when it begins, pauses, and goes on for long.

use std::time::Duration;

use super::meter::{Frame, Sound};
use super::spans::{Kind, Span};
use super::{FRAME, ProgressRules, frames};

/// Frames of a steady tone that may be a vowel.
const VOWEL_FRAMES: u32 = 12;
/// What is weaker than the loudest of it by so much is not of the one who speaks: noise, or others.
const RANGE_DB: f32 = 15.0;
/// A sound that does not become speech within so many frames after its last voiced one was none.
const FORGOTTEN: u32 = 30;
/// Speech has a pitch about half of the time; what has one for more than this of it …
const MUSIC_SHARE: f32 = 0.8;
/// … over so many frames, is music.
const MUSIC_FRAMES: u32 = 90;

/// What was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Enough to call it speech.
    Speech,
    /// It paused, after so much.
    Pause { speech: Duration },
    /// It goes on, and has for as long as a recorded greeting.
    Long,
    /// Paused or went on, and was music.
    Music,
}

/// Somebody who may be speaking.
#[derive(Clone, Debug, Default)]
pub(super) struct SpeechWatch {
    run: Option<Run>,
    /// Frames that are a tone, as long as it is too short to be one.
    vowel: u32,
}

/// What was said without a pause.
#[derive(Clone, Copy, Debug)]
struct Run {
    from: u32,
    last_voiced: u32,
    voiced: u32,
    /// Frames since the last voiced one that are much weaker than the loudest.
    quiet: u32,
    loudest_dbm0: f32,
    is_speech: bool,
}

impl SpeechWatch {
    /// Whether somebody speaks, or has spoken.
    pub(super) fn is_heard(&self) -> bool {
        self.run.is_some_and(|run| run.is_speech)
    }

    /// When that began.
    pub(super) fn began_at(&self) -> Option<u32> {
        self.run.filter(|run| run.is_speech).map(|run| run.from)
    }

    pub(super) fn push(
        &mut self,
        now: u32,
        frame: &Frame,
        current: &Span,
        rules: &ProgressRules,
    ) -> Option<Heard> {
        match frame.sound {
            Sound::Voiced => {
                let vowel = std::mem::take(&mut self.vowel);
                self.voiced(now, vowel + 1, frame.level_dbm0);
            }
            Sound::Tone(_) => self.tone(now, frame, current),
            Sound::Quiet | Sound::Other => {
                let vowel = std::mem::take(&mut self.vowel);
                if vowel > 0 {
                    self.voiced(now - 1, vowel, frame.level_dbm0);
                }
                if let Some(run) = &mut self.run {
                    run.quiet += u32::from(frame.level_dbm0 < run.loudest_dbm0 - RANGE_DB);
                }
            }
        }
        self.judge(now, rules)
    }

    /// What is a tone for longer than any vowel is no speech; after speech it is part of what is heard without a pause.
    fn tone(&mut self, now: u32, frame: &Frame, current: &Span) {
        let is_tone = matches!(current.kind, Kind::Tone(_)) && current.frames() > VOWEL_FRAMES;
        if !is_tone {
            self.vowel += 1;
            return;
        }
        self.vowel = 0;
        if self.is_heard() {
            self.voiced(now, 1, frame.level_dbm0);
        }
    }

    fn voiced(&mut self, now: u32, count: u32, level_dbm0: f32) {
        let run = self.run.get_or_insert(Run {
            from: now.saturating_sub(count),
            last_voiced: now,
            voiced: 0,
            quiet: 0,
            loudest_dbm0: level_dbm0,
            is_speech: false,
        });
        if level_dbm0 < run.loudest_dbm0 - RANGE_DB {
            run.quiet += 1;
            return;
        }
        run.loudest_dbm0 = run.loudest_dbm0.max(level_dbm0);
        run.last_voiced = now;
        run.voiced += count;
        run.quiet = 0;
    }

    fn judge(&mut self, now: u32, rules: &ProgressRules) -> Option<Heard> {
        let run = self.run.as_mut()?;
        if !run.is_speech {
            if run.voiced >= frames(rules.min_speech) {
                run.is_speech = true;
                return Some(Heard::Speech);
            }
            if now - run.last_voiced >= FORGOTTEN {
                self.run = None;
            }
            return None;
        }
        let speech = run.last_voiced - run.from;
        let pauses = run.quiet >= frames(rules.min_silence);
        let is_long = speech >= frames(rules.analysis_period);
        if (pauses || is_long) && run.is_music() {
            return Some(Heard::Music);
        }
        if pauses {
            return Some(Heard::Pause { speech: FRAME * speech });
        }
        is_long.then_some(Heard::Long)
    }
}

impl Run {
    fn is_music(&self) -> bool {
        let frames = self.last_voiced - self.from;
        frames >= MUSIC_FRAMES && self.voiced as f32 >= MUSIC_SHARE * frames as f32
    }
}
