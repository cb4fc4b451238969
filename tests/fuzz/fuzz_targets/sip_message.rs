//! Any bytes as a datagram: parser, typed views, answer, body, printing.

#![no_main]

#[path = "../../../sbc/tests/exercise/mod.rs"]
mod exercise;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| exercise::read("sip_message", bytes));
