//! Two parties of one worker, joined: by relaying packets, or by decoding what one says for the other to hear.

use std::net::SocketAddr;

use super::{Worker, opened};
use crate::endpoint::{Endpoint, Inbound, Way};
use crate::{Digit, EndpointId};

/// A packet in the worker's buffer that one party hears of what the other one says.
pub(super) struct Spoken {
    pub(super) endpoint: EndpointId,
    pub(super) destination: SocketAddr,
    pub(super) len: usize,
}

impl Worker {
    pub(super) fn bridge(&mut self, a: EndpointId, b: EndpointId) -> Option<()> {
        opened(&mut self.slots, a)?;
        opened(&mut self.slots, b)?;
        self.part(a);
        self.part(b);
        let now = self.now;
        self.change(a, |endpoint, events, _| endpoint.bridge(now, b, events))?;
        if a != b {
            self.change(b, |endpoint, events, _| endpoint.bridge(now, a, events))?;
            self.join(a);
        }
        Some(())
    }

    pub(super) fn unbridge(&mut self, id: EndpointId) -> Option<()> {
        let endpoint = opened(&mut self.slots, id)?;
        let peer = endpoint.bridge?;
        self.change(id, |endpoint, _, _| endpoint.unbridge())?;
        if peer != id {
            self.change(peer, |endpoint, _, _| endpoint.unbridge())?;
        }
        Some(())
    }

    /// A key of a party: the one that it is bridged to hears it.
    pub(super) fn digit(&mut self, id: EndpointId, digit: Digit) -> Option<()> {
        let endpoint = opened(&mut self.slots, id)?;
        let is_news = endpoint.key(self.now, digit, Way::Signalling, &mut self.counters, &mut self.events);
        self.deadlines.set(id.index, endpoint.deadline());
        if let Some(peer) = endpoint.bridge.filter(|_| is_news) {
            self.offer_key(id, peer, digit, Way::Signalling);
        }
        Some(())
    }

    /// A key of a party, for the one that it is bridged to; unless it may be of a code for us.
    pub(super) fn offer_key(&mut self, from: EndpointId, to: EndpointId, digit: Digit, way: Way) {
        let now = self.now;
        let Some(endpoint) = opened(&mut self.slots, from) else { return };
        // Who hears itself is nobody else.
        if from != to && endpoint.holds_back(now, digit) {
            self.deadlines.set(from.index, endpoint.deadline());
            self.let_go(from, to);
        } else {
            self.pass_key(to, digit, way);
        }
    }

    /// Presses for a party what the one that it is bridged to has keyed, and was no code.
    pub(super) fn let_go(&mut self, from: EndpointId, to: EndpointId) {
        while let Some(digit) =
            opened(&mut self.slots, from).and_then(|endpoint| endpoint.let_go(&mut self.events))
        {
            self.pass_key(to, digit, Way::Signalling);
        }
    }

    /// A packet is kept from a party for good.
    pub(super) fn skip_relayed(&mut self, to: EndpointId) -> bool {
        opened(&mut self.slots, to).map(|endpoint| endpoint.skip_relayed()).is_some()
    }

    /// A key of the bridged party's, for this one to hear.
    pub(super) fn pass_key(&mut self, to: EndpointId, digit: Digit, way: Way) {
        if let Some(endpoint) = opened(&mut self.slots, to) {
            endpoint.press(self.now, digit, way, &mut self.counters);
            self.deadlines.set(to.index, endpoint.deadline());
        }
    }

    /// A party's packets are of another length than they were: the one that it is bridged to may no longer be sent them, or
    /// may again. Whether what it says is decoded from now on, this packet with it.
    #[cold]
    pub(super) fn repacketise(&mut self, id: EndpointId, inbound: &Inbound, packet: &[u8]) -> bool {
        let converses = |endpoint: Option<&mut Endpoint>| endpoint.is_some_and(|it| it.converses());
        let before = converses(opened(&mut self.slots, id));
        self.join(id);
        let now = self.now;
        if let Some(endpoint) = opened(&mut self.slots, id).filter(|_| !before) {
            endpoint.converse(now, inbound, packet);
        }
        converses(opened(&mut self.slots, id))
    }

    /// Decides how an endpoint and the one it is bridged to get to each other: what they agreed on may have changed.
    /// Packets are relayed wherever they can be; an echo always is.
    pub(super) fn join(&mut self, id: EndpointId) -> Option<()> {
        let endpoint = opened(&mut self.slots, id)?;
        let peer = endpoint.bridge.filter(|peer| *peer != id)?;
        let hears_tones = endpoint.hears_tones();
        let [one, other] = self.slots.get_disjoint_mut([id.index as usize, peer.index as usize]).ok()?;
        let (Some(one), Some(other)) = (one.opened(), other.opened()) else { return None };
        let join = one.join_with(other)?;
        let now = self.now;
        one.join(now, join, !other.hears_tones());
        other.join(now, join, !hears_tones);
        let turns = [(id, one.deadline()), (peer, other.deadline())];
        turns.into_iter().for_each(|(id, deadline)| self.deadlines.set(id.index, deadline));
        Some(())
    }

    /// The next packet that the party of a slot hears of what the one it is bridged to says in another codec.
    pub(super) fn next_spoken(&mut self, index: u32) -> Option<Spoken> {
        let now = self.now;
        loop {
            let listener = self.slots.get_mut(index as usize)?.opened()?;
            let (id, peer) = (listener.id, listener.bridge);
            let (at, count) = listener.next_turn()?;
            let samples = self.samples.get_mut(..count)?;
            let speaker = peer.and_then(|peer| opened(&mut self.slots, peer));
            let says = speaker.is_some_and(|speaker| speaker.say(now, samples, &mut self.counters));
            let listener = opened(&mut self.slots, id)?;
            if let Some((destination, len)) = listener.hear(at, says.then_some(&*samples), &mut self.buffer) {
                self.counters.frames_transcoded += 1;
                return Some(Spoken { endpoint: id, destination, len });
            }
        }
    }
}
