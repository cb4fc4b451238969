//! Bans: whoever guesses passwords, sweeps numbers or users, sends nonsense or floods is not heard for a while.
//!
//! ```text
//!            offences reach a threshold within the window
//!   heard ───────────────────────────────────────────────► banned ── time is up, or unbanned ──► heard
//! ```
//!
//! Each further ban of an address lasts twice as long, up to a maximum; after as long as that without one the count
//! starts anew. An IPv6 source is its /64, since whoever has one address there has all of them.
//!
//! Owner thread: the signalling core. This module must not know messages; it is told what a source did. Both of its
//! lists are bounded.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tandem_time::Instant;

use crate::source::IpPrefix;

/// The most sources whose offences are remembered; the one that began first goes.
const SUSPECTS_MAX: usize = 4_096;

/// So much more is forgiven an address at which users are registered: most likely a NAT gateway, and one of its
/// many users is wrong.
const NAT_PATIENCE: u32 = 5;

/// The most different names and numbers remembered of one source.
const NAMES_MAX: usize = 1_024;

/// What an operator decides about bans. A threshold of zero is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protection {
    /// How long a first ban lasts; zero bans nobody.
    pub ban: Duration,
    /// How long one lasts at most.
    pub max_ban: Duration,
    /// Offences count together that lie within this.
    pub window: Duration,
    /// Wrong passwords, whoever's.
    pub authentication_failures: u32,
    /// Different users that do not exist, registered or authenticated as.
    pub unknown_users: u32,
    /// Different numbers called that do not exist.
    pub unknown_numbers: u32,
    /// Messages that cannot be read.
    pub malformed: u32,
    /// Packets beyond the rate of a source.
    pub packets_over_rate: u32,
    /// Bans that are remembered, those included that are over; the one that ends first goes.
    pub max_bans: u32,
    /// Whether trunks can be banned too; else what they do is counted only.
    pub ban_trunks: bool,
    /// Who is never banned.
    pub exempt: Vec<IpPrefix>,
}

impl Default for Protection {
    fn default() -> Self {
        Self {
            ban: Duration::from_secs(60),
            max_ban: Duration::from_secs(86_400),
            window: Duration::from_secs(60),
            authentication_failures: 20,
            unknown_users: 10,
            unknown_numbers: 20,
            malformed: 100,
            packets_over_rate: 5_000,
            max_bans: 4_096,
            ban_trunks: false,
            exempt: Vec::new(),
        }
    }
}

/// What a source did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offence<'a> {
    AuthenticationFailure,
    UnknownUser(&'a str),
    UnknownNumber(&'a str),
    Malformed,
    PacketsOverRate(u32),
}

/// Why a source is banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BanReason {
    /// It guessed passwords.
    AuthenticationFailures,
    /// It tried user names.
    UnknownUsers,
    /// It tried numbers.
    UnknownNumbers,
    /// It sent what cannot be read.
    Malformed,
    /// It sent too much.
    PacketsOverRate,
}

impl BanReason {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::AuthenticationFailures,
        Self::UnknownUsers,
        Self::UnknownNumbers,
        Self::Malformed,
        Self::PacketsOverRate,
    ];

    /// As metrics and the list of bans show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AuthenticationFailures => "authentication_failures",
            Self::UnknownUsers => "unknown_users",
            Self::UnknownNumbers => "unknown_numbers",
            Self::Malformed => "malformed",
            Self::PacketsOverRate => "packets_over_rate",
        }
    }

    const fn threshold(self, protection: &Protection) -> u32 {
        match self {
            Self::AuthenticationFailures => protection.authentication_failures,
            Self::UnknownUsers => protection.unknown_users,
            Self::UnknownNumbers => protection.unknown_numbers,
            Self::Malformed => protection.malformed,
            Self::PacketsOverRate => protection.packets_over_rate,
        }
    }
}

impl Offence<'_> {
    const fn reason(self) -> BanReason {
        match self {
            Self::AuthenticationFailure => BanReason::AuthenticationFailures,
            Self::UnknownUser(_) => BanReason::UnknownUsers,
            Self::UnknownNumber(_) => BanReason::UnknownNumbers,
            Self::Malformed => BanReason::Malformed,
            Self::PacketsOverRate(_) => BanReason::PacketsOverRate,
        }
    }
}

/// A ban in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Who is not heard.
    pub prefix: IpPrefix,
    /// Why.
    pub reason: BanReason,
    /// Since when.
    pub since: Instant,
    /// Until when.
    pub until: Instant,
    /// Which of its bans this is, 1 for the first.
    pub times: u32,
    /// Whose offence was the last straw.
    pub offender: SocketAddr,
    /// Whether users were registered at the address when it was banned; their phones are heard on, unless it was
    /// one of them.
    pub spares_users: bool,
}

/// A source that is to be dropped from now on, or heard again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceChange {
    /// Nothing of it needs to be read.
    Banned(IpPrefix, BanReason),
    /// It is heard again.
    Lifted(IpPrefix),
}

/// What is counted of offences and bans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Offences of sources that can be banned and of those that cannot.
    pub offences: u64,
    /// Bans.
    pub bans: u64,
    /// Packets dropped by the user agent; what transports drop, they count.
    pub dropped: u64,
}

/// All bans, and the suspects.
#[derive(Debug, Default)]
pub(crate) struct Bans {
    suspects: BTreeMap<IpAddr, Suspect>,
    /// Suspects by the time they became one.
    suspected: BTreeSet<(Instant, IpAddr)>,
    /// In force or over.
    bans: BTreeMap<IpAddr, Ban>,
    /// When those in force end.
    ends: BTreeSet<(Instant, IpAddr)>,
    changes: VecDeque<SourceChange>,
    tallies: BTreeMap<BanReason, Tally>,
}

#[derive(Debug)]
struct Suspect {
    since: Instant,
    counts: BTreeMap<BanReason, u32>,
    /// Hashes of names and numbers.
    names: BTreeSet<(BanReason, u64)>,
}

impl Bans {
    /// Counts an offence. `has_users` tells whether users are registered at the address; `can_be_banned` whether it
    /// is anybody's but a trunk's. Whether it is banned now.
    pub(crate) fn offend(
        &mut self,
        now: Instant,
        source: SocketAddr,
        offence: Offence<'_>,
        (can_be_banned, has_users): (bool, bool),
        protection: &Protection,
    ) -> bool {
        let reason = offence.reason();
        self.tallies.entry(reason).or_default().offences += 1;
        let is_exempt = protection.exempt.iter().any(|prefix| prefix.contains(source.ip()));
        let threshold = reason.threshold(protection);
        if !can_be_banned || is_exempt || protection.ban.is_zero() || threshold == 0 {
            return false;
        }
        let address = prefix_of(source.ip()).address;
        let count = self.suspect(now, address, protection.window).count(offence);
        let patience = if has_users { NAT_PATIENCE } else { 1 };
        if count < threshold.saturating_mul(patience) {
            return false;
        }
        self.ban(now, source, reason, has_users, protection);
        true
    }

    /// Whether a source is banned; if so, the packet is counted. `is_spared` tells, when it is asked, whether this
    /// very source is a registered phone's.
    pub(crate) fn drops(&mut self, source: SocketAddr, is_spared: impl FnOnce() -> bool) -> bool {
        if self.ends.is_empty() {
            return false;
        }
        let address = prefix_of(source.ip()).address;
        let Some(ban) = self.bans.get(&address).filter(|ban| self.ends.contains(&(ban.until, address)))
        else {
            return false;
        };
        if ban.spares_users && source != ban.offender && is_spared() {
            return false;
        }
        self.tallies.entry(ban.reason).or_default().dropped += 1;
        true
    }

    /// Lets go what is over by `now`.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(due, address)) = self.ends.first()
            && due <= now
        {
            self.ends.remove(&(due, address));
            self.changes.push_back(SourceChange::Lifted(prefix_of(address)));
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.ends.first().map(|(due, _)| *due)
    }

    pub(crate) fn poll_change(&mut self) -> Option<SourceChange> {
        self.changes.pop_front()
    }

    /// Ends a ban and forgets that there was one. Whether there was.
    pub(crate) fn pardon(&mut self, source: IpAddr) -> bool {
        let address = prefix_of(source).address;
        self.forget_suspect(address);
        let Some(ban) = self.bans.remove(&address) else { return false };
        let was_in_force = self.ends.remove(&(ban.until, address));
        if was_in_force {
            self.changes.push_back(SourceChange::Lifted(ban.prefix));
        }
        was_in_force
    }

    /// Pardons those who pass.
    pub(crate) fn pardon_all(&mut self, passes: impl Fn(IpAddr) -> bool) {
        let pardoned: Vec<IpAddr> = self.bans.keys().copied().filter(|address| passes(*address)).collect();
        for address in pardoned {
            self.pardon(address);
        }
    }

    /// Those in force, the one that ends first at the front.
    pub(crate) fn in_force(&self) -> impl Iterator<Item = &Ban> {
        self.ends.iter().filter_map(|(_, address)| self.bans.get(address))
    }

    pub(crate) fn tallies(&self) -> &BTreeMap<BanReason, Tally> {
        &self.tallies
    }

    fn ban(
        &mut self,
        now: Instant,
        offender: SocketAddr,
        reason: BanReason,
        spares_users: bool,
        protection: &Protection,
    ) {
        let prefix = prefix_of(offender.ip());
        let address = prefix.address;
        self.forget_suspect(address);
        let before = self.bans.remove(&address);
        if let Some(ban) = before {
            self.ends.remove(&(ban.until, address));
        }
        let is_repeated = |ban: &Ban| now <= ban.until + protection.max_ban;
        let times = before.filter(is_repeated).map_or(0, |ban| ban.times).saturating_add(1);
        let doubled = 1_u32.checked_shl(times - 1).unwrap_or(u32::MAX);
        let length = protection.ban.saturating_mul(doubled).min(protection.max_ban);
        let until = now + length;
        let ban = Ban { prefix, reason, since: now, until, times, offender, spares_users };
        self.make_room(protection.max_bans);
        self.bans.insert(address, ban);
        self.ends.insert((ban.until, address));
        self.tallies.entry(reason).or_default().bans += 1;
        if !spares_users {
            self.changes.push_back(SourceChange::Banned(ban.prefix, reason));
        }
    }

    /// The bans that are over go first, then the one that ends first.
    fn make_room(&mut self, max_bans: u32) {
        while self.bans.len() >= usize::try_from(max_bans.max(1)).unwrap_or(usize::MAX) {
            let first = self.bans.values().min_by_key(|ban| ban.until).map(|ban| ban.prefix.address);
            let Some(address) = first else { return };
            self.pardon(address);
        }
    }

    fn suspect(&mut self, now: Instant, address: IpAddr, window: Duration) -> &mut Suspect {
        if self.suspects.get(&address).is_some_and(|suspect| now >= suspect.since + window) {
            self.forget_suspect(address);
        }
        if !self.suspects.contains_key(&address) {
            while self.suspects.len() >= SUSPECTS_MAX
                && let Some((_, oldest)) = self.suspected.first().copied()
            {
                self.forget_suspect(oldest);
            }
            self.suspected.insert((now, address));
        }
        self.suspects.entry(address).or_insert_with(|| Suspect {
            since: now,
            counts: BTreeMap::new(),
            names: BTreeSet::new(),
        })
    }

    fn forget_suspect(&mut self, address: IpAddr) {
        if let Some(suspect) = self.suspects.remove(&address) {
            self.suspected.remove(&(suspect.since, address));
        }
    }
}

impl Suspect {
    /// Counts an offence, a name or number only once; how many there are of its kind.
    fn count(&mut self, offence: Offence<'_>) -> u32 {
        let reason = offence.reason();
        let by = match offence {
            Offence::UnknownUser(name) | Offence::UnknownNumber(name) => {
                let is_new = self.names.len() < NAMES_MAX && self.names.insert((reason, hash(name)));
                u32::from(is_new)
            }
            Offence::PacketsOverRate(packets) => packets,
            Offence::AuthenticationFailure | Offence::Malformed => 1,
        };
        let count = self.counts.entry(reason).or_default();
        *count = count.saturating_add(by);
        *count
    }
}

/// What is banned together with a source: itself, or the /64 of an IPv6 address (RFC 4291 §2.5.4).
#[must_use]
pub fn prefix_of(source: IpAddr) -> IpPrefix {
    match source.to_canonical() {
        address @ IpAddr::V4(_) => IpPrefix { address, bits: 32 },
        IpAddr::V6(address) => {
            let network = Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX));
            IpPrefix { address: network.into(), bits: 64 }
        }
    }
}

fn hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
