//! What the benchmarks share: a sink for RTP streams.

pub mod sink;
