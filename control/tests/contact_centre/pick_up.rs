//! Pick-up by code: who may, whose call, and which of several.

use std::time::Duration;

use tandem_control::{AgentState, ContactCentreConfig};
use tandem_control_api::conformance::{Caller, Phone};
use tandem_time::Instant;

use crate::support::{Model, Scene, call, config, fact_shortly, log, model, run_to};

/// The number of the sales queue: alice (1001) is the first to be offered a call.
const SALES: &str = "+15550101";

/// Alice (1001), carol (1003) and 1009, who is no agent, are colleagues.
fn grouped() -> ContactCentreConfig {
    let group = ["1001", "1003", "1009"].map(str::to_owned);
    ContactCentreConfig { pickup_groups: vec![group.into()], ..config() }
}

/// A caller rings alice from second 2 on, until second 60; `user` dials at second 4.
fn dialling(user: &str, dialled: &str) -> Model {
    let mut scene = Scene::default();
    scene.phones.insert("1001", Phone::Rings);
    let mut model = model(grouped(), scene, &["1001"]);
    call(&mut model, 1, SALES, Some(60));
    model.register_at(Instant::from_millis(2_500), "1003", true);
    let patience = Some(Duration::from_secs(10));
    let caller = Caller { number: user.to_owned(), dialled: dialled.to_owned(), patience };
    model.phone_calls_at(Instant::from_millis(4_000), caller);
    run_to(&mut model, 8);
    model
}

fn state(model: &Model, agent: &str) -> AgentState {
    let found = model.plane().agent_states().find(|(id, _)| *id == agent);
    found.map(|(_, state)| state.clone()).expect("an agent")
}

/// What is told of all calls that have ended.
fn facts(model: &Model) -> Vec<String> {
    let told = model.world().records.iter().flat_map(|record| &record.timeline);
    told.map(|entry| fact_shortly(&entry.fact)).collect()
}

fn over(mut model: Model) {
    run_to(&mut model, 400);
    assert_eq!((model.calls(), model.violations()), (0, &[][..]));
}

/// By user, by agent, or whatever rings in the group: the call is the one's who dialled, and alice is free.
#[test]
fn a_colleague_dials_the_code() {
    for dialled in ["*81001", "*8alice", "*8"] {
        for (user, agent) in [("1003", Some("carol")), ("1009", None)] {
            let mut model = dialling(user, dialled);
            assert_eq!(state(&model, "alice").name(), "available", "{dialled} {user}");
            let expected = if agent.is_some() { "talking" } else { "available" };
            assert_eq!(state(&model, "carol").name(), expected, "{dialled} {user}");
            run_to(&mut model, 100);
            let facts = facts(&model);
            assert!(facts.contains(&"leaves sales: answered".to_owned()), "{facts:?}");
            over(model);
        }
    }
}

/// Who is of no group with alice gets 403, and so does who names somebody else; when nothing rings it is 480. Alice rings on.
#[test]
fn others_take_nothing() {
    for (user, dialled, reason) in [
        ("1002", "*81001", "Relayed { status: 403 }"),
        ("1002", "*8", "Relayed { status: 403 }"),
        ("1003", "*81002", "Relayed { status: 403 }"),
        ("1003", "*81003", "Relayed { status: 403 }"),
        ("1003", "*8zoe", "Relayed { status: 403 }"),
        ("1003", "*81009", "NoAnswer"),
    ] {
        let mut model = dialling(user, dialled);
        assert_eq!(state(&model, "alice").name(), "offered", "{dialled}");
        let log = log(&model);
        let refusal = format!("reject {reason}");
        assert!(log.iter().any(|line| line.contains(&refusal)), "{dialled}: {log:?}");
        run_to(&mut model, 200);
        over(model);
    }
}

/// Of two phones that ring, the one that began first.
#[test]
fn the_longest_ringing_is_taken() {
    let mut scene = Scene::default();
    scene.phones.extend([("1001", Phone::Rings), ("1003", Phone::Rings)]);
    let mut model = model(grouped(), scene, &["1001", "1003"]);
    call(&mut model, 1, SALES, Some(60));
    let direct = Caller { number: "1002".into(), dialled: "1003".into(), patience: None };
    model.phone_calls_at(Instant::from_millis(3_000), direct);
    for (second, expected) in [(5, ["available", "on-call"]), (7, ["available", "available"])] {
        let picker = Caller { number: "1009".into(), dialled: "*8".into(), patience: None };
        model.phone_calls_at(Instant::from_millis(second * 1_000), picker);
        run_to(&mut model, second + 1);
        assert_eq!(["alice", "carol"].map(|agent| state(&model, agent).name()), expected);
    }
}
