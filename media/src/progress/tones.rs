//! Bursts of tones and what their cadence says: ITU-T E.180 §5 and its supplement 2 for ringing, busy, congestion and
//! special information tones, T.30 §4.3.3 for fax.
//!
//! Frequencies differ from country to country (350 to 620 Hz, one or two), so it is the cadence that counts.

use super::meter::{FRAME_MS, Pitch};
use super::spans::{Kind, Span};
use super::{SpecialInformation, Verdict};

/// A tone of less is none: vowels are that steady, too.
const MIN_BURST_MS: u32 = 90;
/// Sound in between that is no weaker than a burst by so much ends a cadence.
const LOUD_DB: f32 = 12.0;
/// Frequencies of ringing, busy and congestion tones.
const PROGRESS_HZ: std::ops::RangeInclusive<f32> = 330.0..=680.0;
/// A ring: 0.7 s at least (1 s in Europe, 2 s in North America), or two of 0.4 s (Britain, Australia).
const RING_MS: std::ops::RangeInclusive<u32> = 700..=3_000;
const SHORT_RING_MS: std::ops::RangeInclusive<u32> = 330..=480;
const SHORT_RING_PAUSE_MS: std::ops::RangeInclusive<u32> = 130..=270;
/// The pause between rings is longer than any of busy and congestion tones.
const MIN_RING_PAUSE_MS: u32 = 950;
/// On and off of a busy tone, from 0.33 s (Italy has 0.5, China 0.35).
const BUSY_MS: std::ops::RangeInclusive<u32> = 310..=800;
/// On and off of a reorder or congestion tone (0.2 to 0.25 s).
const REORDER_MS: std::ops::RangeInclusive<u32> = 130..=300;
/// Britain's congestion tone, on and off in turn.
const BRITISH_CONGESTION_MS: [u32; 4] = [400, 350, 225, 525];
/// How exactly a cadence is kept.
const CADENCE_TOLERANCE_MS: u32 = 60;
const BUSY_CYCLES: usize = 2;
const REORDER_CYCLES: usize = 3;
/// T.30 §4.3.3.3: 1100 Hz ± 38 Hz for 0.5 s ± 15 %.
const CNG_HZ: std::ops::RangeInclusive<f32> = 1_062.0..=1_138.0;
const CNG_MS: std::ops::RangeInclusive<u32> = 420..=580;
/// Its pause is 3 s ± 15 %; so much of it is enough.
const MIN_CNG_PAUSE_MS: u32 = 700;
/// T.30 §4.3.3.2: 2100 Hz ± 15 Hz for 2.6 to 4 s; Bell modems answer with 2225 Hz.
const CED_HZ: std::ops::RangeInclusive<f32> = 2_080.0..=2_250.0;
const MIN_CED_MS: u32 = 800;
/// A beep that ends a greeting.
const BEEP_HZ: std::ops::RangeInclusive<f32> = 350.0..=2_600.0;
const BEEP_MS: std::ops::RangeInclusive<u32> = 100..=3_500;
const BEEP_MIN_LEVEL_DBM0: f32 = -38.0;
/// It is purer and steadier than a voice.
const BEEP_MIN_SHARE: f32 = 0.9;
const BEEP_MAX_WANDER: f32 = 0.015;
/// So much quiet follows it.
const MIN_BEEP_PAUSE_MS: u32 = 120;
/// The three tones of special information: 950, 1400 and 1800 Hz ± 50 Hz, 330 ms ± 70 ms each, 30 ms apart at most.
const SPECIAL_HZ: [std::ops::RangeInclusive<f32>; 3] =
    [890.0..=1_010.0, 1_340.0..=1_460.0, 1_740.0..=1_860.0];
const SPECIAL_MS: std::ops::RangeInclusive<u32> = 220..=450;
const MAX_SPECIAL_GAP_MS: u32 = 70;
/// So much of the last one is enough.
const MIN_SPECIAL_LAST_MS: u32 = 200;

/// Bursts that are remembered: enough for three cycles and the one under way.
const MAX_BURSTS: usize = 6;

/// What tones say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ToneEvent {
    /// A ring has ended, and nothing else has followed at once.
    Rings,
    Busy,
    Reorder,
    Special(SpecialInformation),
    Fax,
    /// A beep after speech.
    Beep,
}

impl ToneEvent {
    /// What it says of who answers.
    pub(super) const fn verdict(self) -> Option<Verdict> {
        match self {
            Self::Busy => Some(Verdict::Busy),
            Self::Reorder => Some(Verdict::Reorder),
            Self::Special(kind) => Some(Verdict::SpecialInformation(kind)),
            Self::Fax => Some(Verdict::Fax),
            Self::Rings | Self::Beep => None,
        }
    }
}

/// A tone that was long enough.
#[derive(Clone, Copy, Debug)]
struct Burst {
    pitch: Pitch,
    from: u32,
    until: u32,
    level_dbm0: f32,
    wander: f32,
    /// Whether somebody had spoken before.
    after_speech: bool,
}

impl Burst {
    const fn of(span: &Span, pitch: Pitch, after_speech: bool) -> Self {
        let Span { from, until, level_dbm0, wander, .. } = *span;
        Self { pitch, from, until, level_dbm0, wander, after_speech }
    }

    const fn on_ms(&self) -> u32 {
        (self.until - self.from) * FRAME_MS
    }

    fn is_single(&self, hz: &std::ops::RangeInclusive<f32>) -> bool {
        self.pitch.high_hz.is_none() && hz.contains(&self.pitch.low_hz)
    }

    fn is_progress_tone(&self) -> bool {
        PROGRESS_HZ.contains(&self.pitch.low_hz)
            && self.pitch.high_hz.is_none_or(|high| PROGRESS_HZ.contains(&high))
    }
}

/// The latest bursts, and what is told of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Tones {
    bursts: [Option<Burst>; MAX_BURSTS],
    /// Whether the pause after the latest burst has told all it can.
    is_told: bool,
}

impl Tones {
    /// Takes what the latest frame ended and what goes on.
    pub(super) fn push(
        &mut self,
        now: u32,
        ended: Option<&Span>,
        current: &Span,
        after_speech: bool,
    ) -> Option<ToneEvent> {
        if let Some(span) = ended {
            self.ended(span, after_speech);
        }
        match current.pitch() {
            Some(pitch) if ms(current.frames()) >= MIN_BURST_MS => {
                let ongoing = Burst::of(current, pitch, after_speech);
                self.during(&ongoing, ms(current.frames()) == MIN_BURST_MS)
            }
            _ => self.after(now),
        }
    }

    /// Whether it may just be ringing: a tone as of ringing sounds for no longer than a ring, or has paused for less than a ring's pause.
    pub(super) fn may_ring(&self, now: u32, current: &Span) -> bool {
        let is_ring = |burst: Burst| !burst.after_speech && burst.is_progress_tone();
        match current.pitch() {
            Some(pitch) if (MIN_BURST_MS..*RING_MS.end()).contains(&ms(current.frames())) => {
                is_ring(Burst::of(current, pitch, false))
            }
            _ => self.latest().is_some_and(|it| is_ring(it) && ms(now - it.until) <= MIN_RING_PAUSE_MS),
        }
    }

    fn ended(&mut self, span: &Span, after_speech: bool) {
        let latest = self.latest();
        match span.kind {
            Kind::Tone(pitch) if ms(span.frames()) >= MIN_BURST_MS => {
                self.bursts.rotate_left(1);
                self.bursts[MAX_BURSTS - 1] = Some(Burst::of(span, pitch, after_speech));
                self.is_told = false;
            }
            Kind::Quiet => {}
            _ => {
                let is_loud = latest.is_some_and(|burst| span.level_dbm0 > burst.level_dbm0 - LOUD_DB);
                if is_loud && ms(span.frames()) > CADENCE_TOLERANCE_MS {
                    self.bursts = Default::default();
                }
            }
        }
    }

    fn latest(&self) -> Option<Burst> {
        self.bursts[MAX_BURSTS - 1]
    }

    /// While a tone sounds; `has_begun` is when it has just become a burst.
    fn during(&self, ongoing: &Burst, has_begun: bool) -> Option<ToneEvent> {
        if ongoing.is_single(&CED_HZ) && ongoing.on_ms() >= MIN_CED_MS {
            return Some(ToneEvent::Fax);
        }
        if ongoing.on_ms() == MIN_SPECIAL_LAST_MS
            && let Some(kind) = self.special(ongoing)
        {
            return Some(ToneEvent::Special(kind));
        }
        if has_begun && !ongoing.after_speech { self.cadence(ongoing) } else { None }
    }

    /// In the pause after a burst.
    fn after(&mut self, now: u32) -> Option<ToneEvent> {
        let latest = self.latest().filter(|_| !self.is_told)?;
        let pause_ms = ms(now - latest.until);
        let event = if latest.after_speech {
            self.is_beep(&latest, pause_ms).then_some(ToneEvent::Beep)
        } else if latest.is_single(&CNG_HZ) && CNG_MS.contains(&latest.on_ms()) {
            (pause_ms >= MIN_CNG_PAUSE_MS).then_some(ToneEvent::Fax)
        } else {
            (pause_ms >= MIN_RING_PAUSE_MS && self.is_ring(&latest)).then_some(ToneEvent::Rings)
        };
        self.is_told = event.is_some();
        event
    }

    fn is_beep(&self, burst: &Burst, pause_ms: u32) -> bool {
        burst.is_single(&BEEP_HZ)
            && BEEP_MS.contains(&burst.on_ms())
            && burst.level_dbm0 >= BEEP_MIN_LEVEL_DBM0
            && burst.pitch.share >= BEEP_MIN_SHARE
            && burst.wander <= BEEP_MAX_WANDER
            && pause_ms >= MIN_BEEP_PAUSE_MS
    }

    fn is_ring(&self, latest: &Burst) -> bool {
        if !latest.is_progress_tone() {
            return false;
        }
        let is_second = || {
            let before = self.bursts[MAX_BURSTS - 2];
            before.is_some_and(|before| {
                SHORT_RING_MS.contains(&before.on_ms())
                    && SHORT_RING_PAUSE_MS.contains(&ms(latest.from - before.until))
                    && before.pitch.is_like(&latest.pitch)
            })
        };
        RING_MS.contains(&latest.on_ms()) || (SHORT_RING_MS.contains(&latest.on_ms()) && is_second())
    }

    /// What the bursts before this one say, which begins.
    fn cadence(&self, ongoing: &Burst) -> Option<ToneEvent> {
        if !ongoing.is_progress_tone() {
            return None;
        }
        // On and off of the cycles, the latest first, as long as the tone is the same.
        let mut cycles = [(0, 0); MAX_BURSTS];
        let mut known = 0;
        let mut next = *ongoing;
        for burst in self.bursts.iter().rev().map_while(|burst| *burst) {
            if !burst.pitch.is_like(&ongoing.pitch) {
                break;
            }
            cycles[known] = (burst.on_ms(), ms(next.from - burst.until));
            known += 1;
            next = burst;
        }
        let cycles = cycles.get(..known)?;
        let steady = |range: &std::ops::RangeInclusive<u32>, count: usize| {
            cycles.len() >= count
                && cycles.iter().take(count).all(|(on, off)| {
                    range.contains(on) && range.contains(off) && on.abs_diff(*off) <= 2 * CADENCE_TOLERANCE_MS
                })
        };
        if is_british_congestion(cycles) {
            return Some(ToneEvent::Reorder);
        }
        if steady(&BUSY_MS, BUSY_CYCLES) {
            return Some(ToneEvent::Busy);
        }
        steady(&REORDER_MS, REORDER_CYCLES).then_some(ToneEvent::Reorder)
    }

    /// The kind of special information that the last three bursts are.
    fn special(&self, last: &Burst) -> Option<SpecialInformation> {
        let (first, second) = (self.bursts[MAX_BURSTS - 2]?, self.bursts[MAX_BURSTS - 1]?);
        let bursts = [&first, &second, last];
        let is_right = bursts.iter().zip(&SPECIAL_HZ).all(|(burst, hz)| burst.is_single(hz));
        let is_joined = bursts.windows(2).all(|pair| ms(pair[1].from - pair[0].until) <= MAX_SPECIAL_GAP_MS);
        let is_long_enough = [&first, &second].iter().all(|burst| SPECIAL_MS.contains(&burst.on_ms()));
        (is_right && is_joined && is_long_enough).then(|| special_information(&first, &second))
    }
}

fn is_british_congestion(cycles: &[(u32, u32)]) -> bool {
    let [(on_2, off_2), (on_1, off_1), ..] = cycles else { return false };
    let heard = [*on_1, *off_1, *on_2, *off_2];
    let fits = |from: usize| {
        let due = BRITISH_CONGESTION_MS.iter().cycle().skip(from);
        heard.iter().zip(due).all(|(heard, due)| heard.abs_diff(*due) <= CADENCE_TOLERANCE_MS)
    };
    fits(0) || fits(2)
}

/// Which of its kinds it is, by the frequencies of the first two tones, each low or high, and by how long they are, short
/// or long (Telcordia GR-1162).
fn special_information(first: &Burst, second: &Burst) -> SpecialInformation {
    const NEAR_HZ: f32 = 22.0;
    const LONG_MS: u32 = 327;
    let is_high = |burst: &Burst, low: f32, high: f32| {
        let hz = burst.pitch.low_hz;
        let is = |nominal: f32| (hz - nominal).abs() <= NEAR_HZ;
        if is(high) { Some(true) } else { is(low).then_some(false) }
    };
    let is_long = |burst: &Burst| burst.on_ms() >= LONG_MS;
    let highs = is_high(first, 913.8, 985.2).zip(is_high(second, 1_370.6, 1_428.5));
    match (highs, (is_long(first), is_long(second))) {
        (Some((false, false)), (false, false)) => SpecialInformation::Intercept,
        (Some((true, false)), (true, false)) => SpecialInformation::VacantCode,
        (Some((true, false) | (false, true)), (false, true)) => SpecialInformation::Reorder,
        (Some((true, true) | (false, false)), (true, true)) => SpecialInformation::NoCircuit,
        _ => SpecialInformation::Other,
    }
}

const fn ms(frames: u32) -> u32 {
    frames * FRAME_MS
}
