//! Leases of even RTP ports.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::time::Duration;

use tandem_time::Instant;

/// A leased even port; its RTCP port is the next one.
///
/// Not `Clone`: a lease is given back to the pool it came from, once.
#[derive(Debug, PartialEq, Eq)]
pub struct PortLease(u16);

impl PortLease {
    /// The even RTP port.
    #[must_use]
    pub const fn rtp(&self) -> u16 {
        self.0
    }
}

/// Even ports of a range, the longest unused first and none before it has rested, so that a late packet of an old call
/// finds nobody.
#[derive(Debug)]
pub struct PortPool {
    free: VecDeque<Free>,
    leased: usize,
}

/// A port nobody has.
#[derive(Clone, Copy, Debug)]
struct Free {
    port: u16,
    /// When it was given back; absent when nobody ever had it.
    since: Option<Instant>,
}

impl PortPool {
    /// A pool of the port pairs that lie wholly within `range`.
    #[must_use]
    pub fn new(range: RangeInclusive<u16>) -> Self {
        let (first, last) = (*range.start(), *range.end());
        let even = (first..last).filter(|port| port % 2 == 0);
        Self { free: even.map(|port| Free { port, since: None }).collect(), leased: 0 }
    }

    /// Leases the port that was unused longest, if it was for `rest`; none when all are leased or rest.
    pub fn lease(&mut self, now: Instant, rest: Duration) -> Option<PortLease> {
        let rested = |free: &mut Free| free.since.is_none_or(|since| since + rest <= now);
        let Free { port, .. } = self.free.pop_front_if(rested)?;
        self.leased += 1;
        Some(PortLease(port))
    }

    /// Takes a lease back.
    pub fn release(&mut self, now: Instant, lease: PortLease) {
        self.leased -= 1;
        self.free.push_back(Free { port: lease.0, since: Some(now) });
    }

    /// How many are out.
    #[must_use]
    pub const fn leased(&self) -> usize {
        self.leased
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: Duration = Duration::from_secs(2);

    #[test]
    fn leases_whole_even_pairs_and_reuses_the_oldest_first() {
        let now = Instant::START;
        let mut pool = PortPool::new(20_001..=20_006);
        let first = pool.lease(now, REST).unwrap();
        let second = pool.lease(now, REST).unwrap();
        assert_eq!((first.rtp(), second.rtp()), (20_002, 20_004));
        assert_eq!(pool.lease(now, REST), None, "20006 has no RTCP port within the range");
        pool.release(now, second);
        pool.release(now, first);
        assert_eq!(pool.leased(), 0);
        assert_eq!(pool.lease(now + REST, REST).unwrap().rtp(), 20_004);
    }

    #[test]
    fn a_port_rests_before_it_is_leased_again() {
        let released = Instant::START + Duration::from_secs(7);
        let mut pool = PortPool::new(20_000..=20_001);
        let lease = pool.lease(Instant::START, REST).unwrap();
        pool.release(released, lease);
        assert_eq!(pool.lease(released, REST), None);
        assert_eq!(pool.lease(released + (REST - Duration::from_nanos(1)), REST), None);
        assert_eq!(pool.leased(), 0, "a port that rests is nobody's");
        assert_eq!(pool.lease(released + REST, REST).map(|it| it.rtp()), Some(20_000));
    }

    #[test]
    fn without_rest_a_port_is_free_at_once() {
        let mut pool = PortPool::new(20_000..=20_001);
        let lease = pool.lease(Instant::START, Duration::ZERO).unwrap();
        pool.release(Instant::START, lease);
        assert!(pool.lease(Instant::START, Duration::ZERO).is_some());
    }
}
