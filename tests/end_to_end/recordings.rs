//! Recordings: both parties of a call, each on its side, in files that are whole.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use sha2::{Digest, Sha256};
use tandem_peers::{Configuration, Node, Ports};
use tandem_phone::{CallKey, Manner, Phone};

use crate::support::{
    CALLER_HZ, PATIENCE, caller, carrier_whose, node_with, only_record, records, runtime, softphone,
};

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
    let (file, served) = downloaded(&node);
    let record = only_record(&mut node);
    let [path] = &files(&node, ".opus.age")[..] else { panic!("one recording: {:?}", files(&node, "")) };
    assert!(record.timeline.iter().any(|fact| path.ends_with(&fact.subject)), "{:?}", record.timeline);
    assert!(path.ends_with(&file), "{file}");
    let octets = std::fs::read(path).expect("the file");
    assert!(served == octets, "it is served as it is kept");
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

/// The only recording of a node, when it is finished, over HTTP: day and file, and its octets.
fn downloaded(node: &Node) -> (String, Vec<u8>) {
    let begun = std::time::Instant::now();
    let listed = loop {
        let listed = asked(node, "GET", "/recordings").1["recordings"][0].take();
        if listed["running"] == false {
            break listed;
        }
        assert!(begun.elapsed() < PATIENCE, "not finished: {listed}");
    };
    let text = |name: &str| listed[name].as_str().expect("text").to_owned();
    let path = format!("{}/{}", text("day"), text("file"));
    let (head, octets) = node.download(&format!("/recordings/{path}"), "").expect("an answer");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let media_type = match path.rsplit_once('.') {
        Some((_, "wav")) => "audio/wav",
        _ => "application/octet-stream",
    };
    assert!(head.contains(&format!("content-type: {media_type}\r\n")), "{head}");
    assert_eq!(listed["octets"].as_u64(), Some(octets.len() as u64), "{listed}");
    (path, octets)
}

/// What HTTP says, as JSON, and its status.
fn asked(node: &Node, method: &str, path: &str) -> (u16, serde_json::Value) {
    let answer = node.request(method, path).expect("an answer");
    let status = answer.split_whitespace().nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    (status, serde_json::from_str(body).unwrap_or_default())
}

/// Paused over HTTP while both talk: nothing of it is kept, the call goes on, and the record says when it was.
#[test]
fn a_recording_is_listed_and_pauses_while_the_call_goes_on() {
    let mut node = node_with(|folder, config| recording(folder, &config, ""));
    let runtime = runtime();
    let (carrier, [call, called]) = talk(&runtime, &node);
    let (status, listed) = asked(&node, "GET", "/recordings");
    let running = &listed["recordings"][0];
    assert_eq!((status, running["running"].as_bool(), &listed["left_off"]), (200, Some(true), &false.into()));
    let named = running["call"].as_str().expect("its call").to_owned();
    let under_way = format!(
        "/recordings/{}/{}",
        running["day"].as_str().expect("a day"),
        running["file"].as_str().expect("a file")
    );
    assert_eq!(asked(&node, "GET", &under_way).0, 409, "its call goes on");
    let by_call_id = running["sip_call_id"].as_str().expect("its Call-ID").to_owned();

    let change =
        |name: &str, action: &str| asked(&node, "POST", &format!("/calls/{name}/recording/{action}"));
    assert_eq!(change("call-99.0", "pause").0, 404);
    let (status, stands) = change(&named, "pause");
    assert_eq!((status, stands["recording"].as_str()), (200, Some("paused")));
    let before = heard(&carrier, called);
    carrier
        .hears(called, CALLER_HZ, before + TALK, PATIENCE)
        .expect("the party hears the caller all the same");
    let (status, stands) = change(&by_call_id, "resume");
    assert_eq!((status, stands["recording"].as_str()), (200, Some("running")));
    let before = heard(&carrier, called);
    carrier.hears(called, CALLER_HZ, before + TALK / 2, PATIENCE).expect("they talk on");
    carrier.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
    for leg in [call, called] {
        assert_eq!(carrier.ended(leg, PATIENCE).expect("the call ends").status, 200);
    }
    let begun = std::time::Instant::now();
    loop {
        let (status, listed) = asked(&node, "GET", &format!("/calls/{by_call_id}/recordings"));
        assert_eq!((status, listed["recordings"].as_array().map(Vec::len)), (200, Some(1)), "{listed}");
        if listed["recordings"][0]["running"] == false {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "not finished: {listed}");
    }
    assert_eq!(change(&named, "pause").0, 404, "it is over");
    let (_, served) = downloaded(&node);
    let header = node.download(&under_way, "Range: bytes=0-43\r\n").expect("an answer");
    assert!(header.0.starts_with("HTTP/1.1 206") && header.1 == served[..44], "{}", header.0);

    let record = only_record(&mut node);
    let [path] = &files(&node, ".wav")[..] else { panic!("one recording: {:?}", files(&node, "")) };
    assert!(served == std::fs::read(path).expect("the file"));
    let (rate_hz, channels) = channels(path);
    let silent =
        |channel: &[f64]| channel.chunks_exact(160).filter(|it| it.iter().all(|it| it.abs() < 8.0)).count();
    for channel in &channels {
        let paused = Duration::from_millis(20) * silent(channel) as u32;
        assert!(paused >= TALK - Duration::from_millis(100), "{paused:?} of nothing");
    }
    assert!(time_of(&channels[0], rate_hz, CALLER_HZ) >= TALK, "before and after");
    let about = about(path);
    let pause = &about["pauses"][0];
    let length = pause["to_ms"].as_u64().expect("an end") - pause["from_ms"].as_u64().expect("a beginning");
    assert!(length + 100 >= TALK.as_millis() as u64, "{about}");
    let told: Vec<&str> = record.timeline.iter().map(|fact| fact.kind.as_str()).collect();
    assert_eq!(told, ["recording-started", "recording-paused", "recording-resumed"]);
}

/// How long a party has heard the caller.
fn heard(phone: &tandem_phone_net::LivePhone, call: CallKey) -> Duration {
    heard_of(phone, call, CALLER_HZ)
}

fn heard_of(phone: &tandem_phone_net::LivePhone, call: CallKey, hz: u16) -> Duration {
    let heard = phone.ask(move |phone, _| phone.heard(call).cloned()).expect("it answers");
    heard.expect("it is in the call").time_of_tone(hz)
}

/// Commands about recordings that were carried out.
fn record_commands(node: &Node) -> f64 {
    let all = node.metrics("tandem_commands_total{").expect("metrics");
    let done = all.iter().filter(|(name, _)| name.contains("\"record\"") && name.contains("\"ok\""));
    done.map(|(_, count)| count).sum()
}

/// An agent keys the codes: a recording of its conversation begins, pauses, goes on and ends.
#[test]
fn an_agent_records_a_conversation_by_keys() {
    let mut node = node_with(|folder, config| {
        let config = recording(folder, &config, "beep = true").replacen("record = true\n", "", 1);
        let config = config.replacen("# record_code = ", "record_code = ", 1);
        config.replacen("# pause_recording_code = ", "pause_recording_code = ", 1)
    });
    let runtime = runtime();
    let carrier = carrier_whose(&runtime, &node, []);
    let manner = Manner::polite(PARTY_HZ, Duration::from_millis(200));
    let alice = softphone(&runtime, &node, ("1001", "alice"), [127, 0, 0, 22], manner);
    let call = carrier.call("+15551111", "+15550101", caller()).expect("a call");
    let agent = alice.incoming(PATIENCE).expect("alice is rung");
    carrier.hears(call, PARTY_HZ, TALK, PATIENCE).expect("the caller hears alice");
    for (code, commands) in [("*1", 1.0), ("*2", 2.0), ("*2", 3.0), ("*1", 4.0)] {
        alice.act(move |phone, now| Phone::press(phone, now, agent, code)).expect("she presses keys");
        let begun = std::time::Instant::now();
        while record_commands(&node) < commands {
            assert!(begun.elapsed() < PATIENCE, "{code} was not heard");
        }
        let before = heard(&alice, agent);
        alice.hears(agent, CALLER_HZ, before + TALK / 2, PATIENCE).expect("they talk on");
    }
    alice.act(move |phone, now| Phone::hang_up(phone, now, agent)).expect("alice hangs up");
    let heard = carrier.ended(call, PATIENCE).expect("the call ends").received;
    assert!(heard.events.is_empty(), "the codes are not for the caller: {:?}", heard.events);
    let record = only_record(&mut node);
    let told =
        record.timeline.iter().map(|fact| fact.kind.as_str()).filter(|kind| kind.starts_with("recording"));
    let expected = ["recording-started", "recording-paused", "recording-resumed", "recording-ended"];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    let [path] = &files(&node, ".wav")[..] else { panic!("one recording: {:?}", files(&node, "")) };
    let (rate_hz, channels) = channels(path);
    let recorded = time_of(&channels[0], rate_hz, CALLER_HZ);
    assert!(recorded >= TALK / 2, "{recorded:?} of the caller, who is on the left");
    assert_eq!(about(path)["complete"].as_bool(), Some(true));
}

/// A daemon whose folder of recordings is a file system of its own with room for a second or two: seen by nobody else, so
/// that nothing is left of it.
const ON_A_SMALL_DISK: &str = "\
#!/bin/sh
unshare --map-root-user --mount true 2>/dev/null && own=--map-root-user
exec unshare $own --mount sh -c '
    mount -t tmpfs -o size=64k tmpfs \"FOLDER/recordings\" && exec \"TANDEM\" \"$@\"
' sh \"$@\"
";

#[test]
fn a_call_goes_on_when_the_disk_is_full() {
    let ports = Ports::free().expect("free ports");
    let edit = |folder: &Path, config: String| recording(folder, &config, "");
    let configuration = Configuration::new(&ports, edit).expect("a configuration");
    let folder = configuration.folder().to_owned();
    let daemon = folder.join("on-a-small-disk");
    let script = ON_A_SMALL_DISK
        .replace("FOLDER", &folder.to_string_lossy())
        .replace("TANDEM", env!("CARGO_BIN_EXE_tandem"));
    std::fs::write(&daemon, script).expect("written");
    std::fs::set_permissions(&daemon, std::fs::Permissions::from_mode(0o755)).expect("made executable");
    let mut node = Node::run(&daemon, ports, configuration).expect("the daemon is ready");
    let runtime = runtime();
    let (carrier, [call, called]) = talk(&runtime, &node);
    let failed = |node: &Node| {
        let failed = node.metrics("tandem_recordings_failed_total").expect("metrics");
        failed.iter().map(|(_, count)| count).sum::<f64>()
    };
    let begun = std::time::Instant::now();
    while failed(&node) < 1.0 {
        assert!(begun.elapsed() < PATIENCE, "the disk is never full");
    }
    for (leg, hz) in [(called, CALLER_HZ), (call, PARTY_HZ)] {
        let before = heard_of(&carrier, leg, hz);
        carrier.hears(leg, hz, before + TALK, PATIENCE).expect("they talk on");
    }
    carrier.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
    for leg in [call, called] {
        assert_eq!(carrier.ended(leg, PATIENCE).expect("the call ends").status, 200);
    }
    assert_eq!(failed(&node), 1.0, "counted once");
    let record = only_record(&mut node);
    let told: Vec<_> = record.timeline.iter().filter(|fact| fact.kind == "recording-failed").collect();
    let [told] = told[..] else { panic!("told once: {:?}", record.timeline) };
    assert!(told.detail.as_deref().is_some_and(|why| why.contains("No space left on device")), "{told:?}");
}
