//! `tandem check`: one line when all is well, else every mistake with its place.

use std::path::Path;
use std::process::{Command, Output};

use tandem_peers::{Configuration, Ports};

fn check(edit: impl FnOnce(&Path, String) -> String) -> (Output, String) {
    let configuration = Configuration::new(&Ports::demo(), edit).expect("a configuration");
    let output = Command::new(env!("CARGO_BIN_EXE_tandem"))
        .arg("check")
        .arg("--config")
        .arg(configuration.file())
        .output()
        .expect("tandem runs");
    // What is said names the file by its path, which differs from run to run.
    let said =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    let said = said.replace(&configuration.folder().display().to_string(), "demo");
    (output, said)
}

#[test]
fn the_demo_is_in_order() {
    let (output, said) = check(|_, text| text);
    assert!(output.status.success(), "{said}");
    assert!(said.starts_with("demo/tandem.toml: ok: 1 trunk, 10 users, 11 agents, 3 queues"), "{said}");
    assert_eq!(said.lines().count(), 1);
}

#[test]
fn every_mistake_is_told_and_the_exit_status_is_1() {
    let (output, said) = check(|_, text| {
        text.replace("max_legs_per_call = 8", "max_legs = 8").replace("name = \"1004\"", "name = 1004")
    });
    assert_eq!(output.status.code(), Some(1));
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 3, "the agent of the misnamed user is the third: {said}");
    assert!(
        lines[0].starts_with("demo/tandem.toml:") && lines[0].contains("unknown key \"max_legs\""),
        "{said}"
    );
    assert!(lines[1].contains("found 1004; write"), "{said}");
    assert!(lines[2].contains("there is no user \"1004\""), "{said}");
}

#[test]
fn flows_are_checked_with_the_queues_and_prompts_they_name() {
    let (output, said) = check(|folder, text| {
        let flow = folder.join("flows/sales.toml");
        let changed = std::fs::read_to_string(&flow)
            .expect("the flow")
            .replace("queue = \"sales\"", "queue = \"sale\"");
        std::fs::write(flow, changed).expect("the flow is written");
        text
    });
    assert_eq!(output.status.code(), Some(1));
    assert!(said.starts_with("demo/flows/sales.toml:") && said.contains("sale"), "{said}");
}

#[test]
fn a_prompt_that_is_no_wav_is_named() {
    let (output, said) = check(|folder, text| {
        std::fs::write(folder.join("prompts/menu.wav"), "not audio").expect("the prompt is written");
        text
    });
    assert_eq!(output.status.code(), Some(1));
    assert!(said.starts_with("demo/prompts/menu.wav: "), "{said}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_tandem"))
        .args(["check", "--config", "nowhere/tandem.toml"])
        .output()
        .expect("tandem runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("nowhere/tandem.toml: cannot be read: "));
}
