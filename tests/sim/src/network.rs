//! A network that delays, loses, duplicates, reorders and parts, under a seed.

use std::net::IpAddr;
use std::time::Duration;

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

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
}

impl Weather {
    /// Nothing goes wrong.
    pub const FINE: Self = Self {
        latency: Duration::from_millis(2),
        jitter: Duration::ZERO,
        loss_permille: 0,
        duplicate_permille: 0,
    };
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
    partitions: Vec<Partition>,
    heals_at: Duration,
}

impl Network {
    pub(crate) const fn new(
        rng: ChaCha8Rng,
        weather: Weather,
        partitions: Vec<Partition>,
        heals_at: Duration,
    ) -> Self {
        Self { rng, weather, partitions, heals_at }
    }

    /// When a packet arrives: never, once or twice.
    pub(crate) fn arrivals(&mut self, now: Duration, from: IpAddr, to: IpAddr) -> Vec<Duration> {
        let parted = |cut: &Partition| {
            (cut.host == from || cut.host == to) && cut.from <= now && now < cut.until
        };
        if self.partitions.iter().any(parted) {
            return Vec::new();
        }
        let weather = if now < self.heals_at { self.weather } else { Weather::FINE };
        if self.rng.random_range(0..1_000) < weather.loss_permille {
            return Vec::new();
        }
        let copies = if self.rng.random_range(0..1_000) < weather.duplicate_permille { 2 } else { 1 };
        (0..copies).map(|_| now + weather.latency + self.delay(weather.jitter)).collect()
    }

    fn delay(&mut self, up_to: Duration) -> Duration {
        Duration::from_micros(self.rng.random_range(0..=u64::try_from(up_to.as_micros()).unwrap_or(0)))
    }
}
