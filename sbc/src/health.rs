//! Which destinations of carriers are fit to be called: those that asked to be left alone, or could not be reached, rest
//! for a while; those that are asked by OPTIONS are up or down by their answers.
//!
//! Owner thread: the signalling core. This module must not know messages; it is told what became of them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use tandem_time::Instant;

use crate::slab::{Slab, Slot};
use crate::transaction::TransactionId;
use crate::transport::{Hop, Transport};

/// The most destinations whose rest is remembered.
const RESTING_MAX: usize = 1_024;

/// The most destinations that are asked; those beyond are always called.
pub(crate) const PROBED_MAX: usize = 4_096;

/// How a destination is asked whether it is there (OPTIONS, RFC 3261 §11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthConfig {
    /// How often; also how long an answer is waited for.
    pub interval: Duration,
    /// So many failures in a row take it out.
    pub failures: u8,
    /// So many successes in a row bring it back.
    pub successes: u8,
    /// Final responses that count as failures; all others say that somebody is there.
    pub dead_on: Vec<RangeInclusive<u16>>,
}

impl Default for HealthConfig {
    /// Some carriers answer 404 or 405 and are well; 408 and 503 are what a proxy says whose gateway is gone.
    fn default() -> Self {
        let dead_on = vec![408..=408, 503..=503];
        Self { interval: Duration::from_secs(30), failures: 3, successes: 2, dead_on }
    }
}

/// ```text
///            failures in a row reach the limit
///      Up ──────────────────────────────────────► Down
///         ◄──────────────────────────────────────
///            successes in a row reach the limit
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Up { failures: u8 },
    Down { successes: u8 },
}

impl Health {
    fn after(self, is_alive: bool, config: &HealthConfig) -> Self {
        match (self, is_alive) {
            (Self::Up { .. }, true) => Self::Up { failures: 0 },
            (Self::Up { failures }, false) if failures.saturating_add(1) >= config.failures => {
                Self::Down { successes: 0 }
            }
            (Self::Up { failures }, false) => Self::Up { failures: failures.saturating_add(1) },
            (Self::Down { .. }, false) => Self::Down { successes: 0 },
            (Self::Down { successes }, true) if successes.saturating_add(1) >= config.successes => {
                Self::Up { failures: 0 }
            }
            (Self::Down { successes }, true) => Self::Down { successes: successes.saturating_add(1) },
        }
    }

    const fn is_up(self) -> bool {
        matches!(self, Self::Up { .. })
    }
}

/// A destination of a trunk: two trunks at one address are asked, and judged, each on its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) trunk: Arc<str>,
    pub(crate) transport: Transport,
    pub(crate) address: SocketAddr,
}

/// How a destination is asked.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    pub(crate) hop: Hop,
    /// What it is called.
    pub(crate) uri: String,
}

/// Names a destination that is asked, in the transaction that asks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProbeId(Slot);

/// A destination that is asked.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) place: Place,
    pub(crate) way: Way,
    config: HealthConfig,
    health: Health,
    /// Of the present state.
    since: Instant,
    changes: u64,
    due: Instant,
    /// The OPTIONS without an answer.
    pending: Option<TransactionId>,
}

/// How a destination is, by the OPTIONS it was asked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationHealth {
    /// The trunk.
    pub trunk: Arc<str>,
    /// How it is reached.
    pub transport: Transport,
    /// Where.
    pub address: SocketAddr,
    /// Whether calls go there.
    pub is_up: bool,
    /// Since when.
    pub since: Instant,
    /// How often that has changed.
    pub changes: u64,
}

/// What is known of destinations.
#[derive(Debug, Default)]
pub(crate) struct Destinations {
    /// Until when a destination is to be left alone.
    resting: BTreeMap<(Transport, SocketAddr), Instant>,
    probes: Slab<Probe>,
    by_place: BTreeMap<Place, Slot>,
    due: BTreeSet<(Instant, Slot)>,
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

    /// Whether calls of a trunk may go there.
    pub(crate) fn is_usable(&self, now: Instant, trunk: &Arc<str>, hop: &Hop) -> bool {
        let is_rested = self.resting.get(&(hop.transport, hop.destination)).is_none_or(|until| *until <= now);
        is_rested && (self.by_place.is_empty() || self.is_up(trunk, hop))
    }

    fn is_up(&self, trunk: &Arc<str>, hop: &Hop) -> bool {
        let place = Place { trunk: Arc::clone(trunk), transport: hop.transport, address: hop.destination };
        let probe = self.by_place.get(&place).and_then(|slot| self.probes.get(*slot));
        probe.is_none_or(|probe| probe.health.is_up())
    }

    /// Whether any destination is asked.
    pub(crate) fn has_probes(&self) -> bool {
        !self.by_place.is_empty()
    }

    /// Asks these from now on and no others; those that were asked before keep what is known of them. A new one is
    /// taken to be up, and asked after what `first` says. Gives the transactions that nobody waits for any more.
    pub(crate) fn probe(
        &mut self,
        now: Instant,
        wanted: Vec<(Place, Way, HealthConfig)>,
        mut first: impl FnMut(Duration) -> Duration,
    ) -> Vec<TransactionId> {
        let kept: BTreeSet<&Place> = wanted.iter().map(|(place, ..)| place).collect();
        let gone: Vec<Place> = self.by_place.keys().filter(|place| !kept.contains(place)).cloned().collect();
        let mut abandoned = Vec::new();
        for probe in gone.iter().filter_map(|place| self.by_place.remove(place)) {
            if let Some(gone) = self.probes.remove(probe) {
                self.due.remove(&(gone.due, probe));
                abandoned.extend(gone.pending);
            }
        }
        for (place, way, config) in wanted {
            if let Some(known) = self.by_place.get(&place).and_then(|slot| self.probes.get_mut(*slot)) {
                (known.way, known.config) = (way, config);
            } else if self.by_place.len() < PROBED_MAX {
                let due = now + first(config.interval);
                let health = Health::Up { failures: 0 };
                let probe = Probe {
                    place: place.clone(),
                    way,
                    config,
                    health,
                    since: now,
                    changes: 0,
                    due,
                    pending: None,
                };
                let slot = self.probes.insert(probe);
                self.by_place.insert(place, slot);
                self.due.insert((due, slot));
            }
        }
        abandoned
    }

    /// When the next destination is due to be asked.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    /// A destination that is due to be asked now, with the transaction that it has not answered.
    pub(crate) fn due(&mut self, now: Instant) -> Option<(ProbeId, Option<TransactionId>)> {
        let (at, slot) = self.due.first().copied().filter(|(at, _)| *at <= now)?;
        self.due.remove(&(at, slot));
        let probe = self.probes.get_mut(slot)?;
        probe.due = now + probe.config.interval;
        self.due.insert((probe.due, slot));
        Some((ProbeId(slot), probe.pending.take()))
    }

    pub(crate) fn probed(&self, id: ProbeId) -> Option<&Probe> {
        self.probes.get(id.0)
    }

    /// Notes the OPTIONS that asks a destination.
    pub(crate) fn asked(&mut self, id: ProbeId, transaction: TransactionId) {
        if let Some(probe) = self.probes.get_mut(id.0) {
            probe.pending = Some(transaction);
        }
    }

    /// Whether this is the OPTIONS that asks a destination.
    pub(crate) fn is_asked_by(&self, id: ProbeId, transaction: TransactionId) -> bool {
        self.probes.get(id.0).is_some_and(|probe| probe.pending == Some(transaction))
    }

    /// Takes the final status that a destination answered with, or `None` when it did not. Gives what it is now when
    /// that has changed.
    pub(crate) fn answered(
        &mut self,
        now: Instant,
        id: ProbeId,
        status: Option<u16>,
    ) -> Option<DestinationHealth> {
        let probe = self.probes.get_mut(id.0)?;
        probe.pending = None;
        let is_alive = status
            .is_some_and(|status| !probe.config.dead_on.iter().any(|statuses| statuses.contains(&status)));
        let before = probe.health.is_up();
        probe.health = probe.health.after(is_alive, &probe.config);
        if probe.health.is_up() == before {
            return None;
        }
        probe.since = now;
        probe.changes += 1;
        Some(probe.shown())
    }

    /// Every destination that is asked.
    pub(crate) fn shown(&self) -> impl Iterator<Item = DestinationHealth> {
        self.by_place.values().filter_map(|slot| self.probes.get(*slot)).map(Probe::shown)
    }
}

impl Probe {
    fn shown(&self) -> DestinationHealth {
        let Place { trunk, transport, address } = self.place.clone();
        let (is_up, since, changes) = (self.health.is_up(), self.since, self.changes);
        DestinationHealth { trunk, transport, address, is_up, since, changes }
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
        assert!(destinations.is_usable(now, &trunk(), &hop(2)));
        assert!(!destinations.is_usable(now + Duration::from_millis(9_999), &trunk(), &hop(1)));
        assert!(destinations.is_usable(now + Duration::from_secs(10), &trunk(), &hop(1)));
    }

    #[test]
    fn the_memory_of_rests_is_bounded() {
        let mut destinations = Destinations::default();
        let now = Instant::from_millis(1_000);
        let max = u16::try_from(RESTING_MAX).expect("a small number");
        (1..=max + 1).for_each(|port| destinations.rest(now, &hop(port), Duration::from_secs(10)));
        assert!(!destinations.is_usable(now, &trunk(), &hop(max)));
        assert!(destinations.is_usable(now, &trunk(), &hop(max + 1)));
    }

    fn trunk() -> Arc<str> {
        "carrier-a".into()
    }

    fn wanted(port: u16) -> (Place, Way, HealthConfig) {
        let hop = hop(port);
        let place = Place { trunk: trunk(), transport: hop.transport, address: hop.destination };
        (place, Way { hop, uri: "sip:192.0.2.1".to_owned() }, HealthConfig::default())
    }

    #[test]
    fn destinations_are_asked_up_to_the_maximum_and_not_past_it() {
        let mut destinations = Destinations::default();
        let now = Instant::from_millis(1_000);
        let max = u16::try_from(PROBED_MAX).expect("a small number");
        destinations.probe(now, (1..=max + 1).map(wanted).collect(), |_| Duration::ZERO);
        assert_eq!(destinations.shown().count(), PROBED_MAX);
        let asked = std::iter::from_fn(|| destinations.due(now)).count();
        assert_eq!(asked, PROBED_MAX);
        destinations.probe(now, Vec::new(), |_| Duration::ZERO);
        assert_eq!((destinations.shown().count(), destinations.poll_timeout()), (0, None));
    }

    /// Up after `successes`, down after `failures`, each in a row: one that answers every other time stays what it is.
    #[test]
    fn what_flaps_stays_what_it_is() {
        let config = HealthConfig { failures: 2, successes: 3, ..HealthConfig::default() };
        let walk = |from: Health, answers: &str| {
            answers.chars().fold(from, |health, answer| health.after(answer == '+', &config))
        };
        let (up, down) = (Health::Up { failures: 0 }, Health::Down { successes: 0 });
        assert!(walk(up, "-+-+-+-+").is_up());
        assert_eq!(walk(up, "+-+--"), down);
        assert!(!walk(down, "++-++-++-").is_up());
        assert_eq!(walk(down, "-+++"), up);
    }
}
