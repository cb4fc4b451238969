//! What callers of the demo's numbers hear and what becomes of them.

use std::collections::VecDeque;

use tandem_control::flow;
use tandem_control_api::CommandError;

use crate::support::{Scene, call, config, facts, log, model, run_to};

fn scene(typed: &[&'static str]) -> Scene {
    Scene { typed: VecDeque::from(typed.to_vec()), ..Scene::default() }
}

#[test]
fn the_menu_leads_to_the_queue_that_was_chosen() {
    let mut model = model(config(), scene(&["9", "2"]), &["1003"]);
    call(&mut model, 0, "+15550100", Some(30));
    run_to(&mut model, 60);
    insta::assert_snapshot!(log(&model).join("\n"));
    assert_eq!(
        facts(&model),
        [
            "flow main-menu",
            "step welcome -> done",
            "tries = 1",
            "step count -> done",
            "step enough -> false",
            "step ask -> 9",
            "step ask -> 2",
            "waits in support",
            "offered to carol",
            "answered by carol",
            "leaves support: answered",
            "step support -> answered",
        ]
    );
}

#[test]
fn three_tries_then_goodbye() {
    let mut model = model(config(), scene(&["7"]), &[]);
    call(&mut model, 0, "+15550100", None);
    run_to(&mut model, 120);
    let heard: Vec<&str> =
        log(&model).into_iter().filter_map(|line| line.split_once(" play ")).map(|x| x.1).collect();
    assert_eq!(
        heard,
        ["welcome", "menu", "invalid", "menu", "no-input", "menu", "no-input", "goodbye"],
        "a bad digit, then silence twice"
    );
    assert_eq!(facts(&model).last().map(String::as_str), Some("step end -> disconnect"));
    assert_eq!(model.calls(), 0);
}

#[test]
fn four_digits_are_read_back() {
    let mut model = model(config(), scene(&["12#", "4711"]), &[]);
    call(&mut model, 0, "+15550104", None);
    run_to(&mut model, 60);
    let heard: Vec<&str> =
        log(&model).into_iter().filter_map(|line| line.split_once(" play ")).map(|x| x.1).collect();
    assert_eq!(heard, ["enter-digits", "invalid", "enter-digits", "digits 4711"]);
    assert!(facts(&model).contains(&"digits = 4711".to_owned()));
    assert_eq!(model.calls(), 0, "hung up at the end");
}

#[test]
fn the_prompt_loop_lasts_until_the_caller_hangs_up() {
    let mut model = model(config(), scene(&[]), &[]);
    call(&mut model, 0, "+15550102", Some(3_600));
    run_to(&mut model, 3_599);
    assert_eq!(log(&model), ["0.000 answer leg-2.0", "0.000 play loop for ever"]);
    run_to(&mut model, 3_600);
    assert_eq!(facts(&model), ["flow prompt-loop", "step loop -> hang-up"]);
}

#[test]
fn the_echo_is_the_caller_bridged_to_themselves() {
    let mut model = model(config(), scene(&[]), &[]);
    call(&mut model, 0, "+15550103", Some(60));
    run_to(&mut model, 61);
    assert_eq!(
        log(&model),
        ["0.000 answer leg-2.0", "0.000 bridge leg-2.0 leg-2.0", "60.000 leg-2.0 ended by Party"]
    );
}

#[test]
fn any_other_number_is_not_found() {
    let mut model = model(config(), scene(&[]), &[]);
    call(&mut model, 0, "+15550199", None);
    run_to(&mut model, 1);
    assert_eq!(log(&model)[0], "0.000 reject NotFound");
}

#[test]
fn a_sensitive_value_stays_out_of_the_record() {
    let pin = r##"
start = "ask"
[variables]
pin = { value = "", sensitive = true }
copy = { value = "", sensitive = true }
[activities.ask]
type = "collect"
max_digits = 4
variable = "pin"
exits = { done = "copy", timeout = "end", invalid = "end" }
[activities.copy]
type = "set"
variable = "copy"
to = "{{pin}}"
exits = { done = "end" }
[activities.end]
type = "disconnect"
"##;
    let mut config = config();
    config.flows.push(flow::parse("pin", pin).expect("a sound flow"));
    config.entry_points.insert("pin".to_owned(), "pin".to_owned());
    let mut model = model(config, scene(&["4711"]), &[]);
    call(&mut model, 0, "pin", None);
    run_to(&mut model, 60);
    assert_eq!(
        facts(&model),
        ["flow pin", "step ask -> done", "step copy -> done", "step end -> disconnect"]
    );
}

#[test]
fn an_error_without_an_exit_ends_the_call() {
    let failing = Some(("play", CommandError::UnknownPrompt("menu".into())));
    let mut model = model(config(), Scene { failing, ..Scene::default() }, &[]);
    call(&mut model, 0, "+15550100", None);
    run_to(&mut model, 10);
    assert_eq!(
        log(&model),
        [
            "0.000 answer leg-2.0",
            "0.000 play welcome",
            "0.000 hangup leg-2.0 Error",
            "0.050 leg-2.0 ended by Control"
        ]
    );
    assert_eq!(facts(&model), ["flow main-menu", "step welcome -> error", "step welcome -> unwired-exit"]);
}

/// Calls a flow of its own; gives the last fact.
fn last_fact(text: &str, scene: Scene) -> (String, usize) {
    let mut config = config();
    config.flows.push(flow::parse("tested", text).expect("a sound flow"));
    config.entry_points.insert("tested".to_owned(), "tested".to_owned());
    let mut model = model(config, scene, &[]);
    call(&mut model, 0, "tested", None);
    run_to(&mut model, 3_600);
    assert_eq!(model.calls(), 0, "the call ends");
    let asked = model.world().log.iter().filter(|line| line.contains(" note step")).count();
    let last = model.world().log.iter().rfind(|line| line.contains(" note step")).expect("a step");
    (last.split_once(" note ").expect("a note").1.to_owned(), asked)
}

#[test]
fn a_flow_that_loops_without_waiting_is_ended() {
    let text = r##"
start = "up"
[variables]
n = 0
[activities.up]
type = "set"
variable = "n"
add = 1
exits = { done = "up" }
"##;
    // A thousand steps are taken, the next one is not; its refusal is noted too.
    assert_eq!(last_fact(text, Scene::default()), ("step up -> too-many-steps".to_owned(), 1_001));
}

#[test]
fn a_play_that_fails_at_once_is_no_wait() {
    let text = r##"
start = "again"
[activities.again]
type = "play"
prompts = ["loop"]
exits = { done = "again", error = "again" }
"##;
    let failing = Some(("play", CommandError::UnknownPrompt("loop".into())));
    let scene = Scene { failing, ..Scene::default() };
    assert_eq!(last_fact(text, scene), ("step again -> too-many-steps".to_owned(), 1_001));
}

#[test]
fn a_menu_is_entered_a_hundred_times_at_most() {
    let text = r##"
start = "ask"
[activities.ask]
type = "menu"
prompts = ["menu"]
exits = { 1 = "ask", timeout = "ask", invalid = "ask" }
"##;
    assert_eq!(last_fact(text, Scene::default()), ("step ask -> too-many-visits".to_owned(), 101));
}

#[test]
fn conditions_and_templates_decide_on_what_the_caller_typed() {
    let text = r##"
start = "ask"
[variables]
typed = ""
number = 0
label = ""
[activities.ask]
type = "collect"
max_digits = 3
terminator = "#"
variable = "typed"
exits = { done = "convert", timeout = "end", invalid = "end" }
[activities.convert]
type = "set"
variable = "number"
to = "{{typed}}"
exits = { done = "large", error = "not-a-number" }
[activities.large]
type = "condition"
variable = "number"
operator = ">"
value = 99
exits = { true = "label", false = "end" }
[activities.label]
type = "set"
variable = "label"
to = "{{dnis}} typed {{number}}"
exits = { done = "end" }
[activities.not-a-number]
type = "disconnect"
[activities.end]
type = "disconnect"
"##;
    let run = |typed| {
        let mut config = config();
        config.flows.push(flow::parse("tested", text).expect("a sound flow"));
        config.entry_points.insert("tested".to_owned(), "tested".to_owned());
        let mut model = model(config, scene(&[typed]), &[]);
        call(&mut model, 0, "tested", None);
        run_to(&mut model, 60);
        facts(&model)
    };
    assert!(run("100").contains(&"label = tested typed 100".to_owned()));
    assert!(run("99#").contains(&"step large -> false".to_owned()));
    assert!(run("4*2").contains(&"step not-a-number -> disconnect".to_owned()));
}
