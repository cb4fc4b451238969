//! From offer to answer, and everything that comes between.

use std::time::Duration;

use tandem_control_api::{Command, DialTarget, EndedBy, Event, Origin, Party, RejectReason};
use tandem_media as media;
use tandem_sbc::user_agent as ua;
use tandem_sbc::user_agent::SessionError;

use super::bench::{Bench, Endpoint, audio, config, hangup};
use crate::calls::MAX_OPEN_ATTEMPTS;
use crate::calls::translate::UnusableKeys;

#[test]
fn an_answer_is_done_when_the_ack_has_come_and_audio_is_agreed() {
    let mut bench = Bench::new();
    let (session, call, leg) = bench.offered();
    let answer = bench.command(Command::Answer { leg });
    assert_eq!(bench.asked, ["open"], "no 200 before there is a port to put into it");
    bench.open_all();
    assert_eq!(bench.asked, ["open", "accept"]);
    assert_eq!(bench.accepts[0].rtp.to_string(), "127.0.0.1:20000");
    bench.session_event(ua::Event::Media { session, audio: audio(ua::AudioCodec::Pcmu).into() });
    assert_eq!(bench.ending(answer), "none");
    bench.session_event(ua::Event::Confirmed { session });
    assert_eq!(bench.ending(answer), "answered");
    assert!(matches!(
        bench.told[0],
        Event::CallOffered { call: offered, origin: Origin::Trunk(_), .. } if offered == call
    ));
}

/// RFC 3261 §13.2.1: the offer may be in the 200 and the answer in the ACK.
#[test]
fn an_offerless_invite_is_answered_when_the_ack_brought_the_answer() {
    let mut bench = Bench::new();
    let (session, _, leg) = bench.offered();
    let answer = bench.command(Command::Answer { leg });
    bench.open_all();
    bench.session_event(ua::Event::Confirmed { session });
    assert_eq!(bench.ending(answer), "none");
    bench.session_event(ua::Event::Media { session, audio: audio(ua::AudioCodec::Pcmu).into() });
    assert_eq!(bench.ending(answer), "answered");
}

#[test]
fn a_caller_who_gives_up_while_the_endpoint_opens_leaves_nothing() {
    let mut bench = Bench::new();
    let (session, _, leg) = bench.offered();
    let answer = bench.command(Command::Answer { leg });
    bench.peer_ends(session, 487);
    assert_eq!(bench.ending(answer), "leg-ended");
    assert!(matches!(bench.told.last(), Some(Event::LegEnded { end, .. }) if end.cause == "cancelled"));
    assert_eq!(bench.asked, ["open"], "an endpoint is told nothing before it is open");
    assert_eq!(bench.calls.ledger().ports, 1, "the worker may yet bind it");
    bench.open_all();
    assert_eq!(bench.asked, ["open", "close"]);
    bench.close_all();
    bench.release_all();
    bench.assert_at_rest();
    assert_eq!(bench.records.len(), 1);
    assert_eq!(bench.records[0].answered, None);
}

#[test]
fn a_caller_who_gives_up_before_the_ack_is_not_answered() {
    let mut bench = Bench::new();
    let (session, _, leg) = bench.offered();
    let answer = bench.command(Command::Answer { leg });
    bench.open_all();
    bench.session_event(ua::Event::Media { session, audio: audio(ua::AudioCodec::Pcmu).into() });
    bench.peer_ends(session, 200);
    assert_eq!(bench.ending(answer), "leg-ended");
    bench.close_all();
    bench.release_all();
    bench.assert_at_rest();
}

/// A leg whose keys cannot be used is ended and says so; it does not go on in clear.
#[test]
fn a_leg_with_unusable_keys_is_ended() {
    let mut bench = Bench::new();
    let (_, _, leg) = bench.answered();
    bench.asked.clear();
    let endpoint = bench.endpoint();
    bench.calls.configure_endpoint(bench.now, leg, endpoint, Err(UnusableKeys));
    bench.drain();
    assert_eq!(bench.asked, ["hang up: no keys", "close"]);
    let Some(Event::LegEnded { end, .. }) =
        bench.told.iter().find(|event| matches!(event, Event::LegEnded { .. }))
    else {
        panic!("the leg has ended")
    };
    assert_eq!((end.by, end.cause.as_str()), (EndedBy::Switch, "no keys"));
    bench.close_all();
    bench.release_all();
    bench.assert_at_rest();
}

#[test]
fn a_taken_port_is_passed_over() {
    let mut bench = Bench::new();
    let (_, _, leg) = bench.offered();
    let answer = bench.command(Command::Answer { leg });
    for _ in 1..MAX_OPEN_ATTEMPTS {
        let endpoint = bench.endpoint();
        bench.media_event(endpoint, media::Event::OpenFailed { endpoint });
    }
    bench.open_all();
    assert_eq!(bench.accepts[0].rtp.port(), 20_004, "the third port");
    assert_eq!(bench.ending(answer), "none");
    assert_eq!(bench.calls.ledger().ports, 1, "the taken ones went back");
}

#[test]
fn one_taken_port_too_many_refuses_the_caller() {
    let mut bench = Bench::new();
    let (_, _, leg) = bench.offered();
    let answer = bench.command(Command::Answer { leg });
    for _ in 0..MAX_OPEN_ATTEMPTS {
        let endpoint = bench.endpoint();
        bench.media_event(endpoint, media::Event::OpenFailed { endpoint });
    }
    assert_eq!(bench.ending(answer), "limit: media endpoints");
    assert_eq!(bench.asked.last().unwrap(), "refuse 503");
    let Some(Event::LegEnded { end, .. }) =
        bench.told.iter().find(|event| matches!(event, Event::LegEnded { .. }))
    else {
        panic!("the leg has ended")
    };
    assert_eq!((end.by, end.status, end.cause.as_str()), (EndedBy::Switch, 503, "no media"));
    bench.release_all();
    bench.assert_at_rest();
}

#[test]
fn without_a_port_left_the_caller_is_refused() {
    let mut bench = Bench::with(crate::SwitchConfig { media_ports: 20_000..=20_001, ..config() });
    bench.answered();
    let (_, _, leg) = bench.offered();
    let answer = bench.command(Command::Answer { leg });
    assert_eq!(bench.ending(answer), "limit: media ports");
    assert_eq!(bench.asked.last().unwrap(), "refuse 503");
}

/// A late packet of the call before must find nobody.
#[test]
fn the_port_of_a_call_rests_before_another_one_has_it() {
    let rest = Duration::from_secs(2);
    let config = crate::SwitchConfig { media_ports: 20_000..=20_001, port_rest: rest, ..config() };
    let mut bench = Bench::with(config);
    let (session, ..) = bench.answered();
    bench.peer_ends(session, 200);
    bench.close_all();
    bench.release_all();
    bench.assert_at_rest();
    for (waits, refusal) in [(rest - Duration::from_nanos(1), true), (Duration::from_nanos(1), false)] {
        bench.advance(waits);
        let (_, _, leg) = bench.offered();
        bench.command(Command::Answer { leg });
        assert_eq!(bench.asked.last().is_some_and(|it| it == "refuse 503"), refusal, "{:?}", bench.asked);
    }
}

#[test]
fn an_answer_that_the_user_agent_cannot_give_refuses_the_caller() {
    for (error, status) in
        [(SessionError::NoCommonCodec, "refuse 488"), (SessionError::WrongState, "refuse 500")]
    {
        let mut bench = Bench::new();
        let (_, _, leg) = bench.offered();
        bench.accept_error = Some(error);
        let answer = bench.command(Command::Answer { leg });
        bench.open_all();
        assert_eq!(bench.ending(answer), "leg-ended");
        assert_eq!(bench.asked[2], status);
        bench.close_all();
        bench.release_all();
        bench.assert_at_rest();
    }
}

/// RFC 3261 §21.
#[test]
fn each_reason_for_a_refusal_has_its_status() {
    let table = [
        (RejectReason::NotFound, "refuse 404", "not found"),
        (RejectReason::Busy, "refuse 486", "busy"),
        (RejectReason::Declined, "refuse 603", "declined"),
        (RejectReason::Unavailable, "refuse 503", "unavailable"),
        (RejectReason::NotAcceptable, "refuse 488", "no media"),
    ];
    for (reason, asked, cause) in table {
        let mut bench = Bench::new();
        let (_, _, leg) = bench.offered();
        let reject = bench.command(Command::Reject { leg, reason });
        assert_eq!(bench.asked, [asked]);
        assert_eq!(bench.ending(reject), "ok");
        bench.release_all();
        bench.assert_at_rest();
        let end = &bench.records[0].end;
        assert_eq!((end.by, end.cause.as_str()), (EndedBy::Control, cause));
        assert_eq!(format!("refuse {}", end.status), asked);
    }
}

#[test]
fn commands_of_an_ended_leg_are_done_before_its_end_is_told() {
    let mut bench = Bench::new();
    let (_, call, leg) = bench.answered();
    bench.told.clear();
    bench.command(super::bench::play(leg));
    bench.command(Command::Collect { leg, rules: super::bench::rules() });
    let hangup = bench.command(hangup(leg));
    assert_eq!(bench.ending(hangup), "ok");
    let last = bench.told.len() - 1;
    assert!(
        matches!(bench.told[last], Event::LegEnded { call: ended, .. } if ended == call),
        "{:?}",
        bench.told
    );
    assert_eq!(bench.told.len(), 4, "three outcomes and the end");
}

#[test]
fn all_endpoints_of_a_call_share_a_worker_and_calls_spread_over_them() {
    let mut bench = Bench::new();
    let (_, first, _) = bench.answered();
    let (_, second, _) = bench.answered();
    bench.dialled(first);
    bench.dialled(second);
    let workers: Vec<usize> = bench.endpoints.values().map(|(worker, _)| worker.0).collect();
    assert_eq!(workers, [0, 1, 0, 1]);
}

#[test]
fn phones_and_trunks_may_send_from_different_places() {
    use media::LatchPolicy;
    let latch = |bench: &Bench| match bench.media_commands.last() {
        Some(media::Command::Configure { stream, .. }) => stream.latch,
        other => panic!("not configured: {other:?}"),
    };
    let user = || ua::Source::User("1001".to_owned());
    for (behind_nat, source, expected) in [
        (true, ua::Source::Trunk("carrier-a".to_owned()), LatchPolicy::Signalled),
        (false, user(), LatchPolicy::SignalledAddress),
        (true, user(), LatchPolicy::BehindNat { signalling: [127, 0, 0, 9].into(), gateway: None }),
    ] {
        let mut bench = Bench::with(crate::SwitchConfig { phones_behind_nat: behind_nat, ..config() });
        let session = bench.incoming_from(source, true);
        let Some(Event::CallOffered { leg, .. }) = bench.told.last() else { panic!("offered") };
        bench.command(Command::Answer { leg: *leg });
        bench.open_all();
        bench.session_event(ua::Event::Media { session, audio: audio(ua::AudioCodec::Pcma).into() });
        assert_eq!(latch(&bench), expected);
    }
}

#[test]
fn silence_is_held_against_a_party_only_once_it_is_answered() {
    let timeouts = |bench: &Bench| -> Vec<bool> {
        let configure = bench.media_commands.iter().filter_map(|command| match command {
            media::Command::Configure { stream, .. } => Some(stream.media_timeout.is_some()),
            _ => None,
        });
        configure.collect()
    };
    let mut bench = Bench::new();
    let (_, call, _) = bench.answered();
    bench.media_commands.clear();
    let (session, _) = bench.inviting(call);
    bench.session_event(ua::Event::Media { session, audio: audio(ua::AudioCodec::Pcmu).into() });
    let endpoint = bench.in_phase(Endpoint::Open)[1];
    bench.media_event(endpoint, media::Event::MediaTimeout { endpoint });
    assert!(!bench.told.iter().any(|event| matches!(event, Event::LegEnded { .. })));
    bench.session_event(ua::Event::Answered { session });
    assert_eq!(timeouts(&bench), [false, true]);
}

#[test]
fn a_change_of_audio_reaches_the_worker() {
    let mut bench = Bench::new();
    let (session, ..) = bench.answered();
    bench.asked.clear();
    let held = ua::NegotiatedAudio { direction: ua::MediaDirection::SendOnly, ..audio(ua::AudioCodec::Pcmu) };
    bench.session_event(ua::Event::Media { session, audio: held.into() });
    assert_eq!(bench.asked, ["configure"]);
    assert!(matches!(
        bench.media_commands.last(),
        Some(media::Command::Configure { stream, .. }) if stream.direction == media::Direction::SendOnly
    ));
}

#[test]
fn a_dialled_leg_is_to_be_offered_the_callers_codec_first() {
    let mut bench = Bench::new();
    let (session, call, leg) = bench.offered();
    bench.command(Command::Answer { leg });
    bench.open_all();
    bench.session_event(ua::Event::Media { session, audio: audio(ua::AudioCodec::Pcma).into() });
    bench.session_event(ua::Event::Confirmed { session });
    bench.inviting(call);
    assert_eq!(bench.invites[0].media.preferred, Some(ua::AudioCodec::Pcma));
    assert_eq!(bench.invites[0].from.user, "+15550199", "the caller's own number is shown");
    bench.command(Command::Dial {
        media: tandem_control_api::MediaPath::Anchored,
        call,
        target: DialTarget::Trunk { trunk: "carrier-a".to_owned(), number: "+15550111".to_owned() },
        caller_id: Some("+15550100".to_owned()),
        ring_timeout: std::time::Duration::from_secs(20),
    });
    bench.open_all();
    assert_eq!(
        bench.invites[1].from,
        ua::Identity {
            user: "+15550100".to_owned(),
            diverting: Some("+15550100".to_owned()),
            ..ua::Identity::default()
        }
    );
}

/// RFC 3325 §7: neither agents nor records are of the trust domain; a trunk may be, and decides for itself.
#[test]
fn a_withheld_number_is_told_to_nobody_and_goes_on_to_whom_is_dialled() {
    let mut bench = Bench::new();
    let session = bench.incoming_withheld();
    let Some(Event::CallOffered { call, leg, from, .. }) = bench.told.last() else { panic!("not offered") };
    let (call, leg) = (*call, *leg);
    assert_eq!(*from, Party { withheld: true, ..Party::default() });
    bench.command(Command::Answer { leg });
    bench.open_all();
    bench.session_event(ua::Event::Media { session, audio: audio(ua::AudioCodec::Pcmu).into() });
    bench.session_event(ua::Event::Confirmed { session });
    let (callee, _) = bench.inviting(call);
    assert_eq!((bench.invites[0].from.user.as_str(), bench.invites[0].from.restricted), ("+15550199", true));
    bench.peer_ends(callee, 486);
    bench.peer_ends(session, 200);
    bench.close_all();
    bench.release_all();
    let record = bench.told.iter().find_map(|event| match event {
        Event::CallEnded { record, .. } => Some(record),
        _ => None,
    });
    let record = record.expect("a record");
    assert!(!format!("{record:?}").contains("5550199"), "{record:?}");
    assert!(record.from.withheld, "{record:?}");
}

/// RFC 5806 §2: who had sent the call on, and why, is told and kept, and goes along; but not who wants not to be known.
#[test]
fn who_sent_a_call_on_is_told_and_kept() {
    for restricted in [false, true] {
        let mut bench = Bench::new();
        let by = ua::Identity { user: "+15550122".to_owned(), restricted, ..ua::Identity::default() };
        let reason = ua::RedirectReason::UserBusy;
        let redirection = Some(Box::new(ua::Redirection { by, reason }));
        let session = bench.incoming_sent_on(redirection.clone());
        let Some(Event::CallOffered { call, leg, redirected, .. }) = bench.told.last() else {
            panic!("not offered")
        };
        let (call, leg, redirected) = (*call, *leg, redirected.clone().expect("sent on"));
        let number = if restricted { "" } else { "+15550122" };
        assert_eq!((redirected.by.number.as_str(), redirected.by.withheld), (number, restricted));
        assert_eq!(redirected.reason, "user-busy");
        bench.command(Command::Answer { leg });
        bench.open_all();
        bench.session_event(ua::Event::Media { session, audio: audio(ua::AudioCodec::Pcmu).into() });
        bench.session_event(ua::Event::Confirmed { session });
        let (callee, _) = bench.inviting(call);
        assert_eq!(bench.invites[0].from.redirection, redirection);
        bench.peer_ends(callee, 486);
        bench.peer_ends(session, 200);
        bench.close_all();
        bench.release_all();
        assert_eq!(bench.records[0].redirected, Some(redirected));
    }
}

/// RFC 5806 §2: a carrier's call that goes out again was for the number it came to.
#[test]
fn a_carrier_is_told_whom_a_call_was_for_and_a_phone_is_not() {
    let mut bench = Bench::new();
    let (_, call, _) = bench.answered();
    let dial = |target| Command::Dial {
        media: tandem_control_api::MediaPath::Anchored,
        call,
        target,
        caller_id: None,
        ring_timeout: std::time::Duration::from_secs(20),
    };
    let trunk = |number: &str| DialTarget::Trunk { trunk: "carrier-a".to_owned(), number: number.to_owned() };
    for target in [trunk("+15550111"), trunk("+15550100"), DialTarget::User("1001".to_owned())] {
        bench.command(dial(target));
        bench.open_all();
    }
    let diverting: Vec<_> = bench.invites.iter().map(|invite| invite.from.diverting.as_deref()).collect();
    assert_eq!(diverting, [Some("+15550100"), None, None], "+15550100 is whom the call was for");
}
