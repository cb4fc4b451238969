//! What calls cost the node that all go on together: its processor time and memory, packet by packet checked.

use std::io;
use std::time::Duration;

use serde::Serialize;
use tandem_phone::measured::Counts;
use tandem_phone_net::Totals;

use super::percentiles::Percentiles;
use super::run::{Run, Work};
use super::summary::Measured;

/// How long calls go on before anything is counted.
const WARM_UP: Duration = Duration::from_secs(2);
/// What is under way when the last packet has left gets so long to come.
const DRAIN: Duration = Duration::from_millis(400);

/// What was counted while all calls were up.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct MediaUse {
    pub(super) streams: u64,
    /// Between two parties, with the node, or with a room.
    pub(super) calls: u64,
    pub(super) checked_for_s: f64,
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) lost: u64,
    pub(super) duplicates: u64,
    pub(super) reordered: u64,
    /// Sequence numbers, timestamps or sources that leapt.
    pub(super) wrong_headers: u64,
    /// Something else was heard.
    pub(super) wrong_content: u64,
    /// Nothing that was agreed on.
    pub(super) unusable: u64,
    /// From nobody.
    pub(super) strays: u64,
    /// From sending to the kernel's receive time; where the content cannot tell, how much later than due.
    pub(super) delay: Percentiles,
    pub(super) node: Option<StreamCost>,
    /// How much later than due packets were sent: when this is long, the generator is what was measured.
    pub(super) generator_late: Percentiles,
    pub(super) generator_not_sent: u64,
}

/// What it cost the process under test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct StreamCost {
    pub(super) cpu_s: f64,
    /// For a million packets that it sent to us.
    pub(super) cpu_s_per_million_packets: f64,
    pub(super) cpu_s_per_1000_call_seconds: f64,
    /// What it had more of than before the first call.
    pub(super) resident_kib_per_call: f64,
}

impl Run<'_> {
    /// Checks every packet of the calls that are up, for as long as the plan says; none when that is not asked for.
    pub(super) fn measure_streams(&mut self, idle: &Measured) -> io::Result<Option<MediaUse>> {
        let (Some(checked_for), true) = (self.plan.duration, self.plan.scenario.streams()) else {
            return Ok(None);
        };
        self.pass(WARM_UP)?;
        if let Work::Calls(calls) = &self.work
            && let Some(streams) = calls.streams()
        {
            streams.settle();
        }
        self.take_totals();
        self.tally.measured = Some(Totals::default());
        let before = self.measure();
        self.pass(checked_for)?;
        self.take_totals();
        let after = self.measure();
        let totals = self.tally.measured.take().unwrap_or_default();
        let Work::Calls(calls) = &self.work else { return Ok(None) };
        let up = calls.talking();
        if let Some(streams) = calls.streams() {
            streams.hush();
        }
        self.pass(DRAIN)?;
        let Work::Calls(calls) = &mut self.work else { return Ok(None) };
        let streams = calls.judge_streams() as u64;
        Ok(Some(MediaUse::of(streams, up, &totals, [idle, &before, &after])))
    }

    fn pass(&mut self, time: Duration) -> io::Result<()> {
        let until = self.since() + time;
        while self.since() < until && self.interruptions() == 0 {
            self.turn(until)?;
        }
        Ok(())
    }
}

impl MediaUse {
    fn of(streams: u64, calls: u64, totals: &Totals, [idle, before, after]: [&Measured; 3]) -> Self {
        let checked_for_s = after.at.saturating_sub(before.at).as_secs_f64();
        let Counts { sent, received, lost, .. } = totals.counts;
        let Counts { duplicates, reordered, wrong_headers, wrong_content, unusable, .. } = totals.counts;
        let cost = |idle_mib: f64, cpu_s: f64, resident_mib: f64| StreamCost {
            cpu_s,
            cpu_s_per_million_packets: cpu_s / received.max(1) as f64 * 1e6,
            cpu_s_per_1000_call_seconds: cpu_s / (calls.max(1) as f64 * checked_for_s.max(0.001)) * 1e3,
            resident_kib_per_call: (resident_mib - idle_mib) * 1_024.0 / calls.max(1) as f64,
        };
        let node = idle.node.zip(before.node).zip(after.node).map(|((idle, before), after)| {
            cost(idle.resident_mib, after.cpu_s - before.cpu_s, after.resident_mib)
        });
        Self {
            streams,
            calls,
            checked_for_s,
            sent,
            received,
            lost,
            duplicates,
            reordered,
            wrong_headers,
            wrong_content,
            unusable,
            strays: totals.strays,
            delay: (&totals.delays).into(),
            node,
            generator_late: (&totals.late).into(),
            generator_not_sent: totals.not_sent,
        }
    }

    /// Packets with which something was the matter.
    pub(super) const fn wrong(&self) -> u64 {
        self.lost + self.duplicates + self.wrong_headers + self.wrong_content + self.unusable
    }

    /// For people.
    pub(super) fn write(&self, out: &mut String) -> std::fmt::Result {
        use std::fmt::Write as _;
        writeln!(
            out,
            "  media: {} calls, {} streams for {:.1} s: {} packets sent, {} received",
            self.calls, self.streams, self.checked_for_s, self.sent, self.received
        )?;
        writeln!(
            out,
            "  {} lost, {} twice, {} out of order, {} changed, {} out of sequence, {} unusable, {} strays",
            self.lost,
            self.duplicates,
            self.reordered,
            self.wrong_content,
            self.wrong_headers,
            self.unusable,
            self.strays
        )?;
        let delay = &self.delay;
        writeln!(
            out,
            "  added delay: p50 {:.2} ms, p90 {:.2}, p99 {:.2}, p99.9 {:.2}, max {:.2}",
            delay.p50_ms, delay.p90_ms, delay.p99_ms, delay.p999_ms, delay.max_ms
        )?;
        if let Some(node) = &self.node {
            writeln!(
                out,
                "  node: {:.2} CPU-s for a million packets, {:.3} for 1,000 call-seconds; {:.1} KiB a call",
                node.cpu_s_per_million_packets, node.cpu_s_per_1000_call_seconds, node.resident_kib_per_call
            )?;
        }
        writeln!(
            out,
            "  packets left late by p99 {:.2} ms, max {:.2}; the kernel did not take {}",
            self.generator_late.p99_ms, self.generator_late.max_ms, self.generator_not_sent
        )
    }
}
