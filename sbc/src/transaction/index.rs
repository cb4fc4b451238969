//! Transactions by their keys: hash tables whose order means nothing, so that they are never gone through.
//!
//! Keys are digests under a secret of ours: they fall evenly, nobody outside can choose where, and half of one is the hash.
//! What is looked up is one or two steps away, where a tree of hundreds of thousands has one cold node after the other.

use hashbrown::HashTable;

use super::layer::TransactionId;
use super::matching::Key;

/// Tables, so that growing moves a small part of all at a time.
const TABLES: usize = 64;

type Entry = (Key, TransactionId);

#[derive(Debug)]
pub(super) struct Index {
    tables: Box<[HashTable<Entry>]>,
}

impl Index {
    pub(super) fn new() -> Self {
        Self { tables: std::iter::repeat_with(HashTable::new).take(TABLES).collect() }
    }

    pub(super) fn get(&self, key: Key) -> Option<TransactionId> {
        let table = self.tables.get(key.high() as usize % TABLES)?;
        table.find(key.low(), |(known, _)| *known == key).map(|(_, id)| *id)
    }

    /// Files a transaction, in place of the one that had the same key.
    pub(super) fn insert(&mut self, key: Key, id: TransactionId) {
        let Some(table) = self.table(key) else { return };
        table.entry(key.low(), |(known, _)| *known == key, hash).insert((key, id));
    }

    /// Takes a transaction out, unless another one has its key by now.
    pub(super) fn remove(&mut self, key: Key, id: TransactionId) {
        let Some(table) = self.table(key) else { return };
        if let Ok(entry) = table.find_entry(key.low(), |known| *known == (key, id)) {
            entry.remove();
        }
        if table.is_empty() || table.len() < table.capacity() / 8 {
            table.shrink_to(2 * table.len(), hash);
        }
    }

    fn table(&mut self, key: Key) -> Option<&mut HashTable<Entry>> {
        self.tables.get_mut(key.high() as usize % TABLES)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.tables.iter().map(HashTable::len).sum()
    }
}

const fn hash((key, _): &Entry) -> u64 {
    key.low()
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
        assert!(index.tables.iter().all(|table| table.capacity() == 0));
    }
}
