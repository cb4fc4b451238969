//! Protection of what we send.

use std::fmt;

use super::cipher::{Appended, Cipher, Place};
use super::derivation::{RTCP, RTP};
use super::window::Window;
use super::{ENCRYPTED, INDEX_WORD_LEN, MasterKey, RTCP_CLEAR_LEN, Suite, tag_is_last, word};
use crate::rtp;

/// The first SRTCP index that is none: 2^31 packets need a new key (RFC 3711 §9.2).
const RTCP_INDEX_END: u32 = 1 << 31;

/// Protects the packets of one source: one SSRC for RTP and RTCP. An index is never used twice, since two packets
/// under one key stream lay both open, and under GCM the key of the authentication too (RFC 3711 §9.1, RFC 7714 §8.1).
pub struct Sender {
    suite: Suite,
    rtp: Cipher,
    rtcp: Cipher,
    used: Window,
    next_rtcp_index: u32,
}

impl Sender {
    /// A sender of packets from `key`'s owner. The first sequence number should be below 2^15, so that the party
    /// counts rollovers right even when it misses the first packets (RFC 4568 §6.4).
    #[must_use]
    pub fn new(key: &MasterKey) -> Self {
        let suite = key.suite();
        Self {
            suite,
            rtp: Cipher::new(key, RTP, suite.rtp_tag_len()),
            rtcp: Cipher::new(key, RTCP, suite.rtcp_tag_len()),
            used: Window::default(),
            next_rtcp_index: 0,
        }
    }

    /// Protects an RTP packet of `len` octets at the start of `buffer`; its new length. None, and nothing to send,
    /// when it is no RTP packet, has no room for the tag, or bears a number that was used or is too old.
    #[inline]
    pub fn protect_rtp(&mut self, buffer: &mut [u8], len: usize) -> Option<usize> {
        let packet = buffer.get(..len)?;
        let clear = rtp::payload_start(packet)?;
        let index = self.used.estimate(rtp::sequence(packet)?).filter(|index| self.used.is_unused(*index))?;
        let place = Place { ssrc: word(packet, 8)?, index };
        let end = len + self.suite.rtp_tag_len();
        let (packet, tag) = buffer.get_mut(..end)?.split_at_mut_checked(len)?;
        let code = self.rtp.seal(place, clear, packet, Appended::RolloverCounter((index >> 16) as u32))?;
        tag.copy_from_slice(code.get(..tag.len())?);
        self.used.mark(index);
        Some(end)
    }

    /// Protects an RTCP compound of `len` octets at the start of `buffer`; its new length. None when it is no RTCP
    /// packet, has no room for the trailer, or the key is used up.
    pub fn protect_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Option<usize> {
        let index = Some(self.next_rtcp_index).filter(|index| *index < RTCP_INDEX_END)?;
        let place = Place { ssrc: word(buffer.get(..len)?, 4)?, index: u64::from(index) };
        let last_word = ENCRYPTED | index;
        let tag_len = self.suite.rtcp_tag_len();
        let end = len + INDEX_WORD_LEN + tag_len;
        let (packet, trailer) = buffer.get_mut(..end)?.split_at_mut_checked(len)?;
        let code = self.rtcp.seal(place, RTCP_CLEAR_LEN, packet, Appended::IndexWord(last_word))?;
        let (tag, last) = if tag_is_last(self.suite) {
            let (word, tag) = trailer.split_at_mut_checked(INDEX_WORD_LEN)?;
            (tag, word)
        } else {
            trailer.split_at_mut_checked(tag_len)?
        };
        tag.copy_from_slice(code.get(..tag_len)?);
        last.copy_from_slice(&last_word.to_be_bytes());
        self.next_rtcp_index = index + 1;
        Some(end)
    }

    #[cfg(test)]
    pub(super) const fn set_next_rtcp_index(&mut self, index: u32) {
        self.next_rtcp_index = index;
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("suite", &self.suite).field("used", &self.used).finish_non_exhaustive()
    }
}
