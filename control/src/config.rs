//! What an operator decides about the contact centre, and the proof that it fits together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tandem_control_api::{DialTarget, LegId, ProgressRules, RejectReason, Role, Route};

use crate::flow::{Flow, FlowError, Inventory};
use crate::say::Grammars;

/// Everything an operator decides. [`crate::ContactCentre::new`] refuses one that does not fit together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactCentreConfig {
    /// Dialled number → the name of the flow that answers it. A number that is neither here nor in `routes` is
    /// refused as not found.
    pub entry_points: BTreeMap<String, String>,
    /// Dialled number → where it goes straight to, without a flow.
    pub routes: BTreeMap<String, Route>,
    /// Dialled number → why its calls are refused.
    pub refusals: BTreeMap<String, RejectReason>,
    /// Dialled number → the prompts that its callers hear before they are answered or refused, and are not charged for, where
    /// the caller can hear them so early. The number is one of a flow or of a refusal.
    pub announcements: BTreeMap<String, Vec<String>>,
    /// The flows, as [`crate::flow::parse()`] gave them.
    pub flows: Vec<Flow>,
    /// The queues.
    pub queues: Vec<QueueConfig>,
    /// The agents.
    pub agents: Vec<AgentConfig>,
    /// The names of the node's prompts.
    pub prompts: BTreeSet<String>,
    /// How values are said; every prompt that a grammar asks for is one of the node's.
    pub grammars: Arc<Grammars>,
    /// Whether the node speaks words that are not recorded.
    pub speech: bool,
    /// Whether the node keeps recordings.
    pub recording: bool,
    /// Trunks whose calls are recorded, so that their media always passes us.
    pub recorded_trunks: BTreeSet<String>,
    /// How long an agent who did not answer is left alone; from one second to an hour.
    pub not_responding_pause: Duration,
    /// What a party hears whose other one puts it on hold; nothing when absent.
    pub hold_music: Option<String>,
    /// Users who may listen to agents' calls, coach them and join in.
    pub supervisors: BTreeSet<String>,
    /// Users who may take each other's calls while they ring.
    pub pickup_groups: Vec<BTreeSet<String>>,
    /// What phones can key and dial.
    pub features: Features,
    /// Where numbers go that phones dial or transfer to, when the call came from no trunk. Without one they are refused
    /// as not found.
    pub outbound_trunk: Option<String>,
    /// Trunk → what calls to it are listened to for; those to others are not.
    pub call_progress: BTreeMap<String, ProgressRules>,
}

/// Codes that phones key or dial; what has none cannot be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// Keyed by who talks to two parties in two calls: they are three in one from then on.
    pub conference: Option<String>,
    /// Keyed by who talks: a recording of the call begins, or ends.
    pub record: Option<String>,
    /// Keyed by who talks: the recording of the call pauses, or goes on.
    pub pause_recording: Option<String>,
    /// Dialled by a supervisor, with an agent's name or user behind it: hears the agent's call.
    pub monitor: Option<String>,
    /// The same, and is heard by the agent.
    pub coach: Option<String>,
    /// The same, and is heard by all.
    pub barge: Option<String>,
    /// Dialled alone, or with a colleague's name or user behind it: takes the call that rings there.
    pub pick_up: Option<String>,
    /// Whether those in a conference hear that somebody has come; supervisors come unheard.
    pub entry_tone: bool,
}

/// What is keyed in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feature {
    Conference,
    Record,
    Pause,
}

/// What a supervisor does in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Supervision {
    Monitor,
    Coach,
    Barge,
}

impl Supervision {
    pub(crate) const fn role(self, agent: LegId) -> Role {
        match self {
            Self::Monitor => Role::Monitor,
            Self::Coach => Role::Coach { leg: agent },
            Self::Barge => Role::Party,
        }
    }
}

impl Features {
    /// The codes that are keyed in a call.
    pub(crate) fn keyed(&self) -> impl Iterator<Item = (&str, Feature)> {
        let codes = [
            (&self.conference, Feature::Conference),
            (&self.record, Feature::Record),
            (&self.pause_recording, Feature::Pause),
        ];
        codes.into_iter().filter_map(|(code, feature)| Some((code.as_deref()?, feature)))
    }

    /// What a supervisor asks for by what it dialled, and of whom.
    pub(crate) fn supervision<'a>(&self, dialled: &'a str) -> Option<(Supervision, &'a str)> {
        let codes = [
            (&self.monitor, Supervision::Monitor),
            (&self.coach, Supervision::Coach),
            (&self.barge, Supervision::Barge),
        ];
        codes.into_iter().find_map(|(code, what)| {
            let who = dialled.strip_prefix(code.as_deref()?)?;
            (!who.is_empty()).then_some((what, who))
        })
    }
}

/// A queue: callers wait, the agent who has been available longest is offered the one who has waited longest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueConfig {
    /// Its name in flows, records and metrics.
    pub name: String,
    /// The ids of the agents who serve it.
    pub agents: Vec<String>,
    /// How long an agent's phone rings before the next agent is tried; from one second to five minutes.
    pub ring_timeout: Duration,
    /// The prompt played over and over while waiting.
    pub music: String,
    /// Said again and again while waiting, if at all.
    pub announcement: Option<Announcement>,
    /// Whether an agent hears a tone before the caller.
    pub zip_tone: bool,
    /// Whether a caller is recorded from when it talks to an agent.
    pub record: bool,
    /// After so long without an answer the caller leaves by the exit `timeout`; at most a day.
    pub max_wait: Duration,
    /// How long an agent is left alone after a conversation; at most an hour.
    pub wrap_up: Duration,
    /// Callers who may wait at a time; the next one leaves by the exit `failure`. At most
    /// [`QueueConfig::MAX_WAITING`].
    pub max_waiting: usize,
}

impl QueueConfig {
    /// The longest a caller may wait: a day.
    pub const MAX_WAIT: Duration = Duration::from_secs(86_400);
    /// The most `max_waiting` can be.
    pub const MAX_WAITING: usize = 100_000;
}

/// A comfort announcement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The prompt.
    pub prompt: String,
    /// How often; from five seconds to an hour.
    pub every: Duration,
}

/// An agent and the phone it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentConfig {
    /// Its id in queues, records and metrics.
    pub id: String,
    /// Its phone. A [`DialTarget::User`] is available while registered, a [`DialTarget::Trunk`] number always.
    pub target: DialTarget,
}

/// What does not fit together. The operator's fault; nothing of the configuration is used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A flow names something the node does not have.
    #[error(transparent)]
    Flow(#[from] FlowError),
    /// Two things of one kind have one name.
    #[error("there are two {kind} named `{name}`; rename one")]
    Duplicate {
        /// `flows`, `queues`, `agents`.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// Two agents share a phone, so that one of them could be offered two calls.
    #[error("agents `{first}` and `{second}` have the same phone; give each its own")]
    SharedPhone {
        /// One agent.
        first: String,
        /// The other.
        second: String,
    },
    /// Something names what does not exist.
    #[error("{place} names {kind} `{name}`, which does not exist; write one of: {}", known.join(", "))]
    Unknown {
        /// Where: `entry point +15550100`, `queue sales`.
        place: String,
        /// `flow`, `agent`, `prompt`.
        kind: &'static str,
        /// The name.
        name: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// A grammar asks for prompts that the node does not have.
    #[error(
        "the grammar of language `{language}` needs prompts that do not exist: {}; record them, or take them out of \
         the grammar",
        missing.join(", ")
    )]
    Unspoken {
        /// The language.
        language: String,
        /// The prompts.
        missing: Vec<String>,
    },
    /// A number outside its range.
    #[error("{place}: `{field}` must be {wanted}")]
    OutOfRange {
        /// Where.
        place: String,
        /// The field.
        field: &'static str,
        /// Its range.
        wanted: String,
    },
}

impl ContactCentreConfig {
    /// Proves that it fits together.
    ///
    /// # Errors
    /// The first thing that does not.
    pub fn check(&self) -> Result<(), ConfigError> {
        let flows = unique("flows", self.flows.iter().map(Flow::name))?;
        let queues = unique("queues", self.queues.iter().map(|queue| queue.name.as_str()))?;
        let agents = unique("agents", self.agents.iter().map(|agent| agent.id.as_str()))?;
        for (number, flow) in &self.entry_points {
            known("flow", flow, &flows, || format!("entry point {number}"))?;
        }
        for (number, route) in &self.routes {
            let place = format!("entry point {number}");
            if self.entry_points.contains_key(number) {
                return Err(ConfigError::Duplicate { kind: "entry points", name: number.clone() });
            }
            within(&place, "ring_timeout", route.ring_timeout, SECOND, Duration::from_secs(600))?;
        }
        for flow in &self.flows {
            let (prompts, grammars) = (&self.prompts, &*self.grammars);
            let (speech, recording) = (self.speech, self.recording);
            flow.check(Inventory { queues: &queues, prompts, grammars, speech, recording })?;
        }
        self.check_announcements()?;
        for grammar in self.grammars.values() {
            let missing: Vec<String> = grammar.prompts().difference(&self.prompts).cloned().collect();
            if !missing.is_empty() {
                return Err(ConfigError::Unspoken { language: grammar.language().to_owned(), missing });
            }
        }
        for queue in &self.queues {
            self.check_queue(queue, &agents)?;
        }
        if let Some(music) = &self.hold_music {
            known("prompt", music, &self.prompts, || "contact centre".to_owned())?;
        }
        self.check_phones()?;
        let pause = self.not_responding_pause;
        within("contact centre", "not_responding_pause", pause, SECOND, HOUR)
    }

    fn check_announcements(&self) -> Result<(), ConfigError> {
        for number in self.refusals.keys() {
            if self.entry_points.contains_key(number) || self.routes.contains_key(number) {
                return Err(ConfigError::Duplicate { kind: "entry points", name: number.clone() });
            }
        }
        let announcing = self.entry_points.keys().chain(self.refusals.keys()).cloned().collect();
        for (number, prompts) in &self.announcements {
            let place = || format!("entry point {number}");
            known("flow or refusal", number, &announcing, place)?;
            for prompt in prompts {
                known("prompt", prompt, &self.prompts, place)?;
            }
        }
        Ok(())
    }

    fn check_queue(&self, queue: &QueueConfig, agents: &BTreeSet<String>) -> Result<(), ConfigError> {
        let place = || format!("queue {}", queue.name);
        for agent in &queue.agents {
            known("agent", agent, agents, place)?;
        }
        known("prompt", &queue.music, &self.prompts, place)?;
        within(&place(), "ring_timeout", queue.ring_timeout, SECOND, Duration::from_secs(300))?;
        within(&place(), "max_wait", queue.max_wait, SECOND, QueueConfig::MAX_WAIT)?;
        within(&place(), "wrap_up", queue.wrap_up, Duration::ZERO, HOUR)?;
        if queue.max_waiting > QueueConfig::MAX_WAITING {
            let wanted = format!("at most {}", QueueConfig::MAX_WAITING);
            return Err(ConfigError::OutOfRange { place: place(), field: "max_waiting", wanted });
        }
        match &queue.announcement {
            None => Ok(()),
            Some(announcement) => {
                known("prompt", &announcement.prompt, &self.prompts, place)?;
                within(&place(), "announcement", announcement.every, Duration::from_secs(5), HOUR)
            }
        }
    }

    fn check_phones(&self) -> Result<(), ConfigError> {
        let mut owners: BTreeMap<(&str, &str), &str> = BTreeMap::new();
        for agent in &self.agents {
            let phone = match &agent.target {
                DialTarget::User(user) => ("", user.as_str()),
                DialTarget::Trunk { trunk, number } => (trunk.as_str(), number.as_str()),
            };
            if let Some(first) = owners.insert(phone, &agent.id) {
                return Err(ConfigError::SharedPhone { first: first.to_owned(), second: agent.id.clone() });
            }
        }
        Ok(())
    }
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

fn unique<'a>(
    kind: &'static str,
    names: impl Iterator<Item = &'a str>,
) -> Result<BTreeSet<String>, ConfigError> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name.to_owned()) {
            return Err(ConfigError::Duplicate { kind, name: name.to_owned() });
        }
    }
    Ok(seen)
}

fn known(
    kind: &'static str,
    name: &str,
    all: &BTreeSet<String>,
    place: impl FnOnce() -> String,
) -> Result<(), ConfigError> {
    if all.contains(name) {
        return Ok(());
    }
    let known = all.iter().cloned().collect();
    Err(ConfigError::Unknown { place: place(), kind, name: name.to_owned(), known })
}

fn within(
    place: &str,
    field: &'static str,
    value: Duration,
    from: Duration,
    to: Duration,
) -> Result<(), ConfigError> {
    if (from..=to).contains(&value) {
        return Ok(());
    }
    let wanted = format!("from {from:?} to {to:?}");
    Err(ConfigError::OutOfRange { place: place.to_owned(), field, wanted })
}
