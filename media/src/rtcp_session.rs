//! When an endpoint reports, what it says, and what the party's reports say about our stream (RFC 3550 §6).

use std::time::Duration;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use tandem_time::Instant;

use crate::ExtendedReports;
use crate::outgoing::Outgoing;
use crate::quality::Measured;
use crate::reception::Reception;
use crate::rtcp::{self, CNAME_LEN, Compound, MAX_COMPOUND_LEN, ReportBlock, SenderInfo};
use crate::rtcp_xr::{self, ExtendedReport, Heard, Metrics};

/// The mean time between reports of a session of two (§6.2: the minimum, since 5 % of the bandwidth would allow
/// many more).
pub(crate) const REPORT_INTERVAL: Duration = Duration::from_secs(5);

/// Round trips beyond this are a clock gone wrong, not a path.
const MAX_ROUND_TRIP: Duration = Duration::from_secs(30);

/// One endpoint's RTCP.
#[derive(Debug)]
pub(crate) struct RtcpSession {
    cname: [u8; CNAME_LEN],
    next_report: Option<Instant>,
    reported: bool,
    /// Packets we had sent at the last two reports: who sent none since then is no sender (§6.4).
    sent_at_reports: [u64; 2],
    /// The party's latest sender report: the middle of its NTP timestamp, and when it came.
    sender_report: Option<(u32, Instant)>,
    round_trip: Option<Duration>,
    remote_loss_percent: Option<f32>,
    remote: Remote,
    /// What the party lost of ours lately, in percent, for redundancy to be made for.
    recent_loss_percent: f32,
    activity: Option<Activity>,
    /// The party writes extended reports; its latest reference time, and when it came.
    extended: Extended,
}

/// What a party has said in extended reports (RFC 3611).
#[derive(Clone, Copy, Debug, Default)]
struct Extended {
    /// Whom they are written to.
    wanted: ExtendedReports,
    is_spoken: bool,
    /// Who, the middle of its NTP timestamp, and when it came.
    reference: Option<(u32, u32, Instant)>,
    /// The score that it gives our stream.
    score: Option<f32>,
}

/// What the party says of its own sending.
#[derive(Clone, Copy, Debug)]
struct Activity {
    /// By its latest report: how many packets it has sent, none of a receiver; and when it came.
    packets: Option<u32>,
    at: Instant,
    /// By the one before.
    before: Option<(u32, Instant)>,
}

/// How our stream comes to the party, by its reports.
#[derive(Clone, Copy, Debug, Default)]
struct Remote {
    /// In all by the latest report, and by the latest when they were taken.
    latest: Option<Measured>,
    taken: Measured,
}

impl RtcpSession {
    pub(crate) fn new(rng: &mut ChaCha8Rng) -> Self {
        const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        Self {
            cname: std::array::from_fn(|_| BASE64[(rng.next_u32() & 63) as usize]),
            next_report: None,
            reported: false,
            sent_at_reports: [0; 2],
            sender_report: None,
            round_trip: None,
            remote_loss_percent: None,
            remote: Remote::default(),
            recent_loss_percent: 0.0,
            activity: None,
            extended: Extended::default(),
        }
    }

    /// Starts reporting, when it has not yet: the first report comes after half the time (§6.2).
    pub(crate) fn start(&mut self, now: Instant, extended: ExtendedReports, rng: &mut ChaCha8Rng) {
        self.extended.wanted = extended;
        if self.next_report.is_none() {
            self.next_report = Some(now + randomised(REPORT_INTERVAL / 2, rng));
        }
    }

    /// Our stream has a new SSRC, so its packets are counted anew (§6.4.1).
    pub(crate) fn restart(&mut self) {
        self.sent_at_reports = [0; 2];
        self.remote = Remote::default();
    }

    pub(crate) const fn deadline(&self) -> Option<Instant> {
        self.next_report
    }

    /// Whether a report is due; if so, the time of the next one is drawn.
    pub(crate) fn take_due(&mut self, now: Instant, rng: &mut ChaCha8Rng) -> bool {
        let due = self.next_report.is_some_and(|next| next <= now);
        if due {
            self.next_report = Some(now + randomised(REPORT_INTERVAL, rng));
        }
        due
    }

    /// Whether anything was ever sent: who sent nothing says no goodbye (§6.3.7).
    pub(crate) const fn has_reported(&self) -> bool {
        self.reported
    }

    /// Writes a report, and a goodbye after it when the endpoint leaves.
    pub(crate) fn write(
        &mut self,
        now: Instant,
        outgoing: &Outgoing,
        reception: &mut Reception,
        heard: Heard,
        goodbye: bool,
        buffer: &mut [u8; MAX_COMPOUND_LEN],
    ) -> usize {
        let sent = outgoing.packets();
        let sends = sent > self.sent_at_reports[0];
        self.sent_at_reports = [self.sent_at_reports[1], sent];
        self.reported = true;
        let sender = sends.then(|| SenderInfo {
            ntp: ntp(now),
            rtp_timestamp: outgoing.timestamp_at(now),
            packets: sent as u32,
            octets: outgoing.octets() as u32,
        });
        let block = reception.report().map(|reception| {
            let (last_sender_report, delay_since_last) = match self.sender_report {
                Some((middle, at)) => (middle, (ntp(now) - ntp(at)) >> 16),
                None => (0, 0),
            };
            ReportBlock { reception, last_sender_report, delay_since_last: delay_since_last as u32 }
        });
        let ssrc = outgoing.ssrc();
        let len = Compound { ssrc, sender, block, cname: &self.cname, goodbye }.write(buffer);
        let is_told = match self.extended.wanted {
            ExtendedReports::Off => false,
            ExtendedReports::InReturn => self.extended.is_spoken,
            ExtendedReports::Asked => true,
        };
        if goodbye || !is_told {
            return len;
        }
        let held = |(whose, middle, at)| [whose, middle, ((ntp(now) - ntp(at)) >> 16) as u32];
        let answer = self.extended.reference.take().map(held);
        let metrics = Metrics::of(reception, self.round_trip, heard);
        len + buffer.get_mut(len..).map_or(0, |rest| ExtendedReport { ssrc, answer, metrics }.write(rest))
    }

    /// Reads a compound of the party; false when it is malformed.
    pub(crate) fn receive(&mut self, now: Instant, compound: &[u8], outgoing: &Outgoing) -> bool {
        let Some(packets) = rtcp::parse(compound) else { return false };
        for packet in packets {
            let (sender, mut blocks) = match packet {
                rtcp::Packet::Report { sender, blocks, .. } => (sender, blocks),
                rtcp::Packet::Extended { ssrc, blocks } => {
                    self.learn_extended(now, ssrc, blocks, outgoing.ssrc());
                    continue;
                }
                rtcp::Packet::Goodbye { .. } | rtcp::Packet::Other => continue,
            };
            let before = self.activity.and_then(|before| Some((before.packets?, before.at)));
            let packets = sender.as_ref().map(|sender| sender.packets);
            self.activity = Some(Activity { packets, at: now, before });
            if let Some(sender) = sender {
                self.sender_report = Some(((sender.ntp >> 16) as u32, now));
            }
            if let Some(block) = blocks.find(|block| block.reception.ssrc == outgoing.ssrc()) {
                self.learn(now, &block, outgoing);
            }
        }
        true
    }

    fn learn_extended(&mut self, now: Instant, ssrc: u32, blocks: rtcp_xr::Blocks<'_>, ours: u32) {
        self.extended.is_spoken = true;
        for block in blocks {
            match block {
                rtcp_xr::Block::ReferenceTime(middle) => self.extended.reference = Some((ssrc, middle, now)),
                rtcp_xr::Block::VoipMetrics { ssrc, listening_quality: tenths @ 10..=50 } if ssrc == ours => {
                    self.extended.score = Some(f32::from(tenths) / 10.0);
                }
                rtcp_xr::Block::VoipMetrics { .. } => {}
            }
        }
    }

    /// The score that the party gives our stream, 1.0 to 5.0.
    pub(crate) const fn remote_score(&self) -> Option<f32> {
        self.extended.score
    }

    /// Rises with the first report of loss, and falls by half with each without.
    pub(crate) const fn recent_loss_percent(&self) -> f32 {
        self.recent_loss_percent
    }

    fn learn(&mut self, now: Instant, block: &ReportBlock, outgoing: &Outgoing) {
        if block.last_sender_report != 0 {
            let middle = (ntp(now) >> 16) as u32;
            let trip = middle.wrapping_sub(block.last_sender_report).wrapping_sub(block.delay_since_last);
            let trip = Duration::from_nanos((u64::from(trip) * 1_000_000_000) >> 16);
            if trip <= MAX_ROUND_TRIP {
                self.round_trip = Some(trip);
            }
        }
        let lost_percent = f32::from(block.reception.fraction_lost) * 100.0 / 256.0;
        self.recent_loss_percent = lost_percent.max(self.recent_loss_percent / 2.0);
        let first = u32::from(outgoing.first_sequence());
        let expected = block.reception.highest_sequence.wrapping_sub(first).wrapping_add(1);
        if (1..=outgoing.numbers()).contains(&u64::from(expected)) {
            let lost = block.reception.cumulative_lost.max(0) as f32;
            self.remote_loss_percent = Some((100.0 * lost / expected as f32).min(100.0));
            self.remote.latest = Some(Measured {
                expected,
                lost: block.reception.cumulative_lost.max(0).unsigned_abs().min(expected),
                // A report does not tell how it was spread: at random, for what is known.
                gaps: u32::MAX,
                jitter_us: (u64::from(block.reception.jitter) * 1_000 / u64::from(outgoing.clock_khz()))
                    as u32,
            });
        }
    }

    /// Whether the party, silent since then, says in reports that it sends nothing, or may be found to say so by the next
    /// one: who sends nothing reports as a receiver, or counts no more packets than before (§6.4).
    pub(crate) fn says_it_pauses(&self, now: Instant, since: Instant, was_heard: bool) -> bool {
        let is_news = |it: &Activity| it.at > since && now - it.at <= 3 * REPORT_INTERVAL;
        let Some(latest) = self.activity.filter(is_news) else { return false };
        match (latest.packets, latest.before) {
            (None | Some(0), _) => true,
            (Some(_), _) if !was_heard => false,
            (Some(packets), Some((before, at))) if at > since => packets == before,
            // What it counts may have come before.
            (Some(_), _) => true,
        }
    }

    /// How our stream came to the party in all, by its latest report.
    pub(crate) const fn remote(&self) -> Option<Measured> {
        self.remote.latest
    }

    /// The same since it was taken last; nothing when there was no report.
    pub(crate) fn remote_since(&self) -> Measured {
        self.remote.latest.map_or_else(Measured::default, |latest| {
            // A report tells no gaps, so any number of them is left.
            Measured { gaps: latest.gaps, ..latest.since(self.remote.taken) }
        })
    }

    pub(crate) fn take_remote(&mut self) -> Measured {
        let since = self.remote_since();
        self.remote.taken = self.remote.latest.unwrap_or(self.remote.taken);
        since
    }

    pub(crate) const fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    pub(crate) const fn remote_loss_percent(&self) -> Option<f32> {
        self.remote_loss_percent
    }
}

/// Between half and one and a half times the interval, divided by e − 3/2 (§6.3.1).
fn randomised(interval: Duration, rng: &mut ChaCha8Rng) -> Duration {
    const COMPENSATION: f64 = std::f64::consts::E - 1.5;
    let fraction = f64::from(rng.next_u32()) / f64::from(u32::MAX);
    interval.mul_f64((0.5 + fraction) / COMPENSATION)
}

/// The time since the node started as an NTP timestamp: seconds in 32.32 fixed point (§4 allows elapsed time to
/// those who have no wall clock). One second is added, since a middle of 0 means none.
fn ntp(now: Instant) -> u64 {
    let nanos = now.as_nanos();
    let seconds = nanos / 1_000_000_000 + 1;
    let fraction = ((nanos % 1_000_000_000) << 32) / 1_000_000_000;
    seconds << 32 | fraction
}
