//! An endpoint that is recorded: its packets, as they come and go, are copied to the [`Tap`].
//!
//! Keys are not kept: neither telephone-events nor what is a key in the party's audio. While a collection is under way
//! that nobody may watch, and until its last key has long been let go, nothing is kept of what the party says.

use std::time::Duration;

use tandem_time::Instant;

use super::{Endpoint, Inbound, Payload};
use crate::recorder::{Numbers, Tap};
use crate::rtp::{HEADER_LEN, Stamp};

/// A key that ended a collection may be held, and sound, for so long after it was last heard of.
const KEY_LET_GO: Duration = Duration::from_millis(500);

/// A recording of an endpoint.
#[derive(Debug)]
pub(super) struct Recording {
    tap: Tap,
    /// The party is not kept until then, see the module.
    private_until: Option<Instant>,
}

impl Endpoint {
    /// Begins a recording; one under way ends.
    pub(crate) fn record(&mut self, now: Instant, mut tap: Tap) {
        self.stop_recording(now);
        tap.begin(now, self.codec());
        self.recording = Some(Box::new(Recording { tap, private_until: None }));
    }

    pub(crate) fn pause_recording(&mut self, now: Instant, pause: bool) {
        let Some(recording) = &mut self.recording else { return };
        if pause { recording.tap.pause(now) } else { recording.tap.resume(now) }
    }

    pub(crate) fn stop_recording(&mut self, now: Instant) {
        if let Some(mut recording) = self.recording.take() {
            recording.tap.pass(now);
        }
    }

    /// Keeps what the party says.
    #[inline]
    pub(super) fn record_said(&mut self, now: Instant, inbound: &Inbound, packet: &[u8]) {
        let Some(recording) = &mut self.recording else { return };
        let is_collecting = self.collector.is_sensitive(now);
        let is_key = inbound.hides_key();
        let is_private = recording.private_until.is_some_and(|until| now < until);
        if is_collecting || is_private && is_key {
            recording.private_until = Some(now + KEY_LET_GO);
        }
        let codec = self.agreed.as_ref().map(|agreed| agreed.stream.codec);
        let Some(codec) = codec else { return };
        let is_kept =
            matches!(inbound.payload, Payload::Audio(_)) && !is_key && !is_collecting && !is_private;
        let payload = if is_kept { packet.get(inbound.header.payload()).unwrap_or_default() } else { &[] };
        let numbers = Numbers {
            sequence: inbound.header.sequence,
            timestamp: inbound.header.timestamp,
            restarted: inbound.restarted,
        };
        recording.tap.said(now, codec, numbers, payload);
    }

    /// Keeps a packet that is relayed to the party.
    #[inline]
    pub(super) fn record_relayed(&mut self, at: Instant, inbound: &Inbound, stamp: &Stamp, packet: &[u8]) {
        let is_audio = matches!(inbound.payload, Payload::Audio(_)) && !inbound.hides_key();
        self.record_heard(at, stamp, is_audio, packet);
    }

    /// Keeps a packet that goes to the party, before it is protected.
    #[inline]
    pub(super) fn record_heard(&mut self, at: Instant, stamp: &Stamp, is_audio: bool, packet: &[u8]) {
        let Some(recording) = &mut self.recording else { return };
        let Some(agreed) = &self.agreed else { return };
        let payload = if is_audio { packet.get(HEADER_LEN..).unwrap_or_default() } else { &[] };
        let numbers = Numbers { sequence: stamp.sequence, timestamp: stamp.timestamp, restarted: false };
        recording.tap.heard(at, agreed.stream.codec, stamp.ssrc, numbers, payload);
    }
}

impl Inbound {
    /// Whether it is a key, however it is told.
    const fn hides_key(&self) -> bool {
        self.is_key || matches!(self.payload, Payload::TelephoneEvent(_))
    }
}
