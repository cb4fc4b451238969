//! What an endpoint sends by itself: plays, music, keys and reports.

use std::net::SocketAddr;

use tandem_time::Instant;

use super::{Endpoint, MAX_PACKET_LEN, MAX_PTIME};
use crate::Channel;
use crate::codec::Rate;
use crate::counters::Counters;
use crate::music::Music;
use crate::playing::Playing;
use crate::quality::Impairment;
use crate::rtcp_xr::Heard;

impl Endpoint {
    /// Whether [`Endpoint::next_packet`] may have something to send.
    pub(crate) fn has_packet(&self) -> bool {
        self.report_due
            || self.collision.is_leaving()
            || self.keying.is_due()
            || self.playing.as_deref().is_some_and(Playing::has_frame)
            || self.has_turn()
            || self.has_mix()
    }

    /// Writes the next packet that is due.
    pub(crate) fn next_packet(
        &mut self,
        now: Instant,
        music: &mut Music,
        counters: &mut Counters,
        buffer: &mut [u8; MAX_PACKET_LEN],
    ) -> Option<(Channel, SocketAddr, usize)> {
        if let Some(goodbye) = self.begin_anew(now, buffer) {
            return Some(goodbye);
        }
        while self.playing.as_deref().is_some_and(Playing::has_frame) {
            if let Some((destination, len)) = self.next_frame(music, counters, buffer) {
                return Some((Channel::Rtp, destination, len));
            }
        }
        while self.has_mix() {
            if let Some((destination, len)) = self.next_mix(buffer) {
                return Some((Channel::Rtp, destination, len));
            }
        }
        if let Some((destination, len)) =
            self.keying.next_packet().and_then(|key| self.write_key(now, key, buffer))
        {
            return Some((Channel::Rtp, destination, len));
        }
        if std::mem::take(&mut self.report_due) {
            return self.write_report(now, false, buffer);
        }
        None
    }

    fn next_frame(
        &mut self,
        music: &mut Music,
        counters: &mut Counters,
        buffer: &mut [u8; MAX_PACKET_LEN],
    ) -> Option<(SocketAddr, usize)> {
        let ptime = self.ptime();
        if let Some((at, audio)) = self.playing.as_mut()?.next_music(ptime) {
            let codec = self.agreed.as_ref()?.stream.codec;
            return self.write_music(at, music.frame(&audio, codec, ptime, at, counters), buffer);
        }
        let playing = self.playing.as_mut()?;
        let rate = playing.rate();
        let mut samples = [0; Rate::Wideband.samples_in(MAX_PTIME)];
        let samples = samples.get_mut(..rate.samples_in(ptime))?;
        let at = playing.next_frame(ptime, samples)?;
        self.write_audio(at, samples, rate, buffer)
    }

    /// Writes a report to the party, with a goodbye when the endpoint leaves.
    pub(crate) fn write_report(
        &mut self,
        now: Instant,
        goodbye: bool,
        buffer: &mut [u8; MAX_PACKET_LEN],
    ) -> Option<(Channel, SocketAddr, usize)> {
        let agreed = self.agreed.as_ref()?;
        let destination = agreed.report_to()?;
        let channel = if agreed.stream.rtcp_mux { Channel::Rtp } else { Channel::Rtcp };
        let compound = buffer.first_chunk_mut()?;
        let heard = Heard { impairment: Impairment::of(agreed.stream.codec), discarded: self.discarded() };
        let len = self.rtcp.write(now, &self.outgoing, &mut self.reception, heard, goodbye, compound);
        let len = self.guard.protect_rtcp(buffer, len)?;
        Some((channel, destination, len))
    }
}
