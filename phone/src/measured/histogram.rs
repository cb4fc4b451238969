//! How long things took: counted in buckets of a width below one in a hundred, however many there are.

use std::time::Duration;

/// Microseconds below this have a bucket each.
const EXACT: u64 = 256;
/// Buckets for each doubling beyond.
const PER_DOUBLING: u64 = 128;
/// Longer ones are counted as this long: 19 hours.
const MAX_US: u64 = (1 << 36) - 1;

/// Durations, counted.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    sum_us: u64,
    max_us: u64,
}

impl Histogram {
    /// Counts one.
    pub fn record(&mut self, took: Duration) {
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
    #[must_use]
    pub fn quantile_ms(&self, per_mille: u64) -> Option<f64> {
        let wanted = (self.count * per_mille).div_ceil(1_000).max(1);
        let mut seen = 0;
        let bucket = self.buckets.iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        Some(milliseconds(upper_end(bucket).min(self.max_us)))
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Their mean; 0 when there are none.
    #[must_use]
    pub fn mean_ms(&self) -> f64 {
        milliseconds(self.sum_us.checked_div(self.count).unwrap_or(0))
    }

    /// The longest; 0 when there are none.
    #[must_use]
    pub fn max_ms(&self) -> f64 {
        milliseconds(self.max_us)
    }

    /// Counts those of another one too.
    pub fn add(&mut self, other: &Self) {
        if self.buckets.len() < other.buckets.len() {
            self.buckets.resize(other.buckets.len(), 0);
        }
        for (count, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *count += more;
        }
        self.count += other.count;
        self.sum_us += other.sum_us;
        self.max_us = self.max_us.max(other.max_us);
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

    fn told(histogram: &Histogram) -> [Option<f64>; 4] {
        [500, 900, 990, 999].map(|per_mille| histogram.quantile_ms(per_mille))
    }

    #[test]
    fn percentiles_of_one_to_a_thousand() {
        let halves = (of(1..=500), of(501..=1_000));
        let mut whole = halves.0.clone();
        whole.add(&halves.1);
        for histogram in [of(1..=1_000), whole] {
            assert_eq!((histogram.count(), histogram.max_ms(), histogram.mean_ms()), (1_000, 1.0, 0.5));
            for (told, exact) in told(&histogram).into_iter().zip([0.5, 0.9, 0.99, 0.999]) {
                assert!(told.is_some_and(|it| (exact..=exact * 1.01).contains(&it)), "{told:?} for {exact}");
            }
        }
    }

    #[test]
    fn one_outlier_in_a_thousand_moves_only_the_maximum() {
        let histogram = of(std::iter::repeat_n(100, 999).chain([5_000_000]));
        assert_eq!(told(&histogram), [Some(0.1); 4]);
        assert_eq!(histogram.max_ms(), 5_000.0);
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
        assert_eq!((Histogram::default().mean_ms(), Histogram::default().max_ms()), (0.0, 0.0));
    }
}
