//! Listening quality estimated from loss and jitter: the E-model (ITU-T G.107) cut down to G.711.
//!
//! ```text
//! R   = 93.2 − Id − Ie,eff                                       G.107 with all other parameters at their defaults
//! Ie,eff = (95 − Ie) · Ppl / (Ppl + Bpl),  Ie = 0, Bpl = 25.1    G.113 appendix I: G.711 with loss concealment
//! Id  = 0.024 d + 0.11 (d − 177.3) for what of d is above 177.3 ms
//! d   = half the round trip + 2 · jitter + 10 ms                 what a jitter buffer would add
//! MOS = 1 + 0.035 R + R (R − 60) (100 − R) · 7·10⁻⁶               G.107 annex B
//! ```
//!
//! Loss is taken as random. Without any loss or delay the estimate is 4.4.

use std::time::Duration;

const BEST_RATING: f32 = 93.2;
const PACKET_LOSS_ROBUSTNESS: f32 = 25.1;
const NOTICED_DELAY_MS: f32 = 177.3;

/// The mean opinion score, 1.0 to 4.5.
#[must_use]
pub fn mean_opinion_score(loss_percent: f32, jitter: Duration, round_trip: Duration) -> f32 {
    let delay_ms = round_trip.as_secs_f32() * 500.0 + jitter.as_secs_f32() * 2_000.0 + 10.0;
    let delay_impairment = 0.024 * delay_ms + 0.11 * (delay_ms - NOTICED_DELAY_MS).max(0.0);
    let loss_impairment = 95.0 * loss_percent / (loss_percent + PACKET_LOSS_ROBUSTNESS);
    let rating = (BEST_RATING - delay_impairment - loss_impairment).clamp(0.0, 100.0);
    let score = 1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7e-6;
    score.clamp(1.0, 4.5)
}
