//! Call-progress analysis: what answers a call, by what is heard of it.
//!
//! Owner thread: a media worker, one [`Analyser`] for each leg that is listened to. It must not allocate per frame, nor
//! guess: what it is not sure of it calls [`Verdict::Unsure`].
//!
//! ```text
//!             answered                      a verdict                    its beep, or none in time
//! Ringing ───────────────► Deciding ───────────────────────────► Beeping ─────────────────────────► Over
//!    │                        │  a person, nobody, a fax …          (a machine, or unsure)            ▲
//!    └── busy, reorder, SIT ──┴───────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Every 10 ms the sound is measured (`meter.rs`): its level, whether it is one tone or two and which, whether it has a
//! pitch as voices have. Tones of a kind make bursts, and bursts cadences (`tones.rs`): ringing, busy, reorder, the
//! special information tones of ITU-T E.180, fax. What has a pitch and is no tone is speech (`speech.rs`): short and then
//! a pause is a person who waits for an answer, long and on is a greeting that was recorded. All of it is kept as
//! evidence ([`Evidence`]).

mod evidence;
mod meter;
mod rules;
mod spans;
mod speech;
mod tones;

use std::time::Duration;

pub use evidence::{Evidence, EvidenceKind, MAX_EVIDENCE};
pub use rules::{ProgressRules, RuleRange};

use evidence::Timeline;
use meter::{Frame, Meter, Sound};
use spans::Spans;
use speech::{Heard, SpeechWatch};
use tones::{ToneEvent, Tones};

/// How long a frame is.
const FRAME: Duration = Duration::from_millis(meter::FRAME_MS as u64);
/// What is missing of at most so many samples got lost: it was like what came before.
const MAX_LOST: usize = 480;
/// The longest pause between two rings (Sweden: 5 s), and some more.
const RING_PAUSE: Duration = Duration::from_millis(6_500);

/// What answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A person.
    LiveVoice,
    /// A recorded greeting: its beep may follow.
    AnsweringMachine,
    /// A fax that answers (ITU-T T.30 §4.3.3.2, CED, 2100 Hz) or calls (CNG, 1100 Hz).
    Fax,
    /// Busy tone.
    Busy,
    /// Reorder or congestion tone.
    Reorder,
    /// Special information tone (ITU-T E.180 §5): the call failed, and an announcement says why.
    SpecialInformation(SpecialInformation),
    /// It was answered, and has rung ever since.
    Ringback,
    /// Nothing to be heard.
    Silence,
    /// Something else, or too little to tell.
    Unsure,
}

/// What the frequencies and durations of a special information tone say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpecialInformation {
    /// Number changed or disconnected.
    Intercept,
    /// No such number, or code.
    VacantCode,
    /// The number is incomplete, or the call failed on its way.
    Reorder,
    /// All circuits are busy.
    NoCircuit,
    /// Failed otherwise.
    Other,
}

/// What came of the analysis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// What answers, told once.
    Verdict {
        /// What.
        verdict: Verdict,
        /// So long after the answer; after the begin when there was none.
        after: Duration,
    },
    /// The machine's beep is over: it records.
    Beep {
        /// So long after the answer.
        after: Duration,
    },
    /// It did not beep in time.
    NoBeep,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Ringing,
    Deciding,
    /// Until that frame.
    Beeping(u32),
    Over,
}

/// Listens to a party from when its media can be heard.
#[derive(Clone, Debug)]
pub struct Analyser {
    rules: ProgressRules,
    phase: Phase,
    meter: Meter,
    spans: Spans,
    tones: Tones,
    speech: SpeechWatch,
    timeline: Timeline,
    latest: Option<Frame>,
    /// Frames heard.
    now: u32,
    answered_at: u32,
    /// When the answered party was heard to ring first, and until when more of it is waited for.
    rings: Option<(u32, u32)>,
    /// Whether anything was loud enough to be heard since the answer.
    is_silent: bool,
    verdict: Option<Finding>,
    beep: Option<Finding>,
}

impl Analyser {
    /// One that begins now; whether the party has answered already.
    #[must_use]
    pub fn new(rules: ProgressRules, is_answered: bool) -> Self {
        Self {
            rules,
            phase: if is_answered { Phase::Deciding } else { Phase::Ringing },
            meter: Meter::default(),
            spans: Spans::default(),
            tones: Tones::default(),
            speech: SpeechWatch::default(),
            timeline: Timeline::default(),
            latest: None,
            now: 0,
            answered_at: 0,
            rings: None,
            is_silent: true,
            verdict: None,
            beep: None,
        }
    }

    /// The party has answered: what it says counts from now on.
    pub fn answered(&mut self) {
        if self.phase == Phase::Ringing {
            self.phase = Phase::Deciding;
            self.answered_at = self.now;
            self.speech = SpeechWatch::default();
        }
    }

    /// Takes what the party sent next, at [`crate::Audio::RATE_HZ`].
    pub fn hear(&mut self, samples: impl Iterator<Item = i16>) {
        for sample in samples {
            if let Some(frame) = self.meter.take(sample) {
                self.latest = Some(frame);
                self.frame(frame);
            }
        }
    }

    /// Nothing came for so many samples: lost when they are few, else not sent since there was nothing to hear.
    pub fn miss(&mut self, samples: usize) {
        match self.latest {
            Some(latest) if samples <= MAX_LOST => {
                (0..samples / meter::FRAME).for_each(|_| self.frame(latest))
            }
            _ => self.hear(std::iter::repeat_n(0, samples)),
        }
    }

    /// What was found, each once, in order. To be asked after each packet.
    pub fn poll(&mut self) -> Option<Finding> {
        self.verdict.take().or_else(|| self.beep.take())
    }

    /// Whether nothing more will be found.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over) && self.verdict.is_none() && self.beep.is_none()
    }

    /// What was heard so far, the latest [`MAX_EVIDENCE`] pieces of it.
    #[must_use]
    pub fn evidence(&self) -> &[Evidence] {
        self.timeline.pieces()
    }

    /// How much was heard.
    #[must_use]
    pub const fn heard(&self) -> Duration {
        FRAME.saturating_mul(self.now)
    }

    fn frame(&mut self, frame: Frame) {
        if self.phase == Phase::Over {
            return;
        }
        self.now = self.now.saturating_add(1);
        self.is_silent &= matches!(frame.sound, Sound::Quiet);
        let ended = self.spans.push(self.now, frame);
        let current = self.spans.current();
        self.timeline.push(self.now, &frame, &current);
        let tone = self.tones.push(self.now, ended.as_ref(), &current, self.speech.is_heard());
        let heard = self.speech.push(self.now, &frame, &current, &self.rules);
        match self.phase {
            Phase::Ringing => self.while_ringing(tone),
            Phase::Deciding => self.while_deciding(tone, heard),
            Phase::Beeping(until) => self.while_beeping(tone, until),
            Phase::Over => {}
        }
    }

    fn while_ringing(&mut self, tone: Option<ToneEvent>) {
        if let Some(verdict) = tone.and_then(ToneEvent::verdict) {
            self.decide(verdict);
        }
    }

    fn while_deciding(&mut self, tone: Option<ToneEvent>, heard: Option<Heard>) {
        if let Some(verdict) = tone.and_then(ToneEvent::verdict) {
            return self.decide(verdict);
        }
        match tone {
            Some(ToneEvent::Rings) => {
                let first = self.rings.map_or(self.now, |(first, _)| first);
                self.rings = Some((first, self.now + frames(RING_PAUSE)));
                self.speech = SpeechWatch::default();
            }
            // A beep straight after the answer's first words: nobody beeps but a machine.
            Some(ToneEvent::Beep) if self.rules.tells_machines => {
                self.decide(Verdict::AnsweringMachine);
                return self.beeped();
            }
            _ => {}
        }
        match heard {
            Some(Heard::Pause { speech })
                if !self.rules.tells_machines || speech <= self.rules.live_voice =>
            {
                self.decide(Verdict::LiveVoice);
            }
            Some(Heard::Pause { .. } | Heard::Music) => self.decide(Verdict::Unsure),
            Some(Heard::Speech) if !self.rules.tells_machines => self.decide(Verdict::LiveVoice),
            Some(Heard::Long) => self.decide(Verdict::AnsweringMachine),
            _ if self.tones.may_ring(self.now, &self.spans.current()) => {}
            _ => self.decide_in_time(),
        }
    }

    /// Decides when there is no more time.
    fn decide_in_time(&mut self) {
        if let Some((first, until)) = self.rings {
            if self.now - first >= frames(self.rules.max_ringing) {
                return self.decide(Verdict::Ringback);
            }
            if self.now < until && !self.speech.is_heard() {
                return;
            }
        }
        let from =
            self.speech.began_at().unwrap_or_else(|| self.rings.map_or(self.answered_at, |(_, until)| until));
        if self.now.saturating_sub(from.max(self.answered_at)) < frames(self.rules.max_time) {
            return;
        }
        self.decide(if self.is_silent { Verdict::Silence } else { Verdict::Unsure });
    }

    fn while_beeping(&mut self, tone: Option<ToneEvent>, until: u32) {
        if tone == Some(ToneEvent::Beep) {
            self.beeped();
        } else if self.now >= until {
            self.phase = Phase::Over;
            self.beep = Some(Finding::NoBeep);
        }
    }

    fn decide(&mut self, verdict: Verdict) {
        let beeps = matches!(verdict, Verdict::LiveVoice | Verdict::AnsweringMachine | Verdict::Unsure)
            && self.rules.awaits_beep
            && self.phase == Phase::Deciding;
        self.phase = if beeps { Phase::Beeping(self.now + frames(self.rules.max_beep)) } else { Phase::Over };
        self.verdict = Some(Finding::Verdict { verdict, after: self.since_answer() });
    }

    fn beeped(&mut self) {
        // One that nobody waits for is none.
        if let Phase::Beeping(_) = self.phase {
            self.phase = Phase::Over;
            self.beep = Some(Finding::Beep { after: self.since_answer() });
        }
    }

    const fn since_answer(&self) -> Duration {
        FRAME.saturating_mul(self.now - self.answered_at)
    }
}

/// Whole frames in a duration.
const fn frames(duration: Duration) -> u32 {
    (duration.as_millis() / FRAME.as_millis()) as u32
}

#[cfg(test)]
mod tests;
