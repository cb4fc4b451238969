//! Any bytes as a session description, read and written.

#![no_main]

#[path = "../../../sbc/tests/exercise/session_description.rs"]
mod session_description;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| session_description::read(bytes));
