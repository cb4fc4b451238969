//! The sources we hear. Everybody else gets nothing.

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tandem_sbc::source::IpPrefix;

use crate::ban_list::BanList;

/// A list of prefixes that can be replaced while sockets use it. Clones share it.
#[derive(Clone, Debug)]
pub struct AllowList {
    ranges: Arc<ArcSwap<Ranges>>,
    bans: BanList,
}

/// The prefixes as ascending ranges that neither overlap nor touch, both ends included.
#[derive(Debug, Default)]
struct Ranges {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

impl AllowList {
    /// A list of these prefixes. An empty one allows nobody.
    #[must_use]
    pub fn new(prefixes: &[IpPrefix]) -> Self {
        Self { ranges: Arc::new(ArcSwap::from_pointee(Ranges::new(prefixes))), bans: BanList::default() }
    }

    /// Puts these prefixes in the place of the present ones.
    pub fn replace(&self, prefixes: &[IpPrefix]) {
        self.ranges.store(Arc::new(Ranges::new(prefixes)));
    }

    /// The bans among the listed sources.
    pub(crate) const fn bans(&self) -> &BanList {
        &self.bans
    }

    /// Whether a source is listed and not banned.
    #[must_use]
    pub fn allows(&self, source: IpAddr) -> bool {
        self.lists(source) && !self.bans.drops(source)
    }

    /// Whether a source is listed. An IPv4-mapped address counts as the IPv4 address.
    #[must_use]
    pub fn lists(&self, source: IpAddr) -> bool {
        let ranges = self.ranges.load();
        match source.to_canonical() {
            IpAddr::V4(source) => contains(&ranges.v4, source.to_bits()),
            IpAddr::V6(source) => contains(&ranges.v6, source.to_bits()),
        }
    }
}

impl Ranges {
    fn new(prefixes: &[IpPrefix]) -> Self {
        let mut ranges = Self::default();
        for prefix in prefixes {
            match prefix.address.to_canonical() {
                IpAddr::V4(address) => {
                    let host = u32::MAX.checked_shr(prefix.bits.into()).unwrap_or(0);
                    ranges.v4.push((address.to_bits() & !host, address.to_bits() | host));
                }
                IpAddr::V6(address) => {
                    let host = u128::MAX.checked_shr(prefix.bits.into()).unwrap_or(0);
                    ranges.v6.push((address.to_bits() & !host, address.to_bits() | host));
                }
            }
        }
        merge(&mut ranges.v4);
        merge(&mut ranges.v6);
        ranges
    }
}

/// Sorts ranges and joins those that overlap.
fn merge<T: Ord + Copy>(ranges: &mut Vec<(T, T)>) {
    ranges.sort_unstable();
    ranges.dedup_by(|next, kept| {
        let overlaps = next.0 <= kept.1;
        if overlaps {
            kept.1 = kept.1.max(next.1);
        }
        overlaps
    });
}

fn contains<T: Ord + Copy>(ranges: &[(T, T)], value: T) -> bool {
    let after = ranges.partition_point(|range| range.0 <= value);
    after.checked_sub(1).and_then(|index| ranges.get(index)).is_some_and(|range| value <= range.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(prefixes: &[(&str, u8)]) -> Vec<IpPrefix> {
        prefixes
            .iter()
            .map(|(address, bits)| IpPrefix { address: address.parse().unwrap(), bits: *bits })
            .collect()
    }

    fn allows(list: &AllowList, source: &str) -> bool {
        list.allows(source.parse().unwrap())
    }

    #[test]
    fn a_prefix_allows_its_first_and_last_address_and_none_beside() {
        let list = AllowList::new(&list(&[("192.0.2.64", 26), ("2001:db8:1::", 48)]));
        for (source, expected) in [
            ("192.0.2.63", false),
            ("192.0.2.64", true),
            ("192.0.2.127", true),
            ("192.0.2.128", false),
            ("2001:db8:0:ffff::1", false),
            ("2001:db8:1::", true),
            ("2001:db8:1:ffff:ffff:ffff:ffff:ffff", true),
            ("2001:db8:2::", false),
            ("::ffff:192.0.2.100", true),
            ("::ffff:192.0.2.128", false),
        ] {
            assert_eq!(allows(&list, source), expected, "{source}");
        }
    }

    #[test]
    fn nested_and_repeated_prefixes_are_one() {
        let list = AllowList::new(&list(&[
            ("10.0.0.0", 8),
            ("10.1.0.0", 16),
            ("10.0.0.0", 8),
            ("10.255.255.255", 32),
        ]));
        assert!(allows(&list, "10.0.0.0") && allows(&list, "10.200.3.4") && allows(&list, "10.255.255.255"));
        assert!(!allows(&list, "11.0.0.0") && !allows(&list, "9.255.255.255"));
    }

    #[test]
    fn no_prefix_allows_nobody_and_zero_bits_allow_everybody() {
        let nobody = AllowList::new(&[]);
        assert!(!allows(&nobody, "127.0.0.1") && !allows(&nobody, "::1"));
        let everybody = AllowList::new(&list(&[("0.0.0.0", 0)]));
        assert!(allows(&everybody, "255.255.255.255") && !allows(&everybody, "::1"));
    }

    #[test]
    fn a_replaced_list_counts_for_every_clone() {
        let first = AllowList::new(&list(&[("192.0.2.1", 32)]));
        let clone = first.clone();
        first.replace(&list(&[("192.0.2.2", 32)]));
        assert!(!allows(&clone, "192.0.2.1") && allows(&clone, "192.0.2.2"));
    }
}
