//! What a process says, line by line, while it runs.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// Lines not yet looked at; a process that says more waits until somebody listens.
const MAX_WAITING: usize = 100_000;

/// The lines of a process's output.
pub(crate) struct Lines {
    waiting: Receiver<String>,
    seen: Vec<String>,
}

impl Lines {
    /// Reads `output` on a thread until it ends.
    pub(crate) fn of(output: impl Read + Send + 'static) -> Self {
        let (sender, waiting) = sync_channel(MAX_WAITING);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { waiting, seen: Vec::new() }
    }

    /// The first line that has not been returned yet and contains `text`.
    pub(crate) fn wait_for(&mut self, text: &str, patience: Duration) -> io::Result<String> {
        let deadline = Instant::now() + patience;
        loop {
            match self.waiting.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(text) {
                        return Ok(line);
                    }
                }
                Err(RecvTimeoutError::Timeout) => return Err(self.missing(text, "in time")),
                Err(RecvTimeoutError::Disconnected) => return Err(self.missing(text, "before it ended")),
            }
        }
    }

    fn missing(&self, text: &str, when: &str) -> io::Error {
        io::Error::other(format!("no «{text}» {when}; it said:\n{}", self.seen.join("\n")))
    }

    /// Everything said by a process that has ended.
    pub(crate) fn rest(mut self) -> Vec<String> {
        self.seen.extend(self.waiting.iter());
        self.seen
    }
}
