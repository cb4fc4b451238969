//! What a call-progress analysis goes by.

use std::ops::RangeInclusive;
use std::time::Duration;

/// The parameters of an analysis. The names in parentheses are those of campaign managers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgressRules {
    /// Whether people are told from machines (amdEnabled); else whoever speaks is a person.
    pub tells_machines: bool,
    /// Whether the beep of a machine is waited for (terminatingToneDetect).
    pub awaits_beep: bool,
    /// A pause of so long ends what is said (minSilencePeriod).
    pub min_silence: Duration,
    /// Who speaks so long without a pause is a machine (analysisPeriod).
    pub analysis_period: Duration,
    /// Who pauses after so much speech at most is a person; between this and the analysis period it is not told.
    pub live_voice: Duration,
    /// Less is no speech (minimumValidSpeech).
    pub min_speech: Duration,
    /// Decided by then, counted from the answer, or from when the party begins to speak (maxTimeAnalysis).
    pub max_time: Duration,
    /// How long the beep is waited for, from the verdict (maxTermToneAnalysis).
    pub max_beep: Duration,
    /// How long it may ring after it was answered, as behind gateways that answer at once.
    pub max_ringing: Duration,
}

/// From where to where a parameter may be.
pub type RuleRange = RangeInclusive<Duration>;

impl ProgressRules {
    /// The range of `min_silence`.
    pub const MIN_SILENCE: RuleRange = millis(100, 1_000);
    /// The range of `analysis_period`, and of `live_voice`, which is no longer than that.
    pub const ANALYSIS_PERIOD: RuleRange = millis(1_000, 10_000);
    /// The range of `min_speech`.
    pub const MIN_SPEECH: RuleRange = millis(50, 500);
    /// The range of `max_time`.
    pub const MAX_TIME: RuleRange = millis(1_000, 10_000);
    /// The range of `max_beep`.
    pub const MAX_BEEP: RuleRange = millis(1_000, 60_000);
    /// The range of `max_ringing`.
    pub const MAX_RINGING: RuleRange = millis(10_000, 180_000);

    /// The same, each parameter within its range.
    #[must_use]
    pub fn clamped(self) -> Self {
        let within = |value: Duration, range: RuleRange| value.clamp(*range.start(), *range.end());
        let analysis_period = within(self.analysis_period, Self::ANALYSIS_PERIOD);
        Self {
            tells_machines: self.tells_machines,
            awaits_beep: self.awaits_beep && self.tells_machines,
            min_silence: within(self.min_silence, Self::MIN_SILENCE),
            analysis_period,
            live_voice: self.live_voice.min(analysis_period),
            min_speech: within(self.min_speech, Self::MIN_SPEECH),
            max_time: within(self.max_time, Self::MAX_TIME),
            max_beep: within(self.max_beep, Self::MAX_BEEP),
            max_ringing: within(self.max_ringing, Self::MAX_RINGING),
        }
    }
}

const fn millis(from: u64, to: u64) -> RuleRange {
    Duration::from_millis(from)..=Duration::from_millis(to)
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
            max_beep: Duration::from_millis(30_000),
            max_ringing: Duration::from_millis(60_000),
        }
    }
}
