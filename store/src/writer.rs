//! The writing thread: batches, transactions, and trying again.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant as WallInstant};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tandem_control_api::CallRecord;
use tandem_time::Instant;

use crate::{NodeClock, StoreError, insert, schema};

/// Records that may wait for the disk.
pub const QUEUE_CAPACITY: usize = 20_000;
/// Records written in one transaction.
const MAX_BATCH: usize = 500;
/// How long a record waits for others to be written with it: what reaches the disk costs by the batch.
const GATHER: Duration = Duration::from_millis(50);
/// The pause after the first failed write, doubled after each further one …
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// … up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long SQLite itself waits for another process's lock.
const LOCK_WAIT: Duration = Duration::from_millis(100);

/// Takes records and writes them.
#[derive(Debug)]
pub struct Store {
    sender: SyncSender<Box<CallRecord>>,
    thread: JoinHandle<()>,
    counters: Arc<Counters>,
    hurry: Arc<AtomicBool>,
}

/// What the store has done; read by metrics.
#[derive(Debug, Default)]
pub struct Counters {
    /// Records taken into the queue.
    pub accepted: AtomicU64,
    /// Records that did not fit the queue.
    pub refused: AtomicU64,
    /// Records on disk.
    pub written: AtomicU64,
    /// Writes that failed and were tried again.
    pub failures: AtomicU64,
}

impl Counters {
    /// Accepted and not yet on disk.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        let written = self.written.load(Ordering::Acquire);
        self.accepted.load(Ordering::Acquire).saturating_sub(written)
    }
}

/// The queue is full: the disk has been too slow for too long. Trying again later may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store's queue of {QUEUE_CAPACITY} records is full")]
pub struct Refused;

/// How a store ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Records on disk.
    pub written: u64,
    /// Records accepted and not written, since the disk would not take them in time.
    pub lost: u64,
}

impl Store {
    /// Opens or makes the file at `path`, and starts the writing thread.
    ///
    /// # Errors
    /// When it cannot be written, or is a newer version's.
    pub fn open(path: &Path, node: &str, clock: NodeClock) -> Result<Self, StoreError> {
        let (connection, run) = prepare(path, node, &clock)?;
        let (sender, receiver) = sync_channel(QUEUE_CAPACITY);
        let counters = Arc::new(Counters::default());
        let hurry = Arc::new(AtomicBool::new(false));
        let writer = Writer {
            path: path.to_owned(),
            connection,
            run,
            clock,
            receiver,
            counters: Arc::clone(&counters),
            hurry: Arc::clone(&hurry),
        };
        let thread =
            Builder::new().name("tandem-store".into()).spawn(|| writer.run()).map_err(StoreError::Thread)?;
        Ok(Self { sender, thread, counters, hurry })
    }

    /// Takes a record, without waiting. What is accepted is written, however long the disk takes.
    ///
    /// # Errors
    /// When the queue is full; the record is gone and counted.
    pub fn keep(&self, record: Box<CallRecord>) -> Result<(), Refused> {
        // Counted first, so that `waiting` never falls short of what is in the queue.
        self.counters.accepted.fetch_add(1, Ordering::AcqRel);
        if self.sender.try_send(record).is_ok() {
            return Ok(());
        }
        self.counters.accepted.fetch_sub(1, Ordering::AcqRel);
        self.counters.refused.fetch_add(1, Ordering::AcqRel);
        Err(Refused)
    }

    /// What the store has done.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Writes what is left and ends the thread. A disk that fails is given `patience` to recover.
    #[must_use]
    pub fn close(self, patience: Duration) -> Closed {
        let Self { sender, thread, counters, hurry } = self;
        drop(sender);
        let deadline = WallInstant::now() + patience;
        while !thread.is_finished() {
            let left = deadline.saturating_duration_since(WallInstant::now());
            if left.is_zero() {
                hurry.store(true, Ordering::Release);
            }
            thread.thread().unpark();
            std::thread::park_timeout(left.clamp(Duration::from_millis(1), Duration::from_millis(10)));
        }
        // A panic in the thread has been printed; what it held counts as lost.
        let _ = thread.join();
        Closed { written: counters.written.load(Ordering::Acquire), lost: counters.waiting() }
    }
}

fn prepare(path: &Path, node: &str, clock: &NodeClock) -> Result<(Connection, i64), StoreError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|source| StoreError::Folder { path: path.to_owned(), source })?;
    }
    let failed = |source| StoreError::Database { path: path.to_owned(), source };
    let mut connection = Connection::open(path).map_err(failed)?;
    let found = schema::version(&connection).map_err(failed)?;
    if found > schema::VERSION {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: schema::VERSION });
    }
    set_up(&mut connection, node, &clock.date(Instant::START)).map(|run| (connection, run)).map_err(failed)
}

fn set_up(connection: &mut Connection, node: &str, date: &str) -> rusqlite::Result<i64> {
    connection.busy_timeout(LOCK_WAIT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // Each batch reaches the disk before it counts as written; batching pays for it.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Records are written and seldom read: half a mebibyte of pages is plenty.
    connection.pragma_update(None, "cache_size", -512)?;
    schema::migrate(connection, date)?;
    connection.execute("INSERT INTO runs (node, started) VALUES (?1, ?2)", (node, date))?;
    Ok(connection.last_insert_rowid())
}

/// What the thread owns.
struct Writer {
    path: PathBuf,
    connection: Connection,
    run: i64,
    clock: NodeClock,
    receiver: Receiver<Box<CallRecord>>,
    counters: Arc<Counters>,
    hurry: Arc<AtomicBool>,
}

impl Writer {
    fn run(mut self) {
        let mut batch = Vec::with_capacity(MAX_BATCH);
        while let Ok(first) = self.receiver.recv() {
            batch.push(first);
            batch.extend(self.receiver.try_iter().take(MAX_BATCH - 1));
            if batch.len() < MAX_BATCH {
                // Whoever closes the store ends the wait.
                std::thread::park_timeout(GATHER);
                batch.extend(self.receiver.try_iter().take(MAX_BATCH - batch.len()));
            }
            if !self.write_until_done(&batch) {
                return;
            }
            self.counters.written.fetch_add(batch.len() as u64, Ordering::AcqRel);
            batch.clear();
        }
        // The next start finds one tidy file; if this fails, it finds two and reads both.
        let _ = self.connection.pragma_update(None, "wal_checkpoint", "TRUNCATE");
    }

    /// Whether it was written in the end; `false` when the store closes and the disk had its chance.
    fn write_until_done(&mut self, batch: &[Box<CallRecord>]) -> bool {
        let mut pause = FIRST_PAUSE;
        let mut failed = false;
        while let Err(error) = self.write(batch) {
            self.counters.failures.fetch_add(1, Ordering::AcqRel);
            if !failed {
                tracing::error!(path = %self.path.display(), %error, "cannot write call records; trying on");
                failed = true;
            }
            if self.hurry.load(Ordering::Acquire) {
                return false;
            }
            std::thread::park_timeout(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        if failed {
            tracing::info!(path = %self.path.display(), "call records are written again");
        }
        true
    }

    fn write(&mut self, batch: &[Box<CallRecord>]) -> rusqlite::Result<()> {
        let transaction = Transaction::new(&mut self.connection, TransactionBehavior::Immediate)?;
        for record in batch {
            insert::insert(&transaction, self.run, &self.clock, record)?;
        }
        transaction.commit()
    }
}
