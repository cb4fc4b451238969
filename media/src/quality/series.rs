//! How a party's media was over time: a point every few seconds, of both directions.
//!
//! A point keeps what was measured, in few octets; scores are made of it when the call is over. When there is no more
//! room two points become one, and each later one covers twice the time.

use std::time::Duration;

use tandem_time::Instant;

use super::{Conditions, Impairment};
use crate::reception::Reception;

/// Points kept of one endpoint: the first eight minutes as they were, an hour in steps of 40 s.
pub const MAX_POINTS: usize = 96;

/// Points for which there is room from the beginning: most calls are short. It doubles when it is needed.
const FIRST_ROOM: usize = 8;

/// What a point covers until there is no more room.
const FIRST_INTERVAL: Duration = Duration::from_secs(5);

/// One direction over some time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Heard {
    /// Packets that were lost, in percent.
    pub loss_percent: f32,
    /// Interarrival jitter in microseconds (RFC 3550 §6.4.1); of some time the largest.
    pub jitter_us: u32,
    /// Estimated listening quality, 1.0 to 4.5 (ITU-T G.107).
    pub mos: f32,
}

/// Both directions at some time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QualityPoint {
    /// The end of the time that it covers.
    pub at: Instant,
    /// What the party sent, as it came here; none when nothing was expected.
    pub received: Option<Heard>,
    /// What it was sent, as it came there by its reports; none without one.
    pub sent: Option<Heard>,
    /// The round trip, in microseconds, when it is known.
    pub round_trip_us: Option<u32>,
}

/// What was measured in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Measured {
    /// Packets that should have come, and that did not.
    pub(crate) expected: u32,
    pub(crate) lost: u32,
    /// How many gaps they left.
    pub(crate) gaps: u32,
    pub(crate) jitter_us: u32,
}

impl Measured {
    /// All that came.
    pub(crate) fn of(reception: &Reception) -> Self {
        let number = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        Self {
            expected: number(reception.expected()),
            lost: number(reception.lost()),
            gaps: number(reception.gaps()),
            jitter_us: reception.jitter_us(),
        }
    }

    /// What of it came since, to which the jitter belongs.
    pub(crate) fn since(self, before: Self) -> Self {
        // What comes late makes up for what was lost before (RFC 3550 §A.3).
        Self {
            expected: self.expected.saturating_sub(before.expected),
            lost: self.lost.saturating_sub(before.lost),
            gaps: self.gaps.saturating_sub(before.gaps),
            ..self
        }
    }

    /// Estimated quality with that round trip; none of nothing.
    pub(crate) fn heard(self, impairment: Impairment, round_trip_us: Option<u32>) -> Option<Heard> {
        if self.expected == 0 {
            return None;
        }
        let conditions = self.conditions(round_trip_us);
        let mos = conditions.mean_opinion_score(impairment);
        Some(Heard { loss_percent: conditions.loss_percent, jitter_us: self.jitter_us, mos })
    }

    pub(crate) fn conditions(self, round_trip_us: Option<u32>) -> Conditions {
        let share = self.lost as f32 / self.expected.max(1) as f32;
        Conditions {
            loss_percent: 100.0 * share,
            // The mean length of a gap, by that of random loss.
            burst_ratio: self.lost as f32 / self.gaps.max(1) as f32 * (1.0 - share),
            jitter: Duration::from_micros(self.jitter_us.into()),
            round_trip: Duration::from_micros(round_trip_us.unwrap_or(0).into()),
        }
    }
}

/// One direction of a point. Nothing was expected when all is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Kept {
    expected: u16,
    lost: u16,
    gaps: u16,
    /// In units of 0.1 ms.
    jitter: u16,
}

/// A point. A round trip of zero is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Point {
    received: Kept,
    sent: Kept,
    round_trip_ms: u16,
}

/// The points of an endpoint.
#[derive(Debug)]
pub(crate) struct Series {
    began: Instant,
    interval: Duration,
    points: Vec<Point>,
}

impl Series {
    /// Begins now.
    pub(crate) fn new(now: Instant) -> Self {
        Self { began: now, interval: FIRST_INTERVAL, points: Vec::with_capacity(FIRST_ROOM) }
    }

    /// When the next point is due.
    pub(crate) fn deadline(&self) -> Instant {
        self.began + self.interval * (self.points.len() as u32 + 1)
    }

    /// Takes what was measured since the latest point.
    pub(crate) fn push(&mut self, received: Measured, sent: Measured, round_trip: Option<Duration>) {
        let round_trip_ms = round_trip.map_or(0, |trip| clamped(trip.as_millis().max(1)));
        if self.points.len() == self.points.capacity() {
            self.points.reserve_exact(self.points.len().min(MAX_POINTS - self.points.len()));
        }
        self.points.push(Point { received: Kept::of(received), sent: Kept::of(sent), round_trip_ms });
        if self.points.len() == MAX_POINTS {
            self.thin();
        }
    }

    /// Makes one of two, and what follows as long as both.
    fn thin(&mut self) {
        for at in 0..MAX_POINTS / 2 {
            let [one, other] =
                [2 * at, 2 * at + 1].map(|at| self.points.get(at).copied().unwrap_or_default());
            if let Some(point) = self.points.get_mut(at) {
                *point = one.with(other);
            }
        }
        self.points.truncate(MAX_POINTS / 2);
        self.interval *= 2;
    }

    /// The points, and one of what was measured since, up to `now`.
    pub(crate) fn points(
        &self,
        now: Instant,
        rest: [Measured; 2],
        round_trip: Option<Duration>,
        impairment: Impairment,
    ) -> Vec<QualityPoint> {
        let [received, sent] = rest.map(Kept::of);
        let round_trip_ms = round_trip.map_or(0, |trip| clamped(trip.as_millis().max(1)));
        let rest = Point { received, sent, round_trip_ms };
        let is_something = received.expected + sent.expected > 0;
        let kept =
            (1..).zip(&self.points).map(|(number, point)| (self.began + self.interval * number, point));
        kept.chain(is_something.then_some((now, &rest)))
            .map(|(at, point)| {
                let round_trip_us = (point.round_trip_ms > 0).then(|| u32::from(point.round_trip_ms) * 1_000);
                let heard = |kept: Kept| kept.measured().heard(impairment, round_trip_us);
                QualityPoint { at, received: heard(point.received), sent: heard(point.sent), round_trip_us }
            })
            .collect()
    }
}

impl Kept {
    fn of(measured: Measured) -> Self {
        Self {
            expected: clamped(measured.expected.into()),
            lost: clamped(measured.lost.into()),
            gaps: clamped(measured.gaps.into()),
            jitter: clamped((measured.jitter_us / 100).into()),
        }
    }

    fn measured(self) -> Measured {
        Measured {
            expected: self.expected.into(),
            lost: self.lost.into(),
            gaps: self.gaps.into(),
            jitter_us: u32::from(self.jitter) * 100,
        }
    }

    fn with(self, other: Self) -> Self {
        Self {
            expected: self.expected.saturating_add(other.expected),
            lost: self.lost.saturating_add(other.lost),
            gaps: self.gaps.saturating_add(other.gaps),
            jitter: self.jitter.max(other.jitter),
        }
    }
}

impl Point {
    fn with(self, other: Self) -> Self {
        Self {
            received: self.received.with(other.received),
            sent: self.sent.with(other.sent),
            round_trip_ms: self.round_trip_ms.max(other.round_trip_ms),
        }
    }
}

fn clamped(number: u128) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(lost: u32) -> Measured {
        Measured { expected: 250, lost, gaps: lost, jitter_us: 1_000 }
    }

    /// As many as there is room for, and the last one of them.
    #[test]
    fn the_points_of_a_long_call_are_thinned_and_cover_all_of_it() {
        let mut series = Series::new(Instant::from_millis(1_000));
        let points =
            |series: &Series| series.points(Instant::START, Default::default(), None, Impairment::G711);
        for number in 0..MAX_POINTS as u32 {
            assert_eq!(points(&series).len(), number as usize);
            assert_eq!(series.deadline(), Instant::from_millis(6_000) + FIRST_INTERVAL * number);
            series.push(measured(number % 2 * 10), measured(0), None);
        }
        let thinned = points(&series);
        assert_eq!(thinned.len(), MAX_POINTS / 2);
        assert_eq!(thinned[0].at, Instant::from_millis(11_000), "it covers two");
        let loss = thinned[0].received.expect("it came").loss_percent;
        assert!((loss - 2.0).abs() < 0.01, "{loss} % of 4 % and none");
        assert!(thinned.windows(2).all(|pair| pair[1].at - pair[0].at == 2 * FIRST_INTERVAL));
        assert_eq!(series.deadline(), thinned[MAX_POINTS / 2 - 1].at + 2 * FIRST_INTERVAL);
    }

    #[test]
    fn loss_in_bursts_is_worse_than_the_same_at_random() {
        let heard =
            |gaps| Measured { gaps, ..measured(25) }.heard(Impairment::G711, None).expect("something").mos;
        assert!(heard(5) < heard(25) - 0.2, "{} and {}", heard(5), heard(25));
        assert_eq!(Measured::default().heard(Impairment::G711, None), None);
    }
}
