//! Agents: one phone, one state, at most one offer.

use std::sync::Arc;
use std::time::Duration;

use tandem_control_api::{CallId, CommandId, DialTarget, LegId, Verdict};
use tandem_time::Instant;

/// An agent's id.
pub(crate) type AgentId = Arc<str>;

/// What an agent is doing. Whoever is not `Available` is not offered a call.
///
/// ```text
///                  │ ⇄ OnCall, while its phone is in use for no queue; may go on to Talking
///  LoggedOut ⇄ Available ── offer ──► Offered ── answered ──► Connecting ── bridged ──► Talking
///                  ▲                   │   │                   │   │                      │
///                  │   caller gone ────┘   └─ missed           │   └─ failed              │
///                  │        │                     │            └─ caller gone             │
///                  │        ▼                     ▼                    ▼                  ▼
///                  └─────────────── Releasing, until the agent's leg is gone ─────────────┤
///                  ▲                              ▼                                       ▼
///                  └───────────────────────  NotResponding, WrapUp, until their time ─────┘
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentState {
    /// The phone is not registered.
    LoggedOut,
    /// Waits for a call.
    Available {
        /// Since when. An offer that was the caller's to withdraw does not cost the agent its place.
        since: Instant,
    },
    /// On the phone, or rung, without a queue: it calls somebody, or is called or transferred to.
    OnCall {
        /// The call.
        call: CallId,
        /// Since when it had been available, or would have been.
        since: Instant,
    },
    /// The phone is being rung.
    Offered {
        /// For this call.
        call: CallId,
        /// The `Dial`.
        command: CommandId,
        /// The leg, once it exists.
        leg: Option<LegId>,
        /// Since when the agent had been available.
        available_since: Instant,
    },
    /// The phone was answered; the caller is being connected.
    Connecting {
        /// The call.
        call: CallId,
        /// The agent's leg.
        leg: LegId,
        /// Since when the agent had been available.
        available_since: Instant,
    },
    /// Talks to a caller.
    Talking {
        /// The call.
        call: CallId,
        /// The agent's leg.
        leg: LegId,
        /// How long the agent is left alone afterwards.
        wrap_up: Duration,
    },
    /// The conversation or offer is over, the phone not yet free.
    Releasing {
        /// The call.
        call: CallId,
        /// The `Dial` that has no outcome yet.
        command: Option<CommandId>,
        /// The leg that has not ended yet.
        leg: Option<LegId>,
        /// What comes then.
        next: NextState,
    },
    /// Does what is left to do after a conversation.
    WrapUp {
        /// Until then.
        until: Instant,
    },
    /// Missed an offer; left alone for a while.
    NotResponding {
        /// Until then.
        until: Instant,
    },
}

impl AgentState {
    /// The state's name, for metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::LoggedOut => "logged-out",
            Self::Available { .. } => "available",
            Self::OnCall { .. } => "on-call",
            Self::Offered { .. } => "offered",
            Self::Connecting { .. } => "connecting",
            Self::Talking { .. } => "talking",
            Self::Releasing { .. } => "releasing",
            Self::WrapUp { .. } => "wrap-up",
            Self::NotResponding { .. } => "not-responding",
        }
    }

    /// The call the agent is held by.
    #[must_use]
    pub const fn call(&self) -> Option<CallId> {
        match self {
            Self::OnCall { call, .. }
            | Self::Offered { call, .. }
            | Self::Connecting { call, .. }
            | Self::Talking { call, .. }
            | Self::Releasing { call, .. } => Some(*call),
            Self::LoggedOut | Self::Available { .. } | Self::WrapUp { .. } | Self::NotResponding { .. } => {
                None
            }
        }
    }
}

/// What an agent becomes once its phone is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextState {
    /// Available, as if nothing had been.
    Available {
        /// Since then.
        since: Instant,
    },
    /// In wrap-up for so long; available at once when zero.
    WrapUp(Duration),
    /// Not responding for so long.
    NotResponding(Duration),
}

/// Why an agent did not get a call that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Miss {
    NoAnswer,
    Busy,
    Declined,
    Unreachable,
    /// Answered, but could not be connected, or hung up before it was.
    NotConnected,
    /// Answered by nobody who can talk.
    Nobody(Verdict),
}

impl Miss {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::NoAnswer => "no-answer",
            Self::Busy => "busy",
            Self::Declined => "declined",
            Self::Unreachable => "unreachable",
            Self::NotConnected => "not-connected",
            Self::Nobody(verdict) => verdict.name(),
        }
    }
}

/// An agent.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) target: DialTarget,
    /// The queues it serves.
    pub(crate) queues: Vec<Arc<str>>,
    pub(crate) state: AgentState,
    /// Whether its phone can be rung.
    pub(crate) reachable: bool,
    /// No longer configured: forgotten when it is free.
    pub(crate) retired: bool,
}
