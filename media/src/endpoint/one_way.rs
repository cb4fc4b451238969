//! Media that goes one way: we send, the party should, and nothing comes. A firewall or NAT as a rule, or a wrong address.

use std::time::Duration;

use tandem_time::Instant;

/// So long nothing comes while we send, before it is said. Senders that save silence (RFC 3551 §4.1) pause, too, but
/// seldom for so long.
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

    /// Whether it is to be said now.
    pub(super) fn handle_timeout(
        &mut self,
        now: Instant,
        heard_at: Instant,
        sent_at: Option<Instant>,
    ) -> bool {
        if self.deadline().is_none_or(|due| due > now) {
            return false;
        }
        let sends = sent_at.is_some_and(|at| now - at <= RECENT);
        if heard_at + AFTER <= now && sends {
            *self = Self::Said;
            return true;
        }
        *self = Self::On((heard_at + AFTER).max(now + RECENT));
        false
    }
}
