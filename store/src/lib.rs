//! Call records in SQLite.
//!
//! [`Store`] takes records from the signalling core over a bounded queue and writes them, many in one transaction,
//! on a thread of its own; [`Archive`] reads them back. Dates are made here: records carry instants since the
//! node's start. A slow or full disk must not hold up a call: what is accepted is kept and tried again until it is
//! written, what does not fit the queue is refused at once and counted.

mod archive;
mod date;
mod error;
mod insert;
mod quality;
mod schema;
mod summary;
mod writer;

pub use archive::{Archive, StoredCall, StoredFact, StoredLeg};
pub use date::NodeClock;
pub use error::StoreError;
pub use quality::{StoredHeard, StoredPoint};
pub use writer::{Closed, Counters, QUEUE_CAPACITY, Refused, Store};
