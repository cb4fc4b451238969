//! Any bytes as SRTP and SRTCP, of the suite that the first one names.

#![no_main]

#[path = "../../../media/tests/exercise/mod.rs"]
mod exercise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| exercise::read("srtp", bytes));
