//! What a party says, as one even stream of samples.

use tandem_time::Instant;

use super::delay::{Delay, DelayLimits};
use super::packets::{Inserted, Kind, Packets};
use super::stretch;
use crate::codec::comfort_noise::ComfortNoise;
use crate::codec::{Codec, Decoder, MAX_DECODED, MAX_FRAME_SAMPLES, Rate};
use crate::rtp::Header;

/// A gap is filled in steps of so many milliseconds while nothing says how long it is.
const STEP_MS: u32 = 10;
/// How long a gap is filled for which nothing came.
const MAX_STARVED_MS: u32 = 300;
/// A pause longer than this is no pause of one stream any more: what follows it begins anew.
const MAX_PAUSE_MS: u32 = 1_000;
/// Within so much less or more than the target, the delay is as it should be. Between the two there is more than a pull:
/// a packet that is needed by the next one may be taken so much earlier, after a cycle less or more. A longer pull than
/// [`USUAL_PULL_MS`] takes several at once, the first of them so much later than the last.
const EARLY_MS: u32 = 2;
const LATE_MS: u32 = 22;
const USUAL_PULL_MS: u32 = 20;
/// A packet that is later than usual by so much may be long in coming.
const OVERDUE_MS: u32 = 15;

/// What has been played, in packets and in steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Packets played.
    pub played: u64,
    /// Packets for which something else was heard.
    pub concealed: u64,
    /// Packets that came when their turn was over, or twice.
    pub late: u64,
    /// Packets that were left out since too many waited.
    pub skipped: u64,
    /// Times when the next packet had not come, and might still.
    pub starved: u64,
    /// Samples that were made up for what was lost or had not come.
    pub made_up: u64,
    /// Packets that were shortened …
    pub shortened: u64,
    /// … or lengthened, to change the delay.
    pub lengthened: u64,
}

/// The buffer and the decoder of one party.
///
/// ```text
///          packet, its time has come        nothing came for so long
/// Idle ─────────────────────────────▶ Playing ────────────────────────▶ Idle
/// ```
#[derive(Debug)]
pub struct Playout {
    clock_khz: u32,
    rate: Rate,
    packets: Packets,
    delay: Delay,
    decoder: Decoder,
    noise: ComfortNoise,
    /// Samples that were decoded and not pulled: `queue[..queued]`.
    queue: Box<[i16]>,
    queued: usize,
    state: State,
    /// Ticks of the latest packet …
    packet_ticks: u32,
    /// … and of the latest pull.
    pull_ticks: u32,
    tally: Tally,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Idle,
    Playing {
        /// The timestamp of what is decoded next.
        position: u32,
        /// What the party said last was that it says nothing.
        pause: Pause,
        /// Ticks filled since the latest packet …
        starved: u32,
        /// … and how many of them while its next one was waited for.
        held: u32,
    },
}

/// How a party is silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    /// It is not.
    No,
    /// The codec knows what that sounds like.
    Codec,
    /// As it described.
    Noise,
}

impl Playout {
    /// Nothing was heard yet; what will be comes out at `rate`.
    #[must_use]
    pub fn new(codec: Codec, rate: Rate, limits: DelayLimits) -> Self {
        // A packet of the longest and what is left of one before it, with a cycle more.
        let room = rate.samples_in(MAX_DECODED) * 2;
        Self {
            clock_khz: codec.clock_hz() / 1_000,
            rate,
            packets: Packets::new(),
            delay: Delay::new(codec.clock_hz(), limits),
            decoder: Decoder::new(codec, rate),
            noise: ComfortNoise::default(),
            queue: vec![0; room].into(),
            queued: 0,
            state: State::Idle,
            packet_ticks: USUAL_PULL_MS * codec.clock_hz() / 1_000,
            pull_ticks: USUAL_PULL_MS * codec.clock_hz() / 1_000,
            tally: Tally::default(),
        }
    }

    /// The rate of what comes out.
    #[must_use]
    pub const fn rate(&self) -> Rate {
        self.rate
    }

    /// What has been played.
    #[must_use]
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How late the sample that is pulled next would be now, after the fastest packet; none while nothing plays.
    #[must_use]
    pub fn delay_ms(&self, now: Instant) -> Option<i32> {
        match self.state {
            State::Idle => None,
            State::Playing { position, .. } => {
                let pulled_next = position.wrapping_sub(self.ticks(self.queued));
                Some(self.delay.of(now, pulled_next) / self.clock_khz as i32)
            }
        }
    }

    /// Takes a packet of the party's. `restarted` says that its numbers have nothing to do with those before.
    pub fn insert(&mut self, now: Instant, header: &Header, restarted: bool, kind: Kind, payload: &[u8]) {
        if restarted {
            self.packets.clear();
            self.delay.restart();
            self.state = State::Idle;
        }
        if matches!(kind, Kind::Audio | Kind::Muted) {
            self.delay.observe(now, header.timestamp);
        }
        match self.packets.insert(header.sequence, header.timestamp, kind, payload) {
            Inserted::Kept => self.resume(now, header.timestamp),
            Inserted::Late => self.tally.late += 1,
            Inserted::Jumped(given_up) => {
                self.tally.skipped += given_up as u64;
                self.state = State::Idle;
            }
        }
    }

    /// The first packet after nothing that is later than could be borne belongs to another time: the path has become
    /// longer, or the party's clock stood still while it said nothing (RFC 3550 §5.1 has it go on).
    fn resume(&mut self, now: Instant, timestamp: u32) {
        if self.packets.waiting() == 1 && self.delay.of(now, timestamp) > self.delay.max() as i32 {
            self.delay.restart();
            self.delay.observe(now, timestamp);
        }
    }

    /// Fills the next samples; false when the party says nothing, and need not be heard saying it.
    pub fn pull(&mut self, now: Instant, samples: &mut [i16]) -> bool {
        let mut filled = 0;
        self.pull_ticks = self.ticks(samples.len());
        self.keep_to_the_bound(now);
        while filled < samples.len() {
            if self.queued == 0 && !self.produce(now, filled) {
                break;
            }
            let taken = self.queued.min(samples.len() - filled);
            if let (Some(to), Some(from)) = (samples.get_mut(filled..filled + taken), self.queue.get(..taken))
            {
                to.copy_from_slice(from);
            }
            self.queue.copy_within(taken..self.queued, 0);
            self.queued -= taken;
            filled += taken;
        }
        samples.iter_mut().skip(filled).for_each(|sample| *sample = 0);
        filled > 0
    }

    /// Decodes or fills a piece into the empty queue, to be heard after `before` samples of this pull; false when there
    /// is nothing to be heard.
    fn produce(&mut self, now: Instant, before: usize) -> bool {
        self.pass_skipped();
        let State::Playing { position, pause, starved, held } = self.state else {
            return self.begin(now, before);
        };
        let Some((packet, missing)) = self.packets.first() else {
            return self.starve(now, position, pause, [starved, held]);
        };
        let ahead = packet.timestamp.wrapping_sub(position) as i32;
        let is_played = ahead <= 0 || missing == 0 && ahead < self.clock_khz as i32;
        match (missing, is_played) {
            (0, true) => self.play(now, before),
            // What was filled while nothing had come is a part of what is missing.
            (1.., _) if pause == Pause::No => self.fill_lost(position, held),
            _ => self.fill_pause(now, position, ahead.max(0) as u32, pause, missing),
        }
        true
    }

    /// What has only a number is done with when its turn comes.
    fn pass_skipped(&mut self) {
        while self.packets.next().is_some_and(|packet| packet.kind == Kind::Skipped) {
            self.packets.advance();
        }
    }

    /// The first packet after nothing: heard when those that come later than it would be in time, and those that the same
    /// pull needs are here.
    fn begin(&mut self, now: Instant, before: usize) -> bool {
        self.leave_out(now, self.delay.max() as i32);
        while self.packets.first().is_some_and(|(_, missing)| missing > 0) {
            self.packets.advance();
        }
        let Some(first) = self.packets.next() else { return false };
        let position = first.timestamp;
        let needed_later = self.pull_ticks.saturating_sub(self.ticks(before) + self.packet_ticks);
        if self.delay.of(now, position) < (self.delay.target() + needed_later) as i32 {
            return false;
        }
        self.state = State::Playing { position, pause: Pause::No, starved: 0, held: 0 };
        self.play(now, before);
        true
    }

    /// Decodes the next packet.
    fn play(&mut self, now: Instant, before: usize) {
        let Some(packet) = self.packets.next() else { return };
        let start = packet.timestamp;
        let pause = match packet.kind {
            Kind::ComfortNoise => {
                self.noise.describe(&packet.payload);
                self.packets.advance();
                self.tally.played += 1;
                self.state = State::Playing { position: start, pause: Pause::Noise, starved: 0, held: 0 };
                return;
            }
            // RFC 7587 §3.1.3: what is as short is the last for some time.
            _ if packet.payload.len() <= 2 => Pause::Codec,
            _ => Pause::No,
        };
        let room = self.queue.len() / 2;
        let decoded = self.queue.get_mut(..room).map(|queue| self.decoder.decode(&packet.payload, queue));
        self.queued = decoded.unwrap_or(0);
        if packet.kind == Kind::Muted {
            self.queue.iter_mut().take(self.queued).for_each(|sample| *sample = 0);
        }
        self.packets.advance();
        self.tally.played += 1;
        if self.queued > 0 {
            self.packet_ticks = self.ticks(self.queued);
        }
        let position = start.wrapping_add(self.ticks(self.queued));
        self.state = State::Playing { position, pause, starved: 0, held: 0 };
        self.adjust(now, start, before);
    }

    /// Brings the delay nearer to what it should be, by a cycle.
    fn adjust(&mut self, now: Instant, start: u32, before: usize) {
        let (delay, target) = (self.delay.of(now, start), self.delay.target() as i32);
        let khz = self.clock_khz as i32;
        // It is heard after what the pull had before. Less of that by a cycle is had for nothing: the next packet is
        // needed by the same pull.
        let heard_after = self.ticks(before) as i32;
        let heard =
            if heard_after >= stretch::MAX_CYCLE_MS as i32 * khz { delay + heard_after } else { delay };
        let may_grow = delay + (EARLY_MS as i32 + LATE_MS as i32) * khz < self.delay.max() as i32;
        if may_grow && self.is_overdue(now) {
            self.slow_down();
        } else if heard > target + LATE_MS as i32 * khz + self.longer_pull() {
            let before = self.queued;
            if let Some(frame) = self.queue.get_mut(..before) {
                self.queued = stretch::shorten(frame, self.rate);
            }
            self.tally.shortened += u64::from(self.queued < before);
        } else if delay < target - EARLY_MS as i32 * khz {
            self.slow_down();
        }
    }

    /// By how much a pull is longer than usual, in ticks.
    const fn longer_pull(&self) -> i32 {
        self.pull_ticks.saturating_sub(USUAL_PULL_MS * self.clock_khz) as i32
    }

    /// Whether the packet after the newest is later than packets usually are: the path stands still, and what is here
    /// should last.
    fn is_overdue(&self, now: Instant) -> bool {
        let Some(newest) = self.packets.newest() else { return false };
        let late = self.delay.of(now, newest.wrapping_add(self.packet_ticks));
        late > (self.delay.usual() + OVERDUE_MS * self.clock_khz) as i32
    }

    fn slow_down(&mut self) {
        let before = self.queued;
        self.queued = stretch::lengthen(&mut self.queue, before, self.rate);
        self.tally.lengthened += u64::from(self.queued > before);
    }

    /// Leaves out what waits when the delay is beyond all bounds, and what is waited for.
    fn keep_to_the_bound(&mut self, now: Instant) {
        // What is in the queue is heard before.
        let bound = self.delay.max() as i32 - self.ticks(self.queued) as i32;
        let State::Playing { position, .. } = &mut self.state else { return };
        match self.packets.first() {
            Some((first, _)) if self.delay.of(now, first.timestamp) > bound => self.leave_out(now, bound),
            _ => {
                let beyond = self.delay.of(now, *position) - bound;
                *position = position.wrapping_add(beyond.max(0).unsigned_abs());
            }
        }
    }

    /// Leaves out what waits, until the next packet would be no later than that.
    fn leave_out(&mut self, now: Instant, latest: i32) {
        while let Some((packet, missing)) = self.packets.first() {
            if self.delay.of(now, packet.timestamp) <= latest {
                break;
            }
            self.tally.skipped += u64::from(missing == 0);
            self.packets.advance();
        }
        match (self.packets.first(), &mut self.state) {
            (Some((packet, _)), State::Playing { position, .. }) => *position = packet.timestamp,
            _ => self.state = State::Idle,
        }
    }

    /// A packet is missing whose successors are here.
    fn fill_lost(&mut self, position: u32, held: u32) {
        let ticks = self.packet_ticks.saturating_sub(held);
        let samples = self.samples(ticks);
        self.packets.advance();
        self.tally.concealed += 1;
        if let Some(gap) = self.queue.get_mut(..samples) {
            match self.packets.next() {
                Some(next) if held == 0 && next.kind == Kind::Audio => {
                    self.decoder.recover(&next.payload, gap)
                }
                _ => self.decoder.conceal(gap),
            }
            self.queued = samples;
            self.tally.made_up += samples as u64;
        }
        let position = position.wrapping_add(self.packet_ticks);
        let held = held.saturating_sub(self.packet_ticks);
        self.state = State::Playing { position, pause: Pause::No, starved: held, held };
    }

    /// The next packet is here and begins later: nothing is said until then. Here the delay can be changed at will.
    fn fill_pause(&mut self, now: Instant, position: u32, ahead: u32, pause: Pause, missing: u16) {
        for _ in 0..missing {
            self.packets.advance();
        }
        if ahead > MAX_PAUSE_MS * self.clock_khz {
            self.state = State::Idle;
            self.fill(self.clock_khz * STEP_MS, pause);
            return;
        }
        let late = self.delay.of(now, position) - self.delay.target() as i32;
        let left_out = (late.max(0) as u32).min(ahead);
        let step = (ahead - left_out).min(STEP_MS * self.clock_khz);
        let is_early = late < -((EARLY_MS * self.clock_khz) as i32);
        if step > 0 {
            self.fill(step, pause);
        }
        let passed = left_out + if is_early { 0 } else { step };
        let position = position.wrapping_add(passed);
        self.state = State::Playing { position, pause, starved: 0, held: 0 };
    }

    /// Nothing is here.
    fn starve(&mut self, now: Instant, position: u32, pause: Pause, [starved, held]: [u32; 2]) -> bool {
        let step = STEP_MS * self.clock_khz;
        let passed = position.wrapping_add(step);
        let (position, starved, held) = match pause {
            Pause::No => {
                if starved >= MAX_STARVED_MS * self.clock_khz {
                    self.state = State::Idle;
                    return false;
                }
                self.tally.starved += u64::from(starved == 0);
                self.tally.made_up += self.samples(step) as u64;
                // It is waited for, as long as that may be.
                let waits = self.delay.of(now, position) < self.delay.max() as i32;
                if waits { (position, starved + step, held + step) } else { (passed, starved + step, held) }
            }
            Pause::Codec if starved >= MAX_PAUSE_MS * self.clock_khz => {
                self.state = State::Idle;
                return false;
            }
            Pause::Codec => (passed, starved + step, 0),
            Pause::Noise => (passed, 0, 0),
        };
        self.fill(step, pause);
        self.state = State::Playing { position, pause, starved, held };
        true
    }

    fn fill(&mut self, ticks: u32, pause: Pause) {
        let samples = self.samples(ticks);
        let Some(gap) = self.queue.get_mut(..samples) else { return };
        match pause {
            Pause::No | Pause::Codec => self.decoder.conceal(gap),
            Pause::Noise => self.noise.fill(gap),
        }
        self.queued = samples;
    }

    /// Ticks of so many samples.
    const fn ticks(&self, samples: usize) -> u32 {
        (samples as u64 * self.clock_khz as u64 * 1_000 / self.rate.hz() as u64) as u32
    }

    /// Samples of so many ticks, of a gap at most.
    fn samples(&self, ticks: u32) -> usize {
        let samples = u64::from(ticks) * u64::from(self.rate.hz()) / u64::from(self.clock_khz) / 1_000;
        (samples as usize).min(MAX_FRAME_SAMPLES).min(self.queue.len())
    }
}
