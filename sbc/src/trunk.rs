//! Admission of calls: how many at a time and how many a second, in total, by trunk and by source address.
//!
//! Owner thread: the signalling core. This module must not know messages; it is told whose call it is. What it is
//! asked before a message is read closely (`check`) takes nothing and makes nothing.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tandem_time::Instant;

use crate::token_bucket::TokenBucket;

/// The most sources remembered that have no call, for the rate of their calls.
const IDLE_SOURCES_MAX: usize = 4_096;

/// Who is full is asked to wait this long.
const RETRY_WHEN_FULL: Duration = Duration::from_secs(10);

/// Who calls too fast is asked to wait this long.
const RETRY_WHEN_FAST: Duration = Duration::from_secs(1);

/// The calls there are, by the trunk's name, so that they stay counted over a reload.
#[derive(Debug, Default)]
pub(crate) struct Admissions {
    rate: Option<TokenBucket>,
    trunks: BTreeMap<Arc<str>, TrunkLoad>,
    sources: BTreeMap<IpAddr, Load>,
    taken: usize,
}

/// What is carried for somebody.
#[derive(Debug, Default)]
struct Load {
    calls: u32,
    bucket: Option<TokenBucket>,
}

#[derive(Debug, Default)]
struct TrunkLoad {
    load: Load,
    outgoing: Option<TokenBucket>,
    refused: BTreeMap<Limit, u64>,
}

/// What a trunk may carry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TrunkLimits {
    /// Both ways together.
    pub(crate) max_calls: u32,
    /// From it.
    pub(crate) max_calls_per_second: u32,
    /// To it.
    pub(crate) max_calls_per_second_out: u32,
}

/// What one source address may begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SourceLimits {
    pub(crate) max_calls: u32,
    pub(crate) max_calls_per_second: u32,
}

/// A call, as admission sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim<'a> {
    pub(crate) trunk: Option<(&'a Arc<str>, TrunkLimits)>,
    /// Of calls that others begin.
    pub(crate) source: Option<(IpAddr, SourceLimits)>,
    /// From all peers together.
    pub(crate) max_calls_per_second: u32,
    /// Counted like any other, and never refused.
    pub(crate) is_emergency: bool,
}

/// What an admitted call holds, and gives back when it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Admission {
    trunk: Option<Arc<str>>,
    source: Option<IpAddr>,
}

/// A limit of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// Calls a second, from everybody.
    TotalRate,
    /// Calls at a time on the trunk.
    TrunkCalls,
    /// Calls a second from the trunk.
    TrunkRate,
    /// Calls a second to the trunk.
    TrunkRateOut,
    /// Calls at a time from one source address.
    SourceCalls,
    /// Calls a second from one source address.
    SourceRate,
}

impl Limit {
    /// As metrics show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TotalRate => "calls_per_second_in_total",
            Self::TrunkCalls => "calls",
            Self::TrunkRate => "calls_per_second",
            Self::TrunkRateOut => "calls_per_second_out",
            Self::SourceCalls => "calls_per_source",
            Self::SourceRate => "calls_per_second_per_source",
        }
    }

    /// When to try again (Retry-After, RFC 3261 §20.33).
    pub(crate) const fn retry_after(self) -> Duration {
        match self {
            Self::TrunkCalls | Self::SourceCalls => RETRY_WHEN_FULL,
            Self::TotalRate | Self::TrunkRate | Self::TrunkRateOut | Self::SourceRate => RETRY_WHEN_FAST,
        }
    }
}

/// What a trunk carries and what it was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkUse {
    /// The trunk.
    pub trunk: String,
    /// Calls up, both ways.
    pub calls: u32,
    /// Calls refused so far, by the limit that was reached.
    pub refused: BTreeMap<Limit, u64>,
}

impl Admissions {
    /// Whether an incoming call would be admitted now.
    pub(crate) fn check(&mut self, now: Instant, claim: &Claim<'_>) -> Result<(), Limit> {
        let refusal = if claim.is_emergency { None } else { self.reached(now, claim) };
        let Some(limit) = refusal else { return Ok(()) };
        self.count_refusal(claim, limit);
        Err(limit)
    }

    /// Takes what an incoming call holds.
    pub(crate) fn admit(&mut self, now: Instant, claim: &Claim<'_>) -> Result<Admission, Limit> {
        self.check(now, claim)?;
        // An emergency call takes the tokens there are, and is admitted without.
        let total = claim.max_calls_per_second;
        self.rate.get_or_insert_with(|| TokenBucket::full(now, total)).take(now, total);
        if let Some((name, limits)) = claim.trunk {
            let load = &mut self.trunks.entry(Arc::clone(name)).or_default().load;
            load.begin(now, limits.max_calls_per_second);
        }
        if let Some((source, limits)) = claim.source {
            self.forget_idle_sources(now, limits);
            self.sources.entry(source).or_default().begin(now, limits.max_calls_per_second);
        }
        Ok(self.admission(claim))
    }

    /// Takes what a call of ours to a trunk holds. It is not counted against what others may begin.
    pub(crate) fn reserve(&mut self, now: Instant, claim: &Claim<'_>) -> Result<Admission, Limit> {
        let Some((name, limits)) = claim.trunk else { return Ok(self.admission(claim)) };
        let trunk = self.trunks.entry(Arc::clone(name)).or_default();
        let rate = limits.max_calls_per_second_out;
        let bucket = trunk.outgoing.get_or_insert_with(|| TokenBucket::full(now, rate));
        let limit = if trunk.load.calls >= limits.max_calls {
            Some(Limit::TrunkCalls)
        } else if bucket.take(now, rate) {
            None
        } else {
            Some(Limit::TrunkRateOut)
        };
        if let Some(limit) = limit.filter(|_| !claim.is_emergency) {
            self.count_refusal(claim, limit);
            return Err(limit);
        }
        trunk.load.calls += 1;
        Ok(self.admission(claim))
    }

    /// Gives back what a call held.
    pub(crate) fn release(&mut self, admission: &Admission) {
        self.taken = self.taken.saturating_sub(1);
        if let Some(trunk) = admission.trunk.as_ref().and_then(|name| self.trunks.get_mut(name)) {
            trunk.load.calls = trunk.load.calls.saturating_sub(1);
        }
        if let Some(load) = admission.source.and_then(|source| self.sources.get_mut(&source)) {
            load.calls = load.calls.saturating_sub(1);
        }
    }

    /// Calls admitted and not yet given back.
    pub(crate) fn taken(&self) -> usize {
        self.taken
    }

    /// What each trunk carries, those included that left the configuration while they had calls.
    pub(crate) fn trunks(&self) -> impl Iterator<Item = TrunkUse> {
        self.trunks.iter().map(|(name, trunk)| TrunkUse {
            trunk: name.to_string(),
            calls: trunk.load.calls,
            refused: trunk.refused.clone(),
        })
    }

    /// Forgets trunks that are no longer configured and carry nothing.
    pub(crate) fn retain(&mut self, configured: impl Fn(&str) -> bool) {
        self.trunks.retain(|name, trunk| trunk.load.calls > 0 || configured(name));
    }

    /// The narrowest limit that is reached.
    fn reached(&mut self, now: Instant, claim: &Claim<'_>) -> Option<Limit> {
        if let Some((source, limits)) = claim.source {
            let load = self.sources.get_mut(&source);
            if load.as_ref().map_or(0, |load| load.calls) >= limits.max_calls {
                return Some(Limit::SourceCalls);
            }
            if load.is_some_and(|load| load.is_too_fast(now, limits.max_calls_per_second)) {
                return Some(Limit::SourceRate);
            }
        }
        if let Some((name, limits)) = claim.trunk {
            let load = self.trunks.get_mut(name).map(|trunk| &mut trunk.load);
            if load.as_ref().map_or(0, |load| load.calls) >= limits.max_calls {
                return Some(Limit::TrunkCalls);
            }
            if load.is_some_and(|load| load.is_too_fast(now, limits.max_calls_per_second)) {
                return Some(Limit::TrunkRate);
            }
        }
        let total = claim.max_calls_per_second;
        let is_too_fast = self.rate.as_mut().is_some_and(|bucket| !bucket.has_one(now, total));
        is_too_fast.then_some(Limit::TotalRate)
    }

    fn count_refusal(&mut self, claim: &Claim<'_>, limit: Limit) {
        if let Some((name, _)) = claim.trunk {
            let trunk = self.trunks.entry(Arc::clone(name)).or_default();
            *trunk.refused.entry(limit).or_default() += 1;
        }
    }

    fn admission(&mut self, claim: &Claim<'_>) -> Admission {
        self.taken += 1;
        Admission {
            trunk: claim.trunk.map(|(name, _)| Arc::clone(name)),
            source: claim.source.map(|(source, _)| source),
        }
    }

    /// Makes room among the sources: those without a call are kept for their rate only, the busiest lately longest.
    fn forget_idle_sources(&mut self, now: Instant, limits: SourceLimits) {
        if self.sources.len() < self.taken + IDLE_SOURCES_MAX {
            return;
        }
        let rate = limits.max_calls_per_second;
        self.sources.retain(|_, load| load.calls > 0 || !load.is_rested(now, rate));
        if self.sources.len() >= self.taken + IDLE_SOURCES_MAX {
            self.sources.retain(|_, load| load.calls > 0);
        }
    }
}

impl Load {
    fn begin(&mut self, now: Instant, per_second: u32) {
        self.calls += 1;
        self.bucket.get_or_insert_with(|| TokenBucket::full(now, per_second)).take(now, per_second);
    }

    fn is_too_fast(&mut self, now: Instant, per_second: u32) -> bool {
        self.bucket.as_mut().is_some_and(|bucket| !bucket.has_one(now, per_second))
    }

    fn is_rested(&self, now: Instant, per_second: u32) -> bool {
        self.bucket.is_none_or(|bucket| bucket.is_full(now, per_second))
    }
}

#[cfg(test)]
mod tests;
