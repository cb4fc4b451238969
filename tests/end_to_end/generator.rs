//! `tandem load` as a program that tests run against a node.

use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, ExitStatus, Output, Stdio};

use serde_json::Value;
use tandem_peers::Node;

/// A run of the generator that has ended.
pub(crate) struct Run {
    pub(crate) status: ExitStatus,
    pub(crate) summary: Value,
    pub(crate) said: String,
}

impl Run {
    pub(crate) fn count(&self, what: &str) -> u64 {
        self.summary[what].as_u64().unwrap_or_else(|| panic!("no {what} in {}", self.summary))
    }

    /// How many failed of what begins so.
    pub(crate) fn failures(&self, cause: &str) -> u64 {
        let causes = self.summary["failures"].as_object().expect("failures by cause");
        causes
            .iter()
            .filter(|(name, _)| name.starts_with(cause))
            .filter_map(|(_, count)| count.as_u64())
            .sum()
    }

    /// Every step of `steps` was taken `count` times, in more than no time.
    pub(crate) fn took(&self, steps: &[&str], count: u64) {
        for step in steps {
            let told = &self.summary["steps"][step];
            assert_eq!(told["count"], count, "{step} in {}", self.said);
            let (p50, p99) = (told["p50_ms"].as_f64(), told["p99_ms"].as_f64());
            assert!(p50 > Some(0.0) && p99 >= p50, "{step} in {}", self.said);
        }
    }

    /// All of `count` went well.
    pub(crate) fn went_well(&self, count: u64) {
        assert!(self.status.success(), "{}", self.said);
        assert_eq!((self.count("begun"), self.count("completed")), (count, count), "{}", self.said);
        assert_eq!((self.count("failed"), &self.summary["passed"]), (0, &Value::Bool(true)), "{}", self.said);
    }
}

/// `tandem load` with these arguments, and the summary it writes into the node's folder.
pub(crate) fn command(node: &Node, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tandem"));
    let (carrier, media) = (node.ports().carrier, node.ports().carrier_rtp);
    let from = UdpSocket::bind((carrier.ip(), 0)).and_then(|it| it.local_addr());
    command
        .args(["load", "--json", &summary_file(node.folder()), "--quiet", "--timeout", "4s"])
        .args(["--target", &node.ports().sip.to_string()])
        .args(["--from", &from.expect("a free port").to_string()])
        .args(["--media-ports", &format!("{}-{}", media.0, media.1)])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn summary_file(folder: &Path) -> String {
    folder.join("load.json").display().to_string()
}

/// `tandem load` on a node that it starts itself.
pub(crate) fn load_on_its_own(arguments: &[&str]) -> Run {
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new(env!("CARGO_BIN_EXE_tandem"))
        .args(["load", "--json", &summary_file(folder.path()), "--quiet", "--start"])
        .args(arguments)
        .output();
    ended_in(folder.path(), output.expect("the generator runs"))
}

pub(crate) fn load(node: &Node, arguments: &[&str]) -> Run {
    ended(node, command(node, arguments).output().expect("the generator runs"))
}

pub(crate) fn ended(node: &Node, output: Output) -> Run {
    ended_in(node.folder(), output)
}

fn ended_in(folder: &Path, output: Output) -> Run {
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    let text = std::fs::read_to_string(summary_file(folder)).unwrap_or_else(|_| panic!("no summary: {said}"));
    Run { status: output.status, summary: serde_json::from_str(&text).expect("the summary is JSON"), said }
}
