//! Call-progress analysis of what an endpoint receives: packets as they come, with silence where none did.

use std::time::Duration;

use tandem_time::Instant;

use crate::codec::{Decoder, MAX_DECODED, Rate};
use crate::event_queue::EventQueue;
use crate::progress::{Analyser, Evidence, Finding, ProgressRules};
use crate::rtp::Header;
use crate::{Audio, Codec, EndpointId, Event};

use super::{Endpoint, Inbound};

/// Who sends nothing for so long is taken for silent (DTX, or no media at all).
const ABSENCE: Duration = Duration::from_millis(500);
const ABSENT_SAMPLES: usize = Rate::Narrowband.samples_in(ABSENCE);
/// Samples of the longest packet that is listened to; of a longer one the rest is not.
const MAX_HEARD: usize = Rate::Narrowband.samples_in(MAX_DECODED);
/// A step of so many samples is what got lost or was silent; beyond it they began anew.
const MAX_STEP: i32 = 16_000;
/// A step back up to this is a packet that comes late, whose place is taken.
const MAX_LATE: i32 = -2_400;

/// An analysis under way.
#[derive(Debug)]
pub(super) struct Listening {
    analyser: Analyser,
    /// Decodes what is no G.711.
    decoder: Option<(Codec, Decoder)>,
    /// The source, and the timestamp that its next packet should have.
    next: Option<(u32, u32)>,
    heard_at: Instant,
}

impl Listening {
    pub(super) fn new(now: Instant, rules: ProgressRules, is_answered: bool) -> Self {
        let analyser = Analyser::new(rules.clamped(), is_answered);
        Self { analyser, decoder: None, next: None, heard_at: now }
    }

    pub(super) fn answered(&mut self) {
        self.analyser.answered();
    }

    /// Takes a packet of the party's.
    pub(super) fn hear(&mut self, now: Instant, header: &Header, codec: Codec, payload: &[u8]) {
        self.heard_at = now;
        let ticks_per_sample = codec.clock_hz() / Audio::RATE_HZ;
        let step = match self.next {
            Some((ssrc, next)) if ssrc == header.ssrc => {
                header.timestamp.wrapping_sub(next) as i32 / ticks_per_sample as i32
            }
            _ => 0,
        };
        match step {
            MAX_LATE..=-1 => return,
            1..=MAX_STEP => self.analyser.miss(step.unsigned_abs() as usize),
            _ => {}
        }
        let samples = self.decode(codec, payload) as u32;
        self.next = Some((header.ssrc, header.timestamp.wrapping_add(samples * ticks_per_sample)));
    }

    /// Lets the analyser hear a payload; how many samples it has.
    fn decode(&mut self, codec: Codec, payload: &[u8]) -> usize {
        if let Some(law) = codec.law() {
            self.analyser.hear(payload.iter().map(|character| law.decode(*character)));
            return payload.len();
        }
        let fresh = || (codec, Decoder::new(codec, Rate::Narrowband));
        let same = self.decoder.take().filter(|(before, _)| *before == codec);
        let (_, decoder) = self.decoder.insert(same.unwrap_or_else(fresh));
        let mut samples = [0; MAX_HEARD];
        let count = decoder.decode(payload, &mut samples);
        self.analyser.hear(samples.into_iter().take(count));
        count
    }

    pub(super) fn deadline(&self) -> Instant {
        self.heard_at + ABSENCE
    }

    /// Nothing came until now.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.deadline() > now {
            return;
        }
        self.heard_at = now;
        self.analyser.miss(ABSENT_SAMPLES);
        let ticks_per_sample =
            self.decoder.as_ref().map_or(1, |(codec, _)| codec.clock_hz() / Audio::RATE_HZ);
        if let Some((_, next)) = &mut self.next {
            *next = next.wrapping_add(ABSENT_SAMPLES as u32 * ticks_per_sample);
        }
    }

    /// Tells what was found; whether more may be.
    pub(super) fn report(&mut self, endpoint: EndpointId, events: &mut EventQueue) -> bool {
        while let Some(finding) = self.analyser.poll() {
            let evidence: Box<[Evidence]> = match finding {
                Finding::Verdict { .. } => self.analyser.evidence().into(),
                Finding::Beep { .. } | Finding::NoBeep => Box::default(),
            };
            events.push(Event::Progress { endpoint, finding, evidence });
        }
        !self.analyser.is_over()
    }
}

impl Endpoint {
    /// Begins to find out what answers, anew when that is under way.
    pub(crate) fn analyse(&mut self, now: Instant, rules: ProgressRules, is_answered: bool) {
        self.listening = Some(Box::new(Listening::new(now, rules, is_answered)));
    }

    /// The party has answered.
    pub(crate) fn answered(&mut self) {
        if let Some(listening) = &mut self.listening {
            listening.answered();
        }
    }

    /// Takes a packet of audio, if anybody wants to know what answers.
    #[inline]
    pub(super) fn listen_on(
        &mut self,
        now: Instant,
        packet: &[u8],
        inbound: &mut Inbound,
        events: &mut EventQueue,
    ) {
        let (Some(listening), Some(agreed)) = (&mut self.listening, &self.agreed) else { return };
        let payload = packet.get(inbound.header.payload()).unwrap_or_default();
        listening.hear(now, &inbound.header, agreed.stream.codec, payload);
        inbound.rescheduled = true;
        self.tell_progress(events);
    }

    pub(super) fn listen_in_silence(&mut self, now: Instant, events: &mut EventQueue) {
        if let Some(listening) = &mut self.listening {
            listening.handle_timeout(now);
            self.tell_progress(events);
        }
    }

    fn tell_progress(&mut self, events: &mut EventQueue) {
        if self.listening.as_mut().is_some_and(|listening| !listening.report(self.id, events)) {
            self.listening = None;
        }
    }
}
