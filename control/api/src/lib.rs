//! What a control plane is told and may ask: ids, [`Event`]s, [`Command`]s, the [`ControlPlane`] trait.
//!
//! A control plane never sees SIP or RTP. It is told that a call was offered, asks for things (answer, play,
//! collect, dial, bridge …) and hears exactly one [`Event::Done`] for each command, whatever happens. Everything
//! here is plain data: the same types travel in process, through the conformance kit and over a connection.

mod command;
mod conference;
pub mod conformance;
mod event;
mod id;
mod plane;
mod progress;
mod record;
mod static_routes;
mod straight_through;

pub use command::{
    BargeIn, CallFact, CollectRules, Command, DialTarget, HangupCause, MediaPath, Prompt, RecordAction,
    RejectReason, Repeat, Request, Tone, TransferTo,
};
pub use conference::{Level, Role};
pub use event::{
    CollectEnd, CommandError, DialFailure, EndedBy, Event, LegEnd, Origin, Outcome, Party, PlayEnd,
    Redirection,
};
pub use id::{CallId, CommandId, LegId, NotAnId};
pub use plane::ControlPlane;
pub use progress::{Evidence, EvidenceKind, ProgressReport, ProgressRules, SpecialInformation, Verdict};
pub use record::{CallRecord, Direction, Heard, LegRecord, MediaStatistics, QualityPoint, TimelineEntry};
pub use static_routes::{StaticRoutes, Treatment};
pub use straight_through::{Ask, Route, StraightThrough};
