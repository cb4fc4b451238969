//! What a node that did not end by itself has left: recordings without their name. They are completed as far as they
//! came, and say so.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;

use tandem_media::codec::Rate;
use tandem_media::recorder::WavFile;

use super::file::Paths;
use super::finisher::put_in_place;
use super::sidecar::Recorded;
use super::{RecordingCounters, RecordingsConfig};

/// How deep folders are looked through: recordings lie in one for each day.
const DEPTH: usize = 2;

/// Completes all there are.
pub(super) fn complete(config: &RecordingsConfig, counters: &RecordingCounters) {
    let mut found = Vec::new();
    find(&config.folder, DEPTH, &mut found);
    for about_part in found {
        match complete_one(config, &about_part) {
            Ok(true) => {
                counters.completed.fetch_add(1, Relaxed);
                tracing::warn!(file = %about_part.display(), "completed what an earlier run had left of a recording");
            }
            Ok(false) => {}
            Err(error) => {
                tracing::error!(file = %about_part.display(), %error, "what is left of a recording stays")
            }
        }
    }
}

/// The descriptions of recordings that have no name yet. A folder that cannot be read has none.
fn find(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() && depth > 1 {
            find(&path, depth - 1, found);
        } else if path.to_string_lossy().ends_with(".json.part") {
            found.push(path);
        }
    }
}

/// Whether there was a recording.
fn complete_one(config: &RecordingsConfig, about_part: &Path) -> io::Result<bool> {
    let mut about: Recorded = serde_json::from_reader(File::open(about_part)?)?;
    let folder = about_part.parent().unwrap_or(Path::new(""));
    let paths = Paths {
        part: folder.join(format!("{}.part", about.file)),
        audio: folder.join(&about.file),
        about_part: about_part.to_owned(),
        about_new: about_part.with_extension("new"),
        about: about_part.with_extension(""),
    };
    if paths.audio.is_file() && !paths.about.is_file() {
        // It had got its name, and its description not yet.
        fs::rename(&paths.audio, &paths.part)?;
    }
    if !paths.part.is_file() {
        // It was whole already, or had never a sample.
        fs::remove_file(about_part)?;
        return Ok(false);
    }
    about.complete = false;
    about.duration_ms = match (about.recipients.is_empty(), about.format.as_str()) {
        (true, "wav") => end_wav(&paths.part, &about)?,
        (true, _) => ogg_duration_ms(&paths.part)?,
        (false, _) => None,
    };
    put_in_place(config.disk.as_ref(), &paths, about)?;
    Ok(true)
}

/// Writes into a WAV file how long it is; its milliseconds.
fn end_wav(path: &Path, about: &Recorded) -> io::Result<Option<u64>> {
    let rate =
        [Rate::Narrowband, Rate::Wideband, Rate::Fullband].into_iter().find(|it| it.hz() == about.rate_hz);
    let Some(rate) = rate else { return Ok(None) };
    let channels: u8 = if about.sides == "stereo" { 2 } else { 1 };
    let mut file = OpenOptions::new().write(true).open(path)?;
    let octets = file.metadata()?.len().saturating_sub(WavFile::HEADER_LEN as u64);
    file.seek(SeekFrom::Start(0))?;
    file.write_all(&WavFile::new(rate, channels).header(Some(octets)))?;
    file.sync_all()?;
    Ok(Some(octets * 1_000 / (u64::from(rate.hz()) * 2 * u64::from(channels))))
}

/// Where the last page of an Ogg Opus file says that it ends, in milliseconds (RFC 3533 §6, RFC 7845 §4).
fn ogg_duration_ms(path: &Path) -> io::Result<Option<u64>> {
    /// More than the largest page has.
    const TAIL: u64 = 128 * 1_024;
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(file.metadata()?.len().saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let granule = tail.windows(14).rfind(|window| window.starts_with(b"OggS"));
    let granule = granule.and_then(<[u8]>::last_chunk).copied().map(u64::from_le_bytes);
    Ok(granule.map(|granule| granule / 48))
}
