//! What is told of a run: for people, for programs, and whether it was good enough.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;
use tandem_phone_net::Traffic;

use super::arguments::{Plan, Thresholds};
use super::cost::MediaUse;
use super::percentiles::Percentiles;
use super::process::{self, Usage};
use super::scenario::Scenario;
use super::tally::{Counts, Second, Step, Tally};

/// What was measured beside the traffic, at one time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Measured {
    pub(super) at: Duration,
    pub(super) node: Option<Usage>,
    pub(super) ours: Usage,
    pub(super) drops: u64,
    pub(super) own_drops: u64,
}

/// How it ended.
pub(super) struct Ending {
    pub(super) ran_for: Duration,
    pub(super) interrupted: bool,
    pub(super) listened_to: Option<&'static str>,
    pub(super) traffic: Traffic,
    pub(super) why_lost: Option<String>,
    pub(super) pid: Option<u32>,
}

/// A run.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    pub(super) scenario: Scenario,
    pub(super) target: String,
    pub(super) transport: &'static str,
    /// As asked for.
    pub(super) rate: f64,
    pub(super) ramp_s: f64,
    pub(super) hold_s: f64,
    /// How long new ones began.
    pub(super) ran_for_s: f64,
    /// As it was.
    pub(super) begun_per_second: f64,
    #[serde(flatten)]
    pub(super) counts: Counts,
    pub(super) most_open: u64,
    /// How many failed of what.
    pub(super) failures: BTreeMap<String, u64>,
    /// What was listened to in a sample of the calls; none when nothing was.
    pub(super) audio: Option<&'static str>,
    pub(super) steps: BTreeMap<Step, Percentiles>,
    /// What was counted while all calls were up and every packet was checked; none in other scenarios.
    pub(super) media: Option<MediaUse>,
    /// The machine's processor, its cores, its kernel.
    pub(super) machine: String,
    /// The process under test, while new ones began and the last ones ended.
    pub(super) node: Option<NodeUse>,
    pub(super) generator: GeneratorUse,
    pub(super) messages: Messages,
    pub(super) thresholds: Vec<Judged>,
    /// Whether every threshold held and, when none was set, anything went well.
    pub(super) passed: bool,
    /// Ctrl-C.
    pub(super) interrupted: bool,
    pub(super) over_time: Vec<Second>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct NodeUse {
    pub(super) pid: u32,
    pub(super) cpu_s: f64,
    /// For a thousand of what was completed; none when nothing was.
    pub(super) cpu_s_per_1000: Option<f64>,
    /// Of one core, in hundredths.
    pub(super) cpu_percent: f64,
    pub(super) resident_mib_before: f64,
    pub(super) resident_mib_most: f64,
    pub(super) resident_mib_after: f64,
    /// Datagrams the kernel threw away because the node did not read them in time.
    pub(super) receive_drops: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct GeneratorUse {
    pub(super) cpu_s: f64,
    pub(super) cpu_percent: f64,
    /// How much later than due things began: when this is long, the generator is what was measured.
    pub(super) late: Percentiles,
    pub(super) receive_drops: u64,
    pub(super) events_lost: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Messages {
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) not_sent: u64,
    pub(super) unusable: u64,
    pub(super) media_sent: u64,
    pub(super) connections: u64,
    pub(super) connections_lost: u64,
    pub(super) why_lost: Option<String>,
}

/// A threshold, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Judged {
    pub(super) what: &'static str,
    pub(super) limit: f64,
    /// None when there was nothing to measure, which is not good enough.
    pub(super) value: Option<f64>,
    pub(super) held: bool,
}

impl Thresholds {
    pub(super) fn judge(self, failed: u64, p99_ms: Option<f64>, media: Option<&MediaUse>) -> Vec<Judged> {
        let failures = self.max_failures.map(|limit| Judged {
            what: "failures",
            limit: limit as f64,
            value: Some(failed as f64),
            held: failed <= limit,
        });
        let latency = self.p99_ms.map(|limit| Judged {
            what: "p99 in ms",
            limit,
            value: p99_ms,
            held: p99_ms.is_some_and(|p99| p99 <= limit),
        });
        let wrong = media.map(|media| media.wrong() as f64);
        let lost = self.max_lost.map(|limit| Judged {
            what: "packets lost or wrong",
            limit: limit as f64,
            value: wrong,
            held: wrong.is_some_and(|wrong| wrong <= limit as f64),
        });
        let delay_ms = media.map(|media| media.delay.p99_ms).filter(|_| wrong.is_some());
        let delay = self.delay_p99_ms.map(|limit| Judged {
            what: "added delay p99 in ms",
            limit,
            value: delay_ms,
            held: delay_ms.is_some_and(|p99| p99 <= limit),
        });
        failures.into_iter().chain(latency).chain(lost).chain(delay).collect()
    }
}

impl Summary {
    pub(super) fn of(
        plan: &Plan,
        tally: &Tally,
        ending: Ending,
        media: Option<MediaUse>,
        [before, after]: [Measured; 2],
    ) -> Self {
        let thresholds = plan.thresholds.judge(tally.counts.failed, tally.main_p99_ms(), media.as_ref());
        let counts = tally.counts;
        let passed = thresholds.iter().all(|it| it.held) && (!thresholds.is_empty() || counts.completed > 0);
        let wall_s = (after.at.saturating_sub(before.at)).as_secs_f64().max(0.001);
        let own_cpu_s = after.ours.cpu_s - before.ours.cpu_s;
        let traffic = ending.traffic;
        Self {
            scenario: plan.scenario,
            target: plan.target.to_string(),
            transport: match plan.transport {
                tandem_phone::Transport::Udp => "udp",
                tandem_phone::Transport::Tcp => "tcp",
                tandem_phone::Transport::Tls => "tls",
            },
            rate: plan.rate,
            ramp_s: plan.ramp.as_secs_f64(),
            hold_s: plan.hold.as_secs_f64(),
            ran_for_s: ending.ran_for.as_secs_f64(),
            begun_per_second: counts.begun as f64 / ending.ran_for.as_secs_f64().max(0.001),
            counts,
            most_open: tally.most_open,
            failures: tally.failures.clone(),
            audio: ending.listened_to,
            steps: tally.steps().collect(),
            media,
            machine: process::machine(),
            node: ending.pid.and_then(|pid| NodeUse::of(pid, tally, before, after, wall_s)),
            generator: GeneratorUse {
                cpu_s: own_cpu_s,
                cpu_percent: own_cpu_s / wall_s * 100.0,
                late: (&tally.late).into(),
                receive_drops: after.own_drops.saturating_sub(before.own_drops),
                events_lost: traffic.events_lost,
            },
            messages: Messages {
                sent: traffic.sent,
                received: traffic.received,
                not_sent: traffic.not_sent,
                unusable: traffic.unusable,
                media_sent: traffic.media_sent,
                connections: traffic.connections,
                connections_lost: traffic.connections_lost,
                why_lost: ending.why_lost,
            },
            passed,
            thresholds,
            interrupted: ending.interrupted,
            over_time: tally.seconds.clone(),
        }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let counts = &self.counts;
        writeln!(
            out,
            "{} over {} to {}: {} begun in {:.1} s ({:.1}/s){}",
            self.scenario.name(),
            self.transport,
            self.target,
            counts.begun,
            self.ran_for_s,
            self.begun_per_second,
            if self.interrupted { ", interrupted" } else { "" },
        )?;
        write!(out, "  completed {}   failed {}", counts.completed, counts.failed)?;
        if self.scenario.calls() {
            write!(out, "   answered {}   at most {} at a time", counts.answered, self.most_open)?;
        }
        if counts.held_back > 0 {
            write!(out, "   held back {}", counts.held_back)?;
        }
        writeln!(out)?;
        if let Some(audio) = self.audio {
            writeln!(out, "  audio of {} calls verified: {audio}", counts.audio_verified)?;
        }
        if self.scenario == Scenario::Register {
            writeln!(out, "  refreshed {}   removed {}", counts.refreshed, counts.removed)?;
        }
        for (cause, count) in &self.failures {
            writeln!(out, "  {count:>8} × {cause}")?;
        }
        if let Some(media) = &self.media {
            media.write(out)?;
        }
        self.write_steps(out)?;
        self.write_machine(out)?;
        for judged in &self.thresholds {
            let value =
                judged.value.map_or_else(|| "nothing measured".to_owned(), |value| format!("{value:.1}"));
            let verdict = if judged.held { "ok" } else { "BROKEN" };
            writeln!(out, "  {}: {value}, at most {}: {verdict}", judged.what, judged.limit)?;
        }
        Ok(())
    }

    fn write_steps(&self, out: &mut String) -> std::fmt::Result {
        if self.steps.is_empty() {
            return Ok(());
        }
        let head = ["p50 ms", "p90", "p99", "p99.9", "max", "count"];
        writeln!(
            out,
            "  {:<20}{:>9}{:>9}{:>9}{:>9}{:>9}{:>10}",
            "", head[0], head[1], head[2], head[3], head[4], head[5]
        )?;
        for (step, it) in &self.steps {
            writeln!(
                out,
                "  {:<20}{:>9.2}{:>9.2}{:>9.2}{:>9.2}{:>9.2}{:>10}",
                step.label(),
                it.p50_ms,
                it.p90_ms,
                it.p99_ms,
                it.p999_ms,
                it.max_ms,
                it.count
            )?;
        }
        Ok(())
    }

    fn write_machine(&self, out: &mut String) -> std::fmt::Result {
        if let Some(node) = &self.node {
            writeln!(
                out,
                "  node (pid {}): {:.2} CPU-s, {} for 1,000, {:.0} % of a core; {:.1} → {:.1} MiB (most {:.1}); kernel dropped {}",
                node.pid,
                node.cpu_s,
                told(node.cpu_s_per_1000),
                node.cpu_percent,
                node.resident_mib_before,
                node.resident_mib_after,
                node.resident_mib_most,
                node.receive_drops,
            )?;
        }
        let own = &self.generator;
        writeln!(out, "  machine: {}", self.machine)?;
        writeln!(
            out,
            "  generator: {:.0} % of a core, late by p99 {:.1} ms; kernel dropped {}",
            own.cpu_percent, own.late.p99_ms, own.receive_drops
        )?;
        let messages = &self.messages;
        writeln!(
            out,
            "  messages: {} sent, {} received, {} not sent, {} unusable",
            messages.sent, messages.received, messages.not_sent, messages.unusable
        )?;
        if messages.connections + messages.connections_lost > 0 {
            writeln!(
                out,
                "  connections: {} made, {} lost",
                messages.connections, messages.connections_lost
            )?;
        }
        match &messages.why_lost {
            Some(why) => writeln!(out, "  the last connection was lost: {why}"),
            None => Ok(()),
        }
    }
}

impl NodeUse {
    fn of(pid: u32, tally: &Tally, before: Measured, after: Measured, wall_s: f64) -> Option<Self> {
        let (was, is) = (before.node?, after.node?);
        let cpu_s = is.cpu_s - was.cpu_s;
        let most =
            tally.seconds.iter().filter_map(|second| second.resident_mib).fold(is.resident_mib, f64::max);
        Some(Self {
            pid,
            cpu_s,
            cpu_s_per_1000: for_a_thousand(cpu_s, tally.counts.completed),
            cpu_percent: cpu_s / wall_s * 100.0,
            resident_mib_before: was.resident_mib,
            resident_mib_most: most,
            resident_mib_after: is.resident_mib,
            receive_drops: after.drops.saturating_sub(before.drops),
        })
    }
}

/// What failed cost something too, but nobody pays for calls to fail.
fn for_a_thousand(cpu_s: f64, completed: u64) -> Option<f64> {
    (completed > 0).then(|| cpu_s / completed as f64 * 1_000.0)
}

/// CPU seconds, where there are any to tell.
pub(super) fn told(cpu_s: Option<f64>) -> String {
    cpu_s.map_or_else(|| "–".to_owned(), |cpu_s| format!("{cpu_s:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_completed_counts_for_the_cost() {
        assert_eq!(for_a_thousand(0.5, 250), Some(2.0));
        assert_eq!(for_a_thousand(0.5, 0), None);
        assert_eq!([Some(0.25), None].map(told), ["0.250", "–"]);
    }

    fn held(thresholds: Thresholds, failed: u64, p99_ms: Option<f64>) -> Vec<bool> {
        thresholds.judge(failed, p99_ms, None).iter().map(|it| it.held).collect()
    }

    #[test]
    fn a_threshold_holds_at_its_limit_and_not_beyond() {
        let both = Thresholds { max_failures: Some(2), p99_ms: Some(50.0), ..Thresholds::default() };
        assert_eq!(held(both, 2, Some(50.0)), [true, true]);
        assert_eq!(held(both, 3, Some(50.1)), [false, false]);
    }

    #[test]
    fn what_could_not_be_measured_is_not_good_enough() {
        let latency = Thresholds { p99_ms: Some(50.0), delay_p99_ms: Some(1.0), ..Thresholds::default() };
        assert_eq!(held(latency, 0, None), [false, false]);
        assert_eq!(held(Thresholds::default(), 9, None), [true; 0]);
    }
}
