//! Phones and carriers for the demo, for load and for simulation: an implementation that is not the node's, on
//! `rsip` (SIP messages), `rtp` (packets), `ezk-g722` and `opus` (codecs), so that both ends of a test cannot share one misreading.
//!
//! A [`Phone`] is a state machine: it is handed packets and the time (a [`std::time::Duration`] since the start of
//! whatever drives it) and asked for what it wants done. A carrier is a phone that does not register and has many
//! numbers.
//!
//! ```text
//! for each datagram        phone.handle_sip(now, source, bytes) or phone.handle_rtp(now, local, source, bytes)
//! when the time comes      phone.handle_timeout(now)
//! after each               drain phone.poll_output()
//! ```
//!
//! Owner thread: whoever made it. This crate must not see any crate of the node, open a socket, read a clock or
//! draw randomness of its own.

mod access;
mod agreed;
mod call;
mod callee;
mod caller;
mod codec;
mod crowd;
mod digest;
mod ear;
mod extensions;
mod framing;
mod g711;
mod goertzel;
mod inquiry;
mod junk;
mod line;
mod listening;
mod manner;
pub mod measured;
mod message;
mod mouth;
mod naming;
mod outbox;
mod phone;
mod registration;
mod report;
mod retransmission;
mod rtcp;
mod sdp;
mod secure;
mod stream;
mod tone;
mod transfer;

pub use access::{Access, Transport};
pub use agreed::{Agreed, Keys};
pub use codec::Codec;
pub use crowd::{Crowd, Place};
pub use digest::Credentials;
pub use ear::{Heard, WINDOW_SAMPLES, Window, heard_in};
pub use framing::{Framer, NotSip};
pub use g711::Law;
pub use junk::{Junk, JunkKind};
pub use line::Line;
pub use manner::{Answer, Habit, Manner, Media, Referred, Srtp, Transfer, TransferWay};
pub use naming::Named;
pub use phone::{Phone, PhoneConfig};
pub use report::{CallKey, Event, Output, Report, Side, Step};
pub use stream::{HeardEvent, Received, Sent};
pub use tone::RATE_HZ;
