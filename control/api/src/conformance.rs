//! The conformance kit: a model of the switch that runs any control plane in virtual time, and the rules that
//! every control plane must keep.
//!
//! [`ModelSwitch`] is the smallest thing that keeps the switch's side of the contract: each command ends in
//! exactly one outcome, a leg's commands end before its `LegEnded`, and a call's last event is its `CallEnded`.
//! Callers, phones, prompts and failures are made by a [`World`]; [`RandomWorld`] makes them from a seed. A plane
//! conforms when [`run_random_calls`] finds no [`Violation`] under any seed.
//!
//! The kit is for tests, of planes in this repository and elsewhere; it sends nothing and owns no thread.

mod call;
mod conference;
mod model;
mod playing;
mod progress;
mod random;
mod rules;
mod transfer;
mod world;

pub use model::{Caller, ModelSwitch};
pub use random::{RandomWorld, run_random_calls};
pub use rules::{Rules, Violation};
pub use world::{Phone, Wish, World};
