//! What each treatment does to a call, through the model switch.

use std::collections::BTreeMap;
use std::time::Duration;

use tandem_control_api::conformance::{Caller, ModelSwitch, Phone, World};
use tandem_control_api::{
    CallId, Command, CommandError, CommandId, DialFailure, DialTarget, Event, LegId, MediaPath, Outcome,
    Prompt, RejectReason, Repeat, Request, Route, StaticRoutes, StraightThrough, Treatment,
};
use tandem_time::Instant;

/// One phone, and the commands and ends it saw.
struct Watched {
    phone: Phone,
    log: Vec<String>,
}

impl World for Watched {
    fn phone(&mut self, _target: &DialTarget) -> Phone {
        self.phone
    }

    fn told(&mut self, now: Instant, event: &Event) {
        match event {
            Event::LegEnded { end, .. } => self.log.push(format!("{now} leg ended by {:?}", end.by)),
            Event::CallEnded { .. } => self.log.push(format!("{now} call ended")),
            _ => {}
        }
    }

    fn asked(&mut self, now: Instant, request: &Request) {
        let detail = match &request.command {
            Command::Reject { reason, .. } => format!(" {reason:?}"),
            Command::Hangup { cause, .. } => format!(" {cause:?}"),
            _ => String::new(),
        };
        self.log.push(format!("{now} {}{detail}", request.command.name()));
    }
}

/// Calls once; the caller hangs up after `patience`.
fn call(treatment: Treatment, phone: Phone, patience: Option<u64>) -> Vec<String> {
    let plane = StaticRoutes::new(BTreeMap::from([("100".to_owned(), treatment)]));
    let mut switch = ModelSwitch::new(plane, Watched { phone, log: Vec::new() });
    let patience = patience.map(Duration::from_secs);
    switch.call_at(Instant::START, Caller { number: "+15550111".into(), dialled: "100".into(), patience });
    switch.run_until(Instant::from_millis(600_000));
    assert_eq!(switch.violations(), []);
    assert_eq!(switch.calls(), 0, "the call ends");
    std::mem::take(&mut switch.world_mut().log)
}

fn connect() -> Treatment {
    let target = DialTarget::User("1001".into());
    Treatment::Connect(Route { target, ring_timeout: Duration::from_secs(15), media: MediaPath::Anchored })
}

fn answers(talks: Option<u64>) -> Phone {
    Phone::Answers { after: Duration::from_secs(3), talks: talks.map(Duration::from_secs) }
}

#[test]
fn a_number_is_connected_until_the_party_hangs_up() {
    assert_eq!(
        call(connect(), answers(Some(10)), None),
        [
            "0.000 dial",
            "0.000 ring",
            "3.000 answer",
            "3.000 bridge",
            "13.000 leg ended by Party",
            "13.000 hangup Normal",
            "13.050 leg ended by Control",
            "13.050 call ended"
        ]
    );
}

#[test]
fn a_number_is_connected_until_the_caller_hangs_up() {
    assert_eq!(
        call(connect(), answers(None), Some(5)),
        [
            "0.000 dial",
            "0.000 ring",
            "3.000 answer",
            "3.000 bridge",
            "5.000 leg ended by Party",
            "5.000 hangup Normal",
            "5.050 leg ended by Control",
            "5.050 call ended"
        ]
    );
}

#[test]
fn a_caller_who_gives_up_stops_the_ringing() {
    assert_eq!(
        call(connect(), Phone::Rings, Some(2)),
        [
            "0.000 dial",
            "0.000 ring",
            "2.000 leg ended by Party",
            "2.000 hangup Cancelled",
            "2.050 leg ended by Control",
            "2.050 call ended"
        ]
    );
}

#[test]
fn why_a_party_did_not_answer_is_what_the_caller_is_told() {
    let fails = |failure| {
        let log = call(connect(), Phone::Fails { after: Duration::from_secs(1), failure }, None);
        log.into_iter().find(|line| line.contains("reject")).expect("the caller is refused")
    };
    assert_eq!(fails(DialFailure::Busy), "1.000 reject Relayed { status: 486 }");
    assert_eq!(fails(DialFailure::Declined), "1.000 reject Relayed { status: 603 }");
    assert_eq!(fails(DialFailure::Unreachable), "1.000 reject Relayed { status: 404 }");
}

#[test]
fn a_phone_that_rings_for_ever_is_given_up() {
    let log = call(connect(), Phone::Rings, None);
    assert!(log.contains(&"15.000 reject Relayed { status: 480 }".to_owned()), "{log:?}");
}

#[test]
fn a_prompt_is_heard_to_its_end() {
    let prompts = vec![Prompt::Named("closed".into())];
    let play = Treatment::Play { prompts, repeat: Repeat::Times(2) };
    assert_eq!(
        call(play, Phone::Rings, None),
        [
            "0.000 answer",
            "0.000 play",
            "2.000 hangup Normal",
            "2.050 leg ended by Control",
            "2.050 call ended"
        ]
    );
}

#[test]
fn a_refusal_is_given_as_configured_and_an_unknown_number_is_not_found() {
    let refused = call(Treatment::Reject(RejectReason::Busy), Phone::Rings, None);
    assert_eq!(refused[0], "0.000 reject Busy");
    let mut switch = ModelSwitch::new(
        StaticRoutes::new(BTreeMap::new()),
        Watched { phone: Phone::Rings, log: Vec::new() },
    );
    let caller = Caller { number: String::new(), dialled: "100".into(), patience: None };
    switch.call_at(Instant::START, caller);
    switch.run_until(Instant::from_millis(1_000));
    assert_eq!(switch.world().log[0], "0.000 reject NotFound");
}

/// RFC 3960: what a party lets be heard before it answers is the caller's to hear; asked for once, and joined when it may be.
#[test]
fn a_party_that_can_be_heard_early_is_heard_by_the_caller() {
    let (call, caller, party) = (
        CallId { index: 0, generation: 0 },
        LegId { index: 0, generation: 0 },
        LegId { index: 1, generation: 0 },
    );
    for (heard, expected) in [
        (Ok(Outcome::Ok), vec!["dial", "progress", "bridge"]),
        (Err(CommandError::LegEnded), vec!["dial", "progress"]),
    ] {
        let mut asked = Vec::new();
        let mut ask = |command: Command| {
            asked.push(command.name());
            CommandId(asked.len() as u64)
        };
        let Treatment::Connect(route) = connect() else { panic!("a route") };
        let mut machine = StraightThrough::begin(call, caller, route, &mut ask);
        machine.leg_created(party, CommandId(1), &mut ask);
        machine.leg_early_media(party, &mut ask);
        machine.leg_early_media(party, &mut ask);
        machine.done(CommandId(2), &heard, &mut ask);
        assert_eq!(asked, expected);
    }
}
