//! A run as ordered lines, and the hash by which two runs are compared.

use std::fmt;
use std::time::Duration;

/// Everything that happened, in order. The lines are kept only when somebody will read them; the hash covers them
/// and every packet whether or not they are kept.
#[derive(Debug)]
pub struct Trace {
    kept: Option<Vec<String>>,
    hash: u64,
}

impl Trace {
    /// An empty trace.
    pub(crate) fn new(keep: bool) -> Self {
        Self { kept: keep.then(Vec::new), hash: 0xcbf2_9ce4_8422_2325 }
    }

    /// Adds a line.
    pub(crate) fn line(&mut self, now: Duration, line: fmt::Arguments<'_>) {
        let line = format!("{:>10.4}  {line}", now.as_secs_f64());
        self.mix(line.as_bytes());
        if let Some(kept) = &mut self.kept {
            kept.push(line);
        }
    }

    /// Adds a packet to the hash without a line.
    pub(crate) fn packet(&mut self, now: Duration, bytes: &[u8]) {
        let nanos = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        self.mix(&nanos.to_le_bytes());
        // The header tells packets apart; the audio follows from it.
        self.mix(bytes.get(..16).unwrap_or(bytes));
    }

    /// FNV-1a.
    fn mix(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// The hash so far.
    #[must_use]
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// The lines, when they were kept.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        self.kept.as_deref().unwrap_or_default()
    }
}
