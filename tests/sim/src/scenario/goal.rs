//! What callers want, and what they dial for it.

use crate::configuration;

/// What a caller wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// `+15550100`.
    Menu,
    /// `+15550101`.
    Sales,
    /// `+15550102`.
    Prompt,
    /// `+15550103`.
    Echo,
    /// `+15550104`.
    ReadBack,
    /// `+15550110`, which leads straight to user 1001.
    Phone,
    /// `+15550111`, which leads straight to a subscriber of the carrier's.
    Subscriber,
    /// `+15550112`: the same subscriber, by two proxies.
    TwoWays,
    /// `+15550113`: user 1001, with media past the node.
    PhoneDirectly,
    /// What an agent says and hears; the agent's user.
    Supervision(Supervision, u16),
    /// Whatever rings at a colleague's phone.
    PickUp,
    /// A number that says that it is gone before it refuses.
    Gone,
    /// A number that does not exist.
    Nowhere,
}

impl Goal {
    /// The number that is dialled.
    #[must_use]
    pub fn number(self) -> String {
        let number = match self {
            Self::Menu => "+15550100",
            Self::Sales => "+15550101",
            Self::Prompt => "+15550102",
            Self::Echo => "+15550103",
            Self::ReadBack => "+15550104",
            Self::Phone => "+15550110",
            Self::Subscriber => "+15550111",
            Self::TwoWays => "+15550112",
            Self::PhoneDirectly => "+15550113",
            Self::PickUp => configuration::PICK_UP_CODE,
            Self::Gone => configuration::GONE,
            Self::Nowhere => "+15559999",
            Self::Supervision(what, agent) => {
                return format!("{}{}", what.code(), configuration::user(agent));
            }
        };
        number.to_owned()
    }

    /// Whether the node itself answers, whoever is there.
    #[must_use]
    pub const fn is_answered_here(self) -> bool {
        matches!(self, Self::Menu | Self::Sales | Self::Prompt | Self::Echo | Self::ReadBack)
    }
}

/// What a supervisor does in an agent's call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supervision {
    /// Listens.
    Monitor,
    /// Is heard by the agent, too.
    Coach,
    /// Is heard by all.
    Barge,
}

impl Supervision {
    /// What is dialled for it, with the agent's user behind it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Monitor => "*51",
            Self::Coach => "*52",
            Self::Barge => "*53",
        }
    }
}
