//! Call-progress analysis judged on a labelled corpus: a confusion matrix, and how long a verdict takes.

mod corpus;
mod picture;
mod sounds;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

pub use corpus::{Class, Sample, corpus};
use tandem_media::progress::{Analyser, Finding, ProgressRules, Verdict};

/// A packet's samples.
const PACKET: usize = 160;

/// What was made of a sample.
#[derive(Clone, Copy, Debug)]
pub struct Judged {
    /// What it was taken for; none when the sample was over before.
    pub verdict: Option<Verdict>,
    /// From the begin of what matters to the verdict.
    pub latency: Duration,
    /// From the true end of the beep to when it was told; the beep was told too early when negative.
    pub beep_late_ms: Option<i64>,
}

/// Lets an analyser hear a sample as a call's audio from the answer on.
#[must_use]
pub fn judge(sample: &Sample, rules: ProgressRules) -> Judged {
    let mut analyser = Analyser::new(rules, true);
    let mut judged = Judged { verdict: None, latency: Duration::ZERO, beep_late_ms: None };
    for (n, packet) in sample.audio.chunks(PACKET).enumerate() {
        analyser.hear(packet.iter().copied());
        let heard = n * PACKET + packet.len();
        while let Some(finding) = analyser.poll() {
            match finding {
                Finding::Verdict { verdict, .. } => {
                    let since = heard.saturating_sub(sample.begins);
                    judged.verdict = Some(verdict);
                    judged.latency = Duration::from_micros(since as u64 * 125);
                }
                Finding::Beep { .. } => {
                    let end = sample.beep_ends.unwrap_or_default();
                    judged.beep_late_ms = Some((heard as i64 - end as i64) / 8);
                }
                Finding::NoBeep => {}
            }
        }
    }
    judged
}

/// What an answer may be taken for, as a table shows it.
#[must_use]
pub const fn verdict_name(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::LiveVoice) => "live voice",
        Some(Verdict::AnsweringMachine) => "machine",
        Some(Verdict::Fax) => "fax",
        Some(Verdict::Busy) => "busy",
        Some(Verdict::Reorder) => "reorder",
        Some(Verdict::SpecialInformation(_)) => "special",
        Some(Verdict::Ringback) => "ringback",
        Some(Verdict::Silence) => "silence",
        Some(Verdict::Unsure) => "unsure",
        None => "none",
    }
}

/// What is asked of an analysis, in percent of a class unless said.
#[derive(Clone, Copy, Debug)]
pub struct Bar {
    /// Tones, faxes and silence that are told.
    pub tones_right: f64,
    /// People and machines that are told.
    pub voices_right: f64,
    /// People taken for machines, and machines for people.
    pub voices_wrong: f64,
    /// Noise and music taken for a person.
    pub sounds_wrong: f64,
    /// Beeps that are heard, and none too early.
    pub beeps_heard: f64,
    /// How long a verdict on a person may take from the first word on, for nine of ten.
    pub person_latency: Duration,
    /// How late a beep may be told.
    pub beep_latency: Duration,
}

impl Default for Bar {
    fn default() -> Self {
        Self {
            tones_right: 100.0,
            voices_right: 90.0,
            voices_wrong: 5.0,
            sounds_wrong: 0.0,
            beeps_heard: 95.0,
            person_latency: Duration::from_millis(2_500),
            beep_latency: Duration::from_millis(250),
        }
    }
}

/// All that was judged, by class.
#[derive(Debug, Default)]
pub struct Matrix {
    rows: BTreeMap<Class, Vec<Judged>>,
    right: BTreeMap<Class, usize>,
    /// Samples with a wrong verdict, and which.
    wrong: Vec<String>,
}

/// The verdicts as the table has them.
const VERDICTS: [&str; 9] =
    ["live voice", "machine", "fax", "busy", "reorder", "special", "ringback", "silence", "unsure"];

impl Matrix {
    /// Judges the corpus.
    #[must_use]
    pub fn of(samples: &[Sample], rules: ProgressRules) -> Self {
        let mut matrix = Self::default();
        for sample in samples {
            let judged = judge(sample, rules);
            let is_right = judged.verdict == Some(sample.right);
            *matrix.right.entry(sample.class).or_default() += usize::from(is_right);
            if !is_right && judged.verdict != Some(Verdict::Unsure) {
                matrix.wrong.push(format!("{} is called {}", sample.name, verdict_name(judged.verdict)));
            }
            matrix.rows.entry(sample.class).or_default().push(judged);
        }
        matrix
    }

    /// How many there are of a class.
    #[must_use]
    pub fn count(&self, class: Class) -> usize {
        self.row(class).len()
    }

    /// How many of a class were taken for that, in percent.
    #[must_use]
    pub fn share(&self, class: Class, verdict: &str) -> f64 {
        let row = self.row(class);
        let taken = row.iter().filter(|judged| verdict_name(judged.verdict) == verdict).count();
        percent(taken, row.len())
    }

    /// Latencies of a class, sorted.
    #[must_use]
    pub fn latencies(&self, class: Class) -> Vec<Duration> {
        let mut latencies: Vec<_> = self.row(class).iter().map(|judged| judged.latency).collect();
        latencies.sort();
        latencies
    }

    /// Beeps that were told, in percent, and how late the latest.
    #[must_use]
    pub fn beeps(&self) -> (f64, Duration) {
        let machines = self.row(Class::Machine);
        let told = || machines.iter().filter_map(|judged| u64::try_from(judged.beep_late_ms?).ok());
        (percent(told().count(), machines.len()), Duration::from_millis(told().max().unwrap_or_default()))
    }

    /// What of the bar is missed, in words.
    #[must_use]
    pub fn missed(&self, bar: &Bar) -> Vec<String> {
        let mut missed = Vec::new();
        let mut least = |what: &str, is: f64, asked: f64| {
            if is < asked {
                missed.push(format!("{what}: {is:.1} %, and {asked:.1} % are asked"));
            }
        };
        for class in Class::ALL {
            let right = percent(self.right.get(&class).copied().unwrap_or_default(), self.count(class));
            match class {
                Class::Person | Class::Machine => least(class.name(), right, bar.voices_right),
                Class::Music | Class::Noise => {
                    least(class.name(), 100.0 - self.share(class, "live voice"), 100.0 - bar.sounds_wrong);
                }
                _ => least(class.name(), right, bar.tones_right),
            }
        }
        least(
            "people not called machines",
            100.0 - self.share(Class::Person, "machine"),
            100.0 - bar.voices_wrong,
        );
        least(
            "machines not called people",
            100.0 - self.share(Class::Machine, "live voice"),
            100.0 - bar.voices_wrong,
        );
        let (beeps, latest) = self.beeps();
        least("beeps", beeps, bar.beeps_heard);
        if latest > bar.beep_latency {
            missed.push(format!("a beep was told {latest:?} late"));
        }
        let latencies = self.latencies(Class::Person);
        let slow = latencies.get(latencies.len() * 9 / 10).copied().unwrap_or_default();
        if slow > bar.person_latency {
            missed.push(format!("one person of ten is told after {slow:?} only"));
        }
        missed
    }

    /// Classes in rows, verdicts in columns, then what was wrong and how long verdicts took.
    #[must_use]
    pub fn table(&self) -> String {
        let mut table = format!("{:20}", "");
        for verdict in VERDICTS {
            let _ = write!(table, "{verdict:>11}");
        }
        table.push_str("     median    slowest\n");
        for class in Class::ALL {
            let _ = write!(table, "{:20}", class.name());
            for verdict in VERDICTS {
                let row = self.row(class);
                let count = row.iter().filter(|judged| verdict_name(judged.verdict) == verdict).count();
                let _ = if count == 0 { write!(table, "{:>11}", "·") } else { write!(table, "{count:>11}") };
            }
            let latencies = self.latencies(class);
            let median = latencies.get(latencies.len() / 2).copied().unwrap_or_default();
            let slowest = latencies.last().copied().unwrap_or_default();
            let _ = writeln!(table, "{:>9.2} s{:>9.2} s", median.as_secs_f64(), slowest.as_secs_f64());
        }
        let (beeps, latest) = self.beeps();
        let _ = writeln!(table, "beeps: {beeps:.1} % told, {} ms late at most", latest.as_millis());
        for wrong in &self.wrong {
            let _ = writeln!(table, "wrong: {wrong}");
        }
        table
    }

    fn row(&self, class: Class) -> &[Judged] {
        self.rows.get(&class).map(Vec::as_slice).unwrap_or_default()
    }
}

fn percent(part: usize, of: usize) -> f64 {
    100.0 * part as f64 / of.max(1) as f64
}
