//! SIP: messages, transactions, dialogs, registrar, trunks, and the user agent that joins them.
//!
//! Owner thread: the signalling core. This crate must not open a socket, read a clock, or know media or calls:
//! a session here is one INVITE dialog with one peer.

mod auth;
pub mod ban;
mod dialog;
mod dns;
pub mod framing;
pub mod header;
mod health;
mod identity;
mod lex;
pub mod message;
mod offer_answer;
mod passed;
mod registrant;
mod registrar;
pub mod rules;
pub mod sdp;
mod session_id;
mod session_timer;
mod slab;
pub mod source;
mod stun;
pub mod token_bucket;
pub mod transaction;
pub mod transport;
mod trunk;
pub mod uri;
pub mod user_agent;

pub use auth::digest_response;
pub use user_agent::{Event, UserAgent};
