//! When the next one is due: an open loop that does not wait for answers, after a ramp.

use std::time::Duration;

/// A rate that is reached after a ramp.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    per_second: f64,
    ramp_s: f64,
}

impl Pace {
    /// `per_second` is reached evenly after `ramp`.
    pub(super) fn new(per_second: f64, ramp: Duration) -> Self {
        Self { per_second, ramp_s: ramp.as_secs_f64() }
    }

    /// How many should have begun `since` the start: the first one at once.
    pub(super) fn due(&self, since: Duration) -> u64 {
        let t = since.as_secs_f64();
        let begun = if t < self.ramp_s {
            self.per_second * t * t / (2.0 * self.ramp_s)
        } else {
            self.per_second * (t - self.ramp_s / 2.0)
        };
        begun as u64 + 1
    }

    /// When number `n`, counted from 0, should begin.
    pub(super) fn at(&self, n: u64) -> Duration {
        let n = n as f64;
        let in_ramp = self.per_second * self.ramp_s / 2.0;
        let t = if n < in_ramp {
            (2.0 * self.ramp_s * n / self.per_second).sqrt()
        } else {
            n / self.per_second + self.ramp_s / 2.0
        };
        Duration::from_secs_f64(t)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn without_a_ramp_the_rate_is_there_at_once() {
        let pace = Pace::new(100.0, Duration::ZERO);
        assert_eq!([pace.due(Duration::ZERO), pace.due(SECOND), pace.due(10 * SECOND)], [1, 101, 1_001]);
    }

    /// A ramp of ten seconds is half the calls of ten seconds at full rate, and a quarter of these in its first half.
    #[test]
    fn a_ramp_grows_evenly() {
        let pace = Pace::new(100.0, 10 * SECOND);
        let calls = [5, 10, 11, 20].map(|second| pace.due(second * SECOND));
        assert_eq!(calls, [126, 501, 601, 1_501]);
    }

    #[test]
    fn each_is_due_when_it_should_begin_and_not_before() {
        let pace = Pace::new(700.0, 3 * SECOND);
        for n in (1..5_000).step_by(7) {
            let at = pace.at(n);
            assert_eq!(pace.due(at + Duration::from_micros(1)), n + 1, "number {n}");
            assert_eq!(pace.due(at - Duration::from_micros(1)), n, "number {n}");
        }
    }
}
