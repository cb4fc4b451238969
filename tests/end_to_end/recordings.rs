//! Recordings: both parties of a call, each on its side, in files that are whole.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use sha2::{Digest, Sha256};
use tandem_peers::Node;
use tandem_phone::{CallKey, Manner, Phone};

use crate::support::{CALLER_HZ, PATIENCE, caller, carrier_whose, node_with, only_record, records, runtime};

/// The demo's number that goes straight through, and where it leads.
const NUMBER: &str = "+15550111";
const PARTY: &str = "+15550199";
const PARTY_HZ: u16 = 900;
const TALK: Duration = Duration::from_secs(1);

/// The configuration with recordings of all calls of the demo's trunk; `more` stands in `[recording]`.
fn recording(folder: &Path, config: &str, more: &str) -> String {
    std::fs::create_dir_all(folder.join("recordings")).expect("a folder");
    let config = config.replacen("name = \"carrier-a\"\n", "name = \"carrier-a\"\nrecord = true\n", 1);
    format!("{config}\n[recording]\nfolder = \"recordings\"\n{more}\n")
}

/// The files of a node's recordings that end so.
fn files(node: &Node, ending: &str) -> Vec<PathBuf> {
    let days = std::fs::read_dir(node.folder().join("recordings")).expect("a folder").flatten();
    let files = days.filter_map(|day| std::fs::read_dir(day.path()).ok()).flat_map(Iterator::flatten);
    files.map(|file| file.path()).filter(|path| path.to_string_lossy().ends_with(ending)).collect()
}

/// What the file beside a recording says.
fn about(recording: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(recording.with_extension("json")).expect("a file beside it");
    serde_json::from_str(&text).expect("JSON")
}

/// The samples of a recording, one channel after the other.
fn channels(path: &Path) -> (u32, Vec<Vec<f64>>) {
    let mut wav = hound::WavReader::open(path).expect("a WAV file");
    let spec = wav.spec();
    let samples: Vec<f64> = wav.samples::<i16>().map(|sample| f64::from(sample.expect("a sample"))).collect();
    let channel = |index: usize| samples.iter().skip(index).step_by(spec.channels.into()).copied().collect();
    (spec.sample_rate, (0..spec.channels.into()).map(channel).collect())
}

/// The part of a sound's power that is a tone; none of what is hardly heard.
fn share_of(chunk: &[f64], rate_hz: u32, tone_hz: u16) -> f64 {
    let phase = std::f64::consts::TAU * f64::from(tone_hz) / f64::from(rate_hz);
    let (mut one, mut two) = (0.0, 0.0);
    for sample in chunk {
        (one, two) = (sample + 2.0 * phase.cos() * one - two, one);
    }
    let power = one * one + two * two - 2.0 * phase.cos() * one * two;
    let all: f64 = chunk.iter().map(|sample| sample * sample).sum();
    if all > 1e6 { 2.0 * power / (chunk.len() as f64) / all } else { 0.0 }
}

/// How long a tone is heard, in steps of 50 ms that have more of it than of anything else.
fn time_of(samples: &[f64], rate_hz: u32, tone_hz: u16) -> Duration {
    let steps = samples.chunks_exact(rate_hz as usize / 20);
    Duration::from_millis(50) * steps.filter(|step| share_of(step, rate_hz, tone_hz) > 0.6).count() as u32
}

/// A call in which both have been heard; not over.
fn talk(runtime: &tokio::runtime::Runtime, node: &Node) -> (tandem_phone_net::LivePhone, [CallKey; 2]) {
    let party = Manner::polite(PARTY_HZ, Duration::from_millis(200));
    let carrier = carrier_whose(runtime, node, [(PARTY.to_owned(), party)]);
    let call = carrier.call("+15551111", NUMBER, caller()).expect("a call");
    let called = carrier.incoming(PATIENCE).expect("the party is rung");
    carrier.hears(call, PARTY_HZ, TALK, PATIENCE).expect("the caller hears the party");
    carrier.hears(called, CALLER_HZ, TALK, PATIENCE).expect("the party hears the caller");
    (carrier, [call, called])
}

#[test]
fn caller_and_party_are_on_their_sides_of_a_finished_file() {
    let mut node = node_with(|folder, config| recording(folder, &config, ""));
    let runtime = runtime();
    let (carrier, [call, called]) = talk(&runtime, &node);
    carrier.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
    for leg in [call, called] {
        assert_eq!(carrier.ended(leg, PATIENCE).expect("the call ends").status, 200);
    }
    let record = only_record(&mut node);
    let [path] = &files(&node, ".wav")[..] else { panic!("one recording: {:?}", files(&node, "")) };
    assert!(files(&node, ".part").is_empty(), "nothing half done");

    let (rate_hz, channels) = channels(path);
    let [left, right] = &channels[..] else { panic!("stereo") };
    assert_eq!(rate_hz, 8_000);
    let enough = TALK - Duration::from_millis(100);
    assert!(time_of(left, rate_hz, CALLER_HZ) >= enough && time_of(right, rate_hz, PARTY_HZ) >= enough);
    let none = [time_of(left, rate_hz, PARTY_HZ), time_of(right, rate_hz, CALLER_HZ)];
    assert_eq!(none, [Duration::ZERO; 2], "nobody is on the other's side");

    let about = about(path);
    let octets = std::fs::read(path).expect("the file");
    let hex: String = Sha256::digest(&octets).iter().map(|octet| format!("{octet:02x}")).collect();
    assert_eq!(
        (about["sha256"].as_str(), about["octets"].as_u64()),
        (Some(&*hex), Some(octets.len() as u64))
    );
    assert_eq!(about["duration_ms"].as_u64(), Some(left.len() as u64 / 8), "{about}");
    assert_eq!(
        (about["complete"].as_bool(), about["frames_lost"].as_u64()),
        (Some(true), Some(0)),
        "{about}"
    );
    assert_eq!(
        about["sip_call_id"].as_str(),
        Some(&*record.legs[0].sip_call_id),
        "the caller's leg: {about}"
    );
    let fact =
        record.timeline.iter().find(|fact| fact.kind == "recording-started").expect("the record names it");
    assert!(path.ends_with(&fact.subject), "{fact:?}");
}

#[test]
fn a_node_that_is_stopped_in_a_call_leaves_a_finished_recording() {
    let mut node = node_with(|folder, config| {
        recording(folder, &config.replacen("drain_timeout_s = 60", "drain_timeout_s = 1", 1), "")
    });
    let runtime = runtime();
    let (_carrier, _) = talk(&runtime, &node);
    let records = records(&mut node);
    assert_eq!(records.len(), 1);
    let [path] = &files(&node, ".wav")[..] else { panic!("one recording: {:?}", files(&node, "")) };
    let (rate_hz, channels) = channels(path);
    assert!(time_of(&channels[0], rate_hz, CALLER_HZ) >= TALK - Duration::from_millis(100));
    assert_eq!(about(path)["complete"].as_bool(), Some(true));
}

#[test]
fn what_a_crash_has_left_is_completed_by_the_next_run() {
    let mut node = node_with(|folder, config| recording(folder, &config, ""));
    let runtime = runtime();
    let (carrier, _) = talk(&runtime, &node);
    // Until there is something on the disk.
    let begun = std::time::Instant::now();
    while !files(&node, ".part").iter().any(|path| path.metadata().is_ok_and(|it| it.len() > 20_000)) {
        assert!(begun.elapsed() < PATIENCE, "nothing is written: {:?}", files(&node, ""));
        std::thread::yield_now();
    }
    node.signal(Signal::SIGKILL).expect("killed");
    node.wait().expect("its end");
    let ports = node.ports();
    drop(carrier);
    let mut node =
        Node::run(Path::new(env!("CARGO_BIN_EXE_tandem")), ports, node.into_configuration()).expect("ready");
    node.log_line("completed what an earlier run had left").expect("said");
    assert!(files(&node, ".part").is_empty());
    let [path] = &files(&node, ".wav")[..] else { panic!("one recording: {:?}", files(&node, "")) };
    let (rate_hz, channels) = channels(path);
    assert!(time_of(&channels[0], rate_hz, CALLER_HZ) > Duration::from_millis(200));
    let about = about(path);
    assert_eq!(about["complete"].as_bool(), Some(false), "{about}");
    assert_eq!(about["duration_ms"].as_u64(), Some(channels[0].len() as u64 / 8), "{about}");
    let completed = node.metrics("tandem_recordings_completed").expect("metrics");
    assert!(completed.iter().any(|(_, value)| *value == 1.0), "{completed:?}");
}

/// Ogg Opus that only the holder of a key can read, which the node is not.
#[test]
fn an_encrypted_recording_is_read_with_its_key() {
    let identity = age::x25519::Identity::generate();
    let more = format!("format = \"ogg-opus\"\nrecipients = [\"{}\"]", identity.to_public());
    let mut node = node_with(|folder, config| recording(folder, &config, &more));
    let runtime = runtime();
    let (carrier, [call, called]) = talk(&runtime, &node);
    carrier.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
    for leg in [call, called] {
        assert_eq!(carrier.ended(leg, PATIENCE).expect("the call ends").status, 200);
    }
    let record = only_record(&mut node);
    let [path] = &files(&node, ".opus.age")[..] else { panic!("one recording: {:?}", files(&node, "")) };
    assert!(record.timeline.iter().any(|fact| path.ends_with(&fact.subject)), "{:?}", record.timeline);
    let octets = std::fs::read(path).expect("the file");
    let ogg = age::decrypt(&identity, &octets).expect("decrypted with the key");
    let heard = tandem_media::decode_ogg_opus(&ogg).expect("Ogg Opus");
    let samples: Vec<f64> = heard.samples().iter().map(|sample| f64::from(*sample)).collect();
    // Both at a time are more than either: so each has its share.
    let (mut caller_heard, mut party_heard) = (false, false);
    for chunk in samples.chunks_exact(4_000) {
        caller_heard |= share_of(chunk, 8_000, CALLER_HZ) > 0.2;
        party_heard |= share_of(chunk, 8_000, PARTY_HZ) > 0.2;
    }
    assert!(caller_heard && party_heard);
    let beside = path.with_extension("").with_extension("json");
    let about: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(beside).expect("a file beside it")).expect("JSON");
    assert_eq!(about["recipients"][0].as_str(), Some(&*identity.to_public().to_string()), "{about}");
}
