//! The demo's flows with two small queues, for tests.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tandem_control::{
    AgentConfig, AgentState, Announcement, ContactCentre, ContactCentreConfig, Features, QueueConfig, flow,
};
use tandem_control_api::conformance::{Caller, ModelSwitch, Phone, Wish, World};
use tandem_control_api::{
    CallFact, CallRecord, CollectEnd, CollectRules, Command, CommandError, DialTarget, Event, MediaPath,
    ProgressRules, Prompt, RejectReason, Repeat, Request, Route, TransferTo, Verdict,
};
use tandem_time::Instant;

pub(crate) const PAUSE: Duration = Duration::from_secs(30);
pub(crate) const WRAP_UP: Duration = Duration::from_secs(5);
pub(crate) const RING_TIMEOUT: Duration = Duration::from_secs(15);

/// The demo's flows behind the demo's numbers; sales is served by 1001, 1002 and an outside number, support by
/// 1002 and 1003.
pub(crate) fn config() -> ContactCentreConfig {
    let flows = [
        ("main-menu", include_str!("../../../config/demo/flows/main-menu.toml")),
        ("sales", include_str!("../../../config/demo/flows/sales.toml")),
        ("prompt-loop", include_str!("../../../config/demo/flows/prompt-loop.toml")),
        ("echo", include_str!("../../../config/demo/flows/echo.toml")),
        ("read-back", include_str!("../../../config/demo/flows/read-back.toml")),
    ];
    let numbers = ["+15550100", "+15550101", "+15550102", "+15550103", "+15550104"];
    ContactCentreConfig {
        entry_points: numbers
            .iter()
            .zip(&flows)
            .map(|(number, (flow, _))| ((*number).to_owned(), (*flow).to_owned()))
            .chain([("+15550107".to_owned(), "echo".to_owned())])
            .collect::<BTreeMap<_, _>>(),
        routes: BTreeMap::from([(
            "+15550105".to_owned(),
            Route {
                target: DialTarget::Trunk { trunk: "carrier".into(), number: "+15550177".into() },
                ring_timeout: RING_TIMEOUT,
                media: MediaPath::Direct,
            },
        )]),
        refusals: BTreeMap::from([("+15550106".to_owned(), RejectReason::NotFound)]),
        announcements: BTreeMap::from([
            ("+15550106".to_owned(), vec!["goodbye".to_owned()]),
            ("+15550107".to_owned(), vec!["welcome".to_owned(), "menu".to_owned()]),
        ]),
        flows: flows.iter().map(|(name, text)| flow::parse(name, text).expect("a sound flow")).collect(),
        queues: vec![
            queue("sales", &["alice", "bob", "zoe"], Some(Duration::from_secs(20))),
            queue("support", &["bob", "carol"], None),
        ],
        agents: vec![
            agent("alice", DialTarget::User("1001".into())),
            agent("bob", DialTarget::User("1002".into())),
            agent("carol", DialTarget::User("1003".into())),
            agent("zoe", DialTarget::Trunk { trunk: "carrier".into(), number: "+15550199".into() }),
        ],
        prompts: [
            "welcome",
            "menu",
            "invalid",
            "no-input",
            "goodbye",
            "enter-digits",
            "please-wait",
            "music",
            "loop",
        ]
        .into_iter()
        .map(str::to_owned)
        .collect::<BTreeSet<_>>(),
        grammars: Arc::default(),
        speech: false,
        recording: true,
        recorded_trunks: BTreeSet::new(),
        not_responding_pause: PAUSE,
        hold_music: Some("music".to_owned()),
        outbound_trunk: Some("carrier".to_owned()),
        supervisors: BTreeSet::from(["1003".to_owned()]),
        pickup_groups: Vec::new(),
        features: features(),
        call_progress: BTreeMap::new(),
    }
}

fn features() -> Features {
    Features {
        conference: Some("*3".to_owned()),
        record: Some("*1".to_owned()),
        pause_recording: Some("*2".to_owned()),
        monitor: Some("*51".to_owned()),
        coach: Some("*52".to_owned()),
        barge: Some("*53".to_owned()),
        pick_up: Some("*8".to_owned()),
        entry_tone: true,
    }
}

pub(crate) fn centre() -> ContactCentre {
    ContactCentre::new(config()).expect("a sound configuration")
}

pub(crate) fn agent(id: &str, target: DialTarget) -> AgentConfig {
    AgentConfig { id: id.to_owned(), target }
}

pub(crate) fn queue(name: &str, agents: &[&str], announce: Option<Duration>) -> QueueConfig {
    QueueConfig {
        name: name.to_owned(),
        agents: agents.iter().map(|agent| (*agent).to_owned()).collect(),
        ring_timeout: RING_TIMEOUT,
        music: "music".to_owned(),
        announcement: announce.map(|every| Announcement { prompt: "please-wait".to_owned(), every }),
        zip_tone: false,
        record: false,
        max_wait: Duration::from_secs(120),
        wrap_up: WRAP_UP,
        max_waiting: 10,
    }
}

/// A world in which everything is as the test says, written down as it happens.
#[derive(Debug, Default)]
pub(crate) struct Scene {
    /// What the caller types into one collection after the other; nothing when there is no more.
    pub(crate) typed: VecDeque<&'static str>,
    /// How phones behave; those not named are answered after three seconds and never hung up.
    pub(crate) phones: BTreeMap<&'static str, Phone>,
    /// What parties do that were bridged, the first of the two first.
    pub(crate) wishes: VecDeque<Option<(Duration, Wish)>>,
    /// What is found to have answered a phone that is listened to; a person, when there is no more.
    pub(crate) verdicts: VecDeque<Verdict>,
    /// The command that fails, by name, and how.
    pub(crate) failing: Option<(&'static str, CommandError)>,
    /// What was asked and what ended, with the time, as a reader would tell it.
    pub(crate) log: Vec<String>,
    /// Which way the media of each dialled call was to go.
    pub(crate) media: Vec<MediaPath>,
    /// The records of ended calls.
    pub(crate) records: Vec<CallRecord>,
}

impl World for Scene {
    fn digits(&mut self, rules: &CollectRules) -> (Duration, String, CollectEnd) {
        let second = Duration::from_secs(1);
        let Some(typed) = self.typed.pop_front() else {
            return (rules.first_digit_timeout, String::new(), CollectEnd::FirstDigitTimeout);
        };
        match typed.split_once(|key| rules.terminators.contains(key)) {
            Some((digits, _)) => (second, digits.to_owned(), CollectEnd::Terminator),
            None if typed.len() == usize::from(rules.max_digits) => {
                (second, typed.to_owned(), CollectEnd::MaxDigits)
            }
            None => (second, typed.to_owned(), CollectEnd::InterDigitTimeout),
        }
    }

    fn progress(&mut self, _rules: &ProgressRules) -> (Duration, Verdict) {
        (Duration::from_secs(2), self.verdicts.pop_front().unwrap_or(Verdict::LiveVoice))
    }

    fn phone(&mut self, target: &DialTarget) -> Phone {
        let (DialTarget::User(name) | DialTarget::Trunk { number: name, .. }) = target;
        let usual = Phone::Answers { after: Duration::from_secs(3), talks: None };
        self.phones.get(name.as_str()).copied().unwrap_or(usual)
    }

    fn wish(&mut self) -> Option<(Duration, Wish)> {
        self.wishes.pop_front().flatten()
    }

    fn failure(&mut self, command: &Command) -> Option<CommandError> {
        self.failing.clone().filter(|(name, _)| *name == command.name()).map(|(_, error)| error)
    }

    fn told(&mut self, now: Instant, event: &Event) {
        match event {
            Event::LegEnded { leg, end, .. } => self.log.push(format!("{now} {leg} ended by {:?}", end.by)),
            Event::CallEnded { record, .. } => self.records.push((**record).clone()),
            _ => {}
        }
    }

    fn asked(&mut self, now: Instant, request: &Request) {
        self.log.push(format!("{now} {}", told_shortly(&request.command)));
        if let Command::Dial { media, .. } = request.command {
            self.media.push(media);
        }
    }
}

fn told_shortly(command: &Command) -> String {
    let name = command.name();
    match command {
        Command::Play { prompts, repeat, .. } => {
            let prompts = prompts.iter().map(|prompt| match prompt {
                Prompt::Named(name) => name.clone(),
                Prompt::Digits(digits) => format!("digits {digits}"),
                Prompt::Speech { text, language } => format!("\"{text}\" in {language}"),
                Prompt::Music(name) => name.clone(),
                Prompt::Part { name, offset, length } => format!("{name}[{offset:?}, {length:?}]"),
                other => format!("{other:?}"),
            });
            let again = if *repeat == Repeat::Forever { " for ever" } else { "" };
            format!("{name} {}{again}", prompts.collect::<Vec<_>>().join(" + "))
        }
        Command::Dial { target: DialTarget::User(to) | DialTarget::Trunk { number: to, .. }, .. } => {
            format!("{name} {to}")
        }
        Command::Hangup { leg, cause } => format!("{name} {leg} {cause:?}"),
        Command::Reject { reason, .. } => format!("{name} {reason:?}"),
        Command::SetData { fact, .. } => format!("note {}", fact_shortly(fact)),
        Command::Collect { rules, .. } => format!("{name} {} to {}", rules.min_digits, rules.max_digits),
        Command::Ring { leg }
        | Command::Progress { leg }
        | Command::Answer { leg }
        | Command::Stop { leg }
        | Command::Analyse { leg, .. }
        | Command::Unbridge { leg } => {
            format!("{name} {leg}")
        }
        Command::PickUp { leg, rung } => format!("{name} {leg} {rung}"),
        Command::Record { leg, action } => format!("{name} {leg} {action:?}"),
        Command::Bridge { a, b } => format!("{name} {a} {b}"),
        Command::Join { leg, call, role, .. } => format!("{name} {leg} {call} as {}", role.name()),
        Command::SetLevel { leg, level, .. } => format!("{name} {leg} {level:?}"),
        Command::RefuseTransfer { leg, reason } => format!("{name} {leg} {reason:?}"),
        Command::Transfer { leg, transferee, to } => {
            let to = match to {
                TransferTo::Dial { target: DialTarget::User(to), .. } => to.clone(),
                TransferTo::Dial { target: DialTarget::Trunk { number, trunk }, .. } => {
                    format!("{number} over {trunk}")
                }
                TransferTo::Party { leg, .. } => leg.to_string(),
                TransferTo::Control => "us".to_owned(),
            };
            format!("{name} {transferee} by {leg} to {to}")
        }
    }
}

pub(crate) fn fact_shortly(fact: &CallFact) -> String {
    match fact {
        CallFact::Announced { prompts, is_answered } => {
            format!("hears {}{}", prompts.join(", "), if *is_answered { ", answered" } else { "" })
        }
        CallFact::FlowStarted { flow } => format!("flow {flow}"),
        CallFact::FlowStep { activity, exit } => format!("step {activity} -> {exit}"),
        CallFact::Variable { name, value } => format!("{name} = {value}"),
        CallFact::QueueEntered { queue } => format!("waits in {queue}"),
        CallFact::QueueLeft { queue, reason } => format!("leaves {queue}: {reason}"),
        CallFact::AgentOffered { agent } => format!("offered to {agent}"),
        CallFact::AgentMissed { agent, reason } => format!("missed by {agent}: {reason}"),
        CallFact::Transferred { by, to, outcome } => format!("{by} transfers to {to}: {outcome}"),
        CallFact::Referred { leg, outcome } => format!("{leg} is its carrier's: {outcome}"),
        CallFact::LegJoined { leg, from } => format!("{leg} joins from {from}"),
        CallFact::ConferenceJoined { leg, role, .. } => format!("{leg} confers as {role}"),
        CallFact::ConferenceLeft { leg, .. } => format!("{leg} confers no more"),
        CallFact::ProgressFound { leg, report } => format!("{leg} is {}", report.verdict.name()),
        CallFact::RecordingStarted { leg, .. } => format!("{leg} is recorded"),
        CallFact::RecordingPaused { leg } => format!("{leg} is not recorded for a while"),
        CallFact::RecordingResumed { leg } => format!("{leg} is recorded again"),
        CallFact::RecordingEnded { leg } | CallFact::RecordingFailed { leg, .. } => {
            format!("{leg} is recorded no more")
        }
        CallFact::LegUnheard { leg } => format!("{leg} is not heard"),
        CallFact::BeepAwaited { leg, heard } => format!("{leg} beeps: {heard}"),
        CallFact::LegReplaced { leg, party, .. } => format!("{leg} is {party} no more"),
        CallFact::LegLeft { leg, to } => format!("{leg} leaves to {to}"),
        CallFact::NotSpoken { language } => format!("nothing said in {language}"),
        CallFact::AgentAnswered { agent } => format!("answered by {agent}"),
    }
}

pub(crate) type Model = ModelSwitch<ContactCentre, Scene>;

/// The centre of [`config`] in a scene, with these phones registered.
pub(crate) fn model(config: ContactCentreConfig, scene: Scene, registered: &[&str]) -> Model {
    let mut model = ModelSwitch::new(ContactCentre::new(config).expect("a sound configuration"), scene);
    for user in registered {
        model.register_at(Instant::START, user, true);
    }
    model
}

/// Somebody calls at so many seconds; hangs up after `patience` seconds.
pub(crate) fn call(model: &mut Model, at: u64, dialled: &str, patience: Option<u64>) {
    let caller = Caller {
        number: "+15550111".to_owned(),
        dialled: dialled.to_owned(),
        patience: patience.map(Duration::from_secs),
    };
    model.call_at(Instant::from_millis(at * 1_000), caller);
}

/// Runs to so many seconds; no rule may be broken.
pub(crate) fn run_to(model: &mut Model, seconds: u64) {
    model.run_until(Instant::from_millis(seconds * 1_000));
    assert_eq!(model.violations(), []);
}

/// The log so far, without the facts.
pub(crate) fn log(model: &Model) -> Vec<&str> {
    model.world().log.iter().map(String::as_str).filter(|line| !line.contains(" note ")).collect()
}

/// The facts of the first call that ended.
pub(crate) fn facts(model: &Model) -> Vec<String> {
    let record = model.world().records.first().expect("a call has ended");
    record.timeline.iter().map(|entry| fact_shortly(&entry.fact)).collect()
}

/// What an agent is doing.
pub(crate) fn state<'a>(centre: &'a ContactCentre, agent: &str) -> &'a AgentState {
    centre.agent_states().find(|(id, _)| *id == agent).expect("the agent exists").1
}
