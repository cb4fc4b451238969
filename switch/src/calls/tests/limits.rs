//! Every maximum, at it and one past it.

use tandem_control_api::{CallFact, CallRecord, Command, Event, Prompt, Repeat};
use tandem_sbc::user_agent as ua;

use super::bench::{Bench, config, dial, hangup, prompts};
use crate::counters::Refusal;
use crate::{Refusal as PublicRefusal, SwitchConfig};

#[test]
fn calls() {
    let mut bench = Bench::with(SwitchConfig { max_calls: 2, ..config() });
    let (first, ..) = bench.offered();
    bench.offered();
    assert_eq!(bench.asked, [""; 0]);
    bench.incoming();
    assert_eq!(bench.asked, ["refuse 503"]);
    assert_eq!(bench.calls.counters().calls_refused[&PublicRefusal::Limit], 1);
    let help = bench.incoming_emergency();
    assert_eq!(bench.asked, ["refuse 503"], "an emergency call passes");
    assert_eq!(bench.calls.counters().calls_offered, 3);
    bench.peer_ends(help, 487);
    bench.peer_ends(first, 487);
    assert_eq!(bench.calls.ledger().calls, 3, "SIP still keeps its transactions");
    bench.offered();
}

#[test]
fn draining_refuses_new_calls_and_lets_the_others_go_on() {
    let mut bench = Bench::new();
    let (_, _, leg) = bench.offered();
    bench.calls.drain();
    bench.incoming();
    assert_eq!(bench.asked, ["refuse 503"]);
    assert_eq!(bench.calls.counters().calls_refused[&Refusal::Draining], 1);
    let answer = bench.command(Command::Answer { leg });
    bench.open_all();
    assert_eq!(bench.ending(answer), "none", "it is being answered");
}

/// RFC 3261 §13.3.1.3: "488 (Not Acceptable Here)" when the session description is not acceptable.
#[test]
fn an_offer_without_a_codec_of_ours_is_not_acceptable() {
    let mut bench = Bench::new();
    bench.incoming_from(ua::Source::Trunk("carrier-a".to_owned()), false);
    assert_eq!(bench.asked, ["refuse 488"]);
    assert!(bench.told.is_empty(), "the control plane is not troubled");
    bench.release_all();
    bench.assert_at_rest();
}

#[test]
fn legs_in_a_call() {
    let mut bench = Bench::new();
    let (_, call, _) = bench.answered();
    let (_, second) = bench.inviting(call);
    bench.inviting(call);
    let fourth = bench.command(dial(call));
    assert_eq!(bench.ending(fourth), "none");
    let fifth = bench.command(dial(call));
    assert_eq!(bench.ending(fifth), "limit: legs in the call");
    bench.command(hangup(second));
    let again = bench.command(dial(call));
    assert_eq!(bench.ending(again), "none", "one that has ended does not count");
}

#[test]
fn facts_in_a_timeline() {
    let mut bench = Bench::new();
    let (session, call, _) = bench.offered();
    for _ in 0..CallRecord::MAX_TIMELINE {
        bench.command(Command::SetData { call, fact: CallFact::AgentOffered { agent: String::new() } });
    }
    let agent = "one too many".to_owned();
    let late = bench.command(Command::SetData { call, fact: CallFact::AgentOffered { agent } });
    assert_eq!(bench.ending(late), "ok", "counted, not refused: a record must not change a call");
    bench.peer_ends(session, 487);
    let record = &bench.records[0];
    assert_eq!((record.timeline.len(), record.timeline_dropped), (CallRecord::MAX_TIMELINE, 1));
}

#[test]
fn legs_in_a_record() {
    let mut bench = Bench::new();
    let (caller, call, _) = bench.answered();
    let (_, answered) = bench.dialled(call);
    bench.command(hangup(answered));
    for _ in 0..CallRecord::MAX_LEGS - 2 {
        bench.inviting(call);
        bench.peer_ends(bench.last_session(), 486);
        bench.close_all();
        bench.release_all();
    }
    bench.inviting(call);
    bench.peer_ends(bench.last_session(), 603);
    bench.peer_ends(caller, 200);
    bench.close_all();
    bench.release_all();
    bench.assert_at_rest();
    let record = &bench.records[0];
    assert_eq!((record.legs.len(), record.legs_dropped), (CallRecord::MAX_LEGS, 1));
    let causes: Vec<&str> = record.legs.iter().map(|leg| leg.end.cause.as_str()).collect();
    assert_eq!(causes[..3], ["normal", "normal", "busy"], "the caller's and the answered one stay");
    assert_eq!(causes.last(), Some(&"declined"), "and so does the last; the first that missed it went");
}

#[test]
fn prompts_in_a_play_and_digits_in_a_prompt() {
    use crate::calls::translate::{MAX_PROMPT_DIGITS, MAX_PROMPTS};
    let mut bench = Bench::new();
    let (_, _, leg) = bench.answered();
    let mut play = |prompts: Vec<Prompt>| {
        let command = Command::Play {
            leg,
            prompts,
            repeat: Repeat::Times(0),
            barge_in: tandem_control_api::BargeIn::Never,
        };
        let id = bench.command(command);
        bench.ending(id)
    };
    let beep = Prompt::Tone(tandem_control_api::Tone::Beep);
    assert_eq!(play(vec![beep.clone(); MAX_PROMPTS]), "none");
    assert_eq!(play(vec![beep; MAX_PROMPTS + 1]), "limit: prompts in a play");
    assert_eq!(play(vec![Prompt::Digits("1".repeat(MAX_PROMPT_DIGITS))]), "none");
    assert_eq!(play(vec![Prompt::Digits("1".repeat(MAX_PROMPT_DIGITS + 1))]), "limit: digits in a prompt");
}

#[test]
fn a_reload_changes_new_calls_only() {
    let mut bench = Bench::new();
    let (_, call, _) = bench.answered();
    let smaller = SwitchConfig { max_legs_per_call: 1, max_calls: 2, ..config() };
    bench.calls.reload(smaller, prompts());
    let dial_old = bench.command(dial(call));
    assert_eq!(bench.ending(dial_old), "none");
    let (_, call, _) = bench.offered();
    let dial_new = bench.command(dial(call));
    assert_eq!(bench.ending(dial_new), "limit: legs in the call");
    bench.incoming();
    assert_eq!(bench.asked.last().unwrap(), "refuse 503");
}

#[test]
fn metrics_count_calls_legs_and_commands() {
    let mut bench = Bench::new();
    let (session, _, leg) = bench.answered();
    bench.command(Command::Unbridge { leg });
    bench.peer_ends(session, 200);
    bench.close_all();
    let counters = bench.calls.counters();
    assert_eq!((counters.calls_offered, counters.calls_answered, counters.calls_ended), (1, 1, 1));
    assert_eq!(counters.legs_ended[&crate::EndCause::Normal], 1);
    assert_eq!(counters.commands[&("answer", "ok")], 1);
    assert_eq!(counters.commands[&("unbridge", "wrong-state")], 1);
    assert!(bench.told.iter().any(|event| matches!(event, Event::CallEnded { .. })));
}
