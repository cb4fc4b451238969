//! The jitter buffer: packets of one party back in their order and at an even pace, as late as its path demands and no
//! later.
//!
//! ```text
//!            packets                                 samples
//! insert ──────────────▶ Packets ─▶ Decoder ─▶ stretch ─▶ queue ──────────▶ pull
//!   │ how late each one came                     ▲
//!   └──────────────────▶ Delay ── how late they should be taken
//! ```
//!
//! Owner thread: one media worker. This module must not know who listens: one that is transcoded to, a mixer, a
//! recorder.

mod delay;
mod packets;
mod playout;
mod stalls;
mod stretch;

pub use delay::{Delay, DelayLimits};
pub use packets::{Kind, MAX_PACKETS};
pub use playout::{Playout, Tally};
