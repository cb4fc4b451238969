//! What one source's packets tell about the path: loss and jitter (RFC 3550 §6.4.1, §A.1, §A.3, §A.8).

use tandem_time::Instant;

use crate::rtcp_xr::Bursts;
use crate::rtp::Header;

/// A forward step of this many sequence numbers or more is a restart, not loss (RFC 3550 §A.1).
pub const MAX_DROPOUT: u16 = 3_000;

/// A backward step of this many or more is a restart, not reordering (RFC 3550 §A.1).
pub const MAX_MISORDER: u16 = 100;

/// A change of transit time beyond one second is a new timestamp base, not jitter.
const MAX_TRANSIT_STEP_MS: u32 = 1_000;

/// Ticks of a millisecond, of the clock that G.711, G.722 and telephone-event share.
const USUAL_CLOCK_KHZ: u32 = 8;

/// How a packet stands to those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Of the current run of sequence numbers: next, after a gap, late or twice.
    Counted,
    /// The first of a source, or of a source that started anew: nothing before it says where it belongs.
    Restarted,
    /// Far from the run; believed when its successor follows (RFC 3550 §A.1).
    Suspect,
}

/// Reception of a stream, across the SSRCs it had.
#[derive(Clone, Debug)]
pub struct Reception {
    clock_khz: u32,
    run: Option<Run>,
    /// Expected and received of the runs before.
    expected_before: u64,
    received_before: u64,
    /// Steps over numbers that had not come.
    gaps: u64,
    bursts: Bursts,
    /// In microseconds.
    jitter_max_us: u32,
}

impl Default for Reception {
    fn default() -> Self {
        let clock_khz = USUAL_CLOCK_KHZ;
        Self {
            clock_khz,
            run: None,
            expected_before: 0,
            received_before: 0,
            gaps: 0,
            bursts: Bursts::default(),
            jitter_max_us: 0,
        }
    }
}

/// Sequence numbers of one SSRC since it started.
#[derive(Clone, Debug)]
struct Run {
    ssrc: u32,
    base: u16,
    highest: u16,
    cycles: u32,
    /// Where a restarted source would go on.
    suspect_next: Option<u16>,
    received: u32,
    transit: Option<u32>,
    /// In ticks, times 16 (§A.8).
    jitter_scaled: u32,
    expected_reported: u32,
    received_reported: u32,
}

/// The loss and jitter fields of a report block (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceptionReport {
    /// Whom it is about.
    pub ssrc: u32,
    /// Lost since the last report, in 256ths.
    pub fraction_lost: u8,
    /// Lost since the source started; negative when more came than were sent.
    pub cumulative_lost: i32,
    /// Highest sequence number, extended by its cycles.
    pub highest_sequence: u32,
    /// Interarrival jitter in timestamp units.
    pub jitter: u32,
}

impl Reception {
    /// Counts a packet. `timed` is whether its timestamp is the time of its sampling: false for telephone-events,
    /// whose packets all carry the time of the key press and would read as jitter.
    #[inline]
    pub fn receive(&mut self, now: Instant, header: &Header, timed: bool) -> Arrival {
        let arrival = match &mut self.run {
            Some(run) if run.ssrc == header.ssrc => {
                let highest = run.highest;
                let arrival = run.sequence(header.sequence);
                let step = run.highest.wrapping_sub(highest);
                if step > 0 {
                    self.gaps += u64::from(step > 1);
                    self.bursts.take(step - 1);
                }
                arrival
            }
            _ => Arrival::Restarted,
        };
        if arrival == Arrival::Restarted {
            self.restart(header);
        }
        if let Some(run) = &mut self.run
            && arrival != Arrival::Suspect
        {
            run.received = run.received.wrapping_add(1);
            if timed {
                run.measure_jitter(now, header.timestamp, self.clock_khz);
                self.jitter_max_us =
                    self.jitter_max_us.max(ticks_to_us(run.jitter_scaled >> 4, self.clock_khz));
            }
        }
        arrival
    }

    #[cold]
    fn restart(&mut self, header: &Header) {
        if let Some(run) = &self.run {
            self.expected_before += u64::from(run.expected());
            self.received_before += u64::from(run.received);
        }
        self.run = Some(Run {
            ssrc: header.ssrc,
            base: header.sequence,
            highest: header.sequence,
            cycles: 0,
            suspect_next: None,
            received: 0,
            transit: None,
            jitter_scaled: self.run.as_ref().map_or(0, |run| run.jitter_scaled),
            expected_reported: 0,
            received_reported: 0,
        });
    }

    /// Timestamps are by another clock from now on: jitter is in its ticks.
    pub fn set_clock(&mut self, clock_hz: u32) {
        let clock_khz = clock_hz / 1_000;
        if clock_khz != self.clock_khz {
            self.clock_khz = clock_khz;
            if let Some(run) = &mut self.run {
                (run.transit, run.jitter_scaled) = (None, 0);
            }
        }
    }

    /// Packets received.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received_before + self.run.as_ref().map_or(0, |run| u64::from(run.received))
    }

    /// Packets that should have come: received and lost.
    #[must_use]
    pub fn expected(&self) -> u64 {
        self.expected_before + self.run.as_ref().map_or(0, |run| u64::from(run.expected()))
    }

    /// Packets that never came; duplicates make up for losses, as RFC 3550 §A.3 has it.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received())
    }

    /// Gaps that what never came left, and what came late.
    #[must_use]
    pub const fn gaps(&self) -> u64 {
        self.gaps
    }

    /// How the losses lie together.
    #[must_use]
    pub const fn bursts(&self) -> Bursts {
        self.bursts
    }

    /// The source that was heard last.
    #[must_use]
    pub fn ssrc(&self) -> Option<u32> {
        self.run.as_ref().map(|run| run.ssrc)
    }

    /// Interarrival jitter in microseconds.
    #[must_use]
    pub fn jitter_us(&self) -> u32 {
        ticks_to_us(self.run.as_ref().map_or(0, |run| run.jitter_scaled >> 4), self.clock_khz)
    }

    /// The largest interarrival jitter so far, in microseconds.
    #[must_use]
    pub const fn jitter_max_us(&self) -> u32 {
        self.jitter_max_us
    }

    /// The report on what came since the last one; none when nothing did (RFC 3550 §6.4).
    pub fn report(&mut self) -> Option<ReceptionReport> {
        self.run.as_mut().and_then(Run::report)
    }
}

const fn ticks_to_us(ticks: u32, clock_khz: u32) -> u32 {
    (ticks as u64 * 1_000 / clock_khz as u64) as u32
}

impl Run {
    /// RFC 3550 §A.1, `update_seq`, without its probation: the source's address was signalled.
    #[inline]
    fn sequence(&mut self, sequence: u16) -> Arrival {
        let step = sequence.wrapping_sub(self.highest);
        if step < MAX_DROPOUT {
            if sequence < self.highest {
                self.cycles = self.cycles.wrapping_add(1 << 16);
            }
            self.highest = sequence;
        } else if step <= 0u16.wrapping_sub(MAX_MISORDER) {
            if self.suspect_next == Some(sequence) {
                return Arrival::Restarted;
            }
            self.suspect_next = Some(sequence.wrapping_add(1));
            return Arrival::Suspect;
        }
        Arrival::Counted
    }

    /// RFC 3550 §A.8.
    #[inline]
    fn measure_jitter(&mut self, now: Instant, timestamp: u32, clock_khz: u32) {
        let ticks = now.as_nanos() / 1_000 * u64::from(clock_khz) / 1_000;
        let transit = (ticks as u32).wrapping_sub(timestamp);
        let previous = self.transit.replace(transit).unwrap_or(transit);
        let step = (transit.wrapping_sub(previous) as i32).unsigned_abs();
        if step <= MAX_TRANSIT_STEP_MS * clock_khz {
            self.jitter_scaled = (self.jitter_scaled + step).saturating_sub((self.jitter_scaled + 8) >> 4);
        }
    }

    const fn extended_highest(&self) -> u32 {
        self.cycles.wrapping_add(self.highest as u32)
    }

    const fn expected(&self) -> u32 {
        self.extended_highest().wrapping_sub(self.base as u32).wrapping_add(1)
    }

    /// RFC 3550 §A.3.
    fn report(&mut self) -> Option<ReceptionReport> {
        let expected = self.expected();
        let received_interval = self.received.wrapping_sub(self.received_reported);
        if received_interval == 0 {
            return None;
        }
        let expected_interval = expected.wrapping_sub(self.expected_reported);
        self.expected_reported = expected;
        self.received_reported = self.received;
        let lost_interval = expected_interval.saturating_sub(received_interval);
        let fraction = (u64::from(lost_interval) << 8) / u64::from(expected_interval.max(1));
        let lost = i64::from(expected) - i64::from(self.received);
        Some(ReceptionReport {
            ssrc: self.ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            cumulative_lost: lost.clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest_sequence: self.extended_highest(),
            jitter: self.jitter_scaled >> 4,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(ssrc: u32, sequence: u16, timestamp: u32) -> Header {
        let mut packet = [0x80; 12];
        packet[2..4].copy_from_slice(&sequence.to_be_bytes());
        packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
        packet[8..12].copy_from_slice(&ssrc.to_be_bytes());
        Header::parse(&packet).unwrap()
    }

    fn receive(reception: &mut Reception, sequences: impl IntoIterator<Item = u16>) {
        for sequence in sequences {
            reception.receive(Instant::START, &header(1, sequence, 0), false);
        }
    }

    #[test]
    fn sequence_numbers_wrap_and_lost_ones_are_counted_once() {
        let mut reception = Reception::default();
        receive(&mut reception, [65_533, 65_535, 65_534, 1, 1, 2, 6]);
        // 65533 … 65535, 0 … 6 were sent: 0, 3, 4 and 5 never came, and 1 came twice.
        assert_eq!((reception.expected(), reception.received(), reception.lost()), (10, 7, 3));
        assert_eq!(reception.report().unwrap().highest_sequence, 65_536 + 6);
    }

    #[test]
    fn a_report_covers_what_came_since_the_one_before() {
        let mut reception = Reception::default();
        assert_eq!(reception.report(), None);
        receive(&mut reception, [0, 1, 2, 7]);
        let first = reception.report().unwrap();
        assert_eq!((first.fraction_lost, first.cumulative_lost), (128, 4));
        assert_eq!(reception.report(), None, "nothing came since");
        receive(&mut reception, [8, 9, 8, 9]);
        let second = reception.report().unwrap();
        assert_eq!((second.fraction_lost, second.cumulative_lost), (0, 2), "duplicates make up (§A.3)");
    }

    /// §A.1: the limits of a gap and of reordering, and one beyond each.
    #[test]
    fn a_jump_too_far_is_not_believed() {
        for (step, arrival) in [
            (2_999, Arrival::Counted),
            (3_000, Arrival::Suspect),
            (-99, Arrival::Counted),
            (-100, Arrival::Suspect),
        ] {
            let mut reception = Reception::default();
            receive(&mut reception, [1_000]);
            let jumped = header(1, 1_000u16.wrapping_add_signed(step), 0);
            assert_eq!(reception.receive(Instant::START, &jumped, false), arrival, "{step}");
        }
    }

    #[test]
    fn a_jump_is_believed_when_its_successor_follows() {
        let mut reception = Reception::default();
        receive(&mut reception, [1_000, 20_000, 1_001]);
        assert_eq!((reception.expected(), reception.received()), (2, 2), "one stray packet changes nothing");
        receive(&mut reception, [30_000]);
        assert_eq!(reception.receive(Instant::START, &header(1, 30_001, 0), false), Arrival::Restarted);
        assert_eq!((reception.expected(), reception.received()), (3, 3), "no loss across a restart");
    }

    /// §A.8: a steady alternation of D ticks settles at D.
    #[test]
    fn jitter_settles_at_the_mean_difference_of_transit() {
        let mut reception = Reception::default();
        for n in 0..2_000u32 {
            let late_ms = if n % 2 == 0 { 0 } else { 5 };
            let at = Instant::from_millis(u64::from(n) * 20 + late_ms);
            reception.receive(at, &header(1, n as u16, n * 160 + 77), true);
        }
        assert!((4_500..=5_000).contains(&reception.jitter_us()), "{}", reception.jitter_us());
    }

    #[test]
    fn a_new_timestamp_base_is_no_jitter() {
        let mut reception = Reception::default();
        for n in 0..100u32 {
            let base = if n < 50 { 0 } else { 3_000_000_000 };
            let at = Instant::from_millis(u64::from(n) * 20);
            reception.receive(at, &header(1, n as u16, base + n * 160), true);
        }
        assert_eq!(reception.jitter_max_us(), 0);
    }
}
