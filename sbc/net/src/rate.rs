//! How many datagrams a second are read of one source: what it sends beyond is dropped unread.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use tandem_sbc::ban::prefix_of;
use tandem_sbc::token_bucket::{Instant, TokenBucket};

/// Sources that are told apart at a time; a further one makes those forgotten that sent little lately.
const SOURCES_MAX: usize = 4_096;

/// How often the core is told of a source that sends too much.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// The most datagrams a second of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketRates {
    /// Of one address of a carrier.
    pub carrier: u32,
    /// Of any other address.
    pub other: u32,
}

impl Default for PacketRates {
    fn default() -> Self {
        Self { carrier: 100_000, other: 2_000 }
    }
}

/// The rates, which the operator may change while sockets use them. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct SharedRates(Arc<[AtomicU32; 2]>);

impl SharedRates {
    pub(crate) fn new(rates: PacketRates) -> Self {
        Self(Arc::new([AtomicU32::new(rates.carrier), AtomicU32::new(rates.other)]))
    }

    pub(crate) fn replace(&self, rates: PacketRates) {
        let [carrier, other] = &*self.0;
        carrier.store(rates.carrier, Relaxed);
        other.store(rates.other, Relaxed);
    }

    fn of(&self, is_carrier: bool) -> u32 {
        let [carrier, other] = &*self.0;
        if is_carrier { carrier.load(Relaxed) } else { other.load(Relaxed) }
    }
}

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judged {
    /// It may be read.
    Within,
    /// It is dropped.
    Over,
    /// It is dropped, and the core is to be told of so many that were since it was told last.
    Tell(u32),
}

/// The sources of one socket, by what is banned together. Owner: the socket's task.
#[derive(Debug)]
pub(crate) struct SourceRates {
    limits: SharedRates,
    sources: BTreeMap<IpAddr, Meter>,
}

#[derive(Debug)]
struct Meter {
    bucket: TokenBucket,
    over: u32,
    told: Option<Instant>,
}

impl SourceRates {
    pub(crate) fn new(limits: SharedRates) -> Self {
        Self { limits, sources: BTreeMap::new() }
    }

    /// Counts a datagram.
    pub(crate) fn judge(&mut self, now: Instant, source: SocketAddr, is_carrier: bool) -> Judged {
        let per_second = self.limits.of(is_carrier);
        let address = prefix_of(source.ip()).address;
        if self.sources.len() >= SOURCES_MAX && !self.sources.contains_key(&address) {
            self.forget(now, per_second);
        }
        let fresh = || Meter { bucket: TokenBucket::full(now, per_second), over: 0, told: None };
        let meter = self.sources.entry(address).or_insert_with(fresh);
        if meter.bucket.take(now, per_second) {
            return Judged::Within;
        }
        meter.over = meter.over.saturating_add(1);
        if meter.told.is_some_and(|told| now < told + TELL_EVERY) {
            return Judged::Over;
        }
        meter.told = Some(now);
        Judged::Tell(std::mem::take(&mut meter.over))
    }

    /// A source whose bucket is full again is as good as unknown. When all are busy, all begin anew.
    fn forget(&mut self, now: Instant, per_second: u32) {
        self.sources.retain(|_, meter| !meter.bucket.is_full(now, per_second));
        if self.sources.len() >= SOURCES_MAX {
            self.sources.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn rates() -> SourceRates {
        SourceRates::new(SharedRates::new(PacketRates { carrier: 5, other: 2 }))
    }

    fn source(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 5060))
    }

    #[test]
    fn each_source_has_its_rate_and_what_is_over_is_told_once_a_second() {
        let mut rates = rates();
        let now = Instant::from_millis(1_000);
        let of = |rates: &mut SourceRates, now, last, is_carrier| rates.judge(now, source(last), is_carrier);
        assert_eq!([(); 2].map(|()| of(&mut rates, now, 1, false)), [Judged::Within; 2]);
        assert_eq!(of(&mut rates, now, 1, false), Judged::Tell(1));
        assert_eq!([(); 3].map(|()| of(&mut rates, now, 1, false)), [Judged::Over; 3]);
        assert_eq!(of(&mut rates, now, 2, false), Judged::Within, "another source");
        assert_eq!([(); 5].map(|()| of(&mut rates, now, 3, true)), [Judged::Within; 5]);
        assert_eq!(of(&mut rates, now, 3, true), Judged::Tell(1));
        let later = now + Duration::from_secs(1);
        assert_eq!([(); 2].map(|()| of(&mut rates, later, 1, false)), [Judged::Within; 2]);
        assert_eq!(of(&mut rates, later, 1, false), Judged::Tell(4));
    }

    #[test]
    fn new_rates_count_at_once() {
        let mut rates = rates();
        let limits = rates.limits.clone();
        let now = Instant::from_millis(1_000);
        limits.replace(PacketRates { carrier: 5, other: 1 });
        assert_eq!(rates.judge(now, source(1), false), Judged::Within);
        assert_eq!(rates.judge(now, source(1), false), Judged::Tell(1));
    }

    #[test]
    fn sources_are_bounded() {
        let mut rates = rates();
        let now = Instant::from_millis(1_000);
        for n in 0..3 * SOURCES_MAX as u32 {
            let source = SocketAddr::new(Ipv4Addr::from_bits(n).into(), 1);
            assert_eq!(rates.judge(now, source, false), Judged::Within);
            assert!(rates.sources.len() <= SOURCES_MAX);
        }
    }
}
