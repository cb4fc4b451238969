//! RTP headers, checked and rewritten where they lie (RFC 3550 §5.1).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |V=2|P|X|  CC   |M|     PT      |       sequence number         |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                           timestamp                           |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |           synchronization source (SSRC) identifier            |
//! +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
//! |            contributing source (CSRC) identifiers, CC of them |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use std::ops::Range;

/// Octets of the fixed header.
pub const HEADER_LEN: usize = 12;

/// Version 2, no padding, no extension, no CSRC: what nearly every packet of a call starts with.
const PLAIN: u8 = 0x80;

/// What a packet's header says, and where its payload lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The marker bit: in audio, the first packet of a talkspurt (RFC 3551 §4.1).
    pub marker: bool,
    /// The payload type, 0 to 127.
    pub payload_type: u8,
    /// The sequence number.
    pub sequence: u16,
    /// The timestamp, in units of the payload's clock.
    pub timestamp: u32,
    /// The synchronisation source.
    pub ssrc: u32,
    payload_start: usize,
    payload_end: usize,
    /// Whether there is nothing but the fixed header and the payload.
    is_plain: bool,
}

impl Header {
    /// Reads and checks a header; none when the packet is not RTP version 2 or its lengths do not add up.
    #[inline]
    #[must_use]
    pub fn parse(packet: &[u8]) -> Option<Self> {
        let fixed: &[u8; HEADER_LEN] = packet.first_chunk()?;
        let is_plain = fixed[0] == PLAIN;
        let payload = if is_plain { HEADER_LEN..packet.len() } else { payload_range(packet)? };
        Some(Self {
            marker: fixed[1] & 0x80 != 0,
            payload_type: fixed[1] & 0x7f,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            payload_start: payload.start,
            payload_end: payload.end,
            is_plain,
        })
    }

    /// Leaves of the packet its fixed header and its payload; its new length. Contributors are none of the other side's
    /// business, extensions were agreed with nobody (RFC 8285 §5), and padding is for ciphers (RFC 3550 §5.1).
    #[inline]
    pub(crate) fn strip(&self, packet: &mut [u8], len: usize) -> Option<usize> {
        if self.is_plain { Some(len) } else { self.move_payload(packet) }
    }

    #[cold]
    fn move_payload(&self, packet: &mut [u8]) -> Option<usize> {
        packet.get(self.payload())?;
        packet.copy_within(self.payload(), HEADER_LEN);
        *packet.first_mut()? = PLAIN;
        Some(HEADER_LEN + self.payload().len())
    }

    /// Where the payload lies in the packet: after CSRCs and extension, before padding.
    #[inline]
    #[must_use]
    pub const fn payload(&self) -> Range<usize> {
        self.payload_start..self.payload_end
    }
}

/// The sequence number of what may be a packet.
pub(crate) fn sequence(packet: &[u8]) -> Option<u16> {
    packet.get(2..)?.first_chunk().copied().map(u16::from_be_bytes)
}

/// Where the payload of a packet begins: after CSRCs and extension (RFC 3550 §5.1, §5.3.1); none when it is not
/// version 2.
#[inline]
pub(crate) fn payload_start(packet: &[u8]) -> Option<usize> {
    let first = *packet.first()?;
    if first >> 6 != 2 {
        return None;
    }
    let mut start = HEADER_LEN + 4 * usize::from(first & 0x0f);
    if first & 0x10 != 0 {
        let words = packet.get(start + 2..start + 4)?.try_into().map(u16::from_be_bytes).ok()?;
        start += 4 + 4 * usize::from(words);
    }
    Some(start)
}

/// The payload of a packet with padding, extension or CSRCs.
#[cold]
fn payload_range(packet: &[u8]) -> Option<Range<usize>> {
    let first = *packet.first()?;
    let start = payload_start(packet)?;
    let padding = if first & 0x20 != 0 { usize::from(*packet.last()?) } else { 0 };
    if first & 0x20 != 0 && padding == 0 {
        return None;
    }
    let end = packet.len().checked_sub(padding)?;
    (start <= end).then_some(start..end)
}

/// The header fields that our side decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The marker bit.
    pub marker: bool,
    /// The payload type; its top bit is ignored.
    pub payload_type: u8,
    /// The sequence number.
    pub sequence: u16,
    /// The timestamp.
    pub timestamp: u32,
    /// The synchronisation source.
    pub ssrc: u32,
}

impl Stamp {
    /// Writes the fields over those of a checked packet; version, padding, extension and CSRC count stay.
    #[inline]
    pub fn rewrite(self, packet: &mut [u8]) {
        let Some(fixed) = packet.first_chunk_mut::<HEADER_LEN>() else { return };
        fixed[1] = (u8::from(self.marker) << 7) | (self.payload_type & 0x7f);
        fixed[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        fixed[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        fixed[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
    }

    /// Writes a plain header; nothing when the buffer is shorter than [`HEADER_LEN`].
    pub fn write(self, buffer: &mut [u8]) {
        if let Some(first) = buffer.first_mut() {
            *first = PLAIN;
        }
        self.rewrite(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_excludes_csrc_extension_and_padding() {
        let mut packet = vec![0xb2, 0x80, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        packet.extend([0; 8]); // two CSRCs
        packet.extend([0xbe, 0xde, 0, 1, 0, 0, 0, 0]); // one word of extension
        packet.extend([7, 8, 9, 0, 2]); // three octets of payload, two of padding
        let header = Header::parse(&packet).unwrap();
        assert_eq!(&packet[header.payload()], [7, 8, 9]);
        assert!(header.marker);
    }

    #[test]
    fn refuses_lengths_that_do_not_add_up() {
        let fixed = [0x80, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        assert!(Header::parse(&fixed).is_some(), "an empty payload is allowed");
        assert_eq!(Header::parse(&fixed[..11]), None);
        let with_first = |first: u8, tail: &[u8]| {
            let mut packet = fixed.to_vec();
            packet[0] = first;
            packet.extend_from_slice(tail);
            Header::parse(&packet)
        };
        assert_eq!(with_first(0x40, &[]), None, "version 1");
        assert_eq!(with_first(0x81, &[0, 0, 0]), None, "a CSRC cut short");
        assert_eq!(with_first(0x90, &[0, 0, 0]), None, "an extension header cut short");
        assert_eq!(with_first(0x90, &[0, 0, 0, 1]), None, "an extension longer than the packet");
        assert_eq!(with_first(0xa0, &[1, 0]), None, "padding of no length");
        assert_eq!(with_first(0xa0, &[1, 3]), None, "padding longer than the payload");
        assert!(with_first(0xa0, &[0, 2]).is_some(), "padding and nothing else");
    }
}
