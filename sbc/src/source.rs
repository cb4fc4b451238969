//! Who may send to us: decided by source address, before a byte is read.

use std::net::IpAddr;

/// An address prefix such as `127.0.0.10/32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpPrefix {
    /// The address.
    pub address: IpAddr,
    /// How many of its leading bits count.
    pub bits: u8,
}

impl IpPrefix {
    /// Whether `address` lies in it. An IPv4 address mapped into IPv6 (RFC 4291 §2.5.5.2) counts as IPv4, since
    /// a dual-stack socket shows it that way.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(mine), IpAddr::V4(other)) => {
                let bits = u32::from(self.bits).min(32);
                let differing = mine.to_bits() ^ other.to_bits();
                differing.leading_zeros() >= bits
            }
            (IpAddr::V6(mine), IpAddr::V6(other)) => {
                let bits = u32::from(self.bits).min(128);
                let differing = mine.to_bits() ^ other.to_bits();
                differing.leading_zeros() >= bits
            }
            _ => false,
        }
    }
}

/// What a source address is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SourceClass {
    /// The trunk at this place in the configuration.
    Trunk(usize),
    /// A phone.
    Phone,
}

/// Every source we listen to.
#[derive(Clone, Debug, Default)]
pub(crate) struct AllowList {
    /// The longest prefixes first, so that the most specific entry wins.
    entries: Vec<(IpPrefix, SourceClass)>,
}

impl AllowList {
    pub(crate) fn new(entries: impl IntoIterator<Item = (IpPrefix, SourceClass)>) -> Self {
        let mut entries: Vec<_> = entries.into_iter().collect();
        entries.sort_by_key(|(prefix, class)| (std::cmp::Reverse(prefix.bits), *class));
        Self { entries }
    }

    /// What `source` is, or `None` for everybody else.
    pub(crate) fn class(&self, source: IpAddr) -> Option<SourceClass> {
        self.entries.iter().find(|(prefix, _)| prefix.contains(source)).map(|(_, class)| *class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str, bits: u8) -> IpPrefix {
        IpPrefix { address: text.parse().expect("an address"), bits }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_prefix_counts_its_leading_bits() {
        assert!(prefix("192.0.2.128", 25).contains(ip("192.0.2.255")));
        assert!(!prefix("192.0.2.128", 25).contains(ip("192.0.2.127")));
        assert!(prefix("0.0.0.0", 0).contains(ip("203.0.113.9")));
        assert!(!prefix("0.0.0.0", 0).contains(ip("2001:db8::1")));
        assert!(prefix("2001:db8::", 32).contains(ip("2001:db8:ffff::1")));
        assert!(!prefix("2001:db8::", 32).contains(ip("2001:db9::1")));
        assert!(prefix("127.0.0.10", 32).contains(ip("::ffff:127.0.0.10")));
        assert!(!prefix("127.0.0.10", 32).contains(ip("127.0.0.11")));
    }

    #[test]
    fn more_bits_than_an_address_has_mean_all_of_them() {
        assert!(prefix("127.0.0.10", 255).contains(ip("127.0.0.10")));
        assert!(!prefix("127.0.0.10", 255).contains(ip("127.0.0.11")));
    }

    #[test]
    fn the_most_specific_entry_wins() {
        let list = AllowList::new([
            (prefix("127.0.0.0", 8), SourceClass::Phone),
            (prefix("127.0.0.10", 32), SourceClass::Trunk(0)),
        ]);
        assert_eq!(list.class(ip("127.0.0.10")), Some(SourceClass::Trunk(0)));
        assert_eq!(list.class(ip("127.0.0.11")), Some(SourceClass::Phone));
        assert_eq!(list.class(ip("192.0.2.1")), None);
    }
}
