//! Media that goes one way: we send, the party should, and nothing comes. A firewall or NAT as a rule, or a wrong address.

use std::time::Duration;

use tandem_time::Instant;

use super::{Endpoint, Payload};
use crate::counters::Counters;
use crate::event_queue::EventQueue;
use crate::{Codec, Event};

/// So long nothing comes while we send, before it is said. Senders that save silence (RFC 3551 §4.1) pause, too: those that
/// say so, in media or by their reports, are waited for.
pub(super) const AFTER: Duration = Duration::from_secs(5);
/// We send when our last packet is no older than this.
const RECENT: Duration = Duration::from_secs(1);

/// The watch over a party that should send while it is sent to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum OneWay {
    /// Nothing is expected.
    #[default]
    Off,
    /// Looked at then, unless something comes.
    On(Instant),
    /// Said; on again with the next packet.
    Said,
}

impl OneWay {
    /// From now on something is expected, or not.
    pub(super) fn expect(now: Instant, is_expected: bool) -> Self {
        if is_expected { Self::On(now + AFTER) } else { Self::Off }
    }

    /// Something came; whether the deadline has changed.
    #[inline]
    pub(super) fn heard(&mut self, now: Instant) -> bool {
        let was_said = *self == Self::Said;
        if was_said {
            *self = Self::On(now + AFTER);
        }
        was_said
    }

    pub(super) const fn deadline(self) -> Option<Instant> {
        match self {
            Self::On(at) => Some(at),
            Self::Off | Self::Said => None,
        }
    }

    /// Whether it is to be said now. `pauses` says that the party is known to save silence.
    pub(super) fn handle_timeout(
        &mut self,
        now: Instant,
        heard_at: Instant,
        sent_at: Option<Instant>,
        pauses: bool,
    ) -> bool {
        if self.deadline().is_none_or(|due| due > now) {
            return false;
        }
        let sends = sent_at.is_some_and(|at| now - at <= RECENT);
        if heard_at + AFTER <= now && sends && !pauses {
            *self = Self::Said;
            return true;
        }
        *self = Self::On((heard_at + AFTER).max(now + RECENT));
        false
    }
}

/// Octets of the longest packet by which Opus says that it sends nothing (DTX, RFC 6716 §2.1.9; RFC 7587 §3.1.3).
const OPUS_SILENCE_LEN: usize = 2;

impl Payload {
    /// Whether a sender may pause after it: it described its silence (RFC 3389 §4), or Opus has nothing to send. A key says
    /// nothing of that: then it is as `before`.
    #[inline]
    pub(super) const fn announces_pause(&self, len: usize, before: bool) -> bool {
        match self {
            Self::ComfortNoise => true,
            Self::Audio(Codec::Opus(_)) => len <= OPUS_SILENCE_LEN,
            Self::Audio(_) => false,
            Self::TelephoneEvent(_) => before,
        }
    }
}

impl Endpoint {
    /// Says that the party is not heard, when it should be.
    pub(super) fn watch_one_way(&mut self, now: Instant, counters: &mut Counters, events: &mut EventQueue) {
        let pauses = self.announces_pause || self.rtcp.says_it_pauses(now, self.heard_at, self.media_started);
        if self.one_way.handle_timeout(now, self.heard_at, self.outgoing.sent_at(), pauses) {
            self.unsettle();
            if !events.push_optional(Event::OneWay { endpoint: self.id }) {
                counters.events_dropped += 1;
            }
        }
    }
}
