//! What the tests of phones share.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tandem_phone::{Manner, PhoneConfig};

pub(crate) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

pub(crate) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A phone at 127.0.0.`host` whose server is the other one of 20 and 21.
pub(crate) fn config(user: &str, host: u8, manner: Manner) -> PhoneConfig {
    let address = |host| SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 5060));
    PhoneConfig {
        user: user.into(),
        address: address(host),
        media_address: address(host).ip(),
        media_ports: 4_000..=4_009,
        server: address(41 - host),
        credentials: None,
        expires: secs(60),
        manner,
        numbers: BTreeMap::new(),
        lines: 1,
        listen_for: PhoneConfig::all_frequencies(),
    }
}
