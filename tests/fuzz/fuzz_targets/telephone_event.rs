//! Any bytes as a stream of telephone-event payloads.

#![no_main]

#[path = "../../../media/tests/exercise/mod.rs"]
mod exercise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| exercise::read("telephone_event", bytes));
