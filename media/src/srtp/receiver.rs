//! Authentication and decryption of what the party sends.

use std::fmt;

use super::cipher::{Appended, Cipher, Place};
use super::derivation::{RTCP, RTP};
use super::window::Window;
use super::{ENCRYPTED, INDEX_WORD_LEN, MasterKey, RTCP_CLEAR_LEN, Suite, tag_is_last, word};
use crate::rtp;

/// The most sources a party may have under one key. Packets of further ones are refused: to forget one would let its
/// old packets be replayed.
pub const MAX_SOURCES: usize = 32;

/// Why a packet was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It is too short, or its header does not add up.
    Malformed,
    /// It came before, or is older than what can be told apart.
    Replayed,
    /// The tag is not the one that the key makes.
    Forged,
    /// The party has [`MAX_SOURCES`] already.
    TooManySources,
}

/// The party's packets under its key.
pub struct Receiver {
    suite: Suite,
    rtp: Cipher,
    rtcp: Cipher,
    /// Those of which an authentic packet came; allocated once.
    sources: Vec<Source>,
    /// The key before this one, until the first RTP packet under this one.
    before: Option<Box<Receiver>>,
}

/// One SSRC of the party.
#[derive(Clone, Copy, Debug)]
struct Source {
    ssrc: u32,
    rtp: Window,
    rtcp: Window,
}

#[derive(Clone, Copy, Debug)]
enum Stream {
    Rtp,
    Rtcp,
}

impl Receiver {
    /// A receiver of packets from `key`'s owner.
    #[must_use]
    pub fn new(key: &MasterKey) -> Self {
        let suite = key.suite();
        Self {
            suite,
            rtp: Cipher::new(key, RTP, suite.rtp_tag_len()),
            rtcp: Cipher::new(key, RTCP, suite.rtcp_tag_len()),
            sources: Vec::with_capacity(MAX_SOURCES),
            before: None,
        }
    }

    /// The party changed its key: packets under way are good until the first one under the new key comes.
    #[must_use]
    pub fn rekeyed(mut self, key: &MasterKey) -> Self {
        self.before = None;
        Self { before: Some(Box::new(self)), ..Self::new(key) }
    }

    /// Checks and decrypts an RTP packet; the length of what is left of it. A packet that fails is as it was.
    ///
    /// # Errors
    /// The packet is to be dropped.
    #[inline]
    pub fn unprotect_rtp(&mut self, packet: &mut [u8]) -> Result<usize, Failure> {
        let ssrc = word(packet, 8).ok_or(Failure::Malformed)?;
        let sequence = rtp::sequence(packet).ok_or(Failure::Malformed)?;
        let source = self.position(ssrc);
        let window = source.and_then(|at| self.sources.get(at)).map_or_else(Window::default, |it| it.rtp);
        let index = window.estimate(sequence).ok_or(Failure::Replayed)?;
        let place = Place { ssrc, index };
        match self.open_rtp(place, source, window, packet) {
            Err(Failure::Forged) if self.before.is_some() => self.unprotect_under_way(place, source, packet),
            opened => opened,
        }
    }

    #[inline]
    fn open_rtp(
        &mut self,
        place: Place,
        source: Option<usize>,
        window: Window,
        packet: &mut [u8],
    ) -> Result<usize, Failure> {
        if !window.is_unused(place.index) {
            return Err(Failure::Replayed);
        }
        self.check_room(source)?;
        let clear = rtp::payload_start(packet).ok_or(Failure::Malformed)?;
        let len = packet.len().checked_sub(self.suite.rtp_tag_len()).filter(|len| *len >= clear);
        let len = len.ok_or(Failure::Malformed)?;
        let (body, tag) = packet.split_at_mut_checked(len).ok_or(Failure::Malformed)?;
        let counter = Appended::RolloverCounter((place.index >> 16) as u32);
        self.rtp.open(place, clear, body, counter, tag).ok_or(Failure::Forged)?;
        self.mark(place, source, Stream::Rtp);
        if self.before.is_some() {
            self.before = None;
        }
        Ok(len)
    }

    /// After a change of keys. RFC 3711 §3.3.1 lets the rollover counter go on, while many a party starts it at 0;
    /// both were told by the tag. Otherwise it is a packet under the key before.
    #[cold]
    fn unprotect_under_way(
        &mut self,
        place: Place,
        source: Option<usize>,
        packet: &mut [u8],
    ) -> Result<usize, Failure> {
        let Some(before) = &self.before else { return Err(Failure::Forged) };
        let carried = before.position(place.ssrc).and_then(|at| before.sources.get(at));
        let carried = carried.and_then(|it| it.rtp.estimate(place.index as u16));
        if let (None, Some(index)) = (source, carried) {
            let opened = self.open_rtp(Place { index, ..place }, source, Window::default(), packet);
            if opened.is_ok() {
                return opened;
            }
        }
        self.before.as_mut().map_or(Err(Failure::Forged), |before| before.unprotect_rtp(packet))
    }

    /// Checks and decrypts an RTCP packet; the length of what is left of it. A packet that fails is as it was.
    ///
    /// # Errors
    /// The packet is to be dropped.
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, Failure> {
        match (self.open_rtcp(packet), &mut self.before) {
            (Err(Failure::Forged), Some(before)) => before.unprotect_rtcp(packet),
            (opened, _) => opened,
        }
    }

    fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, Failure> {
        let ssrc = word(packet, 4).ok_or(Failure::Malformed)?;
        let tag_len = self.suite.rtcp_tag_len();
        let len = packet.len().checked_sub(INDEX_WORD_LEN + tag_len).filter(|len| *len >= RTCP_CLEAR_LEN);
        let len = len.ok_or(Failure::Malformed)?;
        let (body, trailer) = packet.split_at_mut_checked(len).ok_or(Failure::Malformed)?;
        let (word_at, tag_at) = if tag_is_last(self.suite) { (0, INDEX_WORD_LEN) } else { (tag_len, 0) };
        let last_word = word(trailer, word_at).ok_or(Failure::Malformed)?;
        let tag = trailer.get(tag_at..tag_at + tag_len).ok_or(Failure::Malformed)?;
        let place = Place { ssrc, index: u64::from(last_word & !ENCRYPTED) };
        let source = self.position(ssrc);
        if !source.and_then(|at| self.sources.get(at)).is_none_or(|it| it.rtcp.is_unused(place.index)) {
            return Err(Failure::Replayed);
        }
        self.check_room(source)?;
        let clear = if last_word & ENCRYPTED == 0 { len } else { RTCP_CLEAR_LEN };
        self.rtcp.open(place, clear, body, Appended::IndexWord(last_word), tag).ok_or(Failure::Forged)?;
        self.mark(place, source, Stream::Rtcp);
        Ok(len)
    }

    fn position(&self, ssrc: u32) -> Option<usize> {
        self.sources.iter().position(|source| source.ssrc == ssrc)
    }

    fn check_room(&self, source: Option<usize>) -> Result<(), Failure> {
        if source.is_none() && self.sources.len() >= MAX_SOURCES {
            return Err(Failure::TooManySources);
        }
        Ok(())
    }

    /// Remembers an authentic packet.
    fn mark(&mut self, place: Place, source: Option<usize>, stream: Stream) {
        let at = source.unwrap_or_else(|| {
            self.sources.push(Source { ssrc: place.ssrc, rtp: Window::default(), rtcp: Window::default() });
            self.sources.len() - 1
        });
        match (self.sources.get_mut(at), stream) {
            (Some(source), Stream::Rtp) => source.rtp.mark(place.index),
            (Some(source), Stream::Rtcp) => source.rtcp.mark(place.index),
            (None, _) => {}
        }
    }

    #[cfg(test)]
    pub(super) fn known_sources(&self) -> (usize, usize) {
        (self.sources.len(), self.sources.capacity())
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("suite", &self.suite)
            .field("sources", &self.sources)
            .field("before", &self.before)
            .finish_non_exhaustive()
    }
}
