//! The sources that are banned: written by the core's thread, read before anything of a packet is.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use arc_swap::ArcSwap;
use tandem_sbc::ban::{BanReason, prefix_of};
use tandem_sbc::source::IpPrefix;

/// Bans by prefix. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct BanList {
    /// By address, ascending.
    banned: Arc<ArcSwap<Vec<Entry>>>,
    dropped: Arc<[AtomicU64; BanReason::ALL.len()]>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    prefix: IpPrefix,
    reason: BanReason,
    /// Later bans have higher numbers.
    number: u64,
}

impl BanList {
    /// Adds a ban, or gives the one there is another reason.
    pub(crate) fn ban(&self, prefix: IpPrefix, reason: BanReason) {
        let mut banned = Vec::clone(&self.banned.load());
        let number = banned.iter().map(|entry| entry.number).max().unwrap_or(0) + 1;
        let entry = Entry { prefix, reason, number };
        match banned.binary_search_by_key(&prefix.address, |entry| entry.prefix.address) {
            Ok(place) => banned.splice(place..=place, [entry]).for_each(drop),
            Err(place) => banned.insert(place, entry),
        }
        self.banned.store(Arc::new(banned));
    }

    /// Removes a ban.
    pub(crate) fn lift(&self, prefix: IpPrefix) {
        let mut banned = Vec::clone(&self.banned.load());
        banned.retain(|entry| entry.prefix != prefix);
        self.banned.store(Arc::new(banned));
    }

    /// Whether a source is banned; what it sent is counted.
    pub(crate) fn drops(&self, source: IpAddr) -> bool {
        let banned = self.banned.load();
        if banned.is_empty() {
            return false;
        }
        let address = prefix_of(source).address;
        let found = banned.binary_search_by_key(&address, |entry| entry.prefix.address);
        let Some(entry) = found.ok().and_then(|place| banned.get(place)) else { return false };
        if let Some(counter) = place_of(entry.reason).and_then(|place| self.dropped.get(place)) {
            counter.fetch_add(1, Relaxed);
        }
        true
    }

    /// The latest bans, `max` at most.
    pub(crate) fn latest(&self, max: usize) -> Vec<IpPrefix> {
        let mut banned = Vec::clone(&self.banned.load());
        banned.sort_by_key(|entry| std::cmp::Reverse(entry.number));
        banned.iter().take(max).map(|entry| entry.prefix).collect()
    }

    /// What was dropped so far, by reason.
    pub(crate) fn dropped(&self) -> impl Iterator<Item = (BanReason, u64)> {
        BanReason::ALL
            .into_iter()
            .zip(self.dropped.iter())
            .map(|(reason, count)| (reason, count.load(Relaxed)))
    }
}

fn place_of(reason: BanReason) -> Option<usize> {
    BanReason::ALL.iter().position(|it| *it == reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(address: &str) -> IpPrefix {
        prefix_of(address.parse().unwrap())
    }

    #[test]
    fn who_is_banned_is_dropped_and_counted_until_it_is_lifted() {
        let list = BanList::default();
        let drops = |address: &str| list.drops(address.parse().unwrap());
        for address in ["192.0.2.2", "192.0.2.1", "2001:db8:0:1::1", "192.0.2.3"] {
            list.ban(prefix(address), BanReason::Malformed);
        }
        list.ban(prefix("192.0.2.2"), BanReason::UnknownUsers);
        assert!(drops("192.0.2.1") && drops("192.0.2.2") && drops("2001:db8:0:1:2::3"));
        assert!(!drops("192.0.2.4") && !drops("2001:db8:0:2::1"));
        assert_eq!(list.latest(2), [prefix("192.0.2.2"), prefix("192.0.2.3")]);
        list.lift(prefix("192.0.2.1"));
        assert!(!drops("192.0.2.1") && drops("192.0.2.3"));
        let dropped: Vec<_> = list.dropped().filter(|(_, count)| *count > 0).collect();
        assert_eq!(dropped, [(BanReason::UnknownUsers, 1), (BanReason::Malformed, 3)]);
    }
}
