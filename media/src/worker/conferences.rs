//! Conferences of a worker: who sits where, and the turn of each room.
//!
//! An endpoint with a seat is a member of the room that the seat names, and the other way round.

use tandem_time::Instant;

use super::{Worker, opened};
use crate::codec::Rate;
use crate::mix::FRAME;
use crate::{Audience, ConferenceId, EndpointId, Gain};

impl Worker {
    pub(super) fn join_conference(
        &mut self,
        id: EndpointId,
        conference: ConferenceId,
        audience: Audience,
    ) -> Option<()> {
        opened(&mut self.slots, id)?;
        let now = self.now;
        if self.rooms.sits_in(conference, id) {
            self.rooms.seat(now, conference, id, audience)?;
            return Some(());
        }
        let room = self.rooms.seat(now, conference, id, audience)?;
        self.part(id);
        let rate = self.rooms.at(room)?.0.rate();
        self.change(id, |endpoint, events, _| endpoint.sit(now, room, rate, events))?;
        self.tune(room);
        self.schedule(room);
        Some(())
    }

    /// What a member speaks may have changed.
    pub(super) fn retune(&mut self, id: EndpointId) -> Option<()> {
        let room = opened(&mut self.slots, id)?.room()?;
        self.tune(room);
        Some(())
    }

    /// A room mixes at the highest rate that any of its members codes at.
    fn tune(&mut self, place: u32) {
        let Some((room, _)) = self.rooms.at(place) else { return };
        let slots = &mut self.slots;
        let rates = room.members().filter_map(|id| Some(opened(slots, id)?.codec().rate()));
        let rate = rates.max().unwrap_or(Rate::Narrowband);
        room.set_rate(rate);
        for id in room.members() {
            if let Some(endpoint) = opened(&mut self.slots, id) {
                endpoint.tune(rate);
            }
        }
    }

    pub(super) fn voice(&mut self, id: EndpointId, to: Option<EndpointId>, gain: Gain) -> Option<()> {
        let room = opened(&mut self.slots, id)?.room()?;
        self.rooms.set_gain(room, id, to, gain)
    }

    /// Takes an endpoint out of its bridge, or of its conference.
    pub(super) fn part(&mut self, id: EndpointId) -> Option<()> {
        let endpoint = opened(&mut self.slots, id)?;
        if let Some(room) = endpoint.stand_up() {
            if self.rooms.unseat(room, id) {
                self.deadlines.set(self.deadline_of(room), None);
            } else {
                self.tune(room);
            }
            return Some(());
        }
        self.unbridge(id)
    }

    /// The turn of a room: everybody is asked, everybody is told.
    pub(super) fn mix(&mut self, now: Instant, place: u32) {
        let Some((room, scratch)) = self.rooms.at(place) else { return };
        let turn = room.turn(now);
        self.counters.frames_late += turn.late;
        self.counters.frames_skipped += turn.skipped;
        let count = room.rate().samples_in(FRAME);
        while let Some(at) = room.next_turn() {
            for (place, id) in room.members().enumerate() {
                let Some((frame, sounds)) = scratch.voice(place, count) else { continue };
                let endpoint = opened(&mut self.slots, id);
                *sounds = endpoint.is_some_and(|it| it.speak(now, frame, &mut self.counters));
            }
            room.listen(scratch);
            for (place, id) in room.members().enumerate() {
                let Some(endpoint) = opened(&mut self.slots, id) else { continue };
                if let Some(heard) = endpoint.room_for_mix(at, count) {
                    room.mix(place, scratch, heard);
                }
                self.counters.frames_mixed += 1;
                if endpoint.has_packet() && !std::mem::replace(&mut endpoint.queued, true) {
                    self.outbox.push_back(id.index);
                }
            }
        }
        self.schedule(place);
    }

    /// Conferences that there are.
    #[must_use]
    pub fn conferences(&self) -> usize {
        self.rooms.len()
    }

    fn schedule(&mut self, place: u32) {
        let tick_at = self.rooms.at(place).map(|(room, _)| room.tick_at());
        self.deadlines.set(self.deadline_of(place), tick_at);
    }

    fn deadline_of(&self, place: u32) -> u32 {
        self.slots.len() as u32 + place
    }
}
