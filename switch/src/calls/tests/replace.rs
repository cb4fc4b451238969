//! A session takes another one's place (RFC 3891): who hears whom, what the control plane is told, and the record.

use tandem_control_api::{CallFact, CallId, Command, CommandId, Event, LegId, Origin};
use tandem_sbc::user_agent as ua;
use tandem_sbc::user_agent::{SessionError, SessionId};

use super::bench::{Bench, Session, audio, dial, play};

fn bob() -> ua::Source {
    ua::Source::User("bob".to_owned())
}

struct Scene {
    bench: Bench,
    call: CallId,
    caller: LegId,
    agent: (SessionId, LegId),
}

fn talking() -> Scene {
    let mut bench = Bench::new();
    let (_, call, caller) = bench.answered();
    let agent = bench.dialled(call);
    bench.command(Command::Bridge { a: caller, b: agent.1 });
    bench.asked.clear();
    Scene { bench, call, caller, agent }
}

fn agrees(bench: &mut Bench, session: SessionId) {
    bench.session_event(ua::Event::Media { session, audio: audio(ua::AudioCodec::Pcma).into() });
    bench.session_event(ua::Event::Confirmed { session });
}

fn asked(bench: &mut Bench) -> Vec<String> {
    std::mem::take(&mut bench.asked)
}

impl Bench {
    /// Everybody who is up hangs up, and nothing is left.
    pub(super) fn wind_up(&mut self) {
        for session in self.sessions.keys().copied().collect::<Vec<_>>() {
            if self.sessions.get(&session) == Some(&Session::Up) {
                self.peer_ends(session, 200);
            }
        }
        self.close_all();
        self.release_all();
        self.assert_at_rest();
    }
}

/// RFC 3891 §3: the new one is accepted at the same endpoint, the old one is hung up; the caller hears the new one.
#[test]
fn a_leg_that_talks_goes_on_in_another_session() {
    let Scene { mut bench, call, caller, agent: (old, leg) } = talking();
    let session = bench.replacing(bob(), old, true);
    assert_eq!(asked(&mut bench), ["accept"], "nothing has changed yet");
    let (of_dialled, of_newcomer) = (&bench.invites[0].media, &bench.accepts[1]);
    assert_eq!(of_newcomer.rtp, of_dialled.rtp);
    agrees(&mut bench, session);
    assert_eq!(asked(&mut bench), ["hang up: replaced", "configure"]);
    let by = Origin::User("bob".to_owned());
    assert!(bench.told.contains(&Event::LegReplaced { call, leg, by }));
    bench.release_all();
    // It is the leg's session now in every way.
    bench.session_event(ua::Event::Digit { session, digit: '5' });
    assert_eq!(asked(&mut bench), ["digit"]);
    bench.peer_ends(session, 200);
    assert_eq!(asked(&mut bench), ["unbridge", "close"]);
    let is_end = |event: &Event| matches!(event, Event::LegEnded { leg: ended, .. } if *ended == leg);
    assert!(bench.told.iter().any(is_end));
    let is_for_itself = bench.command(play(caller));
    assert_eq!(bench.ending(is_for_itself), "none");
    bench.wind_up();
    let record = bench.records.first().expect("a record");
    assert_eq!(record.legs.len(), 2);
    assert_eq!((record.legs[1].party.as_str(), record.legs[1].sip_call_id.as_str()), ("bob", "call-3"));
    let fact = CallFact::LegReplaced { leg, party: "alice".into(), sip_call_id: "dialled-call".into() };
    assert_eq!(record.timeline.iter().map(|entry| &entry.fact).collect::<Vec<_>>(), [&fact]);
}

fn ringing(has_early_media: bool) -> (Bench, CommandId, LegId, (SessionId, LegId)) {
    let mut bench = Bench::new();
    let (_, call, caller) = bench.answered();
    let command = bench.command(dial(call));
    let leg = bench.created();
    bench.open_all();
    let session = bench.last_session();
    bench.session_event(ua::Event::Ringing { session });
    if has_early_media {
        bench.session_event(ua::Event::EarlyMedia { session, audio: audio(ua::AudioCodec::Pcmu).into() });
        bench.command(Command::Bridge { a: caller, b: leg });
    }
    bench.asked.clear();
    (bench, command, caller, (session, leg))
}

/// RFC 3891 §3: who takes over a call that rings has answered it.
#[test]
fn a_leg_that_rings_is_answered_by_it() {
    for has_early_media in [false, true] {
        let (mut bench, command, _, (old, leg)) = ringing(has_early_media);
        let session = bench.replacing(ua::Source::User("alice".to_owned()), old, true);
        agrees(&mut bench, session);
        assert_eq!(bench.ending(command), "answered");
        assert!(asked(&mut bench).contains(&"hang up: replaced".to_owned()));
        // The old one was answered at the same time: nobody is there to hear of it.
        bench.session_event(ua::Event::Answered { session: old });
        bench.advance(std::time::Duration::from_secs(60));
        assert_eq!(asked(&mut bench), Vec::<String>::new(), "it rings no more");
        bench.peer_ends(session, 200);
        let is_end = |event: &Event| matches!(event, Event::LegEnded { leg: ended, .. } if *ended == leg);
        assert!(bench.told.iter().any(is_end));
        bench.wind_up();
    }
}

/// RFC 3891 §3: what cannot be accepted leaves the matched dialog unchanged.
#[test]
fn who_is_refused_changes_nothing() {
    let Scene { mut bench, agent: (old, _), .. } = talking();
    let stranger = SessionId { index: 99, generation: 0 };
    for (replaced, acceptable, answer) in [(old, false, "refuse 488"), (stranger, true, "refuse 481")] {
        bench.replacing(bob(), replaced, acceptable);
        assert_eq!(asked(&mut bench), [answer]);
    }
    bench.accept_error = Some(SessionError::NoCommonCodec);
    bench.replacing(bob(), old, true);
    assert_eq!(asked(&mut bench), ["accept", "refuse 488"]);
    // One at a time; the first gives up before its ACK, the next may come.
    let first = bench.replacing(bob(), old, true);
    bench.replacing(bob(), old, true);
    assert_eq!(asked(&mut bench), ["accept", "refuse 486"]);
    bench.peer_ends(first, 487);
    let second = bench.replacing(bob(), old, true);
    agrees(&mut bench, second);
    assert_eq!(asked(&mut bench), ["accept", "hang up: replaced", "configure"]);
    bench.wind_up();
    assert_eq!(bench.records[0].timeline.len(), 1);
}

/// The party hangs up meanwhile: who was to go on in its place has nobody to talk to.
#[test]
fn the_leg_ends_first() {
    let Scene { mut bench, agent: (old, _), .. } = talking();
    let session = bench.replacing(bob(), old, true);
    asked(&mut bench);
    bench.peer_ends(old, 200);
    assert_eq!(asked(&mut bench), ["unbridge", "hang up: replaced", "close"]);
    bench.session_event(ua::Event::Media { session, audio: audio(ua::AudioCodec::Pcmu).into() });
    assert_eq!(asked(&mut bench), Vec::<String>::new());
    bench.replacing(bob(), old, true);
    assert_eq!(asked(&mut bench), ["refuse 603"]);
    bench.wind_up();
}

/// What a leg hears goes on: a collection does not begin anew because the phone is another one.
#[test]
fn what_is_under_way_goes_on() {
    let mut bench = Bench::new();
    let (old, _, leg) = bench.answered();
    let plays = bench.command(play(leg));
    let session = bench.replacing(ua::Source::Trunk("carrier-a".to_owned()), old, true);
    agrees(&mut bench, session);
    assert_eq!(bench.ending(plays), "none");
    bench.peer_ends(session, 200);
    assert_eq!(bench.ending(plays), "leg-ended");
    bench.wind_up();
    assert_eq!(bench.records[0].legs[0].party, "+15550188");
}

/// RFC 3891 §3, `early-only`: who picks up what rings does not get what has been answered, however late that shows.
#[test]
fn a_pick_up_is_of_what_rings() {
    let Scene { mut bench, agent: (old, _), .. } = talking();
    bench.early_only = true;
    bench.replacing(bob(), old, true);
    assert_eq!(asked(&mut bench), ["refuse 486"]);
    bench.wind_up();

    let (mut bench, command, _, (old, _)) = ringing(false);
    bench.early_only = true;
    let session = bench.replacing(bob(), old, true);
    assert_eq!(asked(&mut bench), ["accept"]);
    // It waits for the ACK with the answer, and the one who was rung is faster.
    bench.session_event(ua::Event::Media { session: old, audio: audio(ua::AudioCodec::Pcmu).into() });
    bench.session_event(ua::Event::Answered { session: old });
    assert_eq!(bench.ending(command), "answered");
    asked(&mut bench);
    agrees(&mut bench, session);
    assert_eq!(asked(&mut bench), ["hang up: replaced"]);
    bench.session_event(ua::Event::Digit { session: old, digit: '5' });
    assert_eq!(asked(&mut bench), ["digit"], "the call is still who answered it");
    bench.wind_up();
}
