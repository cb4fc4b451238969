//! Any bytes at a port of the worker: RTP, RTCP, STUN, DTLS; the first one names the port.

#![no_main]

#[path = "../../../media/tests/exercise/mod.rs"]
mod exercise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| exercise::read("datagram", bytes));
