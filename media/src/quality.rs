//! Listening quality estimated from loss, jitter and delay: the E-model (ITU-T G.107), with all parameters that say
//! nothing of packets at their defaults.
//!
//! ```text
//! R      = 93.2 − Id − Ie,eff
//! Ie,eff = Ie + (95 − Ie) · Ppl / (Ppl / BurstR + Bpl)            G.107 §3.5
//! Id     = 0.024 d + 0.11 (d − 177.3) for what of d is above 177.3 ms
//! d      = half the round trip + 2 · jitter + 10 ms               what a jitter buffer would add
//! MOS    = 1 + 0.035 R + R (R − 60) (100 − R) · 7·10⁻⁶            G.107 annex B
//! ```
//!
//! BurstR is 1 where packets get lost at random, and more where they do in bursts. Without any loss or delay the estimate
//! is 4.4, for wideband codecs too: the scale is that of narrowband telephony.

mod series;

use std::time::Duration;

use crate::Codec;
use crate::reception::Reception;
pub use series::{Heard, MAX_POINTS, QualityPoint};
pub(crate) use series::{Measured, Series};

const BEST_RATING: f32 = 93.2;
const NOTICED_DELAY_MS: f32 = 177.3;
/// Beyond this the model says nothing of bursts.
const MAX_BURST_RATIO: f32 = 8.0;

/// What a codec takes from the quality, by itself and when packets are missing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Impairment {
    /// Ie.
    equipment: f32,
    /// Bpl.
    robustness: f32,
}

impl Impairment {
    /// G.711 with concealment of lost packets (G.113 appendix I).
    pub const G711: Self = Self { equipment: 0.0, robustness: 25.1 };

    /// That of a codec. G.113 has no figures for G.722 and Opus on this scale. Both are as good as G.711 while nothing is
    /// missing. A gap in G.722 is filled as one in G.711; one in Opus by its decoder, or by what the next packet tells of
    /// it when the party was asked for that, and then half of what is lost at random is hardly missed.
    #[must_use]
    pub const fn of(codec: Codec) -> Self {
        match codec {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => Self::G711,
            Codec::Opus(parameters) if parameters.in_band_fec => Self { equipment: 0.0, robustness: 50.2 },
            Codec::Opus(_) => Self::G711,
        }
    }

    /// Ie,eff: what so much loss takes from the rating. `burst_ratio` is the mean length of its bursts by that of random
    /// loss, 1 at least.
    #[must_use]
    pub fn of_loss(self, percent: f32, burst_ratio: f32) -> f32 {
        let spread = percent / burst_ratio.clamp(1.0, MAX_BURST_RATIO) + self.robustness;
        self.equipment + (95.0 - self.equipment) * percent / spread
    }
}

/// Id: what so much delay from mouth to ear, in milliseconds, takes from the rating.
#[must_use]
pub fn delay_impairment(delay_ms: f32) -> f32 {
    0.024 * delay_ms + 0.11 * (delay_ms - NOTICED_DELAY_MS).max(0.0)
}

/// The mean opinion score of all that came; none without a packet.
#[must_use]
pub fn of_reception(reception: &Reception, impairment: Impairment) -> Option<f32> {
    Measured::of(reception).heard(impairment, None).map(|heard| heard.mos)
}

/// How a stream came.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Conditions {
    /// Packets that never came, in percent.
    pub loss_percent: f32,
    /// The mean length of gaps, by that of random loss: 1 at random and below.
    pub burst_ratio: f32,
    /// Interarrival jitter (RFC 3550 §6.4.1).
    pub jitter: Duration,
    /// There and back; zero when it is not known.
    pub round_trip: Duration,
}

impl Conditions {
    /// How all of it came.
    pub(crate) fn of(reception: &Reception) -> Self {
        Measured::of(reception).conditions(None)
    }

    /// R, 0 to 100.
    #[must_use]
    pub fn rating(&self, impairment: Impairment) -> f32 {
        let delay_ms = self.round_trip.as_secs_f32() * 500.0 + self.jitter.as_secs_f32() * 2_000.0 + 10.0;
        let loss = impairment.of_loss(self.loss_percent, self.burst_ratio);
        (BEST_RATING - delay_impairment(delay_ms) - loss).clamp(0.0, 100.0)
    }

    /// The mean opinion score, 1.0 to 4.5.
    #[must_use]
    pub fn mean_opinion_score(&self, impairment: Impairment) -> f32 {
        let rating = self.rating(impairment);
        let score = 1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7e-6;
        score.clamp(1.0, 4.5)
    }
}
