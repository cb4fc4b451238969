//! What TLS costs: the same calls by `tandem load straight`, as datagrams and over two connections that are reused, one
//! each way.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tandem_peers::{Authority, Node};

use super::Subject;

/// New calls a second.
const RATE: u32 = 1_000;
/// How many.
const CALLS: u32 = 10_000;

/// The configuration of the benchmark with a listener within TLS, and a carrier that speaks it.
const SECURED: &str = r#"
[[tls.certificate]]
certificate = "node.pem"
key = "node.key"

[[trunk]]
name = "carrier-tls"
sources = ["127.0.0.12"]
peer = "127.0.0.12:5081"
transport = "tls"
tls_ca = "ca.pem"
tls_name = "carrier.example"
max_calls = 100000
max_calls_per_second = 100000

[[entry_point]]
number = "+15559998"
trunk = "carrier-tls"
media = "direct"
"#;

/// CPU-seconds of the node for 1,000 calls, both ways of carrying them.
#[derive(Clone, Copy, Debug)]
pub struct Secure {
    /// As datagrams.
    pub udp: f64,
    /// Within TLS.
    pub tls: f64,
    /// Calls that failed, of both.
    pub failed: u64,
}

impl Secure {
    /// Measures both on one node, one after the other.
    ///
    /// # Errors
    /// When the node or the generator cannot run.
    pub fn measure(sample: &str) -> io::Result<Self> {
        let node = Node::release_with(sample, |folder, text| {
            // What cannot be written makes the start fail, which says why.
            let _ = certify(folder);
            text.replacen("listen = [", "listen = [\"tls:127.0.0.1:5061\", ", 1) + SECURED
        })?;
        let datagrams = ["--from", "127.0.0.10:5070", "--answer-at", "127.0.0.11:5071", "--to", "+15559999"];
        let file = |name: &str| node.folder().join(name).display().to_string();
        let (ca, cert, key) = (file("ca.pem"), file("carrier.pem"), file("carrier.key"));
        let within_tls = [
            "--transport",
            "tls",
            "--target",
            "127.0.0.1:5061",
            "--from",
            "127.0.0.12:5080",
            "--answer-at",
            "127.0.0.12:5081",
            "--to",
            "+15559998",
            "--ca",
            &ca,
            "--cert",
            &cert,
            "--key",
            &key,
            "--server-name",
            "node.example",
        ];
        let (udp, failed) = load(&node, &datagrams)?;
        let (tls, failed_within_tls) = load(&node, &within_tls)?;
        Ok(Self { udp, tls, failed: failed + failed_within_tls })
    }

    /// How much more a call costs within TLS.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.tls / self.udp
    }
}

fn certify(folder: &Path) -> io::Result<()> {
    let authority = Authority::new()?;
    fs::write(folder.join("ca.pem"), authority.pem())?;
    authority.issue(&["node.example", "127.0.0.1"])?.write(folder, "node")?;
    authority.issue(&["sip:carrier.example"])?.write(folder, "carrier")
}

/// Makes the calls; what 1,000 of them cost the node, and how many failed.
fn load(node: &Node, arguments: &[&str]) -> io::Result<(f64, u64)> {
    let summary = node.folder().join("load.json");
    let before = node.cpu()?;
    Command::new(Node::release_binary())
        .args(["load", "straight", "--quiet", "--no-media", "--hold", "500ms", "--json"])
        .arg(&summary)
        .args(["--rate", &RATE.to_string(), "--calls", &CALLS.to_string()])
        .args(arguments)
        .stdout(Stdio::null())
        .status()?;
    let cpu = node.cpu()? - before;
    let told: Value = serde_json::from_str(&fs::read_to_string(&summary)?)?;
    let completed = told["completed"].as_u64().unwrap_or_default();
    Ok((cpu.as_secs_f64() * 1e3 / f64::from(CALLS), u64::from(CALLS).saturating_sub(completed)))
}
