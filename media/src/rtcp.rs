//! RTCP compound packets, read and written in place (RFC 3550 §6.1, §6.4, §6.5, §6.6, §A.2).

use crate::reception::ReceptionReport;
use crate::rtcp_xr::{self, EXTENDED_REPORT};

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
/// The SDES item that names the source for good (§6.5.1).
const CNAME: u8 = 1;
const REPORT_LEN: usize = 24;

/// Octets of a canonical name: 96 random bits in base64 (RFC 7022 §4.2, §5).
pub const CNAME_LEN: usize = 16;

/// Octets of the longest compound that [`Compound::write`] makes, with an extended report instead of the goodbye.
pub const MAX_COMPOUND_LEN: usize = 28 + REPORT_LEN + 28 + rtcp_xr::MAX_LEN;

/// A report block about one source (§6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportBlock {
    /// Loss and jitter.
    pub reception: ReceptionReport,
    /// The middle 32 bits of the NTP timestamp of the latest sender report from the source; 0 for none.
    pub last_sender_report: u32,
    /// The delay since that report, in 65536ths of a second.
    pub delay_since_last: u32,
}

/// The sender information of a sender report (§6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderInfo {
    /// NTP timestamp; without a wall clock, time since the session began.
    pub ntp: u64,
    /// The same time as an RTP timestamp.
    pub rtp_timestamp: u32,
    /// Packets sent so far.
    pub packets: u32,
    /// Payload octets sent so far.
    pub octets: u32,
}

/// One packet of a compound.
#[derive(Clone, Copy, Debug)]
pub enum Packet<'a> {
    /// SR or RR.
    Report {
        /// Who reports.
        ssrc: u32,
        /// What it sent, in an SR.
        sender: Option<SenderInfo>,
        /// What it received.
        blocks: Blocks<'a>,
    },
    /// The sources that leave (§6.6); the first is given.
    Goodbye {
        /// Who leaves.
        ssrc: Option<u32>,
    },
    /// An extended report (RFC 3611).
    Extended {
        /// Who reports.
        ssrc: u32,
        /// What it says.
        blocks: rtcp_xr::Blocks<'a>,
    },
    /// SDES, APP and types of later standards.
    Other,
}

/// The report blocks of an SR or RR.
#[derive(Clone, Copy, Debug)]
pub struct Blocks<'a>(&'a [u8]);

impl Iterator for Blocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let (block, rest) = self.0.split_first_chunk::<REPORT_LEN>()?;
        self.0 = rest;
        let lost = [0, block[5], block[6], block[7]];
        Some(ReportBlock {
            reception: ReceptionReport {
                ssrc: word(block, 0)?,
                fraction_lost: block[4],
                cumulative_lost: (i32::from_be_bytes(lost) << 8) >> 8,
                highest_sequence: word(block, 8)?,
                jitter: word(block, 12)?,
            },
            last_sender_report: word(block, 16)?,
            delay_since_last: word(block, 20)?,
        })
    }
}

/// Checks a compound (§A.2) and gives its packets; none when any length or version in it is wrong, or it does not
/// begin with a report.
#[must_use]
pub fn parse(compound: &[u8]) -> Option<Packets<'_>> {
    let first = compound.first_chunk::<2>()?;
    if first[0] & 0x20 != 0 || !matches!(first[1], SENDER_REPORT | RECEIVER_REPORT) {
        return None;
    }
    let mut rest = compound;
    while !rest.is_empty() {
        let (packet, after) = split_packet(rest)?;
        read_packet(packet)?;
        rest = after;
    }
    Some(Packets(compound))
}

/// The packets of a checked compound.
#[derive(Clone, Copy, Debug)]
pub struct Packets<'a>(&'a [u8]);

impl<'a> Iterator for Packets<'a> {
    type Item = Packet<'a>;

    fn next(&mut self) -> Option<Packet<'a>> {
        let (packet, rest) = split_packet(self.0)?;
        self.0 = rest;
        read_packet(packet)
    }
}

/// Splits off the first packet by its length field: words of 32 bits, less one.
fn split_packet(compound: &[u8]) -> Option<(&[u8], &[u8])> {
    let &[first, _, high, low] = compound.first_chunk()?;
    if first >> 6 != 2 {
        return None;
    }
    compound.split_at_checked(4 * (usize::from(u16::from_be_bytes([high, low])) + 1))
}

fn read_packet(packet: &[u8]) -> Option<Packet<'_>> {
    let &[first, kind] = packet.first_chunk()?;
    let count = usize::from(first & 0x1f);
    let blocks = |at: usize| packet.get(at..at + count * REPORT_LEN).map(Blocks);
    Some(match kind {
        SENDER_REPORT => {
            let sender = SenderInfo {
                ntp: u64::from(word(packet, 8)?) << 32 | u64::from(word(packet, 12)?),
                rtp_timestamp: word(packet, 16)?,
                packets: word(packet, 20)?,
                octets: word(packet, 24)?,
            };
            Packet::Report { ssrc: word(packet, 4)?, sender: Some(sender), blocks: blocks(28)? }
        }
        RECEIVER_REPORT => Packet::Report { ssrc: word(packet, 4)?, sender: None, blocks: blocks(8)? },
        GOODBYE => {
            packet.get(..4 + 4 * count)?;
            Packet::Goodbye { ssrc: if count > 0 { word(packet, 4) } else { None } }
        }
        EXTENDED_REPORT => {
            Packet::Extended { ssrc: word(packet, 4)?, blocks: rtcp_xr::Blocks(packet.get(8..)?) }
        }
        _ => Packet::Other,
    })
}

fn word(packet: &[u8], at: usize) -> Option<u32> {
    packet.get(at..)?.first_chunk().copied().map(u32::from_be_bytes)
}

/// What a compound of ours says: a report, our name, and a goodbye when we leave.
#[derive(Clone, Copy, Debug)]
pub struct Compound<'a> {
    /// Our SSRC.
    pub ssrc: u32,
    /// What we sent; none makes a receiver report (§6.4).
    pub sender: Option<SenderInfo>,
    /// What we received since the last report.
    pub block: Option<ReportBlock>,
    /// Our canonical name.
    pub cname: &'a [u8; CNAME_LEN],
    /// Whether we leave (§6.6).
    pub goodbye: bool,
}

impl Compound<'_> {
    /// Writes the compound; returns its length, at most [`MAX_COMPOUND_LEN`].
    pub fn write(&self, buffer: &mut [u8; MAX_COMPOUND_LEN]) -> usize {
        let mut writer = Writer { buffer, len: 0 };
        let count = u8::from(self.block.is_some());
        let block_words = u16::from(count) * 6;
        match self.sender {
            Some(sender) => {
                writer.header(count, SENDER_REPORT, 6 + block_words);
                writer.word(self.ssrc);
                writer.put(&sender.ntp.to_be_bytes());
                writer.word(sender.rtp_timestamp);
                writer.word(sender.packets);
                writer.word(sender.octets);
            }
            None => {
                writer.header(count, RECEIVER_REPORT, 1 + block_words);
                writer.word(self.ssrc);
            }
        }
        if let Some(block) = &self.block {
            writer.block(block);
        }
        writer.header(1, SOURCE_DESCRIPTION, 6);
        writer.word(self.ssrc);
        writer.put(&[CNAME, CNAME_LEN as u8]);
        writer.put(self.cname);
        writer.put(&[0, 0]); // the end of the items, to a word's end
        if self.goodbye {
            writer.header(1, GOODBYE, 1);
            writer.word(self.ssrc);
        }
        writer.len
    }
}

struct Writer<'a> {
    buffer: &'a mut [u8; MAX_COMPOUND_LEN],
    len: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        if let Some(room) = self.buffer.get_mut(self.len..self.len + bytes.len()) {
            room.copy_from_slice(bytes);
            self.len += bytes.len();
        }
    }

    fn word(&mut self, word: u32) {
        self.put(&word.to_be_bytes());
    }

    fn header(&mut self, count: u8, kind: u8, words_after: u16) {
        self.put(&[0x80 | count, kind]);
        self.put(&words_after.to_be_bytes());
    }

    fn block(&mut self, block: &ReportBlock) {
        let reception = &block.reception;
        self.word(reception.ssrc);
        self.word(
            u32::from(reception.fraction_lost) << 24 | (reception.cumulative_lost as u32 & 0x00ff_ffff),
        );
        self.word(reception.highest_sequence);
        self.word(reception.jitter);
        self.word(block.last_sender_report);
        self.word(block.delay_since_last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &[u8; CNAME_LEN] = b"Zm9vYmFyYmF6cXV4";

    /// The figures of §6.4.1, §6.5 and §6.6 filled in by hand: SR with a block, SDES with a CNAME, BYE.
    const COMPOUND: &[u8] = b"\x81\xc8\x00\x0c\x01\x02\x03\x04\
        \x00\x00\x00\x2a\x80\x00\x00\x00\x00\x00\x03\xe8\x00\x00\x00\x05\x00\x00\x03\x20\
        \x0a\x0b\x0c\x0d\x40\xff\xff\xfe\x00\x01\x00\x09\x00\x00\x00\x1e\x11\x22\x33\x44\x00\x01\x00\x00\
        \x81\xca\x00\x06\x01\x02\x03\x04\x01\x10Zm9vYmFyYmF6cXV4\x00\x00\
        \x81\xcb\x00\x01\x01\x02\x03\x04";

    fn info() -> SenderInfo {
        SenderInfo { ntp: 0x2a_8000_0000, rtp_timestamp: 1_000, packets: 5, octets: 800 }
    }

    fn block() -> ReportBlock {
        let reception = ReceptionReport {
            ssrc: 0x0a0b_0c0d,
            fraction_lost: 64,
            cumulative_lost: -2,
            highest_sequence: 65_545,
            jitter: 30,
        };
        ReportBlock { reception, last_sender_report: 0x1122_3344, delay_since_last: 65_536 }
    }

    #[test]
    fn a_compound_is_written_as_the_figures_show() {
        let compound = Compound {
            ssrc: 0x0102_0304,
            sender: Some(info()),
            block: Some(block()),
            cname: NAME,
            goodbye: true,
        };
        let mut buffer = [0; MAX_COMPOUND_LEN];
        let len = compound.write(&mut buffer);
        assert_eq!(&buffer[..len], COMPOUND);
        assert_eq!(len - 8, MAX_COMPOUND_LEN - rtcp_xr::MAX_LEN, "the longest there is, but for its goodbye");
    }

    #[test]
    fn a_compound_is_read_as_the_figures_show() {
        let packets: Vec<_> = parse(COMPOUND).unwrap().collect();
        let [Packet::Report { ssrc, sender, blocks }, Packet::Other, Packet::Goodbye { ssrc: leaves }] =
            packets[..]
        else {
            panic!("{packets:?}");
        };
        assert_eq!((ssrc, sender, leaves), (0x0102_0304, Some(info()), Some(0x0102_0304)));
        assert_eq!(blocks.collect::<Vec<_>>(), [block()]);
    }

    /// §A.2: what a compound must satisfy before any of it is believed.
    #[test]
    fn a_compound_is_refused_as_a_whole() {
        let altered = |at: usize, byte: u8| {
            let mut compound = COMPOUND.to_vec();
            compound[at] = byte;
            parse(&compound).is_none()
        };
        assert!(parse(&[]).is_none());
        assert!((1..COMPOUND.len()).all(|len| [52, 80].contains(&len) || parse(&COMPOUND[..len]).is_none()));
        assert!(altered(1, 202), "it begins with a report");
        assert!(altered(0, 0xa1), "without padding");
        assert!(altered(52, 0x41), "every packet is of version 2");
        assert!(altered(0, 0x82), "its blocks fit in the packet");
        assert!(altered(3, 5), "the sender's information fits in the packet");
        assert!(altered(80, 0x82), "the sources that leave fit in the packet");
        assert!(altered(83, 2), "the lengths add up");
    }
}
