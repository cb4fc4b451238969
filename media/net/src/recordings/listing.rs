//! What recordings there are, by what stands beside each; for whoever asks, on a thread that may wait for the disk.

use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};

use serde::Serialize;

use super::sidecar::Recorded;

/// The most recordings in one list.
pub const MAX_LISTED: usize = 1_000;
/// The most that are looked at for a list.
const MAX_LOOKED_AT: usize = 100_000;

/// Which recordings are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// All.
    All,
    /// Those of a day: `2031-08-04`.
    Day(&'a str),
    /// Those of a call.
    Call {
        /// Its identifier, or the SIP Call-ID of the leg that is recorded.
        name: &'a str,
        /// Begun no earlier: ISO 8601 in UTC. Identifiers are used again when a node starts again.
        since: &'a str,
    },
}

/// A recording that there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// The folder it is in: the day it began.
    pub day: String,
    /// Whether it goes on; then its length is not known yet.
    pub running: bool,
    /// What it is.
    #[serde(flatten)]
    pub about: Recorded,
}

/// Recordings, the latest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Listing {
    /// The first of them.
    pub recordings: Vec<Listed>,
    /// Whether there are more.
    pub left_off: bool,
}

/// The recordings in a folder, the latest first and at most [`MAX_LISTED`]. What disappears meanwhile is not listed.
///
/// # Errors
/// When the folder cannot be read.
pub fn list(folder: &Path, wanted: Wanted<'_>) -> io::Result<Listing> {
    let mut listing = Listing::default();
    let mut looked_at = 0;
    for (day, path) in entries(folder)?.into_iter().filter(|(day, _)| wanted.may_be_of(day)) {
        let mut before = None;
        for (name, path) in entries(&path).unwrap_or_default() {
            let stem = name.strip_suffix(".json.part").or_else(|| name.strip_suffix(".json"));
            // One that ends has both descriptions for a moment.
            let Some(stem) = stem.filter(|stem| before.as_deref() != Some(*stem) && wanted.may_be(stem))
            else {
                continue;
            };
            looked_at += 1;
            listing.left_off = listing.recordings.len() == MAX_LISTED || looked_at > MAX_LOOKED_AT;
            if listing.left_off {
                return Ok(listing);
            }
            let described = described(&path.with_file_name(stem)).filter(|(_, about)| wanted.is(about));
            let listed = described.map(|(running, about)| Listed { day: day.clone(), running, about });
            listing.recordings.extend(listed);
            before = Some(stem.to_owned());
        }
    }
    Ok(listing)
}

/// The recording that a call's record names so, if it is still there.
#[must_use]
pub fn named(folder: &Path, file: &str) -> Option<Listed> {
    let (day, name) = file.split_once('/')?;
    // The file beside it has the name as far as its own ending.
    let of = |about: &Recorded| about.file == name;
    let stem = [".wav", ".opus"].into_iter().find_map(|ending| name.split_once(ending))?.0;
    let (running, about) = described(&folder.join(day).join(stem)).filter(|(_, about)| of(about))?;
    Some(Listed { day: day.to_owned(), running, about })
}

/// What is said beside a recording whose files begin so, and whether it goes on.
fn described(stem: &Path) -> Option<(bool, Recorded)> {
    let beside = |ending: &str| {
        let mut path = stem.as_os_str().to_owned();
        path.push(ending);
        read(Path::new(&path))
    };
    let ended = || Some((false, beside(".json")?));
    // The final description is there before the first one goes, which may be between two looks.
    ended().or_else(|| Some((true, beside(".json.part")?))).or_else(ended)
}

/// What a recording's file is, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is whole.
    Finished {
        /// Its file.
        path: PathBuf,
        /// What it is.
        about: Box<Recorded>,
    },
    /// It goes on.
    Running,
    /// There is none.
    Unknown,
}

/// The recording with that file in the folder of that day. Nothing else is ever named: neither what lies elsewhere, nor what
/// has no file beside it that says what it is.
#[must_use]
pub fn kept(folder: &Path, day: &str, file: &str) -> Kept {
    if !is_one_name(day) || !is_one_name(file) {
        return Kept::Unknown;
    }
    match named(folder, &format!("{day}/{file}")) {
        Some(Listed { running: true, .. }) => Kept::Running,
        Some(Listed { about, .. }) => {
            Kept::Finished { path: folder.join(day).join(file), about: about.into() }
        }
        None => Kept::Unknown,
    }
}

/// Whether it names something in a folder, and nothing above it or below.
fn is_one_name(text: &str) -> bool {
    let mut components = Path::new(text).components();
    let first = components.next();
    components.next().is_none() && matches!(first, Some(Component::Normal(name)) if name == text)
}

impl Wanted<'_> {
    fn may_be_of(&self, day: &str) -> bool {
        match self {
            Self::All => true,
            Self::Day(wanted) => day == *wanted,
            Self::Call { since, .. } => since.get(..10).is_none_or(|since| day >= since),
        }
    }

    /// Judged by the name of its file: begun when, of which call and leg.
    fn may_be(&self, file: &str) -> bool {
        match self {
            Self::Call { name, .. } if is_identifier(name) => file.contains(&format!("-{name}-")),
            _ => true,
        }
    }

    fn is(&self, about: &Recorded) -> bool {
        match self {
            Self::Call { name, since } => {
                (about.leg.call == *name || about.leg.sip_call_id == *name)
                    && about.started.as_str() >= *since
            }
            Self::All | Self::Day(_) => true,
        }
    }
}

/// Whether it is one of ours, such as `call-7.0`; else it may be a SIP Call-ID, which no file is named by.
fn is_identifier(name: &str) -> bool {
    let numbers = name.strip_prefix("call-").and_then(|rest| rest.split_once('.'));
    let is_number = |text: &str| text.bytes().all(|octet| octet.is_ascii_digit());
    numbers.is_some_and(|(index, generation)| is_number(index) && is_number(generation))
}

fn read(path: &Path) -> Option<Recorded> {
    serde_json::from_reader(io::BufReader::new(File::open(path).ok()?)).ok()
}

/// What is in a folder, by name, the last first: names begin with dates.
fn entries(folder: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let entries = fs::read_dir(folder)?.flatten();
    let mut entries: Vec<_> =
        entries.filter_map(|entry| Some((entry.file_name().to_str()?.to_owned(), entry.path()))).collect();
    entries.sort_unstable_by(|one, other| other.cmp(one));
    Ok(entries)
}
