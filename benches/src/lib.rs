//! What the benchmarks share: the daemon under test, SIPp as its carrier, a sink for RTP, accounts of a process.

pub mod node;
pub mod process;
pub mod sink;
pub mod sipp;
