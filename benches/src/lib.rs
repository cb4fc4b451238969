//! What the benchmarks share: subjects and traffic of the relay benchmark, a sink for RTP streams, the signalling core
//! with a carrier to call it, an allocator that counts.

pub mod call_setup;
pub mod counting;
pub mod jitter;
pub mod progress;
pub mod relay;
pub mod signalling;
pub mod sink;
