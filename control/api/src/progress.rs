//! Call-progress analysis: what a control plane asks for, and what it is told.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What an analysis goes by. Values outside their range count as the nearest within it. The names in parentheses are
/// those of campaign managers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgressRules {
    /// Whether people are told from machines (amdEnabled); else whoever speaks is a person.
    pub tells_machines: bool,
    /// Whether the beep of a machine is waited for (terminatingToneDetect); needs `tells_machines`.
    pub awaits_beep: bool,
    /// A pause of so long ends what is said (minSilencePeriod): 100 to 1000 ms.
    pub min_silence: Duration,
    /// Who speaks so long without a pause is a machine (analysisPeriod): 1 to 10 s.
    pub analysis_period: Duration,
    /// Who pauses after so much speech at most is a person; between this and the analysis period it is not told.
    pub live_voice: Duration,
    /// Less is no speech (minimumValidSpeech): 50 to 500 ms.
    pub min_speech: Duration,
    /// Decided by then, counted from the answer, or from when the party begins to speak (maxTimeAnalysis): 1 to 10 s.
    pub max_time: Duration,
    /// How long the beep is waited for, from the verdict (maxTermToneAnalysis): 1 to 60 s.
    pub max_beep: Duration,
    /// How long it may ring after it was answered, as behind gateways that answer at once: 10 to 180 s.
    pub max_ringing: Duration,
}

impl Default for ProgressRules {
    fn default() -> Self {
        Self {
            tells_machines: true,
            awaits_beep: true,
            min_silence: Duration::from_millis(608),
            analysis_period: Duration::from_millis(2_500),
            live_voice: Duration::from_millis(1_800),
            min_speech: Duration::from_millis(112),
            max_time: Duration::from_millis(3_000),
            max_beep: Duration::from_secs(30),
            max_ringing: Duration::from_secs(60),
        }
    }
}

/// What answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// A person.
    LiveVoice,
    /// A recorded greeting: its beep may follow.
    AnsweringMachine,
    /// A fax.
    Fax,
    /// Busy tone.
    Busy,
    /// Reorder or congestion tone.
    Reorder,
    /// Special information tone (ITU-T E.180): the call failed, and an announcement says why.
    SpecialInformation(SpecialInformation),
    /// It was answered, and has rung ever since.
    Ringback,
    /// Nothing to be heard.
    Silence,
    /// Something else, or too little to tell.
    Unsure,
}

impl Verdict {
    /// As records and metrics show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LiveVoice => "live-voice",
            Self::AnsweringMachine => "answering-machine",
            Self::Fax => "fax",
            Self::Busy => "busy",
            Self::Reorder => "reorder",
            Self::SpecialInformation(SpecialInformation::Intercept) => "sit-intercept",
            Self::SpecialInformation(SpecialInformation::VacantCode) => "sit-vacant-code",
            Self::SpecialInformation(SpecialInformation::Reorder) => "sit-reorder",
            Self::SpecialInformation(SpecialInformation::NoCircuit) => "sit-no-circuit",
            Self::SpecialInformation(SpecialInformation::Other) => "sit",
            Self::Ringback => "ringback",
            Self::Silence => "silence",
            Self::Unsure => "unsure",
        }
    }

    /// Whether somebody may be there to talk to: a person, or what was not told from one.
    #[must_use]
    pub const fn may_be_person(self) -> bool {
        matches!(self, Self::LiveVoice | Self::Unsure)
    }
}

/// What a special information tone says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// A verdict and what it goes by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgressReport {
    /// What answers.
    pub verdict: Verdict,
    /// When that was clear: counted from the answer, or from the begin of the analysis when there was no answer yet.
    pub after: Duration,
    /// What was heard, the latest last; at most [`ProgressReport::MAX_EVIDENCE`] pieces.
    pub evidence: Vec<Evidence>,
}

impl ProgressReport {
    /// Pieces of evidence kept of one analysis; the oldest are left out.
    pub const MAX_EVIDENCE: usize = 40;
}

/// A piece of what was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// In words: `live-voice after 1.24 s: 0.30 s silence, 0.44 s speech at -18 dBm0, …`.
impl fmt::Display for ProgressReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} after {:.2} s", self.verdict.name(), self.after.as_secs_f64())?;
        for (n, piece) in self.evidence.iter().enumerate() {
            write!(f, "{}{piece}", if n == 0 { ": " } else { ", " })?;
        }
        Ok(())
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} s ", self.lasted.as_secs_f64())?;
        match self.kind {
            EvidenceKind::Silence => return f.write_str("silence"),
            EvidenceKind::Tone { low_hz, high_hz: None } => write!(f, "{low_hz} Hz")?,
            EvidenceKind::Tone { low_hz, high_hz: Some(high_hz) } => write!(f, "{low_hz}+{high_hz} Hz")?,
            EvidenceKind::Speech => f.write_str("speech")?,
            EvidenceKind::Noise => f.write_str("noise")?,
        }
        write!(f, " at {} dBm0", self.level_dbm0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_was_heard() {
        let piece = |ms, kind, level_dbm0| {
            let lasted = Duration::from_millis(ms);
            Evidence { at: Duration::ZERO, lasted, kind, level_dbm0 }
        };
        let report = ProgressReport {
            verdict: Verdict::Busy,
            after: Duration::from_millis(2_020),
            evidence: vec![
                piece(480, EvidenceKind::Tone { low_hz: 425, high_hz: None }, -12),
                piece(490, EvidenceKind::Silence, -60),
                piece(100, EvidenceKind::Tone { low_hz: 480, high_hz: Some(620) }, -13),
            ],
        };
        let words =
            "busy after 2.02 s: 0.48 s 425 Hz at -12 dBm0, 0.49 s silence, 0.10 s 480+620 Hz at -13 dBm0";
        assert_eq!(report.to_string(), words);
    }
}
