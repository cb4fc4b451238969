//! Reports of both directions (RFC 3550 §6.4), written and read octet by octet.

use std::time::Duration;

/// How often a report leaves.
pub(crate) const INTERVAL: Duration = Duration::from_secs(2);

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const CNAME: u8 = 1;
const EXTENDED_REPORT: u8 = 207;
const VOIP_METRICS: u8 = 7;

/// What a party thinks of what it hears, in tenths: none that is measured would be just so.
const MOS: u8 = 37;

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

/// A compound packet: sender report, source description, and VoIP metrics of what is received, if they are to be told.
pub(crate) fn write(now: Duration, sender: Sender, block: Option<Block>, tells_metrics: bool) -> Vec<u8> {
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
    if let Some(block) = block.filter(|_| tells_metrics) {
        packet.extend(metrics(sender.ssrc, block));
    }
    packet
}

/// RFC 3611 §4.7: of most we say that we do not know it, and that it sounds as [`MOS`] has it.
fn metrics(ssrc: u32, block: Block) -> Vec<u8> {
    const UNKNOWN: u8 = 127;
    const G_MIN: u8 = 16;
    let mut packet = vec![0x80, EXTENDED_REPORT, 0, 10];
    packet.extend(ssrc.to_be_bytes());
    packet.extend([VOIP_METRICS, 0, 0, 8]);
    packet.extend(block.ssrc.to_be_bytes());
    packet.extend([block.fraction_lost, 0, 0, block.fraction_lost]);
    // Durations of bursts and gaps, round trip, delay here.
    packet.extend([0; 8]);
    packet.extend([UNKNOWN, UNKNOWN, UNKNOWN, G_MIN]);
    // Neither R factor, but the MOS of listening and of conversation.
    packet.extend([UNKNOWN, UNKNOWN, MOS, MOS]);
    packet.extend([0; 8]);
    packet
}

/// What a compound packet tells.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// The middle of the NTP time of its sender report.
    pub(crate) sender_report: Option<u32>,
    /// Whose VoIP metrics it has.
    pub(crate) metrics_of: Vec<u32>,
}

/// The metrics in an extended report (RFC 3611 §2, §3): its own SSRC, then blocks of type, what is particular to it, and
/// length.
fn metrics_in(report: &[u8]) -> Option<Vec<u32>> {
    let mut rest = report.get(8..)?;
    let mut found = Vec::new();
    while let [kind, _, high, low, body @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])) * 4;
        let block = body.get(..length)?;
        if *kind == VOIP_METRICS && length == 32 {
            found.push(u32::from_be_bytes(block.get(..4)?.try_into().ok()?));
        }
        rest = body.get(length..)?;
    }
    Some(found)
}

/// What a compound packet tells. None when it is not one (RFC 3550 §A.2: it begins with a report, the lengths add up).
pub(crate) fn read(packet: &[u8]) -> Option<Told> {
    let mut rest = packet;
    let mut told = Told::default();
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
            told.sender_report = Some(u32::from_be_bytes(rest.get(10..14)?.try_into().ok()?));
        }
        if kind == EXTENDED_REPORT {
            told.metrics_of.extend(metrics_in(rest.get(..length)?)?);
        }
        first = false;
        rest = rest.get(length..)?;
    }
    (!first).then_some(told)
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
            for tells_metrics in [false, true] {
                let packet = write(now, sender, block, tells_metrics);
                let metrics_of =
                    block.filter(|_| tells_metrics).map(|block| block.ssrc).into_iter().collect();
                let told = Told { sender_report: Some(0x0003_8000), metrics_of };
                assert_eq!(read(&packet), Some(told), "3.5 seconds");
            }
            let packet = write(now, sender, block, false);
            assert_eq!(packet.len() % 4, 0);
            assert_eq!(read(&packet[..packet.len() - 4]), None);
        }
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[0x81, SOURCE_DESCRIPTION, 0, 0]), None, "begins with no report");
    }
}
