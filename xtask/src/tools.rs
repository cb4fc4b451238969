//! Programs that tasks need beside Rust and gcc.

use std::process::{Command, Stdio};

use crate::{Failed, run};

/// A program and the Debian package it comes in.
pub(crate) struct Tool {
    program: &'static str,
    package: &'static str,
}

/// What Opus is built with.
pub(crate) const BUILD: &[Tool] =
    &[Tool { program: "cmake", package: "cmake" }, Tool { program: "make", package: "make" }];

/// What the tests play against.
pub(crate) const TESTS: &[Tool] = &[
    Tool { program: "sipp", package: "sip-tester" },
    Tool { program: "baresip", package: "baresip-core" },
    Tool { program: "openssl", package: "openssl" },
    Tool { program: "espeak-ng", package: "espeak-ng" },
    Tool { program: "kamailio", package: "kamailio" },
    Tool { program: "node", package: "nodejs" },
    Tool { program: "npm", package: "npm" },
    Tool { program: "chromium", package: "chromium" },
    Tool { program: "tshark", package: "tshark" },
];

/// Makes sure that `tools` are there: installs what is missing when it may, else names it and fails.
pub(crate) fn ensure(tools: &[Tool]) -> Result<(), Failed> {
    let missing = missing(tools);
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = missing.iter().map(|tool| tool.package).collect();
    println!("==> missing: {}", missing.iter().map(|tool| tool.program).collect::<Vec<_>>().join(", "));
    let Some(prefix) = privilege().filter(|_| is_there("apt-get")) else {
        eprintln!("==> install them, for instance: sudo apt-get install {}", packages.join(" "));
        return Err(Failed);
    };
    run(apt(prefix).args(["update", "--quiet"]))?;
    run(apt(prefix).args(["install", "--yes", "--no-install-recommends"]).args(&packages))?;
    let missing = self::missing(tools);
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|tool| tool.program).collect();
    eprintln!("==> still missing after the installation: {}", names.join(", "));
    Err(Failed)
}

fn missing(tools: &[Tool]) -> Vec<&Tool> {
    tools.iter().filter(|tool| !is_there(tool.program)).collect()
}

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// What to put in front of a command that needs root: nothing for root itself, sudo where it asks no password.
fn privilege() -> Option<&'static [&'static str]> {
    if output_of("id", &["-u"]).is_some_and(|id| id.trim() == "0") {
        return Some(&[]);
    }
    output_of("sudo", &["-n", "true"]).map(|_| ["sudo", "-n"].as_slice())
}

fn output_of(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn apt(prefix: &[&str]) -> Command {
    let mut words = prefix.iter().copied().chain(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    let mut command = Command::new(words.next().unwrap_or("env"));
    command.args(words);
    command
}
