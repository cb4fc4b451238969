//! The caller hangs up: at every point of a call to a queue, and in every crossing with the agent's answer.

use tandem_control::{AgentState, ContactCentre, ContactCentreConfig, NextState};
use tandem_control_api::{
    CallFact, CallId, Command, CommandError, CommandId, ControlPlane, DialFailure, DialTarget, EndedBy,
    Event, LegEnd, LegId, Origin, Outcome, Party,
};
use tandem_time::Instant;

use crate::support::{WRAP_UP, agent, config, queue, state};

const CALL: CallId = CallId { index: 1, generation: 0 };
const CALLER: LegId = LegId { index: 1, generation: 0 };
const AGENT: LegId = LegId { index: 2, generation: 0 };
const SINCE: Instant = Instant::from_millis(1_000);

/// A centre with one agent, told of events one by one.
struct Hand {
    centre: ContactCentre,
    now: Instant,
    dial: CommandId,
    bridge: CommandId,
    facts: Vec<CallFact>,
}

impl Hand {
    fn new() -> Self {
        let config = ContactCentreConfig {
            agents: vec![agent("alice", DialTarget::User("1001".into()))],
            queues: vec![queue("sales", &["alice"], None), queue("support", &[], None)],
            ..config()
        };
        let centre = ContactCentre::new(config).expect("a sound configuration");
        let mut hand =
            Self { centre, now: SINCE, dial: CommandId(0), bridge: CommandId(0), facts: Vec::new() };
        hand.tell(&Event::Registration { user: "1001".into(), reachable: true });
        hand.now = Instant::from_millis(10_000);
        hand
    }

    /// What is asked in return, without facts.
    fn tell(&mut self, event: &Event) -> Vec<String> {
        self.centre.handle_event(self.now, event);
        let mut asked = Vec::new();
        while let Some(request) = self.centre.poll_request() {
            match request.command {
                Command::SetData { fact, .. } => {
                    self.facts.push(fact);
                    continue;
                }
                Command::Dial { .. } => self.dial = request.id,
                Command::Bridge { .. } => self.bridge = request.id,
                Command::Answer { .. } => self.dial = request.id,
                _ => {}
            }
            asked.push(match request.command {
                Command::Hangup { leg, cause } => format!("hangup {leg} {cause:?}"),
                other => other.name().to_owned(),
            });
        }
        asked
    }

    fn done(&mut self, command: CommandId, outcome: Result<Outcome, CommandError>) -> Vec<String> {
        self.tell(&Event::Done { command, outcome })
    }

    fn leg_ended(&mut self, leg: LegId, by: EndedBy) -> Vec<String> {
        let end = LegEnd { by, status: 200, cause: "normal".into() };
        self.tell(&Event::LegEnded { call: CALL, leg, end })
    }

    fn agent(&self) -> &AgentState {
        state(&self.centre, "alice")
    }

    /// Brings the call as far as `point`.
    fn reach(&mut self, point: Point) {
        self.tell(&Event::CallOffered {
            call: CALL,
            leg: CALLER,
            origin: Origin::Trunk("carrier".into()),
            from: Party::default(),
            dialled: "+15550101".into(),
            redirected: None,
        });
        if point >= Point::Dialled {
            self.done(self.dial, Ok(Outcome::Answered { leg: CALLER }));
        }
        if point >= Point::Ringing {
            self.tell(&Event::LegCreated { call: CALL, leg: AGENT, command: self.dial });
            self.tell(&Event::LegRinging { call: CALL, leg: AGENT });
        }
        if point >= Point::Answered {
            self.done(self.dial, Ok(Outcome::Answered { leg: AGENT }));
        }
        if point >= Point::Bridged {
            self.done(self.bridge, Ok(Outcome::Ok));
        }
    }

    fn queue_is_empty(&self) -> bool {
        self.centre.queue_depths().all(|(_, depth)| depth.waiting + depth.offered == 0)
    }

    fn left_the_queue(&self) -> Option<&str> {
        self.facts.iter().find_map(|fact| match fact {
            CallFact::QueueLeft { reason, .. } => Some(reason.as_str()),
            _ => None,
        })
    }
}

/// How far the call is when the caller hangs up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Point {
    /// The answer is not acknowledged yet.
    Offered,
    /// The agent is being dialled; there is no leg yet.
    Dialled,
    /// The agent's phone rings.
    Ringing,
    /// The agent has answered; the bridge has no outcome yet.
    Answered,
    /// Both talk.
    Bridged,
}

/// What is then asked, and how the agent stands at once.
struct Row {
    point: Point,
    asked: &'static [&'static str],
    left: Option<&'static str>,
    agent: &'static str,
}

const TABLE: [Row; 5] = [
    Row { point: Point::Offered, asked: &[], left: None, agent: "available" },
    Row { point: Point::Dialled, asked: &[], left: Some("abandoned"), agent: "releasing" },
    Row {
        point: Point::Ringing,
        asked: &["hangup leg-2.0 Cancelled"],
        left: Some("abandoned"),
        agent: "releasing",
    },
    Row {
        point: Point::Answered,
        asked: &["hangup leg-2.0 Normal"],
        left: Some("abandoned"),
        agent: "releasing",
    },
    Row {
        point: Point::Bridged,
        asked: &["hangup leg-2.0 Normal"],
        left: Some("answered"),
        agent: "releasing",
    },
];

#[test]
fn at_every_point_the_agent_is_let_go_and_the_queue_is_left() {
    for row in TABLE {
        let mut hand = Hand::new();
        hand.reach(row.point);
        let asked = hand.leg_ended(CALLER, EndedBy::Party);
        assert_eq!(asked, row.asked, "{:?}", row.point);
        assert_eq!(hand.left_the_queue(), row.left, "{:?}", row.point);
        assert_eq!(hand.agent().name(), row.agent, "{:?}", row.point);
        assert!(hand.queue_is_empty(), "{:?}", row.point);
    }
}

#[test]
fn an_agent_who_was_never_connected_keeps_its_place_and_has_no_wrap_up() {
    let available = AgentState::Available { since: SINCE };
    // The cancel wins.
    let mut hand = Hand::new();
    hand.reach(Point::Ringing);
    hand.leg_ended(CALLER, EndedBy::Party);
    hand.done(hand.dial, Err(CommandError::NotAnswered(DialFailure::Cancelled)));
    assert_eq!(hand.agent().name(), "releasing", "the phone is not free before its leg has ended");
    hand.leg_ended(AGENT, EndedBy::Control);
    assert_eq!(*hand.agent(), available);

    // The answer crosses the cancel: the leg is answered, and ended by the hang-up that is on its way.
    let mut hand = Hand::new();
    hand.reach(Point::Ringing);
    hand.leg_ended(CALLER, EndedBy::Party);
    assert!(hand.done(hand.dial, Ok(Outcome::Answered { leg: AGENT })).is_empty(), "nobody is bridged");
    assert_eq!(hand.agent().name(), "releasing");
    hand.leg_ended(AGENT, EndedBy::Control);
    assert_eq!(*hand.agent(), available);

    // The hang-up crosses the bridge.
    let mut hand = Hand::new();
    hand.reach(Point::Answered);
    hand.leg_ended(CALLER, EndedBy::Party);
    hand.done(hand.bridge, Err(CommandError::LegEnded));
    hand.leg_ended(AGENT, EndedBy::Control);
    assert_eq!(*hand.agent(), available);
}

#[test]
fn a_leg_that_comes_after_the_hang_up_is_cancelled_as_soon_as_it_is_there() {
    let mut hand = Hand::new();
    hand.reach(Point::Dialled);
    assert!(hand.leg_ended(CALLER, EndedBy::Party).is_empty());
    let asked = hand.tell(&Event::LegCreated { call: CALL, leg: AGENT, command: hand.dial });
    assert_eq!(asked, ["hangup leg-2.0 Cancelled"]);
    hand.done(hand.dial, Err(CommandError::NotAnswered(DialFailure::Cancelled)));
    hand.leg_ended(AGENT, EndedBy::Control);
    assert_eq!(*hand.agent(), AgentState::Available { since: SINCE });
}

#[test]
fn a_dial_that_fails_after_the_hang_up_costs_the_agent_nothing() {
    let mut hand = Hand::new();
    hand.reach(Point::Dialled);
    hand.leg_ended(CALLER, EndedBy::Party);
    hand.done(hand.dial, Err(CommandError::UnknownCall));
    assert_eq!(*hand.agent(), AgentState::Available { since: SINCE });
}

#[test]
fn after_a_conversation_there_is_wrap_up() {
    let mut hand = Hand::new();
    hand.reach(Point::Bridged);
    hand.leg_ended(CALLER, EndedBy::Party);
    let released = matches!(hand.agent(), AgentState::Releasing { next: NextState::WrapUp(pause), .. } if *pause == WRAP_UP);
    assert!(released, "wrap-up begins when the agent's phone is free");
    hand.leg_ended(AGENT, EndedBy::Control);
    assert_eq!(*hand.agent(), AgentState::WrapUp { until: hand.now + WRAP_UP });
}

#[test]
fn both_hang_up_at_once() {
    let mut hand = Hand::new();
    hand.reach(Point::Bridged);
    assert_eq!(hand.leg_ended(AGENT, EndedBy::Party), ["hangup leg-1.0 Normal"]);
    assert!(hand.leg_ended(CALLER, EndedBy::Party).is_empty());
    assert_eq!(*hand.agent(), AgentState::WrapUp { until: hand.now + WRAP_UP });
}

#[test]
fn an_agent_who_hangs_up_before_being_connected_missed_the_call() {
    let mut hand = Hand::new();
    hand.reach(Point::Answered);
    assert_eq!(hand.leg_ended(AGENT, EndedBy::Party), ["play"], "music again");
    assert_eq!(hand.agent().name(), "not-responding");
    assert!(hand.done(hand.bridge, Err(CommandError::LegEnded)).is_empty());
    let missed = CallFact::AgentMissed { agent: "alice".into(), reason: "not-connected".into() };
    assert!(hand.facts.contains(&missed));
    assert_eq!(hand.centre.queue_depths().next().expect("sales").1.waiting, 1, "the caller waits on");
}

#[test]
fn a_call_that_ends_without_a_word_about_its_agent_lets_it_go() {
    let record = || {
        let mut model = crate::support::model(config(), crate::support::Scene::default(), &[]);
        crate::support::call(&mut model, 0, "+15550103", Some(1));
        crate::support::run_to(&mut model, 2);
        Box::new(model.world().records[0].clone())
    };
    for point in [Point::Ringing, Point::Answered, Point::Bridged] {
        let mut hand = Hand::new();
        hand.reach(point);
        hand.tell(&Event::CallEnded { call: CALL, record: record() });
        assert_eq!(hand.agent().call(), None, "{point:?}");
        assert_eq!(hand.centre.calls(), 0, "{point:?}");
        assert!(hand.queue_is_empty(), "{point:?}");
    }
}
