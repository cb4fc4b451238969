//! Reads capture files: pcap and pcapng, frame by frame.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};

/// The largest capture that is read.
const MAX_CAPTURE_BYTES: u64 = 1 << 30;
/// The largest frame, with its block's header.
const MAX_FRAME_BYTES: usize = 1 << 20;

/// One captured frame.
#[derive(Debug)]
pub(super) struct Frame {
    /// Since the epoch of the capturing machine.
    pub(super) at: Duration,
    pub(super) link: Linktype,
    pub(super) bytes: Vec<u8>,
}

/// Why a capture cannot be read. The operator's to correct.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CaptureError {
    #[error("cannot be opened: {0}")]
    Open(#[from] std::io::Error),
    #[error("is larger than {MAX_CAPTURE_BYTES} bytes; cut it with `editcap`")]
    TooLarge,
    #[error("is neither pcap nor pcapng")]
    NotACapture,
    #[error("is damaged after {0} frames")]
    Damaged(usize),
}

/// All frames of a file, in its order. A file that ends within a frame, as one of a capture under way may, is read up
/// to there.
pub(super) fn read(path: &Path) -> Result<Vec<Frame>, CaptureError> {
    let file = File::open(path)?;
    if file.metadata()?.len() > MAX_CAPTURE_BYTES {
        return Err(CaptureError::TooLarge);
    }
    let mut reader = create_reader(2 * MAX_FRAME_BYTES, file).map_err(|_| CaptureError::NotACapture)?;
    let mut frames = Vec::new();
    let mut interfaces = Interfaces::default();
    loop {
        match reader.next() {
            Ok((length, block)) => {
                frames.extend(interfaces.frame(block));
                reader.consume(length);
            }
            Err(PcapError::Eof | PcapError::UnexpectedEof) => return Ok(frames),
            Err(PcapError::Incomplete(_)) => {
                if reader.reader_exhausted() {
                    return Ok(frames);
                }
                reader.refill().map_err(|_| CaptureError::Damaged(frames.len()))?;
            }
            Err(_) => return Err(CaptureError::Damaged(frames.len())),
        }
    }
}

/// What the blocks so far said about the frames to come.
#[derive(Debug, Default)]
struct Interfaces {
    /// Of a pcap file.
    link: Linktype,
    nanoseconds: bool,
    /// Of a pcapng section: link type, units a second, offset in seconds.
    section: Vec<(Linktype, u64, u64)>,
}

impl Interfaces {
    fn frame(&mut self, block: PcapBlockOwned<'_>) -> Option<Frame> {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                self.link = header.network;
                self.nanoseconds = header.is_nanosecond_precision();
                None
            }
            PcapBlockOwned::Legacy(packet) => {
                let fraction = if self.nanoseconds {
                    Duration::from_nanos(u64::from(packet.ts_usec))
                } else {
                    Duration::from_micros(u64::from(packet.ts_usec))
                };
                let at = Duration::from_secs(u64::from(packet.ts_sec)) + fraction;
                Some(Frame { at, link: self.link, bytes: packet.data.to_vec() })
            }
            PcapBlockOwned::NG(block) => self.section_frame(&block),
        }
    }

    fn section_frame(&mut self, block: &Block<'_>) -> Option<Frame> {
        match block {
            Block::SectionHeader(_) => self.section.clear(),
            Block::InterfaceDescription(interface) => {
                let units = interface.ts_resolution().unwrap_or(1_000_000);
                let offset = u64::try_from(interface.ts_offset()).unwrap_or(0);
                self.section.push((interface.linktype, units, offset));
            }
            Block::EnhancedPacket(packet) => {
                let interface = usize::try_from(packet.if_id).ok()?;
                let (link, units, offset) = *self.section.get(interface)?;
                let ticks = (u64::from(packet.ts_high) << 32) | u64::from(packet.ts_low);
                let nanos = u128::from(ticks) * 1_000_000_000 / u128::from(units.max(1));
                let at = Duration::from_secs(offset)
                    + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
                let length = usize::try_from(packet.caplen).ok()?;
                return Some(Frame { at, link, bytes: packet.data.get(..length)?.to_vec() });
            }
            _ => {}
        }
        None
    }
}
