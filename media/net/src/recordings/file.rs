//! One recording under way: from the ring to its file.

use std::io::{self, SeekFrom};
use std::path::PathBuf;

use tandem_media::recorder::{Recorder, Sides, TapReader, WavFile};

use super::medium::Medium;
use super::sidecar::Recorded;
use super::{Begin, RecordingsConfig};

/// So much is gathered before it is written.
const CHUNK: usize = 16 * 1_024;

/// A recording under way.
pub(super) struct RecordingFile {
    pub(super) id: u64,
    reader: TapReader,
    recorder: Recorder,
    sides: Sides,
    paths: Paths,
    about: Recorded,
    /// None until something came.
    output: Option<Output>,
    samples: Vec<i16>,
}

/// Where a recording is, and will be.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    pub(super) part: PathBuf,
    pub(super) audio: PathBuf,
    pub(super) about_part: PathBuf,
    pub(super) about: PathBuf,
}

impl Paths {
    fn new(folder: &std::path::Path, name: &str, ending: &str) -> Self {
        let path = |ending: &str| folder.join(format!("{name}.{ending}"));
        Self {
            part: path(&format!("{ending}.part")),
            audio: path(ending),
            about_part: path("json.part"),
            about: path("json"),
        }
    }
}

/// A file with its container.
struct Output {
    medium: Box<dyn Medium>,
    wav: WavFile,
    octets: Vec<u8>,
    written: u64,
}

/// A recording that is over, to be finished.
pub(super) struct Over {
    pub(super) id: u64,
    pub(super) medium: Option<Box<dyn Medium>>,
    pub(super) paths: Paths,
    pub(super) about: Recorded,
    /// Why it is not whole.
    pub(super) failure: Option<String>,
}

impl RecordingFile {
    pub(super) fn new(begin: Begin, config: &RecordingsConfig) -> Self {
        let Begin { id, name, leg, sides, reader } = begin;
        let paths = Paths::new(&config.folder, &name, "wav");
        let file = paths.audio.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let sides_name = match sides {
            Sides::Stereo => "stereo",
            Sides::Mixed => "mixed",
            Sides::Party => "party",
        };
        let about = Recorded {
            file,
            leg,
            format: "wav".to_owned(),
            sides: sides_name.to_owned(),
            ..Recorded::default()
        };
        let recorder = Recorder::new(sides);
        Self { id, reader, recorder, sides, paths, about, output: None, samples: Vec::new() }
    }

    /// Takes what has come and writes it; whether it is over.
    ///
    /// # Errors
    /// The disk's: the recording cannot go on.
    pub(super) fn advance(&mut self, config: &RecordingsConfig) -> io::Result<bool> {
        // Asked first: what is there then is all.
        let is_closed = self.reader.is_closed();
        while let Some(entry) = self.reader.next_entry() {
            self.recorder.take(entry);
        }
        if is_closed {
            self.recorder.end();
        }
        self.open(config)?;
        self.recorder.pull(&mut self.samples);
        if let Some(output) = &mut self.output {
            WavFile::write(&self.samples, &mut output.octets);
            if output.octets.len() >= CHUNK {
                output.flush()?;
            }
        }
        self.samples.clear();
        Ok(is_closed || self.recorder.is_over())
    }

    /// Makes its file once it is known at which rate it is.
    fn open(&mut self, config: &RecordingsConfig) -> io::Result<()> {
        let (None, Some(rate), Some(begun)) = (&self.output, self.recorder.rate(), self.recorder.begun())
        else {
            return Ok(());
        };
        self.about.started = (config.date)(begun);
        self.about.rate_hz = rate.hz();
        let medium = config.disk.create(&self.paths.part)?;
        let wav = WavFile::new(rate, self.sides.channels());
        let octets = wav.header(Some(0)).to_vec();
        self.output = Some(Output { medium, wav, octets, written: 0 });
        self.about.write(config.disk.as_ref(), &self.paths.about_part)
    }

    /// Ends it, whole or not.
    pub(super) fn finish(mut self, failure: Option<io::Error>) -> Over {
        let mut failure = failure.map(|error| error.to_string());
        let mut medium = None;
        if let Some(output) = self.output.take() {
            let (finished, octets, error) = output.finish();
            self.about.octets = octets;
            medium = finished;
            failure = failure.or_else(|| error.map(|error| error.to_string()));
            let samples = octets.saturating_sub(WavFile::HEADER_LEN as u64) / 2;
            let a_second = u64::from(self.about.rate_hz) * u64::from(self.sides.channels());
            self.about.duration_ms = (samples * 1_000).checked_div(a_second).unwrap_or(0);
        }
        self.about.frames_lost = self.recorder.frames_lost();
        self.about.pauses = self.recorder.pauses().iter().map(|pause| (*pause).into()).collect();
        self.about.complete = failure.is_none();
        Over { id: self.id, medium, paths: self.paths, about: self.about, failure }
    }
}

impl Output {
    fn flush(&mut self) -> io::Result<()> {
        self.medium.write_all(&self.octets)?;
        self.written += self.octets.len() as u64;
        self.octets.clear();
        Ok(())
    }

    /// Writes the rest, and in the header how long it is: the file, unless not even that could be; its octets; and what
    /// went wrong.
    fn finish(mut self) -> (Option<Box<dyn Medium>>, u64, Option<io::Error>) {
        let flushed = self.flush();
        let header = self.wav.header(Some(self.written.saturating_sub(WavFile::HEADER_LEN as u64)));
        let ended = self.medium.seek(SeekFrom::Start(0)).and_then(|_| self.medium.write_all(&header));
        let is_ended = ended.is_ok() && self.written > 0;
        (is_ended.then_some(self.medium), self.written, flushed.and(ended).err())
    }
}
