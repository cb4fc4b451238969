//! How often somebody was wrong lately: guessing passwords is cut short.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use tandem_time::Instant;

/// Wrong passwords from one address for one user within [`WINDOW`]; after that even the right one is refused.
pub(super) const FAILURES_MAX: u32 = 10;

/// How long failures count.
pub(super) const WINDOW: Duration = Duration::from_secs(60);

/// The most pairs of address and user remembered; the one first in order goes.
const ENTRIES_MAX: usize = 4_096;

#[derive(Debug, Default)]
pub(super) struct Failures {
    entries: BTreeMap<(IpAddr, String), Recent>,
}

#[derive(Clone, Copy, Debug)]
struct Recent {
    since: Instant,
    count: u32,
}

impl Failures {
    pub(super) fn are_too_many(&self, now: Instant, source: IpAddr, user: &str) -> bool {
        self.entries
            .get(&(source, user.to_owned()))
            .is_some_and(|recent| recent.count >= FAILURES_MAX && now - recent.since < WINDOW)
    }

    pub(super) fn count(&mut self, now: Instant, source: IpAddr, user: &str) {
        if self.entries.len() >= ENTRIES_MAX {
            self.entries.retain(|_, recent| now - recent.since < WINDOW);
        }
        if self.entries.len() >= ENTRIES_MAX {
            self.entries.pop_first();
        }
        let recent = self.entries.entry((source, user.to_owned())).or_insert(Recent { since: now, count: 0 });
        if now - recent.since >= WINDOW {
            *recent = Recent { since: now, count: 0 };
        }
        recent.count += 1;
    }

    pub(super) fn clear(&mut self, source: IpAddr, user: &str) {
        self.entries.remove(&(source, user.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn entries_are_bounded() {
        let mut failures = Failures::default();
        for number in 0..=ENTRIES_MAX {
            assert_eq!(failures.entries.len(), number.min(ENTRIES_MAX));
            let bits = u32::try_from(number).expect("a small number");
            failures.count(Instant::START, Ipv4Addr::from_bits(bits).into(), "1001");
        }
        assert_eq!(failures.entries.len(), ENTRIES_MAX);
        failures.count(Instant::START + WINDOW, Ipv4Addr::LOCALHOST.into(), "1001");
        assert_eq!(failures.entries.len(), 1, "what no longer counts goes first");
    }
}
