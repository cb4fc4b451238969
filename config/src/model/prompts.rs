//! What callers hear.

use std::path::PathBuf;

/// What callers hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompts {
    /// The folder of prompts, `NAME.wav` each; those in a folder within it are `FOLDER/NAME`.
    pub folder: PathBuf,
    /// The folder of grammars, `LANGUAGE.toml` each; none when absent.
    pub grammars: Option<PathBuf>,
    /// The most that all of them may take when decoded, in MiB.
    pub max_memory_mib: u32,
}
