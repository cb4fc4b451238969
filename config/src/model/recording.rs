//! What calls leave to be heard again.

use std::path::PathBuf;
use std::time::Duration;

/// How legs are recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// The folder of recordings; those of a day are in a folder of their own.
    pub folder: PathBuf,
    /// The kind of file.
    pub format: RecordingFormat,
    /// Which sides are kept.
    pub sides: RecordingSides,
    /// Who can read them: recipients of age; everybody when there is none.
    pub recipients: Vec<String>,
    /// Whether both parties hear a tone when a recording begins, pauses and goes on.
    pub beep: bool,
    /// How often they hear it while it goes on; not at all when absent.
    pub beep_every: Option<Duration>,
    /// The most at a time.
    pub max: u32,
}

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordingFormat {
    /// WAV.
    Wav,
    /// Ogg Opus.
    OggOpus,
}

/// Which sides of a leg are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordingSides {
    /// What its party says on the left, what it hears on the right.
    Stereo,
    /// Both in one channel.
    Mixed,
    /// What its party says.
    Party,
}
