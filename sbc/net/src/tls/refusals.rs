//! Tells the operator why TLS with a trunk fails: each time by a counter, in words once in a while.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::counters::{Counters, count};

/// How long a trunk is not spoken of again.
pub(crate) const LOG_PAUSE: Duration = Duration::from_secs(60);

/// When each trunk was last spoken of. As many entries as there were trunks.
#[derive(Debug)]
pub(crate) struct Refusals {
    counters: Arc<Counters>,
    told: Mutex<BTreeMap<String, Told>>,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    at: Instant,
    unsaid: u64,
}

impl Refusals {
    pub(crate) fn new(counters: Arc<Counters>) -> Self {
        Self { counters, told: Mutex::default() }
    }

    /// A certificate that is not the one a trunk should show.
    pub(super) fn refused(&self, trunk: &str, presented: &str, expected: &dyn Display, reason: &str) {
        count(&self.counters.tls_peers_refused);
        if let Some(unsaid) = self.is_due(trunk) {
            tracing::warn!(trunk, presented, %expected, unsaid, "TLS peer refused: {reason}");
        }
    }

    /// A handshake that a trunk ended, or that ended for another reason than its certificate.
    pub(crate) fn failed(&self, trunk: &str, reason: &dyn Display) {
        if let Some(unsaid) = self.is_due(trunk) {
            tracing::warn!(trunk, unsaid, "TLS handshake failed: {reason}");
        }
    }

    /// How many times nothing was said of it, when it is time to say something again.
    fn is_due(&self, trunk: &str) -> Option<u64> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match told.get_mut(trunk) {
            Some(last) if now.duration_since(last.at) < LOG_PAUSE => {
                last.unsaid += 1;
                None
            }
            last => {
                let unsaid = last.map_or(0, |last| last.unsaid);
                told.insert(trunk.to_owned(), Told { at: now, unsaid: 0 });
                Some(unsaid)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_trunk_is_spoken_of_once_a_minute_with_the_number_left_out() {
        let refusals = Refusals::new(Arc::default());
        assert_eq!(refusals.is_due("a"), Some(0));
        assert_eq!((refusals.is_due("a"), refusals.is_due("b"), refusals.is_due("a")), (None, Some(0), None));
        tokio::time::advance(LOG_PAUSE - Duration::from_millis(1)).await;
        assert_eq!(refusals.is_due("a"), None);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(refusals.is_due("a"), Some(3));
        assert_eq!(refusals.is_due("a"), None);
    }
}
