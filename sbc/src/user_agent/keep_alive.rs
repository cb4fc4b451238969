//! Keep-alives of phones behind NAT: theirs are answered (RFC 5626 §8), and those who may send none are sent ours.
//!
//! Over UDP nothing but packets keeps a NAT's mapping, for which half a minute may be too long (RFC 4787 §4.3); a stream is
//! kept by the phone that opened it.

use std::collections::BTreeMap;

use tandem_time::Instant;

use super::{Offence, Packet, Transport, UserAgent, compose};
use crate::registrar::Binding;
use crate::stun;
use crate::transport::Hop;

/// Line ends, which every implementation passes over (RFC 3261 §7.5).
const KEEP_ALIVE: &[u8] = b"\r\n\r\n";

/// When users with phones behind NAT are sent the next one: no more than there are users.
#[derive(Debug, Default)]
pub(super) struct KeepAlives {
    due: BTreeMap<String, Instant>,
    /// The first of all.
    first: Option<Instant>,
}

impl KeepAlives {
    fn set(&mut self, user: String, due: Instant) {
        self.due.entry(user).or_insert(due);
        self.first = Some(self.first.map_or(due, |first| first.min(due)));
    }

    /// The users whose time has come; they are forgotten.
    fn take_due(&mut self, now: Instant) -> Vec<String> {
        if self.first.is_none_or(|first| first > now) {
            return Vec::new();
        }
        let due = self.due.extract_if(.., |_, due| *due <= now).map(|(user, _)| user).collect();
        self.first = self.due.values().min().copied();
        due
    }

    pub(super) const fn poll_timeout(&self) -> Option<Instant> {
        self.first
    }
}

impl UserAgent {
    /// Tells a phone that asks by STUN at which address we see it, or takes what we have asked ourselves. Whether it was STUN's
    /// at all.
    pub(super) fn answers_stun(&mut self, now: Instant, packet: &Packet<'_>) -> bool {
        if packet.transport != Transport::Udp || !stun::is_stun(packet.bytes) {
            return false;
        }
        if let Some((id, mapped)) = stun::answered(packet.bytes) {
            self.handle_stun(now, packet.source, id, mapped);
            return true;
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

    /// A user has registered: from now on its phones behind NAT are kept in reach.
    pub(super) fn keep_in_reach(&mut self, now: Instant, user: &str) {
        let Some(interval) = self.config.phones.keep_alive else { return };
        if self.registrar.bindings(user).iter().any(is_behind_nat) {
            self.keep_alives.set(user.to_owned(), now + interval);
        }
    }

    /// Sends what is due by `now`.
    pub(super) fn send_keep_alives(&mut self, now: Instant) {
        for user in self.keep_alives.take_due(now) {
            for binding in self.registrar.bindings(&user).iter().filter(|it| is_behind_nat(it)) {
                self.transmits.push_back(binding.hop.carry(KEEP_ALIVE.to_vec()));
                self.counters.keep_alives_sent += 1;
            }
            self.keep_in_reach(now, &user);
        }
    }
}

/// Whether a phone that is reached by datagrams says that it is elsewhere than we see it, with nobody between who would keep
/// it in reach.
fn is_behind_nat(binding: &Binding) -> bool {
    let named = compose::address_of(&binding.uri);
    binding.hop.transport == Transport::Udp
        && binding.path.is_empty()
        && named.is_none_or(|named| named.ip() != binding.hop.destination.ip())
}
