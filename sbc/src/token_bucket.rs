//! A token bucket that holds one second's worth: how calls and packets a second are limited.

pub use tandem_time::Instant;

/// Full at first; each take costs a token, and time brings them back.
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    /// Billionths of a token, so that any rate refills evenly.
    nano_tokens: u64,
    filled: Instant,
}

const TOKEN: u64 = 1_000_000_000;

impl TokenBucket {
    /// One that holds `per_second` tokens.
    #[must_use]
    pub fn full(now: Instant, per_second: u32) -> Self {
        Self { nano_tokens: u64::from(per_second) * TOKEN, filled: now }
    }

    /// Takes a token, if there is one.
    pub fn take(&mut self, now: Instant, per_second: u32) -> bool {
        let has_one = self.has_one(now, per_second);
        if has_one {
            self.nano_tokens -= TOKEN;
        }
        has_one
    }

    /// Whether there is a token to take.
    pub fn has_one(&mut self, now: Instant, per_second: u32) -> bool {
        self.fill(now, per_second);
        self.nano_tokens >= TOKEN
    }

    /// Whether nothing was taken for so long that it could be forgotten and made again.
    #[must_use]
    pub fn is_full(&self, now: Instant, per_second: u32) -> bool {
        let mut filled = *self;
        filled.fill(now, per_second);
        filled.nano_tokens >= u64::from(per_second) * TOKEN
    }

    fn fill(&mut self, now: Instant, per_second: u32) {
        let elapsed_ns = u64::try_from((now - self.filled).as_nanos()).unwrap_or(u64::MAX);
        let refill = elapsed_ns.saturating_mul(u64::from(per_second));
        let capacity = u64::from(per_second) * TOKEN;
        self.nano_tokens = self.nano_tokens.saturating_add(refill).min(capacity);
        self.filled = self.filled.max(now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_second_s_worth_may_be_taken_at_once_and_comes_back_evenly() {
        let now = Instant::from_millis(5_000);
        let mut bucket = TokenBucket::full(now, 2);
        assert!(bucket.is_full(now, 2));
        assert!(bucket.take(now, 2) && bucket.take(now, 2));
        assert!(!bucket.take(now, 2) && !bucket.has_one(now, 2));
        assert!(!bucket.has_one(now + Duration::from_millis(499), 2));
        assert!(bucket.has_one(now + Duration::from_millis(500), 2), "looking costs nothing");
        assert!(bucket.take(now + Duration::from_millis(500), 2));
        assert!(!bucket.is_full(now + Duration::from_millis(1_499), 2));
        assert!(bucket.is_full(now + Duration::from_millis(1_500), 2));
    }

    #[test]
    fn a_long_rest_fills_it_no_further_than_a_second_s_worth() {
        let mut bucket = TokenBucket::full(Instant::START, 3);
        let later = Instant::from_millis(u64::MAX / 2_000_000);
        let taken = (0..10).filter(|_| bucket.take(later, 3)).count();
        assert_eq!(taken, 3);
    }
}
