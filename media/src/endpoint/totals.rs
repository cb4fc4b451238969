//! What an endpoint counts, for the record.

use std::time::Duration;

use super::Endpoint;
use crate::EndpointStatistics;
use crate::quality::mean_opinion_score;

impl Endpoint {
    pub(crate) fn statistics(&self) -> EndpointStatistics {
        let expected = self.reception.expected();
        let jitter_us = self.reception.jitter_us();
        let mos = (expected > 0).then(|| {
            let loss_percent = 100.0 * self.reception.lost() as f32 / expected as f32;
            let jitter = Duration::from_micros(u64::from(jitter_us));
            mean_opinion_score(loss_percent, jitter, self.rtcp.round_trip().unwrap_or_default())
        });
        EndpointStatistics {
            packets_received: self.reception.received(),
            packets_sent: self.outgoing.packets_in_all(),
            packets_lost: self.reception.lost(),
            packets_refused: self.packets_refused,
            jitter_us,
            jitter_max_us: self.reception.jitter_max_us(),
            remote_loss_percent: self.rtcp.remote_loss_percent(),
            round_trip_us: self.rtcp.round_trip().map(|trip| trip.as_micros() as u32),
            mos,
            digits_received: self.digits_received,
        }
    }
}
