//! The static routes keep the rules, and planes that do not are found out.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tandem_control_api::conformance::run_random_calls;
use tandem_control_api::{
    CallFact, CallId, Command, CommandId, ControlPlane, DialTarget, Event, HangupCause, LegId, MediaPath,
    Prompt, RejectReason, Repeat, Request, Route, StaticRoutes, Treatment,
};
use tandem_time::Instant;

fn routes() -> StaticRoutes {
    let connect = |target| {
        Treatment::Connect(Route {
            target,
            ring_timeout: Duration::from_secs(15),
            media: MediaPath::Anchored,
        })
    };
    let trunk = DialTarget::Trunk { trunk: "carrier".into(), number: "+15550199".into() };
    let play = Treatment::Play { prompts: vec![Prompt::Named("closed".into())], repeat: Repeat::Times(2) };
    StaticRoutes::new(BTreeMap::from([
        ("1001".to_owned(), connect(DialTarget::User("1001".into()))),
        ("199".to_owned(), connect(trunk)),
        ("closed".to_owned(), play),
        ("full".to_owned(), Treatment::Reject(RejectReason::Busy)),
    ]))
}

#[test]
fn static_routes_break_no_rule() {
    for seed in 0..500 {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        run_random_calls(routes(), &["1001", "199", "closed", "full", "nobody"], &["1001"], rng)
            .unwrap_or_else(|broken| panic!("seed {seed}: {broken}"));
    }
}

/// What a faulty plane does wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Silent,
    ReusesIds,
    TalksToTheDead,
    NotesAfterTheEnd,
    DialsTwice,
    LeavesThePartyBehind,
    AsksWithoutEnd,
    DeadlineInThePast,
}

/// Dials a phone for every call, with one fault.
struct Faulty {
    fault: Fault,
    requests: VecDeque<Request>,
    issued: u64,
    callers: BTreeMap<CallId, LegId>,
}

impl Faulty {
    fn ask(&mut self, command: Command) {
        if self.fault != Fault::ReusesIds {
            self.issued += 1;
        }
        self.requests.push_back(Request { id: CommandId(self.issued), command });
    }

    fn dial(&mut self, call: CallId) {
        let target = DialTarget::User("1001".into());
        self.ask(Command::Dial {
            call,
            target,
            caller_id: None,
            ring_timeout: Duration::from_secs(60),
            media: MediaPath::Anchored,
        });
    }
}

impl ControlPlane for Faulty {
    fn handle_event(&mut self, _now: Instant, event: &Event) {
        match (self.fault, event) {
            (Fault::Silent, _) => {}
            (fault, Event::CallOffered { call, leg, .. }) => {
                self.callers.insert(*call, *leg);
                self.ask(Command::Answer { leg: *leg });
                self.dial(*call);
                if fault == Fault::DialsTwice {
                    self.dial(*call);
                }
            }
            (Fault::TalksToTheDead, Event::LegEnded { leg, .. }) => self.ask(Command::Stop { leg: *leg }),
            (Fault::NotesAfterTheEnd, Event::CallEnded { call, .. }) => {
                let fact = CallFact::FlowStarted { flow: "late".into() };
                self.ask(Command::SetData { call: *call, fact });
            }
            (Fault::LeavesThePartyBehind, Event::LegEnded { .. }) => {}
            (_, Event::LegEnded { call, leg, .. }) if self.callers.get(call) != Some(leg) => {
                let leg = self.callers[call];
                self.ask(Command::Hangup { leg, cause: HangupCause::Normal });
            }
            _ => {}
        }
    }

    fn handle_timeout(&mut self, _now: Instant) {}

    fn poll_timeout(&self) -> Option<Instant> {
        (self.fault == Fault::DeadlineInThePast).then_some(Instant::from_millis(1))
    }

    fn poll_request(&mut self) -> Option<Request> {
        if self.fault == Fault::AsksWithoutEnd
            && let Some((call, _)) = self.callers.first_key_value()
        {
            let fact = CallFact::FlowStarted { flow: "again".into() };
            let command = Command::SetData { call: *call, fact };
            self.ask(command);
        }
        self.requests.pop_front()
    }
}

#[test]
fn each_broken_rule_is_found() {
    let faults = [
        (Fault::Silent, "nothing was asked for it"),
        (Fault::ReusesIds, "is still in use"),
        (Fault::TalksToTheDead, "which the plane knows to be over"),
        (Fault::NotesAfterTheEnd, "set-data for call-"),
        (Fault::DialsTwice, "while it is dialling it"),
        (Fault::LeavesThePartyBehind, "without its caller"),
        (Fault::AsksWithoutEnd, "requests without end"),
        (Fault::DeadlineInThePast, "had passed and stayed"),
    ];
    for (fault, says) in faults {
        let plane = Faulty { fault, requests: VecDeque::new(), issued: 0, callers: BTreeMap::new() };
        let rng = ChaCha8Rng::seed_from_u64(7);
        let broken = run_random_calls(plane, &["1001"], &[], rng).err().unwrap_or_default();
        assert!(broken.contains(says), "{fault:?} passed as: {broken}");
    }
}
