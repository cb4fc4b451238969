//! What passes over loopback, captured by tshark.

use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::lines::Lines;

const PATIENCE: Duration = Duration::from_secs(20);

/// A datagram that passed.
#[derive(Clone, Debug)]
pub struct Datagram {
    /// From where.
    pub source: SocketAddr,
    /// Whereto.
    pub destination: SocketAddr,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// A capture under way; stopped when dropped.
pub struct Capture {
    child: Child,
    folder: TempDir,
    /// Where what marks the end is sent from.
    end: UdpSocket,
}

impl Capture {
    /// Captures UDP on loopback, and waits until it does. Needs the right to.
    ///
    /// # Errors
    /// When tshark is not installed or may not capture.
    pub fn start() -> io::Result<Self> {
        Self::start_of("udp")
    }

    /// The same of what passes to and from one port.
    ///
    /// # Errors
    /// When tshark is not installed or may not capture.
    pub fn start_at(port: u16) -> io::Result<Self> {
        Self::start_of(&format!("udp port {port}"))
    }

    fn start_of(filter: &str) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let end = UdpSocket::bind("127.0.0.1:0")?;
        let filter = format!("({filter}) or udp port {}", end.local_addr()?.port());
        let mut child = Command::new("tshark")
            .args(["-i", "lo", "-f", &filter, "-w"])
            .arg(folder.path().join("capture.pcap"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let said = child.stderr.take().map(Lines::of);
        let capture = Self { child, folder, end };
        said.ok_or_else(|| io::Error::other("no standard error"))?.wait_for("Capture started", PATIENCE)?;
        Ok(capture)
    }

    /// Ends it and returns what passed until now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn finish(mut self) -> io::Result<Vec<Datagram>> {
        self.catch_up()?;
        let pid = i32::try_from(self.child.id()).map_err(io::Error::other)?;
        kill(Pid::from_raw(pid), Signal::SIGINT)?;
        self.child.wait()?;
        let fields = ["ip.src", "udp.srcport", "ip.dst", "udp.dstport", "udp.payload"];
        let read = Command::new("tshark")
            .arg("-r")
            .arg(self.folder.path().join("capture.pcap"))
            .args(["-T", "fields", "-E", "separator=|"])
            .args(fields.iter().flat_map(|field| ["-e", field]))
            .stderr(Stdio::null())
            .output()?;
        Ok(String::from_utf8_lossy(&read.stdout).lines().filter_map(datagram).collect())
    }

    /// Waits until the capture has what has passed already: it is written down some time after.
    fn catch_up(&self) -> io::Result<()> {
        const PACE: Duration = Duration::from_millis(50);
        let end = self.end.local_addr()?;
        let mark = format!("end of capture at {end}");
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            self.end.send_to(mark.as_bytes(), end)?;
            let written = tail(&self.folder.path().join("capture.pcap"))?;
            if written.windows(mark.len()).any(|it| it == mark.as_bytes()) {
                return Ok(());
            }
            std::thread::park_timeout(PACE);
        }
        Err(io::Error::other("the capture does not catch up"))
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // It has ended already, or nothing more can be done about it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The end of a file that may be long.
fn tail(path: &Path) -> io::Result<Vec<u8>> {
    const LONGEST: u64 = 64 * 1024;
    let mut file = fs::File::open(path)?;
    let len = file.metadata()?.len();
    file.seek(SeekFrom::Start(len.saturating_sub(LONGEST)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// `127.0.0.1|5060|127.0.0.10|5070|494e56…`
fn datagram(line: &str) -> Option<Datagram> {
    let mut fields = line.split('|');
    let mut address = || format!("{}:{}", fields.next()?, fields.next()?).parse().ok();
    let (source, destination) = (address()?, address()?);
    let hex = fields.next()?;
    let octet = |place| u8::from_str_radix(hex.get(place..place + 2)?, 16).ok();
    let bytes = (0..hex.len()).step_by(2).map(octet).collect::<Option<_>>()?;
    Some(Datagram { source, destination, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_datagram_or_nothing() {
        let read = datagram("127.0.0.1|5060|127.0.0.10|5070|4f4b").expect("a datagram");
        assert_eq!((read.source.port(), read.destination.to_string()), (5_060, "127.0.0.10:5070".to_owned()));
        assert_eq!(read.bytes, b"OK");
        for broken in ["", "127.0.0.1|5060|127.0.0.10|5070|4", "127.0.0.1|5060|x|5070|4f", "|||4f"] {
            assert!(datagram(broken).is_none(), "{broken}");
        }
    }
}
