//! Keys that are pressed for one party and came by another way than it takes them: telephone events towards it
//! (RFC 4733 §2.5.1), or tones (ITU-T Q.23).
//!
//! ```text
//!        press            [`HELD`] packets, and the end [`ENDS`] times          [`PAUSE`]
//! Idle ────────▶ Down ────────────────────────────────────────────▶ Up ────────▶ Idle, or Down with the next key
//! ```
//!
//! Every packet of a press bears the timestamp of its start. What else the party would hear is held back meanwhile, as
//! a phone would do whose user presses a key.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use tandem_time::Instant;

use crate::Digit;
use crate::codec::Rate;
use crate::tone::Burst;

/// Between two packets of a press.
const INTERVAL: Duration = Duration::from_millis(20);
/// Milliseconds of it.
const INTERVAL_MS: u16 = 20;
/// Samples of it.
const SAMPLES: usize = 160;
/// Packets of a key that is down.
const HELD: u16 = 5;
/// How often the end is said (§2.5.1.4).
const ENDS: u16 = 3;
/// Between two presses: networks and peers want some silence.
const PAUSE: Duration = Duration::from_millis(60);
/// Keys that wait for the one before them; more are dropped and counted.
pub(crate) const MAX_WAITING: usize = 32;

/// The keys to be pressed.
#[derive(Default)]
pub(crate) struct Keying {
    waiting: VecDeque<Digit>,
    key: Key,
    /// A packet is to be sent.
    is_due: bool,
}

#[derive(Clone, Copy, Default)]
enum Key {
    #[default]
    Idle,
    Down {
        digit: Digit,
        /// Packets so far.
        sent: u16,
        next: Instant,
    },
    Up {
        until: Instant,
    },
}

/// One packet of a press.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyPacket {
    digit: Digit,
    sent: u16,
}

impl KeyPacket {
    pub(crate) const fn is_first(self) -> bool {
        self.sent == 0
    }

    pub(crate) const fn is_last(self) -> bool {
        self.sent + 1 == HELD + ENDS
    }

    /// The same press as 20 ms of tones, or of the silence that follows them.
    pub(crate) fn sound(self) -> impl Iterator<Item = i16> {
        let mut burst = Burst::digit(self.digit, Rate::Narrowband);
        let is_down = self.sent < HELD;
        let before = usize::from(self.sent) * SAMPLES;
        std::iter::repeat_with(move || if is_down { burst.next_sample() } else { 0 })
            .skip(before)
            .take(SAMPLES)
    }

    /// The event block (§2.3), at a volume of -10 dBm0, its duration by a clock of `clock_hz`.
    pub(crate) fn payload(self, clock_hz: u32) -> [u8; 4] {
        let end = if self.sent >= HELD { 0x80 } else { 0 };
        let [high, low] =
            ((self.sent + 1).min(HELD + 1) * INTERVAL_MS * (clock_hz / 1_000) as u16).to_be_bytes();
        [self.digit.event(), end | 10, high, low]
    }
}

impl Keying {
    /// Takes a key; false when too many wait.
    pub(crate) fn press(&mut self, now: Instant, digit: Digit) -> bool {
        if matches!(self.key, Key::Idle) {
            self.key = Key::Down { digit, sent: 0, next: now };
            return true;
        }
        let has_room = self.waiting.len() < MAX_WAITING;
        if has_room {
            self.waiting.push_back(digit);
        }
        has_room
    }

    /// Whether a key is down.
    pub(crate) const fn is_down(&self) -> bool {
        matches!(self.key, Key::Down { .. })
    }

    pub(crate) const fn is_due(&self) -> bool {
        self.is_due
    }

    pub(crate) const fn deadline(&self) -> Option<Instant> {
        match self.key {
            Key::Idle => None,
            Key::Down { next: at, .. } | Key::Up { until: at } => Some(at),
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if let Key::Up { until } = self.key
            && until <= now
        {
            self.key = match self.waiting.pop_front() {
                Some(digit) => Key::Down { digit, sent: 0, next: now },
                None => Key::Idle,
            };
        }
        if let Key::Down { digit, sent, next } = self.key
            && next <= now
        {
            self.is_due = true;
            self.key = Key::Down { digit, sent, next: now + INTERVAL };
        }
    }

    /// The packet that is due.
    pub(crate) fn next_packet(&mut self) -> Option<KeyPacket> {
        if !std::mem::take(&mut self.is_due) {
            return None;
        }
        let Key::Down { digit, sent, next } = self.key else { return None };
        let packet = KeyPacket { digit, sent };
        self.key = if packet.is_last() {
            Key::Up { until: next + PAUSE }
        } else {
            Key::Down { digit, sent: sent + 1, next }
        };
        Some(packet)
    }
}

impl fmt::Debug for Keying {
    /// Shows how many keys there are, never which.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keying({} wait)", self.waiting.len() + usize::from(self.is_down()))
    }
}
