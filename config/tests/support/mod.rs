//! The sample configuration, changed in one place.

use std::path::Path;

use tandem_config::{Config, Disk, Problems};

/// The demo's configuration.
pub(crate) const SAMPLE: &str = include_str!("../../demo/tandem.toml");

/// A disk with every folder, and every file but `missing.*`.
struct FullDisk;

impl Disk for FullDisk {
    fn is_file(&self, path: &Path) -> bool {
        path.file_stem().is_some_and(|stem| stem != "missing")
    }

    fn is_folder(&self, path: &Path) -> bool {
        path.file_name().is_some_and(|name| name != "missing")
    }

    fn is_writable(&self, path: &Path) -> bool {
        path.file_name().is_some_and(|name| name != "locked")
    }
}

/// Reads `text` as `demo/tandem.toml`.
pub(crate) fn parse(text: &str) -> Result<Config, Problems> {
    Config::parse(Path::new("demo/tandem.toml"), text, &FullDisk)
}

/// The sample with the first `from` replaced by `to`.
pub(crate) fn changed(from: &str, to: &str) -> String {
    assert!(SAMPLE.contains(from), "the sample has no {from:?}");
    SAMPLE.replacen(from, to, 1)
}
