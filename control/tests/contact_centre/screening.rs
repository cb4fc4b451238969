//! Agents at numbers that are listened to: a person gets the caller, a machine does not.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tandem_control::{AgentState, ContactCentreConfig};
use tandem_control_api::conformance::Phone;
use tandem_control_api::{DialTarget, ProgressRules, SpecialInformation, Verdict};
use tandem_time::Instant;

use crate::support::{Scene, agent, call, config, facts, log, model, queue, run_to, state};

/// Sales is served by zoe at a number of the carrier's, then by alice when she registers.
fn screened() -> ContactCentreConfig {
    let zoe = DialTarget::Trunk { trunk: "carrier".into(), number: "+15550199".into() };
    ContactCentreConfig {
        agents: vec![agent("zoe", zoe), agent("alice", DialTarget::User("1001".into()))],
        queues: vec![queue("sales", &["zoe", "alice"], None), queue("support", &[], None)],
        call_progress: BTreeMap::from([("carrier".to_owned(), ProgressRules::default())]),
        ..config()
    }
}

fn scene(verdict: Verdict) -> Scene {
    Scene { verdicts: VecDeque::from([verdict]), ..Scene::default() }
}

/// The phone is answered after three seconds, and after two more it is known by whom.
#[test]
fn a_person_gets_the_caller_once_it_is_known() {
    for verdict in [Verdict::LiveVoice, Verdict::Unsure] {
        let mut model = model(screened(), scene(verdict), &[]);
        call(&mut model, 0, "+15550101", Some(60));
        run_to(&mut model, 4);
        assert!(matches!(state(model.plane(), "zoe"), AgentState::Connecting { .. }));
        run_to(&mut model, 6);
        assert!(log(&model).iter().any(|line| line.starts_with("5.000 bridge")), "{:#?}", log(&model));
        run_to(&mut model, 200);
        assert!(facts(&model).contains(&"answered by zoe".to_owned()));
        assert_eq!(model.violations(), []);
    }
}

#[test]
fn a_machine_is_hung_up_on_and_the_next_agent_is_tried() {
    let nobody = [
        (Verdict::AnsweringMachine, "answering-machine"),
        (Verdict::Fax, "fax"),
        (Verdict::Busy, "busy"),
        (Verdict::Reorder, "reorder"),
        (Verdict::SpecialInformation(SpecialInformation::VacantCode), "sit-vacant-code"),
        (Verdict::Ringback, "ringback"),
        (Verdict::Silence, "silence"),
    ];
    for (verdict, reason) in nobody {
        let mut model = model(screened(), scene(verdict), &[]);
        call(&mut model, 1, "+15550101", Some(60));
        model.register_at(Instant::from_millis(3_000), "1001", true);
        run_to(&mut model, 7);
        assert!(matches!(state(model.plane(), "zoe"), AgentState::NotResponding { .. }), "{reason}");
        run_to(&mut model, 200);
        assert!(facts(&model).contains(&format!("missed by zoe: {reason}")), "{:#?}", facts(&model));
        assert!(facts(&model).contains(&"answered by alice".to_owned()), "{:#?}", facts(&model));
        assert_eq!((model.violations(), model.calls()), ([].as_slice(), 0));
    }
}

#[test]
fn a_caller_who_leaves_while_it_is_found_out_leaves_nothing_behind() {
    let mut model = model(screened(), scene(Verdict::AnsweringMachine), &[]);
    call(&mut model, 0, "+15550101", Some(4));
    run_to(&mut model, 30);
    assert!(matches!(state(model.plane(), "zoe"), AgentState::Available { .. }));
    assert_eq!((model.violations(), model.calls()), ([].as_slice(), 0));
}

#[test]
fn an_agent_who_hangs_up_before_it_is_known_has_missed_the_call() {
    let talks = Some(Duration::from_secs(1));
    let hasty = [("+15550199", Phone::Answers { after: Duration::from_secs(3), talks })];
    let scene = Scene { phones: hasty.into_iter().collect(), ..Scene::default() };
    let mut model = model(screened(), scene, &[]);
    call(&mut model, 0, "+15550101", Some(20));
    run_to(&mut model, 60);
    assert!(facts(&model).contains(&"missed by zoe: not-connected".to_owned()), "{:#?}", facts(&model));
    assert_eq!((model.violations(), model.calls()), ([].as_slice(), 0));
}
