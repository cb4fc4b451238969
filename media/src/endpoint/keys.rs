//! The keys a party presses: told by telephone-events, heard in its audio, or handed over from its signalling; and those
//! pressed for it to hear.

use std::net::SocketAddr;
use std::time::Duration;

use tandem_time::Instant;

use crate::codec::{Decoder, MAX_DECODED, Rate};
use crate::collector::Keyed;
use crate::counters::Counters;
use crate::dtmf::{Detector, Edge};
use crate::event_queue::EventQueue;
use crate::keying::KeyPacket;
use crate::rtp::{HEADER_LEN, Header};
use crate::telephone_event::{EventBlock, Press};
use crate::{Codec, Digit, Event, InBand};

use super::{Endpoint, Inbound, MAX_PACKET_LEN};

/// A key that comes in one way is the same press as one of its kind that came another way so shortly before: phones
/// exist that tell a press by telephone-events or INFO, and play its tones as well.
const SAME_PRESS: Duration = Duration::from_millis(500);

/// Samples of the longest packet that is listened to; of a longer one the rest is not.
const MAX_HEARD: usize = Rate::Narrowband.samples_in(MAX_DECODED);
/// Samples of a key's tones in one packet.
const TONE_SAMPLES: usize = Rate::Narrowband.samples_in(Duration::from_millis(20));

/// Listens for keys in a party's audio.
#[derive(Debug)]
pub(super) struct Listener {
    codec: Codec,
    /// For codecs that are no G.711.
    decoder: Option<Decoder>,
    detector: Detector,
}

impl Listener {
    pub(super) fn new(codec: Codec) -> Self {
        let decoder = codec.law().is_none().then(|| Decoder::new(codec, Rate::Narrowband));
        Self { codec, decoder, detector: Detector::default() }
    }

    pub(super) const fn codec(&self) -> Codec {
        self.codec
    }

    fn hear(&mut self, payload: &[u8], tell: impl FnMut(Edge)) {
        match (self.codec.law(), &mut self.decoder) {
            (Some(law), _) => self.detector.hear(payload.iter().map(|it| law.decode(*it)), tell),
            (None, Some(decoder)) => {
                let mut samples = [0; MAX_HEARD];
                let count = decoder.decode(payload, &mut samples);
                self.detector.hear(samples.into_iter().take(count), tell);
            }
            (None, None) => {}
        }
    }
}

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
    ) -> Option<(Digit, Way)> {
        let digit = Digit::from_event(block.event)?;
        match self.presses.receive(now, header, block) {
            Press::Started => {
                let way = Way::TelephoneEvent;
                return self.key(now, digit, way, counters, events).then_some((digit, way));
            }
            Press::Held | Press::Released(_) => self.collector.held(now),
            Press::Repeated => {}
        }
        None
    }

    /// Looks for keys in a packet of audio. Of what got lost the detector knows nothing: a press of which a packet is
    /// missing is one press.
    pub(super) fn listen(
        &mut self,
        now: Instant,
        mut listener: Box<Listener>,
        packet: &[u8],
        inbound: &mut Inbound,
        counters: &mut Counters,
        events: &mut EventQueue,
    ) {
        let payload = packet.get(inbound.header.payload()).unwrap_or_default();
        listener.hear(payload, |edge| {
            inbound.rescheduled = true;
            match edge {
                Edge::Pressed(digit) => {
                    if self.key(now, digit, Way::Audio, counters, events) {
                        inbound.pressed = Some((digit, Way::Audio));
                    }
                }
                Edge::Released => self.collector.held(now),
            }
        });
        inbound.is_key = listener.detector.is_suspicious();
        self.in_band = Some(listener);
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
        let keep = self.bridge.is_none() && self.seat.is_none();
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

    /// Presses a key for the party to hear, unless something is played to it or the relay brings it the key as it came.
    pub(crate) fn press(&mut self, now: Instant, digit: Digit, came: Way, counters: &mut Counters) {
        let Some(agreed) = &self.agreed else { return };
        let takes_events = agreed.stream.send_event_payload_type.is_some();
        let takes_tones = agreed.stream.in_band == InBand::HeardAndSent;
        let is_wanted = match came {
            Way::TelephoneEvent if self.relays_events => !takes_events && takes_tones,
            Way::TelephoneEvent => takes_events || takes_tones,
            Way::Audio => takes_events,
            Way::Signalling => takes_events || takes_tones,
        };
        if is_wanted && self.playing.is_none() && !self.keying.press(now, digit) {
            counters.digits_dropped += 1;
        }
    }

    /// Writes a packet of a key that is pressed for the party.
    pub(super) fn write_key(
        &mut self,
        now: Instant,
        key: KeyPacket,
        buffer: &mut [u8; MAX_PACKET_LEN],
    ) -> Option<(SocketAddr, usize)> {
        let agreed = self.agreed.as_ref()?;
        let destination = agreed.send_to()?;
        let (ticks, clock_hz) = (agreed.packet_ticks, agreed.stream.event_clock_hz);
        let Some(payload_type) = agreed.stream.send_event_payload_type else {
            let mut samples = [0; TONE_SAMPLES];
            samples.iter_mut().zip(key.sound()).for_each(|(to, from)| *to = from);
            let written = self.write_audio(now, &samples, Rate::Narrowband, buffer);
            if key.is_last() {
                self.outgoing.resynchronise();
            }
            return written;
        };
        let payload = buffer.get_mut(HEADER_LEN..)?;
        let block = key.payload(clock_hz);
        payload.get_mut(..block.len())?.copy_from_slice(&block);
        let stamp = if key.is_first() {
            self.outgoing.begin_event(now, ticks, payload_type)
        } else {
            self.outgoing.go_on_with_event(payload_type)
        };
        if key.is_last() {
            self.outgoing.resynchronise();
        }
        stamp.write(buffer);
        self.record_heard(now, &stamp, false, &[]);
        let len = self.guard.protect_rtp(buffer, HEADER_LEN + block.len())?;
        self.outgoing.sent(block.len());
        Some((destination, len))
    }
}
