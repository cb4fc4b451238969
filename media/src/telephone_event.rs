//! Key presses out of telephone-event packets (RFC 4733 §2.3, §2.5).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |     event     |E|R| volume    |          duration             |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```
//!
//! Every packet of an event carries the timestamp of its start, so the timestamp names the press: whichever packet
//! of it comes first reports it, all others are repetitions, be they updates, retransmitted ends or duplicates.

use std::fmt;
use std::time::Duration;

use tandem_time::Instant;

use crate::rtp::Header;

/// The event block of a telephone-event payload (RFC 4733 §2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventBlock {
    /// The event code: 0 to 15 are digits (§3.2).
    pub event: u8,
    /// Whether the event has ended.
    pub end: bool,
    /// How long it lasted so far, in timestamp units.
    pub duration: u16,
}

impl EventBlock {
    /// Reads the first block of a payload; senders of several (§2.5.1.5) put the current one first.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let &[event, flags, high, low] = payload.first_chunk()?;
        Some(Self { event, end: flags & 0x80 != 0, duration: u16::from_be_bytes([high, low]) })
    }
}

/// What a telephone-event packet means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Press {
    /// A key went down: the first packet of an event.
    Started,
    /// The key is still down.
    Held,
    /// The key went up, after so long.
    Released(Duration),
    /// Nothing new: retransmitted, duplicated or late.
    Repeated,
}

/// A key is up when its event was silent for so long: its end packets were lost (RFC 4733 §2.5.2.2 leaves the
/// interval open; senders update every 50 ms or less).
pub const RELEASED_BY_SILENCE: Duration = Duration::from_millis(150);

/// Detection of presses in one source's telephone-events.
///
/// ```text
///        new timestamp             E bit, or RELEASED_BY_SILENCE
/// Up ───────────────────► Down ─────────────────────────────────► Up
///  ▲   same or older timestamp: repeated │ same timestamp: held
/// ```
#[derive(Clone)]
pub struct PressDetector {
    /// Ticks of a millisecond.
    clock_khz: u32,
    /// The latest event's timestamp; none before the first.
    latest: Option<u32>,
    key: Key,
}

#[derive(Clone, Copy, Default)]
enum Key {
    #[default]
    Up,
    Down {
        event: u8,
        duration: u16,
        /// Ticks of the segments before, of a press longer than a duration field can say (§2.5.1.3).
        segments: u32,
        seen_at: Instant,
    },
}

impl Default for PressDetector {
    /// For a clock of 8 kHz.
    fn default() -> Self {
        Self { clock_khz: 8, latest: None, key: Key::Up }
    }
}

impl PressDetector {
    /// Durations are by a clock of `clock_hz` from now on.
    pub const fn set_clock(&mut self, clock_hz: u32) {
        self.clock_khz = clock_hz / 1_000;
    }

    /// Takes a telephone-event packet.
    pub fn receive(&mut self, now: Instant, header: &Header, block: EventBlock) -> Press {
        let step = self.latest.map(|latest| header.timestamp.wrapping_sub(latest) as i32);
        match (step, self.key) {
            (Some(..0), _) | (Some(0), Key::Up) => Press::Repeated,
            (Some(0), Key::Down { event, duration, segments, .. }) if event == block.event => {
                self.hold(now, block, duration.max(block.duration), segments)
            }
            (Some(0), Key::Down { .. }) => Press::Repeated,
            (Some(step), Key::Down { event, segments, seen_at, .. })
                if event == block.event && continues(step, seen_at, now) =>
            {
                self.latest = Some(header.timestamp);
                self.hold(now, block, block.duration, segments.saturating_add(u32::from(u16::MAX)))
            }
            _ => {
                self.latest = Some(header.timestamp);
                self.hold(now, block, block.duration, 0);
                Press::Started
            }
        }
    }

    fn hold(&mut self, now: Instant, block: EventBlock, duration: u16, segments: u32) -> Press {
        if block.end {
            self.key = Key::Up;
            let ticks = segments.saturating_add(u32::from(duration));
            return Press::Released(Duration::from_micros(
                u64::from(ticks) * 1_000 / u64::from(self.clock_khz),
            ));
        }
        self.key = Key::Down { event: block.event, duration, segments, seen_at: now };
        Press::Held
    }

    /// Forgets the latest timestamp: the source restarted, and its timestamps may start lower.
    pub const fn restart(&mut self) {
        (self.latest, self.key) = (None, Key::Up);
    }
}

impl fmt::Debug for PressDetector {
    /// Shows whether a key is down, never which: the digits may be a card number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = match self.key {
            Key::Up => "up",
            Key::Down { .. } => "down",
        };
        f.debug_struct("PressDetector").field("latest", &self.latest).field("key", &key).finish()
    }
}

/// Whether an event is the next segment of the one before (RFC 4733 §2.5.1.3): contiguous, and without a pause.
fn continues(step: i32, seen_at: Instant, now: Instant) -> bool {
    step == i32::from(u16::MAX) && now - seen_at < RELEASED_BY_SILENCE
}
