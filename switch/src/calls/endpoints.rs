//! Media endpoints: ports leased, endpoints opened and closed, workers chosen.
//!
//! An endpoint is told nothing between `Open` and `Opened`, nor after `Close`; its port goes back to the pool only
//! when the worker said that its sockets are gone.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use tandem_control_api::LegId;
use tandem_media::{Command, EndpointId, PortLease, PortPool};
use tandem_time::Instant;

use crate::arena::Arena;
use crate::{SwitchConfig, WorkerIndex};

/// One RTP/RTCP port pair at a worker.
#[derive(Debug)]
pub(crate) struct Endpoint {
    leg: LegId,
    worker: WorkerIndex,
    lease: PortLease,
    phase: Phase,
}

/// ```text
///            Opened            close            Closed
/// Opening ──────────▶ Open ──────────▶ Closing ────────▶ (freed)
///    │ close                              ▲
///    └────────▶ Abandoned ────────────────┘ Opened
/// Opening, Abandoned ── OpenFailed ──▶ (freed)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Opening,
    Abandoned,
    Open,
    Closing,
}

/// What [`Endpoints::opened`] leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// The leg can use it, at this address.
    For(LegId, SocketAddr),
    /// Nobody wants it any more: close it.
    Unwanted,
}

/// What [`Endpoints::close`] leads to.
#[derive(Clone, Debug)]
pub(crate) enum Close {
    /// The worker is to be told.
    Now(WorkerIndex, Command),
    /// The worker has yet to answer `Open`.
    WhenOpened,
    /// The worker was told before.
    UnderWay,
    /// There is nothing to close.
    Gone,
}

#[derive(Debug)]
pub(crate) struct Endpoints {
    endpoints: Arena<EndpointId, Endpoint>,
    ports: PortPool,
    /// How many endpoints each worker has.
    load: Vec<usize>,
}

impl Endpoints {
    pub(crate) fn new(ports: RangeInclusive<u16>, workers: usize) -> Self {
        Self { endpoints: Arena::new(), ports: PortPool::new(ports), load: vec![0; workers.max(1)] }
    }

    /// The worker with the fewest endpoints, the first of equals.
    pub(crate) fn idlest_worker(&self) -> WorkerIndex {
        let least = self.load.iter().enumerate().min_by_key(|(_, load)| **load);
        WorkerIndex(least.map_or(0, |(index, _)| index))
    }

    /// Leases a port and asks the worker to open it; none when every port is leased or rests.
    pub(crate) fn open(
        &mut self,
        now: Instant,
        leg: LegId,
        worker: WorkerIndex,
        config: &SwitchConfig,
    ) -> Option<(EndpointId, Command)> {
        let lease = self.ports.lease(now, config.port_rest)?;
        let local = SocketAddr::new(config.media_address, lease.rtp());
        let endpoint = Endpoint { leg, worker, lease, phase: Phase::Opening };
        // Endpoints are fewer than ports, and those fewer than slots: there is always room.
        let id = self.endpoints.insert_with(|_| Some(endpoint))?;
        self.count(worker, |load| load + 1);
        Some((id, Command::Open { endpoint: id, local }))
    }

    /// The worker's sockets are bound. None for an endpoint that is not being opened.
    pub(crate) fn opened(&mut self, id: EndpointId, address: IpAddr) -> Option<Opened> {
        let endpoint = self.endpoints.get_mut(id)?;
        match endpoint.phase {
            Phase::Opening => {
                endpoint.phase = Phase::Open;
                Some(Opened::For(endpoint.leg, SocketAddr::new(address, endpoint.lease.rtp())))
            }
            Phase::Abandoned => {
                endpoint.phase = Phase::Closing;
                Some(Opened::Unwanted)
            }
            Phase::Open | Phase::Closing => None,
        }
    }

    /// The worker could not bind: frees the endpoint and says whose it was.
    pub(crate) fn failed(&mut self, now: Instant, id: EndpointId) -> Option<LegId> {
        matches!(self.endpoints.get(id)?.phase, Phase::Opening | Phase::Abandoned)
            .then(|| self.free(now, id))?
    }

    /// The worker's sockets are gone: frees the endpoint and says whose it was.
    pub(crate) fn closed(&mut self, now: Instant, id: EndpointId) -> Option<LegId> {
        self.endpoints.get(id)?;
        self.free(now, id)
    }

    /// Nobody needs it any more.
    pub(crate) fn close(&mut self, id: EndpointId) -> Close {
        let Some(endpoint) = self.endpoints.get_mut(id) else { return Close::Gone };
        match endpoint.phase {
            Phase::Open => {
                endpoint.phase = Phase::Closing;
                Close::Now(endpoint.worker, Command::Close { endpoint: id })
            }
            Phase::Opening => {
                endpoint.phase = Phase::Abandoned;
                Close::WhenOpened
            }
            Phase::Abandoned | Phase::Closing => Close::UnderWay,
        }
    }

    /// Where an open endpoint takes RTP, at the address that peers are told.
    pub(crate) fn address_of(&self, id: EndpointId, address: IpAddr) -> Option<SocketAddr> {
        let endpoint = self.endpoints.get(id).filter(|endpoint| endpoint.phase == Phase::Open)?;
        Some(SocketAddr::new(address, endpoint.lease.rtp()))
    }

    /// The leg of an endpoint that is in use, if it is this worker's.
    pub(crate) fn leg_of(&self, id: EndpointId, worker: WorkerIndex) -> Option<LegId> {
        let endpoint = self.endpoints.get(id)?;
        (endpoint.phase == Phase::Open && endpoint.worker == worker).then_some(endpoint.leg)
    }

    /// The leg of an endpoint in whatever phase, if it is this worker's.
    pub(crate) fn owner(&self, id: EndpointId, worker: WorkerIndex) -> Option<LegId> {
        self.endpoints.get(id).filter(|endpoint| endpoint.worker == worker).map(|endpoint| endpoint.leg)
    }

    /// Whether commands may be sent to it, and by which worker.
    pub(crate) fn worker_of_open(&self, id: EndpointId) -> Option<WorkerIndex> {
        let endpoint = self.endpoints.get(id)?;
        (endpoint.phase == Phase::Open).then_some(endpoint.worker)
    }

    pub(crate) fn ports_leased(&self) -> usize {
        self.ports.leased()
    }

    pub(crate) fn len(&self) -> usize {
        self.endpoints.len()
    }

    fn free(&mut self, now: Instant, id: EndpointId) -> Option<LegId> {
        let endpoint = self.endpoints.remove(id)?;
        self.count(endpoint.worker, |load| load.saturating_sub(1));
        self.ports.release(now, endpoint.lease);
        Some(endpoint.leg)
    }

    fn count(&mut self, worker: WorkerIndex, change: impl FnOnce(usize) -> usize) {
        if let Some(load) = self.load.get_mut(worker.0) {
            *load = change(*load);
        }
    }
}
