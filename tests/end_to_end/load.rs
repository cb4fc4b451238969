//! `tandem load` against a real node: what each scenario tells, and that it finds what is wrong.

use std::net::UdpSocket;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::generator::{command, ended, load};
use crate::support::{node, node_with, only_record, records};

const BRISKLY: [&str; 6] = ["--rate", "20", "--calls", "6", "--hold", "1500ms"];

#[test]
fn callers_of_an_echo_hear_themselves() {
    let mut node = node();
    let run = load(&node, &[&["echo"][..], &BRISKLY].concat());
    run.went_well(6);
    assert_eq!(run.count("audio_verified"), 6, "{}", run.said);
    run.took(&["invite_trying", "invite_answered", "bye_answered"], 6);
    assert!(run.summary["node"]["cpu_s"].is_number(), "the process was found by its port: {}", run.said);
    let records = records(&mut node);
    assert_eq!(records.len(), 6);
    assert!(records.iter().all(|call| call.end_side == "party" && call.legs[0].packets_received > 40));
}

#[test]
fn both_ends_of_a_call_hear_each_other() {
    let mut node = node();
    let answer_at = node.ports().carrier.to_string();
    let straight = ["--to", "+15550111", "--answer-at", &answer_at];
    let run = load(&node, &[&["call"][..], &straight, &BRISKLY].concat());
    run.went_well(6);
    assert_eq!(run.count("audio_verified"), 6, "{}", run.said);
    assert_eq!(run.summary["audio"], "tones both ways");
    let bare = load(
        &node,
        &[&["straight", "--rate", "50", "--calls", "20", "--hold", "50ms"][..], &straight].concat(),
    );
    bare.went_well(20);
    bare.took(&["invite_out", "invite_answered", "answer_acknowledged", "bye_answered"], 20);
    assert_eq!(bare.summary["messages"]["media_sent"], 0);
    let records = records(&mut node);
    assert_eq!(records.len(), 26);
    assert!(records.iter().all(|call| call.end_side == "party" && call.legs.len() == 2));
}

#[test]
fn calls_are_placed_over_srtp() {
    let mut node = node_with(|_, config| config.replacen("srtp = \"off\"", "srtp = \"required\"", 1));
    let run = load(&node, &["srtp-call", "--rate", "5", "--calls", "2", "--hold", "1500ms"]);
    run.went_well(2);
    assert_eq!(run.count("audio_verified"), 2, "{}", run.said);
    let clear = load(&node, &["call", "--rate", "5", "--calls", "2", "--max-failures", "1"]);
    assert_eq!((clear.status.code(), clear.failures("INVITE: status 488")), (Some(1), 2), "{}", clear.said);
    assert_eq!(records(&mut node).len(), 2);
}

#[test]
fn users_register_again_and_again_and_leave() {
    let users: Vec<String> =
        (1_000..1_040).map(|n| format!("[[user]]\nname = \"9{n}\"\npassword = \"secret-9{n}\"\n")).collect();
    let mut node = node_with(|_, config| {
        let (before, after) = config.split_once("[[user]]").expect("the demo has users");
        format!("{before}{}\n[[user]]{after}", users.concat())
    });
    let from = UdpSocket::bind("127.0.0.29:0").and_then(|it| it.local_addr()).expect("a port").to_string();
    let who = ["--users", "91000-91039", "--password-pattern", "secret-{user}", "--from", from.as_str()];
    let run = load(&node, &[&["register", "--rate", "100", "--calls", "80"][..], &who].concat());
    run.went_well(80);
    run.took(&["registered"], 80);
    assert_eq!(run.summary["removed"], 40, "{}", run.said);
    node.log_line("phone gone").expect("contacts are removed");

    let guessing = [&who[..2], &["--password-pattern", "wrong"], &who[4..]].concat();
    let run = load(&node, &[&["register", "--rate", "100", "--calls", "5"][..], &guessing].concat());
    assert!(!run.status.success());
    assert_eq!((run.failures("REGISTER: status 40"), run.count("completed")), (5, 0), "{}", run.said);
}

#[test]
fn a_flood_is_sent_and_a_question_beside_it_answered() {
    let node = node();
    let mut flood = command(&node, &["flood", "--rate", "1000", "--duration", "2s"]);
    let flood = flood.spawn().expect("the generator runs");
    let options = load(&node, &["options", "--rate", "50", "--calls", "50", "--p99-ms", "4000"]);
    options.went_well(50);
    options.took(&["options_answered"], 50);
    let flood = ended(&node, flood.wait_with_output().expect("the flood ends"));
    assert!(
        flood.count("completed") > 1_500 && flood.summary["messages"]["received"].as_u64() > Some(0),
        "{}",
        flood.said
    );
}

#[test]
fn nobody_there_is_found() {
    let mut node = node();
    node.stop().expect("the daemon ends");
    let run = load(&node, &["call", "--rate", "10", "--calls", "3", "--timeout", "1s", "--p99-ms", "100"]);
    assert_eq!((run.status.code(), run.failures("INVITE: no answer")), (Some(1), 3), "{}", run.said);
}

#[test]
fn a_status_silence_and_the_wrong_tone_are_found() {
    let node = node();
    let one = ["--rate", "5", "--calls", "2", "--hold", "1500ms"];
    let status = load(&node, &[&["call", "--to", "+15550777"][..], &one].concat());
    assert_eq!(status.failures("INVITE: status 404"), 2, "{}", status.said);
    let tone = load(&node, &[&["call", "--to", "+15550102", "--hear", "3400"][..], &one].concat());
    assert_eq!(tone.failures("audio: wrong"), 2, "{}", tone.said);
    let silence = load(&node, &[&["echo", "--to", "+15550102"][..], &one].concat());
    assert_eq!(silence.failures("audio"), 2, "{}", silence.said);
    assert_eq!((silence.count("audio_verified"), silence.status.code()), (0, Some(1)));
}

#[test]
fn an_interruption_hangs_up_everybody_and_tells() {
    let mut node = node();
    let generator = command(&node, &["call", "--rate", "100", "--calls", "1", "--hold", "1h"]).spawn();
    let generator = generator.expect("the generator runs");
    node.log_line("call answered").expect("the node logs the call");
    let pid = Pid::from_raw(i32::try_from(generator.id()).expect("a process"));
    kill(pid, Signal::SIGINT).expect("the generator is there");
    let run = ended(&node, generator.wait_with_output().expect("the generator ends"));
    assert_eq!((run.summary["interrupted"].as_bool(), run.count("begun")), (Some(true), 1), "{}", run.said);
    let record = only_record(&mut node);
    assert_eq!((record.end_side.as_str(), record.end_status), ("party", 200));
}
