//! Recordings on a disk that is well, full or gone.

use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::{Duration, Instant as WallInstant};

use tandem_media::recorder::{Format, Sides, TAP_CAPACITY, Tap, tap};
use tandem_media::{Command, EndpointId, Worker};
use tandem_media_net::recordings::{
    Begin, Disk, Files, Form, Kept, MAX_LISTED, Medium, News, Recorded, RecordedLeg, Recordings,
    RecordingsConfig, Wanted, kept, list, named,
};
use tandem_time::Instant;

/// A disk with so much room.
struct Quota(Arc<AtomicI64>);

struct QuotaFile {
    file: Box<dyn Medium>,
    left: Arc<AtomicI64>,
}

impl Disk for Quota {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Medium>> {
        Ok(Box::new(QuotaFile { file: Files.create(path)?, left: Arc::clone(&self.0) }))
    }
}

impl Write for QuotaFile {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let len = octets.len() as i64;
        if self.left.fetch_sub(len, Relaxed) < len {
            self.left.fetch_add(len, Relaxed);
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.file.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for QuotaFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl Medium for QuotaFile {
    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }
}

fn start(folder: &Path, room: i64) -> Recordings {
    let config = RecordingsConfig {
        folder: folder.to_owned(),
        disk: Arc::new(Quota(Arc::new(AtomicI64::new(room)))),
        date: Arc::new(|at| format!("at {at}")),
        wake: Arc::new(|| {}),
    };
    Recordings::start(&config).expect("threads")
}

fn begin(recordings: &Recordings, id: u64) -> Tap {
    begin_as(recordings, id, Form::default())
}

fn begin_as(recordings: &Recordings, id: u64, form: Form) -> Tap {
    let (tap, reader) = tap(TAP_CAPACITY);
    let name = format!("day/{id}");
    let begin = Begin { id, name, leg: RecordedLeg::default(), form, reader };
    recordings.begin(begin).expect("room for one more");
    tap
}

/// An endpoint is recorded for so long without hearing anything.
fn record(tap: Tap, duration: Duration) {
    let mut worker = Worker::new(rand_chacha::rand_core::SeedableRng::seed_from_u64(1), 1);
    let endpoint = EndpointId { index: 0, generation: 0 };
    let local = std::net::SocketAddr::from(([127, 0, 0, 1], 20_000));
    worker.handle_command(Instant::START, Command::Open { endpoint, local });
    worker.handle_bound(Instant::START, endpoint, true);
    worker.handle_command(Instant::START, Command::Record { endpoint, tap });
    worker.handle_command(Instant::START + duration, Command::Close { endpoint });
}

fn news(recordings: &Recordings) -> News {
    let begun = WallInstant::now();
    loop {
        if let Some(news) = recordings.poll_news() {
            return news;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "no news");
        std::thread::yield_now();
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        std::fs::read_dir(folder.join("day")).into_iter().flatten().flatten().map(|it| it.path()).collect();
    files.sort();
    files
}

/// What is said beside a recording.
fn described(path: &Path) -> Recorded {
    serde_json::from_slice(&std::fs::read(path).expect("a file")).expect("JSON")
}

#[test]
fn a_recording_is_whole_when_it_has_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let recordings = start(folder.path(), i64::MAX);
    record(begin(&recordings, 7), Duration::from_secs(2));
    assert_eq!(news(&recordings), News::Finished { id: 7 });
    recordings.stop();
    let path = |name: &str| folder.path().join("day").join(name);
    assert_eq!(files(folder.path()), [path("7.json"), path("7.wav")]);
    assert_eq!(std::fs::metadata(path("7.wav")).expect("a file").len(), 44 + 2 * 2 * 2 * 8_000);
    let about = described(&path("7.json"));
    assert_eq!((about.duration_ms, about.complete, about.started.as_str()), (Some(2_000), true, "at 0.000"));
}

#[test]
fn a_full_disk_is_told_once_and_what_it_took_is_kept_for_the_next_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let recordings = start(folder.path(), 40_000);
    record(begin(&recordings, 1), Duration::from_secs(60));
    let News::Failed { id: 1, reason } = news(&recordings) else { panic!("it fails") };
    assert!(reason.contains("no storage space"), "{reason}");
    let counters = recordings.counters();
    assert_eq!(recordings.poll_news(), None, "once");
    recordings.stop();
    assert_eq!((counters.failed.load(Relaxed), counters.finished.load(Relaxed)), (1, 0));

    // There is room again.
    let recordings = start(folder.path(), i64::MAX);
    let counters = recordings.counters();
    recordings.stop();
    assert!(counters.completed.load(Relaxed) <= 1);
    let left = files(folder.path());
    assert!(left.iter().all(|path| path.extension().is_none_or(|it| it != "part")), "{left:?}");
}

/// What stood beside it while it went on is all there is: its final description was not yet written.
#[test]
fn a_node_that_died_between_name_and_description_completes_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let recordings = start(folder.path(), i64::MAX);
    record(begin(&recordings, 7), Duration::from_secs(2));
    assert_eq!(news(&recordings), News::Finished { id: 7 });
    recordings.stop();
    let path = |name: &str| folder.path().join("day").join(name);
    std::fs::rename(path("7.json"), path("7.json.part")).expect("renamed");
    std::fs::write(path("7.json.new"), "{").expect("half a file");

    let recordings = start(folder.path(), i64::MAX);
    let counters = recordings.counters();
    recordings.stop();
    assert_eq!(counters.completed.load(Relaxed), 1);
    assert_eq!(files(folder.path()), [path("7.json"), path("7.wav")]);
    let about = described(&path("7.json"));
    assert_eq!((about.duration_ms, about.complete), (Some(2_000), false));
}

/// The node has no key that reads it; who has one needs nothing of ours.
#[test]
fn encrypted_recordings_are_read_by_their_recipients_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let recordings = start(folder.path(), i64::MAX);
    let [one, two, stranger] = [(); 3].map(|()| age::x25519::Identity::generate());
    let recipients = [&one, &two].map(|it| it.to_public().to_string());
    for (id, format) in [(1, Format::Wav), (2, Format::OggOpus)] {
        let form = Form::new(format, Sides::Stereo, &recipients).expect("recipients");
        record(begin_as(&recordings, id, form), Duration::from_secs(2));
        assert_eq!(news(&recordings), News::Finished { id });
    }
    recordings.stop();
    for (name, magic) in [("1.wav", b"RIFF"), ("2.opus", b"OggS")] {
        let octets = std::fs::read(folder.path().join(format!("day/{name}.age"))).expect("a file");
        assert!(octets.starts_with(b"age-encryption.org/v1\n"));
        for identity in [&one, &two] {
            assert!(age::decrypt(identity, &octets).expect("decrypted").starts_with(magic));
        }
        assert!(age::decrypt(&stranger, &octets).is_err());
    }
    let wav = std::fs::read(folder.path().join("day/1.wav.age")).expect("a file");
    let wav = age::decrypt(&one, &wav).expect("decrypted");
    assert_eq!((wav.len(), &wav[40..44]), (44 + 64_000, &[0xff; 4][..]), "its length is the file's");
    let about: Recorded =
        serde_json::from_slice(&std::fs::read(folder.path().join("day/1.json")).expect("a file"))
            .expect("JSON");
    assert_eq!((about.recipients.as_slice(), about.file.as_str()), (&recipients[..], "1.wav.age"));
}

#[test]
fn only_recipients_of_age_can_be_recipients() {
    for wrong in ["", "age1", "me@example.org", "AGE-SECRET-KEY-1QQQQ"] {
        assert!(Form::new(Format::Wav, Sides::Mixed, &[wrong.to_owned()]).is_err(), "{wrong:?}");
    }
}

#[test]
fn many_at_a_time_are_all_written_when_workers_are_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let recordings = start(folder.path(), i64::MAX);
    for id in 0..50 {
        record(begin(&recordings, id), Duration::from_millis(100 * id));
    }
    let counters = recordings.counters();
    recordings.stop();
    assert_eq!((counters.begun.load(Relaxed), counters.finished.load(Relaxed)), (50, 50));
    assert_eq!(files(folder.path()).len(), 100);
}

/// The latest first, those under way too, and those of a call since a moment, since identifiers are used again.
#[test]
fn recordings_are_listed_by_day_and_call() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, call: &str, started: &str, ending: &str| {
        let leg =
            RecordedLeg { call: call.to_owned(), sip_call_id: format!("{call}@host"), ..Default::default() };
        let about =
            Recorded { file: format!("{name}.wav"), leg, started: started.to_owned(), ..Default::default() };
        let day = folder.path().join(&started[..10]);
        std::fs::create_dir_all(&day).expect("a folder");
        let text = serde_json::to_vec(&about).expect("JSON");
        std::fs::write(day.join(format!("{name}.{ending}")), text).expect("written");
    };
    write("1-call-1.0-leg-1.0", "call-1.0", "2031-08-03T09:00:00.000Z", "json");
    write("2-call-1.0-leg-1.0", "call-1.0", "2031-08-04T09:00:00.000Z", "json");
    // About to be removed, since the final one is there.
    write("2-call-1.0-leg-1.0", "call-1.0", "2031-08-04T09:00:00.000Z", "json.part");
    write("3-call-11.0-leg-2.0", "call-11.0", "2031-08-04T10:00:00.000Z", "json.part");
    std::fs::write(folder.path().join("2031-08-04/4-call-1.0-leg-9.0.json"), "{").expect("half a file");
    let listed = |wanted| {
        let listing = list(folder.path(), wanted).expect("a list");
        assert!(!listing.left_off);
        let names = listing.recordings.into_iter().map(|it| (it.about.file[..1].to_owned(), it.running));
        names.map(|(name, running)| if running { format!("{name} runs") } else { name }).collect::<Vec<_>>()
    };
    assert_eq!(listed(Wanted::All), ["3 runs", "2", "1"]);
    assert_eq!(listed(Wanted::Day("2031-08-03")), ["1"]);
    let since = |name, since| listed(Wanted::Call { name, since });
    assert_eq!(since("call-1.0", ""), ["2", "1"]);
    assert_eq!(since("call-1.0", "2031-08-04T00:00:00.000Z"), ["2"]);
    assert_eq!(since("call-11.0@host", "2031-08-04T00:00:00.000Z"), ["3 runs"]);
    assert!(list(&folder.path().join("missing"), Wanted::All).is_err());

    let of_day = |file: &str| kept(folder.path(), "2031-08-04", file);
    let Kept::Finished { path, about } = of_day("2-call-1.0-leg-1.0.wav") else { panic!("it is whole") };
    assert!(path.ends_with("2031-08-04/2-call-1.0-leg-1.0.wav") && about.leg.call == "call-1.0");
    assert_eq!(of_day("3-call-11.0-leg-2.0.wav"), Kept::Running);
    assert_eq!(of_day("1-call-1.0-leg-1.0.wav"), Kept::Unknown, "it is of another day");

    let file = |name: &str| named(folder.path(), name).map(|it| it.running);
    assert_eq!(file("2031-08-04/2-call-1.0-leg-1.0.wav"), Some(false));
    assert_eq!(file("2031-08-04/3-call-11.0-leg-2.0.wav"), Some(true));
    assert_eq!(file("2031-08-04/5-call-1.0-leg-1.0.wav"), None);
}

/// Whatever is asked for: nothing outside the folder of a day, nor in one of its own, nor what is no recording.
#[test]
fn no_file_is_named_that_is_no_recording() {
    let folder = tempfile::tempdir().expect("a folder");
    let recordings = folder.path().join("recordings");
    let write = |path: &str, file: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        let about = Recorded { file: file.to_owned(), ..Default::default() };
        std::fs::write(path, serde_json::to_vec(&about).expect("JSON")).expect("written");
    };
    write("recordings/2031-08-04/1.json", "1.wav");
    write("secrets/1.json", "1.wav");
    write("1.json", "1.wav");
    write("recordings/1.json", "1.wav");
    write("recordings/2031-08-04/deeper/1.json", "1.wav");
    write("recordings/2031-08-04/2.json", "../../secrets/1.wav");
    write("recordings/2031-08-04/3.json", "/etc/passwd.wav");
    let secret = folder.path().join("secrets/1.wav");
    let is_kept = |day: &str, file: &str| kept(&recordings, day, file) != Kept::Unknown;
    assert!(is_kept("2031-08-04", "1.wav"));
    for (day, file) in [
        ("..", "1.wav"),
        ("../secrets", "1.wav"),
        (".", "1.wav"),
        ("", "1.wav"),
        ("2031-08-04/deeper", "1.wav"),
        ("2031-08-04", "deeper/1.wav"),
        ("2031-08-04", "../../secrets/1.wav"),
        ("2031-08-04", "./1.wav"),
        ("2031-08-04", "1.wav/"),
        ("2031-08-04", "2.wav"),
        ("2031-08-04", "3.wav"),
        ("2031-08-04", "1.json"),
        ("2031-08-04", ""),
        ("2031-08-04", "1.wav\0"),
        ("/", "1.wav"),
        (folder.path().to_str().expect("a name"), "1.wav"),
        ("2031-08-04", secret.to_str().expect("a name")),
    ] {
        assert!(!is_kept(day, file), "{day:?}, {file:?}");
    }
}

#[test]
fn a_list_of_recordings_has_an_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let day = folder.path().join("2031-08-04");
    std::fs::create_dir(&day).expect("a folder");
    let about = serde_json::to_vec(&Recorded::default()).expect("JSON");
    for count in [MAX_LISTED, MAX_LISTED + 1] {
        for number in 0..count {
            std::fs::write(day.join(format!("{number:05}.json")), &about).expect("written");
        }
        let listing = list(folder.path(), Wanted::All).expect("a list");
        assert_eq!((listing.recordings.len(), listing.left_off), (MAX_LISTED, count > MAX_LISTED));
    }
}
