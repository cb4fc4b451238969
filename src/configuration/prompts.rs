//! The prompts of a node, out of their folder and those in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tandem_config::{PROMPT_ENDINGS as ENDINGS, Prompts};
use tandem_media::Audio;
use tandem_switch::PromptLibrary;

use super::{MAX_FILES, unreadable};

/// The largest file of a prompt.
const MAX_FILE_BYTES: u64 = 256 << 20;
/// How deep folders may be within each other.
const MAX_DEPTH: usize = 4;

/// Reads all of them, decoded; what cannot be is told.
pub(super) fn read(config: &Prompts, mistakes: &mut Vec<String>) -> PromptLibrary {
    let mut files = BTreeMap::new();
    find(&config.folder, "", MAX_DEPTH, &mut files, mistakes);
    if files.len() > MAX_FILES {
        mistakes.push(format!("{}: holds more than {MAX_FILES} prompts", config.folder.display()));
        return PromptLibrary::new();
    }
    let mut library = PromptLibrary::new();
    let most = u64::from(config.max_memory_mib) << 20;
    let mut taken = 0;
    for (name, path) in files {
        match decode(&path) {
            Ok(audio) => {
                taken += audio.octets() as u64;
                if taken > most {
                    mistakes.push(format!(
                        "{}: with it prompts take more than {} MiB when decoded; raise prompts.max_memory_mib, or \
                         remove some",
                        path.display(),
                        config.max_memory_mib
                    ));
                    return library;
                }
                library.insert(name, Arc::new(audio));
            }
            Err(error) => mistakes.push(format!("{}: {error}", path.display())),
        }
    }
    library
}

fn decode(path: &Path) -> Result<Audio, String> {
    let unreadable = |error| format!("cannot be read: {error}");
    if fs::metadata(path).map_err(unreadable)?.len() > MAX_FILE_BYTES {
        return Err(format!("is larger than {} MiB: cut it into pieces", MAX_FILE_BYTES >> 20));
    }
    let bytes = fs::read(path).map_err(unreadable)?;
    tandem_media::decode_prompt(&bytes).map_err(|error| error.to_string())
}

/// Finds the prompts of a folder, whose names begin with `prefix`, and of those in it.
fn find(
    folder: &Path,
    prefix: &str,
    depth: usize,
    files: &mut BTreeMap<String, PathBuf>,
    mistakes: &mut Vec<String>,
) {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return mistakes.extend(unreadable(folder, &error).0),
    };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let Some(name) = path.file_stem().and_then(|name| name.to_str()) else { continue };
        if path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known)) {
            if let Some(other) = files.insert(format!("{prefix}{name}"), path.clone()) {
                let (path, other) = (path.display(), other.display());
                mistakes.push(format!("{path}: {other} has the same name; rename or remove one"));
            }
        } else if path.is_dir() && depth > 1 && files.len() <= MAX_FILES {
            find(&path, &format!("{prefix}{name}/"), depth - 1, files, mistakes);
        }
    }
}
