//! The thread that decodes and writes.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use super::file::{Over, RecordingFile};
use super::{Begin, News, RecordingCounters, RecordingsConfig, leftovers};

/// How often the rings are emptied, which hold seconds.
const PACE: Duration = Duration::from_millis(50);

pub(super) struct Writer {
    config: RecordingsConfig,
    begin: Receiver<Begin>,
    finish: SyncSender<Over>,
    news: SyncSender<News>,
    counters: Arc<RecordingCounters>,
    files: Vec<RecordingFile>,
}

impl Writer {
    pub(super) fn new(
        config: RecordingsConfig,
        begin: Receiver<Begin>,
        finish: SyncSender<Over>,
        news: SyncSender<News>,
        counters: Arc<RecordingCounters>,
    ) -> Self {
        Self { config, begin, finish, news, counters, files: Vec::new() }
    }

    /// Until nobody can begin any more and all are over.
    pub(super) fn run(mut self) {
        leftovers::complete(&self.config, &self.counters);
        loop {
            let begun = if self.files.is_empty() {
                self.begin.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                self.begin.recv_timeout(PACE)
            };
            match begun {
                Ok(begin) => self.begin(begin),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) if self.files.is_empty() => return,
                // Nobody wakes us any more, and the workers are gone: what is there is all.
                Err(RecvTimeoutError::Disconnected) => {}
            }
            while let Ok(begin) = self.begin.try_recv() {
                self.begin(begin);
            }
            self.advance();
        }
    }

    fn begin(&mut self, begin: Begin) {
        self.counters.begun.fetch_add(1, Relaxed);
        self.files.push(RecordingFile::new(begin, &self.config));
    }

    fn advance(&mut self) {
        for mut file in std::mem::take(&mut self.files) {
            match file.advance(&self.config) {
                Ok(false) => self.files.push(file),
                Ok(true) => self.over(file.finish(None)),
                Err(error) => {
                    tracing::error!(%error, "a recording cannot be written");
                    let _ = self.news.try_send(News::Failed { id: file.id, reason: error.to_string() });
                    (self.config.wake)();
                    self.over(file.finish(Some(error)));
                }
            }
        }
    }

    fn over(&self, over: Over) {
        self.counters.frames_lost.fetch_add(over.about.frames_lost, Relaxed);
        self.counters.octets.fetch_add(over.about.octets, Relaxed);
        // Waits for a disk that is slow to sync: rings hold seconds meanwhile, and count what they lose.
        let _ = self.finish.send(over);
    }
}
