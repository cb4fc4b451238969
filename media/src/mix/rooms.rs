//! The conferences of a worker, each at a place that its members know.

use std::collections::BTreeMap;
use std::sync::Arc;

use tandem_time::Instant;

use super::{Audience, ConferenceId, Gain, Room, Scratch};
use crate::{EndpointId, Segment};

/// All rooms. There is one as long as somebody sits in it.
#[derive(Debug)]
pub(crate) struct Rooms {
    places: BTreeMap<ConferenceId, u32>,
    rooms: Vec<Option<Box<Room>>>,
    free: Vec<u32>,
    scratch: Scratch,
}

impl Rooms {
    pub(crate) fn new() -> Self {
        Self { places: BTreeMap::new(), rooms: Vec::new(), free: Vec::new(), scratch: Scratch::new() }
    }

    /// Seats an endpoint that sits nowhere, or has another audience from now on; the place of the room, and none
    /// when it is full.
    pub(crate) fn seat(
        &mut self,
        now: Instant,
        id: ConferenceId,
        endpoint: EndpointId,
        audience: Audience,
    ) -> Option<u32> {
        let place = match self.places.get(&id) {
            Some(place) => *place,
            None => self.add(Room::new(id, now)),
        };
        let room = self.rooms.get_mut(place as usize)?.as_mut()?;
        if room.is_full() && !room.has(endpoint) {
            return None;
        }
        room.seat(endpoint, audience);
        Some(place)
    }

    /// Whether an endpoint sits in a conference.
    pub(crate) fn sits_in(&self, id: ConferenceId, endpoint: EndpointId) -> bool {
        let place = self.places.get(&id).and_then(|place| self.rooms.get(*place as usize));
        place.and_then(Option::as_ref).is_some_and(|room| room.has(endpoint))
    }

    /// An endpoint leaves; true when that was the last one, and the room is no more.
    pub(crate) fn unseat(&mut self, place: u32, endpoint: EndpointId) -> bool {
        let Some(entry) = self.rooms.get_mut(place as usize) else { return false };
        let Some(room) = entry else { return false };
        room.unseat(endpoint);
        let is_over = room.is_empty();
        if is_over {
            self.places.remove(&room.id());
            *entry = None;
            self.free.push(place);
        }
        is_over
    }

    pub(crate) fn set_gain(
        &mut self,
        place: u32,
        from: EndpointId,
        to: Option<EndpointId>,
        gain: Gain,
    ) -> Option<()> {
        self.rooms.get_mut(place as usize)?.as_mut()?.set_gain(from, to, gain)
    }

    pub(crate) fn announce(&mut self, id: ConferenceId, segments: Arc<[Segment]>) -> Option<()> {
        let place = *self.places.get(&id)?;
        self.rooms.get_mut(place as usize)?.as_mut()?.announce(segments);
        Some(())
    }

    /// The room at a place, and what its turn needs.
    pub(crate) fn at(&mut self, place: u32) -> Option<(&mut Room, &mut Scratch)> {
        let room = self.rooms.get_mut(place as usize)?.as_mut()?;
        Some((room, &mut self.scratch))
    }

    /// Rooms that there are.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    fn add(&mut self, room: Room) -> u32 {
        let place = self.free.pop().unwrap_or_else(|| {
            self.rooms.push(None);
            self.rooms.len() as u32 - 1
        });
        self.places.insert(room.id(), place);
        if let Some(entry) = self.rooms.get_mut(place as usize) {
            *entry = Some(Box::new(room));
        }
        place
    }
}
