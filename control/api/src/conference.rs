//! Conferences: several legs of one call that hear each other.

use serde::{Deserialize, Serialize};

use crate::LegId;

/// What a leg is in a conference. It hears everybody who is heard by all, and never itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Heard by all.
    Party,
    /// Heard by nobody: it listens.
    Monitor,
    /// Heard by one party only, whom it coaches; a monitor from when that one leaves.
    Coach {
        /// The party.
        leg: LegId,
    },
}

impl Role {
    /// As records and logs show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Party => "party",
            Self::Monitor => "monitor",
            Self::Coach { .. } => "coach",
        }
    }
}

/// How loud a leg is for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Level {
    /// Not heard.
    Muted,
    /// So many decibels louder than it came, from −40 to 20; 0 is as it came.
    Decibels(i8),
}
