//! Everything that passes between switch and plane survives a connection: as JSON and back it is the same.

use std::fmt::Debug;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tandem_control_api::{
    CallFact, CallId, CallRecord, CollectEnd, CollectRules, Command, CommandError, CommandId, DialFailure,
    DialTarget, Direction, EndedBy, Event, Evidence, EvidenceKind, HangupCause, Heard, LegEnd, LegId,
    LegRecord, Level, MediaPath, MediaStatistics, Origin, Outcome, Party, PlayEnd, ProgressReport,
    ProgressRules, Prompt, QualityPoint, RecordAction, Redirection, RejectReason, Repeat, Request, Role,
    SpecialInformation, TimelineEntry, Tone, TransferTo, Verdict,
};
use tandem_time::Instant;

const CALL: CallId = CallId { index: 3, generation: 1 };
const LEG: LegId = LegId { index: u32::MAX, generation: 2 };
const PEER: LegId = LegId { index: 0, generation: 0 };

fn survives<T: Serialize + DeserializeOwned + PartialEq + Debug>(values: Vec<T>) {
    for value in values {
        let text = serde_json::to_string(&value).expect("becomes JSON");
        let back: T = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(back, value, "{text}");
    }
}

fn facts() -> Vec<CallFact> {
    let text = || "a \"quoted\" naïve name".to_owned();
    vec![
        CallFact::Announced { prompts: vec![text()], is_answered: true },
        CallFact::FlowStarted { flow: text() },
        CallFact::FlowStep { activity: text(), exit: text() },
        CallFact::Variable { name: text(), value: text() },
        CallFact::QueueEntered { queue: text() },
        CallFact::QueueLeft { queue: text(), reason: text() },
        CallFact::AgentOffered { agent: text() },
        CallFact::AgentMissed { agent: text(), reason: text() },
        CallFact::AgentAnswered { agent: text() },
        CallFact::NotSpoken { language: text() },
        CallFact::Transferred { by: text(), to: text(), outcome: text() },
        CallFact::Referred { leg: LEG, outcome: text() },
        CallFact::LegJoined { leg: LEG, from: CALL },
        CallFact::LegUnheard { leg: LEG },
        CallFact::RecordingStarted { leg: LEG, file: text() },
        CallFact::RecordingPaused { leg: LEG },
        CallFact::RecordingResumed { leg: LEG },
        CallFact::RecordingEnded { leg: LEG },
        CallFact::RecordingFailed { leg: LEG, reason: text() },
        CallFact::BeepAwaited { leg: LEG, heard: false },
        CallFact::ProgressFound { leg: LEG, report: reports().next().expect("one") },
        CallFact::LegReplaced { leg: LEG, party: "1001".into(), sip_call_id: "abc".into() },
        CallFact::LegLeft { leg: LEG, to: CALL },
        CallFact::ConferenceJoined { leg: LEG, party: text(), role: Role::Coach { leg: PEER }.name().into() },
        CallFact::ConferenceLeft { leg: LEG, party: text() },
    ]
}

fn failures() -> Vec<DialFailure> {
    vec![
        DialFailure::Busy,
        DialFailure::Declined,
        DialFailure::NoAnswer,
        DialFailure::Unreachable,
        DialFailure::Cancelled,
        DialFailure::Media,
    ]
}

fn prompts() -> Vec<Prompt> {
    vec![
        Prompt::Named("welcome".into()),
        Prompt::Part {
            name: "terms".into(),
            offset: Duration::from_secs(1),
            length: Some(Duration::from_millis(1)),
        },
        Prompt::Music("music".into()),
        Prompt::Speech { text: "hello".into(), language: "en".into() },
        Prompt::Digits("0123456789*#ABCD".into()),
        Prompt::Tone(Tone::Ringback),
        Prompt::Tone(Tone::Busy),
        Prompt::Tone(Tone::Beep),
        Prompt::Tone(Tone::Entry),
        Prompt::Tone(Tone::Zip),
        Prompt::Silence(Duration::from_nanos(1_500_000_001)),
    ]
}

fn conferences() -> Vec<Command> {
    let roles = [Role::Party, Role::Monitor, Role::Coach { leg: PEER }];
    let announce = vec![Prompt::Tone(Tone::Entry)];
    let join = |role| Command::Join { leg: LEG, call: CALL, role, announce: announce.clone() };
    let levels = [
        Command::SetLevel { leg: LEG, to: None, level: Level::Muted },
        Command::SetLevel { leg: LEG, to: Some(PEER), level: Level::Decibels(-6) },
        Command::RefuseTransfer { leg: LEG, reason: RejectReason::Busy },
    ];
    roles.map(join).into_iter().chain(levels).collect()
}

/// Those by which somebody listens.
fn listening() -> Vec<Command> {
    let actions = [
        RecordAction::Begin,
        RecordAction::Pause,
        RecordAction::Resume,
        RecordAction::End,
        RecordAction::BeginOrEnd,
        RecordAction::PauseOrResume,
    ];
    let records = actions.map(|action| Command::Record { leg: LEG, action });
    let others = [
        Command::Analyse { leg: LEG, rules: ProgressRules::default() },
        Command::PickUp { leg: LEG, rung: PEER },
    ];
    records.into_iter().chain(others).collect()
}

#[test]
fn requests() {
    let prompts = prompts();
    let rules = CollectRules {
        min_digits: 1,
        max_digits: 20,
        terminators: "#*".into(),
        first_digit_timeout: Duration::from_secs(5),
        inter_digit_timeout: Duration::from_millis(2_500),
        clear_typeahead: true,
        sensitive: true,
    };
    let trunk = DialTarget::Trunk { trunk: "carrier-a".into(), number: "+15550100".into() };
    let (ring_timeout, media) = (Duration::from_secs(15), MediaPath::Direct);
    let dial = |target, caller_id| Command::Dial { call: CALL, target, caller_id, ring_timeout, media };
    let mut commands = listening();
    commands.extend([
        Command::Ring { leg: LEG },
        Command::Progress { leg: LEG },
        Command::Answer { leg: LEG },
        Command::Play {
            leg: LEG,
            prompts: prompts.clone(),
            repeat: Repeat::Times(3),
            barge_in: tandem_control_api::BargeIn::Digit,
        },
        Command::Play {
            leg: LEG,
            prompts,
            repeat: Repeat::Forever,
            barge_in: tandem_control_api::BargeIn::Never,
        },
        Command::Stop { leg: LEG },
        Command::Collect { leg: LEG, rules },
        dial(DialTarget::User("1001".into()), None),
        dial(trunk, Some("+15550199".into())),
        Command::Bridge { a: LEG, b: PEER },
        Command::Unbridge { leg: LEG },
    ]);
    for reason in [
        RejectReason::NotFound,
        RejectReason::Busy,
        RejectReason::Declined,
        RejectReason::Unavailable,
        RejectReason::NotAcceptable,
        RejectReason::NoAnswer,
        RejectReason::Relayed { status: 486 },
    ] {
        commands.push(Command::Reject { leg: LEG, reason });
    }
    for cause in [HangupCause::Normal, HangupCause::NoAnswer, HangupCause::Cancelled, HangupCause::Error] {
        commands.push(Command::Hangup { leg: LEG, cause });
    }
    for to in [
        TransferTo::Dial {
            target: DialTarget::User("1001".into()),
            caller_id: Some("1002".into()),
            ring_timeout: Duration::from_secs(15),
            prompts: vec![Prompt::Tone(Tone::Ringback)],
        },
        TransferTo::Party { leg: PEER, consulted_on: LEG },
        TransferTo::Control,
    ] {
        commands.push(Command::Transfer { leg: LEG, transferee: PEER, to });
    }
    commands.extend(conferences());
    commands.extend(facts().into_iter().map(|fact| Command::SetData { call: CALL, fact }));
    survives(
        commands.into_iter().map(|command| Request { id: CommandId(u64::MAX), command }).collect::<Vec<_>>(),
    );
}

fn outcomes() -> Vec<Result<Outcome, CommandError>> {
    let collected = |end| Ok(Outcome::Collected { digits: "12*#".into(), end });
    let mut outcomes = vec![
        Ok(Outcome::Ok),
        Ok(Outcome::Answered { leg: LEG }),
        Ok(Outcome::Transferred { leg: LEG }),
        Ok(Outcome::Played { end: PlayEnd::Finished }),
        Ok(Outcome::Played { end: PlayEnd::BargedIn }),
        Ok(Outcome::Played { end: PlayEnd::Stopped }),
        collected(CollectEnd::MaxDigits),
        collected(CollectEnd::Terminator),
        collected(CollectEnd::FirstDigitTimeout),
        collected(CollectEnd::InterDigitTimeout),
        collected(CollectEnd::Stopped),
        Err(CommandError::UnknownCall),
        Err(CommandError::UnknownLeg),
        Err(CommandError::WrongState { command: "play".into(), state: "ringing".into() }),
        Err(CommandError::DifferentCalls),
        Err(CommandError::UnknownPrompt("lost".into())),
        Err(CommandError::LegEnded),
        Err(CommandError::Limit("legs".into())),
        Err(CommandError::Invalid("target".into())),
    ];
    outcomes.extend(failures().into_iter().map(|failure| Err(CommandError::NotAnswered(failure))));
    outcomes
}

fn redirection() -> Redirection {
    let by = Party { number: "+15550122".into(), name: Some("Yan".into()), withheld: false };
    Redirection { by, reason: "user-busy".into() }
}

fn record() -> CallRecord {
    let at = Instant::from_nanos;
    let end = |by| LegEnd { by, status: 487, cause: "cancelled".into() };
    let leg = |direction, media| LegRecord {
        id: LEG,
        direction,
        party: "1001".into(),
        sip_call_id: "a84b4c76e66710@pc33".into(),
        session_id: Some("ab30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2".into()),
        started: at(1),
        ringing: Some(at(2)),
        answered: None,
        ended: at(u64::MAX),
        end: end(EndedBy::Control),
        reason: Some("Q.850;cause=17".into()),
        media_path: MediaPath::Direct,
        media,
    };
    let media = MediaStatistics {
        codec: "PCMA".into(),
        packets_received: u64::MAX,
        packets_sent: 2,
        packets_lost: 3,
        packets_refused: 4,
        jitter_us: 5,
        jitter_max_us: 6,
        remote_loss_percent: Some(0.1),
        remote_jitter_us: Some(9),
        round_trip_us: Some(7),
        mos: Some(4.4),
        remote_mos: Some(3.5),
        quality: vec![QualityPoint {
            at: at(3),
            received: Some(Heard { loss_percent: 0.5, jitter_us: 1, mos: 4.2 }),
            sent: None,
            round_trip_us: Some(7),
        }],
        digits_received: 8,
    };
    CallRecord {
        id: CALL,
        origin: Origin::User("1002".into()),
        from: Party { number: String::new(), name: Some("Zoë".into()), withheld: true },
        dialled: "+15550100".into(),
        redirected: Some(redirection()),
        offered: at(0),
        answered: Some(at(10)),
        ended: at(20),
        end: end(EndedBy::Switch),
        legs: vec![leg(Direction::Inbound, Some(media)), leg(Direction::Outbound, None)],
        legs_dropped: 1,
        timeline: facts().into_iter().map(|fact| TimelineEntry { at: at(9), fact }).collect(),
        timeline_dropped: 2,
    }
}

fn reports() -> impl Iterator<Item = Box<ProgressReport>> {
    let sits = [
        SpecialInformation::Intercept,
        SpecialInformation::VacantCode,
        SpecialInformation::Reorder,
        SpecialInformation::NoCircuit,
        SpecialInformation::Other,
    ];
    let others = [
        Verdict::LiveVoice,
        Verdict::AnsweringMachine,
        Verdict::Fax,
        Verdict::Busy,
        Verdict::Reorder,
        Verdict::Ringback,
        Verdict::Silence,
        Verdict::Unsure,
    ];
    let at = Duration::from_millis(1_240);
    let piece = |kind| Evidence { at, lasted: at, kind, level_dbm0: -18 };
    let evidence = vec![
        piece(EvidenceKind::Silence),
        piece(EvidenceKind::Tone { low_hz: 425, high_hz: None }),
        piece(EvidenceKind::Tone { low_hz: 480, high_hz: Some(620) }),
        piece(EvidenceKind::Speech),
        piece(EvidenceKind::Noise),
    ];
    let verdicts = sits.into_iter().map(Verdict::SpecialInformation).chain(others);
    verdicts.map(move |verdict| Box::new(ProgressReport { verdict, after: at, evidence: evidence.clone() }))
}

#[test]
fn events() {
    let from = Party { number: "+15550111".into(), ..Party::default() };
    let mut events = vec![
        Event::CallOffered {
            call: CALL,
            leg: LEG,
            origin: Origin::Trunk("carrier-a".into()),
            from,
            dialled: "+15550100".into(),
            redirected: Some(redirection()),
        },
        Event::LegCreated { call: CALL, leg: LEG, command: CommandId(7) },
        Event::LegRinging { call: CALL, leg: LEG },
        Event::Digit { call: CALL, leg: LEG, digit: '#' },
        Event::LegEnded {
            call: CALL,
            leg: LEG,
            end: LegEnd { by: EndedBy::Party, status: 200, cause: "normal".into() },
        },
        Event::CallEnded { call: CALL, record: Box::new(record()) },
        Event::Registration { user: "1001".into(), reachable: false },
        Event::TransferAsked { call: CALL, leg: LEG, to: "1002".into(), consulted_on: Some(PEER) },
        Event::LegMoved { call: CALL, leg: LEG, from: CALL },
        Event::LegReplaced { call: CALL, leg: LEG, by: Origin::User("1002".into()) },
        Event::LegUnheard { call: CALL, leg: LEG },
        Event::RecordingFailed { call: CALL, leg: LEG, reason: "full".into() },
        Event::BeepAwaited { call: CALL, leg: LEG, heard: true },
        Event::LegHeld { call: CALL, leg: LEG },
        Event::LegResumed { call: CALL, leg: LEG },
    ];
    events.extend(reports().map(|report| Event::ProgressFound { call: CALL, leg: LEG, report }));
    events.extend(outcomes().into_iter().map(|outcome| Event::Done { command: CommandId(1), outcome }));
    survives(events);
}

#[test]
fn identifiers_are_read_as_they_are_written() {
    let call = CallId { index: 12, generation: 3 };
    assert_eq!(call.to_string().parse(), Ok(call));
    for text in ["", "call-", "call-1", "call-1.", "call-1.2.3", "leg-1.2", "call-99999999999.0"] {
        assert_eq!(text.parse::<CallId>(), Err(tandem_control_api::NotAnId), "{text}");
    }
}
