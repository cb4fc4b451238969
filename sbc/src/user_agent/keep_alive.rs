//! Keep-alives of phones behind NAT (RFC 5626 §8).

use tandem_time::Instant;

use super::{Offence, Packet, Transport, UserAgent};
use crate::stun;
use crate::transport::Hop;

impl UserAgent {
    /// Tells a phone that asks by STUN at which address we see it. Whether it was STUN's at all.
    pub(super) fn answers_stun(&mut self, now: Instant, packet: &Packet<'_>) -> bool {
        if packet.transport != Transport::Udp || !stun::is_stun(packet.bytes) {
            return false;
        }
        let Some(answer) = stun::answer(packet.bytes, packet.source) else {
            self.counters.parse_errors += 1;
            self.offend(now, packet.source, Offence::Malformed);
            return true;
        };
        self.counters.keep_alives += 1;
        let Packet { transport, local, source, .. } = *packet;
        self.transmits.push_back(Hop { transport, local, destination: source, flow: None }.carry(answer));
        true
    }
}
