//! The house rules that a machine can read: which crate may see which, what the pure crates must not touch, and
//! how large a function or file may grow. The exceptions stand in `tests/tidy/exceptions.toml`, each with a reason.

#[path = "tidy/arrows.rs"]
mod arrows;
#[path = "tidy/docs.rs"]
mod docs;
#[path = "tidy/sizes.rs"]
mod sizes;
#[path = "tidy/words.rs"]
mod words;

use std::path::{Path, PathBuf};
use std::process::Command;

/// The repository's root.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The repository's files that git tracks or would track, relative to the root.
fn files(ending: &str) -> Vec<PathBuf> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git lists the files");
    let listed = String::from_utf8(listed.stdout).expect("file names are UTF-8");
    let files: Vec<PathBuf> = listed
        .lines()
        .filter(|name| name.ends_with(ending))
        .map(PathBuf::from)
        .filter(|name| root().join(name).is_file())
        .collect();
    assert!(!files.is_empty(), "no {ending} file found: the checks below would check nothing");
    files
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
