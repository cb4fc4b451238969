//! Any bytes as a stream; the first two say in what pieces it comes.

#![no_main]

#[path = "../../../sbc/tests/exercise/stream.rs"]
mod stream;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let [first, second, bytes @ ..] = bytes {
        stream::read(bytes, &[usize::from(*first), usize::from(*second) * 8]);
    }
});
