//! Processor time to the nanosecond, from the scheduler's own books.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The threads of a process whose time is counted.
#[derive(Clone, Debug)]
pub struct Account {
    tasks: PathBuf,
    /// Only threads whose name begins so.
    name: &'static str,
}

impl Account {
    /// Threads of this process whose name begins with `name`.
    #[must_use]
    pub fn own_threads(name: &'static str) -> Self {
        Self { tasks: PathBuf::from("/proc/self/task"), name }
    }

    /// All threads of another process.
    #[must_use]
    pub fn process(pid: u32) -> Self {
        Self { tasks: PathBuf::from(format!("/proc/{pid}/task")), name: "" }
    }

    /// Their processor time so far.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn cpu(&self) -> io::Result<Duration> {
        let mut nanos = 0;
        for task in std::fs::read_dir(&self.tasks)? {
            let task = task?.path();
            if read(&task, "comm")?.starts_with(self.name) {
                nanos += nanos_of(&task)?;
            }
        }
        Ok(Duration::from_nanos(nanos))
    }
}

/// The first field of `schedstat` is time on a processor in nanoseconds.
fn nanos_of(task: &Path) -> io::Result<u64> {
    let text = read(task, "schedstat")?;
    let first = text.split_whitespace().next().and_then(|field| field.parse().ok());
    first.ok_or_else(|| io::Error::other("no time in schedstat"))
}

fn read(task: &Path, file: &str) -> io::Result<String> {
    std::fs::read_to_string(task.join(file))
}
