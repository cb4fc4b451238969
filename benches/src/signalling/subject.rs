//! What stands between the carriers.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tandem_peers::{Node, Process};

use super::Kamailio;

/// What calls go through.
pub trait Subject {
    /// As the table names it.
    fn name(&self) -> &'static str;
    /// Where calls to it go.
    fn address(&self) -> SocketAddr;
    /// Its processes.
    fn processes(&self) -> Vec<Process>;

    /// User and system time of all its processes.
    ///
    /// # Errors
    /// When one of them is gone.
    fn cpu(&self) -> io::Result<Duration> {
        self.processes().into_iter().map(Process::cpu).sum()
    }

    /// Resident memory of all its processes in bytes; what they share counts once for each.
    ///
    /// # Errors
    /// When one of them is gone.
    fn resident(&self) -> io::Result<u64> {
        self.processes().into_iter().map(Process::resident).sum()
    }
}

impl Subject for Node {
    fn name(&self) -> &'static str {
        "tandem"
    }

    fn address(&self) -> SocketAddr {
        self.ports().sip
    }

    fn processes(&self) -> Vec<Process> {
        vec![self.process()]
    }
}

impl Subject for Kamailio {
    fn name(&self) -> &'static str {
        "Kamailio"
    }

    fn address(&self) -> SocketAddr {
        Self::ADDRESS
    }

    fn processes(&self) -> Vec<Process> {
        self.workers()
    }
}
