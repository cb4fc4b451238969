//! A leg's quality over time, as it is kept: rows of numbers, since there are many of them.

use serde_json::{Value, json};
use tandem_control_api::{Heard, QualityPoint};
use tandem_time::Instant;

/// One direction at some time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StoredHeard {
    /// Packets lost.
    pub loss_percent: f64,
    /// Interarrival jitter.
    pub jitter_ms: f64,
    /// Estimated listening quality, 1.0 to 4.5.
    pub mos: f64,
}

/// Both directions at some time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StoredPoint {
    /// Since the call was offered, the end of what the point covers.
    pub at_s: f64,
    /// What the party sent.
    pub received: Option<StoredHeard>,
    /// What it was sent.
    pub sent: Option<StoredHeard>,
    /// There and back.
    pub round_trip_ms: Option<f64>,
}

impl StoredPoint {
    /// A point of a call that was offered then.
    #[must_use]
    pub fn of(point: &QualityPoint, offered: Instant) -> Self {
        Self {
            at_s: rounded(point.at.saturating_duration_since(offered).as_secs_f64(), 10.0),
            received: point.received.map(StoredHeard::of),
            sent: point.sent.map(StoredHeard::of),
            round_trip_ms: point.round_trip_us.map(|us| rounded(f64::from(us) / 1_000.0, 10.0)),
        }
    }

    fn row(&self) -> Value {
        let three = |heard: Option<StoredHeard>| {
            heard.map_or([None; 3], |it| [Some(it.loss_percent), Some(it.jitter_ms), Some(it.mos)])
        };
        let ([a, b, c], [d, e, f]) = (three(self.received), three(self.sent));
        json!([self.at_s, a, b, c, d, e, f, self.round_trip_ms])
    }

    /// None of what is no row.
    fn read(row: &Value) -> Option<Self> {
        let number = |at: usize| row.get(at).and_then(Value::as_f64);
        let heard = |at: usize| {
            Some(StoredHeard { loss_percent: number(at)?, jitter_ms: number(at + 1)?, mos: number(at + 2)? })
        };
        Some(Self { at_s: number(0)?, received: heard(1), sent: heard(4), round_trip_ms: number(7) })
    }
}

impl StoredHeard {
    fn of(heard: Heard) -> Self {
        Self {
            loss_percent: rounded(heard.loss_percent.into(), 100.0),
            jitter_ms: rounded(f64::from(heard.jitter_us) / 1_000.0, 10.0),
            mos: rounded(heard.mos.into(), 100.0),
        }
    }
}

/// What is written; nothing for no points.
pub(crate) fn written(points: &[QualityPoint], offered: Instant) -> Option<String> {
    let rows = points.iter().map(|point| StoredPoint::of(point, offered).row());
    (!points.is_empty()).then(|| Value::from_iter(rows).to_string())
}

pub(crate) fn read(rows: Option<&str>) -> Vec<StoredPoint> {
    let rows: Option<Vec<Value>> = rows.and_then(|rows| serde_json::from_str(rows).ok());
    rows.unwrap_or_default().iter().filter_map(StoredPoint::read).collect()
}

/// To that part of one: more digits would say nothing.
fn rounded(number: f64, part: f64) -> f64 {
    (number * part).round() / part
}
