//! Leases of even RTP ports.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

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

/// Even ports of a range, the longest unused first, so that a late packet of an old call finds nobody.
#[derive(Debug)]
pub struct PortPool {
    free: VecDeque<u16>,
    leased: usize,
}

impl PortPool {
    /// A pool of the port pairs that lie wholly within `range`.
    #[must_use]
    pub fn new(range: RangeInclusive<u16>) -> Self {
        let (first, last) = (*range.start(), *range.end());
        let free = (first..last).filter(|port| port % 2 == 0).collect();
        Self { free, leased: 0 }
    }

    /// Leases the port that was unused longest; none when all are leased.
    pub fn lease(&mut self) -> Option<PortLease> {
        let port = self.free.pop_front()?;
        self.leased += 1;
        Some(PortLease(port))
    }

    /// Takes a lease back.
    pub fn release(&mut self, lease: PortLease) {
        self.leased -= 1;
        self.free.push_back(lease.0);
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

    #[test]
    fn leases_whole_even_pairs_and_reuses_the_oldest_first() {
        let mut pool = PortPool::new(20_001..=20_006);
        let first = pool.lease().unwrap();
        let second = pool.lease().unwrap();
        assert_eq!((first.rtp(), second.rtp()), (20_002, 20_004));
        assert_eq!(pool.lease(), None, "20006 has no RTCP port within the range");
        pool.release(second);
        pool.release(first);
        assert_eq!(pool.leased(), 0);
        assert_eq!(pool.lease().unwrap().rtp(), 20_004);
    }
}
