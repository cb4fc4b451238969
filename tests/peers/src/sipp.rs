//! SIPp as a carrier that calls, or as an agent on the telephone network who is called.

use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::node::{Ports, root};
use crate::parts;

/// How often it is looked whether SIPp listens.
const PACE: Duration = Duration::from_millis(20);

/// What SIPp does: a scenario of `tests/sipp` and how often it runs.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The scenario's file in `tests/sipp`, without `.xml`.
    pub name: &'static str,
    /// The number called.
    pub number: &'static str,
    /// How many calls.
    pub calls: u32,
    /// New calls a second.
    pub rate: u32,
    /// How long the scenario's pauses last.
    pub pause: Duration,
    /// The even RTP ports that calls name in turn; SIPp's own when there are none.
    pub media_ports: Vec<u16>,
    /// More of SIPp's own options, such as `-t t1` for TCP.
    pub options: &'static [&'static str],
}

impl Scenario {
    /// One call to `number`.
    #[must_use]
    pub const fn once(name: &'static str, number: &'static str) -> Self {
        Self {
            name,
            number,
            calls: 1,
            rate: 1,
            pause: Duration::from_millis(500),
            media_ports: Vec::new(),
            options: &[],
        }
    }
}

/// A SIPp under way.
pub struct Sipp {
    child: Child,
    folder: TempDir,
}

impl Sipp {
    /// Starts a scenario from the carrier's address; callers and called agents both sit there.
    ///
    /// # Errors
    /// When SIPp is not installed (Debian's `sip-tester`).
    pub fn start(scenario: &Scenario, ports: &Ports) -> io::Result<Self> {
        Self::start_at(scenario, ports, ports.carrier)
    }

    /// The same from another address.
    ///
    /// # Errors
    /// When SIPp is not installed (Debian's `sip-tester`).
    pub fn start_at(scenario: &Scenario, ports: &Ports, at: SocketAddr) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let scenarios = root().join("tests/sipp");
        let text = fs::read_to_string(scenarios.join(scenario.name).with_extension("xml"))?;
        let mut text = parts::expand(&text, &scenarios.join("parts"))?;
        let mut command = Command::new("sipp");
        if !scenario.media_ports.is_empty() {
            text = text.replace("[media_port]", "[field0]");
            let lines: String = scenario.media_ports.iter().map(|port| format!("{port}\n")).collect();
            fs::write(folder.path().join("ports.csv"), format!("SEQUENTIAL\n{lines}"))?;
            command.arg("-inf").arg(folder.path().join("ports.csv"));
        }
        let file = folder.path().join("scenario.xml");
        fs::write(&file, text)?;
        let carrier = at.ip().to_string();
        let stem = Path::new(scenario.name).file_stem().unwrap_or_default().to_string_lossy();
        let child = command
            .arg(ports.sip.to_string())
            .arg("-sf")
            .arg(file)
            .args(["-i", &carrier, "-p", &at.port().to_string(), "-mi", &carrier])
            .args([
                "-s",
                scenario.number,
                "-m",
                &scenario.calls.to_string(),
                "-r",
                &scenario.rate.to_string(),
            ])
            // So that a record tells the scenario.
            .args(["-cid_str", &format!("{stem}-%u-%p@%s")])
            .args(["-l", "10000", "-d", &scenario.pause.as_millis().to_string()])
            .args(["-nostdin", "-timeout", "120", "-timeout_error", "-trace_err", "-error_file"])
            .arg(folder.path().join("errors"))
            .args(["-buff_size", "4194304"])
            .args(scenario.options)
            .stdin(Stdio::null())
            .stdout(File::create(folder.path().join("screen"))?)
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { child, folder })
    }

    /// Waits until it listens at its carrier's address, over UDP and IPv4: what reaches a called party earlier is lost.
    ///
    /// # Errors
    /// When it does not within `patience`.
    pub fn listens(&mut self, at: SocketAddrV4, patience: Duration) -> io::Result<()> {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if is_bound(at)? {
                return Ok(());
            }
            if let Some(ended) = self.child.try_wait()? {
                return Err(io::Error::other(format!("SIPp {ended}")));
            }
            std::thread::park_timeout(PACE);
        }
        Err(io::Error::other(format!("SIPp does not listen at {at}")))
    }

    /// Waits for its end, which is successful when every call went as the scenario says.
    ///
    /// # Errors
    /// When it failed; the error holds what SIPp found wrong.
    pub fn finish(mut self) -> io::Result<()> {
        let ended: ExitStatus = self.child.wait()?;
        if ended.success() {
            return Ok(());
        }
        let errors = fs::read_to_string(self.folder.path().join("errors")).unwrap_or_default();
        Err(io::Error::other(format!("SIPp {ended}: {}", errors.chars().take(4_000).collect::<String>())))
    }
}

/// Whether somebody has bound this address for UDP, as the kernel tells (proc_net(5)): trying it out would be in
/// their way.
fn is_bound(at: SocketAddrV4) -> io::Result<bool> {
    let wanted = format!("{:08X}:{:04X}", u32::from_ne_bytes(at.ip().octets()), at.port());
    let sockets = fs::read_to_string("/proc/net/udp")?;
    Ok(sockets.lines().any(|line| line.split_whitespace().nth(1) == Some(wanted.as_str())))
}

impl Drop for Sipp {
    fn drop(&mut self) {
        // It has ended already, or nothing more can be done about it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
