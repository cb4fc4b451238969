//! Typed, generational ids: a stale id never names somebody else's call.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that names nothing of the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no identifier")]
pub struct NotAnId;

macro_rules! generational_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name {
            /// The slot, reused after release.
            pub index: u32,
            /// How often the slot had been used before: tells this use from earlier ones.
            pub generation: u32,
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let (index, generation) =
                    text.strip_prefix($prefix).and_then(|rest| rest.split_once('.')).ok_or(NotAnId)?;
                let number = |text: &str| text.parse().map_err(|_| NotAnId);
                Ok(Self { index: number(index)?, generation: number(generation)? })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}.{}"), self.index, self.generation)
            }
        }
    };
}

generational_id!(
    /// One call: from the first INVITE until its last leg is released.
    CallId, "call-"
);
generational_id!(
    /// One party's leg of a call.
    LegId, "leg-"
);

/// Names a command; chosen by the control plane, unique among its unanswered commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CommandId(pub u64);
