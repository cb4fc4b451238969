//! Any bytes as a datagram: parser, typed views, answer, body, printing.

#![no_main]

#[path = "../../../sbc/tests/exercise/message.rs"]
mod message;
#[path = "../../../sbc/tests/exercise/session_description.rs"]
mod session_description;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| message::read(bytes));
