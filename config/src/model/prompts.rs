//! What callers hear.

use std::path::PathBuf;
use std::time::Duration;

/// What callers hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompts {
    /// The folder of prompts, `NAME.wav`, `NAME.opus` or `NAME.ogg` each; those in a folder within it are `FOLDER/NAME`.
    pub folder: PathBuf,
    /// The folder of grammars, `LANGUAGE.toml` each; none when absent.
    pub grammars: Option<PathBuf>,
    /// The most that all of them may take when decoded, in MiB.
    pub max_memory_mib: u32,
}

/// How words are spoken that are not recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speech {
    /// Who speaks them.
    pub provider: SpeechProvider,
    /// How long it may take.
    pub timeout: Duration,
    /// The folder where what was spoken is kept; nowhere when absent. It need not exist.
    pub cache: Option<PathBuf>,
    /// The most that is kept there, in MiB.
    pub max_cache_mib: u32,
    /// The prompt that is heard instead of what could not be spoken.
    pub fallback: Option<String>,
}

/// Who speaks.
#[derive(Clone, PartialEq, Eq)]
pub enum SpeechProvider {
    /// A command: words on its standard input, a sound file on its standard output.
    Command {
        /// The program.
        program: String,
        /// Its arguments; `{language}` in them is the language.
        arguments: Vec<String>,
    },
    /// A service: words as the body of a POST, a sound file as that of the answer.
    Http {
        /// Where; `{language}` in it is the language.
        url: String,
        /// The Authorization header.
        authorization: Option<String>,
    },
}

impl std::fmt::Debug for SpeechProvider {
    /// Shows where, never the way in.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Command { program, arguments } => write!(f, "Command({program} {arguments:?})"),
            Self::Http { url, .. } => write!(f, "Http({url})"),
        }
    }
}
