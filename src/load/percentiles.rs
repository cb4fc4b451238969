//! How long things took: counted in buckets of a width below one in a hundred, however many there are.

use std::time::Duration;

use serde::Serialize;

/// Microseconds below this have a bucket each.
const EXACT: u64 = 256;
/// Buckets for each doubling beyond.
const PER_DOUBLING: u64 = 128;
/// Longer ones are counted as this long: 19 hours.
const MAX_US: u64 = (1 << 36) - 1;

/// Durations, counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    sum_us: u64,
    max_us: u64,
}

/// What is told of them, in milliseconds.
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

impl Histogram {
    pub(super) fn record(&mut self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(MAX_US).min(MAX_US);
        let bucket = bucket_of(us);
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        if let Some(count) = self.buckets.get_mut(bucket) {
            *count += 1;
        }
        self.count += 1;
        self.sum_us += us;
        self.max_us = self.max_us.max(us);
    }

    /// The upper end of the bucket below which `per_mille` of them are; none when there are none.
    pub(super) fn quantile_ms(&self, per_mille: u64) -> Option<f64> {
        let wanted = (self.count * per_mille).div_ceil(1_000).max(1);
        let mut seen = 0;
        let bucket = self.buckets.iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        Some(milliseconds(upper_end(bucket).min(self.max_us)))
    }

    pub(super) fn percentiles(&self) -> Percentiles {
        let at = |per_mille| self.quantile_ms(per_mille).unwrap_or(0.0);
        Percentiles {
            count: self.count,
            mean_ms: milliseconds(self.sum_us.checked_div(self.count).unwrap_or(0)),
            p50_ms: at(500),
            p90_ms: at(900),
            p99_ms: at(990),
            p999_ms: at(999),
            max_ms: milliseconds(self.max_us),
        }
    }
}

fn bucket_of(us: u64) -> usize {
    let bucket = if us < EXACT {
        us
    } else {
        let doublings = u64::from(us.ilog2()) - 7;
        EXACT + (doublings - 1) * PER_DOUBLING + (us >> doublings) - PER_DOUBLING
    };
    usize::try_from(bucket).unwrap_or(usize::MAX)
}

/// The longest that falls into a bucket.
fn upper_end(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < EXACT {
        return bucket;
    }
    let (doublings, place) = ((bucket - EXACT) / PER_DOUBLING + 1, (bucket - EXACT) % PER_DOUBLING);
    ((PER_DOUBLING + place + 1) << doublings) - 1
}

fn milliseconds(us: u64) -> f64 {
    us as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(us: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::default();
        us.into_iter().for_each(|us| histogram.record(Duration::from_micros(us)));
        histogram
    }

    #[test]
    fn percentiles_of_one_to_a_thousand() {
        let told = of(1..=1_000).percentiles();
        assert_eq!((told.count, told.max_ms), (1_000, 1.0));
        for (told, exact) in
            [(told.p50_ms, 0.5), (told.p90_ms, 0.9), (told.p99_ms, 0.99), (told.p999_ms, 0.999)]
        {
            assert!((exact..=exact * 1.01).contains(&told), "{told} for {exact}");
        }
    }

    #[test]
    fn one_outlier_in_a_thousand_moves_only_the_maximum() {
        let told = of(std::iter::repeat_n(100, 999).chain([5_000_000])).percentiles();
        assert_eq!((told.p99_ms, told.p999_ms, told.max_ms), (0.1, 0.1, 5_000.0));
    }

    #[test]
    fn every_duration_is_in_a_bucket_less_than_one_in_a_hundred_wide() {
        for us in (0..40).flat_map(|power| [(1_u64 << power) - 1, 1 << power, (1 << power) + 1]) {
            let us = us.min(MAX_US);
            let end = upper_end(bucket_of(us));
            assert!(end >= us && end - us <= us / 100, "{us} is told as {end}");
        }
    }

    #[test]
    fn nothing_has_no_percentile() {
        assert_eq!(Histogram::default().quantile_ms(990), None);
        assert_eq!(Histogram::default().percentiles(), Percentiles::default());
    }
}
