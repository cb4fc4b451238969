//! `cargo xtask fuzz`: what it needs, the seeds, and one target after the other.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::Failed;

/// What there is, by what it is called in `tests/fuzz/Cargo.toml`.
const TARGETS: [&str; 11] = [
    "sip_message",
    "sip_stream",
    "sdp",
    "rules",
    "rtp",
    "rtcp",
    "telephone_event",
    "srtp",
    "datagram",
    "wav",
    "ogg_opus",
];

/// A program that this needs, how it is asked whether it is there, and how it is had.
const NEEDS: [(&[&str], &str); 2] = [
    (&["cargo", "+nightly", "--version"], "a nightly toolchain: rustup toolchain install nightly"),
    (&["cargo", "+nightly", "fuzz", "--version"], "cargo-fuzz: cargo install cargo-fuzz"),
];

/// Fuzzes one target, or each.
pub(crate) fn run(target: Option<&str>, seconds: u32) -> Result<(), Failed> {
    if let Some(unknown) = target.filter(|target| !TARGETS.contains(target)) {
        eprintln!("==> there is no target `{unknown}`; write one of: {}", TARGETS.join(", "));
        return Err(Failed);
    }
    for (ask, how) in NEEDS {
        if !answers(ask) {
            eprintln!("==> fuzzing needs {how}");
            return Err(Failed);
        }
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz");
    let mut seeds = cargo(&["run", "--quiet", "--bin", "seeds", "--"]);
    crate::run(seeds.current_dir(&folder).arg("."))?;
    let time = format!("-max_total_time={seconds}");
    for target in TARGETS.into_iter().filter(|name| target.is_none_or(|wanted| wanted == *name)) {
        let mut fuzz = cargo(&["+nightly", "fuzz", "run", "--fuzz-dir", ".", target, "--", &time]);
        crate::run(fuzz.current_dir(&folder).args(["-max_len=4096", "-timeout=10"]))?;
    }
    Ok(())
}

fn answers(ask: &[&str]) -> bool {
    let Some((program, arguments)) = ask.split_first() else { return false };
    let mut command = clean(program);
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = clean("cargo");
    command.args(arguments);
    command
}

/// Without what the `cargo` that runs this task says of its own toolchain.
fn clean(program: &str) -> Command {
    let mut command = Command::new(program);
    for name in ["CARGO", "RUSTUP_TOOLCHAIN", "RUSTC", "RUSTDOC"] {
        command.env_remove(name);
    }
    command
}
