//! One call as the contact centre sees it.

use std::collections::BTreeSet;
use std::sync::Arc;

use tandem_control_api::{CollectRules, CommandId, LegId};

use crate::agent::AgentId;
use crate::config::QueueConfig;
use crate::flow::{Flow, Run};
use crate::queue::{Place, QueueName};

/// A call, from its offer until the switch has released it.
#[derive(Debug)]
pub(crate) struct Call {
    /// The caller's leg.
    pub(crate) caller: LegId,
    /// Who calls.
    pub(crate) from: String,
    /// The trunk it came from.
    pub(crate) trunk: Option<String>,
    pub(crate) run: Run,
    pub(crate) stage: Stage,
    /// Agents whose phone this call holds; on release of the call none can be left behind.
    pub(crate) agents: BTreeSet<AgentId>,
}

/// How far a call is.
///
/// ```text
/// Answering ─► InFlow ⇄ Queued ⇄ Connecting ─► Talking ⇄ Transferring ⇄ Connected
///      └──────────┴────────┴─────────┴───────────┴────────────┴──────────┴──► Leaving ─► (released)
///                 ▲──── to a flow, or nobody answers and the agent has left ──┘
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
    /// The caller talks to somebody who is no agent.
    Connected { leg: LegId },
    /// The caller is being transferred.
    Transferring(Box<Transferring>),
    /// The caller's leg has ended or is being hung up. Nothing is asked for any more.
    Leaving,
}

/// A transfer under way.
#[derive(Debug)]
pub(crate) struct Transferring {
    pub(crate) command: CommandId,
    /// Who wanted it, for the record.
    pub(crate) by: String,
    /// To whom, for the record.
    pub(crate) to: String,
    /// The agent who transfers.
    pub(crate) from: Option<AgentId>,
    /// The transferor's leg, as long as it is there.
    pub(crate) transferor: Option<LegId>,
    /// The agent who is rung.
    pub(crate) agent: Option<AgentId>,
    /// The flow that the caller goes to instead, and its number.
    pub(crate) flow: Option<(Arc<Flow>, String)>,
}

/// What a flow waits for.
#[derive(Debug)]
pub(crate) enum Waiting {
    /// The end of a play.
    Play { command: CommandId },
    /// That a recording begins, pauses, goes on or ends.
    Recording { command: CommandId },
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
