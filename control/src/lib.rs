//! The contact centre: entry points, flows, queues and agents, behind the `ControlPlane` trait.
//!
//! Owner thread: the signalling core, through the switch that owns the plane. This crate must not know SIP or RTP,
//! read a file or a clock, or keep a call from ending: a caller who hangs up is let go at once, whatever a flow or
//! a queue was doing.

mod agent;
mod call;
mod centre;
mod config;
pub mod flow;
mod outbox;
mod queue;
mod routing;
pub mod say;

pub use agent::{AgentState, NextState};
pub use centre::ContactCentre;
pub use config::{AgentConfig, Announcement, ConfigError, ContactCentreConfig, Features, QueueConfig};
pub use queue::QueueDepth;
