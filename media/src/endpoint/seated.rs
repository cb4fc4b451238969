//! An endpoint in a conference: what its party says goes to its seat, and from there to the room; what the room mixes
//! for it goes out in packets of its own.

use std::net::SocketAddr;

use tandem_time::Instant;

use super::{Endpoint, Inbound, MAX_PACKET_LEN, Payload};
use crate::codec::Rate;
use crate::counters::Counters;
use crate::event_queue::EventQueue;
use crate::jitter::Kind;
use crate::mix::Seat;
use crate::{Codec, Direction};

impl Endpoint {
    /// Sits down in a room that mixes at a rate.
    pub(crate) fn sit(&mut self, now: Instant, room: u32, rate: Rate, events: &mut EventQueue) {
        self.stop(now, events);
        self.collector.forget_typed_ahead();
        self.outgoing.resynchronise();
        self.seat = Some(Box::new(Seat::new(room, self.codec(), rate)));
    }

    /// Leaves its room; where that was.
    pub(crate) fn stand_up(&mut self) -> Option<u32> {
        let seat = self.seat.take()?;
        self.outgoing.resynchronise();
        Some(seat.room())
    }

    pub(crate) fn room(&self) -> Option<u32> {
        self.seat.as_ref().map(|seat| seat.room())
    }

    /// What its party speaks; G.711 until something is agreed on.
    pub(crate) fn codec(&self) -> Codec {
        self.agreed.as_ref().map_or(Codec::Pcmu, |agreed| agreed.stream.codec)
    }

    /// The room mixes at this rate from now on.
    pub(crate) fn tune(&mut self, rate: Rate) {
        let codec = self.codec();
        if let Some(seat) = &mut self.seat {
            seat.tune(codec, rate);
        }
    }

    /// Takes a packet for the room. Nobody wants to hear the music of a party that put the room on hold: who does not
    /// listen is not heard (RFC 5359 §2.1). Nor are keys.
    #[inline]
    pub(super) fn confer(&mut self, now: Instant, inbound: &Inbound, packet: &[u8]) {
        let Some(seat) = &mut self.seat else { return };
        let listens =
            self.agreed.as_ref().is_some_and(|agreed| agreed.stream.direction == Direction::SendReceive);
        let kind = match inbound.payload {
            Payload::Audio(_) if inbound.is_key || !listens => Kind::Muted,
            Payload::Audio(_) => Kind::Audio,
            Payload::ComfortNoise if !listens => Kind::Muted,
            Payload::ComfortNoise => Kind::ComfortNoise,
            Payload::TelephoneEvent(_) => Kind::Skipped,
        };
        let payload = packet.get(inbound.header.payload()).unwrap_or_default();
        seat.insert(now, &inbound.header, inbound.restarted, kind, payload);
    }

    /// The next frame of what the party says, when it says something.
    pub(crate) fn speak(&mut self, now: Instant, frame: &mut [i16], counters: &mut Counters) -> bool {
        let Some(seat) = &mut self.seat else { return false };
        let before = *seat.tally();
        let says = seat.speak(now, frame);
        let after = seat.tally();
        counters.packets_concealed += after.concealed - before.concealed + after.starved - before.starved;
        says
    }

    /// Where to put so many samples of what the party is to hear of the room, if it hears that.
    pub(crate) fn room_for_mix(&mut self, at: Instant, count: usize) -> Option<&mut [i16]> {
        let seat = self.seat.as_mut()?;
        if self.playing.is_some() || self.keying.is_down() {
            seat.drop_heard();
            return None;
        }
        seat.heard(at, count)
    }

    pub(super) fn has_mix(&self) -> bool {
        self.seat.as_ref().is_some_and(|seat| seat.has_packet(self.ptime()))
    }

    pub(super) fn next_mix(&mut self, buffer: &mut [u8; MAX_PACKET_LEN]) -> Option<(SocketAddr, usize)> {
        let ptime = self.ptime();
        let mut seat = self.seat.take()?;
        let next = seat.next_packet(ptime);
        let written = next.and_then(|(at, samples)| self.write_audio(at, samples, seat.rate(), buffer));
        seat.pass_packet(ptime);
        self.seat = Some(seat);
        written
    }
}
