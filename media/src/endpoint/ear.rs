//! The party's voice, while it may end what it hears.

use tandem_time::Instant;

use super::{Endpoint, Inbound, Payload};
use crate::codec::{Decoder, MAX_DECODED, Rate};
use crate::event_queue::EventQueue;
use crate::voice_detector::VoiceDetector;
use crate::{BargeIn, Codec, PlayEnd};

/// Samples of the longest packet that is listened to; of a longer one the rest is not.
const MAX_HEARD: usize = Rate::Narrowband.samples_in(MAX_DECODED);

/// Listens to the packets of one play.
#[derive(Debug)]
pub(super) struct Ear {
    codec: Codec,
    decoder: Decoder,
    detector: VoiceDetector,
}

impl Ear {
    pub(super) fn new(codec: Codec) -> Self {
        Self { codec, decoder: Decoder::new(codec, Rate::Narrowband), detector: VoiceDetector::default() }
    }

    pub(super) const fn codec(&self) -> Codec {
        self.codec
    }

    fn hear(&mut self, payload: &[u8]) -> bool {
        let mut samples = [0; MAX_HEARD];
        let count = self.decoder.decode(payload, &mut samples);
        self.detector.hear(samples.into_iter().take(count))
    }
}

impl Endpoint {
    /// Who listens during a play that may be ended so.
    pub(super) fn ear_for(&self, barge_in: BargeIn) -> Option<Box<Ear>> {
        let agreed = self.agreed.as_ref().filter(|_| barge_in == BargeIn::DigitOrVoice)?;
        Some(Box::new(Ear::new(agreed.stream.codec)))
    }

    /// Ends what plays when the party speaks. Tones of keys are no voice.
    #[inline]
    pub(super) fn hear_voice(
        &mut self,
        now: Instant,
        packet: &[u8],
        inbound: &mut Inbound,
        events: &mut EventQueue,
    ) {
        let Some(ear) = &mut self.ear else { return };
        if inbound.is_key || !matches!(inbound.payload, Payload::Audio(_)) {
            return;
        }
        let payload = packet.get(inbound.header.payload()).unwrap_or_default();
        if ear.hear(payload) {
            inbound.rescheduled = true;
            self.end_play(now, PlayEnd::BargedIn, events);
        }
    }
}
