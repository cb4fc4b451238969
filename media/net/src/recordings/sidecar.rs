//! The file beside a recording: what it is, as JSON.

use std::path::Path;

use serde::{Deserialize, Serialize};
use tandem_media::recorder::Pause;

use super::medium::Disk;

/// Whose recording it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedLeg {
    /// The call's id, as its record has it.
    pub call: String,
    /// The leg's.
    pub leg: String,
    /// The SIP Call-ID.
    pub sip_call_id: String,
    /// Who is on the leg: a number, or a user. On the left in stereo.
    pub party: String,
    /// What the caller dialled.
    pub dialled: String,
    /// The trunk, when the leg is a carrier's.
    pub trunk: Option<String>,
}

/// A time in which nothing was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedPause {
    /// Milliseconds after the beginning.
    pub from_ms: u64,
    /// The same; the recording's end when absent.
    pub to_ms: Option<u64>,
}

/// What a recording is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// The recording's file, in the same folder.
    pub file: String,
    /// Whose it is.
    #[serde(flatten)]
    pub leg: RecordedLeg,
    /// When it began: ISO 8601 in UTC.
    pub started: String,
    /// How long it is; unknown of what was encrypted and not ended.
    pub duration_ms: Option<u64>,
    /// Whether it was written to its end; else the node ended before the call, or the disk was full.
    pub complete: bool,
    /// `wav` or `ogg-opus`.
    pub format: String,
    /// `stereo`, `mixed` or `party`.
    pub sides: String,
    /// Who can read it, as age names them; nobody else can. Empty when everybody can.
    pub recipients: Vec<String>,
    /// Samples a second.
    pub rate_hz: u32,
    /// Octets of the file.
    pub octets: u64,
    /// The SHA-256 of the file, in hex.
    pub sha256: String,
    /// Packets that are silence since the writer was behind.
    pub frames_lost: u64,
    /// Times in which nothing was kept.
    pub pauses: Vec<RecordedPause>,
}

impl From<Pause> for RecordedPause {
    fn from(pause: Pause) -> Self {
        let millis = |at: std::time::Duration| u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        Self { from_ms: millis(pause.from), to_ms: pause.to.map(millis) }
    }
}

impl Recorded {
    /// Writes it to `path`, and to the medium.
    pub(super) fn write(&self, disk: &dyn Disk, path: &Path) -> std::io::Result<()> {
        let text = serde_json::to_vec_pretty(self)?;
        let mut file = disk.create(path)?;
        file.write_all(&text)?;
        file.sync()
    }
}
