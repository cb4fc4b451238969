//! One call as the contact centre sees it.

use std::collections::BTreeSet;
use std::sync::Arc;

use tandem_control_api::{CollectRules, CommandId, LegId};

use crate::agent::AgentId;
use crate::config::QueueConfig;
use crate::flow::Run;
use crate::queue::{Place, QueueName};

/// A call, from its offer until the switch has released it.
#[derive(Debug)]
pub(crate) struct Call {
    /// The caller's leg.
    pub(crate) caller: LegId,
    pub(crate) run: Run,
    pub(crate) stage: Stage,
    /// Agents whose phone this call holds; on release of the call none can be left behind.
    pub(crate) agents: BTreeSet<AgentId>,
}

/// How far a call is.
///
/// ```text
/// Answering ─► InFlow ⇄ Queued ⇄ Connecting ─► Talking
///      └──────────┴────────┴─────────┴───────────┴────► Leaving ─► (released)
/// ```
#[derive(Debug)]
pub(crate) enum Stage {
    /// The caller is being answered.
    Answering { command: CommandId },
    /// The flow waits for something the caller hears or types.
    InFlow(Waiting),
    /// The caller waits for an agent.
    Queued(Visit),
    /// An agent answered; caller and agent are being bridged.
    Connecting { visit: Visit, agent: AgentId, command: CommandId },
    /// Caller and agent talk.
    Talking { agent: AgentId },
    /// The caller's leg has ended or is being hung up. Nothing is asked for any more.
    Leaving,
}

/// What a flow waits for.
#[derive(Debug)]
pub(crate) enum Waiting {
    /// The end of a play.
    Play { command: CommandId },
    /// The end of a play after which digits are collected.
    Prompt { command: CommandId, rules: CollectRules },
    /// Digits, while a prompt may still play.
    Digits { play: Option<CommandId>, collect: CommandId },
    /// The caller's hanging up, hearing themselves.
    Echo { command: CommandId },
}

/// A caller's stay in a queue.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) queue: QueueName,
    /// The queue's configuration when the caller came: it holds for the whole stay.
    pub(crate) config: Arc<QueueConfig>,
    pub(crate) place: Place,
    /// What the caller hears now.
    pub(crate) treatment: Treatment,
    /// The agent whose phone rings.
    pub(crate) offer: Option<AgentId>,
    /// Offers made so far.
    pub(crate) offers: u32,
}

/// What a waiting caller hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Treatment {
    Music,
    Announcement(CommandId),
}

impl Visit {
    /// Offers made to one caller in one stay; then the queue has failed them.
    pub(crate) const MAX_OFFERS: u32 = 1_000;
}
