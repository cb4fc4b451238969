//! Metrics as plain data, and their exposition.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

/// One metric with all its samples, as they stood at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Its name without `tandem_` and without `_total`.
    pub name: &'static str,
    /// What it counts, with its unit.
    pub help: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its values, each under other labels.
    pub samples: Vec<Sample>,
}

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Label names and values.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: u64,
}

impl Metric {
    /// A metric of one value without labels.
    #[must_use]
    pub fn single(name: &'static str, help: &'static str, kind: Kind, value: u64) -> Self {
        Self { name, help, kind, samples: vec![Sample { labels: Vec::new(), value }] }
    }
}

/// The metrics in the OpenMetrics text format.
pub(crate) fn exposition(metrics: Vec<Metric>) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::with_prefix("tandem");
    registry.register_collector(Box::new(Snapshot(metrics)));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct Snapshot(Vec<Metric>);

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        for metric in &self.0 {
            let sample_kind = match metric.kind {
                Kind::Counter => ConstCounter::new(0u64).metric_type(),
                Kind::Gauge => ConstGauge::new(0u64).metric_type(),
            };
            let mut family = encoder.encode_descriptor(metric.name, metric.help, None, sample_kind)?;
            for sample in &metric.samples {
                if sample.labels.is_empty() {
                    // An empty label set would be written as `{}`.
                    encode(metric.kind, sample.value, family)?;
                    break;
                }
                encode(metric.kind, sample.value, family.encode_family(&sample.labels)?)?;
            }
        }
        Ok(())
    }
}

fn encode(kind: Kind, value: u64, encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
    match kind {
        Kind::Counter => ConstCounter::new(value).encode(encoder),
        Kind::Gauge => ConstGauge::new(value).encode(encoder),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_and_gauges_are_exposed_with_their_labels() {
        let agents = |state: &str, value| Sample { labels: vec![("state", state.to_owned())], value };
        let text = exposition(vec![
            Metric::single("calls", "Calls up", Kind::Gauge, 3),
            Metric::single("sip_packets_refused", "Packets from unlisted sources", Kind::Counter, 7),
            Metric {
                name: "agents",
                help: "Agents",
                kind: Kind::Gauge,
                samples: vec![agents("avail\"able", 2), agents("busy", 0)],
            },
        ])
        .unwrap();
        assert_eq!(
            text,
            "# HELP tandem_calls Calls up\n\
             # TYPE tandem_calls gauge\n\
             tandem_calls 3\n\
             # HELP tandem_sip_packets_refused Packets from unlisted sources\n\
             # TYPE tandem_sip_packets_refused counter\n\
             tandem_sip_packets_refused_total 7\n\
             # HELP tandem_agents Agents\n\
             # TYPE tandem_agents gauge\n\
             tandem_agents{state=\"avail\\\"able\"} 2\n\
             tandem_agents{state=\"busy\"} 0\n\
             # EOF\n"
        );
    }
}
