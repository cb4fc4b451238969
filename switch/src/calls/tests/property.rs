//! Any interleaving of sessions, media and commands, stale and impossible ones included.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use tandem_control_api::{
    CallFact, CallId, CollectRules, Command, CommandId, DialTarget, Event, HangupCause, LegId, Level,
    MediaPath, Prompt, RejectReason, Repeat, Role, TimelineEntry, TransferTo,
};
use tandem_media as media;
use tandem_sbc::user_agent as ua;
use tandem_sbc::user_agent::SessionError;

use super::bench::{Bench, Endpoint, Session, audio, config, rules};
use crate::SwitchConfig;

/// One step; numbers choose among what there is, gone things included.
#[derive(Clone, Debug)]
enum Step {
    Incoming {
        phone: bool,
        acceptable: bool,
    },
    Ringing(usize),
    Answered(usize),
    Confirmed(usize),
    Audio(usize),
    EarlyAudio(usize),
    PeerEnds(usize, u16),
    Fails(usize),
    Release(usize),
    Opened(usize),
    OpenFailed(usize),
    HandedOver,
    Closed(usize),
    PlayEnded(usize, u64),
    Collected(usize, u64),
    Digit(usize),
    MediaTimeout(usize),
    /// A party asks for a transfer, maybe to that of another session.
    AskTransfer(usize, Option<usize>),
    /// Somebody wants to take over a session.
    Replaces(usize),
    Command(Kind, usize, usize),
    InviteFails,
    AcceptFails,
    Wait(u16),
    Drain,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Ring,
    Progress,
    Answer,
    Reject,
    Hangup,
    Play,
    BadPlay,
    Stop,
    Collect,
    SensitiveCollect,
    Dial,
    DialTrunk,
    DialDirect,
    Bridge,
    Unbridge,
    Join,
    JoinOther,
    Listen,
    Coach,
    Mute,
    TransferDial,
    TransferParty,
    TransferControl,
    RefuseTransfer,
    PickUp,
    SetData,
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        1 => Just(Kind::Ring),
        2 => Just(Kind::Progress),
        4 => Just(Kind::Answer),
        1 => Just(Kind::Reject),
        2 => Just(Kind::Hangup),
        2 => Just(Kind::Play),
        1 => Just(Kind::BadPlay),
        1 => Just(Kind::Stop),
        2 => Just(Kind::Collect),
        1 => Just(Kind::SensitiveCollect),
        4 => Just(Kind::Dial),
        1 => Just(Kind::DialTrunk),
        2 => Just(Kind::DialDirect),
        4 => Just(Kind::Bridge),
        2 => Just(Kind::Unbridge),
        5 => Just(Kind::Join),
        3 => Just(Kind::JoinOther),
        1 => Just(Kind::Listen),
        1 => Just(Kind::Coach),
        1 => Just(Kind::Mute),
        3 => Just(Kind::TransferDial),
        3 => Just(Kind::TransferParty),
        1 => Just(Kind::TransferControl),
        1 => Just(Kind::RefuseTransfer),
        2 => Just(Kind::PickUp),
        1 => Just(Kind::SetData),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let nth = 0..64_usize;
    let (nth2, nth3) = (nth.clone(), nth.clone());
    let status = prop_oneof![Just(200), Just(404), Just(480), Just(486), Just(487), Just(503), Just(603)];
    prop_oneof![
        3 => (any::<bool>(), prop::bool::weighted(0.9))
            .prop_map(|(phone, acceptable)| Step::Incoming { phone, acceptable }),
        2 => nth.clone().prop_map(Step::Ringing),
        4 => nth.clone().prop_map(Step::Answered),
        4 => nth.clone().prop_map(Step::Confirmed),
        6 => nth.clone().prop_map(Step::Audio),
        3 => nth.clone().prop_map(Step::EarlyAudio),
        2 => (nth.clone(), status).prop_map(|(n, status)| Step::PeerEnds(n, status)),
        1 => nth.clone().prop_map(Step::Fails),
        2 => nth.clone().prop_map(Step::Release),
        8 => nth.clone().prop_map(Step::Opened),
        3 => nth.clone().prop_map(Step::OpenFailed),
        3 => Just(Step::HandedOver),
        3 => nth.clone().prop_map(Step::Closed),
        1 => (nth.clone(), 1..8_u64).prop_map(|(n, play)| Step::PlayEnded(n, play)),
        1 => (nth.clone(), 1..8_u64).prop_map(|(n, collect)| Step::Collected(n, collect)),
        1 => nth.clone().prop_map(Step::Digit),
        1 => nth.clone().prop_map(Step::MediaTimeout),
        24 => (kind(), nth.clone(), nth).prop_map(|(kind, a, b)| Step::Command(kind, a, b)),
        3 => (nth2.clone(), prop::option::of(nth2)).prop_map(|(n, other)| Step::AskTransfer(n, other)),
        2 => nth3.prop_map(Step::Replaces),
        1 => Just(Step::InviteFails),
        1 => Just(Step::AcceptFails),
        2 => (0..15_000_u16).prop_map(Step::Wait),
        1 => Just(Step::Drain),
    ]
}

/// What the control plane knows: every call and leg it was ever told of.
#[derive(Default)]
struct Known {
    legs: Vec<(CallId, LegId)>,
    heard: usize,
}

impl Known {
    fn learn(&mut self, told: &[Event]) {
        for event in told.get(self.heard..).unwrap_or_default() {
            if let Event::CallOffered { call, leg, .. } | Event::LegCreated { call, leg, .. } = event {
                self.legs.push((*call, *leg));
            }
        }
        self.heard = told.len();
    }

    /// Mostly one of the latest legs, sometimes any, sometimes one that never was.
    fn pick(&self, n: usize) -> (CallId, LegId) {
        let strangers = (CallId { index: 9, generation: 9 }, LegId { index: u32::MAX, generation: 0 });
        let back = if n < 48 { n % 4 } else { n % 16 };
        self.legs.iter().rev().nth(back).copied().unwrap_or(strangers)
    }
}

fn take(bench: &mut Bench, known: &Known, step: Step) {
    match step {
        Step::Incoming { phone, acceptable } => {
            let source = if phone { ua::Source::User("1001".into()) } else { ua::Source::Trunk("a".into()) };
            bench.incoming_from(source, acceptable);
        }
        Step::InviteFails => bench.invite_error = Some(SessionError::NotRegistered),
        Step::AcceptFails => bench.accept_error = Some(SessionError::NoCommonCodec),
        Step::Wait(millis) => bench.advance(Duration::from_millis(millis.into())),
        Step::Drain => bench.calls.drain(),
        Step::Command(kind, a, b) => {
            bench.command(command(kind, known.pick(a), known.pick(b).1, known));
        }
        Step::HandedOver => bench.hand_over_all(),
        Step::Opened(n) | Step::OpenFailed(n) | Step::Closed(n) => worker_step(bench, &step, n),
        Step::PlayEnded(n, _) | Step::Collected(n, _) | Step::Digit(n) | Step::MediaTimeout(n) => {
            open_endpoint_step(bench, &step, n);
        }
        Step::Ringing(n)
        | Step::Answered(n)
        | Step::Confirmed(n)
        | Step::Audio(n)
        | Step::EarlyAudio(n)
        | Step::PeerEnds(n, _)
        | Step::AskTransfer(n, _)
        | Step::Replaces(n)
        | Step::Fails(n)
        | Step::Release(n) => session_step(bench, &step, n),
    }
}

fn worker_step(bench: &mut Bench, step: &Step, n: usize) {
    let arriving = bench.in_phase(Endpoint::Arriving);
    let candidates = match step {
        Step::Closed(_) => bench.in_phase(Endpoint::Closing),
        _ => [bench.in_phase(Endpoint::Opening), arriving.clone()].concat(),
    };
    let Some(endpoint) = candidates.get(n % candidates.len().max(1)).copied() else { return };
    let event = match step {
        Step::Opened(_) => media::Event::Opened { endpoint },
        // One that was taken over and cannot be bound is closed, with what it counted before.
        Step::OpenFailed(_) if !arriving.contains(&endpoint) => media::Event::OpenFailed { endpoint },
        _ => media::Event::Closed { endpoint, statistics: media::EndpointStatistics::default() },
    };
    bench.media_event(endpoint, event);
}

/// What a worker reports may cross our `Close`.
fn open_endpoint_step(bench: &mut Bench, step: &Step, n: usize) {
    let mut candidates = bench.in_phase(Endpoint::Open);
    candidates.extend(bench.in_phase(Endpoint::Closing));
    let Some(endpoint) = candidates.get(n % candidates.len().max(1)).copied() else { return };
    let event = match *step {
        Step::PlayEnded(_, play) => {
            let end = media::PlayEnd::Finished;
            media::Event::PlayEnded { endpoint, play: media::PlayId(play), end }
        }
        Step::Collected(_, collect) => media::Event::Collected {
            endpoint,
            collect: media::CollectId(collect),
            digits: media::DigitString::default(),
            end: media::CollectEnd::FirstDigitTimeout,
        },
        Step::Digit(_) => media::Event::Digit { endpoint, digit: media::Digit::from_event(5).unwrap() },
        _ => media::Event::MediaTimeout { endpoint },
    };
    bench.media_event(endpoint, event);
}

fn session_step(bench: &mut Bench, step: &Step, n: usize) {
    let phase = if matches!(step, Step::Release(_)) { Session::Ended } else { Session::Up };
    let candidates: Vec<_> =
        bench.sessions.iter().filter(|(_, other)| **other == phase).map(|(id, _)| *id).collect();
    let Some(session) = candidates.get(n % candidates.len().max(1)).copied() else { return };
    match *step {
        Step::Ringing(_) => bench.session_event(ua::Event::Ringing { session }),
        Step::Answered(_) => bench.session_event(ua::Event::Answered { session }),
        Step::Confirmed(_) => bench.session_event(ua::Event::Confirmed { session }),
        Step::Audio(_) => {
            bench.session_event(ua::Event::Media { session, audio: audio(ua::AudioCodec::Pcma).into() });
        }
        Step::EarlyAudio(_) => {
            bench.session_event(ua::Event::EarlyMedia { session, audio: audio(ua::AudioCodec::Pcmu).into() });
        }
        Step::AskTransfer(_, other) => {
            let other = other.and_then(|other| candidates.get(other % candidates.len())).copied();
            bench.session_event(super::bench::transfer_asked(session, other));
        }
        Step::Replaces(_) => {
            bench.replacing(ua::Source::User("1001".into()), session, true);
        }
        Step::PeerEnds(_, status) => bench.peer_ends(session, status),
        Step::Fails(_) => {
            let end = ua::SessionEnd { by: ua::Ender::Failure, status: 408, reason: "timeout".to_owned() };
            bench.session_event(ua::Event::Ended { session, end });
        }
        _ => bench.session_event(ua::Event::Released { session }),
    }
}

const fn join(leg: LegId, call: CallId, role: Role) -> Command {
    Command::Join { leg, call, role, announce: Vec::new() }
}

fn command(kind: Kind, (call, leg): (CallId, LegId), other: LegId, known: &Known) -> Command {
    let ring_timeout = Duration::from_secs(15);
    match kind {
        Kind::Ring => Command::Ring { leg },
        Kind::Progress => Command::Progress { leg },
        Kind::Answer => Command::Answer { leg },
        Kind::Reject => Command::Reject { leg, reason: RejectReason::NotFound },
        Kind::Hangup => Command::Hangup { leg, cause: HangupCause::Normal },
        Kind::Play => super::bench::play(leg),
        Kind::BadPlay => {
            let prompts = vec![Prompt::Named("missing".to_owned())];
            Command::Play {
                leg,
                prompts,
                repeat: Repeat::Forever,
                barge_in: tandem_control_api::BargeIn::Never,
            }
        }
        Kind::Stop => Command::Stop { leg },
        Kind::Collect => Command::Collect { leg, rules: rules() },
        Kind::SensitiveCollect => {
            Command::Collect { leg, rules: CollectRules { sensitive: true, ..rules() } }
        }
        Kind::Dial => super::bench::dial(call),
        Kind::DialDirect => {
            let target = DialTarget::User("1001".to_owned());
            Command::Dial { call, target, caller_id: None, ring_timeout, media: MediaPath::Direct }
        }
        Kind::DialTrunk => {
            let target = DialTarget::Trunk { trunk: "a".to_owned(), number: "1".to_owned() };
            Command::Dial {
                call,
                target,
                caller_id: Some("2".to_owned()),
                ring_timeout,
                media: MediaPath::Anchored,
            }
        }
        Kind::Bridge => Command::Bridge { a: leg, b: other },
        Kind::Unbridge => Command::Unbridge { leg },
        Kind::Join => join(leg, call, Role::Party),
        Kind::JoinOther => join(other, call, Role::Party),
        Kind::Listen => join(leg, call, Role::Monitor),
        Kind::Coach => join(leg, call, Role::Coach { leg: other }),
        Kind::Mute => Command::SetLevel { leg, to: Some(other), level: Level::Muted },
        Kind::TransferDial => super::bench::transfer(leg, other),
        Kind::TransferParty => {
            let (consulted_on, party) = (known.pick(2).1, known.pick(3).1);
            let to = TransferTo::Party { leg: party, consulted_on };
            Command::Transfer { leg, transferee: other, to }
        }
        Kind::TransferControl => Command::Transfer { leg, transferee: other, to: TransferTo::Control },
        Kind::RefuseTransfer => Command::RefuseTransfer { leg, reason: RejectReason::Declined },
        Kind::PickUp => Command::PickUp { leg, rung: other },
        Kind::SetData => Command::SetData { call, fact: CallFact::FlowStarted { flow: "main".to_owned() } },
    }
}

/// Everybody hangs up, everything is closed and released.
fn wind_up(bench: &mut Bench) {
    for _ in 0..3 {
        bench.hand_over_all();
        bench.open_all();
    }
    let up = bench.sessions.iter().filter(|(_, phase)| **phase == Session::Up);
    for session in up.map(|(session, _)| *session).collect::<Vec<_>>() {
        if bench.sessions.get(&session) == Some(&Session::Up) {
            bench.peer_ends(session, 200);
        }
    }
    bench.close_all();
    bench.release_all();
}

/// The order the control plane is promised: a leg's commands and events before its end, a call's before its own.
fn check_story(told: &[Event], commands: u64, records: &[tandem_control_api::CallRecord]) {
    let mut outcomes: BTreeMap<CommandId, usize> = BTreeMap::new();
    let mut legs: BTreeMap<LegId, bool> = BTreeMap::new();
    let mut calls: BTreeMap<CallId, bool> = BTreeMap::new();
    for event in told {
        match event {
            Event::CallOffered { call, leg, .. } => {
                assert_eq!(calls.insert(*call, true), None);
                assert_eq!(legs.insert(*leg, true), None);
            }
            Event::LegCreated { call, leg, command } => {
                assert_eq!(calls.get(call), Some(&true));
                assert_eq!(legs.insert(*leg, true), None);
                assert_eq!(outcomes.get(command), None, "the leg comes before the outcome");
            }
            Event::LegMoved { leg, call, from } => {
                assert_eq!(legs.get(leg), Some(&true), "{event:?}");
                assert_eq!((calls.get(call), calls.get(from)), (Some(&true), Some(&true)));
            }
            Event::LegReplaced { leg, .. }
            | Event::ProgressFound { leg, .. }
            | Event::LegUnheard { leg, .. }
            | Event::RecordingFailed { leg, .. }
            | Event::BeepAwaited { leg, .. }
            | Event::LegRinging { leg, .. }
            | Event::LegEarlyMedia { leg, .. }
            | Event::TransferAsked { leg, .. }
            | Event::LegHeld { leg, .. }
            | Event::LegResumed { leg, .. }
            | Event::Digit { leg, .. } => {
                assert_eq!(legs.get(leg), Some(&true), "{event:?}");
            }
            Event::LegEnded { call, leg, .. } => {
                assert_eq!(calls.get(call), Some(&true));
                assert_eq!(legs.insert(*leg, false), Some(true), "ends once");
            }
            Event::CallEnded { call, record } => {
                assert_eq!(calls.insert(*call, false), Some(true), "ends once");
                assert_eq!(record.id, *call);
                // All its legs may have gone on in another one.
                let is_left = |it: &TimelineEntry| matches!(it.fact, CallFact::LegLeft { .. });
                assert!(!record.legs.is_empty() || record.timeline.iter().any(is_left));
            }
            Event::Done { command, .. } => *outcomes.entry(*command).or_default() += 1,
            Event::Registration { .. } => {}
        }
    }
    assert!(calls.values().chain(legs.values()).all(|up| !up), "all has ended");
    assert_eq!(outcomes.len() as u64, commands, "each command has an outcome");
    assert!(outcomes.values().all(|count| *count == 1), "and only one");
    assert_eq!(records.len(), calls.len(), "one record a call");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_command_has_one_outcome_each_call_one_record_and_nothing_is_left(
        steps in prop::collection::vec(step(), 1..120)
    ) {
        let mut bench = Bench::with(SwitchConfig {
            media_ports: 20_000..=20_015,
            max_calls: 4,
            max_call_duration: Duration::from_secs(120),
            ..config()
        });
        let mut known = Known::default();
        for step in steps {
            take(&mut bench, &known, step);
            known.learn(&bench.told);
        }
        wind_up(&mut bench);
        bench.assert_at_rest();
        check_story(&bench.told, bench.commands_made(), &bench.records);
    }
}
