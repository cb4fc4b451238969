//! What happened, counted.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use tandem_phone::measured::Histogram;
use tandem_phone_net::Totals;

use super::percentiles::Percentiles;
use super::process::Usage;
use super::scenario::Scenario;

/// Seconds that are told one by one; a longer run is told as a whole only.
const MAX_SECONDS: usize = 86_400;

/// Something that takes time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    /// INVITE until its first provisional response, usually 100.
    InviteTrying,
    /// INVITE until 180 or 183.
    InviteRinging,
    /// INVITE until it comes out at the called carrier.
    InviteOut,
    /// INVITE until 200.
    InviteAnswered,
    /// The called carrier's 200 until its ACK.
    AnswerAcknowledged,
    /// BYE until 200.
    ByeAnswered,
    /// The first REGISTER until 401.
    RegisterChallenged,
    /// The first REGISTER until 200.
    Registered,
    /// REGISTER that removes the contact until 200, a new challenge included.
    Unregistered,
    /// OPTIONS until its answer.
    OptionsAnswered,
}

impl Step {
    /// As people write it.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::InviteTrying => "INVITE → 100",
            Self::InviteRinging => "INVITE → 180",
            Self::InviteOut => "INVITE → INVITE out",
            Self::InviteAnswered => "INVITE → 200",
            Self::AnswerAcknowledged => "200 → ACK",
            Self::ByeAnswered => "BYE → 200",
            Self::RegisterChallenged => "REGISTER → 401",
            Self::Registered => "REGISTER → 200",
            Self::Unregistered => "de-REGISTER → 200",
            Self::OptionsAnswered => "OPTIONS → 200",
        }
    }

    /// The step a scenario is judged by; a flood has none.
    pub(super) const fn main_of(scenario: Scenario) -> Option<Self> {
        match scenario {
            Scenario::Register => Some(Self::Registered),
            Scenario::Options => Some(Self::OptionsAnswered),
            Scenario::Flood => None,
            Scenario::Call | Scenario::Echo | Scenario::SrtpCall | Scenario::Straight => {
                Some(Self::InviteAnswered)
            }
            Scenario::Relay
            | Scenario::Srtp
            | Scenario::Play
            | Scenario::Transcode
            | Scenario::Conference => Some(Self::InviteAnswered),
        }
    }
}

/// Counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    /// Begun: calls, registrations, questions, datagrams.
    pub(super) begun: u64,
    /// Calls that were answered.
    pub(super) answered: u64,
    /// Those that went well until their end.
    pub(super) completed: u64,
    /// Those that did not.
    pub(super) failed: u64,
    /// Due, and not begun: there were as many as may be, or they were going on still.
    pub(super) held_back: u64,
    /// Calls whose audio was listened to and was right.
    pub(super) audio_verified: u64,
    /// Registrations that were refreshed because half their time was over.
    pub(super) refreshed: u64,
    /// Contacts that were removed at the end.
    pub(super) removed: u64,
}

/// One second of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Second {
    /// Since the start, at its end.
    pub(super) at_s: f64,
    pub(super) begun: u64,
    pub(super) completed: u64,
    pub(super) failed: u64,
    /// Going on at its end.
    pub(super) open: u64,
    /// Of the scenario's main step; none when nothing took it.
    pub(super) p50_ms: Option<f64>,
    pub(super) p90_ms: Option<f64>,
    pub(super) p99_ms: Option<f64>,
    /// Of the process under test, in one core's hundredths.
    pub(super) cpu_percent: Option<f64>,
    pub(super) resident_mib: Option<f64>,
    /// Packets that came, where every one is checked.
    pub(super) packets: u64,
    /// Packets that never came, came twice or were wrong.
    pub(super) lost: u64,
    pub(super) delay_p50_ms: Option<f64>,
    pub(super) delay_p99_ms: Option<f64>,
}

/// Everything that is counted in a run.
pub(super) struct Tally {
    main: Option<Step>,
    pub(super) counts: Counts,
    pub(super) failures: BTreeMap<String, u64>,
    pub(super) most_open: u64,
    /// How much later than due things began.
    pub(super) late: Histogram,
    steps: BTreeMap<Step, Histogram>,
    pub(super) seconds: Vec<Second>,
    this_second: Histogram,
    before: (f64, Counts, Option<Usage>),
    /// What streams counted since the second began.
    of_this_second: Totals,
    /// What they counted while it was measured what they cost.
    pub(super) measured: Option<Totals>,
}

impl Tally {
    pub(super) fn new(scenario: Scenario, node: Option<Usage>) -> Self {
        Self {
            main: Step::main_of(scenario),
            counts: Counts::default(),
            failures: BTreeMap::new(),
            most_open: 0,
            late: Histogram::default(),
            steps: BTreeMap::new(),
            seconds: Vec::new(),
            this_second: Histogram::default(),
            before: (0.0, Counts::default(), node),
            of_this_second: Totals::default(),
            measured: None,
        }
    }

    pub(super) fn took(&mut self, step: Step, took: Duration) {
        self.steps.entry(step).or_default().record(took);
        if self.main == Some(step) {
            self.this_second.record(took);
        }
    }

    pub(super) fn failed(&mut self, cause: impl Into<String>) {
        self.counts.failed += 1;
        *self.failures.entry(cause.into()).or_default() += 1;
    }

    pub(super) fn streamed(&mut self, totals: &Totals) {
        self.of_this_second.add(totals);
        if let Some(measured) = &mut self.measured {
            measured.add(totals);
        }
    }

    pub(super) fn open(&mut self, open: usize) {
        self.most_open = self.most_open.max(open as u64);
    }

    pub(super) fn steps(&self) -> impl Iterator<Item = (Step, Percentiles)> + '_ {
        self.steps.iter().map(|(step, histogram)| (*step, histogram.into()))
    }

    /// The 99th percentile of the main step, of the whole run.
    pub(super) fn main_p99_ms(&self) -> Option<f64> {
        self.steps.get(&self.main?)?.quantile_ms(990)
    }

    /// A second is over; what there is to tell of it.
    pub(super) fn second_over(&mut self, since: Duration, open: usize, node: Option<Usage>) -> Second {
        let (at_s, (before_s, before, usage)) = (since.as_secs_f64(), self.before);
        let histogram = std::mem::take(&mut self.this_second);
        let Totals { counts, delays, .. } = std::mem::take(&mut self.of_this_second);
        let cpu = |now: Usage| Some((now.cpu_s - usage?.cpu_s) / (at_s - before_s).max(0.001) * 100.0);
        let second = Second {
            at_s,
            begun: self.counts.begun - before.begun,
            completed: self.counts.completed - before.completed,
            failed: self.counts.failed - before.failed,
            open: open as u64,
            p50_ms: histogram.quantile_ms(500),
            p90_ms: histogram.quantile_ms(900),
            p99_ms: histogram.quantile_ms(990),
            cpu_percent: node.and_then(cpu),
            resident_mib: node.map(|usage| usage.resident_mib),
            packets: counts.received,
            lost: counts.wrong(),
            delay_p50_ms: delays.quantile_ms(500),
            delay_p99_ms: delays.quantile_ms(990),
        };
        self.before = (at_s, self.counts, node);
        if self.seconds.len() < MAX_SECONDS {
            self.seconds.push(second);
        }
        second
    }
}
