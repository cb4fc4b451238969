//! Random calls, agents and registrations. The rules of routing are checked after everything that happens, from
//! what can be seen outside: commands, events, states.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use tandem_control::{AgentState, ContactCentre, ContactCentreConfig, flow};
use tandem_control_api::conformance::{Caller, ModelSwitch, Phone, World};
use tandem_control_api::{CallId, Command, CommandId, DialFailure, DialTarget, Event, Request};
use tandem_time::Instant;

use crate::support::{agent, config, queue};

const AGENTS: [(&str, &str); 4] = [("ann", "1001"), ("ben", "1002"), ("cat", "1003"), ("dan", "1004")];
const SALES: [&str; 3] = ["ann", "ben", "cat"];
const SUPPORT: [&str; 3] = ["ben", "cat", "dan"];

fn two_queues() -> ContactCentreConfig {
    let support = "start = \"q\"\n[activities.q]\ntype = \"queue\"\nqueue = \"support\"\n\
                   exits = { failure = \"end\" }\n[activities.end]\ntype = \"disconnect\"\n";
    let mut config = config();
    config.announcements.clear();
    config.flows.push(flow::parse("support", support).expect("a sound flow"));
    config.entry_points = [("sales", "sales"), ("support", "support")]
        .map(|(number, flow)| (number.to_owned(), flow.to_owned()))
        .into();
    config.agents = AGENTS.iter().map(|(id, user)| agent(id, DialTarget::User((*user).to_owned()))).collect();
    config.queues =
        vec![queue("sales", &SALES, Some(Duration::from_secs(15))), queue("support", &SUPPORT, None)];
    config
}

/// Phones that behave one way after the other, and what is being dialled.
#[derive(Debug)]
struct Account {
    phones: Vec<Phone>,
    dialled: usize,
    dialling: BTreeMap<CommandId, (CallId, DialTarget)>,
    queues: BTreeMap<CallId, &'static [&'static str]>,
    broken: Vec<String>,
}

impl World for Account {
    fn phone(&mut self, _target: &DialTarget) -> Phone {
        self.dialled += 1;
        self.phones[self.dialled % self.phones.len()]
    }

    fn told(&mut self, _now: Instant, event: &Event) {
        match event {
            Event::CallOffered { call, dialled, .. } => {
                self.queues.insert(*call, if dialled == "sales" { &SALES } else { &SUPPORT });
            }
            Event::Done { command, .. } => {
                self.dialling.remove(command);
            }
            _ => {}
        }
    }

    fn asked(&mut self, now: Instant, request: &Request) {
        let Command::Dial { call, target, .. } = &request.command else { return };
        if self.dialling.values().any(|(_, dialled)| dialled == target) {
            self.broken.push(format!("{now} {target:?} has two offers"));
        }
        if self.dialling.values().any(|(dialling, _)| dialling == call) {
            self.broken.push(format!("{now} {call} rings two phones"));
        }
        self.dialling.insert(request.id, (*call, target.clone()));
    }
}

type Model = ModelSwitch<ContactCentre, Account>;

/// Since when agents have been seen available. An offer that the caller withdrew does not count.
#[derive(Debug, Default)]
struct Watch {
    since: BTreeMap<String, Instant>,
    before: BTreeMap<String, &'static str>,
}

impl Watch {
    fn look(&mut self, model: &Model) -> Vec<String> {
        let now = model.now();
        let states: Vec<(String, AgentState)> =
            model.plane().agent_states().map(|(id, state)| (id.to_owned(), state.clone())).collect();
        for (id, state) in &states {
            match state {
                AgentState::Available { .. } | AgentState::Offered { .. } => {
                    self.since.entry(id.clone()).or_insert(now);
                }
                AgentState::Connecting { .. } | AgentState::Releasing { .. } => {}
                _ => {
                    self.since.remove(id);
                }
            }
        }
        let mut broken = Vec::new();
        for (id, state) in &states {
            let offered = self.before.insert(id.clone(), state.name()) != Some("offered");
            if let AgentState::Offered { call, .. } = state
                && offered
            {
                broken.extend(self.overtaken(id, model.world().queues[call], &states));
            }
        }
        for (name, depth) in model.plane().queue_depths() {
            let serves: &[&str] = if name == "sales" { &SALES } else { &SUPPORT };
            let idle = |(id, state): &&(String, AgentState)| {
                serves.contains(&id.as_str()) && matches!(state, AgentState::Available { .. })
            };
            if depth.waiting > 0
                && let Some((id, _)) = states.iter().find(idle)
            {
                broken.push(format!("{now} somebody waits in {name} while {id} is available"));
            }
        }
        broken
    }

    /// Agents of the queue who are still available, though they were before this one.
    fn overtaken(&self, offered: &str, queue: &[&str], states: &[(String, AgentState)]) -> Vec<String> {
        let earlier = |(id, state): &&(String, AgentState)| {
            queue.contains(&id.as_str())
                && matches!(state, AgentState::Available { .. })
                && self.since.get(id) < self.since.get(offered)
        };
        states.iter().filter(earlier).map(|(id, _)| format!("{offered} was offered before {id}")).collect()
    }
}

fn phones() -> impl Strategy<Value = Vec<Phone>> {
    let seconds = |longest: u64| (0..=longest * 1_000).prop_map(Duration::from_millis);
    let phone = prop_oneof![
        5 => (seconds(14), proptest::option::of(seconds(60)))
            .prop_map(|(after, talks)| Phone::Answers { after, talks }),
        1 => seconds(14).prop_map(|after| Phone::Fails { after, failure: DialFailure::Busy }),
        1 => Just(Phone::Fails { after: Duration::ZERO, failure: DialFailure::Unreachable }),
        1 => Just(Phone::Rings),
    ];
    proptest::collection::vec(phone, 1..20)
}

/// Seconds at which something happens; whole ones, so that much happens at the same time.
fn when() -> impl Strategy<Value = u64> {
    0..300_u64
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn the_rules_of_routing_hold(
        phones in phones(),
        calls in proptest::collection::vec((when(), any::<bool>(), 1..150_u64), 1..40),
        registrations in proptest::collection::vec((when(), 0..4_usize, proptest::bool::weighted(0.7)), 0..20),
    ) {
        let account = Account {
            phones,
            dialled: 0,
            dialling: BTreeMap::new(),
            queues: BTreeMap::new(),
            broken: Vec::new(),
        };
        let mut model = ModelSwitch::new(ContactCentre::new(two_queues()).expect("sound"), account);
        for (at, who, reachable) in registrations {
            model.register_at(Instant::from_millis(at * 1_000), AGENTS[who].1, reachable);
        }
        for (at, sales, patience) in calls {
            let caller = Caller {
                number: "+15550111".into(),
                dialled: if sales { "sales" } else { "support" }.into(),
                patience: Some(Duration::from_secs(patience)),
            };
            model.call_at(Instant::from_millis(at * 1_000), caller);
        }
        let mut watch = Watch::default();
        let mut steps = 0;
        while model.run_next() {
            let broken = watch.look(&model);
            prop_assert!(broken.is_empty(), "{}: {broken:?}", model.now());
            steps += 1;
            prop_assert!(steps < 100_000, "it never settles");
        }
        prop_assert_eq!(model.violations(), []);
        prop_assert_eq!(&model.world().broken, &Vec::<String>::new());
        prop_assert_eq!(model.calls(), 0, "all calls settle");
        prop_assert_eq!(model.plane().calls(), 0);
        for (name, depth) in model.plane().queue_depths() {
            prop_assert_eq!((depth.waiting, depth.offered), (0, 0), "queue {} is empty", name);
        }
        for (id, state) in model.plane().agent_states() {
            let rests = matches!(state, AgentState::Available { .. } | AgentState::LoggedOut);
            prop_assert!(rests, "{} is {}", id, state.name());
        }
    }
}
