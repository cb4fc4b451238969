//! The captures in `captures/` replay to the ladder and verdict that stand beside them, the same bytes every time.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn replay(capture: &Path, more: &[&str]) -> Output {
    replay_with(&root().join("config/demo/tandem.toml"), capture, more)
}

fn replay_with(config: &Path, capture: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tandem"))
        .arg("replay")
        .arg(capture)
        .arg("--config")
        .arg(config)
        .args(more)
        .output()
        .expect("the daemon's program runs")
}

fn captures() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join("captures")).expect("there are captures");
    let mut captures: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the folder is readable").path())
        .filter(|path| path.extension().is_some_and(|it| it == "pcap" || it == "pcapng"))
        .collect();
    captures.sort();
    assert!(captures.len() >= 5, "captures are missing: {captures:?}");
    captures
}

fn expected(capture: &Path) -> PathBuf {
    let mut name = capture.file_name().expect("a file").to_owned();
    name.push(".expected.txt");
    capture.with_file_name(name)
}

#[test]
fn every_capture_replays_to_its_expected_ladder_and_verdict() {
    for capture in captures() {
        let output = replay(&capture, &[]);
        let shown = String::from_utf8(output.stdout).expect("text");
        let name = capture.display();
        assert!(output.stderr.is_empty(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let expected = std::fs::read_to_string(expected(&capture))
            .unwrap_or_else(|error| panic!("{name}: {error}; it replays to\n{shown}"));
        assert_eq!(shown, expected, "{name}");
        let clean = shown.ends_with("verdict: all is well\n");
        assert_eq!(output.status.code(), Some(i32::from(!clean)), "{name}");
    }
}

#[test]
fn machines_get_the_verdict_as_json_and_people_the_ladder_as_svg() {
    let folder = tempfile::tempdir().expect("a folder");
    let drawing = folder.path().join("ladder.svg");
    for capture in captures() {
        let first = replay(&capture, &["--json", "--svg", drawing.to_str().expect("a name")]);
        let second = replay(&capture, &["--json"]);
        assert_eq!(first.stdout, second.stdout, "the same bytes every time");
        let verdict: serde_json::Value = serde_json::from_slice(&first.stdout).expect("JSON");
        let problems = verdict["problems"].as_array().expect("a list");
        assert_eq!(problems.is_empty(), first.status.success());
        let svg = std::fs::read_to_string(&drawing).expect("a drawing");
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && svg.contains("marker-end"));
    }
}

/// What each of two parties said, and what each heard.
#[test]
fn what_is_to_be_heard_is_written_as_wav() {
    let folder = tempfile::tempdir().expect("a folder");
    let capture = root().join("captures/menu-to-agent.pcapng");
    let output = replay(&capture, &["--wav", folder.path().to_str().expect("a name")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for name in [
        "127.0.0.10-40000-to-20000.wav",
        "127.0.0.21-40000-to-20002.wav",
        "20000-to-127.0.0.10-40000.wav",
        "20002-to-127.0.0.21-40000.wav",
    ] {
        let mut wav = hound::WavReader::open(folder.path().join(name)).expect(name);
        assert_eq!((wav.spec().sample_rate, wav.spec().channels), (8_000, 1));
        let loudest = wav.samples::<i16>().map(|sample| sample.expect("whole").unsigned_abs()).max();
        assert!(wav.duration() > 8_000 && loudest > Some(1_000), "{name}: {} samples", wav.duration());
    }
}

#[test]
fn another_configuration_shows_what_would_have_been_said_differently() {
    let demo = root().join("config/demo");
    let folder = tempfile::tempdir().expect("a folder");
    let config = std::fs::read_to_string(demo.join("tandem.toml")).expect("the demo's configuration");
    let changed = config
        .replace("\"flows\"", &format!("{:?}", demo.join("flows")))
        .replace("\"prompts\"", &format!("{:?}", demo.join("prompts")))
        .replace("\"grammars\"", &format!("{:?}", demo.join("grammars")))
        .replace("flow = \"main-menu\"", "flow = \"echo\"");
    assert_ne!(config, changed);
    let file = folder.path().join("tandem.toml");
    std::fs::write(&file, changed).expect("written");
    let output = replay_with(&file, &root().join("captures/menu-to-agent.pcapng"), &[]);
    let shown = String::from_utf8(output.stdout).expect("text");
    assert!(shown.contains("no longer said: INVITE 1001 +sdp to 127.0.0.21:"), "{shown}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn what_cannot_be_replayed_is_said_and_ends_with_two() {
    let nothing = replay(Path::new("no-such-file.pcap"), &[]);
    assert_eq!(nothing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("no-such-file.pcap: cannot be opened"));
    let text = replay(&root().join("README.md"), &[]);
    assert_eq!(text.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&text.stderr).contains("is neither pcap nor pcapng"));
}
