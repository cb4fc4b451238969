//! What calls leave to be heard again.

use std::path::PathBuf;

/// How legs are recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// The folder of recordings; those of a day are in a folder of their own.
    pub folder: PathBuf,
    /// The most at a time.
    pub max: u32,
}
