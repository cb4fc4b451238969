//! Media threads and their sockets; the only crate with unsafe code, all of it in [`sys`].
//!
//! Each [`MediaThreads`] thread is pinned to a core and owns one [`tandem_media::Worker`], its sockets, an epoll
//! instance and the far ends of two bounded rings. The thread that owns the [`MediaHandle`]s is the signalling
//! core. Nothing here knows RTP: packets are bytes with a source, what becomes of them is the worker's word.
//!
//! On the path of a packet there is no allocation, no lock and no logging.

mod counters;
mod handshakes;
mod io;
mod outlet;
pub mod recordings;
mod sockets;
pub mod sys;
mod thread;
mod threads;

pub use counters::{Counters, CountersSnapshot};
pub use handshakes::DtlsIdentity;
pub use io::{Io, IoChoice, IoInUse};
pub use thread::GATHER;
pub use threads::{
    MAX_THREADS, MediaHandle, MediaThreads, MediaThreadsConfig, RING_CAPACITY, RingFull, Wake,
};
