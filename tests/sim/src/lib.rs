//! Deterministic simulation of the whole: the real switch, contact centre, user agent and media worker in virtual
//! time under a seed, with a network that loses, duplicates, reorders and parts, and with phones and carriers of
//! another implementation that behave and misbehave.
//!
//! [`run`] plays one seed and judges it with every check of [`checks`]. The same seed gives the same trace.

pub mod checks;
mod configuration;
mod connection;
mod gossip;
pub mod ladder;
mod network;
mod node;
mod recording;
mod registrar;
mod rogue;
mod sabotage;
mod scenario;
mod tap;
mod trace;
mod voices;
mod watched;
mod world;

pub use network::{Link, Partition, Weather};
pub use recording::Recorded;
pub use registrar::{RegistrarPlan, Trouble};
pub use rogue::{Misdeed, RoguePlan};
pub use sabotage::Sabotage;
pub use scenario::{
    CallerPlan, Goal, Knobs, OutsideAgent, PhonePlan, Placer, Scenario, StrangerPlan, Supervision,
};
pub use tap::{Kind, Seen, Way};
pub use trace::Trace;
pub use watched::Said;
pub use world::{Observed, PartyReport};

/// What became of a seed.
#[derive(Debug)]
pub struct Verdict {
    /// What was observed.
    pub observed: Observed,
    /// What happened, in order.
    pub trace: Trace,
    /// What the checks found.
    pub judgement: checks::Judgement,
}

/// Plays a seed. The trace's lines are kept when asked for; its hash is always made.
#[must_use]
pub fn run(seed: u64, keep_trace: bool) -> Verdict {
    play(seed, keep_trace, None)
}

/// Plays a seed while the network mangles packets to the node, and judges what must hold even then.
#[must_use]
pub fn run_mangled(seed: u64) -> Verdict {
    let scenario = Scenario { mangled_permille: 20, ..Scenario::of(seed) };
    let (observed, trace) = world::World::new(scenario, false, None).run();
    let judgement = checks::of_mangled(&observed);
    Verdict { observed, trace, judgement }
}

/// Plays a seed with a fault put into the node: the checks must find it.
#[must_use]
pub fn run_sabotaged(seed: u64, sabotage: Sabotage) -> Verdict {
    play(seed, false, Some(sabotage))
}

fn play(seed: u64, keep_trace: bool, sabotage: Option<Sabotage>) -> Verdict {
    let (observed, trace) = world::World::new(Scenario::of(seed), keep_trace, sabotage).run();
    let judgement = checks::all(&observed);
    Verdict { observed, trace, judgement }
}
