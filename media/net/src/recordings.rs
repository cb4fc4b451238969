//! Recordings on disk: what the taps of media workers bring is decoded, written and finished by two threads of their own.
//!
//! ```text
//! core ── Begin ─▶ writer ── a recording that is over ─▶ finisher ── news ─▶ core
//!                  decodes, writes NAME.part             syncs, renames, writes NAME.json
//! ```
//!
//! A recording is `NAME.part` until it is whole, and beside it `NAME.json` says what it is. Whatever the disk does, no
//! call notices: rings are bounded, what cannot be written is told once and counted. What a crash has left is completed
//! when the next node starts.
//!
//! Nothing here runs on a media thread.

mod file;
mod finisher;
mod form;
mod leftovers;
mod listing;
mod medium;
mod sidecar;
mod writer;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use tandem_media::recorder::TapReader;
use tandem_time::Instant;

pub use form::{Form, NoRecipient};
pub use listing::{Kept, Listed, Listing, MAX_LISTED, Wanted, kept, list, named};
pub use medium::{Disk, Files, Medium};
pub use sidecar::{Recorded, RecordedLeg, RecordedPause};

use crate::threads::Wake;
use finisher::Finisher;
use writer::Writer;

/// Recordings that may begin, or be finished, before the threads have looked.
const QUEUE_CAPACITY: usize = 1_024;

/// How recordings are kept.
#[derive(Clone)]
pub struct RecordingsConfig {
    /// Where; what is left there of an earlier node is completed.
    pub folder: PathBuf,
    /// What holds the files; [`Files`] but in tests.
    pub disk: Arc<dyn Disk>,
    /// Instants as dates, ISO 8601 in UTC.
    pub date: Arc<dyn Fn(Instant) -> String + Send + Sync>,
    /// Called when there is news.
    pub wake: Wake,
}

impl fmt::Debug for RecordingsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordingsConfig").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// A recording to be written.
#[derive(Debug)]
pub struct Begin {
    /// Names it in news.
    pub id: u64,
    /// Its file below the folder, without ending: folders between are made.
    pub name: String,
    /// What it is of, for the file beside it.
    pub leg: RecordedLeg,
    /// What it is to look like.
    pub form: Form,
    /// Where it comes from.
    pub reader: TapReader,
}

/// What the core should hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A recording is whole, under its name.
    Finished {
        /// Which.
        id: u64,
    },
    /// A recording could not be written, or not to its end.
    Failed {
        /// Which.
        id: u64,
        /// Why, in the system's words.
        reason: String,
    },
}

/// What was done, for metrics.
#[derive(Debug, Default)]
pub struct RecordingCounters {
    /// Recordings begun.
    pub begun: AtomicU64,
    /// Those that are whole on disk …
    pub finished: AtomicU64,
    /// … and those that are not, since the disk would not take them.
    pub failed: AtomicU64,
    /// Those of an earlier node that were completed.
    pub completed: AtomicU64,
    /// Packets that found their ring full and are silence.
    pub frames_lost: AtomicU64,
    /// Octets written.
    pub octets: AtomicU64,
}

/// The running threads.
#[derive(Debug)]
pub struct Recordings {
    begin: Option<SyncSender<Begin>>,
    news: Receiver<News>,
    counters: Arc<RecordingCounters>,
    threads: Vec<JoinHandle<()>>,
}

impl Recordings {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the process has no thread left.
    pub fn start(config: &RecordingsConfig) -> std::io::Result<Self> {
        let counters = Arc::new(RecordingCounters::default());
        let (begin, to_begin) = sync_channel(QUEUE_CAPACITY);
        let (finish, to_finish) = sync_channel(QUEUE_CAPACITY);
        let (tell, news) = sync_channel(2 * QUEUE_CAPACITY);
        let writer = Writer::new(config.clone(), to_begin, finish, tell.clone(), Arc::clone(&counters));
        let finisher = Finisher::new(config.clone(), to_finish, tell, Arc::clone(&counters));
        let threads = vec![
            Builder::new().name("recorder".into()).spawn(move || writer.run())?,
            Builder::new().name("recorder-sync".into()).spawn(move || finisher.run())?,
        ];
        Ok(Self { begin: Some(begin), news, counters, threads })
    }

    /// Takes a recording to be written. Never blocks.
    ///
    /// # Errors
    /// Gives it back when too many begin at a time, or the thread is gone.
    #[expect(clippy::result_large_err, reason = "it goes back by value, as std's channels do it")]
    pub fn begin(&self, begin: Begin) -> Result<(), Begin> {
        use std::sync::mpsc::TrySendError::{Disconnected, Full};
        let Some(sender) = &self.begin else { return Err(begin) };
        sender.try_send(begin).map_err(|(Full(begin) | Disconnected(begin))| begin)
    }

    /// The next news.
    pub fn poll_news(&self) -> Option<News> {
        self.news.try_recv().ok()
    }

    /// What was done.
    #[must_use]
    pub fn counters(&self) -> Arc<RecordingCounters> {
        Arc::clone(&self.counters)
    }

    /// Finishes what is over and waits for it. Endpoints must be closed, and workers gone, before.
    pub fn stop(mut self) {
        self.begin = None;
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of recordings had panicked");
            }
        }
    }
}
