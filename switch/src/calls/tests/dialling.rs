//! Dialled legs: ringing, answers, failures, and the races with hanging up.

use std::time::Duration;

use tandem_control_api::{CallId, Command, DialTarget, EndedBy, Event, HangupCause, LegId, MediaPath};
use tandem_media as media;
use tandem_sbc::user_agent as ua;
use tandem_sbc::user_agent::{SessionError, SessionId};

use super::bench::{Bench, Endpoint, audio, dial, hangup};
use crate::calls::MAX_OPEN_ATTEMPTS;

const RING_TIMEOUT: Duration = Duration::from_secs(20);

fn caller_gone(bench: &mut Bench, session: SessionId) {
    bench.peer_ends(session, 200);
    bench.close_all();
    bench.release_all();
    bench.assert_at_rest();
}

#[test]
fn a_dial_is_done_when_the_party_answered_and_audio_is_agreed() {
    let mut bench = Bench::new();
    let (caller, call, _) = bench.answered();
    let command = bench.command(dial(call));
    let leg = bench.created();
    bench.open_all();
    let session = bench.last_session();
    bench.session_event(ua::Event::Ringing { session });
    bench.session_event(ua::Event::Ringing { session });
    let ringing = Event::LegRinging { call, leg };
    assert_eq!(bench.told.iter().filter(|event| **event == ringing).count(), 1, "told once");
    bench.session_event(ua::Event::Answered { session });
    assert_eq!(bench.ending(command), "none");
    bench.session_event(ua::Event::Media { session, audio: audio(ua::AudioCodec::Pcmu).into() });
    assert_eq!(bench.ending(command), "answered");
    bench.advance(RING_TIMEOUT);
    assert!(!bench.told.iter().any(|event| matches!(event, Event::LegEnded { .. })), "it rings no more");
    bench.peer_ends(session, 200);
    caller_gone(&mut bench, caller);
    let leg = &bench.records[0].legs[1];
    assert_eq!((leg.party.as_str(), leg.sip_call_id.as_str()), ("alice", "dialled-call"));
    assert!(leg.ringing.is_some() && leg.answered.is_some());
}

/// A caller that is answered, and a leg dialled for it that can be heard.
fn early(bench: &mut Bench) -> (CallId, LegId, SessionId, LegId) {
    let (_, call, caller) = bench.answered();
    let (session, leg) = bench.inviting(call);
    bench.session_event(ua::Event::EarlyMedia { session, audio: audio(ua::AudioCodec::Pcmu).into() });
    (call, caller, session, leg)
}

#[test]
fn a_caller_hears_the_party_before_it_answers_when_they_are_bridged() {
    let mut bench = Bench::new();
    let (call, caller, session, leg) = early(&mut bench);
    assert!(bench.told.contains(&Event::LegEarlyMedia { call, leg }));
    assert_eq!(bench.asked.last().map(String::as_str), Some("configure"));
    bench.session_event(ua::Event::Ringing { session });
    assert!(bench.told.contains(&Event::LegRinging { call, leg }), "that it rings is told too");
    let bridge = bench.command(Command::Bridge { a: caller, b: leg });
    assert_eq!(bench.ending(bridge), "ok");
    bench.asked.clear();
    bench.session_event(ua::Event::Media { session, audio: audio(ua::AudioCodec::Pcmu).into() });
    bench.session_event(ua::Event::Answered { session });
    let told = Event::LegEarlyMedia { call, leg };
    assert_eq!(bench.told.iter().filter(|event| **event == told).count(), 1);
    assert_eq!(bench.asked, ["configure", "configure"], "the bridge stands");
    let play = bench.command(super::bench::play(leg));
    assert_eq!(bench.ending(play), "wrong-state", "it is bridged, and answered");
    bench.peer_ends(session, 200);
    let play = bench.command(super::bench::play(caller));
    assert_eq!(bench.ending(play), "none", "it plays");
}

#[test]
fn a_party_that_was_heard_and_refuses_leaves_the_caller_for_itself() {
    let mut bench = Bench::new();
    let (_, caller, session, leg) = early(&mut bench);
    bench.command(Command::Bridge { a: leg, b: caller });
    bench.asked.clear();
    bench.peer_ends(session, 486);
    assert_eq!(bench.asked, ["unbridge", "close"]);
    let play = bench.command(super::bench::play(caller));
    assert_eq!(bench.ending(play), "none", "it plays");
}

#[test]
fn two_parties_that_have_not_answered_do_not_hear_each_other() {
    let mut bench = Bench::new();
    let (call, _, _, one) = early(&mut bench);
    let (session, other) = bench.inviting(call);
    bench.session_event(ua::Event::EarlyMedia { session, audio: audio(ua::AudioCodec::Pcmu).into() });
    let bridge = bench.command(Command::Bridge { a: one, b: other });
    assert_eq!(bench.ending(bridge), "wrong-state");
}

#[test]
fn ringing_too_long_is_no_answer() {
    let mut bench = Bench::new();
    let (caller, call, _) = bench.answered();
    let command = bench.command(dial(call));
    bench.open_all();
    let session = bench.last_session();
    bench.session_event(ua::Event::Ringing { session });
    bench.advance(RING_TIMEOUT - Duration::from_millis(1));
    assert_eq!(bench.ending(command), "none");
    bench.advance(Duration::from_millis(1));
    assert_eq!(bench.ending(command), "not answered: no answer");
    assert_eq!(bench.asked.iter().filter(|asked| *asked == "hang up: no answer").count(), 1);
    caller_gone(&mut bench, caller);
    let end = &bench.records[0].legs[1].end;
    assert_eq!((end.by, end.cause.as_str()), (EndedBy::Switch, "no answer"));
}

/// The answer was under way when we gave up: whatever the user agent still reports, the dial stays not answered.
#[test]
fn an_answer_that_crosses_the_ring_timeout_changes_nothing() {
    let mut bench = Bench::new();
    let (caller, call, _) = bench.answered();
    let command = bench.command(dial(call));
    bench.open_all();
    let session = bench.last_session();
    bench.calls.handle_timeout(bench.now + RING_TIMEOUT);
    bench.calls.handle_session_event(bench.now, ua::Event::Answered { session });
    let audio = audio(ua::AudioCodec::Pcmu);
    bench.calls.handle_session_event(bench.now, ua::Event::Media { session, audio: audio.into() });
    bench.drain();
    assert_eq!(bench.ending(command), "not answered: no answer");
    caller_gone(&mut bench, caller);
    assert_eq!(bench.records[0].legs[1].answered, None);
}

#[test]
fn hanging_up_before_the_endpoint_is_open_invites_nobody() {
    let mut bench = Bench::new();
    let (caller, call, _) = bench.answered();
    let command = bench.command(dial(call));
    let leg = bench.created();
    let hangup = bench.command(Command::Hangup { leg, cause: HangupCause::Cancelled });
    assert_eq!(bench.ending(command), "not answered: cancelled");
    assert_eq!(bench.ending(hangup), "ok");
    bench.open_all();
    assert!(bench.invites.is_empty());
    caller_gone(&mut bench, caller);
    let record = &bench.records[0].legs[1];
    assert_eq!((record.end.status, record.end.cause.as_str()), (0, "cancelled"));
}

#[test]
fn hanging_up_while_it_is_invited_or_rings_cancels() {
    for rings in [false, true] {
        let mut bench = Bench::new();
        let (caller, call, _) = bench.answered();
        let command = bench.command(dial(call));
        let leg = bench.created();
        bench.open_all();
        let session = bench.last_session();
        if rings {
            bench.session_event(ua::Event::Ringing { session });
        }
        let hangup = bench.command(hangup(leg));
        assert_eq!(bench.ending(command), "not answered: cancelled");
        assert_eq!(bench.ending(hangup), "ok");
        caller_gone(&mut bench, caller);
        assert_eq!(bench.records[0].legs[1].end.by, EndedBy::Control);
    }
}

#[test]
fn a_refusal_tells_why_and_is_in_the_record() {
    let mut bench = Bench::new();
    let (caller, call, _) = bench.answered();
    let command = bench.command(dial(call));
    bench.open_all();
    bench.peer_ends(bench.last_session(), 486);
    assert_eq!(bench.ending(command), "not answered: busy");
    caller_gone(&mut bench, caller);
    let record = &bench.records[0].legs[1];
    assert_eq!((record.end.by, record.end.status), (EndedBy::Party, 486));
    assert_eq!(record.end.cause, "busy");
}

#[test]
fn nobody_to_invite_is_unreachable() {
    for (error, ending) in [
        (SessionError::NotRegistered, "not answered: unreachable"),
        (SessionError::UnknownTrunk, "not answered: unreachable"),
        (SessionError::NoCommonCodec, "not answered: no media"),
    ] {
        let mut bench = Bench::new();
        let (caller, call, _) = bench.answered();
        bench.invite_error = Some(error);
        let command = bench.command(dial(call));
        bench.open_all();
        assert_eq!(bench.ending(command), ending);
        caller_gone(&mut bench, caller);
        assert_eq!(bench.records[0].legs.len(), 2, "a dial that failed has its record");
    }
}

#[test]
fn no_endpoint_is_no_media() {
    let mut bench = Bench::new();
    let (caller, call, _) = bench.answered();
    let command = bench.command(dial(call));
    for _ in 0..MAX_OPEN_ATTEMPTS {
        assert_eq!(bench.ending(command), "none");
        let endpoint = bench.in_phase(Endpoint::Opening)[0];
        bench.media_event(endpoint, media::Event::OpenFailed { endpoint });
    }
    assert_eq!(bench.ending(command), "not answered: no media");
    caller_gone(&mut bench, caller);
}

#[test]
fn without_a_port_left_there_is_no_leg() {
    let mut bench =
        Bench::with(crate::SwitchConfig { media_ports: 20_000..=20_001, ..super::bench::config() });
    let (_, call, _) = bench.answered();
    let command = bench.command(dial(call));
    assert_eq!(bench.ending(command), "not answered: no media");
    assert!(!bench.told.iter().any(|event| matches!(event, Event::LegCreated { .. })));
}

#[test]
fn nobody_and_no_time_are_invalid() {
    let mut bench = Bench::new();
    let (_, call, _) = bench.answered();
    let target = DialTarget::User(String::new());
    let ring_timeout = Duration::from_secs(1);
    let nobody = bench.command(Command::Dial {
        call,
        target,
        caller_id: None,
        ring_timeout,
        media: MediaPath::Anchored,
    });
    assert_eq!(bench.ending(nobody), "invalid: target");
    let target = DialTarget::User("alice".to_owned());
    let ring_timeout = Duration::ZERO;
    let no_time = bench.command(Command::Dial {
        call,
        target,
        caller_id: None,
        ring_timeout,
        media: MediaPath::Anchored,
    });
    assert_eq!(bench.ending(no_time), "invalid: ring_timeout");
}
