//! Transactions by their keys: tables of open addressing with linear probing.
//!
//! Keys are digests under a secret of ours: they fall evenly, and nobody outside can choose where. What is looked up is
//! one or two steps away, where a tree of hundreds of thousands has one cold node after the other. The order in a table
//! means nothing, so it cannot be gone through.

use super::layer::TransactionId;
use super::matching::Key;

/// Tables, so that growing moves a small part of all at a time.
const TABLES: usize = 64;
/// Places of a table that is not empty, at least.
const PLACES_MIN: usize = 8;

type Place = Option<(Key, TransactionId)>;

#[derive(Debug)]
pub(super) struct Index {
    tables: Box<[Table]>,
}

/// Of `places`, a power of two of them, three quarters are taken at most.
#[derive(Debug, Default)]
struct Table {
    places: Vec<Place>,
    taken: usize,
}

impl Index {
    pub(super) fn new() -> Self {
        Self { tables: std::iter::repeat_with(Table::default).take(TABLES).collect() }
    }

    pub(super) fn get(&self, key: Key) -> Option<TransactionId> {
        let table = self.tables.get(key.high() as usize % TABLES)?;
        table.find(key).and_then(|at| table.at(at)).map(|(_, id)| id)
    }

    /// Files a transaction, in place of the one that had the same key.
    pub(super) fn insert(&mut self, key: Key, id: TransactionId) {
        if let Some(table) = self.tables.get_mut(key.high() as usize % TABLES) {
            table.insert(key, id);
        }
    }

    /// Takes a transaction out, unless another one has its key by now.
    pub(super) fn remove(&mut self, key: Key, id: TransactionId) {
        if self.get(key) == Some(id)
            && let Some(table) = self.tables.get_mut(key.high() as usize % TABLES)
        {
            table.remove(key);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.tables.iter().map(|table| table.taken).sum()
    }
}

impl Table {
    fn at(&self, at: usize) -> Place {
        self.places.get(at).copied().flatten()
    }

    /// Where a key belongs.
    const fn home(&self, key: Key) -> usize {
        key.low() as usize & self.places.len().wrapping_sub(1)
    }

    const fn after(&self, at: usize) -> usize {
        (at + 1) & self.places.len().wrapping_sub(1)
    }

    /// Where a key is.
    fn find(&self, key: Key) -> Option<usize> {
        let mut at = self.home(key);
        loop {
            let (known, _) = self.at(at)?;
            if known == key {
                return Some(at);
            }
            at = self.after(at);
        }
    }

    fn insert(&mut self, key: Key, id: TransactionId) {
        if 4 * (self.taken + 1) > 3 * self.places.len() {
            self.move_to((2 * self.places.len()).max(PLACES_MIN));
        }
        let mut at = self.home(key);
        while self.at(at).is_some_and(|(known, _)| known != key) {
            at = self.after(at);
        }
        if let Some(place) = self.places.get_mut(at) {
            self.taken += usize::from(place.is_none());
            *place = Some((key, id));
        }
    }

    fn remove(&mut self, key: Key) {
        let Some(mut hole) = self.find(key) else { return };
        self.clear(hole);
        self.taken -= 1;
        // Who passed the hole on the way from its home fills it, since a search ends at what is free.
        let mut at = self.after(hole);
        while let Some(entry) = self.at(at) {
            let last = self.places.len().wrapping_sub(1);
            let [from_home, from_hole] = [self.home(entry.0), hole].map(|from| at.wrapping_sub(from) & last);
            if from_home >= from_hole {
                self.clear(at);
                if let Some(place) = self.places.get_mut(hole) {
                    *place = Some(entry);
                }
                hole = at;
            }
            at = self.after(at);
        }
        match self.taken {
            0 => self.places = Vec::new(),
            taken if 8 * taken < self.places.len() => self.move_to(self.places.len() / 2),
            _ => {}
        }
    }

    fn clear(&mut self, at: usize) {
        if let Some(place) = self.places.get_mut(at) {
            *place = None;
        }
    }

    /// Moves to so many places.
    fn move_to(&mut self, count: usize) {
        let before = std::mem::replace(&mut self.places, vec![None; count]);
        self.taken = 0;
        before.into_iter().flatten().for_each(|(key, id)| self.insert(key, id));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::slab::Slot;

    fn id(index: u32) -> TransactionId {
        TransactionId(Slot { index, generation: 0 })
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Insert(Key, u32),
        Remove(Key, u32),
    }

    /// Few tables and few homes, so that keys meet: at the end of a table, too.
    fn step() -> impl Strategy<Value = Step> {
        let key = || {
            (0u64..6, 0u64..3).prop_map(|(low, high)| Key::of((u64::MAX - 2).wrapping_add(low), high * 64))
        };
        prop_oneof![
            (key(), 0u32..4).prop_map(|(key, id)| Step::Insert(key, id)),
            (key(), 0u32..4).prop_map(|(key, id)| Step::Remove(key, id)),
        ]
    }

    proptest! {
        /// Against an ordered map.
        #[test]
        fn what_was_filed_last_is_found_and_nothing_else(steps in prop::collection::vec(step(), 1..200)) {
            let (mut index, mut model) = (Index::new(), BTreeMap::new());
            for step in steps {
                match step {
                    Step::Insert(key, number) => {
                        index.insert(key, id(number));
                        model.insert(key, id(number));
                    }
                    Step::Remove(key, number) => {
                        index.remove(key, id(number));
                        if model.get(&key) == Some(&id(number)) {
                            model.remove(&key);
                        }
                    }
                }
                prop_assert_eq!(index.len(), model.len());
                for low in 0..6 {
                    for high in 0..3 {
                        let key = Key::of((u64::MAX - 2).wrapping_add(low), high * 64);
                        prop_assert_eq!(index.get(key), model.get(&key).copied());
                    }
                }
            }
        }
    }

    #[test]
    fn it_grows_with_what_is_filed_and_gives_all_back() {
        let key = |number: u64| Key::of(number.wrapping_mul(0x9e37_79b9_7f4a_7c15), number);
        let mut index = Index::new();
        (0..100_000).for_each(|number| index.insert(key(u64::from(number)), id(number)));
        assert_eq!(index.len(), 100_000);
        assert!((0..100_000).all(|number| index.get(key(u64::from(number))) == Some(id(number))));
        (0..100_000).for_each(|number| index.remove(key(u64::from(number)), id(number)));
        assert!(index.tables.iter().all(|table| table.places.capacity() == 0));
    }
}
