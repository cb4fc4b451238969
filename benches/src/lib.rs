//! What the benchmarks share: subjects and traffic of the relay benchmark, a sink for RTP streams.

pub mod relay;
pub mod sink;
