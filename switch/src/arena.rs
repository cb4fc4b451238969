//! Slots with generations: an id of something gone never finds its successor.

use std::marker::PhantomData;

use tandem_control_api::{CallId, LegId};
use tandem_media::EndpointId;

/// An id made of a slot and of how often the slot had been used before.
pub(crate) trait Key: Copy {
    fn new(index: u32, generation: u32) -> Self;
    fn index(self) -> u32;
    fn generation(self) -> u32;
}

macro_rules! key {
    ($name:ident) => {
        impl Key for $name {
            fn new(index: u32, generation: u32) -> Self {
                Self { index, generation }
            }

            fn index(self) -> u32 {
                self.index
            }

            fn generation(self) -> u32 {
                self.generation
            }
        }
    };
}

key!(CallId);
key!(LegId);
key!(EndpointId);

/// At most [`Arena::MAX_SLOTS`] values. Values are boxed, so that a peak leaves behind small slots only.
#[derive(Debug)]
pub(crate) struct Arena<K, T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    max: u32,
    key: PhantomData<K>,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<Box<T>>,
}

impl<K: Key, T> Arena<K, T> {
    /// No arena has more slots than this.
    pub(crate) const MAX_SLOTS: u32 = 1 << 20;

    pub(crate) const fn new() -> Self {
        Self::with_max(Self::MAX_SLOTS)
    }

    const fn with_max(max: u32) -> Self {
        Self { slots: Vec::new(), free: Vec::new(), max, key: PhantomData }
    }

    /// Keeps what `make` makes of its key; none when all slots are taken or `make` gives none.
    pub(crate) fn insert_with(&mut self, make: impl FnOnce(K) -> Option<T>) -> Option<K> {
        let index = match self.free.last() {
            Some(index) => *index,
            None => u32::try_from(self.slots.len()).ok().filter(|index| *index < self.max)?,
        };
        let generation = self.slots.get(index as usize).map_or(0, |slot| slot.generation);
        let key = K::new(index, generation);
        let value = Some(Box::new(make(key)?));
        match self.slots.get_mut(index as usize) {
            Some(slot) => {
                slot.value = value;
                self.free.pop();
            }
            None => self.slots.push(Slot { generation, value }),
        }
        Some(key)
    }

    pub(crate) fn get(&self, key: K) -> Option<&T> {
        let slot = self.slots.get(key.index() as usize)?;
        if slot.generation == key.generation() { slot.value.as_deref() } else { None }
    }

    pub(crate) fn get_mut(&mut self, key: K) -> Option<&mut T> {
        let slot = self.slots.get_mut(key.index() as usize)?;
        if slot.generation == key.generation() { slot.value.as_deref_mut() } else { None }
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<T> {
        let slot = self.slots.get_mut(key.index() as usize)?;
        if slot.generation != key.generation() {
            return None;
        }
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(key.index());
        Some(*value)
    }

    /// The ids of all values, in the order of their slots.
    pub(crate) fn keys(&self) -> impl Iterator<Item = K> {
        let slots = (0_u32..).zip(&self.slots);
        slots.filter(|(_, slot)| slot.value.is_some()).map(|(index, slot)| K::new(index, slot.generation))
    }

    /// How many values there are.
    pub(crate) const fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_something_gone_finds_nothing() {
        let mut arena: Arena<LegId, &str> = Arena::new();
        let first = arena.insert_with(|_| Some("first")).unwrap();
        assert_eq!(arena.remove(first), Some("first"));
        let second = arena.insert_with(|_| Some("second")).unwrap();
        assert_eq!(first.index, second.index, "the slot is used again");
        assert_eq!(arena.get(first), None);
        assert_eq!(arena.get_mut(first), None);
        assert_eq!(arena.remove(first), None);
        assert_eq!(arena.get(second), Some(&"second"));
        assert_eq!(arena.len(), 1);
    }

    #[test]
    fn is_full_at_its_maximum() {
        let mut arena: Arena<LegId, u8> = Arena::with_max(2);
        let first = arena.insert_with(|_| Some(1)).unwrap();
        arena.insert_with(|_| Some(2)).unwrap();
        assert_eq!(arena.insert_with(|_| Some(3)), None);
        arena.remove(first).unwrap();
        assert!(arena.insert_with(|_| Some(3)).is_some());
    }
}
