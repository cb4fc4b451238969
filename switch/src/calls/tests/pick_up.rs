//! A call that rings is taken by somebody who has called us (`PickUp`): who hears whom, and both records.

use tandem_control_api::{Command, CommandError, Event, LegId, Origin};
use tandem_sbc::user_agent as ua;
use tandem_sbc::user_agent::{SessionError, SessionId};

use super::bench::{Bench, audio, dial};

/// A caller who is answered hears that somebody is rung; and bob calls.
struct Scene {
    bench: Bench,
    dialled: tandem_control_api::CommandId,
    rung: (SessionId, LegId),
    bob: (SessionId, LegId),
}

fn scene() -> Scene {
    let mut bench = Bench::new();
    let (_, call, _) = bench.answered();
    let dialled = bench.command(dial(call));
    let leg = bench.created();
    bench.open_all();
    let rung = (bench.last_session(), leg);
    bench.session_event(ua::Event::Ringing { session: rung.0 });
    let session = bench.incoming_from(ua::Source::User("bob".to_owned()), true);
    let Some(Event::CallOffered { leg, .. }) = bench.told.last().cloned() else { panic!("not offered") };
    bench.asked.clear();
    Scene { bench, dialled, rung, bob: (session, leg) }
}

/// Bob is accepted at the endpoint of the leg that rings, which he has answered; whose phone rang is cancelled.
#[test]
fn who_calls_takes_what_rings() {
    let Scene { mut bench, dialled, rung: (old, leg), bob: (session, own) } = scene();
    let picked = bench.command(Command::PickUp { leg: own, rung: leg });
    assert_eq!(bench.ending(picked), "ok");
    assert!(bench.asked.contains(&"accept".to_owned()), "{:?}", bench.asked);
    assert_eq!(bench.accepts.last().map(|media| media.rtp), Some(bench.invites[0].media.rtp));
    bench.session_event(ua::Event::Media { session, audio: audio(ua::AudioCodec::Pcma).into() });
    bench.session_event(ua::Event::Confirmed { session });
    assert!(bench.asked.contains(&"hang up: replaced".to_owned()), "{:?}", bench.asked);
    assert_eq!(bench.ending(dialled), "answered");
    let by = Origin::User("bob".to_owned());
    let is_told = |event: &Event| matches!(event, Event::LegReplaced { leg: it, by: who, .. } if *it == leg && *who == by);
    assert!(bench.told.iter().any(is_told));
    assert_ne!(old, session);
    bench.wind_up();
    let [own, other] = &bench.records[..] else { panic!("two calls: {:#?}", bench.records) };
    assert_eq!((own.legs.len(), own.end.cause.as_str()), (1, "picked up another"));
    assert_eq!((other.legs[1].party.as_str(), other.legs.len()), ("bob", 2));
}

/// What is gone, answered, or one's own cannot be taken; then nothing has changed.
#[test]
fn what_does_not_ring_is_not_taken() {
    let Scene { mut bench, rung: (old, leg), bob: (_, own), .. } = scene();
    let stranger = LegId { index: 99, generation: 0 };
    for (own, rung) in [(own, stranger), (stranger, leg), (own, own), (leg, own)] {
        let refused = bench.command(Command::PickUp { leg: own, rung });
        assert!(matches!(bench.outcome(refused), Some(Err(_))), "{own} {rung}");
    }
    bench.session_event(ua::Event::Media { session: old, audio: audio(ua::AudioCodec::Pcmu).into() });
    bench.session_event(ua::Event::Answered { session: old });
    let late = bench.command(Command::PickUp { leg: own, rung: leg });
    let is_late = matches!(bench.outcome(late), Some(Err(CommandError::WrongState { .. })));
    assert!(is_late, "{:?}", bench.outcome(late));
    assert!(!bench.asked.contains(&"accept".to_owned()), "{:?}", bench.asked);
    bench.wind_up();
}

/// One at a time, and whoever cannot be accepted leaves the phone ringing.
#[test]
fn who_cannot_be_accepted_changes_nothing() {
    let Scene { mut bench, dialled, rung: (old, leg), bob: (_, own) } = scene();
    bench.accept_error = Some(SessionError::NoCommonCodec);
    bench.command(Command::PickUp { leg: own, rung: leg });
    assert!(bench.outcome(dialled).is_none(), "it rings on");
    bench.session_event(ua::Event::Media { session: old, audio: audio(ua::AudioCodec::Pcmu).into() });
    bench.session_event(ua::Event::Answered { session: old });
    assert_eq!(bench.ending(dialled), "answered");
    bench.wind_up();
}
