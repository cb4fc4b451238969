//! One recording under way: from the ring to its file.

use std::io;
use std::path::PathBuf;

use tandem_media::recorder::{Container, Recorder, TapReader};

use super::form::{Form, Sink};
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
    form: Form,
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
    /// Says what it is while it goes on.
    pub(super) about_part: PathBuf,
    /// The final description, as long as it is being written.
    pub(super) about_new: PathBuf,
    pub(super) about: PathBuf,
}

impl Paths {
    fn new(folder: &std::path::Path, name: &str, ending: &str) -> Self {
        let path = |ending: &str| folder.join(format!("{name}.{ending}"));
        Self {
            part: path(&format!("{ending}.part")),
            audio: path(ending),
            about_part: path("json.part"),
            about_new: path("json.new"),
            about: path("json"),
        }
    }
}

/// A file with its container.
struct Output {
    sink: Sink,
    container: Container,
    octets: Vec<u8>,
    /// Octets that went into the sink.
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
        let Begin { id, name, leg, form, reader } = begin;
        let paths = Paths::new(&config.folder, &name, &form.ending());
        let about = Recorded {
            file: paths.audio.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            leg,
            format: form.format.name().to_owned(),
            sides: form.sides.name().to_owned(),
            recipients: form.recipients(),
            ..Recorded::default()
        };
        let recorder = Recorder::new(form.sides);
        Self { id, reader, recorder, form, paths, about, output: None, samples: Vec::new() }
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
            output.container.write(&self.samples, &mut output.octets);
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
        let serial = u32::from_le_bytes(self.id.to_le_bytes().first_chunk().copied().unwrap_or_default());
        let container = Container::new(self.form.format, rate, self.form.sides, serial);
        let mut container = container.ok_or(io::ErrorKind::OutOfMemory)?;
        let sink = self.form.sink(config.disk.create(&self.paths.part)?)?;
        let mut octets = Vec::with_capacity(CHUNK);
        container.begin(!self.form.is_encrypted(), &mut octets);
        self.output = Some(Output { sink, container, octets, written: 0 });
        self.about.write(config.disk.as_ref(), &self.paths.about_part)
    }

    /// Ends it, whole or not.
    pub(super) fn finish(mut self, failure: Option<io::Error>) -> Over {
        let mut failure = failure.map(|error| error.to_string());
        let mut medium = None;
        if let Some(output) = self.output.take() {
            let (finished, error) = output.finish();
            medium = finished;
            failure = failure.or_else(|| error.map(|error| error.to_string()));
        }
        self.about.duration_ms = u64::try_from(self.recorder.duration().as_millis()).ok();
        self.about.frames_lost = self.recorder.frames_lost();
        self.about.pauses = self.recorder.pauses().iter().map(|pause| (*pause).into()).collect();
        self.about.complete = failure.is_none();
        Over { id: self.id, medium, paths: self.paths, about: self.about, failure }
    }
}

impl Output {
    fn flush(&mut self) -> io::Result<()> {
        self.sink.write_all(&self.octets)?;
        self.written += self.octets.len() as u64;
        self.octets.clear();
        Ok(())
    }

    /// Writes the rest, and what it says of its length: the file, unless not even that could be, and what went wrong.
    fn finish(mut self) -> (Option<Box<dyn Medium>>, Option<io::Error>) {
        self.container.end(&mut self.octets);
        let flushed = self.flush();
        let header = self.container.header(self.written);
        match self.sink.finish(header.as_ref().map(<[u8; _]>::as_slice)) {
            Ok(medium) => ((self.written > 0).then_some(medium), flushed.err()),
            Err(error) => (None, Some(flushed.err().unwrap_or(error))),
        }
    }
}
