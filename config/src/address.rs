//! Address prefixes, and ranges turned into them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address prefix such as `127.0.0.10/32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpPrefix {
    /// The address; the bits that do not count are zero.
    pub address: IpAddr,
    /// How many of its leading bits count.
    pub bits: u8,
}

impl IpPrefix {
    /// Whether an address lies in it.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let differing = match (self.address, address) {
            (IpAddr::V4(mine), IpAddr::V4(other)) => (mine.to_bits() ^ other.to_bits()).leading_zeros(),
            (IpAddr::V6(mine), IpAddr::V6(other)) => (mine.to_bits() ^ other.to_bits()).leading_zeros(),
            _ => return false,
        };
        differing >= u32::from(self.bits)
    }

    /// Whether some address lies in both.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        let (a, b) = (Bits::of(self.address), Bits::of(other.address));
        let shared = self.bits.min(other.bits);
        a.width == b.width && a.masked(shared) == b.masked(shared)
    }

    /// Reads `ADDRESS`, `ADDRESS/BITS` or `FIRST-LAST`; a range becomes the fewest prefixes that cover it exactly.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, String> {
        if let Some((first, last)) = text.split_once('-') {
            return cover(parse_address(first)?, parse_address(last)?);
        }
        let Some((address, bits)) = text.split_once('/') else {
            let address = parse_address(text)?;
            return Ok(vec![Self { address, bits: width(address) }]);
        };
        let address = parse_address(address)?;
        let bits = bits.parse::<u8>().ok().filter(|bits| *bits <= width(address));
        let bits = bits.ok_or_else(|| format!("{text:?} has no valid prefix length"))?;
        let all = Bits::of(address);
        let network = all.with(all.masked(bits)).address();
        if network != address {
            return Err(format!("{text:?} has bits beyond its prefix: {network}/{bits} is meant"));
        }
        Ok(vec![Self { address, bits }])
    }
}

impl fmt::Display for IpPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bits == width(self.address) {
            write!(f, "{}", self.address)
        } else {
            write!(f, "{}/{}", self.address, self.bits)
        }
    }
}

fn parse_address(text: &str) -> Result<IpAddr, String> {
    text.trim().parse().map_err(|_| format!("{:?} is not an IP address", text.trim()))
}

const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn cover(first: IpAddr, last: IpAddr) -> Result<Vec<IpPrefix>, String> {
    let (from, to) = (Bits::of(first), Bits::of(last));
    if from.width != to.width || from.value > to.value {
        return Err(format!("{first}-{last} is not a range from low to high"));
    }
    let mut prefixes = Vec::new();
    let mut next = from.value;
    loop {
        // The largest aligned block that begins at `next` and does not reach beyond the end.
        let left = to.value - next;
        let mut size_bits = next.trailing_zeros().min(u32::from(from.width));
        while size_bits > 0 && low_bits(size_bits) > left {
            size_bits -= 1;
        }
        let bits = from.width.saturating_sub(u8::try_from(size_bits).unwrap_or(u8::MAX));
        prefixes.push(IpPrefix { address: from.with(next).address(), bits });
        let end = next + low_bits(size_bits);
        if end >= to.value {
            return Ok(prefixes);
        }
        next = end + 1;
    }
}

/// The number whose lowest `count` bits are set.
const fn low_bits(count: u32) -> u128 {
    match 1u128.checked_shl(count) {
        Some(power) => power - 1,
        None => u128::MAX,
    }
}

/// An address as a number.
#[derive(Clone, Copy)]
struct Bits {
    value: u128,
    width: u8,
}

impl Bits {
    fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self { value: u128::from(v4.to_bits()), width: 32 },
            IpAddr::V6(v6) => Self { value: v6.to_bits(), width: 128 },
        }
    }

    fn with(self, value: u128) -> Self {
        Self { value, ..self }
    }

    /// The value with all but the leading `bits` cleared.
    fn masked(self, bits: u8) -> u128 {
        self.value & !low_bits(u32::from(self.width - bits.min(self.width)))
    }

    fn address(self) -> IpAddr {
        match u32::try_from(self.value) {
            Ok(v4) if self.width == 32 => Ipv4Addr::from_bits(v4).into(),
            _ => Ipv6Addr::from_bits(self.value).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        IpPrefix::parse_all(text).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn reads_addresses_prefixes_and_ranges() {
        assert_eq!(shown("127.0.0.10"), ["127.0.0.10"]);
        assert_eq!(shown("10.0.0.0/8"), ["10.0.0.0/8"]);
        assert_eq!(shown("2001:db8::/32"), ["2001:db8::/32"]);
        assert_eq!(shown("127.0.0.20-127.0.0.29"), ["127.0.0.20/30", "127.0.0.24/30", "127.0.0.28/31"]);
        assert_eq!(shown("10.0.0.1 - 10.0.0.1"), ["10.0.0.1"]);
    }

    #[test]
    fn covers_whole_families() {
        assert_eq!(shown("0.0.0.0-255.255.255.255"), ["0.0.0.0/0"]);
        assert_eq!(shown("::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), ["::/0"]);
    }

    #[test]
    fn a_range_covers_its_addresses_and_no_other() {
        let prefixes = IpPrefix::parse_all("10.0.0.3-10.0.1.200").unwrap();
        let covered = |last: u32| {
            let address = Ipv4Addr::from_bits(0x0a00_0000 + last).into();
            prefixes.iter().filter(|prefix| prefix.overlaps(IpPrefix { address, bits: 32 })).count()
        };
        for last in 0..600 {
            assert_eq!(covered(last), usize::from((3..=456).contains(&last)), "10.0.0.0 + {last}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        assert_eq!(
            IpPrefix::parse_all("10.0.0.1/8").unwrap_err(),
            "\"10.0.0.1/8\" has bits beyond its prefix: 10.0.0.0/8 is meant"
        );
        assert!(IpPrefix::parse_all("10.0.0.0/33").unwrap_err().contains("prefix length"));
        assert!(IpPrefix::parse_all("10.0.0.9-10.0.0.1").unwrap_err().contains("low to high"));
        assert!(IpPrefix::parse_all("10.0.0.9-::1").unwrap_err().contains("low to high"));
        assert!(IpPrefix::parse_all("carrier").unwrap_err().contains("not an IP address"));
    }
}
