//! Announcements before the answer.

use tandem_control_api::CommandError;

use crate::support::{Scene, call, config, fact_shortly, log, model, run_to};

const REFUSED: &str = "+15550106";
const ANSWERED: &str = "+15550107";

fn story(dialled: &str, failing: Option<(&'static str, CommandError)>, patience: Option<u64>) -> String {
    let mut model = model(config(), Scene { failing, ..Scene::default() }, &[]);
    call(&mut model, 0, dialled, patience);
    run_to(&mut model, 60);
    assert_eq!((model.calls(), model.plane().calls()), (0, 0), "the call is over");
    let facts =
        model.world().records[0].timeline.iter().map(|entry| format!("noted {}", fact_shortly(&entry.fact)));
    log(&model).into_iter().map(str::to_owned).chain(facts).collect::<Vec<_>>().join("\n")
}

fn not_so_early() -> Option<(&'static str, CommandError)> {
    Some(("progress", CommandError::WrongState { command: "progress".into(), state: "offered".into() }))
}

#[test]
fn a_caller_hears_why_and_is_refused_without_an_answer() {
    insta::assert_snapshot!(story(REFUSED, None, None));
}

#[test]
fn a_caller_who_hears_nothing_so_early_is_refused_at_once() {
    insta::assert_snapshot!(story(REFUSED, not_so_early(), None));
}

#[test]
fn a_flow_answers_when_the_announcement_is_over() {
    insta::assert_snapshot!(story(ANSWERED, None, Some(30)));
}

#[test]
fn who_hears_nothing_so_early_hears_it_when_answered() {
    insta::assert_snapshot!(story(ANSWERED, not_so_early(), Some(30)));
}

#[test]
fn who_hangs_up_meanwhile_is_never_answered() {
    insta::assert_snapshot!(story(ANSWERED, None, Some(1)));
}
