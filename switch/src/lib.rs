//! Legs, calls and bridges: joins one SIP session and one media endpoint per leg, and executes a control plane's
//! commands.
//!
//! Owner thread: the signalling core. This crate must not decide where a call goes (that is the control plane's),
//! nor look into a SIP message or an RTP packet.

mod arena;
mod calls;
mod config;
mod counters;
mod switch;

pub use calls::{CallRecording, EndCause, NewRecording, RecordingId, RecordingNews, Utterance};
pub use config::{PromptLibrary, RecordingConfig, SpeechConfig, SwitchConfig};
pub use counters::{Counters, Refusal};
pub use switch::{Ledger, Output, Switch, WorkerIndex};
