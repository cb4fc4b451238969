//! The services of RFC 5359. Where the RFC draws a proxy or user agents that serve themselves and the node is a
//! back-to-back user agent that does it for them, a test says so and asserts what the people notice.
//!
//! Alice is a subscriber of the carrier's, Bob and Carol have phones here.

mod forwarding;
mod hold;
pub(crate) mod party;
mod pick_up;
mod three_way;
mod transfer;
