//! Reports of both directions (RFC 3550 §6.4), written and read octet by octet.

use std::time::Duration;

/// How often a report leaves.
pub(crate) const INTERVAL: Duration = Duration::from_secs(2);

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const CNAME: u8 = 1;

/// What we tell of the stream we receive (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) ssrc: u32,
    /// In 256ths, since the last report.
    pub(crate) fraction_lost: u8,
    pub(crate) cumulative_lost: u32,
    pub(crate) highest_sequence: u32,
    /// The middle 32 bits of the last sender report's NTP time, and how long ago it came, in 65536ths of a second.
    pub(crate) last_report: u32,
    pub(crate) delay: u32,
}

/// What we tell of ourselves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sender {
    pub(crate) ssrc: u32,
    pub(crate) rtp_timestamp: u32,
    pub(crate) packets: u32,
    pub(crate) octets: u32,
}

/// A compound packet: sender report, source description.
pub(crate) fn write(now: Duration, sender: Sender, block: Option<Block>) -> Vec<u8> {
    let mut packet = vec![0x80 | u8::from(block.is_some()), SENDER_REPORT, 0, 6];
    packet.extend(sender.ssrc.to_be_bytes());
    packet.extend(ntp(now).to_be_bytes());
    for word in [sender.rtp_timestamp, sender.packets, sender.octets] {
        packet.extend(word.to_be_bytes());
    }
    if let Some(block) = block {
        packet[3] = 12;
        packet.extend(block.ssrc.to_be_bytes());
        let lost = u32::from(block.fraction_lost) << 24 | block.cumulative_lost & 0x00ff_ffff;
        for word in [lost, block.highest_sequence, 0, block.last_report, block.delay] {
            packet.extend(word.to_be_bytes());
        }
    }
    packet.extend([0x81, SOURCE_DESCRIPTION, 0, 3]);
    packet.extend(sender.ssrc.to_be_bytes());
    packet.extend([CNAME, 5]);
    packet.extend(b"phone");
    packet.push(0);
    packet
}

/// What a compound packet tells: when it has a sender report, the middle of its NTP time. None when it is not one
/// (RFC 3550 §A.2: it begins with a report, the lengths add up).
pub(crate) fn read(packet: &[u8]) -> Option<Option<u32>> {
    let mut rest = packet;
    let mut report = None;
    let mut first = true;
    while !rest.is_empty() {
        let [flags, kind, high, low, ..] = *rest else { return None };
        let length = (usize::from(u16::from_be_bytes([high, low])) + 1) * 4;
        if flags >> 6 != 2 || rest.len() < length {
            return None;
        }
        if first && !matches!(kind, SENDER_REPORT | RECEIVER_REPORT) {
            return None;
        }
        if kind == SENDER_REPORT {
            report = Some(u32::from_be_bytes(rest.get(10..14)?.try_into().ok()?));
        }
        first = false;
        rest = rest.get(length..)?;
    }
    (!first).then_some(report)
}

/// NTP time (RFC 3550 §4), its epoch being the start.
fn ntp(now: Duration) -> u64 {
    (now.as_secs() << 32) | ((u64::from(now.subsec_nanos()) << 32) / 1_000_000_000)
}

/// The middle 32 bits of NTP time, in 65536ths of a second.
pub(crate) fn middle_ntp(now: Duration) -> u32 {
    (ntp(now) >> 16) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_refuses_what_does_not_add_up() {
        let now = Duration::from_millis(3_500);
        let sender = Sender { ssrc: 1, rtp_timestamp: 2, packets: 3, octets: 4 };
        for block in [None, Some(Block::default())] {
            let packet = write(now, sender, block);
            assert_eq!(packet.len() % 4, 0);
            assert_eq!(read(&packet), Some(Some(0x0003_8000)), "3.5 seconds");
            assert_eq!(read(&packet[..packet.len() - 4]), None);
        }
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[0x81, SOURCE_DESCRIPTION, 0, 0]), None, "begins with no report");
    }
}
