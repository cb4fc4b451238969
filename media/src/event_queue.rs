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
        self.events.pop_front()
    }
}
