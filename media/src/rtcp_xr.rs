//! Extended reports (RFC 3611): receiver reference times and their answers, and the metrics of a call.
//!
//! Read from everybody. Written to who has asked for them in its description (§5), and to who writes them: such a party has its reference times answered, so that one that only
//! listens knows its round trip, too, and is told the metrics that it tells.

use std::time::Duration;

use crate::quality::{Conditions, Impairment};
use crate::reception::Reception;

/// The packet type (§2).
pub(crate) const EXTENDED_REPORT: u8 = 207;
const REFERENCE_TIME: u8 = 4;
const REFERENCE_ANSWER: u8 = 5;
const VOIP_METRICS: u8 = 7;
/// Octets of the metrics of one source (§4.7).
const METRICS_LEN: usize = 36;
/// Octets of what answers one reference time (§4.5).
const ANSWER_LEN: usize = 16;
/// Octets of the longest packet that is written.
pub(crate) const MAX_LEN: usize = 8 + ANSWER_LEN + METRICS_LEN;
/// What is not measured (§4.7.4, §4.7.5).
const UNAVAILABLE: u8 = 127;
/// So many packets in a row that came end a burst of losses (§4.7.2).
const GMIN: u8 = 16;
/// The time of a packet, for the lengths of bursts and gaps.
const PACKET_MS: u64 = 20;

/// A block that means something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// §4.4: the middle 32 bits of the NTP timestamp of a party that wants to know its round trip.
    ReferenceTime(u32),
    /// §4.7: how a source is heard there.
    VoipMetrics {
        /// Which source.
        ssrc: u32,
        /// The listening quality, times 10; 127 when it is not known.
        listening_quality: u8,
    },
}

/// The blocks of a packet; those of other types are passed over.
#[derive(Clone, Copy, Debug)]
pub struct Blocks<'a>(pub(crate) &'a [u8]);

impl Iterator for Blocks<'_> {
    type Item = Block;

    fn next(&mut self) -> Option<Block> {
        loop {
            let &[kind, _, high, low] = self.0.first_chunk()?;
            let len = 4 * (usize::from(u16::from_be_bytes([high, low])) + 1);
            let (block, rest) = self.0.split_at_checked(len)?;
            self.0 = rest;
            if let Some(block) = read(kind, block) {
                return Some(block);
            }
        }
    }
}

fn read(kind: u8, block: &[u8]) -> Option<Block> {
    let word = |at: usize| block.get(at..)?.first_chunk().copied().map(u32::from_be_bytes);
    match kind {
        REFERENCE_TIME => Some(Block::ReferenceTime(word(4)? << 16 | word(8)? >> 16)),
        VOIP_METRICS if block.len() == METRICS_LEN => {
            Some(Block::VoipMetrics { ssrc: word(4)?, listening_quality: *block.get(26)? })
        }
        _ => None,
    }
}

/// What is told to a party that speaks of it, too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExtendedReport {
    pub(crate) ssrc: u32,
    /// Whose reference time came, its middle, and how long ago, in 65536ths of a second (§4.5).
    pub(crate) answer: Option<[u32; 3]>,
    pub(crate) metrics: Option<Metrics>,
}

/// What becomes of a party's stream where it is heard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    /// What its codec makes of losses.
    pub(crate) impairment: Impairment,
    /// Packets that came too late for the jitter buffer, or were too many for it; none where there is no buffer, since
    /// packets go on as they come.
    pub(crate) discarded: u64,
}

/// How a party's stream comes here (§4.7).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metrics {
    ssrc: u32,
    loss_rate: u8,
    discard_rate: u8,
    bursts: Bursts,
    round_trip_ms: u16,
    rating: u8,
    listening_quality: u8,
    conversational_quality: u8,
}

impl Metrics {
    /// Those of all that came; none of nothing.
    pub(crate) fn of(reception: &Reception, round_trip: Option<Duration>, heard: Heard) -> Option<Self> {
        let Heard { impairment, discarded } = heard;
        let (ssrc, expected) = (reception.ssrc()?, reception.expected().max(1));
        let round_trip = round_trip.unwrap_or_default();
        let there = Conditions::of(reception);
        let and_back = Conditions { round_trip, ..there };
        let tenths = |conditions: Conditions| (conditions.mean_opinion_score(impairment) * 10.0) as u8;
        Some(Self {
            ssrc,
            loss_rate: u8::try_from(reception.lost() * 256 / expected).unwrap_or(u8::MAX),
            discard_rate: u8::try_from(discarded * 256 / expected).unwrap_or(u8::MAX),
            bursts: reception.bursts(),
            round_trip_ms: u16::try_from(round_trip.as_millis()).unwrap_or(u16::MAX),
            rating: and_back.rating(impairment) as u8,
            listening_quality: tenths(there),
            conversational_quality: tenths(and_back),
        })
    }

    /// How long packets wait is not told, levels are not looked at, and how the next hop conceals is not known.
    fn block(&self) -> [[u8; 4]; METRICS_LEN / 4] {
        let bursts = self.bursts;
        let two = |one: u16, other: u16| (u32::from(one) << 16 | u32::from(other)).to_be_bytes();
        [
            [VOIP_METRICS, 0, 0, (METRICS_LEN / 4 - 1) as u8],
            self.ssrc.to_be_bytes(),
            [self.loss_rate, self.discard_rate, bursts.burst_density(), bursts.gap_density()],
            two(bursts.burst_ms(), bursts.gap_ms()),
            two(self.round_trip_ms, 0),
            [UNAVAILABLE, UNAVAILABLE, UNAVAILABLE, GMIN],
            [self.rating, UNAVAILABLE, self.listening_quality, self.conversational_quality],
            [0; 4],
            [0; 4],
        ]
    }
}

impl ExtendedReport {
    /// Writes it at the front of `buffer`; how long it is, 0 when there is nothing to tell or no room.
    pub(crate) fn write(&self, buffer: &mut [u8]) -> usize {
        let answer = self.answer.map(|[ssrc, reference, delay]| {
            let head = [REFERENCE_ANSWER, 0, 0, (ANSWER_LEN / 4 - 1) as u8];
            [head, ssrc.to_be_bytes(), reference.to_be_bytes(), delay.to_be_bytes()]
        });
        let metrics = self.metrics.map(|metrics| metrics.block());
        let answer = answer.as_ref().map_or(&[][..], |answer| answer.as_flattened());
        let metrics = metrics.as_ref().map_or(&[][..], |metrics| metrics.as_flattened());
        let len = 8 + answer.len() + metrics.len();
        let Some(packet) = buffer.get_mut(..len).filter(|_| len > 8) else { return 0 };
        let head = [[0x80, EXTENDED_REPORT, 0, (len / 4 - 1) as u8], self.ssrc.to_be_bytes()];
        let octets = head.as_flattened().iter().chain(answer).chain(metrics);
        packet.iter_mut().zip(octets).for_each(|(place, octet)| *place = *octet);
        len
    }
}

/// Where losses are dense and where they are not, counted as §A.2 does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bursts {
    /// Packets since the latest loss, and losses of this burst.
    packets: u32,
    lost: u32,
    c11: u32,
    c13: u32,
    c14: u32,
    c22: u32,
    c23: u32,
    c33: u32,
}

impl Bursts {
    /// So many packets got lost, then one came.
    #[inline]
    pub(crate) fn take(&mut self, lost: u16) {
        for _ in 0..lost {
            self.lose();
        }
        self.packets = self.packets.saturating_add(1);
    }

    fn lose(&mut self) {
        if self.packets >= GMIN.into() {
            let counter = if self.lost == 1 { &mut self.c14 } else { &mut self.c13 };
            *counter = counter.saturating_add(1);
            self.lost = 1;
            self.c11 = self.c11.saturating_add(self.packets);
        } else {
            self.lost = self.lost.saturating_add(1);
            if self.packets == 0 {
                self.c33 = self.c33.saturating_add(1);
            } else {
                self.c23 = self.c23.saturating_add(1);
                self.c22 = self.c22.saturating_add(self.packets - 1);
            }
        }
        self.packets = 0;
    }

    fn burst_density(self) -> u8 {
        if self.c23 + self.c33 == 0 {
            return 0;
        }
        let p32 = self.c23 as f32 / (self.c13 + self.c23 + self.c33) as f32;
        let p23 = if self.c23 == 0 { 1.0 } else { self.c23 as f32 / (self.c22 + self.c23) as f32 };
        (256.0 * p23 / (p23 + p32)).min(255.0) as u8
    }

    fn gap_density(self) -> u8 {
        let all = (u64::from(self.c11) + u64::from(self.c14)).max(1);
        (256 * u64::from(self.c14) / all).min(255) as u8
    }

    fn gap_ms(self) -> u16 {
        let packets = [self.c11, self.c13, self.c14, self.packets].map(u64::from).iter().sum::<u64>();
        u16::try_from(packets * PACKET_MS / u64::from(self.c13.max(1))).unwrap_or(u16::MAX)
    }

    fn burst_ms(self) -> u16 {
        if self.c23 + self.c33 == 0 {
            return 0;
        }
        let packets = [self.c13, self.c22, self.c23, self.c23, self.c33].map(u64::from).iter().sum::<u64>();
        u16::try_from(packets * PACKET_MS / u64::from(self.c13.max(1))).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// §4.4 and §4.7 by hand, with a block of another type between them (§4.1).
    #[test]
    fn blocks_are_read_as_the_figures_show() {
        let mut octets = vec![4, 0, 0, 2, 0, 0, 0x11, 0x22, 0x33, 0x44, 0, 0];
        octets.extend([1, 0, 0, 1, 9, 9, 9, 9]);
        octets.extend([7, 0, 0, 8, 0, 0, 0, 7]);
        octets.extend([0; 18]);
        octets.extend([42, 40, 0, 0, 0, 0, 0, 0, 0, 0]);
        let metrics = Block::VoipMetrics { ssrc: 7, listening_quality: 42 };
        assert_eq!(Blocks(&octets).collect::<Vec<_>>(), [Block::ReferenceTime(0x1122_3344), metrics]);
        for (len, count) in [(11, 0), (12, 1), (octets.len() - 1, 1)] {
            assert_eq!(Blocks(&octets[..len]).count(), count, "of {len} octets");
        }
    }

    #[test]
    fn a_report_is_written_as_the_figures_show() {
        let mut bursts = Bursts::default();
        (0..20).for_each(|_| bursts.take(0));
        bursts.take(3);
        let metrics = Metrics {
            ssrc: 7,
            loss_rate: 25,
            discard_rate: 12,
            bursts,
            round_trip_ms: 80,
            rating: 70,
            listening_quality: 36,
            conversational_quality: 35,
        };
        let report = ExtendedReport { ssrc: 5, answer: Some([7, 1, 2]), metrics: Some(metrics) };
        let mut buffer = [9; MAX_LEN];
        assert_eq!(report.write(&mut buffer), MAX_LEN);
        let answer = [5, 0, 0, 3, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2];
        assert_eq!((&buffer[..8], &buffer[8..24]), (&[0x80, 207, 0, 14, 0, 0, 0, 5][..], &answer[..]));
        // Three lost in a row after twenty that came: a burst of 60 ms in which nothing came.
        let told = [
            7, 0, 0, 8, 0, 0, 0, 7, 25, 12, 255, 0, 0, 60, 1, 0xb8, 0, 80, 0, 0, 127, 127, 127, 16, 70, 127,
            36, 35,
        ];
        assert_eq!(buffer[24..52], told);
        assert_eq!(report.write(&mut buffer[..MAX_LEN - 1]), 0, "there is no room");
        assert_eq!(ExtendedReport { answer: None, metrics: None, ..report }.write(&mut buffer), 0);
    }
}
