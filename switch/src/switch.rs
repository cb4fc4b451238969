//! The switch: what it is told, what it asks for.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use tandem_control_api::{CallRecord, ControlPlane};
use tandem_media as media;
use tandem_sbc::user_agent::{Packet, Transmit, TransportFailure, UserAgent, UserAgentConfig};
use tandem_time::Instant;

/// Which media worker; all endpoints of a call share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerIndex(pub usize);

/// The prompts of the node, by the name flows use.
pub type PromptLibrary = BTreeMap<String, Arc<media::Audio>>;

/// What an operator decides about calls.
#[derive(Clone, Debug)]
pub struct SwitchConfig {
    /// Our address in SDP, and where RTP sockets are bound.
    pub media_address: IpAddr,
    /// RTP and RTCP ports.
    pub media_ports: RangeInclusive<u16>,
    /// How many media workers there are.
    pub workers: usize,
    /// The most calls at a time; 503 beyond.
    pub max_calls: u32,
    /// The most legs in a call.
    pub max_legs_per_call: u8,
    /// A leg from which nothing is heard for so long is ended.
    pub media_timeout: Option<Duration>,
    /// The longest a call may last.
    pub max_call_duration: Duration,
    /// Whether phones behind NAT may send RTP from where their signalling comes.
    pub phones_behind_nat: bool,
}

/// What the switch asks of its shell.
#[derive(Debug)]
pub enum Output {
    /// Send a SIP message.
    Sip(Transmit),
    /// Hand a command to a media worker.
    Media {
        /// Which worker.
        worker: WorkerIndex,
        /// The command.
        command: media::Command,
    },
    /// Keep a record.
    Record(Box<CallRecord>),
}

/// How much of everything is in use. At rest every number is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Calls not yet released.
    pub calls: usize,
    /// Legs not yet released.
    pub legs: usize,
    /// SIP sessions not yet released.
    pub sessions: usize,
    /// SIP transactions under way.
    pub transactions: usize,
    /// Admission slots taken on trunks.
    pub admissions: usize,
    /// Leased RTP ports.
    pub ports: usize,
    /// Media endpoints not yet closed.
    pub endpoints: usize,
    /// Commands without an outcome.
    pub commands: usize,
}

/// One shard of signalling: a user agent, the calls, and the control plane that decides about them.
#[derive(Debug)]
pub struct Switch<P> {
    user_agent: UserAgent,
    plane: P,
    outputs: VecDeque<Output>,
}

impl<P: ControlPlane> Switch<P> {
    /// A switch without calls. `rng` is for itself; the user agent has its own.
    #[must_use]
    pub fn new(
        _config: SwitchConfig,
        user_agent: UserAgent,
        plane: P,
        _prompts: PromptLibrary,
        _rng: ChaCha8Rng,
    ) -> Self {
        Self { user_agent, plane, outputs: VecDeque::new() }
    }

    /// Swaps what may change while calls are up; they keep what they began with.
    pub fn reload(
        &mut self,
        _config: SwitchConfig,
        user_agent: Arc<UserAgentConfig>,
        _prompts: PromptLibrary,
    ) {
        self.user_agent.reload(user_agent);
    }

    /// The control plane, to hand it its own new configuration.
    pub fn plane_mut(&mut self) -> &mut P {
        &mut self.plane
    }

    /// Refuses new calls from now on (503); those under way go on.
    pub fn drain(&mut self) {}

    /// Takes one SIP packet.
    pub fn handle_packet(&mut self, _now: Instant, _packet: Packet<'_>) {}

    /// Takes the news that something could not be sent.
    pub fn handle_transport_failure(&mut self, _now: Instant, _failure: TransportFailure) {}

    /// Takes an event of a media worker.
    pub fn handle_media_event(&mut self, _now: Instant, _worker: WorkerIndex, _event: media::Event) {}

    /// Does what is due by `now`.
    pub fn handle_timeout(&mut self, _now: Instant) {}

    /// When [`Switch::handle_timeout`] should be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// The next output, until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What is in use.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        Ledger::default()
    }
}
