//! One queue: who waits, in which order, and which of its agents are available, the longest first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tandem_control_api::CallId;
use tandem_time::Instant;

use crate::agent::AgentId;
use crate::config::QueueConfig;

/// A queue's name.
pub(crate) type QueueName = Arc<str>;

/// A place in the order of waiting; a caller keeps it however many agents do not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// When the caller began to wait.
    pub(crate) entered: Instant,
    /// Tells those apart who came at the same time.
    pub(crate) ticket: u64,
}

/// A queue. Waiting callers and available agents are kept in order, so that a match costs the logarithm of
/// their number.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) config: Arc<QueueConfig>,
    waiting: BTreeMap<Place, CallId>,
    /// Callers for whom an agent's phone rings or is being connected: they hold their place.
    offered: BTreeMap<Place, CallId>,
    available: BTreeSet<(Instant, AgentId)>,
}

/// How full a queue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueDepth {
    /// Callers for whom no phone rings.
    pub waiting: usize,
    /// Callers for whom an agent's phone rings.
    pub offered: usize,
    /// Agents available to the queue.
    pub available_agents: usize,
    /// Since when the first in the queue has waited.
    pub oldest: Option<Instant>,
}

impl Queue {
    pub(crate) fn new(config: Arc<QueueConfig>) -> Self {
        Self { config, waiting: BTreeMap::new(), offered: BTreeMap::new(), available: BTreeSet::new() }
    }

    pub(crate) fn depth(&self) -> QueueDepth {
        let first = |callers: &BTreeMap<Place, CallId>| callers.keys().next().copied();
        let oldest = first(&self.waiting).into_iter().chain(first(&self.offered)).min();
        QueueDepth {
            waiting: self.waiting.len(),
            offered: self.offered.len(),
            available_agents: self.available.len(),
            oldest: oldest.map(|place| place.entered),
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() + self.offered.len() >= self.config.max_waiting
    }

    /// Begins to wait, or waits again at the place it had.
    pub(crate) fn wait(&mut self, place: Place, call: CallId) {
        self.offered.remove(&place);
        self.waiting.insert(place, call);
    }

    /// Leaves, waiting or offered.
    pub(crate) fn leave(&mut self, place: Place) {
        self.waiting.remove(&place);
        self.offered.remove(&place);
    }

    pub(crate) fn first_place(&self) -> Option<Place> {
        self.waiting.keys().next().copied()
    }

    /// The first in the queue is taken out to be offered.
    pub(crate) fn claim_first(&mut self) -> Option<CallId> {
        let (place, call) = self.waiting.pop_first()?;
        self.offered.insert(place, call);
        Some(call)
    }

    /// Everybody who waits, the first first.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = CallId> + '_ {
        self.waiting.values().copied()
    }

    pub(crate) fn longest_available(&self) -> Option<&AgentId> {
        self.available.first().map(|(_, agent)| agent)
    }

    pub(crate) fn add_agent(&mut self, since: Instant, agent: &AgentId) {
        self.available.insert((since, Arc::clone(agent)));
    }

    pub(crate) fn remove_agent(&mut self, since: Instant, agent: &AgentId) {
        self.available.remove(&(since, Arc::clone(agent)));
    }

    pub(crate) fn clear_agents(&mut self) {
        self.available.clear();
    }
}
