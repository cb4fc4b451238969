//! A disk that fails holds nobody up, and nothing accepted is lost when it recovers.

use crate::support;

use std::sync::atomic::Ordering;
use std::time::Duration;

use rusqlite::Connection;
use tandem_store::{Archive, Closed, QUEUE_CAPACITY, Refused};

#[test]
fn records_are_written_when_the_disk_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calls.db");
    let store = support::open(&path);
    let counters = store.counters();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    for index in 0..3 {
        store.keep(support::short_call(index)).unwrap();
    }
    while counters.failures.load(Ordering::Acquire) < 2 {
        std::thread::yield_now();
    }
    assert_eq!(counters.waiting(), 3);
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(store.close(Duration::from_secs(60)), Closed { written: 3, lost: 0 });
    assert_eq!(Archive::open(&path).unwrap().calls_after(0).unwrap().len(), 3);
}

#[test]
fn a_disk_that_never_recovers_is_reported_as_loss() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calls.db");
    let store = support::open(&path);
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    store.keep(support::short_call(0)).unwrap();
    assert_eq!(store.close(Duration::ZERO), Closed { written: 0, lost: 1 });
}

#[test]
fn a_full_queue_refuses_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calls.db");
    let store = support::open(&path);
    let counters = store.counters();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();

    // The first record is in the writer's hands, so that what follows fills exactly the queue.
    store.keep(support::short_call(0)).unwrap();
    while counters.failures.load(Ordering::Acquire) == 0 {
        std::thread::yield_now();
    }
    for index in 0..QUEUE_CAPACITY {
        store.keep(support::short_call(u32::try_from(index).unwrap())).unwrap();
    }
    assert_eq!(store.keep(support::short_call(0)), Err(Refused));
    assert_eq!(counters.refused.load(Ordering::Acquire), 1);

    other.execute_batch("COMMIT").unwrap();
    assert_eq!(store.close(Duration::from_secs(60)), Closed { written: QUEUE_CAPACITY as u64 + 1, lost: 0 });
}
