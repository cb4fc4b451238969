//! The process under test, and the kernel beneath it, as `/proc` tells.

use std::fs;
use std::net::SocketAddr;

use serde::Serialize;

/// Clock ticks a second in `/proc/PID/stat`: the same on every Linux (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// A process that is looked at from outside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Process(u32);

/// What a process has used so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Usage {
    /// User and system time of all its threads.
    pub(super) cpu_s: f64,
    /// Its memory in the machine now.
    pub(super) resident_mib: f64,
}

impl Process {
    pub(super) const fn new(pid: u32) -> Self {
        Self(pid)
    }

    /// Ourselves.
    pub(super) fn ours() -> Self {
        Self(std::process::id())
    }

    /// Who listens at `address`, if it is somebody on this machine whom we may look at.
    pub(super) fn listening_at(address: SocketAddr) -> Option<Self> {
        let inodes: Vec<u64> = ["udp", "udp6", "tcp", "tcp6"]
            .iter()
            .flat_map(|table| sockets(table))
            .filter_map(|socket| {
                let listens = socket.port == address.port() && socket.remote_port == 0;
                listens.then_some(socket.inode)
            })
            .collect();
        let wanted: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
        let processes = fs::read_dir("/proc")
            .ok()?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
        processes.filter(|pid| *pid != std::process::id()).find(|pid| holds(*pid, &wanted)).map(Self)
    }

    pub(super) const fn pid(self) -> u32 {
        self.0
    }

    /// None when it is gone.
    pub(super) fn usage(self) -> Option<Usage> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).ok()?;
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).ok()?;
        Some(Usage { cpu_s: cpu_s(&stat)?, resident_mib: resident_mib(&status)? })
    }
}

/// Fields 14 and 15; the second may hold blanks, in brackets.
fn cpu_s(stat: &str) -> Option<f64> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
    Some((ticks(14)? + ticks(15)?) / TICKS_PER_SECOND)
}

fn resident_mib(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1_024.0)
}

fn holds(pid: u32, wanted: &[String]) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    descriptors
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .any(|link| link.to_str().is_some_and(|link| wanted.iter().any(|wanted| wanted == link)))
}

/// The processor, how many cores, and the kernel: what a figure was measured on.
pub(super) fn machine() -> String {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split_once(": ")).map_or("unknown processor", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{model}, {cores} cores, Linux {}", read("/proc/sys/kernel/osrelease").trim())
}

/// Datagrams the kernel threw away because nobody read them in time, at all sockets of these ports so far.
pub(super) fn receive_drops(ports: &[u16]) -> u64 {
    ["udp", "udp6"]
        .iter()
        .flat_map(|table| sockets(table))
        .filter(|socket| ports.contains(&socket.port))
        .map(|socket| socket.drops)
        .sum()
}

#[derive(Debug, PartialEq, Eq)]
struct Socket {
    port: u16,
    remote_port: u16,
    inode: u64,
    drops: u64,
}

fn sockets(table: &str) -> Vec<Socket> {
    let text = fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
    text.lines().skip(1).filter_map(socket).collect()
}

/// A line of `/proc/net/udp` or `tcp`; only the former tells of drops, in its last field.
fn socket(line: &str) -> Option<Socket> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let port = |field: usize| u16::from_str_radix(fields.get(field)?.rsplit_once(':')?.1, 16).ok();
    let drops = fields.get(12).and_then(|drops| drops.parse().ok()).unwrap_or(0);
    Some(Socket { port: port(1)?, remote_port: port(2)?, inode: fields.get(9)?.parse().ok()?, drops })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        let stat = "42 (a (strange) name) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 4 0 100 1 1";
        assert_eq!(cpu_s(stat), Some(3.0));
        assert_eq!(resident_mib("Name:\tx\nVmRSS:\t   20480 kB\n"), Some(20.0));
        let line = " 3000: 0100007F:13C4 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 98765 2 0000000000000000 17";
        assert_eq!(socket(line), Some(Socket { port: 5060, remote_port: 0, inode: 98_765, drops: 17 }));
    }

    #[test]
    fn finds_itself_by_nothing_and_others_by_their_port() {
        let own = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        // We hold the socket, and are not under test.
        assert!(Process::listening_at(own.local_addr().unwrap()).is_none());
        assert!(Process::ours().usage().unwrap().resident_mib > 0.0);
    }
}
