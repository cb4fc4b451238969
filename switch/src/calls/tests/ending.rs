//! How legs and calls end, what is kept of them, and that nothing is left.

use std::time::Duration;

use tandem_control_api::{CallFact, Command, Direction, EndedBy, Event};
use tandem_media as media;
use tandem_sbc::user_agent as ua;

use super::bench::{Bench, audio, config, hangup, play};
use crate::calls::CALLER_GONE_GRACE;

fn fact(name: &str) -> CallFact {
    CallFact::QueueEntered { queue: name.to_owned() }
}

fn legs_ended(bench: &Bench) -> usize {
    bench.told.iter().filter(|event| matches!(event, Event::LegEnded { .. })).count()
}

#[test]
fn a_call_is_freed_when_sip_media_and_the_control_plane_have_let_go() {
    let mut bench = Bench::new();
    let (session, call, _) = bench.answered();
    bench.peer_ends(session, 200);
    assert_eq!(legs_ended(&bench), 1, "the control plane is told at once");
    assert_eq!(bench.records.len(), 0, "the media totals are not in");
    bench.close_all();
    assert_eq!(bench.records.len(), 1);
    assert!(matches!(bench.told.last(), Some(Event::CallEnded { call: ended, .. }) if *ended == call));
    let ledger = bench.calls.ledger();
    assert_eq!((ledger.calls, ledger.legs, ledger.ports), (1, 1, 0), "SIP still keeps its transactions");
    bench.release_all();
    bench.assert_at_rest();
}

#[test]
fn the_order_of_letting_go_does_not_matter() {
    let mut bench = Bench::new();
    let (session, ..) = bench.answered();
    bench.peer_ends(session, 200);
    bench.release_all();
    assert_eq!((bench.calls.ledger().calls, bench.records.len()), (1, 0));
    bench.close_all();
    bench.assert_at_rest();
    assert_eq!(bench.records.len(), 1);
}

#[test]
fn the_record_tells_the_whole_call() {
    let mut bench = Bench::new();
    let (caller_session, call, caller) = bench.offered();
    let offered = bench.now;
    bench.now += Duration::from_secs(1);
    bench.command(Command::Answer { leg: caller });
    bench.open_all();
    bench.session_event(ua::Event::Media {
        session: caller_session,
        audio: audio(ua::AudioCodec::Pcma).into(),
    });
    bench.session_event(ua::Event::Confirmed { session: caller_session });
    let answered = bench.now;
    bench.command(Command::SetData { call, fact: fact("sales") });
    bench.command(super::bench::dial(call));
    bench.open_all();
    bench.peer_ends(bench.last_session(), 486);
    bench.now += Duration::from_secs(5);
    let (_, agent) = bench.dialled(call);
    bench.now += Duration::from_secs(60);
    bench.command(hangup(agent));
    bench.command(hangup(caller));
    let ended = bench.now;
    bench.now += Duration::from_secs(1);
    bench.close_all();
    let record = &bench.records[0];
    assert_eq!((record.offered, record.answered, record.ended), (offered, Some(answered), ended));
    assert_eq!((record.from.number.as_str(), record.dialled.as_str()), ("+15550199", "+15550100"));
    assert_eq!((record.end.by, record.end.cause.as_str()), (EndedBy::Control, "normal"));
    assert_eq!((record.timeline.len(), record.timeline_dropped), (1, 0));
    assert_eq!((record.timeline[0].at, &record.timeline[0].fact), (answered, &fact("sales")));
    let legs: Vec<_> = record.legs.iter().map(|leg| (leg.direction, leg.end.cause.as_str())).collect();
    let expected =
        [(Direction::Inbound, "normal"), (Direction::Outbound, "busy"), (Direction::Outbound, "normal")];
    assert_eq!(legs, expected);
    assert_eq!((record.legs[0].party.as_str(), record.legs[0].sip_call_id.as_str()), ("+15550199", "call-1"));
    let media = record.legs[0].media.as_ref().unwrap();
    assert_eq!((media.codec.as_str(), media.packets_received), ("PCMA", 7));
    assert_eq!(record.legs[2].ended - record.legs[2].answered.unwrap(), Duration::from_secs(60));
}

/// What a control plane adds on hearing of the end, such as why a caller left the queue, belongs to the record.
#[test]
fn facts_are_taken_until_the_record_is_made() {
    let mut bench = Bench::new();
    let (session, call, _) = bench.offered();
    let end = ua::SessionEnd { by: ua::Ender::Peer, status: 487, reason: String::new() };
    bench.sessions.insert(session, super::bench::Session::Ended);
    bench.calls.handle_session_event(bench.now, ua::Event::Ended { session, end });
    bench.command_undrained(Command::SetData { call, fact: fact("on hearing of the end") });
    bench.drain();
    assert_eq!(bench.records[0].timeline.len(), 1);
    let late = bench.command(Command::SetData { call, fact: fact("late") });
    assert_eq!(bench.ending(late), "unknown-call");
    bench.release_all();
    bench.assert_at_rest();
}

/// RFC 3326 §1: who leaves because another party left is told why that one did; who leaves later is not.
#[test]
fn a_party_s_reason_goes_to_those_who_leave_with_it() {
    for (later, is_told) in [(Duration::ZERO, true), (Duration::from_millis(1), false)] {
        let mut bench = Bench::new();
        let (session, call, _) = bench.answered();
        let (_, agent) = bench.dialled(call);
        let reason = ua::Reason { protocol: ua::ReasonProtocol::Q850, cause: 17 };
        bench.session_event(ua::Event::ReasonStated { session, reason });
        bench.peer_ends(session, 200);
        bench.advance(later);
        bench.command(hangup(agent));
        assert_eq!(bench.asked.contains(&"state Q.850;cause=17".to_owned()), is_told, "{later:?} later");
        bench.close_all();
        bench.release_all();
        let reasons: Vec<_> = bench.records[0].legs.iter().map(|leg| leg.reason.as_deref()).collect();
        assert_eq!(reasons, [Some("Q.850;cause=17"), None]);
    }
}

#[test]
fn when_the_caller_has_gone_the_others_are_hung_up_after_a_grace() {
    let mut bench = Bench::new();
    let (session, call, _) = bench.answered();
    bench.dialled(call);
    bench.inviting(call);
    bench.peer_ends(session, 200);
    bench.command(Command::SetData { call, fact: fact("is not care") });
    bench.advance(CALLER_GONE_GRACE - Duration::from_millis(1));
    assert_eq!(legs_ended(&bench), 1);
    bench.advance(Duration::from_millis(1));
    assert_eq!(legs_ended(&bench), 3);
    bench.close_all();
    bench.release_all();
    bench.assert_at_rest();
    assert_eq!(bench.records[0].legs[1].end.cause, "caller gone");
    assert_eq!(bench.records[0].legs[1].end.by, EndedBy::Switch);
}

#[test]
fn a_command_after_the_caller_has_gone_keeps_the_others() {
    let mut bench = Bench::new();
    let (session, call, _) = bench.answered();
    let (_, agent) = bench.dialled(call);
    bench.peer_ends(session, 200);
    let wrong = bench.command(Command::Unbridge { leg: agent });
    assert_eq!(bench.ending(wrong), "wrong-state", "which is not care either");
    bench.command(play(agent));
    bench.advance(CALLER_GONE_GRACE);
    assert_eq!(legs_ended(&bench), 1);
    let (_, colleague) = bench.dialled(call);
    let bridge = bench.command(Command::Bridge { a: agent, b: colleague });
    assert_eq!(bench.ending(bridge), "ok", "a call may go on without its caller");
}

#[test]
fn a_call_that_lasts_too_long_is_hung_up() {
    let mut bench = Bench::new();
    let (_, call, _) = bench.answered();
    bench.dialled(call);
    bench.advance(config().max_call_duration - Duration::from_millis(1));
    assert_eq!(legs_ended(&bench), 0);
    bench.advance(Duration::from_millis(1));
    assert_eq!(legs_ended(&bench), 2);
    bench.close_all();
    bench.release_all();
    bench.assert_at_rest();
    assert_eq!(bench.records[0].end.cause, "too long");
}

/// Also a caller whom the control plane never answered: no call stays for want of a decision.
#[test]
fn an_offer_that_nobody_takes_is_refused_in_the_end() {
    let mut bench = Bench::new();
    bench.offered();
    bench.advance(config().max_call_duration);
    assert_eq!(legs_ended(&bench), 1);
    bench.release_all();
    bench.assert_at_rest();
}

#[test]
fn a_node_that_stops_hangs_up_everybody() {
    let mut bench = Bench::new();
    let (_, call, _) = bench.answered();
    bench.inviting(call);
    bench.offered();
    bench.calls.hang_up_everybody(bench.now);
    bench.drain();
    assert_eq!(legs_ended(&bench), 3);
    bench.close_all();
    bench.release_all();
    bench.assert_at_rest();
    assert!(bench.records.iter().all(|record| record.end.cause == "node stops"));
}

#[test]
fn a_leg_from_which_nothing_is_heard_ends() {
    let mut bench = Bench::new();
    bench.answered();
    let endpoint = bench.endpoint();
    bench.media_event(endpoint, media::Event::MediaTimeout { endpoint });
    bench.close_all();
    bench.release_all();
    bench.assert_at_rest();
    let end = &bench.records[0].end;
    assert_eq!((end.by, end.cause.as_str()), (EndedBy::Switch, "no media"));
}

#[test]
fn a_session_that_fails_ends_its_leg_in_the_user_agents_words() {
    let mut bench = Bench::new();
    let (session, ..) = bench.answered();
    let end = ua::SessionEnd { by: ua::Ender::Failure, status: 408, reason: "no ACK (timer H)".to_owned() };
    bench.session_event(ua::Event::Ended { session, end });
    bench.close_all();
    let end = &bench.records[0].end;
    assert_eq!((end.by, end.cause.as_str()), (EndedBy::Switch, "no ACK (timer H)"));
}

/// The party's BYE was under way when we hung up.
#[test]
fn whose_hang_up_came_first_is_in_the_record() {
    let mut bench = Bench::new();
    let (session, _, leg) = bench.answered();
    let command = bench.command_undrained(hangup(leg));
    let end = ua::SessionEnd { by: ua::Ender::Peer, status: 200, reason: String::new() };
    bench.sessions.insert(session, super::bench::Session::Ended);
    bench.calls.handle_session_event(bench.now, ua::Event::Ended { session, end });
    bench.drain();
    assert_eq!(bench.ending(command), "ok");
    bench.close_all();
    assert_eq!(bench.records[0].end.by, EndedBy::Party);
}

/// A worker that stops closes its endpoints by itself.
#[test]
fn an_endpoint_that_closes_by_itself_ends_its_leg() {
    let mut bench = Bench::new();
    bench.answered();
    let endpoint = bench.endpoint();
    let closed = media::Event::Closed { endpoint, statistics: media::EndpointStatistics::default() };
    bench.media_event(endpoint, closed);
    assert_eq!(bench.records[0].end.cause, "no media");
    bench.release_all();
    bench.assert_at_rest();
}

#[test]
fn ids_of_what_is_gone_name_nobody_else() {
    let mut bench = Bench::new();
    let (session, call, leg) = bench.answered();
    bench.peer_ends(session, 200);
    bench.close_all();
    bench.release_all();
    let (_, next_call, next_leg) = bench.offered();
    assert_eq!((call.index, leg.index), (next_call.index, next_leg.index), "the slots are used again");
    let stale = [
        bench.command(Command::Answer { leg }),
        bench.command(hangup(leg)),
        bench.command(Command::Bridge { a: next_leg, b: leg }),
    ];
    for command in stale {
        assert_eq!(bench.ending(command), "unknown-leg");
    }
    let stale = bench.command(super::bench::dial(call));
    assert_eq!(bench.ending(stale), "unknown-call");
}

#[test]
fn registrations_are_passed_on() {
    let mut bench = Bench::new();
    bench.session_event(ua::Event::Registration { user: "1001".to_owned(), reachable: true });
    assert_eq!(bench.told, [Event::Registration { user: "1001".to_owned(), reachable: true }]);
}

/// What the user agent says when a session has ended goes into the leg's record.
#[test]
fn the_record_says_what_a_leg_was_called_from_end_to_end() {
    let mut bench = Bench::new();
    let (session, ..) = bench.answered();
    bench.session_event(ua::Event::Named { session, session_id: "1;remote=2".to_owned() });
    bench.peer_ends(session, 200);
    bench.close_all();
    bench.release_all();
    assert_eq!(bench.records[0].legs[0].session_id.as_deref(), Some("1;remote=2"));
}
