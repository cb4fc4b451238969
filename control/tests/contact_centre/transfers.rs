//! Agents transfer callers: to agents, numbers and flows, with and without an answer.

use std::time::Duration;

use tandem_control::AgentState;
use tandem_control_api::conformance::{Phone, Wish};
use tandem_control_api::{ControlPlane, DialFailure, Event, Origin};

use tandem_time::Instant;

use crate::support::{Model, Scene, call, config, facts, log, model, run_to};

/// The number of the sales queue: alice (1001) is the first to be offered a call.
const SALES: &str = "+15550101";

/// A caller who talks to alice from second 3 on, until second 300; alice does this after five seconds.
fn talking(wish: Wish, phones: &[(&'static str, Phone)]) -> Model {
    let mut scene = Scene::default();
    scene.wishes.extend([None, Some((Duration::from_secs(5), wish))]);
    scene.phones.extend(phones.iter().copied());
    let mut model = model(config(), scene, &["1001", "1003"]);
    call(&mut model, 1, SALES, Some(299));
    model
}

fn transfer(to: &str) -> Wish {
    Wish::Transfer { to: to.to_owned() }
}

fn state(model: &Model, agent: &str) -> AgentState {
    let found = model.plane().agent_states().find(|(id, _)| *id == agent);
    found.map(|(_, state)| state.clone()).expect("an agent")
}

/// What was asked once alice talked, until second 60.
fn story(model: &mut Model) -> String {
    run_to(model, 60);
    let from = log(model).iter().position(|line| line.contains("bridge")).expect("they talked");
    log(model)[from..].join("\n")
}

fn over(mut model: Model) {
    run_to(&mut model, 600);
    assert_eq!((model.calls(), model.plane().calls()), (0, 0));
    for (agent, state) in model.plane().agent_states() {
        assert!(matches!(state, AgentState::Available { .. } | AgentState::LoggedOut), "{agent}: {state:?}");
    }
}

/// Carol takes the call: alice is in wrap-up, carol is hers who called, and is offered nothing else.
#[test]
fn to_another_agent() {
    let mut model = talking(transfer("1003"), &[]);
    run_to(&mut model, 10);
    assert!(matches!(state(&model, "carol"), AgentState::OnCall { .. }), "rung");
    run_to(&mut model, 14);
    assert!(matches!(state(&model, "alice"), AgentState::WrapUp { .. }));
    assert!(matches!(state(&model, "carol"), AgentState::Talking { .. }));
    insta::assert_snapshot!(story(&mut model));
    over(model);
}

/// The caller comes back to alice, who waits; carol has not lost her turn.
#[test]
fn to_an_agent_who_does_not_want_it() {
    let busy = Phone::Fails { after: Duration::from_secs(2), failure: DialFailure::Busy };
    let mut model = talking(transfer("1003"), &[("1003", busy)]);
    run_to(&mut model, 20);
    assert!(matches!(state(&model, "alice"), AgentState::Talking { .. }));
    assert!(matches!(state(&model, "carol"), AgentState::Available { .. }));
    insta::assert_snapshot!(story(&mut model));
    over(model);
}

/// Alice has hung up as soon as she had transferred; the flow goes on by the queue's exit for failures.
#[test]
fn to_nobody_when_the_agent_has_left() {
    let talks = Some(Duration::from_secs(8));
    let alice = Phone::Answers { after: Duration::from_secs(3), talks };
    let mut model = talking(transfer("1003"), &[("1001", alice), ("1003", Phone::Rings)]);
    insta::assert_snapshot!(story(&mut model));
    over(model);
}

/// A number goes to the trunk that the caller came from, and nobody there is an agent.
#[test]
fn to_the_telephone_network() {
    let mut model = talking(transfer("+15550123"), &[]);
    insta::assert_snapshot!(story(&mut model));
    over(model);
}

/// The number of a flow: the caller is in that flow, alice in wrap-up.
#[test]
fn to_an_entry_point() {
    let mut model = talking(transfer("+15550103"), &[]);
    insta::assert_snapshot!(story(&mut model));
    over(model);
}

#[test]
fn to_a_number_that_there_is_not() {
    let mut model = talking(transfer("12"), &[]);
    run_to(&mut model, 20);
    assert!(log(&model).iter().any(|line| line.contains("refuse-transfer") && line.ends_with("NotFound")));
    assert!(matches!(state(&model, "alice"), AgentState::Talking { .. }));
    over(model);
}

/// A caller is not asked where it would rather be.
#[test]
fn callers_transfer_nobody() {
    let mut scene = Scene::default();
    scene.wishes.extend([Some((Duration::from_secs(5), transfer("1003")))]);
    let mut model = model(config(), scene, &["1001", "1003"]);
    call(&mut model, 1, SALES, Some(299));
    run_to(&mut model, 20);
    assert!(log(&model).iter().any(|line| line.contains("refuse-transfer") && line.ends_with("Declined")));
    over(model);
}

/// RFC 5359 §2.1: the caller hears music while the agent holds.
#[test]
fn hold_and_resume() {
    let mut scene = Scene::default();
    // The second bridge is that of the end of the hold.
    scene.wishes.extend([None, Some((Duration::from_secs(5), Wish::Hold))]);
    let mut model = model(config(), scene, &["1001"]);
    call(&mut model, 1, SALES, Some(40));
    insta::assert_snapshot!(story(&mut model));
    over(model);
}

/// RFC 3891: another phone goes on in alice's place. Her own changes nothing; carol's makes the caller hers; one that is
/// nobody's talks to the caller without an agent.
#[test]
fn somebody_goes_on_in_the_agent_s_place() {
    for (user, alice, carol) in
        [("1001", "talking", "available"), ("1003", "wrap-up", "talking"), ("1009", "wrap-up", "available")]
    {
        let mut model = talking(transfer("12"), &[]);
        run_to(&mut model, 7);
        let AgentState::Talking { call, leg, .. } = state(&model, "alice") else { panic!("alice talks") };
        let now = model.now();
        let by = Origin::User(user.to_owned());
        model.plane_mut().handle_event(now, &Event::LegReplaced { call, leg, by });
        run_to(&mut model, 8);
        assert_eq!((state(&model, "alice").name(), state(&model, "carol").name()), (alice, carol), "{user}");
        over(model);
    }
}

/// RFC 5359 §2.16: alice is rung, and somebody else picks up: bob, who serves the same queue, carol, who does not, or a
/// phone that is nobody's. Alice is as available as before, and the caller talks to who picked up.
#[test]
fn a_call_that_rings_is_picked_up() {
    for (user, picker) in [("1002", Some("bob")), ("1003", Some("carol")), ("1009", None)] {
        let mut scene = Scene::default();
        scene.phones.insert("1001", Phone::Answers { after: Duration::from_secs(6), talks: None });
        let mut model = model(config(), scene, &["1001"]);
        call(&mut model, 1, SALES, Some(60));
        for phone in ["1002", "1003"] {
            model.register_at(Instant::from_millis(2_000), phone, true);
        }
        run_to(&mut model, 4);
        let AgentState::Offered { call, leg: Some(leg), .. } = state(&model, "alice") else {
            panic!("alice is rung");
        };
        let now = model.now();
        let by = Origin::User(user.to_owned());
        model.plane_mut().handle_event(now, &Event::LegReplaced { call, leg, by });
        assert_eq!(state(&model, "alice").name(), "available", "{user}");
        // The switch says so at once; here it is the phone that is answered in its time.
        run_to(&mut model, 20);
        for agent in ["alice", "bob", "carol"] {
            let expected = if picker == Some(agent) { "talking" } else { "available" };
            assert_eq!(state(&model, agent).name(), expected, "{user}: {agent}");
        }
        run_to(&mut model, 200);
        let facts = facts(&model);
        assert!(facts.contains(&"leaves sales: answered".to_owned()), "{user}: {facts:?}");
        let answered: Vec<&String> = facts.iter().filter(|fact| fact.starts_with("answered by")).collect();
        assert_eq!(answered, picker.map(|agent| format!("answered by {agent}")).iter().collect::<Vec<_>>());
        over(model);
    }
}
