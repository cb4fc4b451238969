//! Which destinations of carriers are fit to be called.
//!
//! Owner thread: the signalling core. This module must not know messages or trunks.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tandem_time::Instant;

use crate::transport::{Hop, Transport};

/// The most destinations whose rest is remembered.
const RESTING_MAX: usize = 1_024;

/// What is known of destinations.
#[derive(Debug, Default)]
pub(crate) struct Destinations {
    /// Until when a destination is to be left alone.
    resting: BTreeMap<(Transport, SocketAddr), Instant>,
}

impl Destinations {
    /// Leaves a destination alone for a while, or longer than before.
    pub(crate) fn rest(&mut self, now: Instant, hop: &Hop, rest: Duration) {
        self.resting.retain(|_, until| *until > now);
        let key = (hop.transport, hop.destination);
        if self.resting.len() < RESTING_MAX || self.resting.contains_key(&key) {
            let until = self.resting.entry(key).or_insert(now);
            *until = (*until).max(now + rest);
        }
    }

    /// Whether calls may go there.
    pub(crate) fn is_usable(&self, now: Instant, hop: &Hop) -> bool {
        self.resting.get(&(hop.transport, hop.destination)).is_none_or(|until| *until <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(port: u16) -> Hop {
        let destination = SocketAddr::from(([192, 0, 2, 1], port));
        Hop { transport: Transport::Udp, local: destination, destination, flow: None }
    }

    #[test]
    fn a_destination_rests_as_long_as_the_longest_wish() {
        let mut destinations = Destinations::default();
        let now = Instant::from_millis(1_000);
        destinations.rest(now, &hop(1), Duration::from_secs(10));
        destinations.rest(now, &hop(1), Duration::from_secs(5));
        assert!(destinations.is_usable(now, &hop(2)));
        assert!(!destinations.is_usable(now + Duration::from_millis(9_999), &hop(1)));
        assert!(destinations.is_usable(now + Duration::from_secs(10), &hop(1)));
    }

    #[test]
    fn the_memory_of_rests_is_bounded() {
        let mut destinations = Destinations::default();
        let now = Instant::from_millis(1_000);
        let max = u16::try_from(RESTING_MAX).expect("a small number");
        (1..=max + 1).for_each(|port| destinations.rest(now, &hop(port), Duration::from_secs(10)));
        assert!(!destinations.is_usable(now, &hop(max)));
        assert!(destinations.is_usable(now, &hop(max + 1)));
    }
}
