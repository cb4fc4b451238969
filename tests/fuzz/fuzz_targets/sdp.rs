//! Any bytes as a session description, read and written.

#![no_main]

#[path = "../../../sbc/tests/exercise/mod.rs"]
mod exercise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| exercise::read("sdp", bytes));
