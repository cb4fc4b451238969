//! Transfers: who hears whom, what the transferor is told, and what stays of each call.

use std::time::Duration;

use tandem_control_api::{CallFact, CallId, Command, CommandId, Event, LegId, RejectReason, TransferTo};
use tandem_sbc::user_agent as ua;
use tandem_sbc::user_agent::SessionId;

use super::bench::{Bench, audio, config, transfer, transfer_asked};
use crate::SwitchConfig;

/// A caller and an agent who talk, and the agent's REFER.
struct Scene {
    bench: Bench,
    call: CallId,
    caller: (SessionId, LegId),
    agent: (SessionId, LegId),
}

fn talking() -> Scene {
    talking_at(Bench::new())
}

fn talking_at(mut bench: Bench) -> Scene {
    let (session, call, leg) = bench.answered();
    let agent = bench.dialled(call);
    bench.command(Command::Bridge { a: leg, b: agent.1 });
    Scene { bench, call, caller: (session, leg), agent }
}

impl Scene {
    /// The agent asks, the control plane agrees, the target is being rung.
    fn ringing() -> (Self, CommandId, SessionId, LegId) {
        let mut scene = talking();
        scene.bench.session_event(transfer_asked(scene.agent.0, None));
        scene.bench.asked.clear();
        let command = scene.bench.command(transfer(scene.agent.1, scene.caller.1));
        let target = scene.bench.created();
        scene.bench.open_all();
        let session = scene.bench.last_session();
        scene.bench.session_event(ua::Event::Ringing { session });
        (scene, command, session, target)
    }

    fn answers(&mut self, session: SessionId) {
        self.bench.session_event(ua::Event::Media { session, audio: audio(ua::AudioCodec::Pcmu).into() });
        self.bench.session_event(ua::Event::Answered { session });
    }

    fn asked(&mut self) -> Vec<String> {
        std::mem::take(&mut self.bench.asked)
    }

    fn wind_up(mut self) -> Bench {
        for session in self.bench.sessions.keys().copied().collect::<Vec<_>>() {
            if self.bench.sessions.get(&session) == Some(&super::bench::Session::Up) {
                self.bench.peer_ends(session, 200);
            }
        }
        self.bench.open_all();
        self.bench.close_all();
        self.bench.release_all();
        self.bench.assert_at_rest();
        self.bench
    }
}

/// RFC 5359 §2.4: the transferor is told of each step, hangs up or is hung up, and the two others talk.
#[test]
fn a_blind_transfer_that_is_answered() {
    let (mut scene, command, session, target) = Scene::ringing();
    assert_eq!(
        scene.asked(),
        ["open", "unbridge", "stop", "play", "accept transfer", "invite", "report 180"],
        "the caller hears that it rings"
    );
    scene.answers(session);
    assert_eq!(scene.bench.ending(command), "transferred");
    assert_eq!(
        scene.asked(),
        ["configure", "configure", "bridge", "report 200", "hang up: transferred", "close"]
    );
    let asked = scene.bench.told.iter().any(
        |event| matches!(event, Event::TransferAsked { to, consulted_on: None, .. } if to == "+15550177"),
    );
    assert!(asked);
    scene.bench.command(Command::Unbridge { leg: target });
    let bench = scene.wind_up();
    let record = bench.records.first().expect("a record");
    let parties: Vec<&str> = record.legs.iter().map(|leg| leg.party.as_str()).collect();
    assert_eq!(parties, ["+15550199", "alice", "bob"]);
    assert_eq!(record.legs[1].end.cause, "transferred");
}

/// On whatever failure the transferor gets its party back, and is told why.
#[test]
fn a_blind_transfer_that_fails_is_undone() {
    for (status, report) in [(486, 486), (603, 603), (480, 480), (404, 404), (488, 488)] {
        let (mut scene, command, session, _) = Scene::ringing();
        scene.asked();
        scene.bench.peer_ends(session, status);
        assert_eq!(scene.asked(), [format!("report {report}").as_str(), "stop", "bridge", "close"]);
        assert!(scene.bench.ending(command).starts_with("not answered"));
        scene.wind_up();
    }
    let (mut scene, command, _, _) = Scene::ringing();
    scene.asked();
    scene.bench.advance(Duration::from_secs(20));
    assert_eq!(scene.asked(), ["report 480", "stop", "bridge", "hang up: no answer", "close"]);
    assert_eq!(scene.bench.ending(command), "not answered: no answer");
    scene.wind_up();
}

/// RFC 5630 §5.1.1.3: whom a REFER names as sips is called so; when there is no such way nobody is, the two talk on, and the
/// transferor is told 480. A carrier is not asked to see to it, though it takes REFER.
#[test]
fn a_transfer_to_sips_is_made_over_tls_or_not_at_all() {
    for error in [None, Some(ua::SessionError::NotSecure)] {
        let mut scene = talking();
        let asked = transfer_asked(scene.agent.0, None);
        let ua::Event::TransferAsked { session, refer, to, replaces, referred_by, .. } = asked else {
            panic!("a transfer");
        };
        let scheme = ua::Scheme::Sips;
        scene.bench.session_event(ua::Event::TransferAsked {
            session,
            refer,
            to,
            scheme,
            replaces,
            referred_by,
        });
        scene.asked();
        scene.bench.invite_error = error;
        let command = scene.bench.command(transfer(scene.agent.1, scene.caller.1));
        scene.bench.open_all();
        let asked = scene.asked();
        let (begun, rest) = asked.split_at(6);
        assert_eq!(begun, ["open", "unbridge", "stop", "play", "accept transfer", "invite over TLS"]);
        if error.is_none() {
            let session = scene.bench.last_session();
            scene.answers(session);
            assert_eq!(scene.bench.ending(command), "transferred");
        } else {
            assert_eq!(rest, ["report 480", "stop", "bridge", "close"]);
            assert!(scene.bench.ending(command).starts_with("not answered"));
        }
        scene.wind_up();
    }
}

/// The phone of most transferors hangs up as soon as its REFER is accepted: that is normal.
#[test]
fn the_transferor_may_leave() {
    for is_answered in [true, false] {
        let (mut scene, command, session, _) = Scene::ringing();
        scene.bench.peer_ends(scene.agent.0, 200);
        scene.asked();
        if is_answered {
            scene.answers(session);
            assert_eq!(scene.asked(), ["configure", "configure", "bridge", "report 200"]);
            assert_eq!(scene.bench.ending(command), "transferred");
        } else {
            scene.bench.peer_ends(session, 486);
            assert_eq!(scene.asked(), ["report 486", "stop", "close"]);
            assert_eq!(scene.bench.ending(command), "not answered: busy");
            let is_left = scene.bench.command(super::bench::play(scene.caller.1));
            assert_eq!(scene.bench.ending(is_left), "none", "the caller is for itself");
        }
        scene.wind_up();
    }
}

/// A caller that transfers who it called, and leaves: the call goes on, and nobody is hung up for want of a word.
#[test]
fn the_caller_may_be_the_transferor() {
    let mut scene = talking();
    scene.bench.session_event(transfer_asked(scene.caller.0, None));
    let command = scene.bench.command(transfer(scene.caller.1, scene.agent.1));
    scene.bench.open_all();
    scene.bench.peer_ends(scene.caller.0, 200);
    let session = scene.bench.last_session();
    scene.answers(session);
    assert_eq!(scene.bench.ending(command), "transferred");
    scene.asked();
    scene.bench.advance(Duration::from_secs(60));
    assert_eq!(scene.asked(), Vec::<String>::new());
    scene.wind_up();
}

/// Nobody is left to be transferred: the target is not rung any longer.
#[test]
fn the_transferee_leaves() {
    for has_answered in [false, true] {
        let (mut scene, command, session, _) = Scene::ringing();
        scene.asked();
        if has_answered {
            // Both at once: the answer waits behind the caller's BYE.
            scene.bench.peer_ends(scene.caller.0, 200);
            scene.answers(session);
        } else {
            scene.bench.peer_ends(scene.caller.0, 200);
        }
        assert_eq!(scene.bench.ending(command), "leg-ended");
        let asked = scene.asked();
        assert!(asked.contains(&"report 487".to_owned()), "{asked:?}");
        assert!(asked.contains(&"hang up: cancelled".to_owned()), "{asked:?}");
        scene.wind_up();
    }
}

/// One at a time: the second REFER, and the second command.
#[test]
fn a_second_transfer_meanwhile_is_refused() {
    let (mut scene, ..) = Scene::ringing();
    scene.asked();
    for session in [scene.agent.0, scene.caller.0] {
        scene.bench.session_event(transfer_asked(session, None));
        assert_eq!(scene.asked(), ["refuse transfer 491"]);
    }
    let again = scene.bench.command(transfer(scene.agent.1, scene.caller.1));
    assert_eq!(scene.bench.ending(again), "wrong-state");
    scene.wind_up();
}

#[test]
fn the_control_plane_refuses() {
    let mut scene = talking();
    scene.bench.session_event(transfer_asked(scene.agent.0, None));
    scene.bench.session_event(transfer_asked(scene.agent.0, None));
    scene.asked();
    let leg = scene.agent.1;
    let refuse = scene.bench.command(Command::RefuseTransfer { leg, reason: RejectReason::NotFound });
    assert_eq!(
        (scene.bench.ending(refuse).as_str(), scene.asked()),
        ("ok", vec!["refuse transfer 404".to_owned()])
    );
    let again = scene.bench.command(Command::RefuseTransfer { leg, reason: RejectReason::NotFound });
    assert_eq!(scene.bench.ending(again), "wrong-state", "nothing is asked any more");
    scene.wind_up();
}

/// The limit of legs holds for the target too; then nothing has changed.
#[test]
fn there_is_no_room_for_the_target() {
    let mut scene = talking_at(Bench::with(SwitchConfig { max_legs_per_call: 2, ..config() }));
    scene.asked();
    let command = scene.bench.command(transfer(scene.agent.1, scene.caller.1));
    assert_eq!(scene.bench.ending(command), "limit: legs in the call");
    assert_eq!(scene.asked(), Vec::<String>::new());
    scene.wind_up();
}

/// The control plane keeps the caller, say for another flow.
#[test]
fn a_transfer_to_the_control_plane() {
    let mut scene = talking();
    scene.bench.session_event(transfer_asked(scene.agent.0, None));
    scene.asked();
    let (leg, transferee) = (scene.agent.1, scene.caller.1);
    let command = scene.bench.command(Command::Transfer { leg, transferee, to: TransferTo::Control });
    assert_eq!(scene.bench.ending(command), "transferred");
    assert_eq!(scene.asked(), ["unbridge", "accept transfer", "report 200", "hang up: transferred", "close"]);
    scene.wind_up();
}

/// RFC 5359 §2.5 (attended): the parties of both calls talk, one of them goes on in the other call, and each leg is in
/// one record.
#[test]
fn an_attended_transfer_moves_a_leg() {
    let mut scene = talking_at(Bench::with(SwitchConfig { workers: 1, ..config() }));
    let (second, other_call, consulted_on) = scene.bench.answered();
    let (party_session, party) = scene.bench.dialled(other_call);
    scene.bench.command(Command::Bridge { a: consulted_on, b: party });
    scene.bench.session_event(transfer_asked(scene.agent.0, Some(second)));
    let asks = Event::TransferAsked {
        call: scene.call,
        leg: scene.agent.1,
        to: "+15550177".to_owned(),
        consulted_on: Some(consulted_on),
    };
    assert_eq!(scene.bench.told.last(), Some(&asks));
    scene.asked();
    let to = TransferTo::Party { leg: party, consulted_on };
    let (leg, transferee) = (scene.agent.1, scene.caller.1);
    let command = scene.bench.command(Command::Transfer { leg, transferee, to });
    assert_eq!(scene.bench.ending(command), "transferred");
    assert_eq!(
        scene.asked(),
        [
            "unbridge",
            "unbridge",
            "bridge",
            "accept transfer",
            "report 200",
            "hang up: transferred",
            "hang up: transferred",
            "close",
            "close",
        ]
    );
    assert!(scene.bench.told.contains(&Event::LegMoved { call: scene.call, leg: party, from: other_call }));
    scene.bench.close_all();
    scene.bench.release_all();
    assert_eq!(scene.bench.calls.ledger().calls, 1, "the other call is over");
    scene.bench.peer_ends(party_session, 200);
    let ended = scene.bench.told.last();
    assert!(matches!(ended, Some(Event::LegEnded { call, leg, .. }) if *call == scene.call && *leg == party));
    let (call, bench) = (scene.call, scene.wind_up());
    let legs = |of: CallId| {
        let record = bench.records.iter().find(|record| record.id == of).expect("a record");
        let facts = record.timeline.iter().map(|entry| entry.fact.clone()).collect::<Vec<_>>();
        (record.legs.iter().map(|leg| leg.id).collect::<Vec<_>>(), facts)
    };
    assert_eq!(legs(other_call), (vec![consulted_on], vec![CallFact::LegLeft { leg: party, to: call }]));
    assert_eq!(legs(call).0, [transferee, leg, party]);
    assert_eq!(legs(call).1, [CallFact::LegJoined { leg: party, from: other_call }]);
}

/// Endpoints are bridged within one worker only: that of the leg that moves goes with it, and what it is told meanwhile
/// waits; then the two talk.
#[test]
fn calls_at_different_workers_are_joined() {
    let mut scene = talking();
    let (_, other_call, consulted_on) = scene.bench.answered();
    let (session, party) = scene.bench.dialled(other_call);
    scene.bench.command(Command::Bridge { a: consulted_on, b: party });
    let before = scene.bench.endpoints.values().map(|(worker, _)| worker.0).collect::<Vec<_>>();
    assert_eq!(before, [0, 0, 1, 1]);
    scene.asked();
    let to = TransferTo::Party { leg: party, consulted_on };
    let (leg, transferee) = (scene.agent.1, scene.caller.1);
    let command = scene.bench.command(Command::Transfer { leg, transferee, to });
    assert_eq!(scene.bench.ending(command), "transferred");
    assert_eq!(scene.asked()[..3], ["unbridge", "unbridge", "hand over"]);
    scene.bench.close_all();
    // A re-INVITE and a key at the worst of times.
    scene.bench.session_event(ua::Event::Media { session, audio: audio(ua::AudioCodec::Pcma).into() });
    scene.bench.session_event(ua::Event::Digit { session, digit: '5' });
    assert_eq!(scene.asked(), Vec::<String>::new());
    scene.bench.hand_over_all();
    assert_eq!(scene.asked(), ["take over"]);
    scene.bench.open_all();
    assert_eq!(scene.asked(), ["configure", "digit", "bridge"]);
    let workers = scene.bench.endpoints.values().map(|(worker, _)| worker.0).collect::<Vec<_>>();
    assert_eq!(workers, [0, 0]);
    scene.wind_up();
}

/// On its way an endpoint is parted again, or its leg hangs up, or its port is lost: nothing is left of it.
#[test]
fn what_happens_on_the_way() {
    for what in ["parted", "hung up", "lost"] {
        let mut scene = talking();
        let (_, other_call, consulted_on) = scene.bench.answered();
        let (session, party) = scene.bench.dialled(other_call);
        let to = TransferTo::Party { leg: party, consulted_on };
        let (leg, transferee) = (scene.agent.1, scene.caller.1);
        scene.bench.command(Command::Transfer { leg, transferee, to });
        scene.bench.close_all();
        scene.asked();
        match what {
            "parted" => {
                let command = scene.bench.command(Command::Unbridge { leg: party });
                assert_eq!(scene.bench.ending(command), "ok");
            }
            "hung up" => scene.bench.peer_ends(session, 200),
            _ => {}
        }
        scene.bench.hand_over_all();
        if what == "lost" {
            for endpoint in scene.bench.in_phase(super::bench::Endpoint::Arriving) {
                let statistics = tandem_media::EndpointStatistics::default();
                scene.bench.media_event(endpoint, tandem_media::Event::Closed { endpoint, statistics });
            }
            assert!(scene.asked().contains(&"hang up: no media".to_owned()));
        } else {
            scene.bench.open_all();
            assert!(!scene.asked().contains(&"bridge".to_owned()), "{what}");
        }
        scene.wind_up();
    }
}

/// What a phone calls is where its other call is, so that it can transfer one to the other.
#[test]
fn calls_of_one_phone_are_at_one_worker() {
    let mut scene = talking();
    scene.bench.incoming_from(ua::Source::User("alice".to_owned()), true);
    let Some(Event::CallOffered { call, .. }) = scene.bench.told.last().cloned() else { panic!("no call") };
    scene.bench.command(super::bench::dial(call));
    scene.bench.open_all();
    let workers: Vec<_> = scene.bench.endpoints.values().map(|(worker, _)| *worker).collect();
    assert_eq!(workers.len(), 3);
    assert!(workers.iter().all(|worker| *worker == workers[0]), "{workers:?}");
    scene.wind_up();
}

/// RFC 5359 §2.1: the control plane is told of hold and of its end, and a party on hold may be silent.
#[test]
fn hold_is_told() {
    let mut scene = talking();
    let (call, session, leg) = (scene.call, scene.agent.0, scene.agent.1);
    let agreed = |direction| ua::Event::Media {
        session,
        audio: ua::NegotiatedAudio { direction, ..audio(ua::AudioCodec::Pcmu) }.into(),
    };
    for hold in [ua::MediaDirection::ReceiveOnly, ua::MediaDirection::Inactive] {
        scene.bench.session_event(agreed(hold));
        assert_eq!(scene.bench.told.last(), Some(&Event::LegHeld { call, leg }));
        let configured = scene.bench.media_commands.last();
        assert!(matches!(configured, Some(tandem_media::Command::Configure { stream, .. })
            if stream.media_timeout.is_none()));
        let told = scene.bench.told.len();
        scene.bench.session_event(agreed(ua::MediaDirection::ReceiveOnly));
        assert_eq!(scene.bench.told.len(), told, "once");
        scene.bench.session_event(agreed(ua::MediaDirection::SendReceive));
        assert_eq!(scene.bench.told.last(), Some(&Event::LegResumed { call, leg }));
    }
    scene.wind_up();
}
