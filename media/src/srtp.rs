//! SRTP and SRTCP in place: RFC 3711 with the suites of RFC 4568 and RFC 7714.
//!
//! A [`Sender`] protects one source's packets where they lie, in a buffer with [`MAX_TRAILER_LEN`] octets of room; a
//! [`Receiver`] checks and decrypts what the party sends. Both derive their session keys once and allocate nothing
//! afterwards. Nothing is remembered of a packet before it is authentic. Key derivation rates, master key identifiers
//! and FEC order are not for this module: SDES answers decline them.

mod cipher;
mod derivation;
mod key;
mod receiver;
mod sender;
mod window;

pub use key::{MasterKey, SrtpKeys, Suite};
pub use receiver::{Failure, MAX_SOURCES, Receiver};
pub use sender::Sender;

/// Octets that protection adds at most: an RTCP packet's tag and its index.
pub const MAX_TRAILER_LEN: usize = cipher::MAX_TAG_LEN + INDEX_WORD_LEN;

/// Octets of the E bit and the index of an SRTCP packet (RFC 3711 §3.4).
const INDEX_WORD_LEN: usize = 4;

/// The E bit: the packet is encrypted.
const ENCRYPTED: u32 = 1 << 31;

/// Octets of an RTCP packet that stay readable: the header and the sender's SSRC (RFC 3711 §3.4).
const RTCP_CLEAR_LEN: usize = 8;

/// Where tag and index word of an SRTCP packet lie: RFC 3711 §3.4 has the index first, RFC 7714 §9.1 the tag.
const fn tag_is_last(suite: Suite) -> bool {
    matches!(suite, Suite::AesCm128HmacSha1_80 | Suite::AesCm128HmacSha1_32)
}

/// The word of 32 bits at an offset.
fn word(packet: &[u8], offset: usize) -> Option<u32> {
    packet.get(offset..)?.first_chunk().copied().map(u32::from_be_bytes)
}

/// Octets from hexadecimal digits; white space is for the reader.
#[cfg(test)]
fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u32> = digits.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks_exact(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}

#[cfg(test)]
mod tests;
