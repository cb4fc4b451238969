//! The calls that speak and listen: each has a tone of its own, so that who hears whom can be told.

use std::time::Duration;

use tandem_phone::Report;

/// Tones a side has; more calls than that share them.
const TONES: usize = 12;
const FIRST_CALLER_HZ: u16 = 600;
const FIRST_ANSWER_HZ: u16 = 1_850;
const APART_HZ: u16 = 100;
/// What may be missing at the beginning and the end.
const EDGES: Duration = Duration::from_millis(700);
/// So much of somebody else's tone is no accident.
const CROSSTALK: Duration = Duration::from_millis(300);
/// Louder is no silence.
const SILENCE_DBOV: i8 = -55;

/// What a caller must hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// Itself.
    Own,
    /// The tone of whom it called, who must hear the caller.
    OfTheOtherSide,
    /// This tone.
    Tone(u16),
    /// Anything.
    AnySound,
}

/// The voices there are, and those nobody speaks with.
pub(super) struct Voices {
    count: usize,
    free: Vec<usize>,
    expected: Expected,
}

impl Voices {
    pub(super) fn new(count: usize, expected: Expected) -> Self {
        Self { count, free: (0..count).rev().collect(), expected }
    }

    pub(super) const fn listened_to(&self) -> Option<&'static str> {
        match (self.count, self.expected) {
            (0, _) => None,
            (_, Expected::Own) => Some("own tone back"),
            (_, Expected::OfTheOtherSide) => Some("tones both ways"),
            (_, Expected::Tone(_)) => Some("the tone asked for"),
            (_, Expected::AnySound) => Some("anything but silence"),
        }
    }

    pub(super) fn all(&self) -> std::ops::Range<usize> {
        0..self.count
    }

    /// One that nobody speaks with.
    pub(super) fn take(&mut self) -> Option<usize> {
        self.free.pop()
    }

    pub(super) fn give_back(&mut self, voice: Option<usize>) {
        self.free.extend(voice);
    }

    /// Whether a caller heard what it should; what it heard instead.
    pub(super) fn judge(&self, voice: usize, report: &Report) -> Result<(), String> {
        match self.expected {
            Expected::Own => self.heard(report, caller_hz(voice), "audio"),
            Expected::OfTheOtherSide => self.heard(report, answer_hz(voice), "audio"),
            Expected::Tone(hz) if report.heard.time_of_tone(hz) < enough(report) => {
                Err(wrong(report, "audio"))
            }
            Expected::AnySound if loud(report) < enough(report).min(EDGES) => {
                Err("audio: silence".to_owned())
            }
            Expected::Tone(_) | Expected::AnySound => Ok(()),
        }
    }

    /// Whether the called party heard its caller.
    pub(super) fn judge_other_side(&self, voice: usize, report: &Report) -> Result<(), String> {
        self.heard(report, caller_hz(voice), "audio at the called party")
    }

    fn heard(&self, report: &Report, hz: u16, whose: &str) -> Result<(), String> {
        let everybody = self.all().take(TONES).flat_map(|voice| [caller_hz(voice), answer_hz(voice)]);
        let own = [hz, report.hz];
        let mut others = everybody.filter(|other| !own.contains(other));
        if others.any(|other| report.heard.time_of_tone(other) >= CROSSTALK) {
            return Err(format!("{whose}: somebody else's"));
        }
        if report.heard.time_of_tone(hz) < enough(report) { Err(wrong(report, whose)) } else { Ok(()) }
    }
}

/// The caller's tone.
pub(super) fn caller_hz(voice: usize) -> u16 {
    tone(FIRST_CALLER_HZ, voice)
}

/// The tone of whom it calls.
pub(super) fn answer_hz(voice: usize) -> u16 {
    tone(FIRST_ANSWER_HZ, voice)
}

fn tone(first: u16, voice: usize) -> u16 {
    first + APART_HZ * u16::try_from(voice % TONES).unwrap_or(0)
}

/// Half of what there was to be heard, but for the edges.
fn enough(report: &Report) -> Duration {
    let talk = report.answered.map_or(Duration::ZERO, |answered| report.ended - answered);
    talk.saturating_sub(EDGES) / 2
}

fn loud(report: &Report) -> Duration {
    let windows = report.heard.windows.iter().filter(|window| window.level_dbov > SILENCE_DBOV).count();
    Duration::from_millis(100) * u32::try_from(windows).unwrap_or(u32::MAX)
}

fn wrong(report: &Report, whose: &str) -> String {
    match (report.received.packets, loud(report) < CROSSTALK) {
        (0, _) => format!("{whose}: no packets"),
        (_, true) => format!("{whose}: silence"),
        (_, false) => format!("{whose}: wrong"),
    }
}
