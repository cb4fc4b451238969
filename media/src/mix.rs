//! Conferences: what each party says is mixed for everybody else, by a matrix of who hears whom and how loud.
//!
//! ```text
//! packets ─► Playout ─► frame ┐                               ┌─► Seat ─► packets
//! packets ─► Playout ─► frame ┼─► Room: for each, the others ─┼─► Seat ─► packets
//! packets ─► Playout ─► frame ┘     every 20 ms               └─► Seat ─► packets
//! ```
//!
//! Codecs may differ: a room mixes at the highest rate that any of its members codes at, and each is converted from its
//! own and back.
//!
//! A party never hears itself (mix-minus), whatever its packets do: there is no edge from a seat to itself. All
//! members of a conference are at one worker, whose thread owns it. Nothing here knows a socket or a clock, and
//! nothing is allocated but by those who come and go.

mod gain;
mod room;
mod rooms;
mod saturation;
mod seat;

pub use gain::Gain;
pub(crate) use room::{Room, Scratch};
pub(crate) use rooms::Rooms;
pub(crate) use seat::Seat;

use std::time::Duration;

use crate::EndpointId;
use crate::codec::Rate;

/// Names a conference, chosen by the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConferenceId(pub u64);

impl ConferenceId {
    /// The most that sit in one.
    pub const MAX_MEMBERS: usize = 64;
}

/// Who hears a member of a conference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Audience {
    /// All others.
    #[default]
    Everybody,
    /// One other (whisper); nobody when that one is not there.
    One(EndpointId),
    /// Nobody (monitor): it listens.
    Nobody,
}

/// What is mixed at once.
pub(crate) const FRAME: Duration = Duration::from_millis(20);

/// Samples of that at the highest rate.
pub(crate) const FRAME_SAMPLES: usize = Rate::Fullband.samples_in(FRAME);

/// A frame of one voice, or of a mix; of a lower rate its beginning.
pub(crate) type Frame = [i16; FRAME_SAMPLES];
