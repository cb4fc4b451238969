//! Admission of calls on trunks: how many at a time, how many a second.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tandem_time::Instant;

/// The calls of all trunks, by the trunk's name, so that they stay counted over a reload.
#[derive(Debug, Default)]
pub(crate) struct Admissions {
    trunks: BTreeMap<Arc<str>, TrunkLoad>,
    taken: usize,
}

/// What a trunk carries.
#[derive(Debug, Default)]
struct TrunkLoad {
    calls: u32,
    bucket: Option<TokenBucket>,
}

/// What a trunk may carry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TrunkLimits {
    pub(crate) max_calls: u32,
    pub(crate) max_calls_per_second: u32,
}

/// Why a call is not admitted, and when to try again (Retry-After, RFC 3261 §20.33).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) retry_after: Duration,
}

/// How long a trunk that is full is asked to wait.
const RETRY_WHEN_FULL: Duration = Duration::from_secs(10);

/// How long a trunk that calls too fast is asked to wait.
const RETRY_WHEN_FAST: Duration = Duration::from_secs(1);

impl Admissions {
    /// Takes a slot for an incoming call, which counts against both limits.
    pub(crate) fn admit(
        &mut self,
        now: Instant,
        trunk: &Arc<str>,
        limits: TrunkLimits,
    ) -> Result<(), Refused> {
        let load = self.trunks.entry(Arc::clone(trunk)).or_default();
        if load.calls >= limits.max_calls {
            return Err(Refused { retry_after: RETRY_WHEN_FULL });
        }
        let bucket = load.bucket.get_or_insert_with(|| TokenBucket::full(now, limits.max_calls_per_second));
        if !bucket.take(now, limits.max_calls_per_second) {
            return Err(Refused { retry_after: RETRY_WHEN_FAST });
        }
        load.calls += 1;
        self.taken += 1;
        Ok(())
    }

    /// Takes a slot for an outgoing call, whose rate is our own affair.
    pub(crate) fn reserve(&mut self, trunk: &Arc<str>, limits: TrunkLimits) -> Result<(), Refused> {
        let load = self.trunks.entry(Arc::clone(trunk)).or_default();
        if load.calls >= limits.max_calls {
            return Err(Refused { retry_after: RETRY_WHEN_FULL });
        }
        load.calls += 1;
        self.taken += 1;
        Ok(())
    }

    /// Gives a slot back.
    pub(crate) fn release(&mut self, trunk: &str) {
        if let Some(load) = self.trunks.get_mut(trunk) {
            load.calls = load.calls.saturating_sub(1);
            self.taken = self.taken.saturating_sub(1);
        }
    }

    /// Slots taken on all trunks.
    pub(crate) fn taken(&self) -> usize {
        self.taken
    }

    /// Forgets trunks that are no longer configured and carry nothing.
    pub(crate) fn retain(&mut self, configured: impl Fn(&str) -> bool) {
        self.trunks.retain(|name, load| load.calls > 0 || configured(name));
    }
}

/// A token bucket that holds one second's worth.
#[derive(Debug)]
struct TokenBucket {
    /// Billionths of a token, so that any rate refills evenly.
    nano_tokens: u64,
    filled: Instant,
}

const TOKEN: u64 = 1_000_000_000;

impl TokenBucket {
    fn full(now: Instant, per_second: u32) -> Self {
        Self { nano_tokens: u64::from(per_second) * TOKEN, filled: now }
    }

    fn take(&mut self, now: Instant, per_second: u32) -> bool {
        let elapsed_ns = u64::try_from((now - self.filled).as_nanos()).unwrap_or(u64::MAX);
        let refill = elapsed_ns.saturating_mul(u64::from(per_second));
        let capacity = u64::from(per_second) * TOKEN;
        self.nano_tokens = self.nano_tokens.saturating_add(refill).min(capacity);
        self.filled = now;
        if self.nano_tokens < TOKEN {
            return false;
        }
        self.nano_tokens -= TOKEN;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: TrunkLimits = TrunkLimits { max_calls: 3, max_calls_per_second: 2 };

    fn trunk() -> Arc<str> {
        Arc::from("carrier-a")
    }

    #[test]
    fn calls_at_a_time_are_admitted_up_to_the_limit_and_not_past_it() {
        let mut admissions = Admissions::default();
        let later = |s: u64| Instant::from_millis(s * 1_000);
        for second in 0..3 {
            assert_eq!(admissions.admit(later(second), &trunk(), LIMITS), Ok(()));
        }
        assert_eq!(
            admissions.admit(later(3), &trunk(), LIMITS),
            Err(Refused { retry_after: Duration::from_secs(10) })
        );
        assert!(admissions.reserve(&trunk(), LIMITS).is_err());
        admissions.release("carrier-a");
        assert_eq!(admissions.admit(later(4), &trunk(), LIMITS), Ok(()));
        assert_eq!(admissions.taken(), 3);
    }

    #[test]
    fn calls_a_second_are_admitted_up_to_the_limit_and_not_past_it() {
        let mut admissions = Admissions::default();
        let limits = TrunkLimits { max_calls: 100, ..LIMITS };
        let now = Instant::from_millis(5_000);
        assert!(admissions.admit(now, &trunk(), limits).is_ok());
        assert!(admissions.admit(now, &trunk(), limits).is_ok());
        assert_eq!(
            admissions.admit(now, &trunk(), limits),
            Err(Refused { retry_after: Duration::from_secs(1) })
        );
        assert!(admissions.admit(now + Duration::from_millis(499), &trunk(), limits).is_err());
        assert!(admissions.admit(now + Duration::from_millis(500), &trunk(), limits).is_ok());
        assert!(admissions.reserve(&trunk(), limits).is_ok(), "our own calls have no rate");
    }

    #[test]
    fn a_trunk_that_left_the_configuration_is_forgotten_when_it_is_empty() {
        let mut admissions = Admissions::default();
        admissions.admit(Instant::START, &trunk(), LIMITS).expect("a free slot");
        admissions.retain(|_| false);
        assert_eq!(admissions.taken(), 1);
        admissions.release("carrier-a");
        admissions.retain(|_| false);
        assert_eq!(admissions.taken(), 0);
        assert!(admissions.trunks.is_empty());
    }
}
