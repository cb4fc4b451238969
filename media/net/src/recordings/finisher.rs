//! The thread that waits for the disk: syncs, renames, and says beside each recording what it is.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, SyncSender};

use sha2::{Digest, Sha256};

use super::file::{Over, Paths};
use super::medium::Disk;
use super::sidecar::Recorded;
use super::{News, RecordingCounters, RecordingsConfig};

pub(super) struct Finisher {
    config: RecordingsConfig,
    finish: Receiver<Over>,
    news: SyncSender<News>,
    counters: Arc<RecordingCounters>,
}

impl Finisher {
    pub(super) const fn new(
        config: RecordingsConfig,
        finish: Receiver<Over>,
        news: SyncSender<News>,
        counters: Arc<RecordingCounters>,
    ) -> Self {
        Self { config, finish, news, counters }
    }

    /// Until nobody writes any more.
    pub(super) fn run(self) {
        while let Ok(over) = self.finish.recv() {
            let (id, was_told) = (over.id, over.failure.is_some());
            let finished = self.finish(over);
            let counter =
                if finished.is_ok() && !was_told { &self.counters.finished } else { &self.counters.failed };
            counter.fetch_add(1, Relaxed);
            if let Err(error) = &finished {
                tracing::error!(%error, "a recording cannot be finished; it is at the next start");
            }
            let news = match finished {
                // What failed before was told then.
                _ if was_told => continue,
                Ok(()) => News::Finished { id },
                Err(error) => News::Failed { id, reason: error.to_string() },
            };
            let _ = self.news.try_send(news);
            (self.config.wake)();
        }
    }

    fn finish(&self, over: Over) -> io::Result<()> {
        let Over { medium, paths, about, .. } = over;
        // The worker never began: the leg ended before.
        let Some(mut medium) = medium else { return Ok(()) };
        medium.sync()?;
        drop(medium);
        put_in_place(self.config.disk.as_ref(), &paths, about)
    }
}

/// Gives a recording that is on the medium its name, and says beside it what it is. At every moment one of the
/// descriptions beside it is whole, for who reads it then and for the next run.
pub(super) fn put_in_place(disk: &dyn Disk, paths: &Paths, mut about: Recorded) -> io::Result<()> {
    (about.sha256, about.octets) = digest(&paths.part)?;
    fs::rename(&paths.part, &paths.audio)?;
    about.write(disk, &paths.about_new)?;
    fs::rename(&paths.about_new, &paths.about)?;
    fs::remove_file(&paths.about_part)?;
    match paths.about.parent() {
        // A name is on the medium when its folder is.
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// The SHA-256 of a file in hex, and its length.
fn digest(path: &Path) -> io::Result<(String, u64)> {
    let (mut file, mut hash, mut len) = (File::open(path)?, Sha256::new(), 0);
    let mut chunk = vec![0; 64 * 1_024];
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            let hex = hash.finalize().iter().map(|octet| format!("{octet:02x}")).collect();
            return Ok((hex, len));
        }
        hash.update(chunk.get(..read).unwrap_or_default());
        len += read as u64;
    }
}
