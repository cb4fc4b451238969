//! How an endpoint's packets are kept safe: keys from the description or from a handshake, and checks that show the way.

use std::net::SocketAddr;

use rand_chacha::ChaCha8Rng;

use super::Endpoint;
use super::agreed::is_reachable;
use crate::counters::Refusal;
use crate::event_queue::EventQueue;
use crate::protection::{Guard, Protection};
use crate::srtp::SrtpKeys;
use crate::stun;
use crate::{Channel, DtlsParameters, Event, HandshakeId, HandshakeOutcome, Security};

impl Endpoint {
    /// Guards packets as was agreed; whether a handshake is to begin.
    pub(super) fn secure(
        &mut self,
        before: Option<Security>,
        security: &Security,
        rng: &mut ChaCha8Rng,
    ) -> bool {
        match security {
            Security::Plain => self.guard = Guard::Plain,
            Security::Keys(keys) => self.protect(keys.as_ref().clone(), rng),
            Security::Dtls(_) if before.as_ref() == Some(security) => {}
            Security::Dtls(_) => {
                self.guard = Guard::Waiting;
                self.handshake = self.handshake.next();
                self.handshake_source = None;
                return true;
            }
        }
        false
    }

    /// A new key of ours comes with a new SSRC: the party counts rollovers from 0 then, whether or not it holds with
    /// RFC 3711 §3.3.1 that a new key does not reset them, and no index comes twice.
    fn protect(&mut self, keys: SrtpKeys, rng: &mut ChaCha8Rng) {
        let before = match std::mem::take(&mut self.guard) {
            Guard::Keyed(before) => Some(*before),
            Guard::Plain | Guard::Waiting => None,
        };
        if before.as_ref().is_none_or(|before| before.keys().send != keys.send) {
            self.outgoing.restart(rng);
            self.rtcp.restart();
        }
        self.guard = Guard::Keyed(Box::new(Protection::following(before, keys)));
    }

    /// The handshake under way, and what it has to know; none when there is none.
    pub(crate) fn handshake(&self) -> Option<(HandshakeId, &DtlsParameters)> {
        self.dtls().map(|parameters| (self.handshake, parameters))
    }

    pub(crate) fn dtls(&self) -> Option<&DtlsParameters> {
        match &self.agreed.as_ref()?.stream.security {
            Security::Dtls(parameters) => Some(parameters),
            Security::Plain | Security::Keys(_) => None,
        }
    }

    /// Where the handshake's packets go.
    pub(crate) fn handshake_destination(&self) -> Option<SocketAddr> {
        let latch = &self.agreed.as_ref()?.rtp;
        let destination = self.handshake_source.unwrap_or(latch.destination());
        (latch.is_open() && is_reachable(destination)).then_some(destination)
    }

    /// Takes a packet of the party's handshake; whether it may go on.
    pub(crate) fn receive_handshake(&mut self, source: SocketAddr) -> Result<(), Refusal> {
        let agreed = self.agreed.as_ref().ok_or(Refusal::NotAgreed)?;
        if self.dtls().is_none() {
            return Err(Refusal::NotAgreed);
        }
        if !agreed.rtp.admits(source) {
            return Err(Refusal::Source);
        }
        self.handshake_source = Some(source);
        Ok(())
    }

    /// Takes what came of a handshake: keys, and with them where the party is. What came of one that was begun anew
    /// since says nothing: its keys may be of a certificate that is signalled no more.
    pub(crate) fn finish_handshake(
        &mut self,
        handshake: HandshakeId,
        outcome: HandshakeOutcome,
        rng: &mut ChaCha8Rng,
        events: &mut EventQueue,
    ) {
        if self.dtls().is_none() || handshake != self.handshake {
            return;
        }
        match outcome {
            Err(_) => events.push(Event::HandshakeFailed { endpoint: self.id }),
            Ok(keys) => {
                self.protect(*keys, rng);
                if let (Some(agreed), Some(source)) = (&mut self.agreed, self.handshake_source) {
                    agreed.believe(source);
                }
            }
        }
    }

    /// Takes a connectivity check, and writes the answer over it; its length.
    pub(crate) fn receive_check(
        &mut self,
        channel: Channel,
        source: SocketAddr,
        buffer: &mut [u8],
        len: usize,
    ) -> Result<usize, Refusal> {
        let agreed = self.agreed.as_mut().ok_or(Refusal::NotAgreed)?;
        let ice = agreed.stream.ice.as_deref().ok_or(Refusal::NotAgreed)?;
        let check = stun::answer(ice, source, buffer, len)?;
        match channel {
            Channel::Rtp => agreed.rtp.checked(source, check.nominates),
            Channel::Rtcp => agreed.rtcp.checked(source, check.nominates),
        };
        Ok(check.answer_len)
    }
}
