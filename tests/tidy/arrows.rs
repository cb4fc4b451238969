//! Crate arrows and forbidden dependencies, from `cargo metadata`.

use std::collections::BTreeSet;
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// Which crates of ours a crate may depend on. `tandem` (the daemon) may see every one of them.
const ARROWS: &[(&str, &[&str])] = &[
    ("tandem-time", &[]),
    ("tandem-config", &[]),
    ("tandem-phone", &[]),
    ("tandem-phone-net", &["tandem-phone"]),
    ("tandem-sbc", &["tandem-time"]),
    ("tandem-media", &["tandem-time"]),
    ("tandem-control-api", &["tandem-time"]),
    ("tandem-control", &["tandem-control-api", "tandem-time"]),
    ("tandem-switch", &["tandem-sbc", "tandem-media", "tandem-control-api", "tandem-time"]),
    ("tandem-sbc-net", &["tandem-sbc", "tandem-time"]),
    ("tandem-media-net", &["tandem-media", "tandem-time"]),
    ("tandem-store", &["tandem-control-api", "tandem-control", "tandem-config", "tandem-time"]),
    ("tandem-api", &["tandem-control-api", "tandem-control", "tandem-config"]),
];

/// Crates that are functions of their inputs.
const PURE: &[&str] = &[
    "tandem-time",
    "tandem-config",
    "tandem-phone",
    "tandem-sbc",
    "tandem-media",
    "tandem-control-api",
    "tandem-control",
    "tandem-switch",
];

/// What no pure crate of ours may name among its direct dependencies: runtimes, sockets, clocks, files, entropy.
const IMPURE: &[&str] = &[
    "tokio",
    "mio",
    "socket2",
    "libc",
    "nix",
    "rustix",
    "rusqlite",
    "axum",
    "hyper",
    "getrandom",
    "async-std",
    "smol",
    "notify",
    "jiff",
    "chrono",
    "time",
    "tracing-subscriber",
    "crossbeam-channel",
];

/// What must not be in the whole tree below these crates: the foreign test libraries in `phone` bring some along.
const STRICTLY_PURE: &[&str] =
    &["tandem-time", "tandem-sbc", "tandem-media", "tandem-control-api", "tandem-control", "tandem-switch"];

fn metadata() -> Metadata {
    MetadataCommand::new().current_dir(super::root()).exec().expect("cargo metadata runs")
}

fn normal_dependencies(package: &Package) -> impl Iterator<Item = &str> {
    package.dependencies.iter().filter(|it| it.kind == DependencyKind::Normal).map(|it| it.name.as_str())
}

#[test]
fn crates_see_only_the_crates_the_architecture_lets_them_see() {
    let metadata = metadata();
    for (name, allowed) in ARROWS {
        let package = metadata
            .workspace_packages()
            .into_iter()
            .find(|package| package.name.as_str() == *name)
            .unwrap_or_else(|| panic!("{name} is gone: take it out of the arrows"));
        for dependency in normal_dependencies(package).filter(|it| it.starts_with("tandem")) {
            assert!(allowed.contains(&dependency), "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn every_crate_has_its_arrows_listed() {
    let listed: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let outside = ["tandem", "tandem-sim", "tandem-peers", "tandem-benches", "xtask"];
    for package in metadata().workspace_packages() {
        let name = package.name.as_str();
        assert!(listed.contains(name) || outside.contains(&name), "{name} has no line in the arrows");
    }
}

#[test]
fn pure_crates_name_no_impure_dependency() {
    let metadata = metadata();
    for package in metadata.workspace_packages() {
        if PURE.contains(&package.name.as_str()) {
            for dependency in normal_dependencies(package) {
                assert!(!IMPURE.contains(&dependency), "{} must not depend on {dependency}", package.name);
            }
        }
    }
}

#[test]
fn nothing_below_the_core_reaches_a_socket_a_clock_or_entropy() {
    for name in STRICTLY_PURE {
        let tree = tree_below(name);
        assert!(tree.contains(*name), "cargo tree shows no {name}");
        for impure in IMPURE {
            assert!(!tree.contains(*impure), "{name} reaches {impure}");
        }
    }
}

/// The names of all crates that go into `package` alone, with the features it alone asks for.
fn tree_below(package: &str) -> BTreeSet<String> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--package", package, "--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .current_dir(super::root())
        .output()
        .expect("cargo tree runs");
    let tree = String::from_utf8(tree.stdout).expect("crate names are UTF-8");
    tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn every_pure_crate_bans_clocks_threads_and_files_in_its_clippy_file() {
    for folder in ["time", "sbc", "media", "switch", "control", "control/api", "config", "phone"] {
        let file = format!("{folder}/clippy.toml");
        let bans = super::read(file.as_ref());
        for banned in
            ["std::time::Instant::now", "std::time::SystemTime::now", "std::thread::spawn", "std::fs::read"]
        {
            assert!(bans.contains(banned), "{file} does not ban {banned}");
        }
    }
}

#[test]
fn unsafe_code_is_allowed_in_one_crate_only() {
    let allowed: Vec<String> = super::files(".rs")
        .into_iter()
        .filter(|file| super::read(file).contains("allow(unsafe_code"))
        .map(|file| file.display().to_string())
        .filter(|file| !file.starts_with("tests/tidy/") && !file.starts_with("media/net/"))
        .collect();
    let listed = super::sizes::Exceptions::read().unsafe_files();
    assert_eq!(allowed, listed, "unsafe code outside media/net must be listed with a reason");
}
