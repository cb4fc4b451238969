//! Three-way calls out of a consultation, and supervisors who listen, coach and join in.

use std::time::Duration;

use tandem_control::AgentState;
use tandem_control_api::conformance::{Caller, Phone, Wish};
use tandem_control_api::{ControlPlane, Event};
use tandem_time::Instant;

use crate::support::{Model, Scene, call, config, log, model, run_to};

/// The number of the sales queue: alice (1001) is the first to be offered a call.
const SALES: &str = "+15550101";
const SECOND: Duration = Duration::from_secs(1);

fn keys(keys: &str) -> Wish {
    Wish::Keys(keys.to_owned())
}

/// A caller who talks to alice from second 3 on.
fn talking(patience: u64, scene: Scene) -> Model {
    let mut model = model(config(), scene, &["1001", "1003"]);
    call(&mut model, 1, SALES, Some(patience));
    model
}

fn phone_calls(model: &mut Model, at: u64, user: &str, dialled: &str, patience: Option<u64>) {
    let patience = patience.map(Duration::from_secs);
    let caller = Caller { number: user.to_owned(), dialled: dialled.to_owned(), patience };
    model.phone_calls_at(Instant::from_millis(at * 1_000), caller);
}

/// Alice talks to the caller, calls 1009 at second 10, and keys the code on that call 5 s after they are bridged.
fn three_way(patience: u64, colleague: Phone) -> Model {
    let mut scene = Scene::default();
    scene.wishes.extend([None, None, Some((5 * SECOND, keys("12*3")))]);
    scene.phones.insert("1009", colleague);
    let mut config = config();
    config.routes.insert("1009".to_owned(), config.routes["+15550105"].clone());
    let route = config.routes.get_mut("1009").expect("there");
    route.target = tandem_control_api::DialTarget::User("1009".to_owned());
    route.media = tandem_control_api::MediaPath::Anchored;
    let mut model = model(config, scene, &["1001"]);
    call(&mut model, 1, SALES, Some(patience));
    phone_calls(&mut model, 10, "1001", "1009", None);
    model
}

fn state(model: &Model, agent: &str) -> AgentState {
    let found = model.plane().agent_states().find(|(id, _)| *id == agent);
    found.map(|(_, state)| state.clone()).expect("an agent")
}

/// What was asked from a second on, to another.
fn story(model: &mut Model, from: u64, to: u64) -> String {
    run_to(model, to);
    let at = |line: &&&str| {
        let time = line.split_whitespace().next().and_then(|time| time.trim_end_matches('s').parse().ok());
        time.is_some_and(|time: f64| time >= from as f64)
    };
    log(model).iter().filter(at).copied().collect::<Vec<_>>().join("\n")
}

fn over(mut model: Model) {
    run_to(&mut model, 600);
    assert_eq!((model.calls(), model.plane().calls()), (0, 0));
    for (agent, state) in model.plane().agent_states() {
        assert!(matches!(state, AgentState::Available { .. } | AgentState::LoggedOut), "{agent}: {state:?}");
    }
}

const STAYS: Phone = Phone::Answers { after: Duration::from_secs(2), talks: None };

/// The leg on which the code was keyed stays, in the caller's call; the held one is hung up. When the caller leaves, all do.
#[test]
fn a_consultation_becomes_a_three_way_call() {
    let mut model = three_way(60, STAYS);
    insta::assert_snapshot!(story(&mut model, 10, 50));
    assert!(matches!(state(&model, "alice"), AgentState::Talking { .. }));
    insta::assert_snapshot!(story(&mut model, 50, 70));
    assert!(matches!(state(&model, "alice"), AgentState::Available { .. }));
    over(model);
}

/// The agent leaves, caller and colleague go on; the agent is in wrap-up.
#[test]
fn the_others_go_on_without_the_agent() {
    let mut model = three_way(100, STAYS);
    run_to(&mut model, 30);
    let AgentState::Talking { leg, .. } = state(&model, "alice") else { panic!("alice talks") };
    model.hang_up_at(Instant::from_millis(40_000), leg);
    run_to(&mut model, 41);
    assert!(matches!(state(&model, "alice"), AgentState::WrapUp { .. }));
    assert_eq!(model.calls(), 1, "they talk");
    insta::assert_snapshot!(story(&mut model, 40, 110));
    over(model);
}

/// The colleague leaves: agent and caller are two again.
#[test]
fn the_one_who_was_consulted_may_leave() {
    let talks = Some(20 * SECOND);
    let mut model = three_way(60, Phone::Answers { after: 2 * SECOND, talks });
    run_to(&mut model, 50);
    assert!(matches!(state(&model, "alice"), AgentState::Talking { .. }));
    assert_eq!(model.calls(), 1);
    over(model);
}

/// Carol (1003) supervises: she hears alice's call, coaches her, joins in, and is gone with the call.
#[test]
fn a_supervisor_listens_coaches_and_joins_in() {
    let mut scene = Scene::default();
    // Alice's bridge; then the caller, alice and the supervisor join, who keys 5 and 6.
    let wish = |keys_pressed| Some((2 * SECOND, keys(keys_pressed)));
    scene.wishes.extend([None, None, None, None, wish("5"), wish("6"), wish("9")]);
    let mut model = talking(40, scene);
    phone_calls(&mut model, 10, "1003", "*511001", None);
    run_to(&mut model, 12);
    assert!(matches!(state(&model, "carol"), AgentState::OnCall { .. }), "she is offered nothing meanwhile");
    insta::assert_snapshot!(story(&mut model, 10, 60));
    assert!(matches!(state(&model, "carol"), AgentState::Available { .. }));
    over(model);
}

/// By name as well as by phone; a coach from the start, or heard by all.
#[test]
fn codes_say_how_a_supervisor_begins() {
    for (dialled, role) in [("*51alice", "monitor"), ("*52alice", "coach"), ("*53alice", "party")] {
        let mut model = talking(40, Scene::default());
        phone_calls(&mut model, 10, "1003", dialled, Some(10));
        run_to(&mut model, 15);
        let joined = log(&model).into_iter().filter(|line| line.contains(" join ")).collect::<Vec<_>>();
        assert!(joined.len() == 3 && joined[2].ends_with(role), "{dialled}: {joined:?}");
        run_to(&mut model, 25);
        assert!(matches!(state(&model, "alice"), AgentState::Talking { .. }), "they go on");
        over(model);
    }
}

/// Who barged in stays with the caller when the agent leaves; who listens leaves with the call.
#[test]
fn a_supervisor_who_joined_in_takes_over() {
    for (dialled, caller_stays) in [("*531001", true), ("*511001", false)] {
        let mut scene = Scene::default();
        scene.phones.insert("1001", Phone::Answers { after: 2 * SECOND, talks: Some(20 * SECOND) });
        let mut model = talking(60, scene);
        phone_calls(&mut model, 10, "1003", dialled, None);
        run_to(&mut model, 30);
        assert_eq!(model.calls(), usize::from(caller_stays), "{dialled}");
        if caller_stays {
            assert!(matches!(state(&model, "carol"), AgentState::Talking { .. }), "it is her caller now");
        }
        over(model);
    }
}

#[test]
fn who_may_not_listen_is_refused() {
    for (user, dialled, refusal) in [
        ("1001", "*511001", "Relayed { status: 403 }"),
        ("1003", "*51nobody", "NotFound"),
        ("1003", "*511002", "NoAnswer"),
    ] {
        let mut model = talking(40, Scene::default());
        phone_calls(&mut model, 10, user, dialled, None);
        run_to(&mut model, 20);
        let refused = log(&model).iter().any(|line| line.contains("reject") && line.ends_with(refusal));
        assert!(refused, "{user} dials {dialled}: {:?}", log(&model));
        over(model);
    }
}

/// The conversation ends while the supervisor is being answered.
#[test]
fn a_supervisor_who_comes_too_late_is_hung_up() {
    let mut model = talking(8, Scene::default());
    phone_calls(&mut model, 9, "1003", "*511001", None);
    over(model);
}

/// Who takes its party back from hold, does so into the conference.
#[test]
fn a_party_that_was_held_is_taken_back_among_the_others() {
    let mut scene = Scene::default();
    scene.wishes.extend([None, None, None, Some((2 * SECOND, Wish::Hold))]);
    let mut model = talking(60, scene);
    phone_calls(&mut model, 10, "1003", "*511001", None);
    run_to(&mut model, 20);
    let AgentState::Talking { call, leg, .. } = state(&model, "alice") else { panic!("alice talks") };
    let now = model.now();
    model.plane_mut().handle_event(now, &Event::LegResumed { call, leg });
    assert_eq!(story(&mut model, 20, 21), "20.000 join leg-2.0 call-1.0 as party");
    over(model);
}

/// While a supervisor listens, the caller still hears music when the agent holds, and is transferred without her.
#[test]
fn hold_and_transfer_work_as_ever() {
    let mut scene = Scene::default();
    let transfer = Wish::Transfer { to: "+15550123".to_owned() };
    scene.wishes.extend([None, Some((20 * SECOND, transfer)), None, Some((2 * SECOND, Wish::Hold))]);
    let mut model = talking(60, scene);
    phone_calls(&mut model, 10, "1003", "*511001", None);
    insta::assert_snapshot!(story(&mut model, 10, 40));
    over(model);
}
