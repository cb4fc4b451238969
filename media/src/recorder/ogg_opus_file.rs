//! Recordings as Ogg Opus (RFC 7845).
//!
//! The last packet of a stream is marked as such, so that each one is held back until the next is there.

use std::fmt;
use std::time::Duration;

use ogg::{PacketWriteEndInfo, PacketWriter};
use opus::{Application, Bitrate, Channels, Signal};

use crate::codec::Rate;

/// What a packet lasts.
const FRAME: Duration = Duration::from_millis(20);
/// What it counts in granule positions, which are at 48 kHz (§4).
const FRAME_GRANULES: u64 = 960;
/// A page a second: what a crash costs, and little enough for headers of pages.
const PACKETS_PER_PAGE: u32 = 50;
/// Octets of the largest packet (RFC 6716 §3.2.1), twice.
const MAX_PACKET: usize = 2_550;
/// As of speech to a party.
const COMPLEXITY: i32 = 5;

/// What is spent on each channel, in bit/s.
const fn bitrate(rate: Rate) -> i32 {
    match rate {
        Rate::Narrowband => 20_000,
        Rate::Wideband => 28_000,
        Rate::Fullband => 40_000,
    }
}

/// An Ogg Opus file under way.
pub struct OggOpusFile {
    encoder: opus::Encoder,
    writer: PacketWriter<'static, Vec<u8>>,
    rate: Rate,
    channels: u8,
    serial: u32,
    /// Granules that the decoder leaves out at the beginning.
    pre_skip: u64,
    /// Samples that fill no packet yet.
    pending: Vec<i16>,
    held: Option<Vec<u8>>,
    /// Packets made, and those in the page.
    packets: u64,
    in_page: u32,
    /// Samples of each channel.
    samples: u64,
}

impl OggOpusFile {
    pub(super) fn new(rate: Rate, channels: u8, serial: u32) -> Option<Self> {
        let mode = if channels == 2 { Channels::Stereo } else { Channels::Mono };
        let mut encoder = opus::Encoder::new(rate.hz(), mode, Application::Audio).ok()?;
        encoder.set_signal(Signal::Voice).ok()?;
        encoder.set_complexity(COMPLEXITY).ok()?;
        encoder.set_bitrate(Bitrate::Bits(bitrate(rate) * i32::from(channels))).ok()?;
        let lookahead = u64::try_from(encoder.get_lookahead().ok()?).ok()?;
        Some(Self {
            encoder,
            writer: PacketWriter::new(Vec::new()),
            rate,
            channels,
            serial,
            pre_skip: lookahead * 48_000 / u64::from(rate.hz()),
            pending: Vec::new(),
            held: None,
            packets: 0,
            in_page: 0,
            samples: 0,
        })
    }

    /// The two headers, a page each (§5.1, §5.2).
    pub(super) fn begin(&mut self, out: &mut Vec<u8>) {
        let mut head = b"OpusHead\x01".to_vec();
        head.push(self.channels);
        head.extend((self.pre_skip as u16).to_le_bytes());
        head.extend(self.rate.hz().to_le_bytes());
        head.extend([0, 0, 0]);
        let vendor = b"tandem";
        let mut tags = b"OpusTags".to_vec();
        tags.extend((vendor.len() as u32).to_le_bytes());
        tags.extend(vendor);
        tags.extend(0_u32.to_le_bytes());
        self.put(head, PacketWriteEndInfo::EndPage, 0);
        self.put(tags, PacketWriteEndInfo::EndPage, 0);
        out.append(self.writer.inner_mut());
    }

    pub(super) fn write(&mut self, samples: &[i16], out: &mut Vec<u8>) {
        self.samples += (samples.len() / usize::from(self.channels)) as u64;
        self.pending.extend(samples);
        let frame = self.rate.samples_in(FRAME) * usize::from(self.channels);
        let mut pending = std::mem::take(&mut self.pending);
        let whole = pending.len() / frame * frame;
        pending.get(..whole).unwrap_or_default().chunks_exact(frame).for_each(|frame| self.encode(frame));
        pending.drain(..whole);
        self.pending = pending;
        out.append(self.writer.inner_mut());
    }

    /// Fills the last packet up, and says where the recording ends within it (§4.4).
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        let end = self.pre_skip + self.samples * 48_000 / u64::from(self.rate.hz());
        let frame = self.rate.samples_in(FRAME) * usize::from(self.channels);
        let mut last = std::mem::take(&mut self.pending);
        while self.packets * FRAME_GRANULES < end || self.held.is_none() {
            last.resize(frame, 0);
            self.encode(&last);
            last.clear();
        }
        if let Some(packet) = self.held.take() {
            self.put(packet, PacketWriteEndInfo::EndStream, end);
        }
        out.append(self.writer.inner_mut());
    }

    fn encode(&mut self, frame: &[i16]) {
        if let Some(packet) = self.held.take() {
            self.in_page += 1;
            let is_last = self.in_page == PACKETS_PER_PAGE;
            let info = if is_last { PacketWriteEndInfo::EndPage } else { PacketWriteEndInfo::NormalPacket };
            self.in_page %= PACKETS_PER_PAGE;
            self.put(packet, info, self.packets * FRAME_GRANULES);
        }
        let mut packet = vec![0; MAX_PACKET];
        // What cannot be encoded is a lost packet to the decoder: one of a TOC octet alone.
        let len = self.encoder.encode(frame, &mut packet).unwrap_or(1);
        packet.truncate(len);
        self.held = Some(packet);
        self.packets += 1;
    }

    fn put(&mut self, packet: Vec<u8>, info: PacketWriteEndInfo, granule: u64) {
        // A vector takes whatever is written.
        let _ = self.writer.write_packet(packet, self.serial, info, granule);
    }
}

impl fmt::Debug for OggOpusFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OggOpusFile").field("packets", &self.packets).finish_non_exhaustive()
    }
}
