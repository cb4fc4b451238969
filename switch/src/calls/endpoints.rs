//! Media endpoints: ports leased, endpoints opened and closed, workers chosen.
//!
//! An endpoint is told nothing between `Open` and `Opened`, nor after `Close`; its port goes back to the pool only
//! when the worker said that its sockets are gone.
//!
//! One that moves to another worker is nowhere for a moment. What it is told meanwhile waits until it is there; a
//! bridge is made anew by who knows whom it is to be with.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use tandem_control_api::LegId;
use tandem_media::{Command, EndpointId, Parcel, PortLease, PortPool};
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
    /// What it was told while it moved: of each kind the latest.
    waiting: Vec<Command>,
}

/// ```text
///            Opened            close            Closed
/// Opening ──────────▶ Open ──────────▶ Closing ────────▶ (freed)
///    │ close                              ▲
///    └────────▶ Abandoned ────────────────┘ Opened
/// Opening, Abandoned ── OpenFailed ──▶ (freed)
///
///        move_to           HandedOver            Opened
/// Open ──────────▶ Leaving ──────────▶ Arriving ────────▶ Open, or Closing when nobody wants it any more
/// Arriving ── Closed ──▶ (freed)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Opening,
    Abandoned,
    Open,
    Leaving { to: WorkerIndex, is_wanted: bool },
    Arriving { is_wanted: bool },
    Closing,
}

impl Phase {
    const fn is_moving(self) -> bool {
        matches!(self, Self::Leaving { .. } | Self::Arriving { .. })
    }
}

/// Keys that wait for an endpoint which moves; more are lost.
const WAITING_KEYS_MAX: usize = 32;

/// What [`Endpoints::opened`] leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// The leg can use it, at this address.
    For(LegId, SocketAddr),
    /// Nobody wants it any more: close it.
    Unwanted,
}

/// What [`Endpoints::close`] leads to.
#[derive(Debug)]
pub(crate) enum Close {
    /// The worker is to be told to close this one.
    Now(WorkerIndex, EndpointId),
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
        let endpoint = Endpoint { leg, worker, lease, phase: Phase::Opening, waiting: Vec::new() };
        // Endpoints are fewer than ports, and those fewer than slots: there is always room.
        let id = self.endpoints.insert_with(|_| Some(endpoint))?;
        self.count(worker, |load| load + 1);
        Some((id, Command::Open { endpoint: id, local }))
    }

    /// The worker's sockets are bound. None for an endpoint that is not being opened.
    pub(crate) fn opened(&mut self, id: EndpointId, address: IpAddr) -> Option<Opened> {
        let endpoint = self.endpoints.get_mut(id)?;
        match endpoint.phase {
            Phase::Opening | Phase::Arriving { is_wanted: true } => {
                endpoint.phase = Phase::Open;
                Some(Opened::For(endpoint.leg, SocketAddr::new(address, endpoint.lease.rtp())))
            }
            Phase::Abandoned | Phase::Arriving { is_wanted: false } => {
                endpoint.phase = Phase::Closing;
                Some(Opened::Unwanted)
            }
            Phase::Open | Phase::Leaving { .. } | Phase::Closing => None,
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
                Close::Now(endpoint.worker, id)
            }
            Phase::Opening => {
                endpoint.phase = Phase::Abandoned;
                Close::WhenOpened
            }
            Phase::Leaving { ref mut is_wanted, .. } | Phase::Arriving { ref mut is_wanted } => {
                *is_wanted = false;
                Close::WhenOpened
            }
            Phase::Abandoned | Phase::Closing => Close::UnderWay,
        }
    }

    /// Begins to move an open endpoint to another worker; the command is for the one it is at.
    pub(crate) fn move_to(&mut self, id: EndpointId, to: WorkerIndex) -> Option<(WorkerIndex, Command)> {
        let endpoint = self.endpoints.get_mut(id)?;
        if endpoint.phase != Phase::Open || endpoint.worker == to {
            return None;
        }
        endpoint.phase = Phase::Leaving { to, is_wanted: true };
        Some((endpoint.worker, Command::HandOver { endpoint: id }))
    }

    /// The worker that had it has given it up: the command is for the one it goes to.
    pub(crate) fn handed_over(
        &mut self,
        id: EndpointId,
        address: IpAddr,
        parcel: Parcel,
    ) -> Option<(WorkerIndex, Command)> {
        let endpoint = self.endpoints.get_mut(id)?;
        let Phase::Leaving { to, is_wanted } = endpoint.phase else { return None };
        let from = std::mem::replace(&mut endpoint.worker, to);
        endpoint.phase = Phase::Arriving { is_wanted };
        let local = SocketAddr::new(address, endpoint.lease.rtp());
        self.count(from, |load| load.saturating_sub(1));
        self.count(to, |load| load + 1);
        Some((to, Command::TakeOver { endpoint: id, local, parcel }))
    }

    /// Keeps a command for an endpoint that moves until it is there. One that is being opened or closed needs none.
    pub(crate) fn wait(&mut self, id: EndpointId, command: Command) {
        let found = self.endpoints.get_mut(id);
        let Some(endpoint) = found.filter(|endpoint| endpoint.phase.is_moving()) else { return };
        let waiting = &mut endpoint.waiting;
        match &command {
            // Whoever arrives is bridged, or confers, as its leg does then.
            Command::Bridge { .. }
            | Command::Unbridge { .. }
            | Command::Join { .. }
            | Command::Voice { .. } => return,
            Command::Digit { .. } if waiting.len() >= WAITING_KEYS_MAX => return,
            Command::Digit { .. } => {}
            Command::Stop { .. } => waiting.retain(|it| {
                !matches!(it, Command::Play { .. } | Command::Collect { .. } | Command::Stop { .. })
            }),
            same => {
                let kind = std::mem::discriminant(same);
                waiting.retain(|it| std::mem::discriminant(it) != kind);
            }
        }
        waiting.push(command);
    }

    /// What an endpoint was told while it moved.
    pub(crate) fn take_waiting(&mut self, id: EndpointId) -> Vec<Command> {
        self.endpoints.get_mut(id).map(|endpoint| std::mem::take(&mut endpoint.waiting)).unwrap_or_default()
    }

    /// Where an endpoint that is in use takes RTP, at the address that peers are told.
    pub(crate) fn address_of(&self, id: EndpointId, address: IpAddr) -> Option<SocketAddr> {
        let is_in_use = |endpoint: &&Endpoint| endpoint.phase == Phase::Open || endpoint.phase.is_moving();
        let endpoint = self.endpoints.get(id).filter(is_in_use)?;
        Some(SocketAddr::new(address, endpoint.lease.rtp()))
    }

    /// The leg of an endpoint that is in use, if it is this worker's.
    pub(crate) fn leg_of(&self, id: EndpointId, worker: WorkerIndex) -> Option<LegId> {
        let endpoint = self.endpoints.get(id)?;
        let is_in_use = endpoint.phase == Phase::Open || endpoint.phase.is_moving();
        (is_in_use && endpoint.worker == worker).then_some(endpoint.leg)
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
