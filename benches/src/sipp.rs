//! SIPp as the carrier that makes the load.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A load of calls to one number.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// The number called.
    pub number: &'static str,
    /// How many calls.
    pub calls: u32,
    /// New calls a second.
    pub rate: u32,
    /// How long each is held.
    pub hold: Duration,
    /// The first of the ports calls name in SDP; each of `ports` calls in turn names the next even one.
    pub first_port: u16,
    /// How many ports.
    pub ports: u16,
}

impl Load {
    /// Starts SIPp from the demo's carrier address against the demo's listener.
    ///
    /// # Errors
    /// When SIPp is not installed (Debian's `sip-tester`).
    pub fn start(&self) -> io::Result<Child> {
        let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/sipp/call.xml");
        let folder = std::env::temp_dir();
        let named = folder.join(format!("tandem-bench-call-{}.xml", std::process::id()));
        fs::write(&named, fs::read_to_string(scenario)?.replace("[media_port]", "[field0]"))?;
        let ports = folder.join(format!("tandem-bench-ports-{}.csv", std::process::id()));
        let lines: String =
            (0..self.ports).map(|index| format!("{}\n", self.first_port + 2 * index)).collect();
        fs::write(&ports, format!("SEQUENTIAL\n{lines}"))?;
        Command::new("sipp")
            .arg("127.0.0.1:5060")
            .arg("-sf")
            .arg(named)
            .arg("-inf")
            .arg(ports)
            .args(["-i", "127.0.0.10", "-p", "5070", "-mi", "127.0.0.10", "-nostdin", "-s", self.number])
            .args(["-m", &self.calls.to_string(), "-r", &self.rate.to_string()])
            .args(["-l", "10000", "-d", &self.hold.as_millis().to_string()])
            .args(["-buff_size", "4194304", "-timer_resol", "1"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    }
}
