//! What is measured of both directions, a point of time after the other, and what the endpoint counts in all.

use tandem_time::Instant;

use super::Endpoint;
use crate::EndpointStatistics;
use crate::quality::{Heard, Impairment, Measured, Series};
use crate::reception::Reception;

/// The quality of an endpoint's media over time.
#[derive(Debug)]
pub(super) struct History {
    series: Series,
    /// What had come at the latest point.
    received: Measured,
}

impl History {
    pub(super) fn new(now: Instant, reception: &Reception) -> Self {
        Self { series: Series::new(now), received: Measured::of(reception) }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.series.deadline()
    }
}

impl Endpoint {
    /// Adds a point when it is due.
    pub(super) fn measure(&mut self, now: Instant) {
        let Some(history) = &mut self.history else { return };
        while history.deadline() <= now {
            let received = Measured::of(&self.reception);
            let came = received.since(std::mem::replace(&mut history.received, received));
            history.series.push(came, self.rtcp.take_remote(), self.rtcp.round_trip());
        }
    }

    pub(crate) fn statistics(&self, now: Instant) -> EndpointStatistics {
        let impairment = self.impairment();
        let round_trip_us = self.rtcp.round_trip().map(|trip| trip.as_micros() as u32);
        let received = Measured::of(&self.reception);
        let mos =
            |measured: Measured| measured.heard(impairment, round_trip_us).map(|heard: Heard| heard.mos);
        let remote = self.rtcp.remote();
        EndpointStatistics {
            packets_received: self.reception.received(),
            packets_sent: self.outgoing.packets_in_all(),
            packets_lost: self.reception.lost(),
            packets_refused: self.packets_refused,
            jitter_us: received.jitter_us,
            jitter_max_us: self.reception.jitter_max_us(),
            remote_loss_percent: self.rtcp.remote_loss_percent(),
            remote_jitter_us: remote.map(|remote| remote.jitter_us),
            round_trip_us,
            mos: mos(received),
            remote_mos: self.rtcp.remote_score().or_else(|| remote.and_then(mos)),
            quality: self.history.as_ref().map_or_else(Vec::new, |history| {
                let rest = [received.since(history.received), self.rtcp.remote_since()];
                history.series.points(now, rest, self.rtcp.round_trip(), impairment)
            }),
            digits_received: self.digits_received,
        }
    }

    fn impairment(&self) -> Impairment {
        self.agreed.as_ref().map_or(Impairment::G711, |agreed| Impairment::of(agreed.stream.codec))
    }
}
