//! A number that leads straight to somebody: no flow, no answer before theirs.

use std::time::Duration;

use tandem_control_api::DialFailure;
use tandem_control_api::conformance::Phone;

use crate::support::{Scene, call, config, log, model, run_to};

const NUMBER: &str = "+15550105";
const PARTY: &str = "+15550177";

/// What is asked, and who ends, of one call.
fn story(phone: Phone, patience: Option<u64>) -> Vec<String> {
    let mut scene = Scene::default();
    scene.phones.insert(PARTY, phone);
    let mut model = model(config(), scene, &[]);
    call(&mut model, 0, NUMBER, patience);
    run_to(&mut model, 600);
    assert_eq!((model.calls(), model.plane().calls()), (0, 0), "the call is over");
    assert_eq!(model.world().records[0].timeline, [], "no flow has run");
    log(&model).into_iter().map(str::to_owned).collect()
}

#[test]
fn the_caller_hears_ringing_and_is_answered_when_the_party_is() {
    let phone = Phone::Answers { after: Duration::from_secs(3), talks: Some(Duration::from_secs(60)) };
    insta::assert_snapshot!(story(phone, None).join("\n"));
}

#[test]
fn the_caller_is_refused_as_the_party_refused() {
    let phone = Phone::Fails { after: Duration::from_secs(2), failure: DialFailure::Busy };
    insta::assert_snapshot!(story(phone, None).join("\n"));
}

#[test]
fn nobody_rings_when_the_caller_has_gone() {
    insta::assert_snapshot!(story(Phone::Rings, Some(4)).join("\n"));
}

#[test]
fn a_party_that_does_not_answer_is_given_up() {
    insta::assert_snapshot!(story(Phone::Rings, None).join("\n"));
}

#[test]
fn who_has_a_call_when_the_route_goes_keeps_it() {
    let mut model = model(config(), Scene::default(), &[]);
    call(&mut model, 0, NUMBER, Some(30));
    run_to(&mut model, 10);
    let mut new = config();
    new.routes.clear();
    let now = model.now();
    model.plane_mut().reload(now, new).expect("a sound configuration");
    call(&mut model, 11, NUMBER, Some(30));
    run_to(&mut model, 600);
    let told = log(&model);
    assert!(told.contains(&"11.000 reject NotFound"), "{told:?}");
    assert!(told.iter().any(|line| line.starts_with("30.000 hangup")), "{told:?}");
}
