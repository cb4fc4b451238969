//! Any bytes as a stream; the first two say in what pieces it comes.

#![no_main]

#[path = "../../../sbc/tests/exercise/mod.rs"]
mod exercise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| exercise::read("sip_stream", bytes));
