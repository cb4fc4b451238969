//! The core's way to those who write recordings: names files, and brings back what became of them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tandem_api::{Kind, Metric, Recording as File, Recordings as Shown, RecordingsWanted};
use tandem_config::{Recording, RecordingFormat, RecordingSides};
use tandem_media::recorder::{Format, Sides};
use tandem_media_net::recordings::{
    Begin, Files, Form, Kept, Listing, News, NoRecipient, RecordedLeg, RecordingCounters, Recordings,
    RecordingsConfig, Wanted, kept, list, named,
};
use tandem_sbc_net::Wake;
use tandem_store::{Archive, NodeClock, StoredFact};
use tandem_switch::{NewRecording, RecordingId, RecordingNews};
use tandem_time::Instant;

/// Writes recordings, or nothing on a node that keeps none.
#[derive(Debug)]
pub(super) struct Recorder {
    recordings: Option<Recordings>,
    folder: PathBuf,
    form: Form,
    dates: NodeClock,
}

impl Recorder {
    /// Starts the threads, if there is anything to be kept; `wake` is called when there is news.
    pub(super) fn start(config: Option<&Recording>, dates: NodeClock, wake: &Wake) -> std::io::Result<Self> {
        let start = |config: &Recording| {
            Recordings::start(&RecordingsConfig {
                folder: config.folder.clone(),
                disk: Arc::new(Files),
                date: Arc::new(move |at| dates.date(at)),
                wake: Arc::clone(wake),
            })
        };
        // A configuration was checked before it came here.
        let form = config.and_then(|config| form(config).ok()).unwrap_or_default();
        let folder = config.map(|config| config.folder.clone()).unwrap_or_default();
        Ok(Self { recordings: config.map(start).transpose()?, folder, form, dates })
    }

    /// Recordings that begin from now on look so.
    pub(super) fn reload(&mut self, config: Option<&Recording>) {
        if let Some(form) = config.and_then(|config| form(config).ok()) {
            self.form = form;
        }
    }

    /// Hands a recording to who writes it; its file, or why there is none.
    pub(super) fn begin(&self, new: NewRecording) -> RecordingNews {
        let refused = |reason: &str| RecordingNews::Failed { reason: reason.to_owned() };
        let Some(recordings) = &self.recordings else { return refused("the node keeps no recordings") };
        let date = self.dates.date(new.at);
        let day = date.get(..10).unwrap_or_default();
        let time: String = date.chars().filter(|c| !matches!(c, '-' | ':')).collect();
        let name = format!("{day}/{time}-{}-{}", new.call, new.leg);
        let leg = RecordedLeg {
            call: new.call.to_string(),
            leg: new.leg.to_string(),
            sip_call_id: new.sip_call_id,
            party: new.party,
            dialled: new.dialled,
            trunk: new.trunk,
        };
        let begin =
            Begin { id: new.id.0, name: name.clone(), leg, form: self.form.clone(), reader: new.reader };
        match recordings.begin(begin) {
            Ok(()) => RecordingNews::Begun { file: format!("{name}.{}", self.form.ending()) },
            Err(_) => refused("too many recordings begin at a time"),
        }
    }

    /// What became of a recording.
    pub(super) fn poll(&self) -> Option<(RecordingId, RecordingNews)> {
        let recordings = self.recordings.as_ref()?;
        std::iter::from_fn(|| recordings.poll_news()).find_map(|news| match news {
            News::Finished { .. } => None,
            News::Failed { id, reason } => Some((RecordingId(id), RecordingNews::Failed { reason })),
        })
    }

    /// What there is, for those who ask.
    pub(super) fn kept(&self) -> Option<KeptRecordings> {
        let counters = self.recordings.as_ref()?.counters();
        let since = self.dates.date(Instant::START);
        Some(KeptRecordings { counters, folder: self.folder.clone(), since })
    }

    /// Finishes what is over, once media threads are gone.
    pub(super) fn stop(self) {
        if let Some(recordings) = self.recordings {
            recordings.stop();
        }
    }
}

/// The recordings of a node: how they are written, and where.
pub(super) struct KeptRecordings {
    pub(super) counters: Arc<RecordingCounters>,
    folder: PathBuf,
    /// When the node began: identifiers of calls are its own from then on.
    since: String,
}

impl KeptRecordings {
    /// Lists them. Those of a call that ended in an earlier run are the ones that its record in `archive` names.
    pub(super) fn shown(&self, wanted: RecordingsWanted<'_>, archive: &std::path::Path) -> Shown {
        let wanted = match wanted {
            RecordingsWanted::All => Wanted::All,
            RecordingsWanted::Day(day) => Wanted::Day(day),
            RecordingsWanted::Call(name) => Wanted::Call { name, since: &self.since },
        };
        let mut listing = match list(&self.folder, wanted) {
            Ok(listing) => listing,
            Err(error) => {
                tracing::warn!(%error, folder = %self.folder.display(), "recordings cannot be listed");
                return Shown::Unreadable;
            }
        };
        if let (Wanted::Call { name, .. }, true) = (wanted, listing.recordings.is_empty()) {
            match Archive::open(archive).and_then(|archive| archive.call_named(name)) {
                Ok(call) => listing = self.named_by(&call.map(|call| call.timeline).unwrap_or_default()),
                Err(error) => {
                    tracing::warn!(%error, "a call cannot be told");
                    return Shown::Unreadable;
                }
            }
        }
        serde_json::to_value(listing).map_or(Shown::Unreadable, Shown::Listed)
    }

    /// A file, for whoever asks for it.
    pub(super) fn file(&self, day: &str, file: &str) -> File {
        match kept(&self.folder, day, file) {
            Kept::Finished { path, .. } => File::Finished { path, media_type: media_type(file) },
            Kept::Running => File::Running,
            Kept::Unknown => File::Unknown,
        }
    }

    fn named_by(&self, timeline: &[StoredFact]) -> Listing {
        let started = timeline.iter().filter(|fact| fact.kind == "recording-started");
        let recordings = started.filter_map(|fact| named(&self.folder, &fact.subject)).collect();
        Listing { recordings, left_off: false }
    }
}

/// RFC 7845 §9; WAV has none that all take, and what is encrypted is octets to all but who has the key.
fn media_type(file: &str) -> &'static str {
    match file.rsplit_once('.') {
        Some((_, "wav")) => "audio/wav",
        Some((_, "opus")) => "audio/ogg; codecs=opus",
        _ => "application/octet-stream",
    }
}

/// What recordings look like.
///
/// # Errors
/// Names who cannot be a recipient.
pub(crate) fn form(config: &Recording) -> Result<Form, NoRecipient> {
    let format = match config.format {
        RecordingFormat::Wav => Format::Wav,
        RecordingFormat::OggOpus => Format::OggOpus,
    };
    let sides = match config.sides {
        RecordingSides::Stereo => Sides::Stereo,
        RecordingSides::Mixed => Sides::Mixed,
        RecordingSides::Party => Sides::Party,
    };
    Form::new(format, sides, &config.recipients)
}

/// As metrics show it.
pub(super) fn metrics(counters: &RecordingCounters) -> Vec<Metric> {
    let counter = |name, help, value: &std::sync::atomic::AtomicU64| {
        Metric::single(name, help, Kind::Counter, value.load(Relaxed))
    };
    vec![
        counter("recordings_begun", "Recordings begun", &counters.begun),
        counter("recordings_finished", "Recordings that are whole on disk", &counters.finished),
        counter("recordings_failed", "Recordings that the disk did not take to their end", &counters.failed),
        counter("recordings_completed", "Recordings of an earlier run, completed", &counters.completed),
        counter(
            "recordings_frames_lost",
            "Packets that are silence in recordings since the writer was behind",
            &counters.frames_lost,
        ),
        counter("recordings_octets", "Octets of recordings written", &counters.octets),
    ]
}
