//! What answers at the carrier is found out by what it says: people synthesised by espeak-ng, machines with their beep,
//! tones of the network. The record says what and why.

use std::sync::Arc;
use std::time::Duration;

use tandem_peers::{Node, Voice};
use tandem_phone::{Manner, Phone};
use tandem_store::StoredCall;

use crate::support::{CALLER_HZ, PATIENCE, caller, carrier_whose, node_with, only_record, runtime};

const STRAIGHT: &str = "+15550111";
const PARTY: &str = "+15550199";
const PARTY_HZ: u16 = 900;

/// A node that listens to what answers at the carrier; its number +15550105 leads to the agent at a number there.
fn listening() -> Node {
    const FLOW: &str = "start = \"wait\"\n[activities.wait]\ntype = \"queue\"\nqueue = \"outside\"\n\
                        exits = { failure = \"end\" }\n[activities.end]\ntype = \"disconnect\"\n";
    node_with(|folder, config| {
        std::fs::write(folder.join("flows/outside.toml"), FLOW).expect("the flow is written");
        let config = config.replace("name = \"carrier-a\"", "name = \"carrier-a\"\ncall_progress = {}");
        format!("{config}\n[[entry_point]]\nnumber = \"+15550105\"\nflow = \"outside\"\n")
    })
}

fn silence(ms: usize) -> Vec<i16> {
    vec![0; ms * 8]
}

fn tone(hz: f64, ms: usize) -> Vec<i16> {
    let at = |n: usize| (6_000.0 * (std::f64::consts::TAU * hz * n as f64 / 8_000.0).sin()) as i16;
    (0..ms * 8).map(at).collect()
}

fn person() -> Vec<i16> {
    let hello = Voice::new("en-us+f2").say("Hello, Zoe speaking.").expect("espeak-ng");
    [silence(400), hello, silence(1_500)].concat()
}

fn machine() -> Vec<i16> {
    let greeting = Voice::new("en-gb").say(
        "You have reached the voice mail of Zoe. I can not take your call right now. Leave a message after the tone.",
    );
    [silence(500), greeting.expect("espeak-ng"), silence(400), tone(1_000.0, 500), silence(1_500)].concat()
}

/// Says that when it has answered, then its tone.
fn saying(audio: &[i16]) -> Manner {
    Manner { says: Some(Arc::from(audio)), ..Manner::polite(PARTY_HZ, Duration::from_millis(200)) }
}

fn facts<'a>(record: &'a StoredCall, kind: &str) -> Vec<(&'a str, &'a str)> {
    let facts = record.timeline.iter().filter(|fact| fact.kind == kind);
    facts.map(|fact| (fact.subject.as_str(), fact.detail.as_deref().unwrap_or_default())).collect()
}

#[test]
fn an_agent_s_voice_gets_the_caller() {
    let (mut node, runtime) = (listening(), runtime());
    let carrier = carrier_whose(&runtime, &node, [(PARTY.to_owned(), saying(&person()))]);
    let call = carrier.call("+15551234", "+15550105", caller()).expect("a call");
    let agent = carrier.incoming(PATIENCE).expect("the agent is rung");
    let talk = Duration::from_secs(1);
    carrier.hears(call, PARTY_HZ, talk, PATIENCE).expect("the caller hears the agent");
    carrier.hears(agent, CALLER_HZ, talk, PATIENCE).expect("the agent hears the caller");
    carrier.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
    for leg in [call, agent] {
        assert_eq!(carrier.ended(leg, PATIENCE).expect("the call ends").status, 200);
    }
    let record = only_record(&mut node);
    assert_eq!(record.agent.as_deref(), Some("zoe"));
    let [(verdict, why)] = facts(&record, "call-progress")[..] else { panic!("{:#?}", record.timeline) };
    assert_eq!(verdict, "live-voice");
    assert!(why.contains("s speech at -"), "{why}");
}

#[test]
fn an_agent_s_machine_does_not_get_the_caller() {
    let (mut node, runtime) = (listening(), runtime());
    let carrier = carrier_whose(&runtime, &node, [(PARTY.to_owned(), saying(&machine()))]);
    let call = carrier.call("+15551234", "+15550105", caller()).expect("a call");
    let agent = carrier.incoming(PATIENCE).expect("the agent is rung");
    let report = carrier.ended(agent, PATIENCE).expect("the machine is hung up on");
    assert_eq!(report.status, 200, "by BYE, since it had answered");
    carrier.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
    carrier.ended(call, PATIENCE).expect("the call ends");
    let record = only_record(&mut node);
    assert_eq!((record.queue.as_deref(), record.agent.as_deref()), (Some("outside"), None));
    assert_eq!(facts(&record, "agent-missed"), [("zoe", "answering-machine")]);
    assert_eq!(facts(&record, "call-progress")[0].0, "answering-machine");
}

/// Straight through the caller is connected whatever answers; the record says what it was, and when the machine beeped.
#[test]
fn what_answers_a_call_straight_through_is_in_its_record() {
    let busy = [tone(425.0, 480), silence(480)].concat().repeat(4);
    for (says, verdict, beep) in [
        (person(), "live-voice", None),
        (machine(), "answering-machine", Some("heard")),
        (busy, "busy", None),
    ] {
        let (mut node, runtime) = (listening(), runtime());
        let carrier = carrier_whose(&runtime, &node, [(PARTY.to_owned(), saying(&says))]);
        let call = carrier.call("+15551111", STRAIGHT, caller()).expect("a call");
        let party = carrier.incoming(PATIENCE).expect("the party is rung");
        let talk = Duration::from_secs(1);
        carrier
            .hears(call, PARTY_HZ, talk, PATIENCE)
            .expect("the caller hears what comes after the greeting");
        carrier.hears(party, CALLER_HZ, talk, PATIENCE).expect("the party hears the caller");
        carrier.act(move |phone, now| Phone::hang_up(phone, now, call)).expect("the caller hangs up");
        for leg in [call, party] {
            assert_eq!(carrier.ended(leg, PATIENCE).expect("the call ends").status, 200);
        }
        let record = only_record(&mut node);
        let found: Vec<&str> = facts(&record, "call-progress").iter().map(|fact| fact.0).collect();
        assert_eq!(found, [verdict], "{:#?}", record.timeline);
        assert_eq!(facts(&record, "beep").first().map(|fact| fact.0), beep, "{:#?}", record.timeline);
    }
}
