//! One deadline an endpoint, the earliest first: a binary heap that knows where each endpoint's entry is.
//!
//! Setting and taking cost O(log n), looking O(1). Nothing is allocated after [`Deadlines::new`].

use tandem_time::Instant;

/// Says that a slot has no entry.
const ABSENT: u32 = u32::MAX;

/// The deadlines of slots `0..capacity`.
#[derive(Debug)]
pub(crate) struct Deadlines {
    heap: Vec<(Instant, u32)>,
    /// Of each slot, its place in the heap.
    places: Box<[u32]>,
}

impl Deadlines {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { heap: Vec::with_capacity(capacity), places: vec![ABSENT; capacity].into() }
    }

    /// The earliest deadline.
    pub(crate) fn earliest(&self) -> Option<Instant> {
        self.heap.first().map(|(deadline, _)| *deadline)
    }

    /// Takes a slot whose deadline is not after `now`; slots of one instant come in the order of the heap.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<u32> {
        let (deadline, slot) = *self.heap.first()?;
        if deadline > now {
            return None;
        }
        self.set(slot, None);
        Some(slot)
    }

    /// Sets, moves or removes a slot's deadline; a slot beyond the capacity has none.
    pub(crate) fn set(&mut self, slot: u32, deadline: Option<Instant>) {
        let Some(place) = self.places.get(slot as usize).copied() else { return };
        match (place, deadline) {
            (ABSENT, None) => {}
            (ABSENT, Some(deadline)) => {
                self.heap.push((deadline, slot));
                self.sift_up(self.heap.len() - 1);
            }
            (place, Some(deadline)) => {
                let entry = &mut self.heap[place as usize];
                if entry.0 != deadline {
                    entry.0 = deadline;
                    self.sift_up(place as usize);
                    self.sift_down(self.places[slot as usize] as usize);
                }
            }
            (place, None) => self.remove(place as usize, slot),
        }
    }

    fn remove(&mut self, place: usize, slot: u32) {
        self.heap.swap_remove(place);
        self.places[slot as usize] = ABSENT;
        if place < self.heap.len() {
            let moved = self.heap[place].1;
            self.sift_up(place);
            self.sift_down(self.places[moved as usize] as usize);
        }
    }

    fn sift_up(&mut self, mut place: usize) {
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.heap[parent] <= self.heap[place] {
                break;
            }
            self.heap.swap(parent, place);
            self.settle(place);
            place = parent;
        }
        self.settle(place);
    }

    fn sift_down(&mut self, mut place: usize) {
        loop {
            let left = 2 * place + 1;
            let smaller = [left, left + 1]
                .into_iter()
                .filter(|child| *child < self.heap.len())
                .min_by_key(|child| self.heap[*child]);
            match smaller {
                Some(child) if self.heap[child] < self.heap[place] => {
                    self.heap.swap(child, place);
                    self.settle(place);
                    place = child;
                }
                _ => break,
            }
        }
        self.settle(place);
    }

    fn settle(&mut self, place: usize) {
        let slot = self.heap[place].1;
        self.places[slot as usize] = place as u32;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const SLOTS: u32 = 12;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Set(u32, Option<u64>),
        PopDue(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..SLOTS + 2, prop::option::of(0u64..50)).prop_map(|(slot, at)| Step::Set(slot, at)),
            (0u64..50).prop_map(Step::PopDue),
        ]
    }

    proptest! {
        /// Against an ordered set, which allocates but is plain to see.
        #[test]
        fn the_earliest_is_always_first(steps in prop::collection::vec(step(), 1..200)) {
            let mut deadlines = Deadlines::new(SLOTS as usize);
            let mut model = BTreeSet::new();
            for step in steps {
                match step {
                    Step::Set(slot, at) => {
                        let at = at.map(Instant::from_nanos);
                        deadlines.set(slot, at);
                        if slot < SLOTS {
                            model.retain(|(_, other)| *other != slot);
                            model.extend(at.map(|at| (at, slot)));
                        }
                    }
                    Step::PopDue(now) => {
                        let now = Instant::from_nanos(now);
                        let due = model.first().copied().filter(|(at, _)| *at <= now);
                        prop_assert_eq!(deadlines.pop_due(now), due.map(|(_, slot)| slot));
                        if let Some(due) = due {
                            model.remove(&due);
                        }
                    }
                }
                prop_assert_eq!(deadlines.earliest(), model.first().map(|(at, _)| *at));
            }
        }
    }
}
