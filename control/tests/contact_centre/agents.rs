//! Who is offered which caller, and what becomes of agents who answer, do not, or hang up.

use std::collections::VecDeque;
use std::time::Duration;

use tandem_control::{AgentState, ContactCentreConfig};
use tandem_control_api::conformance::Phone;
use tandem_control_api::{CommandError, DialFailure, DialTarget};
use tandem_time::Instant;

use crate::support::{
    PAUSE, RING_TIMEOUT, Scene, WRAP_UP, agent, call, config, facts, log, model, queue, run_to, state,
};

/// Sales alone, with these agents at 1001, 1002, …
fn sales(agents: &[&str]) -> ContactCentreConfig {
    let phone = |index: usize| DialTarget::User((1001 + index).to_string());
    ContactCentreConfig {
        agents: agents.iter().enumerate().map(|(index, id)| agent(id, phone(index))).collect(),
        queues: vec![queue("sales", agents, None), queue("support", &[], None)],
        ..config()
    }
}

fn phones(behaviour: &[(&'static str, Phone)]) -> Scene {
    Scene { phones: behaviour.iter().copied().collect(), ..Scene::default() }
}

fn dialled(model: &crate::support::Model) -> Vec<&str> {
    log(model).into_iter().filter(|line| line.contains(" dial ")).collect()
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

#[test]
fn the_agent_available_longest_is_offered_first() {
    let mut model = model(sales(&["alice", "bob", "carol"]), Scene::default(), &[]);
    model.register_at(at(1_000), "1002", true);
    model.register_at(at(2_000), "1003", true);
    model.register_at(at(3_000), "1001", true);
    for second in [10, 11, 12] {
        call(&mut model, second, "+15550101", Some(100));
    }
    run_to(&mut model, 60);
    assert_eq!(dialled(&model), ["10.000 dial 1002", "11.000 dial 1003", "12.000 dial 1001"]);
}

#[test]
fn of_all_an_agent_s_queues_the_caller_who_has_waited_longest_is_offered_first() {
    let mut config = sales(&["alice"]);
    config.queues[1] = queue("support", &["alice"], None);
    let typed = VecDeque::from(["2"]);
    let mut model = model(config, Scene { typed, ..Scene::default() }, &[]);
    call(&mut model, 1, "+15550100", Some(100));
    call(&mut model, 5, "+15550101", Some(100));
    model.register_at(at(10_000), "1001", true);
    run_to(&mut model, 20);
    let connected: Vec<&str> = log(&model).into_iter().filter(|line| line.contains(" bridge ")).collect();
    assert_eq!(connected[0], "13.000 bridge leg-2.0 leg-5.0", "the caller in support, who came first");
}

#[test]
fn an_agent_who_does_not_answer_is_left_alone_and_the_caller_keeps_the_place() {
    let never = [("1001", Phone::Rings)];
    let mut model = model(sales(&["alice", "bob"]), phones(&never), &["1001"]);
    call(&mut model, 1, "+15550101", Some(40));
    call(&mut model, 2, "+15550101", Some(100));
    model.register_at(at(10_000), "1001", true);
    run_to(&mut model, 15);
    assert!(matches!(state(model.plane(), "alice"), AgentState::Offered { .. }));
    run_to(&mut model, 16);
    let until = at(1_000) + RING_TIMEOUT + PAUSE;
    assert_eq!(*state(model.plane(), "alice"), AgentState::NotResponding { until });
    model.register_at(at(20_000), "1002", true);
    run_to(&mut model, 23);
    assert_eq!(dialled(&model), ["1.000 dial 1001", "20.000 dial 1002"]);
    assert!(log(&model).contains(&"23.000 bridge leg-2.0 leg-3.1"), "the first caller, not the second");
    run_to(&mut model, 46);
    assert_eq!(
        dialled(&model).last().copied(),
        Some("46.000 dial 1001"),
        "after the pause, the second caller"
    );
    run_to(&mut model, 200);
    assert_eq!(
        facts(&model),
        [
            "flow sales",
            "waits in sales",
            "offered to alice",
            "missed by alice: no-answer",
            "offered to bob",
            "answered by bob",
            "leaves sales: answered",
            "step sales -> answered"
        ]
    );
}

#[test]
fn why_an_agent_missed_a_call_is_noted() {
    for (failure, reason) in [
        (DialFailure::Busy, "busy"),
        (DialFailure::Declined, "declined"),
        (DialFailure::Unreachable, "unreachable"),
        (DialFailure::Media, "unreachable"),
    ] {
        let fails = [("1001", Phone::Fails { after: Duration::from_secs(1), failure })];
        let mut model = model(sales(&["alice"]), phones(&fails), &["1001"]);
        call(&mut model, 0, "+15550101", Some(10));
        run_to(&mut model, 60);
        assert!(facts(&model).contains(&format!("missed by alice: {reason}")));
    }
}

#[test]
fn wrap_up_follows_a_conversation_and_then_the_next_caller() {
    let mut model = model(sales(&["alice"]), Scene::default(), &["1001"]);
    call(&mut model, 0, "+15550101", Some(10));
    call(&mut model, 1, "+15550101", Some(60));
    run_to(&mut model, 11);
    let hung_up = at(10_000) + Duration::from_millis(50);
    assert_eq!(*state(model.plane(), "alice"), AgentState::WrapUp { until: hung_up + WRAP_UP });
    run_to(&mut model, 20);
    assert_eq!(dialled(&model), ["0.000 dial 1001", "15.050 dial 1001"]);
}

/// Who works hands-free hears that somebody comes; and whoever comes is recorded from then on.
#[test]
fn an_agent_hears_the_zip_tone_before_the_caller_who_is_recorded() {
    let mut config = sales(&["alice"]);
    (config.queues[0].zip_tone, config.queues[0].record) = (true, true);
    let mut model = model(config, phones(&[]), &[]);
    model.register_at(at(1_000), "1001", true);
    call(&mut model, 2, "+15550101", Some(30));
    run_to(&mut model, 100);
    let log = log(&model);
    let place = |what: &str| {
        log.iter().position(|line| line.contains(what)).unwrap_or_else(|| panic!("{what}: {log:?}"))
    };
    assert!(place(" play Tone(Zip)") < place(" bridge ") && place(" bridge ") < place(" record "), "{log:?}");
    assert_eq!(log.iter().filter(|line| line.contains(" bridge ")).count(), 1, "{log:?}");
}

#[test]
fn when_the_agent_hangs_up_the_caller_is_hung_up() {
    let talks = Phone::Answers { after: Duration::from_secs(3), talks: Some(Duration::from_secs(7)) };
    let mut model = model(sales(&["alice"]), phones(&[("1001", talks)]), &["1001"]);
    call(&mut model, 0, "+15550101", None);
    run_to(&mut model, 60);
    let log = log(&model);
    assert_eq!(
        log[log.len() - 3..],
        ["10.000 leg-3.0 ended by Party", "10.000 hangup leg-2.0 Normal", "10.050 leg-2.0 ended by Control"]
    );
    assert!(matches!(state(model.plane(), "alice"), AgentState::Available { .. }));
}

#[test]
fn an_agent_who_cannot_be_connected_is_as_one_who_did_not_answer() {
    let failing = Some(("bridge", CommandError::Limit("model".into())));
    let mut model = model(sales(&["alice"]), Scene { failing, ..Scene::default() }, &["1001"]);
    call(&mut model, 0, "+15550101", Some(20));
    run_to(&mut model, 5);
    assert!(matches!(state(model.plane(), "alice"), AgentState::NotResponding { .. }));
    assert_eq!(
        log(&model)[2..],
        [
            "0.000 dial 1001",
            "3.000 bridge leg-2.0 leg-3.0",
            "3.000 hangup leg-3.0 Error",
            "3.000 play music for ever",
            "3.050 leg-3.0 ended by Control"
        ]
    );
    run_to(&mut model, 100);
    assert!(facts(&model).contains(&"missed by alice: not-connected".to_owned()));
}

#[test]
fn a_phone_that_is_no_longer_registered_is_not_rung() {
    let mut model = model(sales(&["alice"]), Scene::default(), &["1001"]);
    model.register_at(at(1_000), "1001", false);
    call(&mut model, 2, "+15550101", Some(100));
    run_to(&mut model, 3);
    assert_eq!(*state(model.plane(), "alice"), AgentState::LoggedOut);
    assert!(dialled(&model).is_empty());
    model.register_at(at(5_000), "1001", true);
    run_to(&mut model, 6);
    assert_eq!(dialled(&model), ["5.000 dial 1001"]);
    model.register_at(at(7_000), "1001", false);
    run_to(&mut model, 50);
    assert!(matches!(state(model.plane(), "alice"), AgentState::Talking { .. }), "a conversation goes on");
    run_to(&mut model, 200);
    assert_eq!(*state(model.plane(), "alice"), AgentState::LoggedOut);
}

#[test]
fn an_outside_number_is_always_available() {
    let mut model = model(config(), Scene::default(), &[]);
    call(&mut model, 0, "+15550101", Some(20));
    run_to(&mut model, 1);
    assert_eq!(dialled(&model), ["0.000 dial +15550199"]);
}

#[test]
fn the_longest_wait_ends_in_the_flow() {
    let mut model = model(sales(&["alice"]), Scene::default(), &[]);
    call(&mut model, 0, "+15550101", None);
    run_to(&mut model, 200);
    assert_eq!(
        log(&model)[2..],
        [
            "120.000 stop leg-2.0",
            "120.000 play goodbye",
            "121.000 hangup leg-2.0 Normal",
            "121.050 leg-2.0 ended by Control"
        ]
    );
    assert!(facts(&model).contains(&"leaves sales: timeout".to_owned()));
}

#[test]
fn a_phone_that_rings_at_the_end_of_the_longest_wait_may_still_be_answered() {
    let mut model = model(sales(&["alice"]), Scene::default(), &[]);
    call(&mut model, 0, "+15550101", Some(150));
    model.register_at(at(119_000), "1001", true);
    run_to(&mut model, 123);
    assert!(matches!(state(model.plane(), "alice"), AgentState::Talking { .. }));
}

#[test]
fn a_phone_that_rings_past_the_longest_wait_in_vain_was_the_last_offer() {
    let mut model = model(sales(&["alice", "bob"]), phones(&[("1001", Phone::Rings)]), &[]);
    call(&mut model, 0, "+15550101", None);
    model.register_at(at(119_000), "1001", true);
    model.register_at(at(125_000), "1002", true);
    run_to(&mut model, 200);
    assert_eq!(dialled(&model), ["119.000 dial 1001"]);
    assert!(facts(&model).contains(&"leaves sales: timeout".to_owned()));
}

#[test]
fn a_full_queue_takes_nobody_more() {
    let mut config = sales(&[]);
    config.queues[0].max_waiting = 2;
    let mut model = model(config, Scene::default(), &[]);
    for second in 0..3 {
        call(&mut model, second, "+15550101", Some(50));
    }
    run_to(&mut model, 10);
    assert_eq!(model.plane().queue_depths().next().expect("sales").1.waiting, 2);
    assert_eq!(
        facts(&model),
        ["flow sales", "step sales -> failure", "step goodbye -> done", "step end -> disconnect"]
    );
    run_to(&mut model, 60);
    assert_eq!(model.plane().queue_depths().next().expect("sales").1.waiting, 0);
}

#[test]
fn the_announcement_comes_again_and_again_with_music_between() {
    let mut config = sales(&["alice"]);
    config.queues[0] = queue("sales", &["alice"], Some(Duration::from_secs(20)));
    let mut model = model(config, Scene::default(), &[]);
    call(&mut model, 0, "+15550101", Some(50));
    run_to(&mut model, 60);
    assert_eq!(
        log(&model)[1..6],
        [
            "0.000 play music for ever",
            "20.000 play please-wait",
            "21.000 play music for ever",
            "40.000 play please-wait",
            "41.000 play music for ever"
        ]
    );
}

#[test]
fn a_reload_keeps_those_who_talk_and_fails_those_whose_queue_is_gone() {
    let mut model = model(sales(&["alice", "bob"]), Scene::default(), &["1001"]);
    call(&mut model, 0, "+15550101", Some(100));
    call(&mut model, 1, "+15550101", None);
    run_to(&mut model, 10);
    let mut new = config();
    new.flows.retain(|flow| flow.name() == "echo");
    new.entry_points.retain(|_, flow| flow == "echo");
    new.queues.clear();
    new.agents.retain(|agent| agent.id == "bob");
    model.plane_mut().reload(at(10_000), new).expect("a sound configuration");
    run_to(&mut model, 50);
    assert!(matches!(state(model.plane(), "alice"), AgentState::Talking { .. }), "she finishes");
    assert!(facts(&model).contains(&"leaves sales: queue-removed".to_owned()));
    assert!(facts(&model).contains(&"step goodbye -> done".to_owned()), "the flow it was in goes on");
    run_to(&mut model, 200);
    assert_eq!(model.plane().agent_states().map(|(id, _)| id).collect::<Vec<_>>(), ["bob"]);
    assert_eq!(model.calls(), 0);
}

#[test]
fn a_reload_that_does_not_fit_changes_nothing() {
    let mut model = model(sales(&["alice"]), Scene::default(), &["1001"]);
    let mut broken = config();
    broken.queues.clear();
    assert!(model.plane_mut().reload(at(0), broken).is_err());
    call(&mut model, 1, "+15550101", Some(10));
    run_to(&mut model, 2);
    assert_eq!(dialled(&model), ["1.000 dial 1001"]);
}

#[test]
fn an_agent_added_by_a_reload_is_offered_whoever_waits() {
    let mut model = model(sales(&[]), Scene::default(), &["1001"]);
    call(&mut model, 0, "+15550101", Some(60));
    run_to(&mut model, 5);
    model.plane_mut().reload(at(5_000), sales(&["alice"])).expect("a sound configuration");
    run_to(&mut model, 6);
    assert_eq!(dialled(&model), ["5.000 dial 1001"]);
}
