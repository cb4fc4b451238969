//! Recordings by key and by flow.

use std::time::Duration;

use tandem_control::flow;
use tandem_control_api::conformance::Wish;
use tandem_control_api::{CommandError, MediaPath};

use crate::support::{Model, Scene, call, config, facts, log, model, run_to};

const SALES: &str = "+15550101";

/// What was asked of recordings, in order.
fn asked(model: &Model) -> Vec<&str> {
    let records = log(model).into_iter().filter(|line| line.contains(" record "));
    records.filter_map(|line| line.split_once(" record ").map(|(_, what)| what)).collect()
}

/// Alice (1001) keys in her conversation with a caller; so much is asked of recordings.
fn alice_keys(keys: &str) -> Vec<String> {
    let mut scene = Scene::default();
    scene.wishes.extend([None, Some((Duration::from_secs(5), Wish::Keys(keys.to_owned())))]);
    let mut model = model(config(), scene, &["1001"]);
    call(&mut model, 1, SALES, Some(60));
    run_to(&mut model, 100);
    asked(&model).into_iter().map(str::to_owned).collect()
}

/// It is the caller who is recorded, and so on the left, whoever keys it.
#[test]
fn an_agent_records_a_conversation_by_keys() {
    assert_eq!(alice_keys("*1"), ["leg-2.0 BeginOrEnd"]);
    assert_eq!(
        alice_keys("*1*2*2"),
        ["leg-2.0 BeginOrEnd", "leg-2.0 PauseOrResume", "leg-2.0 PauseOrResume"]
    );
    assert_eq!(alice_keys("5*1"), ["leg-2.0 BeginOrEnd"], "behind other keys");
    assert_eq!(alice_keys("*51"), [""; 0]);
}

#[test]
fn a_caller_s_keys_record_nothing() {
    let mut scene = Scene::default();
    scene.wishes.extend([Some((Duration::from_secs(5), Wish::Keys("*1".to_owned()))), None]);
    let mut model = model(config(), scene, &["1001"]);
    call(&mut model, 1, SALES, Some(60));
    run_to(&mut model, 100);
    assert_eq!(asked(&model), [""; 0]);
}

/// A flow with a recording that pauses while a number is asked for.
const FLOW: &str = "\
start = \"begin\"

[activities.begin]
type = \"record\"
action = \"begin\"
exits = { done = \"pause\" }

[activities.pause]
type = \"record\"
action = \"pause\"
exits = { done = \"ask\", error = \"bye\" }

[activities.ask]
type = \"play\"
prompts = [\"enter-digits\"]
exits = { done = \"resume\" }

[activities.resume]
type = \"record\"
action = \"resume\"
exits = { done = \"bye\" }

[activities.bye]
type = \"disconnect\"
";

fn in_the_flow(failing: Option<(&'static str, CommandError)>) -> Model {
    let mut config = config();
    config.flows.push(flow::parse("recorded", FLOW).expect("a sound flow"));
    config.entry_points.insert("+15550109".to_owned(), "recorded".to_owned());
    let mut model = model(config, Scene { failing, ..Scene::default() }, &[]);
    call(&mut model, 1, "+15550109", None);
    run_to(&mut model, 60);
    model
}

#[test]
fn a_flow_records_its_caller_and_pauses() {
    let model = in_the_flow(None);
    assert_eq!(asked(&model), ["leg-2.0 Begin", "leg-2.0 Pause", "leg-2.0 Resume"]);
    let steps: Vec<String> = facts(&model).into_iter().filter(|fact| fact.contains("step")).collect();
    let expected = ["begin -> done", "pause -> done", "ask -> done", "resume -> done", "bye -> disconnect"];
    assert_eq!(steps, expected.map(|step| format!("step {step}")));
}

/// A call that cannot be recorded goes on, unless the flow says otherwise.
#[test]
fn a_flow_goes_on_without_its_recording_unless_it_has_another_exit() {
    let model = in_the_flow(Some(("record", CommandError::Limit("recordings".to_owned()))));
    assert_eq!(asked(&model), ["leg-2.0 Begin", "leg-2.0 Pause"]);
    let steps: Vec<String> = facts(&model).into_iter().filter(|fact| fact.contains("step")).collect();
    assert_eq!(steps, ["step begin -> error", "step pause -> error", "step bye -> disconnect"]);
}

/// What does not pass us cannot be recorded: the call of a trunk that is recorded passes us.
#[test]
fn a_recorded_call_has_no_direct_media() {
    for (recorded, media) in [(false, MediaPath::Direct), (true, MediaPath::Anchored)] {
        let mut config = config();
        if recorded {
            config.recorded_trunks.insert("carrier".to_owned());
        }
        let mut model = model(config, Scene::default(), &[]);
        call(&mut model, 1, "+15550105", Some(20));
        run_to(&mut model, 60);
        assert_eq!(model.world().media, [media]);
    }
}
