//! How long things took, as it is told.

use serde::Serialize;
use tandem_phone::measured::Histogram;

/// Durations, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Percentiles {
    pub(super) count: u64,
    pub(super) mean_ms: f64,
    pub(super) p50_ms: f64,
    pub(super) p90_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) p999_ms: f64,
    pub(super) max_ms: f64,
}

impl From<&Histogram> for Percentiles {
    fn from(histogram: &Histogram) -> Self {
        let at = |per_mille| histogram.quantile_ms(per_mille).unwrap_or(0.0);
        Self {
            count: histogram.count(),
            mean_ms: histogram.mean_ms(),
            p50_ms: at(500),
            p90_ms: at(900),
            p99_ms: at(990),
            p999_ms: at(999),
            max_ms: histogram.max_ms(),
        }
    }
}
