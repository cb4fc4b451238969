//! A call is in the store with all its rows or not at all.

use crate::support;

use std::sync::atomic::Ordering;
use std::time::Duration;

use rusqlite::Connection;
use tandem_store::{Archive, Closed};

#[test]
fn a_write_that_fails_half_way_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calls.db");
    let store = support::open(&path);
    let counters = store.counters();
    let other = Connection::open(&path).unwrap();
    other.busy_timeout(Duration::from_secs(10)).unwrap();
    other
        .execute_batch(
            "CREATE TRIGGER half_way BEFORE INSERT ON timeline WHEN new.position = 5 \
             BEGIN SELECT RAISE(FAIL, 'disk full'); END",
        )
        .unwrap();
    store.keep(support::agent_call()).unwrap();
    while counters.failures.load(Ordering::Acquire) == 0 {
        std::thread::yield_now();
    }
    let rows = |table: &str| -> i64 {
        other.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    };
    assert_eq!((rows("calls"), rows("legs"), rows("timeline")), (0, 0, 0));

    other.execute_batch("DROP TRIGGER half_way").unwrap();
    assert_eq!(store.close(Duration::from_secs(60)), Closed { written: 1, lost: 0 });
    let calls = Archive::open(&path).unwrap().calls_after(0).unwrap();
    assert_eq!((calls.len(), calls[0].legs.len(), calls[0].timeline.len()), (1, 3, 9));
}
