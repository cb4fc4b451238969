//! What was spoken before, as files named by what was said how: the digest of provider, language and words. The words
//! themselves are in no name.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use tandem_config::SpeechProvider;
use tandem_switch::Utterance;

/// A folder of spoken words.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    max_bytes: u64,
    /// What makes the same words sound otherwise.
    provider: String,
    /// Held while files are counted and removed.
    tidying: Mutex<()>,
}

impl Cache {
    pub(super) fn new(folder: PathBuf, max_bytes: u64, provider: &SpeechProvider) -> Self {
        let provider = match provider {
            SpeechProvider::Command { program, arguments } => format!("{program}\0{}", arguments.join("\0")),
            SpeechProvider::Http { url, .. } => url.clone(),
        };
        Self { folder, max_bytes, provider, tidying: Mutex::new(()) }
    }

    /// The file of these words, if they were spoken before.
    pub(super) fn find(&self, utterance: &Utterance) -> Option<Vec<u8>> {
        let path = self.path(utterance);
        let file = fs::read(&path).ok()?;
        // What is used stays longest; a file system that keeps no times forgets the oldest instead.
        let _ = fs::File::options()
            .append(true)
            .open(&path)
            .and_then(|file| file.set_modified(SystemTime::now()));
        Some(file)
    }

    /// Keeps a file, whole or not at all. A full disk costs the next caller some time, and nobody a call.
    pub(super) fn keep(&self, utterance: &Utterance, file: &[u8]) {
        let path = self.path(utterance);
        let half = path.with_extension(format!("{:?}.half", std::thread::current().id()));
        let kept = fs::create_dir_all(&self.folder)
            .and_then(|()| fs::write(&half, file))
            .and_then(|()| fs::rename(&half, &path));
        if let Err(error) = kept {
            tracing::warn!(folder = %self.folder.display(), %error, "speech cannot be kept");
            // It may not be there.
            let _ = fs::remove_file(&half);
        }
        self.tidy();
    }

    /// Removes what was not used for longest, until the rest fits.
    fn tidy(&self) {
        let _alone = self.tidying.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let about = |path: PathBuf| {
            let about = fs::metadata(&path).ok()?;
            Some((about.modified().ok()?, about.len(), path))
        };
        let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| is_ours(path))
            .filter_map(about)
            .collect();
        let mut total: u64 = files.iter().map(|(_, len, _)| len).sum();
        if total <= self.max_bytes {
            return;
        }
        files.sort();
        for (_, len, path) in files {
            if total <= self.max_bytes {
                return;
            }
            if fs::remove_file(path).is_ok() {
                total -= len;
            }
        }
    }

    pub(super) fn path(&self, utterance: &Utterance) -> PathBuf {
        let mut digest = Sha256::new();
        for part in [&self.provider, &utterance.language, &utterance.text] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part.as_bytes());
        }
        let name: String = digest.finalize().iter().map(|octet| format!("{octet:02x}")).collect();
        self.folder.join(name).with_extension("audio")
    }
}

fn is_ours(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "audio")
}
