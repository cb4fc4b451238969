//! Legs whose media does not pass us: no endpoint, no port, no word to a worker.

use std::time::Duration;

use tandem_control_api::{CallId, Command, CommandId, DialTarget, LegId, MediaPath};
use tandem_sbc::user_agent as ua;

use super::bench::{Bench, dial, hangup, play};

fn dial_direct(call: CallId) -> Command {
    let target = DialTarget::Trunk { trunk: "carrier-b".to_owned(), number: "+15559999".to_owned() };
    let ring_timeout = Duration::from_secs(20);
    Command::Dial { call, target, caller_id: None, ring_timeout, media: MediaPath::Direct }
}

/// An offered caller and the leg dialled for it.
fn dialled(bench: &mut Bench) -> (ua::SessionId, CallId, LegId, LegId, CommandId) {
    let (session, call, caller) = bench.offered();
    let dial = bench.command(dial_direct(call));
    let party = bench.created();
    (session, call, caller, party, dial)
}

#[test]
fn two_parties_are_joined_without_an_endpoint() {
    let mut bench = Bench::new();
    let (session, _, caller, party, dial) = dialled(&mut bench);
    let early = bench.command(Command::Answer { leg: caller });
    assert_eq!(bench.ending(early), "wrong-state", "the party has not answered");
    let called = bench.last_session();
    bench.session_event(ua::Event::Ringing { session: called });
    bench.session_event(ua::Event::Answered { session: called });
    assert_eq!(bench.ending(dial), "answered");
    let answer = bench.command(Command::Answer { leg: caller });
    bench.session_event(ua::Event::Confirmed { session });
    assert_eq!(bench.ending(answer), "answered");
    let bridge = bench.command(Command::Bridge { a: caller, b: party });
    assert_eq!(bench.ending(bridge), "ok");
    assert_eq!(bench.asked, ["invite through", "accept through"], "nothing was asked of a worker");
    assert_eq!(bench.calls.ledger().ports, 0);

    bench.peer_ends(called, 200);
    bench.command(hangup(caller));
    bench.release_all();
    bench.assert_at_rest();
    let record = bench.records.first().expect("a record");
    assert!(record.legs.iter().all(|leg| leg.media_path == MediaPath::Direct && leg.media.is_none()));
}

/// RFC 6086: what a party says in SIP reaches the other one no other way.
#[test]
fn keys_in_sip_go_on_to_the_other_party() {
    let mut bench = Bench::new();
    let (session, _, caller, party, _) = dialled(&mut bench);
    let called = bench.last_session();
    bench.session_event(ua::Event::Answered { session: called });
    bench.command(Command::Answer { leg: caller });
    bench.session_event(ua::Event::Confirmed { session });
    bench.asked.clear();
    bench.session_event(ua::Event::Digit { session, digit: '5' });
    assert_eq!(bench.asked, Vec::<String>::new(), "they are not joined yet");
    bench.command(Command::Bridge { a: caller, b: party });
    bench.session_event(ua::Event::Digit { session, digit: '7' });
    bench.session_event(ua::Event::Digit { session: called, digit: '#' });
    assert_eq!(bench.asked, ["send 7", "send #"]);
}

#[test]
fn what_needs_media_of_ours_is_refused() {
    let mut bench = Bench::new();
    let (session, call, caller, party, _) = dialled(&mut bench);
    let called = bench.last_session();
    bench.session_event(ua::Event::Answered { session: called });
    let again = bench.command(dial_direct(call));
    assert_eq!(bench.ending(again), "wrong-state", "one at a time");
    bench.command(Command::Answer { leg: caller });
    bench.session_event(ua::Event::Confirmed { session });
    let refused = [
        play(caller),
        Command::Stop { leg: party },
        Command::Bridge { a: caller, b: caller },
        dial_direct(call),
    ];
    for command in refused {
        let name = command.name();
        let id = bench.command(command);
        assert_eq!(bench.ending(id), "wrong-state", "{name}");
    }
    bench.command(Command::Bridge { a: caller, b: party });
    let unbridge = bench.command(Command::Unbridge { leg: caller });
    assert_eq!(bench.ending(unbridge), "wrong-state");
    let (_, third) = bench.dialled(call);
    let mixed = bench.command(Command::Bridge { a: caller, b: third });
    assert_eq!(bench.ending(mixed), "wrong-state");
}

#[test]
fn a_caller_whose_party_did_not_answer_may_be_answered_by_us() {
    let mut bench = Bench::new();
    let (session, call, caller, _, dialled) = dialled(&mut bench);
    let called = bench.last_session();
    bench.peer_ends(called, 486);
    assert_eq!(bench.ending(dialled), "not answered: busy");
    bench.command(dial(call));
    let answer = bench.command(Command::Answer { leg: caller });
    bench.open_all();
    bench
        .session_event(ua::Event::Media { session, audio: super::bench::audio(ua::AudioCodec::Pcmu).into() });
    bench.session_event(ua::Event::Confirmed { session });
    assert_eq!(bench.ending(answer), "answered");
}

#[test]
fn the_ring_timeout_cancels_it() {
    let mut bench = Bench::new();
    let (_, _, caller, _, dialled) = dialled(&mut bench);
    bench.advance(Duration::from_secs(20));
    assert_eq!(bench.ending(dialled), "not answered: no answer");
    bench.command(hangup(caller));
    bench.release_all();
    bench.assert_at_rest();
}
