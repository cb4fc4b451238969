//! Who gets whom: queues and agents, and the one place where the two are matched.
//!
//! The discipline is longest available agent: whoever has been available longest is offered the caller who has
//! waited longest. A match claims both in one step, so an agent never has two offers and a caller never two
//! phones ringing. At rest no queue has both a waiting caller and an available agent; since every event adds one
//! of either, matching that one is enough.

use std::collections::BTreeMap;
use std::sync::Arc;

use tandem_control_api::{CallId, DialTarget};
use tandem_time::Instant;

use crate::agent::{Agent, AgentId, AgentState};
use crate::config::{AgentConfig, QueueConfig};
use crate::queue::{Place, Queue, QueueName};

/// A caller and an agent who are for each other, both already claimed.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) call: CallId,
    pub(crate) agent: AgentId,
    /// Since when the agent was available.
    pub(crate) available_since: Instant,
    pub(crate) target: DialTarget,
}

/// Why a caller cannot wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// [`QueueConfig::max_waiting`] callers wait already.
    Full,
    /// The queue is no longer configured.
    Unknown,
}

/// All queues and agents.
#[derive(Debug, Default)]
pub(crate) struct Routing {
    pub(crate) queues: BTreeMap<QueueName, Queue>,
    pub(crate) agents: BTreeMap<AgentId, Agent>,
    /// Agents by the user their phone registers as.
    pub(crate) phones: BTreeMap<String, AgentId>,
    tickets: u64,
}

impl Routing {
    /// A caller begins to wait.
    pub(crate) fn enter(
        &mut self,
        now: Instant,
        queue: &str,
        call: CallId,
    ) -> Result<(Place, Arc<QueueConfig>), Refusal> {
        let queue = self.queues.get_mut(queue).ok_or(Refusal::Unknown)?;
        if queue.is_full() {
            return Err(Refusal::Full);
        }
        self.tickets += 1;
        let place = Place { entered: now, ticket: self.tickets };
        queue.wait(place, call);
        Ok((place, Arc::clone(&queue.config)))
    }

    /// Somebody waits for whom an agent may be available.
    pub(crate) fn match_queue(&mut self, queue: &str) -> Option<Claim> {
        let entry = self.queues.get(queue)?;
        entry.first_place()?;
        let agent = Arc::clone(entry.longest_available()?);
        self.claim(queue, &agent)
    }

    /// An agent is available for whom somebody may wait: of all its queues, the caller who has waited longest.
    pub(crate) fn match_agent(&mut self, agent: &AgentId) -> Option<Claim> {
        let served = &self.agents.get(agent)?.queues;
        let places = served.iter().filter_map(|name| Some((self.queues.get(name)?.first_place()?, name)));
        let (_, queue) = places.min()?;
        let queue = Arc::clone(queue);
        self.claim(&queue, agent)
    }

    fn claim(&mut self, queue: &str, agent: &AgentId) -> Option<Claim> {
        let entry = self.agents.get(agent)?;
        let AgentState::Available { since } = entry.state else { return None };
        let target = entry.target.clone();
        let call = self.queues.get_mut(queue)?.claim_first()?;
        self.withdraw(agent, since);
        Some(Claim { call, agent: Arc::clone(agent), available_since: since, target })
    }

    /// An agent becomes available, unless its phone cannot be rung or it is no longer configured.
    pub(crate) fn make_available(&mut self, agent: &AgentId, since: Instant) {
        let Some(entry) = self.agents.get_mut(agent) else { return };
        if entry.retired {
            self.agents.remove(agent);
            return;
        }
        if !entry.reachable {
            entry.state = AgentState::LoggedOut;
            return;
        }
        entry.state = AgentState::Available { since };
        for name in &entry.queues {
            if let Some(queue) = self.queues.get_mut(name) {
                queue.add_agent(since, agent);
            }
        }
    }

    /// An available agent's phone is gone.
    pub(crate) fn log_out(&mut self, agent: &AgentId) {
        let Some(entry) = self.agents.get_mut(agent) else { return };
        let AgentState::Available { since } = entry.state else { return };
        entry.state = AgentState::LoggedOut;
        self.withdraw(agent, since);
    }

    /// The agent whose phone that is.
    pub(crate) fn agent_at(&self, target: &DialTarget) -> Option<AgentId> {
        match target {
            DialTarget::User(user) => self.phones.get(user).cloned(),
            DialTarget::Trunk { .. } => {
                let found = self.agents.iter().find(|(_, agent)| agent.target == *target && !agent.retired);
                found.map(|(id, _)| Arc::clone(id))
            }
        }
    }

    /// Whether an agent's phone is in use, or rung.
    pub(crate) fn is_on_the_phone(&self, agent: &AgentId) -> bool {
        self.agents.get(agent).is_some_and(|agent| agent.state.call().is_some())
    }

    /// An agent whose phone is free is offered nothing until it is available again; false when it is not free.
    pub(crate) fn occupy(&mut self, agent: &AgentId, call: CallId, now: Instant) -> bool {
        let Some(entry) = self.agents.get_mut(agent) else { return false };
        let since = match entry.state {
            AgentState::Available { since } => since,
            // A phone may register while it is being called.
            AgentState::WrapUp { .. } | AgentState::NotResponding { .. } | AgentState::LoggedOut => now,
            _ => return false,
        };
        let was_available = matches!(entry.state, AgentState::Available { .. });
        entry.state = AgentState::OnCall { call, since };
        if was_available {
            self.withdraw(agent, since);
        }
        true
    }

    fn withdraw(&mut self, agent: &AgentId, since: Instant) {
        let Some(entry) = self.agents.get(agent) else { return };
        for name in &entry.queues {
            if let Some(queue) = self.queues.get_mut(name) {
                queue.remove_agent(since, agent);
            }
        }
    }

    /// Takes over a new configuration. Agents who are busy stay so; the callers of queues that are gone are
    /// returned.
    pub(crate) fn configure(
        &mut self,
        now: Instant,
        queues: &[QueueConfig],
        agents: &[AgentConfig],
        reachable: impl Fn(&DialTarget) -> bool,
    ) -> Vec<CallId> {
        let configs: BTreeMap<&str, &QueueConfig> =
            queues.iter().map(|config| (config.name.as_str(), config)).collect();
        let mut stranded = Vec::new();
        self.queues.retain(|name, queue| {
            let kept = configs.contains_key(name.as_ref());
            if !kept {
                stranded.extend(queue.waiting());
            }
            kept
        });
        for config in queues {
            let config = Arc::new(config.clone());
            match self.queues.get_mut(config.name.as_str()) {
                Some(queue) => queue.config = config,
                None => {
                    self.queues.insert(Arc::from(config.name.as_str()), Queue::new(config));
                }
            }
        }
        self.configure_agents(now, queues, agents, reachable);
        stranded
    }

    fn configure_agents(
        &mut self,
        now: Instant,
        queues: &[QueueConfig],
        agents: &[AgentConfig],
        reachable: impl Fn(&DialTarget) -> bool,
    ) {
        for agent in self.agents.values_mut() {
            agent.retired = true;
        }
        self.phones.clear();
        for config in agents {
            let id: AgentId = Arc::from(config.id.as_str());
            if let DialTarget::User(user) = &config.target {
                self.phones.insert(user.clone(), Arc::clone(&id));
            }
            let agent = self.agents.entry(id).or_insert_with(|| Agent {
                target: config.target.clone(),
                queues: Vec::new(),
                state: AgentState::LoggedOut,
                reachable: false,
                retired: false,
            });
            agent.retired = false;
            agent.target = config.target.clone();
            agent.reachable = reachable(&config.target);
        }
        for agent in self.agents.values_mut() {
            agent.queues.clear();
        }
        for queue in queues {
            let name: QueueName = Arc::from(queue.name.as_str());
            for id in &queue.agents {
                if let Some(agent) = self.agents.get_mut(id.as_str())
                    && !agent.queues.contains(&name)
                {
                    agent.queues.push(Arc::clone(&name));
                }
            }
        }
        self.queues.values_mut().for_each(Queue::clear_agents);
        let free: Vec<(AgentId, Instant)> = self
            .agents
            .iter()
            .filter_map(|(id, agent)| match agent.state {
                AgentState::Available { since } => Some((Arc::clone(id), since)),
                AgentState::LoggedOut => Some((Arc::clone(id), now)),
                _ => None,
            })
            .collect();
        for (agent, since) in free {
            self.make_available(&agent, since);
        }
    }
}
