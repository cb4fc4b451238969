//! The phones of a run.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tandem_phone::{Access, Credentials, Manner, PhoneConfig, Place};
use tandem_phone_net::LiveCrowd;

use super::arguments::Plan;
use super::own_node;
use super::users::User;

/// How long calls that are over are remembered: retransmissions come within seconds, and there are many calls.
const LINGER: Duration = Duration::from_secs(4);
/// The called carrier's number among the phones, beyond all others'.
pub(super) const CALLED: u64 = 1 << 32;
const THIRD: u64 = CALLED + 1;

/// A carrier's part.
pub(super) struct Part<'a> {
    pub(super) user: &'a str,
    pub(super) address: SocketAddr,
    pub(super) media_ports: RangeInclusive<u16>,
    pub(super) manner: Manner,
}

/// The caller's half of the ports, and that of whom it calls.
pub(super) fn split(ports: &RangeInclusive<u16>) -> (RangeInclusive<u16>, RangeInclusive<u16>) {
    let (first, last) = (*ports.start(), *ports.end());
    let middle = (first + (last - first) / 2) & !1;
    (first..=middle - 1, middle..=last)
}

/// Adds a carrier's phone; `n` tells it from the others.
pub(super) fn add(plan: &Plan, crowd: &mut LiveCrowd, n: u64, part: Part<'_>) -> io::Result<Place> {
    let config = PhoneConfig {
        user: part.user.to_owned(),
        address: part.address,
        media_address: part.address.ip(),
        media_ports: part.media_ports,
        server: plan.target,
        credentials: None,
        expires: plan.expires,
        manner: part.manner,
        numbers: BTreeMap::new(),
        lines: usize::MAX,
        listen_for: PhoneConfig::all_frequencies(),
    };
    join(plan, crowd, n, config)
}

/// Adds the phone of who joins conferences.
pub(super) fn add_third(
    plan: &Plan,
    crowd: &mut LiveCrowd,
    address: IpAddr,
    manner: Manner,
) -> io::Result<Place> {
    let (user, password) = own_node::supervisor();
    let config = PhoneConfig {
        user: user.clone(),
        address: SocketAddr::new(address, plan.from.first().map_or(0, SocketAddr::port)),
        media_address: address,
        media_ports: 0..=0,
        server: plan.target,
        credentials: Some(Credentials { user, password }),
        expires: plan.expires,
        manner,
        numbers: BTreeMap::new(),
        lines: usize::MAX,
        listen_for: Vec::new(),
    };
    join(plan, crowd, THIRD, config)
}

/// Adds the phone of a user that registers, number `n`.
pub(super) fn add_user(plan: &Plan, crowd: &mut LiveCrowd, n: usize, user: &User) -> io::Result<Place> {
    let address = plan.from.get(n % plan.from.len().max(1)).copied().unwrap_or(plan.target);
    let config = PhoneConfig {
        user: user.name.clone(),
        address,
        media_address: address.ip(),
        media_ports: 0..=0,
        server: plan.target,
        credentials: Some(Credentials { user: user.name.clone(), password: user.password.clone() }),
        expires: plan.expires,
        manner: Manner::polite(0, Duration::ZERO),
        numbers: BTreeMap::new(),
        lines: 0,
        listen_for: Vec::new(),
    };
    join(plan, crowd, n as u64, config)
}

fn join(plan: &Plan, crowd: &mut LiveCrowd, n: u64, config: PhoneConfig) -> io::Result<Place> {
    let address = config.address;
    let (give_up, linger) = (plan.timeout, LINGER.min(plan.timeout));
    let access = Access { is_sips: plan.sips, give_up, linger, ..Access::default() };
    let rng = ChaCha8Rng::seed_from_u64(plan.seed.wrapping_add(n));
    crowd
        .add(config, access, rng)
        .map_err(|error| io::Error::new(error.kind(), format!("{address} cannot be used: {error}")))
}
