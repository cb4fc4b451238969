//! `tandem load` with media of which every packet is checked, on the demo's node and on nodes of its own.

use serde_json::Value;

use crate::generator::{Run, load, load_on_its_own};
use crate::support::{node, records};

const FEW: [&str; 6] = ["--rate", "20", "--calls", "6", "--duration", "1500ms"];

fn media(run: &Run) -> &Value {
    &run.summary["media"]
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Six calls were up, so many streams had something checked, nothing was wrong, and it is told what that cost.
fn was_checked(run: &Run, streams: u64) {
    run.went_well(6);
    let media = media(run);
    assert_eq!((run.count("audio_verified"), &media["calls"]), (6, &Value::from(6)), "{}", run.said);
    assert_eq!(media["streams"], streams, "{}", run.said);
    // 50 a second from each for a second and a half, give or take what is under way at both ends.
    let expected = streams as f64 * 75.0;
    let received = number(&media["received"]);
    assert!((0.7 * expected..1.3 * expected).contains(&received), "{received} packets: {}", run.said);
    for wrong in ["duplicates", "wrong_headers", "wrong_content", "unusable"] {
        assert_eq!(media[wrong], 0, "{wrong}: {}", run.said);
    }
    assert!(number(&media["delay"]["count"]) > 0.5 * expected, "{}", run.said);
    assert!(number(&media["node"]["cpu_s_per_million_packets"]) > 0.0, "{}", run.said);
    assert!(run.summary["machine"].as_str().is_some_and(|machine| machine.contains("Linux")));
}

#[test]
fn packets_through_a_running_node_are_checked() {
    let mut node = node();
    let answer_at = node.ports().carrier.to_string();
    let run = load(&node, &[&["relay", "--to", "+15550111", "--answer-at", &answer_at][..], &FEW].concat());
    was_checked(&run, 12);
    let records = records(&mut node);
    assert_eq!(records.len(), 6);
    assert!(records.iter().flat_map(|call| &call.legs).all(|leg| leg.packets_received > 75));
}

#[test]
fn who_hears_somebody_else_or_nothing_is_found() {
    let node = node();
    let answer_at = node.ports().carrier.to_string();
    let echo = ["relay", "--to", "+15550103", "--answer-at", &answer_at, "--max-failures", "5"];
    let run = load(&node, &[&echo[..], &FEW].concat());
    assert_eq!(run.failures("media: the caller heard something else"), 6, "{}", run.said);
    assert_eq!((run.count("completed"), run.status.code()), (0, Some(1)));
    assert!(number(&media(&run)["wrong_content"]) > 100.0, "{}", run.said);
}

#[test]
fn a_threshold_of_media_is_kept_or_broken() {
    let limits = ["--max-lost", "1000000", "--delay-p99-ms", "0.000001"];
    let run = load_on_its_own(&[&["relay"][..], &FEW, &limits].concat());
    let held = |n: usize| run.summary["thresholds"][n]["held"].as_bool();
    assert_eq!((held(0), held(1), run.status.code()), (Some(true), Some(false), Some(1)), "{}", run.said);
}

#[test]
fn packets_are_checked_under_srtp() {
    was_checked(&load_on_its_own(&[&["srtp"][..], &FEW].concat()), 12);
}

#[test]
fn a_prompt_is_compared_octet_by_octet() {
    was_checked(&load_on_its_own(&[&["play"][..], &FEW].concat()), 6);
    let run = load_on_its_own(&[&["play", "--silent-callers"][..], &FEW].concat());
    was_checked(&run, 6);
    assert_eq!(media(&run)["sent"], 0, "{}", run.said);
}

/// On a machine that is busy a jitter buffer conceals: most packets must be right, and each party heard.
#[test]
fn those_of_two_codecs_hear_each_other() {
    for codec in ["g722", "opus"] {
        let run = load_on_its_own(&[&["transcode", "--codec", codec][..], &FEW].concat());
        let media = media(&run);
        assert_eq!((run.count("answered"), &media["streams"]), (6, &Value::from(12)), "{}", run.said);
        let (received, wrong) = (number(&media["received"]), number(&media["wrong_content"]));
        assert!(received > 600.0 && wrong < received / 4.0, "{wrong} of {received} wrong: {}", run.said);
        assert_eq!(
            (&media["unusable"], &media["duplicates"]),
            (&Value::from(0), &Value::from(0)),
            "{}",
            run.said
        );
    }
}

/// On a machine that is busy a jitter buffer conceals: most packets must be right, and each party heard.
#[test]
fn three_in_a_room_hear_each_other() {
    let run = load_on_its_own(&[&["conference"][..], &FEW].concat());
    let media = media(&run);
    assert_eq!((run.count("answered"), &media["streams"]), (12, &Value::from(18)), "{}", run.said);
    let (received, wrong) = (number(&media["received"]), number(&media["wrong_content"]));
    assert!(received > 900.0 && wrong < received / 4.0, "{wrong} of {received} wrong: {}", run.said);
}

#[test]
fn what_cannot_be_measured_is_said() {
    let said = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_tandem"))
            .arg("load")
            .args(arguments)
            .output()
            .expect("the generator runs");
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(said(&["relay"]).contains("relay needs --answer-at"));
    assert!(said(&["conference"]).contains("conference needs --start"));
    assert!(said(&["echo", "--start"]).contains("--start is for"));
    assert!(said(&["relay", "--start", "--calls", "20001"]).contains("--calls: 1 to 20000"));
}
