//! Any bytes as a message that rules change.

#![no_main]

#[path = "../../../sbc/tests/exercise/mod.rs"]
mod exercise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| exercise::read("rules", bytes));
