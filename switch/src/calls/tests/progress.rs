//! Callers who hear a party before either is answered (RFC 3960).

use tandem_control_api::{CallId, Command, LegId, RejectReason};
use tandem_media as media;
use tandem_sbc::user_agent as ua;

use super::bench::{Bench, audio, dial, hangup, play};

/// An offered caller, and a party dialled for it who can be heard.
fn early(bench: &mut Bench) -> (ua::SessionId, CallId, LegId, ua::SessionId, LegId) {
    let (session, call, caller) = bench.offered();
    bench.command(dial(call));
    let party = bench.created();
    bench.open_all();
    let called = bench.last_session();
    bench.session_event(ua::Event::EarlyMedia { session: called, audio: audio(ua::AudioCodec::Pcmu).into() });
    (session, call, caller, called, party)
}

#[test]
fn a_caller_hears_a_party_before_either_is_answered_and_goes_on_hearing_it() {
    let mut bench = Bench::new();
    let (session, _, caller, called, party) = early(&mut bench);
    let progress = bench.command(Command::Progress { leg: caller });
    bench.open_all();
    assert_eq!(bench.ending(progress), "ok");
    let bridge = bench.command(Command::Bridge { a: caller, b: party });
    assert_eq!(bench.ending(bridge), "ok");
    bench.session_event(ua::Event::Answered { session: called });
    let answer = bench.command(Command::Answer { leg: caller });
    bench.session_event(ua::Event::Confirmed { session });
    assert_eq!(bench.ending(answer), "answered");
    let asked = bench.asked.len();
    let again = bench.command(Command::Bridge { a: caller, b: party });
    assert_eq!((bench.ending(again).as_str(), bench.asked.len()), ("ok", asked), "they are joined already");
    bench.peer_ends(called, 200);
    bench.command(hangup(caller));
    bench.close_all();
    bench.release_all();
    bench.assert_at_rest();
}

/// RFC 3960: an announcement of our own, for which nobody charges.
#[test]
fn an_announcement_is_heard_before_the_answer_which_ends_it() {
    let mut bench = Bench::new();
    let (session, _, caller) = bench.offered();
    let too_early = bench.command(play(caller));
    assert_eq!(bench.ending(too_early), "wrong-state", "nothing is heard yet");
    bench.command(Command::Progress { leg: caller });
    bench.open_all();
    let heard = bench.command(play(caller));
    let endpoint = bench.endpoint();
    let end = media::PlayEnd::Finished;
    bench.media_event(endpoint, media::Event::PlayEnded { endpoint, play: media::PlayId(1), end });
    assert_eq!(bench.ending(heard), "played Finished");
    let stopped = bench.command(play(caller));
    bench.command(Command::Stop { leg: caller });
    assert_eq!(bench.ending(stopped), "played Stopped");
    let cut = bench.command(play(caller));
    let answer = bench.command(Command::Answer { leg: caller });
    assert_eq!(bench.ending(cut), "played Stopped");
    bench.session_event(ua::Event::Media { session, audio: audio(ua::AudioCodec::Pcmu).into() });
    bench.session_event(ua::Event::Confirmed { session });
    assert_eq!(bench.ending(answer), "answered");
    let after = bench.command(play(caller));
    bench.peer_ends(session, 200);
    assert_eq!(bench.ending(after), "leg-ended");
}

#[test]
fn a_caller_who_hangs_up_during_an_announcement_leaves_nothing_behind() {
    let mut bench = Bench::new();
    let (session, _, caller) = bench.offered();
    bench.command(Command::Progress { leg: caller });
    bench.open_all();
    let play = bench.command(play(caller));
    bench.peer_ends(session, 487);
    assert_eq!(bench.ending(play), "leg-ended");
    bench.close_all();
    bench.release_all();
    bench.assert_at_rest();
}

#[test]
fn a_caller_who_may_not_hear_early_is_answered_all_the_same() {
    let mut bench = Bench::new();
    let (session, _, caller, called, party) = early(&mut bench);
    bench.accept_error = Some(ua::SessionError::NoOffer);
    let progress = bench.command(Command::Progress { leg: caller });
    bench.open_all();
    assert_eq!(bench.ending(progress), "wrong-state");
    let bridge = bench.command(Command::Bridge { a: caller, b: party });
    assert_eq!(bench.ending(bridge), "wrong-state");
    bench.session_event(ua::Event::Answered { session: called });
    let answer = bench.command(Command::Answer { leg: caller });
    bench.session_event(ua::Event::Media { session, audio: audio(ua::AudioCodec::Pcmu).into() });
    bench.session_event(ua::Event::Confirmed { session });
    assert_eq!(bench.ending(answer), "answered");
}

#[test]
fn an_answer_overtakes_what_was_to_be_heard_before_it() {
    let mut bench = Bench::new();
    let (_, _, caller, called, _) = early(&mut bench);
    let progress = bench.command(Command::Progress { leg: caller });
    bench.session_event(ua::Event::Answered { session: called });
    bench.command(Command::Answer { leg: caller });
    assert_eq!(bench.ending(progress), "ok");
    bench.open_all();
    assert!(bench.asked.contains(&"accept".to_owned()) && !bench.asked.contains(&"progress".to_owned()));
}

#[test]
fn a_caller_who_heard_an_announcement_can_be_refused() {
    let mut bench = Bench::new();
    let (_, _, caller, called, party) = early(&mut bench);
    bench.command(Command::Progress { leg: caller });
    bench.open_all();
    bench.command(Command::Bridge { a: caller, b: party });
    bench.peer_ends(called, 404);
    let reject =
        bench.command(Command::Reject { leg: caller, reason: RejectReason::Relayed { status: 404 } });
    assert_eq!(bench.ending(reject), "ok");
    assert!(bench.asked.contains(&"refuse 404".to_owned()), "{:?}", bench.asked);
    bench.close_all();
    bench.release_all();
    bench.assert_at_rest();
}
