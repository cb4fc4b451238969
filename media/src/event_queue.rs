//! Events on their way to the switch.

use std::collections::VecDeque;

use crate::Event;

/// Events of one input, by endpoint: a play, a collection, a silence and a close can end at one instant.
const EVENTS_PER_ENDPOINT: usize = 4;

/// Room for all that one input can cause, when the queue was drained before it. Outcomes are never dropped: they
/// are bounded by the commands that asked for them. What a party can cause at will is.
#[derive(Debug)]
pub(crate) struct EventQueue {
    events: VecDeque<Event>,
    capacity: usize,
}

impl EventQueue {
    pub(crate) fn new(max_endpoints: usize) -> Self {
        let capacity = EVENTS_PER_ENDPOINT * max_endpoints.max(1);
        Self { events: VecDeque::with_capacity(capacity), capacity }
    }

    /// Adds an outcome.
    pub(crate) fn push(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// Adds an event that may be lost; false, and nothing added, when the queue is full.
    pub(crate) fn push_optional(&mut self, event: Event) -> bool {
        let room = self.events.len() < self.capacity;
        if room {
            self.events.push_back(event);
        }
        room
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        pop_front(&mut self.events)
    }
}

/// Takes the first of a queue, which begins anew in its room when it is empty. Else it would wander through all of
/// that, and of what is room for the worst every page would be memory in use.
pub(crate) fn pop_front<T>(queue: &mut VecDeque<T>) -> Option<T> {
    let first = queue.pop_front();
    if queue.is_empty() {
        queue.clear();
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_is_drained_uses_the_same_room_again() {
        let mut queue = VecDeque::with_capacity(1_000);
        let mut places = std::collections::BTreeSet::new();
        for n in 0..1_000 {
            queue.extend([n, n + 1]);
            places.extend(queue.iter().map(std::ptr::from_ref));
            assert_eq!([pop_front(&mut queue), pop_front(&mut queue)], [Some(n), Some(n + 1)]);
        }
        assert_eq!(places.len(), 2);
    }
}
