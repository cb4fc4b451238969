//! A network that delays, loses, duplicates, reorders and parts, under a seed.

use std::net::IpAddr;
use std::time::Duration;

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

use crate::scenario::Scenario;
use crate::tap::Way;

/// How packets fare on the way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weather {
    /// Every packet takes at least so long.
    pub latency: Duration,
    /// And up to so much longer: packets overtake each other.
    pub jitter: Duration,
    /// Of a thousand packets, so many are lost.
    pub loss_permille: u32,
    /// Of a thousand packets, so many come twice.
    pub duplicate_permille: u32,
    /// Of a thousand packets, so many are held back, and those sent after them come first.
    pub reordered_permille: u32,
}

impl Weather {
    /// Whether so much is lost or late that nobody can be expected to hear much.
    #[must_use]
    pub fn is_storm(&self) -> bool {
        self.loss_permille >= 100 || self.jitter > Duration::from_millis(100)
    }

    /// Nothing goes wrong.
    pub const FINE: Self = Self {
        latency: Duration::from_millis(2),
        jitter: Duration::ZERO,
        loss_permille: 0,
        duplicate_permille: 0,
        reordered_permille: 0,
    };
}

/// How long a packet is held back that others overtake: three of a stream.
const HELD_BACK: Duration = Duration::from_millis(65);

/// One way of the link between a host and the node, which is another one than the rest of the network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// Who.
    pub host: IpAddr,
    /// Which way.
    pub way: Way,
    /// How packets fare there.
    pub weather: Weather,
}

/// A host is cut off from everybody for a while.
#[derive(Clone, Copy, Debug)]
pub struct Partition {
    /// Who.
    pub host: IpAddr,
    /// From when.
    pub from: Duration,
    /// Until when.
    pub until: Duration,
}

/// The network between all hosts.
#[derive(Debug)]
pub(crate) struct Network {
    rng: ChaCha8Rng,
    weather: Weather,
    links: Vec<Link>,
    partitions: Vec<Partition>,
    heals_at: Duration,
}

impl Network {
    pub(crate) fn new(rng: ChaCha8Rng, scenario: &Scenario, heals_at: Duration) -> Self {
        let (links, partitions) = (scenario.links.clone(), scenario.partitions.clone());
        Self { rng, weather: scenario.weather, links, partitions, heals_at }
    }

    /// When a packet arrives: never, once or twice.
    pub(crate) fn arrivals(&mut self, now: Duration, from: IpAddr, to: IpAddr) -> Vec<Duration> {
        let parted =
            |cut: &Partition| (cut.host == from || cut.host == to) && cut.from <= now && now < cut.until;
        if self.partitions.iter().any(parted) {
            return Vec::new();
        }
        let weather = self.weather_between(now, from, to);
        if self.rng.random_range(0..1_000) < weather.loss_permille {
            return Vec::new();
        }
        let copies = if self.rng.random_range(0..1_000) < weather.duplicate_permille { 2 } else { 1 };
        (0..copies)
            .map(|_| {
                let is_held = self.rng.random_range(0..1_000) < weather.reordered_permille;
                let held = if is_held { HELD_BACK } else { Duration::ZERO };
                now + weather.latency + held + self.delay(weather.jitter)
            })
            .collect()
    }

    fn weather_between(&self, now: Duration, from: IpAddr, to: IpAddr) -> Weather {
        let ways = [(from, Way::In), (to, Way::Out)];
        let link = self.links.iter().find(|link| ways.contains(&(link.host, link.way)));
        match link {
            _ if now >= self.heals_at => Weather::FINE,
            Some(link) => link.weather,
            None => self.weather,
        }
    }

    /// When a piece of a stream arrives: what is lost or parted is sent again, a fifth of a second later or when the
    /// way is open again.
    pub(crate) fn stream_arrival(&mut self, now: Duration, from: IpAddr, to: IpAddr) -> Duration {
        const AGAIN: Duration = Duration::from_millis(200);
        let parted =
            |cut: &&Partition| (cut.host == from || cut.host == to) && cut.from <= now && now < cut.until;
        let open = self.partitions.iter().filter(parted).map(|cut| cut.until).max().unwrap_or(now);
        let weather = if open < self.heals_at { self.weather } else { Weather::FINE };
        let is_lost = self.rng.random_range(0..1_000) < weather.loss_permille;
        open + weather.latency + self.delay(weather.jitter) + if is_lost { AGAIN } else { Duration::ZERO }
    }

    /// Where a message is cut into two pieces.
    pub(crate) fn cut(&mut self, len: usize) -> usize {
        self.rng.random_range(0..=len)
    }

    /// Changes a few octets of a packet, if its turn has come.
    pub(crate) fn mangle(&mut self, now: Duration, permille: u32, bytes: &mut [u8]) {
        if permille == 0 || now >= self.heals_at || self.rng.random_range(0..1_000) >= permille {
            return;
        }
        for _ in 0..self.rng.random_range(1..=4) {
            let place = self.rng.random_range(0..bytes.len().max(1));
            if let Some(octet) = bytes.get_mut(place) {
                *octet = self.rng.random();
            }
        }
    }

    fn delay(&mut self, up_to: Duration) -> Duration {
        Duration::from_micros(self.rng.random_range(0..=u64::try_from(up_to.as_micros()).unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    const STORM: Weather = Weather {
        latency: Duration::from_millis(10),
        jitter: Duration::from_millis(50),
        loss_permille: 100,
        duplicate_permille: 100,
        reordered_permille: 0,
    };

    fn host(last: u8) -> IpAddr {
        [127, 0, 0, last].into()
    }

    fn network(partitions: Vec<Partition>) -> Network {
        Network {
            rng: ChaCha8Rng::seed_from_u64(7),
            weather: STORM,
            links: Vec::new(),
            partitions,
            heals_at: Duration::from_secs(100),
        }
    }

    #[test]
    fn a_link_may_be_bad_one_way_only() {
        let mut network = network(Vec::new());
        network.weather = Weather::FINE;
        let held_back = Weather { reordered_permille: 1_000, ..Weather::FINE };
        network.links = vec![Link { host: host(1), way: Way::In, weather: held_back }];
        let mut takes = |from, to| network.arrivals(Duration::ZERO, host(from), host(to));
        assert_eq!(takes(1, 9), [Weather::FINE.latency + HELD_BACK]);
        assert_eq!(takes(9, 1), [Weather::FINE.latency]);
        assert_eq!(takes(2, 9), [Weather::FINE.latency], "others are not concerned");
    }

    #[test]
    fn loses_doubles_and_reorders_until_it_heals() {
        let mut network = network(Vec::new());
        let sent: Vec<Duration> = (0..2_000).map(|n| Duration::from_millis(20) * n).collect();
        let arrived: Vec<Vec<Duration>> =
            sent.iter().map(|at| network.arrivals(*at, host(1), host(2))).collect();
        let count = |copies| arrived.iter().filter(|it| it.len() == copies).count();
        assert!((100..300).contains(&count(0)), "{} lost", count(0));
        assert!((100..300).contains(&count(2)), "{} doubled", count(2));
        let in_order: Vec<Duration> = arrived.iter().flatten().copied().collect();
        assert!(!in_order.is_sorted(), "packets overtake each other");
        let healed = Duration::from_secs(100);
        assert_eq!(network.arrivals(healed, host(1), host(2)), [healed + Weather::FINE.latency]);
    }

    #[test]
    fn a_partition_cuts_both_ways_and_ends() {
        let (from, until) = (Duration::from_secs(5), Duration::from_secs(6));
        let mut network = network(vec![Partition { host: host(1), from, until }]);
        network.weather = Weather::FINE;
        for (source, destination) in [(1, 2), (2, 1)] {
            assert!(network.arrivals(from, host(source), host(destination)).is_empty());
            assert_eq!(network.arrivals(until, host(source), host(destination)).len(), 1);
        }
        assert_eq!(network.arrivals(from, host(2), host(3)).len(), 1, "others are not concerned");
    }
}
