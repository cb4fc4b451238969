//! Any bytes as a compound of RTCP packets.

#![no_main]

#[path = "../../../media/tests/exercise/mod.rs"]
mod exercise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| exercise::read("rtcp", bytes));
