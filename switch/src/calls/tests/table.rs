//! What each command means in each state, rendered from the machine itself.

use std::fmt::Write as _;

use tandem_control_api::{
    CallFact, CallId, Command, CommandId, Event, LegId, Level, RecordAction, RejectReason, Role, TransferTo,
};
use tandem_sbc::user_agent as ua;

use super::bench::{Bench, Endpoint, audio, dial, hangup, outcome_words, play, rules};
use crate::calls::Action;

/// A leg in a state, its call, and another answered leg of the call to bridge it to.
struct Scene {
    bench: Bench,
    call: CallId,
    leg: LegId,
    other: LegId,
}

type Build = fn() -> Scene;

/// A call whose caller is answered, to dial from.
fn caller() -> (Bench, CallId, LegId) {
    let mut bench = Bench::new();
    let (_, call, caller) = bench.answered();
    (bench, call, caller)
}

/// An incoming leg, and a leg dialled for it that is answered (as early as that may be).
fn incoming() -> (Scene, ua::SessionId) {
    let mut bench = Bench::new();
    let (session, call, leg) = bench.offered();
    let (_, other) = bench.dialled(call);
    (Scene { bench, call, leg, other }, session)
}

fn offered() -> Scene {
    incoming().0
}

fn preparing() -> Scene {
    let mut scene = offered();
    scene.bench.command(Command::Answer { leg: scene.leg });
    scene
}

fn progressing() -> Scene {
    let mut scene = offered();
    scene.bench.command(Command::Progress { leg: scene.leg });
    scene.bench.open_all();
    scene
}

fn accepting() -> Scene {
    let mut scene = preparing();
    scene.bench.open_all();
    scene
}

fn agreeing() -> Scene {
    let (mut scene, session) = incoming();
    scene.bench.command(Command::Answer { leg: scene.leg });
    scene.bench.open_all();
    scene.bench.session_event(ua::Event::Confirmed { session });
    scene
}

fn dialling() -> Scene {
    let (mut bench, call, other) = caller();
    bench.command(dial(call));
    let leg = bench.created();
    Scene { bench, call, leg, other }
}

fn inviting() -> Scene {
    let mut scene = dialling();
    scene.bench.open_all();
    scene
}

fn ringing() -> Scene {
    let mut scene = inviting();
    let session = scene.bench.last_session();
    scene.bench.session_event(ua::Event::Ringing { session });
    scene
}

fn early() -> Scene {
    let mut scene = ringing();
    let session = scene.bench.last_session();
    scene.bench.session_event(ua::Event::EarlyMedia { session, audio: audio(ua::AudioCodec::Pcmu).into() });
    scene
}

fn early_joined() -> Scene {
    let mut scene = early();
    scene.bench.command(Command::Bridge { a: scene.other, b: scene.leg });
    scene
}

fn answered() -> Scene {
    let mut scene = ringing();
    let session = scene.bench.last_session();
    scene.bench.session_event(ua::Event::Media { session, audio: audio(ua::AudioCodec::Pcmu).into() });
    scene.bench.session_event(ua::Event::Answered { session });
    scene
}

fn busy() -> Scene {
    let mut scene = answered();
    let leg = scene.leg;
    scene.bench.command(play(leg));
    scene.bench.command(Command::Collect { leg, rules: rules() });
    scene
}

fn bridged() -> Scene {
    let mut scene = answered();
    scene.bench.command(Command::Bridge { a: scene.leg, b: scene.other });
    scene
}

fn echo() -> Scene {
    let mut scene = answered();
    scene.bench.command(Command::Bridge { a: scene.leg, b: scene.leg });
    scene
}

fn conferring() -> Scene {
    let mut scene = bridged();
    for leg in [scene.leg, scene.other] {
        scene.bench.command(join(leg, scene.call));
    }
    scene
}

const fn join(leg: LegId, call: CallId) -> Command {
    Command::Join { leg, call, role: Role::Party, announce: Vec::new() }
}

/// Bridged, and its party wants the other one transferred.
fn asking() -> Scene {
    let mut scene = bridged();
    let session = scene.bench.last_session();
    scene.bench.session_event(super::bench::transfer_asked(session, None));
    scene
}

/// The other one is being transferred to a third.
fn transferring() -> Scene {
    let mut scene = asking();
    let (leg, other) = (scene.leg, scene.other);
    scene.bench.command(super::bench::transfer(leg, other));
    scene
}

/// Hung up, but the user agent has not said so yet.
fn ending() -> Scene {
    let mut scene = answered();
    scene.bench.command_undrained(hangup(scene.leg));
    assert!(matches!(scene.bench.calls.poll_action(), Some(Action::HangUp { .. })));
    scene
}

fn ended() -> Scene {
    let mut scene = answered();
    let session = scene.bench.last_session();
    scene.bench.peer_ends(session, 200);
    scene
}

const STATES: [(&str, Build); 19] = [
    ("offered", offered),
    ("preparing", preparing),
    ("progressing", progressing),
    ("accepting", accepting),
    ("agreeing", agreeing),
    ("dialling", dialling),
    ("inviting", inviting),
    ("ringing", ringing),
    ("early", early),
    ("early, bridged", early_joined),
    ("answered", answered),
    ("answered, play and collect", busy),
    ("bridged", bridged),
    ("bridged to itself", echo),
    ("conferring", conferring),
    ("asks for a transfer", asking),
    ("transferred, target dialled", transferring),
    ("ending", ending),
    ("ended", ended),
];

fn commands(scene: &Scene) -> [(&'static str, Command); 19] {
    let leg = scene.leg;
    [
        ("ring", Command::Ring { leg }),
        ("progress", Command::Progress { leg }),
        ("answer", Command::Answer { leg }),
        ("reject", Command::Reject { leg, reason: RejectReason::Busy }),
        ("hangup", hangup(leg)),
        ("play", play(leg)),
        ("stop", Command::Stop { leg }),
        ("collect", Command::Collect { leg, rules: rules() }),
        ("analyse", Command::Analyse { leg, rules: Default::default() }),
        ("record", Command::Record { leg, action: RecordAction::Begin }),
        ("bridge", Command::Bridge { a: leg, b: scene.other }),
        ("bridge to itself", Command::Bridge { a: leg, b: leg }),
        ("unbridge", Command::Unbridge { leg }),
        ("join", join(leg, scene.call)),
        ("set-level", Command::SetLevel { leg, to: None, level: Level::Muted }),
        ("transfer", super::bench::transfer(leg, scene.other)),
        ("transfer it", super::bench::transfer(scene.other, leg)),
        ("take over", Command::Transfer { leg, transferee: scene.other, to: TransferTo::Control }),
        ("refuse-transfer", Command::RefuseTransfer { leg, reason: RejectReason::Declined }),
    ]
}

/// What a command does at once: what is asked of user agent and worker, what other commands end, how it ends.
fn effect(scene: &mut Scene, command: Command) -> String {
    scene.bench.asked.clear();
    scene.bench.told.clear();
    let id = scene.bench.command(command);
    describe(&scene.bench, id)
}

fn describe(bench: &Bench, id: CommandId) -> String {
    let mut words: Vec<String> = bench.asked.clone();
    for event in &bench.told {
        match event {
            Event::Done { command, outcome } if *command == id => {
                words.push(format!("= {}", outcome_words(outcome)));
            }
            Event::Done { outcome, .. } => words.push(format!("[{}]", outcome_words(outcome))),
            Event::LegEnded { .. } => words.push("leg ended".to_owned()),
            Event::LegCreated { .. } => words.push("leg created".to_owned()),
            _ => {}
        }
    }
    if bench.outcome(id).is_none() {
        words.push("…".to_owned());
    }
    words.join(", ")
}

/// `…` is a command whose outcome follows later, `=` its outcome, brackets are outcomes of commands that it ended.
#[test]
fn legs() {
    let mut table = String::new();
    for (state, build) in STATES {
        writeln!(table, "{state}").unwrap();
        for (name, command) in commands(&build()) {
            let effect = effect(&mut build(), command);
            writeln!(table, "  {name:16} {effect}").unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

fn with_caller() -> Scene {
    let (bench, call, leg) = caller();
    Scene { bench, call, leg, other: leg }
}

fn without_caller() -> Scene {
    let mut bench = Bench::new();
    let (session, call, leg) = bench.answered();
    let (_, other) = bench.dialled(call);
    bench.peer_ends(session, 200);
    Scene { bench, call, leg, other }
}

fn over() -> Scene {
    let mut bench = Bench::new();
    let (session, call, leg) = bench.answered();
    bench.peer_ends(session, 200);
    Scene { bench, call, leg, other: leg }
}

fn recorded() -> Scene {
    let mut scene = over();
    assert_eq!(scene.bench.in_phase(Endpoint::Closing).len(), 1);
    scene.bench.close_all();
    scene
}

fn freed() -> Scene {
    let mut scene = recorded();
    scene.bench.release_all();
    scene
}

#[test]
fn calls() {
    let states: [(&str, Build); 5] = [
        ("caller up", with_caller),
        ("caller gone, others up", without_caller),
        ("over", over),
        ("recorded", recorded),
        ("freed", freed),
    ];
    let mut table = String::new();
    for (state, build) in states {
        writeln!(table, "{state}").unwrap();
        let mut scene = build();
        let fact = CallFact::FlowStarted { flow: "main".to_owned() };
        let set_data = Command::SetData { call: scene.call, fact };
        writeln!(table, "  {:16} {}", "set-data", effect(&mut scene, set_data)).unwrap();
        let dial = dial(scene.call);
        writeln!(table, "  {:16} {}", "dial", effect(&mut scene, dial)).unwrap();
    }
    insta::assert_snapshot!(table);
}
