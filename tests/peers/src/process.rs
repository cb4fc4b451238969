//! What a process has used so far, from `/proc`.

use std::io;
use std::time::Duration;

/// Clock ticks a second in `/proc/PID/stat`: fixed by the kernel's user interface on every common platform.
const TICKS_PER_SECOND: u64 = 100;

/// A process under test.
#[derive(Clone, Copy, Debug)]
pub struct Process(u32);

impl Process {
    /// The process of that id.
    #[must_use]
    pub const fn new(pid: u32) -> Self {
        Self(pid)
    }

    /// User and system time of all its threads.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn cpu(self) -> io::Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0))?;
        // The command's name is in parentheses and may hold anything; the fields behind it are numbers (proc(5)).
        let fields = stat.rsplit(')').next().unwrap_or_default();
        let mut ticks = fields.split_whitespace().skip(11).take(2).filter_map(|it| it.parse::<u64>().ok());
        let ticks = ticks.next().unwrap_or(0) + ticks.next().unwrap_or(0);
        Ok(Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND))
    }

    /// How the kernel runs the threads whose names begin so: 0 is the usual class, others are the priorities of the
    /// real-time class.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn real_time_priorities(self, name: &str) -> io::Result<Vec<u32>> {
        let mut priorities = Vec::new();
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.0))? {
            let stat = std::fs::read_to_string(thread?.path().join("stat"))?;
            let (begin, fields) = stat.rsplit_once(')').unwrap_or_default();
            if begin.split_once('(').is_some_and(|(_, its)| its.starts_with(name)) {
                // rt_priority is the 40th field of proc_pid_stat(5), the 38th behind the name.
                let priority = fields.split_whitespace().nth(37).and_then(|field| field.parse().ok());
                priorities.push(priority.ok_or_else(|| io::Error::other("no rt_priority in /proc"))?);
            }
        }
        Ok(priorities)
    }

    /// Resident memory in bytes.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn resident(self) -> io::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0))?;
        let kibibytes = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|number| number.parse::<u64>().ok())
            .ok_or_else(|| io::Error::other("no VmRSS in /proc"))?;
        Ok(kibibytes * 1_024)
    }
}
