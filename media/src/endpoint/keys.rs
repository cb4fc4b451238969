//! The keys a party presses: told by telephone-events, heard in its audio, or handed over from its signalling; and those
//! pressed for it to hear.

use std::time::Duration;

use tandem_time::Instant;

use crate::collector::Keyed;
use crate::counters::Counters;
use crate::dtmf::{Detector, Edge};
use crate::event_queue::EventQueue;
use crate::rtp::Header;
use crate::telephone_event::{EventBlock, Press};
use crate::{Codec, Digit, Event};

use super::Endpoint;

/// A key that comes in one way is the same press as one of its kind that came another way so shortly before: phones
/// exist that tell a press by telephone-events or INFO, and play its tones as well.
const SAME_PRESS: Duration = Duration::from_millis(500);

/// How a key is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    TelephoneEvent,
    Audio,
    Signalling,
}

/// The latest press.
#[derive(Clone, Copy)]
pub(super) struct Pressed {
    digit: Digit,
    way: Way,
    at: Instant,
}

impl std::fmt::Debug for Pressed {
    /// Shows how it came, never which it was.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pressed({:?})", self.way)
    }
}

impl Endpoint {
    pub(super) fn receive_event(
        &mut self,
        now: Instant,
        header: &Header,
        block: EventBlock,
        counters: &mut Counters,
        events: &mut EventQueue,
    ) {
        let Some(digit) = Digit::from_event(block.event) else { return };
        match self.presses.receive(now, header, block) {
            Press::Started => {
                self.key(now, digit, Way::TelephoneEvent, counters, events);
            }
            Press::Held | Press::Released(_) => self.collector.held(now),
            Press::Repeated => {}
        }
    }

    /// Looks for keys in a packet of audio; whether there was one. Of what got lost the detector knows nothing: a
    /// press of which a packet is missing is one press.
    pub(super) fn listen(
        &mut self,
        now: Instant,
        mut detector: Box<Detector>,
        codec: Codec,
        payload: &[u8],
        counters: &mut Counters,
        events: &mut EventQueue,
    ) -> bool {
        let mut keyed = false;
        detector.hear(payload.iter().map(|character| codec.decode(*character)), |edge| {
            keyed = true;
            match edge {
                Edge::Pressed(digit) => {
                    self.key(now, digit, Way::Audio, counters, events);
                }
                Edge::Released => self.collector.held(now),
            }
        });
        self.in_band = Some(detector);
        keyed
    }

    /// A key was pressed; false when that press was told already.
    pub(crate) fn key(
        &mut self,
        now: Instant,
        digit: Digit,
        way: Way,
        counters: &mut Counters,
        events: &mut EventQueue,
    ) -> bool {
        let is_told = |last: Pressed| last.digit == digit && last.way != way && now - last.at < SAME_PRESS;
        if self.pressed.is_some_and(is_told) {
            return false;
        }
        self.pressed = Some(Pressed { digit, way, at: now });
        self.digits_received = self.digits_received.saturating_add(1);
        let keep = self.bridge.is_none();
        let (told, barges_in, outcome) = match self.collector.digit(now, digit, keep) {
            Keyed::Collected { told, outcome } => (told, true, outcome),
            Keyed::Swallowed { told } => (told, false, None),
            Keyed::TypedAhead => (true, true, None),
            Keyed::Passed => {
                counters.digits_dropped += u64::from(keep);
                (true, true, None)
            }
        };
        if told && !events.push_optional(Event::Digit { endpoint: self.id, digit }) {
            counters.events_dropped += 1;
        }
        if barges_in {
            self.barge_in(now, events);
        }
        self.report(outcome, events);
        true
    }

    /// Presses a key for the party to hear, if it takes telephone events and nothing is played to it.
    pub(crate) fn press(&mut self, now: Instant, digit: Digit, counters: &mut Counters) {
        let takes_events =
            self.agreed.as_ref().is_some_and(|agreed| agreed.stream.send_event_payload_type.is_some());
        if takes_events && self.playing.is_none() && !self.keying.press(now, digit) {
            counters.digits_dropped += 1;
        }
    }
}
